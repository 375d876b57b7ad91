"""What runs and searches leave behind, as tables, and a button that opens TensorBoard."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from .errors import CourseError

if TYPE_CHECKING:
    import ipywidgets


def read_scalars(folder: str | os.PathLike[str]) -> pd.DataFrame:
    """Return what was logged for TensorBoard.

    Args:
        folder: that `train.build_trainer` wrote to as its tensorboard_dir.

    Returns:
        A DataFrame with tag, step and value.

    Raises:
        CourseError: if there is nothing.
    """
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder)).Reload()
    rows = [(tag, event.step, event.value) for tag in events.Tags()["scalars"] for event in events.Scalars(tag)]
    if not rows:
        raise CourseError(
            f"There is nothing logged in {folder}: pass it to build_trainer as tensorboard_dir and train."
        )
    return pd.DataFrame(rows, columns=["tag", "step", "value"])


def tensorboard_button(folder: str | os.PathLike[str]) -> ipywidgets.Widget:
    """Return a button that opens TensorBoard beneath itself; nothing is started until it is pressed.

    Args:
        folder: that `train.build_trainer` wrote to.
    """
    import ipywidgets as widgets

    button, output = widgets.Button(description="Open TensorBoard"), widgets.Output()

    def open_board(pressed: Any) -> None:
        from tensorboard.notebook import start

        os.environ.setdefault("TENSORBOARD_BINARY", str(Path(sys.executable).with_name("tensorboard")))
        with output:
            start(f'--logdir "{folder}"')

    button.on_click(open_board)
    return widgets.VBox([button, output])


@contextmanager
def quiet_optuna() -> Iterator[None]:
    """Keep Optuna from printing a line a trial, and leave its verbosity as it was."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def trials_table(study: Any) -> pd.DataFrame:
    """Return the trials of a search.

    Args:
        study: an `optuna.Study` whose trials were judged by their accuracy.

    Returns:
        A DataFrame, one row a trial: its settings, its last accuracy, how many steps it took, and whether it was
        stopped (pruned).
    """
    rows = []
    for trial in study.trials:
        steps = trial.intermediate_values
        last = max(steps, default=0)
        rows.append(
            {**trial.params, "accuracy": steps.get(last), "steps": last, "pruned": trial.state.name == "PRUNED"}
        )
    return pd.DataFrame(rows)
