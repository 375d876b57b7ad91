"""Shares of right answers: of one run, of several seeds, over the size of the data, and which mistakes were made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from . import style
from .style import BLUE, METHODS, PALETTE, VERMILION

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.figure import Figure
    from pandas.core.groupby import DataFrameGroupBy


def show_scores(scores: dict[str, float], label: str = "accuracy") -> None:
    """Show shares between 0 and 1 as bars in per cent, one a method.

    Args:
        scores: dictionary from the name of a method to its share; after a comma may stand on what it was measured.
        label: what the shares are.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.5 * len(scores)))
    colours = [METHODS.get(name.split(",")[0], BLUE) for name in scores]
    bars = axes.barh(list(scores), [100 * score for score in scores.values()], color=colours)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.grid(False, axis="y")  # a line would strike through the numbers
    axes.set(xlabel=f"{label} (%)", xlim=(0, 100))
    axes.invert_yaxis()
    style.show(figure, f"Bars of {label}: " + ", ".join(f"{name} {score:.1%}" for name, score in scores.items()) + ".")


def show_runs(frame: pd.DataFrame, group: str, metric: str) -> None:
    """Show the runs of a study, a row a group: each run as a dot, and the mean as a line.

    Args:
        frame: DataFrame with one row a run.
        group: column that names the groups.
        metric: column with a share between 0 and 1.
    """
    import matplotlib.pyplot as plt

    means = frame.groupby(group)[metric].mean().sort_values()
    figure, axes = plt.subplots(figsize=(7, 0.7 + 0.45 * len(means)))
    for row, (name, mean) in enumerate(means.items()):
        values = 100 * frame.loc[frame[group] == name, metric]
        axes.plot(values, [row] * len(values), "o", color=BLUE, alpha=0.7)
        axes.plot([100 * mean] * 2, [row - 0.3, row + 0.3], color=VERMILION)
    axes.set_yticks(range(len(means)), means.index)
    axes.set(xlabel=f"{metric} (%): a dot a seed, the line their mean", ylim=(-0.6, len(means) - 0.4))
    style.show(
        figure,
        f"Mean {metric} over the seeds: " + ", ".join(f"{name} {mean:.1%}" for name, mean in means.items()) + ".",
    )


def show_learning_curve(frame: pd.DataFrame, metric: str = "accuracy") -> None:
    """Show a share against the number of training examples, a line a method, with the deviation over seeds.

    A method that `style.METHODS` knows has its colour there.

    Args:
        frame: DataFrame with the columns method, num_train and that of the metric, one row a run.
        metric: name of the column with a share between 0 and 1.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    said: list[str] = []
    for (method, runs), colour in zip(frame.groupby("method", sort=False), PALETTE, strict=False):
        rows = runs.groupby("num_train")[metric].agg(["mean", "std"]).fillna(0)
        axes.errorbar(
            rows.index * 1.02 ** len(said),  # side by side, so that no whisker hides another
            100 * rows["mean"],
            yerr=100 * rows["std"],
            fmt="o-",
            capsize=3,
            label=method,
            color=METHODS.get(str(method), colour),
        )
        said.append(f"{method}: " + ", ".join(f"{size:,} examples {mean:.1%}" for size, mean in rows["mean"].items()))
    axes.set(xscale="log", xlabel="training examples (logarithmic scale)", ylabel=f"{metric} (%)")
    sizes = sorted(frame["num_train"].unique())
    axes.set_xticks(sizes, [f"{size:,}" for size in sizes], minor=False)
    axes.minorticks_off()
    axes.legend()
    style.show(figure, f"{metric.capitalize()} against training examples. " + "; ".join(said) + ".")


def show_groups(groups: DataFrameGroupBy, metrics: Sequence[str]) -> None:
    """Show the mean of some shares in each group as bars, with the number of rows in the group.

    Args:
        groups: a DataFrame grouped by one column.
        metrics: columns with shares between 0 and 1.
    """
    import matplotlib.pyplot as plt

    means, counts = 100 * groups[list(metrics)].mean(), groups.size()
    figure, axes = plt.subplots(figsize=(7, 0.9 + 0.5 * len(means)))
    names = [f"{name} ({count})" for name, count in counts.items()]
    height = 0.8 / len(metrics)
    for place, (metric, colour) in enumerate(zip(metrics, PALETTE, strict=False)):
        rows = [row + (place - (len(metrics) - 1) / 2) * height for row in range(len(means))]
        bars = axes.barh(rows, means[metric], height=height, color=colour, label=metric)
        axes.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    axes.set_yticks(range(len(names)), names)
    axes.set(xlabel="% (how many there are in brackets)", xlim=(0, 100))
    axes.invert_yaxis()
    axes.legend(ncols=len(metrics), loc="lower center", bbox_to_anchor=(0.5, 1), frameon=False)
    said = "; ".join(f"{name} " + ", ".join(f"{metric} {means.loc[group, metric]:.0f}%" for metric in metrics)
                     for name, group in zip(names, means.index, strict=True))  # fmt: skip
    style.show(figure, f"By {means.index.name}, with the number of rows: {said}.")


def show_confusion(matrix: np.ndarray, labels: Sequence[str]) -> None:
    """Show a confusion matrix as a heat map with its numbers.

    Args:
        matrix: counts, shape (classes, classes); a row is a true class, a column an answer.
        labels: names of the classes, in order.
    """
    style.show(*confusion_figure(matrix, labels))


def confusion_figure(matrix: np.ndarray, labels: Sequence[str]) -> tuple[Figure, str]:
    """Draw a confusion matrix as a heat map with its numbers, for a page without a notebook.

    Args:
        matrix: counts, shape (classes, classes); a row is a true class, a column an answer.
        labels: names of the classes, in order.

    Returns:
        The figure, and its text alternative.
    """
    import matplotlib.pyplot as plt
    import numpy as np
    import seaborn as sns

    size = max(1, len(labels) / 12)  # so that the numbers of many classes have room
    figure, axes = plt.subplots(figsize=(6.5 * size, 5.5 * size))
    sns.heatmap(
        matrix, annot=True, fmt="d", cmap="cividis", xticklabels=labels, yticklabels=labels, cbar=False, ax=axes
    )
    axes.set(xlabel="answer", ylabel="truth")
    right = np.diag(matrix) / np.maximum(matrix.sum(1), 1)
    mistakes = matrix - np.diag(np.diag(matrix))
    truth, answer = np.unravel_index(mistakes.argmax(), mistakes.shape)
    worst = f"The commonest mistake: {labels[truth]} taken for {labels[answer]}, {mistakes.max()} times."
    said = f"Most often right: {labels[right.argmax()]}, {right.max():.0%}; least often: {labels[right.argmin()]}, "
    return figure, f"Confusion matrix. {said}{right.min():.0%}. {worst if mistakes.any() else 'No mistakes.'}"
