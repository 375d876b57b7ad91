"""Lesson 9: certainty and slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from . import style
from .style import BLACK, BLUE, GREEN, VERMILION

if TYPE_CHECKING:
    import pandas as pd


def show_reliability(tables: Mapping[str, pd.DataFrame]) -> None:
    """Show accuracy against certainty, a line a model; on the diagonal a model is as right as it says.

    Args:
        tables: dictionary from a name to a DataFrame with count, confidence and accuracy, one row a bin.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(5, 4.5))
    axes.plot([0, 100], [0, 100], color=BLACK, linewidth=0.8, linestyle="--", label="as right as it says")
    said = []
    for (name, table), colour, mark in zip(tables.items(), (VERMILION, BLUE, GREEN), "os^", strict=False):
        axes.plot(100 * table["confidence"], 100 * table["accuracy"], f"{mark}-", color=colour, label=name)
        axes.scatter(
            100 * table["confidence"],
            100 * table["accuracy"],
            s=300 * table["count"] / table["count"].sum(),
            color=colour,
            alpha=0.3,
        )
        bins = zip(table["confidence"], table["accuracy"], strict=True)
        said.append(f"{name}: " + ", ".join(f"sure {c:.0%} right {a:.0%}" for c, a in bins))
    low = min(table["confidence"].min() for table in tables.values())
    axes.set(xlabel="certainty (%)", ylabel="right (%)", xlim=(max(0, 100 * low - 5), 101), ylim=(0, 101))
    axes.legend(loc="lower right")
    style.show(figure, f"Accuracy by certainty. {'; '.join(said)}.")


def show_slices(table: pd.DataFrame, overall: float) -> None:
    """Show the accuracy of slices of the data with their intervals, and the overall accuracy as a line.

    Args:
        table: DataFrame with count, accuracy, low and high, one row a slice.
        overall: the accuracy on all.
    """
    import matplotlib.pyplot as plt

    table = table[table["count"] > 0]
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.4 * len(table)))
    names = [f"{name} ({count})" for name, count in table["count"].items()]
    errors = 100 * abs(table[["low", "high"]].to_numpy().T - table["accuracy"].to_numpy())
    axes.errorbar(100 * table["accuracy"], names, xerr=errors, fmt="o", capsize=3, color=BLUE)
    axes.axvline(100 * overall, color=VERMILION, linestyle="--", label="all")
    axes.set(xlabel="accuracy (%) with its interval; how many there are in brackets")
    axes.invert_yaxis()
    axes.legend()
    said = ", ".join(
        f"{name} {row.accuracy:.0%} ({row.low:.0%} to {row.high:.0%})"
        for name, row in zip(names, table.itertuples(), strict=True)
    )
    style.show(figure, f"Accuracy by slice; all {overall:.0%}: {said}.")
