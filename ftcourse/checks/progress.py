"""What a learner has done of the exercises: one small file on this machine, without an account."""

import json
import os
import time
from pathlib import Path

from ..errors import CourseError


def path():
    """Return where the file is: what FTCOURSE_PROGRESS says, else in the user's folder for the state of programs."""
    import platformdirs

    named = os.environ.get("FTCOURSE_PROGRESS")
    return Path(named) if named else platformdirs.user_state_path("ftcourse") / "progress.json"


def load():
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


def note(exercise, step, outcome):
    """Note the outcome of a check. What was right once stays so, and an untouched starter counts as no try.

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


def reset(exercises=None):
    """Forget the progress of some exercises, or all of it."""
    with _locked():
        if exercises is None:
            path().unlink(missing_ok=True)
        else:
            _write({name: steps for name, steps in load().items() if name not in exercises})


def is_finished(exercise):
    """Say whether every step of an exercise was right."""
    notes = load().get(exercise.name, {})
    return all(notes.get(step, {}).get("outcome") == "right" for step in exercise.steps)


def rows(exercises):
    """Return the progress as rows (exercise, step, outcome, tries), every step of the exercises in order."""
    notes = load()
    return [
        (exercise.name, step.title, *_outcome(notes.get(exercise.name, {}).get(name)))
        for exercise in exercises
        for name, step in exercise.steps.items()
    ]


def _outcome(noted):
    return (noted["outcome"], noted["tries"]) if noted else ("not attempted", 0)


def _write(notes):
    from ..files import write_atomically

    try:
        write_atomically(path(), json.dumps(notes, indent=1).encode())
    except OSError as error:
        raise CourseError(
            f"The progress can't be kept in {path()} ({error.strerror}). Name another file in the "
            "environment variable FTCOURSE_PROGRESS."
        ) from error


def _locked():
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
