"""What a learner has done of the exercises: one small file on this machine, without an account."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CourseError

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from .engine import Exercise


def path() -> Path:
    """Return where the file is: what FTCOURSE_PROGRESS says, else in the user's folder for the state of programs."""
    import platformdirs

    named = os.environ.get("FTCOURSE_PROGRESS")
    return Path(named) if named else platformdirs.user_state_path("ftcourse") / "progress.json"


def load() -> dict[str, dict[str, dict[str, Any]]]:
    """Return the progress, a dict exercise -> step -> {outcome, tries, checked}; empty if there is none.

    Raises:
        CourseError: if the file is not one of ours.
    """
    try:
        found = json.loads(path().read_text(encoding="utf-8"))
        if all(note["outcome"] for steps in found.values() for note in steps.values()):
            return found
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError, TypeError, KeyError):
        pass
    raise CourseError(f"The progress file {path()} can't be read. Begin a new one with `ftcourse check --reset`.")


def note(exercise: str, step: str, outcome: str) -> None:
    """Note the outcome of a check. What was right once stays so, and an untouched starter counts as no try.

    Args:
        exercise: its name.
        step: name of the step.
        outcome: one of `engine.OUTCOMES`.

    Raises:
        CourseError: if the file can't be read or written.
    """
    with _locked():
        notes = load()
        before = notes.setdefault(exercise, {}).get(step, {"outcome": outcome, "tries": 0})
        notes[exercise][step] = {
            "outcome": "right" if before["outcome"] == "right" else outcome,
            "tries": before["tries"] + (outcome != "not attempted"),
            "checked": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        }
        _write(notes)


def reset(exercises: list[str] | None = None) -> None:
    """Forget the progress of some exercises, or all of it.

    Args:
        exercises: their names; None for all.
    """
    with _locked():
        if exercises is None:
            path().unlink(missing_ok=True)
        else:
            _write({name: steps for name, steps in load().items() if name not in exercises})


def is_finished(exercise: Exercise) -> bool:
    """Say whether every step of an exercise was right.

    Args:
        exercise: an `engine.Exercise`.
    """
    notes = load().get(exercise.name, {})
    return all(notes.get(step, {}).get("outcome") == "right" for step in exercise.steps)


def rows(exercises: Iterable[Exercise]) -> list[tuple[str, str, str, int]]:
    """Return the progress as rows (exercise, step, outcome, tries), every step of the exercises in order.

    Args:
        exercises: of `engine.Exercise`.
    """
    notes = load()
    return [
        (exercise.name, step.title, *_outcome(notes.get(exercise.name, {}).get(name)))
        for exercise in exercises
        for name, step in exercise.steps.items()
    ]


def results(exercises: Iterable[Exercise]) -> dict[str, Any]:
    """Return the progress as a teacher's tool reads it: a point a step, in the format of Gradescope's results.json.

    otter-grader writes the same format.

    Args:
        exercises: of `engine.Exercise`.
    """
    tests = [
        {
            "name": f"{exercise}: {step}",
            "score": float(outcome == "right"),
            "max_score": 1.0,
            "status": "passed" if outcome == "right" else "failed",
            "output": f"{outcome} after {tries} {'try' if tries == 1 else 'tries'}",
        }
        for exercise, step, outcome, tries in rows(exercises)
    ]
    return {"score": sum(test["score"] for test in tests), "tests": tests}


def _outcome(noted: dict[str, Any] | None) -> tuple[str, int]:
    return (noted["outcome"], noted["tries"]) if noted else ("not attempted", 0)


def _write(notes: dict[str, Any]) -> None:
    from ..files import write_atomically

    try:
        write_atomically(path(), json.dumps(notes, indent=1).encode())
    except OSError as error:
        raise CourseError(
            f"The progress can't be kept in {path()} ({error.strerror}). Name another file in the "
            "environment variable FTCOURSE_PROGRESS."
        ) from error


def _locked() -> BaseFileLock:
    """Keep two notebooks from writing at once."""
    from filelock import FileLock

    try:
        path().parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise CourseError(
            f"There can be no folder {path().parent} ({error.strerror}). Name another file in the "
            "environment variable FTCOURSE_PROGRESS."
        ) from error
    return FileLock(f"{path()}.lock")
