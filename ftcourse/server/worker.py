"""The trainer of one job, a process of its own: ``python -m ftcourse.server.worker HOME JOB``.

It checks the files, waits for its turn, trains, and writes what happens into the store. It can be killed at any moment:
a folder appears under its name only when it is whole, a job ends in one transaction, and the next trainer goes on from
the last checkpoint.
"""

import logging
import os
import sys

from ..errors import CourseError
from . import states
from .parent import when_parent_ends
from .store import Store

log = logging.getLogger("ftcourse.server.worker")


def main(home: str | os.PathLike[str], job_id: str) -> None:
    """Do what is next for a job; leave its state in the store.

    Args:
        home: folder of the service's state.
        job_id: id of the job.
    """
    _end_with_parent()
    if hasattr(os, "nice"):
        os.nice(int(os.environ.get("FTCOURSE_TRAINER_NICE", 10)))  # requests come before training
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    store = Store(home)
    try:
        _work(store, job_id)
    except states.JobError as error:
        states.fail(store, job_id, error)
    except CourseError as error:
        log.exception("the job failed")
        states.fail(store, job_id, states.JobError("invalid_training_file", str(error), "training_file"))
    except Exception as error:
        log.exception("the job failed")
        states.fail(store, job_id, states.JobError("trainer_error", f"{type(error).__name__}: {error}"))
    if states.current(store, job_id) in states.FINAL:
        store.drop_job_files(job_id)


def _work(store: Store, job_id: str) -> None:
    """Validate a job and train it, as far as it is its turn."""
    if states.current(store, job_id) == states.VALIDATING:
        from .validation import validate

        validate(store, job_id)
    if states.start(store, job_id):
        from .training import train  # reads the libraries: not while another job trains

        train(store, job_id)


def _end_with_parent() -> None:
    """End this process at once when the service ends: its pipe to us breaks."""
    if sys.stdin is not None and not sys.stdin.isatty():
        when_parent_ends(lambda: os._exit(3))


if __name__ == "__main__":
    # Nothing is quantised here, and peft, which has no switch for it, would spend seconds and 50 MB on reading it.
    sys.modules["bitsandbytes"] = None  # type: ignore[assignment]
    main(*sys.argv[1:])
