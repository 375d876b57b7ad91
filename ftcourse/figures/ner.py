"""Lesson 5: labels on tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import style
from .style import TINTS


def show_alignment(tokens: Sequence[str], word_ids: Sequence[int | None], rows: Mapping[str, Sequence[str]]) -> None:
    """Show which label each token gets, a column a token and a row a way to align, coloured by kind of name.

    Args:
        tokens: list of strings.
        word_ids: for each token the number of its word, None for special tokens.
        rows: dictionary from the name of a way to its labels, one a token; "-100" is an ignored position.
    """
    import matplotlib.pyplot as plt

    lines = {"word": ["" if word is None else str(word) for word in word_ids], **rows}
    width = max(0.75, 0.095 * max(map(len, tokens)))
    figure, axes = plt.subplots(figsize=(1.2 + width * len(tokens), 0.5 + 0.38 * len(lines)))
    for y, (name, cells) in enumerate(lines.items()):
        for x, cell in enumerate(cells):
            plain = "#E0E0E0" if cell == "-100" else "white"
            tint = "white" if name == "word" else TINTS.get(cell[2:], plain)
            axes.add_patch(plt.Rectangle((x, y), 1, 1, facecolor=tint, edgecolor="#888888"))
            axes.text(x + 0.5, y + 0.5, cell, ha="center", va="center", fontsize=8, color="black")
    axes.set(xlim=(0, len(tokens)), ylim=(len(lines), 0))
    axes.set_xticks([x + 0.5 for x in range(len(tokens))], tokens, fontsize=8)
    axes.set_yticks([y + 0.5 for y in range(len(lines))], lines, fontsize=9)
    axes.xaxis.tick_top()
    axes.grid(False)
    said = "; ".join(
        f"{name}: " + ", ".join(f"{t} {c}" for t, c in zip(tokens, cells, strict=True)) for name, cells in rows.items()
    )
    style.show(figure, f"The label of each token, in {len(rows)} ways. {said}.")
