"""The course at a glance: the baseline and the result of each lesson, in one chart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import style
from .style import GREY, METHODS, VERMILION

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..overview import Result


def results_figure(found: Sequence[Result], ink: str = "black") -> Figure:
    """Draw the results of the lessons, a row each: a ring for the baseline, a dot for the result, lines for intervals.

    Args:
        found: from `ftcourse.overview.results`, one at least.
        ink: colour of the words.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(8.4, 0.9 + 0.58 * len(found)), layout="constrained")
    for row, result in enumerate(found):
        _draw_row(row, result, ink)
    axes.plot([], [], "o", markersize=8, mfc="none", mec=GREY, mew=2, label="baseline")
    axes.plot([], [], "o", markersize=8, color=VERMILION, label="result (bars: 95 % intervals over seeds)")
    figure.legend(loc="outside upper right", ncols=2, frameon=False, labelcolor=ink, fontsize=10)
    axes.set(xlim=(-12, 108), ylim=(len(found) - 0.5, -0.5), yticks=[], xticks=range(0, 101, 20))
    axes.set_xticklabels([f"{share} %" for share in range(0, 101, 20)])
    axes.tick_params(colors=ink, length=0)
    axes.grid(axis="x", color=GREY, alpha=0.3)
    axes.spines[:].set_visible(False)
    for part in (axes, figure):
        part.patch.set_alpha(0)
    return figure


def _draw_row(row: int, result: Result, ink: str) -> None:
    """Draw one lesson: its name and measure at the left, and its two shares in per cent."""
    import matplotlib.pyplot as plt

    from ..records import interval

    axes, colour = plt.gca(), METHODS.get(result.names[1], VERMILION)
    (before, wide), (after, wider) = ([100 * part for part in interval(runs.values())]
                                      for runs in (result.baseline, result.result))  # fmt: skip
    axes.plot([before, after], [row, row], color=GREY, alpha=0.5, linewidth=1.5)
    for share, half, tint in ((before, wide, GREY), (after, wider, colour)):
        axes.plot([share - half, share + half], [row, row], color=tint, lw=5, alpha=0.45, solid_capstyle="butt")
    axes.plot(before, row, "o", markersize=8, mfc="none", mec=GREY, mew=2)
    axes.plot(after, row, "o", markersize=8, color=colour)
    side = 1 if after >= before else -1  # each number stands outside, where the other doesn't
    for share, half, way, bold in ((before, wide, -side, "normal"), (after, wider, side, "bold")):
        axes.annotate(
            f"{share:.1f}", (share + way * half, row), xytext=(8 * way, 0), textcoords="offset points", color=ink,
            ha="left" if way > 0 else "right", va="center", fontsize=10, fontweight=bold,
        )  # fmt: skip
    words = dict(xycoords=axes.get_yaxis_transform(), textcoords="offset points", ha="right", color=ink)
    axes.annotate(f"{result.number}  {result.title}", (0, row), xytext=(-6, 2), va="bottom", fontsize=11, **words)
    said = f"{result.what}: {' → '.join(result.names)}"
    axes.annotate(said, (0, row), xytext=(-6, 0), va="top", fontsize=8.5, **words)


def show_results(found: Sequence[Result]) -> None:
    """Show the results of the lessons in one chart, with all its numbers as text.

    Args:
        found: from `ftcourse.overview.results`, one at least.
    """
    from ..overview import alternative

    style.show(results_figure(found), alternative(found))
