"""Lesson 6: windows, spans and thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import style
from .style import BLACK, BLUE, GREEN, SKY, VERMILION

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def show_windows(windows: Sequence[tuple[int, int]], answers: Mapping[str, Any], length: int) -> None:
    """Show how windows lie over a text, each a bar, with the places of the answer.

    Args:
        windows: list of (first character, character after the last), one a window.
        answers: dictionary with text and answer_start; empty lists for no answer.
        length: characters of the text.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.32 * len(windows)))
    pairs = zip(answers["text"], answers["answer_start"], strict=True)
    places = [(start, start + len(text)) for text, start in pairs]
    names = [f"window {number}" for number in range(1, len(windows) + 1)]
    axes.barh(
        names, [end - start for start, end in windows], left=[start for start, _ in windows], color=SKY, height=0.6
    )
    for start, end in places:
        axes.axvspan(start, end, color=VERMILION, zorder=3)
    axes.set(xlim=(0, length), xlabel="character of the text" + (": the answer stands at the mark" if places else ""))
    axes.invert_yaxis()
    said = ", ".join(f"{start:,} to {end:,}" for start, end in windows)
    holders = [str(number) for number, (first, last) in enumerate(windows, 1)
               if any(first <= start and end <= last for start, end in places)]  # fmt: skip
    where = f"The answer is whole in window {', '.join(holders)}." if holders else "No window holds an answer."
    style.show(
        figure, f"A text of {length:,} characters in {len(windows)} windows, which hold the characters {said}. {where}"
    )


def show_span_chances(tokens: Sequence[str], starts: np.ndarray, ends: np.ndarray) -> None:
    """Show the probability of each token of a text to be the start and the end of the answer.

    Args:
        tokens: list of strings.
        starts: array of shape (tokens,), the probability of each token to be the first of the answer.
        ends: array of shape (tokens,), the probability of each token to be the last of the answer.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(figsize=(9, 3))
    said = []
    for name, chances, colour, side in (("start", starts, BLUE, 1), ("end", ends, VERMILION, -1)):
        axes.bar(range(len(tokens)), side * 100 * np.asarray(chances), color=colour, width=1.0, label=name)
        best = [int(i) for i in np.argsort(chances)[::-1][:3]]
        axes.annotate(tokens[best[0]], (best[0], side * 100 * chances[best[0]]), xytext=(6, 0),
                      textcoords="offset points", va="center", fontsize=9)  # fmt: skip
        said.append(f"{name}: " + ", ".join(f"{tokens[i]} (token {i}) {chances[i]:.0%}" for i in best))
    axes.yaxis.set_major_formatter(lambda value, _: f"{abs(value):.0f}")
    axes.set(xlabel="token of the text", ylabel="probability (%)\nend | start", xlim=(-1, len(tokens)))
    axes.axhline(0, color=BLACK, linewidth=0.6)
    axes.legend()
    style.show(
        figure,
        f"Probability of {len(tokens)} tokens to be the start, upwards, and the end, downwards. "
        f"The likeliest three of each: {'; '.join(said)}.",
    )


def show_thresholds(sweep: pd.DataFrame, chosen: float) -> None:
    """Show F1 over the threshold above which an answer is given.

    Args:
        sweep: DataFrame with the columns threshold, all, answerable and unanswerable.
        chosen: the threshold that was chosen.
    """
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots()
    finite = sweep[np.isfinite(sweep["threshold"])]
    kinds = [name for name in ("all", "answerable", "unanswerable") if sweep[name].notna().all()]
    lines = zip((BLACK, BLUE, VERMILION), ("-", "--", ":"), strict=True)
    for name, (colour, line) in zip(kinds, lines, strict=False):  # fewer, where all or no question has an answer
        axes.plot(finite["threshold"], 100 * finite[name], line, color=colour, label=name, drawstyle="steps-post")
    if np.isfinite(chosen):
        axes.axvline(chosen, color=GREEN, label="chosen")
    axes.set(xlabel="threshold: margin that an answer must exceed", ylabel="F1 (%)", ylim=(0, 100))
    axes.legend()
    first, last, best = sweep.iloc[0], sweep.iloc[-1], sweep.loc[(sweep["threshold"] - chosen).abs().fillna(0).idxmin()]
    rows = {"always answering": first, f"at the chosen {chosen:.1f}": best, "never answering": last}
    said = "; ".join(f"{way}: " + ", ".join(f"{kind} {row[kind]:.0%}" for kind in kinds) for way, row in rows.items())
    style.show(figure, f"F1 over the threshold. {said}.")
