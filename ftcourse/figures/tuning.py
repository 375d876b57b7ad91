"""Lesson 8: learning rates and other settings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from . import style
from .style import BLACK, GREY, METHODS, SKY

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

RUN = METHODS["fine-tuned"]
LINES = ("-", "--", ":", "-.")


def show_schedules(schedules: Mapping[str, Sequence[float]]) -> None:
    """Show how the learning rate changes over the steps of a run, a line a schedule.

    Args:
        schedules: dict name -> learning rate of each step.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 2.8))
    said = []
    for (name, rates), line in zip(schedules.items(), LINES * len(schedules), strict=False):
        axes.plot(range(1, len(rates) + 1), rates, line, color=BLACK, label=name)
        top = max(range(len(rates)), key=rates.__getitem__)
        end = (
            "stays there"
            if rates[-1] == rates[top]
            else f"falls to {rates[-1] / rates[top]:.0%} of it at the last step"
        )
        said.append(f"{name} rises to {rates[top]:.1e} at step {top + 1} and {end}")
    axes.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
    axes.ticklabel_format(axis="y", style="sci", scilimits=(0, 0))
    figure.legend(loc="outside right upper", fontsize=8, handlelength=4)
    style.show(figure, f"Learning rate over the steps: {'; '.join(said)}.")


def show_sweep(frame: pd.DataFrame, setting: str, value: str, metric: str, default: float) -> None:
    """Show any metric for each value of each setting, a panel a setting, a dot the mean of a value's runs.

    Args:
        frame: DataFrame with one row a run.
        setting: column with the name of the setting that was changed.
        value: column with its value.
        metric: column to show, in its own unit.
        default: what the metric is when nothing is changed, drawn as a dashed line.
    """
    import matplotlib.pyplot as plt

    groups = list(frame.groupby(setting, sort=False))
    figure, all_axes = plt.subplots(1, len(groups), figsize=(2.4 * len(groups), 3.2), sharey=True, squeeze=False)
    said = []
    for axes, (name, runs) in zip(all_axes.flat, groups, strict=True):
        means = runs.groupby(value)[metric].mean()
        order = sorted(means.index, key=lambda one: (_number(one) is None, _number(one) or len(str(one))))
        axes.axhline(default, color=BLACK, linestyle="--")
        axes.plot(range(len(order)), means[order], "o", color=RUN)
        axes.set_xlim(-0.6, len(order) - 0.4)
        axes.set_xticks(range(len(order)), [str(one).replace(" ", "\n") for one in order], fontsize=7)
        axes.set_title(name, fontsize=10)
        said.append(f"{name}: " + ", ".join(f"{one} {means[one]:.2f}" for one in order))
    what = metric.replace("_", " ")
    all_axes.flat[0].set_ylabel(what)
    style.show(figure, f"{what} by setting; unchanged {default:.2f}. {'; '.join(said)}.")


def show_settings(
    frame: pd.DataFrame,
    panels: Mapping[str, tuple[str, Any]],
    metric: str,
    unchanged: Sequence[float],
    floor: float | None = None,
) -> None:
    """Show a share for each value of each setting, a panel a setting and a dot a run, beside the unchanged runs.

    Args:
        frame: DataFrame with one row a run: setting, value (as text; "8 x 4" counts as 32) and the metric.
        panels: dict setting -> what it is called and its value when nothing is changed.
        metric: column to show, a share between 0 and 1.
        unchanged: the metric of the runs with nothing changed; their mean is a dashed line, their range a band.
        floor: share of the commoner class, drawn as a dotted line; None for none.
    """
    import matplotlib.pyplot as plt

    mean, low, high = sum(unchanged) / len(unchanged), min(unchanged), max(unchanged)
    columns = min(3, len(panels))
    lines = -(-len(panels) // columns)
    size = (3 * columns + 0.5, 2.3 * lines + 0.6)
    figure, all_axes = plt.subplots(lines, columns, figsize=size, sharey=True, squeeze=False)
    said = []
    for axes, (setting, (name, usual)) in zip(all_axes.flat, panels.items(), strict=False):
        runs = frame[frame["setting"] == setting].sort_values("value", key=lambda column: column.map(_number))
        values, scores = list(runs["value"]), [100 * score for score in runs[metric]]
        places, (start,) = _places(axes, [*values, usual], len(values))
        axes.axhspan(100 * low, 100 * high, color=BLACK, alpha=0.12, label="range of the unchanged runs")
        axes.axhline(100 * mean, color=BLACK, linestyle="--", label=f"mean of {len(unchanged)} unchanged runs")
        if floor is not None:
            axes.axhline(100 * floor, color=GREY, linestyle=":", linewidth=2, label="always the commoner class")
        axes.plot([start], [100 * mean], "D", color=BLACK, markersize=5, label="the unchanged value")
        axes.plot(places, scores, "o", color=RUN, label="a run with this value")
        for place, score, value in zip(places, scores, values, strict=True):
            if place == start and value != usual:  # the axis has one name for both
                axes.annotate(_word(value), (place, score), xytext=(5, 4), textcoords="offset points", fontsize=8)
        axes.set_title(name, fontsize=10)
        points = ", ".join(f"{_word(value)} {score:.1f}%" for value, score in zip(values, scores, strict=True))
        said.append(f"{name} ({_word(usual)} unchanged): {points}")
    for axes in all_axes.flat[len(panels) :]:
        axes.set_axis_off()
    figure.supylabel(f"{metric.replace('_', ' ')} (%)", fontsize=10)
    figure.legend(*all_axes.flat[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8)
    level = "" if floor is None else f" Always the commoner class: {floor:.1%}."
    style.show(
        figure,
        f"{metric.replace('_', ' ').capitalize()} by setting, a dot a run; {len(unchanged)} unchanged runs {mean:.1%} "
        f"on average ({low:.1%} to {high:.1%}).{level} {'; '.join(said)}.",
    )


def _places(axes: Axes, values: Sequence[Any], count: int) -> tuple[list[float], list[float]]:
    """Set a panel's axis, numeric if the values are numbers; return the places of the first ones and of the rest."""
    numbers = [number for number in map(_number, values) if number is not None]
    if len(numbers) < len(values):
        names = [values[-1], *dict.fromkeys(value for value in values if value != values[-1])]
        axes.set_xticks(range(len(names)), [_word(name).replace(" ", "\n") for name in names], fontsize=8)
        axes.set_xlim(-0.6, len(names) - 0.4)
        places = [float(names.index(value)) for value in values]
        return places[:count], places[count:]
    least = min(number for number in numbers if number > 0)
    if max(numbers) <= 10 * least:
        axes.margins(x=0.15)
    elif min(numbers) > 0:
        axes.set(xscale="log", xlim=(least / 2, 2 * max(numbers)))
    else:
        axes.set_xscale("symlog", linthresh=least)
        axes.set_xlim(-least / 2, 2 * max(numbers))
    ticks = sorted(set(numbers))
    axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks], fontsize=8)
    axes.set_xticks([], minor=True)
    return numbers[:count], numbers[count:]


def _number(value: Any) -> float | None:
    """Return a setting's value as a number, a batch such as "8 x 4" as its product; None for a name."""
    product = 1.0
    for part in str(value).split(" x "):
        try:
            product *= float(part)
        except ValueError:
            return None
    return product


def _word(value: Any) -> str:
    """Return a setting's value as a reader would say it."""
    number = None if " x " in str(value) else _number(value)
    return str(value).replace("_", " ") if number is None else f"{number:g}"


def show_range_test(curve: pd.DataFrame, suggested: float) -> None:
    """Show the loss over a growing learning rate, its lowest smoothed point, and a learning rate to mark.

    Args:
        curve: DataFrame with learning_rate, loss and smoothed.
        suggested: the learning rate to mark.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    lowest = curve.loc[curve["smoothed"].idxmin()]
    axes.plot(curve["learning_rate"], curve["loss"], ".", color=SKY, label="training loss of one batch")
    axes.plot(curve["learning_rate"], curve["smoothed"], color=SKY, linewidth=2.5, label="smoothed")
    axes.axvline(lowest["learning_rate"], color=BLACK, linestyle=":", label=f"lowest: {lowest['learning_rate']:.1e}")
    axes.axvline(suggested, color=BLACK, linestyle="--", label=f"a tenth of it: {suggested:.1e}")
    first, last = curve["smoothed"].iloc[0], curve["smoothed"].iloc[-1]
    top = 2 * first
    axes.set(xscale="log", xlabel="learning rate", ylabel="training loss", ylim=(0, top))
    axes.legend(fontsize=8)
    hidden = int((~(curve["loss"] <= top)).sum())
    above = f" {hidden} of {len(curve)} batches lie above the frame." if hidden else ""
    style.show(
        figure,
        f"Smoothed loss starts at {first:.2f}, is lowest, {lowest['smoothed']:.2f}, at a learning rate of "
        f"{lowest['learning_rate']:.1e} and ends at {last:.2f}. Suggested: {suggested:.1e}.{above}",
    )


def show_rates(frame: pd.DataFrame, mark: float | None = None, floor: float | None = None) -> None:
    """Show validation accuracy over the steps for several learning rates: a thick line a mean, thin ones the seeds.

    Args:
        frame: DataFrame with learning_rate, seed, step and validation_accuracy.
        mark: a number of steps to mark; None for none.
        floor: share of the commoner class, drawn as a dotted line; None for none.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(9, 3.8))
    said = []
    for (rate, runs), line in zip(frame.groupby("learning_rate"), LINES[:2] + LINES[3:], strict=False):
        seeds = runs.pivot(index="step", columns="seed", values="validation_accuracy")
        axes.plot(seeds.index, 100 * seeds.to_numpy(), color=RUN, alpha=0.25, linewidth=1)
        mean = seeds.mean(axis="columns")
        axes.plot(mean.index, 100 * mean, linestyle=line, color=RUN, linewidth=2.5, label=f"{rate:g}")
        points = ", ".join(f"{score:.1%} after {step}" for step, score in mean.items())
        said.append(f"{rate:g}: {points}")
    if mark is not None:
        axes.axvline(mark, color=BLACK, linewidth=1, label=f"{mark:g} steps, as in the sweep")
    if floor is not None:
        axes.axhline(100 * floor, color=GREY, linestyle=":", linewidth=2, label="always the commoner class")
    axes.set(xlabel="steps", ylabel="validation accuracy (%)", xlim=(0, None))
    figure.legend(title="learning rate", loc="outside right upper", fontsize=8, title_fontsize=8, handlelength=4)
    level = "" if floor is None else f" Always the commoner class: {floor:.1%}."
    count = frame["seed"].nunique()
    runs = f"mean of {count} seeds" if count > 1 else "one run a rate"
    at = "" if mark is None else f" A line marks {mark:g} steps."
    style.show(figure, f"Validation accuracy over the steps, {runs}, by learning rate. {'; '.join(said)}.{level}{at}")


def show_trials(trials: pd.DataFrame, floor: float | None = None, space: tuple[float, float] | None = None) -> None:
    """Show the trials of a search by learning rate and accuracy; those that were stopped early are crosses.

    Args:
        trials: DataFrame with learning_rate, accuracy, steps and pruned.
        floor: share of the commoner class, drawn as a dotted line; None for none.
        space: the lowest and the highest rate that were searched; None leaves the axis to the trials.
    """
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    said = []
    for pruned, name, mark in ((False, "to the end", "o"), (True, "stopped early, accuracy when stopped", "x")):
        rows = trials[trials["pruned"] == pruned]
        if len(rows):
            axes.plot(rows["learning_rate"], 100 * rows["accuracy"], mark, color=RUN, label=name)
            points = zip(rows["learning_rate"], rows["accuracy"], rows["steps"], strict=True)
            said.append(
                f"{name} "
                + ", ".join(
                    f"{score:.1%} at {rate:.2e}" + f" after {steps} steps" * pruned for rate, score, steps in points
                )
            )
    if floor is not None:
        axes.axhline(100 * floor, color=GREY, linestyle=":", linewidth=2, label="always the commoner class")
    axes.set(xscale="log", xlabel="learning rate", ylabel="validation accuracy (%)")
    if space:
        axes.set_xlim(*space)
    axes.legend(fontsize=8)
    level = "" if floor is None else f" Always the commoner class: {floor:.1%}."
    style.show(figure, f"{len(trials)} trials, accuracy by learning rate: {'; '.join(said)}.{level}")
