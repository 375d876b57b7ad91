"""The states of a fine-tuning job: which there are, which may follow which, and the functions that make a job follow.

    validating_files --enqueue-> queued --start-> running --succeed-> succeeded
    queued or running --pause-> paused --resume-> queued
    validating_files, queued or running --fail-> failed
    all of these and paused --cancel-> cancelled

Each function changes the job in one transaction and tells it in the job's events. No other module of the service spells
a status.
"""

from typing import Any, Final, Literal, NamedTuple, get_args

from .store import Json, Store, now

Status = Literal["validating_files", "queued", "running", "succeeded", "failed", "cancelled", "paused"]
VALIDATING: Final = "validating_files"
QUEUED: Final = "queued"
RUNNING: Final = "running"
SUCCEEDED: Final = "succeeded"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
PAUSED: Final = "paused"

ACTIVE: tuple[Status, ...] = (VALIDATING, QUEUED, RUNNING)  # there is work for a trainer
UNFINISHED: tuple[Status, ...] = (*ACTIVE, PAUSED)
FINAL = tuple(status for status in get_args(Status) if status not in UNFINISHED)


class Transition(NamedTuple):
    """A change that is allowed: the statuses before it, and the one after it."""

    before: tuple[Status, ...]
    after: Status


TRANSITIONS = {
    "enqueue": Transition((VALIDATING,), QUEUED),
    "start": Transition((QUEUED,), RUNNING),
    "succeed": Transition((RUNNING,), SUCCEEDED),
    "fail": Transition(ACTIVE, FAILED),
    "pause": Transition((QUEUED, RUNNING), PAUSED),
    "resume": Transition((PAUSED,), QUEUED),
    "cancel": Transition(UNFINISHED, CANCELLED),
}


class JobError(Exception):
    """What a job fails with: `error` is the object that clients see."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.error: Json = {"code": code, "message": message, "param": param}


class WrongState(Exception):
    """A client asked for a change that the state of the job does not allow."""


def current(store: Store, job_id: str) -> Status:
    """Return the status of a job.

    Args:
        store: that has the job.
        job_id: id of the job.
    """
    return store.job(job_id).object["status"]


# --- What a trainer does: where a client was faster, nothing is changed ----------------------------------------------


def enqueue(store: Store, job_id: str) -> bool:
    """Put a job whose files are good into the queue.

    Args:
        store: that has the job.
        job_id: id of the job.

    Returns:
        Whether it was done.
    """
    return _make(store, job_id, "enqueue", ["Files validated, moving job to queued state"])


def start(store: Store, job_id: str) -> bool:
    """Let a queued job run if no other one does.

    Args:
        store: that has the job.
        job_id: id of the job.

    Returns:
        Whether this job runs, also if it did before.
    """
    with store.transaction():
        if not any(row.object["status"] == RUNNING for row in store.all("job")):
            _make(store, job_id, "start", ["Fine-tuning job started"])
        return current(store, job_id) == RUNNING


def succeed(store: Store, job_id: str, model: str, trained_tokens: int, result_files: list[str]) -> bool:
    """Let a running job succeed.

    Args:
        store: that has the job.
        job_id: id of the job.
        model: name of the model that was made.
        trained_tokens: number of tokens over all epochs.
        result_files: ids of the files with its metrics.

    Returns:
        Whether it was done.
    """
    told = [f"New fine-tuned model created: {model}", "The job has successfully completed"]
    return _make(
        store,
        job_id,
        "succeed",
        told,
        fine_tuned_model=model,
        trained_tokens=trained_tokens,
        result_files=result_files,
        **_ended(),
    )


def fail(store: Store, job_id: str, error: JobError) -> bool:
    """Let a job fail with a reason.

    Args:
        store: that has the job.
        job_id: id of the job.
        error: the reason.

    Returns:
        Whether it was done.
    """
    return _make(store, job_id, "fail", [f"The job failed: {error}"], "error", error=error.error, **_ended())


# --- What a client asks for: a change that was made before is no fault, since clients repeat requests ----------------


def pause(store: Store, job_id: str) -> Json:
    """Pause a job.

    Args:
        store: that has the job.
        job_id: id of the job.

    Returns:
        The job.

    Raises:
        WrongState: if a job in its state cannot be paused.
    """
    return _ask(store, job_id, "pause", "The job was paused.", estimated_finish=None)


def resume(store: Store, job_id: str) -> Json:
    """Put a job that was paused into the queue.

    Args:
        store: that has the job.
        job_id: id of the job.

    Returns:
        The job.

    Raises:
        WrongState: if the job is not paused.
    """
    return _ask(store, job_id, "resume", "The job was resumed.")


def cancel(store: Store, job_id: str) -> Json:
    """Cancel a job.

    Args:
        store: that has the job.
        job_id: id of the job.

    Returns:
        The job.

    Raises:
        WrongState: if the job has ended otherwise.
    """
    return _ask(store, job_id, "cancel", "The job was cancelled.", **_ended())


def _ended() -> Json:
    """Return the fields that are the same for every end."""
    return {"finished_at": now(), "estimated_finish": None}


def _make(store: Store, job_id: str, action: str, told: list[str], level: str = "info", **fields: Any) -> bool:
    """Make a transition and tell it in events, if the job's state allows it; return whether it was made."""
    before, after = TRANSITIONS[action]
    with store.transaction():
        made = store.update("job", job_id, expect=before, status=after, **fields)
        for message in told if made else ():
            store.add_event(job_id, message, level)
    return made


def _ask(store: Store, job_id: str, action: str, told: str, **fields: Any) -> Json:
    """Make a transition that a client asked for, and return the job; refuse what its state does not allow."""
    before, after = TRANSITIONS[action]
    with store.transaction():
        _make(store, job_id, action, [told], **fields)
        job = store.job(job_id).object
    if job["status"] != after:
        raise WrongState(
            f"The job {job_id} is {job['status']}: only a job that is {' or '.join(before)} can become {after}."
        )
    return job
