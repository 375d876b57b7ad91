"""Lesson 6: windows, spans and thresholds."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import style
from .style import BLACK, BLUE, GREEN, SKY, VERMILION
from .text import show_entities

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def show_question(row: Mapping[str, Any], found: tuple[int, int] | None = None, around: int | None = None) -> None:
    """Show a question, and its text with the true and the found answer marked; as plain text, ``[TRUTH ...]``.

    Args:
        row: dictionary with question, context and answers, as SQuAD has them; of several answers the first is marked.
        found: (first character, character after the last) of the found answer; None marks none.
        around: characters before the first and after the last mark to show; None shows the whole text.
    """
    question, context, answers = (row[name] for name in ("question", "context", "answers"))
    truth = next(iter(zip(answers["answer_start"], answers["text"], strict=True)), None)
    spans = {"TRUTH": truth and (truth[0], truth[0] + len(truth[1])), "ANSWER": found}
    names = {name: span for name, span in spans.items() if span and span[0] < span[1]}
    edges = sorted({edge for span in names.values() for edge in span})
    begin, stop = 0, len(context)
    if around is not None and edges:
        begin, stop = max(0, edges[0] - around), min(len(context), edges[-1] + around)
    before = f"{question}\n{'… ' if begin else ''}"
    marks = []
    for start, end in itertools.pairwise(edges):  # where the two overlap they are marked as both
        label = " = ".join(name for name, span in names.items() if span[0] <= start and end <= span[1])
        if label:
            shift = len(before) - begin
            marks.append({"start": start + shift, "end": end + shift, "label": label})
    show_entities(before + context[begin:stop] + (" …" if stop < len(context) else ""), marks)


def show_windows(windows: Sequence[tuple[int, int]], answers: Mapping[str, Any], length: int) -> None:
    """Show how windows lie over a text, each a bar, with the answer marked in each window that holds it or a part.

    Args:
        windows: list of (first character, character after the last), one a window.
        answers: dictionary with text and answer_start; empty lists for no answer.
        length: characters of the text.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8, 0.9 + 0.4 * len(windows)))
    pairs = zip(answers["text"], answers["answer_start"], strict=True)
    places = [(start, start + len(text)) for text, start in pairs]
    axes.barh(
        [f"window {number}" for number in range(1, len(windows) + 1)],
        [end - start for start, end in windows],
        left=[start for start, _ in windows],
        color=SKY,
        height=0.6,
    )
    holders: dict[str, list[str]] = {"whole": [], "a part": []}
    for row, (first, last) in enumerate(windows):
        inside = [(max(start, first), min(end, last), first <= start and end <= last) for start, end in places]
        inside = [(start, end, whole) for start, end, whole in inside if start < end]
        for start, end, whole in inside:
            width = max(end - start, 0.006 * length)  # so that one word in a long text is seen
            axes.barh(row, width, left=start, height=0.6, color=BLACK if whole else "white", edgecolor=BLACK, zorder=3)
        kind = "whole" if any(whole for *_, whole in inside) else "a part" if inside else None
        if kind:
            holders[kind].append(str(row + 1))
        axes.annotate(kind or "none", (1.01, row), xycoords=("axes fraction", "data"), va="center", fontsize=9)
    axes.set(xlim=(0, length), xlabel="character of the text" + (", with the answer marked" if places else ""))
    axes.invert_yaxis()
    axes.grid(False, axis="y")
    said = ", ".join(f"{start:,} to {end:,}" for start, end in windows)
    where = "; ".join(f"{kind} in window {', '.join(own)}" for kind, own in holders.items() if own)
    style.show(
        figure,
        f"A text of {length:,} characters in {len(windows)} windows, which hold the characters {said}. "
        + (f"The answer is {where}." if where else "No window holds an answer."),
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
