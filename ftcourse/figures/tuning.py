"""Lesson 8: learning rates and other settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import style
from .style import BLUE, SKY, VERMILION

if TYPE_CHECKING:
    import pandas as pd


def show_sweep(
    frame: pd.DataFrame, setting: str, value: str, metric: str, default: float, noise: tuple[float, float] | None = None
) -> None:
    """Show a metric for each value of each setting, a panel a setting, a dot a run.

    Args:
        frame: DataFrame with one row a run.
        setting: column with the name of the setting that was changed.
        value: column with its value.
        metric: column to show.
        default: what the metric is when nothing is changed, drawn as a dashed line.
        noise: lowest and highest of the metric over seeds when nothing is changed, drawn as a band; None for none.
    """
    import matplotlib.pyplot as plt

    groups = list(frame.groupby(setting, sort=False))
    figure, all_axes = plt.subplots(1, len(groups), figsize=(2.4 * len(groups), 3.2), sharey=True, squeeze=False)
    said = []
    for axes, (name, runs) in zip(all_axes.flat, groups, strict=True):
        means = runs.groupby(value)[metric].mean()
        order = sorted(means.index, key=lambda one: (not _is_number(one), float(one) if _is_number(one) else len(one)))
        axes.axhline(default, color=VERMILION, linestyle="--")
        if noise is not None:
            axes.axhspan(*noise, color=VERMILION, alpha=0.15)
        axes.plot(range(len(order)), means[order], "o", color=BLUE)
        axes.set_xlim(-0.6, len(order) - 0.4)
        labels = [str(one).replace(" ", "\n") for one in order]
        axes.set_xticks(range(len(order)), labels, fontsize=7)
        axes.set_title(name, fontsize=10)
        said.append(f"{name}: " + ", ".join(f"{one} {means[one]:.2f}" for one in order))
    all_axes.flat[0].set_ylabel(metric.replace("_", " "))
    band = "" if noise is None else f" (over seeds {noise[0]:.2f} to {noise[1]:.2f})"
    style.show(figure, f"{metric.replace('_', ' ')} by setting; unchanged {default:.2f}{band}. {'; '.join(said)}.")


def _is_number(text: str) -> bool:
    """Say whether a setting's value is a number."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def show_range_test(curve: pd.DataFrame, suggested: float) -> None:
    """Show the loss over a growing learning rate.

    Args:
        curve: DataFrame with learning_rate, loss and smoothed.
        suggested: the learning rate to mark.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot(curve["learning_rate"], curve["loss"], ".", color=SKY, label="a step")
    axes.plot(curve["learning_rate"], curve["smoothed"], color=BLUE, label="smoothed")
    axes.axvline(suggested, color=VERMILION, linestyle="--", label=f"suggested: {suggested:.1e}")
    top = 2 * curve["smoothed"].iloc[0]
    axes.set(xscale="log", xlabel="learning rate", ylabel="loss", ylim=(0, top))
    axes.legend()
    lowest = curve.loc[curve["smoothed"].idxmin()]
    first, last = curve["smoothed"].iloc[0], curve["smoothed"].iloc[-1]
    style.show(
        figure,
        f"Smoothed loss starts at {first:.2f}, is lowest, {lowest['smoothed']:.2f}, at a learning rate of "
        f"{lowest['learning_rate']:.1e} and ends at {last:.2f}. Suggested: {suggested:.1e}.",
    )


def show_trials(trials: pd.DataFrame) -> None:
    """Show the trials of a search by learning rate and accuracy; those that were stopped early are crosses.

    Args:
        trials: DataFrame with learning_rate, accuracy and pruned.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    said = []
    for pruned, name, mark, colour in ((False, "to the end", "o", BLUE), (True, "stopped early", "x", VERMILION)):
        rows = trials[trials["pruned"] == pruned]
        if len(rows):
            axes.plot(rows["learning_rate"], 100 * rows["accuracy"], mark, color=colour, label=name)
            points = zip(rows["learning_rate"], rows["accuracy"], strict=True)
            said.append(f"{name} " + ", ".join(f"{score:.0%} at {rate:.1e}" for rate, score in points))
    axes.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy (%)")
    axes.legend()
    style.show(figure, f"{len(trials)} trials, accuracy by learning rate: {'; '.join(said)}.")
