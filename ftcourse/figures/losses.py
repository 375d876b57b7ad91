"""The losses of a run over its steps or epochs: the one plot for all trainers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import style
from .style import BLACK, GREY

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def show_losses(history: Sequence[dict[str, Any]], metric: str | None = None, kept: float | None = None) -> None:
    """Show the training and validation loss of a run, and a validation metric beside them if one is named.

    Args:
        history: list of dictionaries, as ``trainer.state.log_history`` is: with ``step`` (or ``epoch``, if no row has a
            step) and ``loss``, ``eval_loss`` and ``eval_METRIC`` where they were measured. The names of OpenAI's result
            files, ``train_loss`` and ``valid_loss``, are understood too; what is missing or NaN is left out.
        metric: name of a share between 0 and 1 to show in a second panel; None for none.
        kept: the step (or epoch) of the checkpoint that was kept, marked by a line; None for none.

    Raises:
        ValueError: if the history holds no loss.
    """
    style.show(*_losses(history, metric, kept))


def live_losses() -> Callable[[Sequence[dict[str, Any]]], None]:
    """Return a function that draws the losses of a run so far, each time in the place of the picture before.

    The function takes a history as `show_losses` does.
    """
    show_again = style.live()
    return lambda history: show_again(*_losses(history))


def _losses(
    history: Sequence[dict[str, Any]], metric: str | None = None, kept: float | None = None
) -> tuple[Figure, str]:
    """Return a figure of the losses, and its text alternative."""
    import matplotlib.pyplot as plt

    history = [row for row in history if "train_runtime" not in row]  # the Trainer's last row is a mean over the run
    unit = "step" if any("step" in row for row in history) else "epoch"
    training, validation = (
        _series(history, unit, "loss", "train_loss"),
        _series(history, unit, "eval_loss", "valid_loss"),
    )
    if not training and not validation:
        raise ValueError(
            "There is no loss in the history: pass trainer.state.log_history of a run that has logged one."
        )
    figure, all_axes = plt.subplots(1, 2 if metric else 1, figsize=(9, 3) if metric else None, squeeze=False)
    axes, said = all_axes[0, 0], []
    few = "o-" if len(training) < 20 else "-"
    for name, points, line, colour in (("training", training, few, GREY), ("validation", validation, "o-", BLACK)):
        if points:
            axes.plot(*zip(*points, strict=True), line, color=colour, label=name)
            at, lowest = min(points, key=lambda point: point[1])
            said.append(
                f"{name} loss from {points[0][1]:.3g} to {points[-1][1]:.3g}, lowest {lowest:.3g} at {unit} {at:g}"
            )
    if kept is not None:
        for each in all_axes.flat:
            each.axvline(kept, color=BLACK, linestyle=":", label="kept")
        said.append(f"the checkpoint of {unit} {kept:g} was kept")
    top = max(value for _, value in training + validation)
    axes.set(xlabel=unit, ylabel="loss", ylim=(-0.03 * top, 1.05 * top))  # a loss near zero stays visible
    axes.legend()
    scores = _series(history, unit, f"eval_{metric}") if metric else []
    if scores:
        right = all_axes[0, 1]
        right.plot([at for at, _ in scores], [100 * score for _, score in scores], "o-", color=BLACK)
        right.set(xlabel=unit, ylabel=f"validation {metric} (%)")
        at, highest = max(scores, key=lambda point: point[1])
        said.append(
            f"validation {metric} from {scores[0][1]:.1%} to {scores[-1][1]:.1%}, "
            f"highest {highest:.1%} at {unit} {at:g}"
        )
    return figure, f"Over the {unit}s: {'; '.join(said)}."


def _series(history: Sequence[dict[str, Any]], unit: str, *names: str) -> list[tuple[float, float]]:
    """Return the points (step or epoch, value) of what goes by one of the names; NaN counts as missing."""
    found = [(row[unit], row.get(name)) for row in history for name in names if unit in row]
    return [(at, value) for at, value in found if value is not None and value == value]
