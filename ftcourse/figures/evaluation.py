"""Lesson 9: confidence and slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import style
from .style import BLACK, GREY, METHODS

if TYPE_CHECKING:
    import pandas as pd


def show_reliability(tables: Mapping[str, pd.DataFrame]) -> None:
    """Show accuracy against confidence, a line a version of the fine-tuned model; on the diagonal both are the same.

    Args:
        tables: dictionary from a name to a DataFrame with count, confidence and accuracy, one row a bin.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4.8))
    shares = [table[["confidence", "accuracy"]] for table in tables.values()]
    low = max(0, 100 * min(float(rows.min().min()) for rows in shares) - 6)
    high = min(104, 100 * max(float(rows.max().max()) for rows in shares) + 6)
    axes.plot([low, high], [low, high], color=BLACK, linewidth=0.8, linestyle="--", label="accuracy = confidence")
    said = []
    looks = (("^:", GREY), ("s-", METHODS["fine-tuned"]), ("v--", BLACK))
    for (name, table), (line, colour) in zip(tables.items(), looks, strict=False):
        places, size = (
            (100 * table["confidence"], 100 * table["accuracy"]),
            1500 * table["count"] / table["count"].sum(),
        )
        axes.plot(*places, line, color=colour, label=name)
        axes.scatter(*places, s=size, color=colour, alpha=0.2, linewidths=0)
        bins = zip(table["confidence"], table["accuracy"], table["count"], strict=True)
        said.append(f"{name}: " + ", ".join(f"confidence {c:.0%} accuracy {a:.0%} ({n})" for c, a, n in bins))
    axes.set(xlabel="confidence (%)", ylabel="accuracy (%)", xlim=(low, high), ylim=(low, high))
    axes.scatter([], [], s=60, color=BLACK, alpha=0.2, linewidths=0, label="the larger, the more answers")
    axes.legend(loc="upper left", fontsize=9)
    style.show(figure, f"Accuracy by confidence, with the number of answers. {'; '.join(said)}.")


def show_slices(table: pd.DataFrame, overall: float, items: str = "sentences") -> None:
    """Show the accuracy of slices of the data with their intervals, and the overall accuracy as a line.

    Args:
        table: DataFrame with count, accuracy, low and high, one row a slice.
        overall: the accuracy on all.
        items: what was counted.
    """
    import matplotlib.pyplot as plt

    table = table[table["count"] > 0]
    figure, axes = plt.subplots(figsize=(7, 1.2 + 0.4 * len(table)))
    names = [f"{name} ({count:,})" for name, count in table["count"].items()]
    errors = 100 * abs(table[["low", "high"]].to_numpy().T - table["accuracy"].to_numpy())
    axes.errorbar(100 * table["accuracy"], names, xerr=errors, fmt="o", capsize=3, color=METHODS["fine-tuned"])
    axes.axvline(100 * overall, color=BLACK, linestyle="--", linewidth=0.8, label=f"all {items}")
    axes.set(xlabel=f"accuracy (%), 95 % interval ({items} in brackets)", ylim=(len(names) - 0.5, -0.5))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    said = ", ".join(
        f"{name} {row.accuracy:.0%} ({row.low:.0%} to {row.high:.0%})"
        for name, row in zip(names, table.itertuples(), strict=True)
    )
    style.show(figure, f"Accuracy by slice; all {items} {overall:.0%}: {said}.")
