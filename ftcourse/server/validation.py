"""The check of a job's files before it is put into the queue."""

from collections.abc import Sequence

from ..chat_data import MAX_LENGTH, MIN_EXAMPLES, Finding, find_overlap, validate_chat_file
from ..files import model_path
from . import states
from .states import JobError
from .store import Store

_SHOWN_WARNINGS, _SHOWN_ERRORS = 20, 5


def validate(store: Store, job_id: str) -> None:
    """Check the files of a job and put it into the queue.

    Args:
        store: that has the job.
        job_id: id of the job.

    Raises:
        JobError: with the first things that are wrong.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(model_path(store.job(job_id).private["source"]))
    paths = store.job_files(job_id)
    for param, path in paths.items():
        findings = validate_chat_file(path, tokenizer, MAX_LENGTH, MIN_EXAMPLES if param == "training_file" else 1)
        _judge(store, job_id, param, findings)
    if len(paths) == 2 and (shared := find_overlap(*paths.values())):
        raise JobError(
            "invalid_validation_file",
            f"{len(shared)} example(s) of the validation file are in the "
            f"training file too, the first in line {shared[0].line}. Remove them from one of the two.",
            "validation_file",
        )
    states.enqueue(store, job_id)


def _judge(store: Store, job_id: str, param: str, findings: Sequence[Finding]) -> None:
    """Tell the warnings about a file in events, and refuse it if there are errors."""
    errors = [finding for finding in findings if finding.severity == "error"]
    warnings = [finding for finding in findings if finding.severity != "error"]
    for finding in warnings[:_SHOWN_WARNINGS]:
        store.add_event(job_id, f"{param}: {finding}", "warn")
    if len(warnings) > _SHOWN_WARNINGS:
        store.add_event(job_id, f"{param}: {len(warnings) - _SHOWN_WARNINGS} more warnings.", "warn")
    if errors:
        more = f" And {len(errors) - _SHOWN_ERRORS} more." if len(errors) > _SHOWN_ERRORS else ""
        is_short = param == "training_file" and errors[0].code == "invalid_n_examples"
        code = "invalid_n_examples" if is_short else f"invalid_{param}"
        raise JobError(code, " ".join(map(str, errors[:_SHOWN_ERRORS])) + more, param)
