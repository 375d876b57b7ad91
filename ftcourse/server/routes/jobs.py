"""Fine-tuning jobs, their events and their checkpoints."""

import os
import random
import re
import shutil
from pathlib import Path

from fastapi import APIRouter, Request

from .. import schemas, states
from ..dependencies import ERRORS, After, Asks, Caller, Limit, Route, with_ends
from ..errors import ApiError
from ..store import Json, Store, new_id, now

router = APIRouter(prefix="/v1/fine_tuning/jobs", tags=["Fine-tuning"], responses=ERRORS, route_class=Route)

_METADATA: Json = {
    "name": "metadata",
    "in": "query",
    "style": "deepObject",
    "explode": True,
    "required": False,
    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
    "description": "Only jobs with these metadata, as metadata[key]=value.",
}


@router.post("", response_model=schemas.Job)
def create_job(asks: Asks, body: schemas.JobRequest) -> Json:
    """Create a fine-tuning job.

    Args:
        asks: who.
        body: of the request.
    """
    if asks.settings.closed_organisation:
        raise ApiError(
            403,
            "Fine-tuning is not available to your organization. (This service was started with "
            "--closed-organisation, to show what OpenAI answers.)",
            code="training_not_available",
        )
    hyperparameters = _hyperparameters(body)
    base, adapter = asks.find_model(body.model)
    files = {
        name: _training_file(asks, getattr(body, name), name)
        for name in ("training_file", "validation_file")
        if getattr(body, name)
    }
    job = _new_job(asks.org, body, hyperparameters)
    private = {
        "base": base,
        "source": asks.settings.models[base],
        "adapter": adapter,
        "attempts": 0,
        "name": f"ft:{base}:{asks.org}:{_as_name(body.suffix or '')}:{new_id('', 8)}",
    }
    _keep_files(asks.store, job["id"], files)
    if adapter:
        private["adapter"] = _keep_adapter(asks.store, job["id"], adapter)
    with asks.store.transaction():
        asks.store.add("job", job, asks.org, private=private)
        asks.store.add_event(job["id"], f"Created fine-tuning job: {job['id']}")
        for name in ("dpo", "reinforcement") if body.method else ():
            if getattr(body.method, name) is not None:
                told = f"The settings in method.{name} are of another method: nothing is done with them."
                asks.store.add_event(job["id"], told, "warn")
        if body.integrations:
            asks.store.add_event(job["id"], "Integrations are not built here: nothing is sent to them.", "warn")
        asks.store.add_event(job["id"], f"Validating training file: {body.training_file}")
    asks.supervisor.wake()
    return job


@router.get("", response_model=schemas.JobPage, openapi_extra={"parameters": [_METADATA]})
def list_jobs(asks: Asks, request: Request, after: After = None, limit: Limit = 20) -> Json:
    """List the jobs, newest first.

    Args:
        asks: who.
        request: may name metadata that the jobs must have.
        after: id of the job after which the page begins.
        limit: how many jobs at most.
    """
    metadata = {
        key[9:-1]: value
        for key, value in request.query_params.items()
        if key.startswith("metadata[") and key.endswith("]")
    }
    return asks.page("job", after=after, limit=limit, metadata=metadata)


@router.get("/{id}", response_model=schemas.Job)
def retrieve_job(asks: Asks, id: str) -> Json:
    """Retrieve a job.

    Args:
        asks: who.
        id: of the job.
    """
    return asks.find("job", id).object


@router.post("/{id}/cancel", response_model=schemas.Job)
def cancel_job(asks: Asks, id: str) -> Json:
    """Cancel a job.

    Args:
        asks: who.
        id: of the job.
    """
    job = states.cancel(asks.store, asks.find("job", id).id)
    asks.supervisor.wake()
    asks.supervisor.end(id)
    asks.store.drop_job_files(id)
    return job


@router.post("/{id}/pause", response_model=schemas.Job)
def pause_job(asks: Asks, id: str) -> Json:
    """Pause a job; its trainer saves what it has and ends.

    Args:
        asks: who.
        id: of the job.
    """
    job = states.pause(asks.store, asks.find("job", id).id)
    asks.supervisor.wake()
    return job


@router.post("/{id}/resume", response_model=schemas.Job)
def resume_job(asks: Asks, id: str) -> Json:
    """Resume a job that was paused.

    Args:
        asks: who.
        id: of the job.
    """
    job = states.resume(asks.store, asks.find("job", id).id)
    asks.supervisor.wake()
    return job


@router.get("/{id}/events", response_model=schemas.EventPage)
def list_events(asks: Asks, id: str, after: After = None, limit: Limit = 20) -> Json:
    """List the events of a job, newest first.

    Args:
        asks: who.
        id: of the job.
        after: id of the event after which the page begins.
        limit: how many events at most.
    """
    return asks.page("event", asks.find("job", id).id, after=after, limit=limit)


@router.get("/{id}/checkpoints", response_model=schemas.CheckpointPage)
def list_checkpoints(asks: Asks, id: str, after: After = None, limit: Limit = 10) -> Json:
    """List the checkpoints of a job, newest first.

    Args:
        asks: who.
        id: of the job.
        after: id of the checkpoint after which the page begins.
        limit: how many checkpoints at most.
    """
    return with_ends(asks.page("checkpoint", asks.find("job", id).id, after=after, limit=limit))


def _hyperparameters(body: schemas.JobRequest) -> Json:
    """Return the hyperparameters that a request asks for in one of the two places that the API has for them."""
    method = body.method or schemas.Method(type="supervised")
    if method.type != "supervised":
        message = f"The method '{method.type}' is not built here: use 'supervised'."
        raise ApiError(400, message, "method.type", "unsupported_method")
    inner = method.supervised.hyperparameters if method.supervised else None
    if body.hyperparameters and inner not in (None, body.hyperparameters):
        raise ApiError(
            400,
            "'hyperparameters' and 'method.supervised.hyperparameters' differ: give the second alone.",
            "hyperparameters",
            "invalid_value",
        )
    return (inner or body.hyperparameters or schemas.Hyperparameters()).model_dump()


def _new_job(org: str, body: schemas.JobRequest, hyperparameters: Json) -> Json:
    """Return a job as it is in the beginning."""
    return {
        "id": new_id("ftjob-"),
        "object": "fine_tuning.job",
        "created_at": now(),
        "error": None,
        "fine_tuned_model": None,
        "finished_at": None,
        "hyperparameters": hyperparameters,
        "model": body.model,
        "organization_id": org,
        "result_files": [],
        "seed": random.randrange(2**31) if body.seed is None else body.seed,
        "status": states.VALIDATING,
        "trained_tokens": None,
        "training_file": body.training_file,
        "validation_file": body.validation_file,
        "estimated_finish": None,
        "integrations": [],
        "metadata": body.metadata,
        "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
        "user_provided_suffix": body.suffix,
    }


def _training_file(asks: Caller, id: str, param: str) -> Path:
    """Return the path of a file's content, if a job may be trained on it."""
    try:
        row = asks.find("file", id)
    except ApiError as error:
        raise ApiError(400, f"invalid {param}: {error.detail}", param, "invalid_value") from error
    if row.object["purpose"] != "fine-tune":
        raise ApiError(
            400,
            f"invalid {param}: {id} has the purpose '{row.object['purpose']}': upload it with the purpose 'fine-tune'.",
            param,
            "invalid_value",
        )
    return asks.store.content(row.id)


def _keep_files(store: Store, job_id: str, files: dict[str, Path]) -> None:
    """Give a job its own copies of its files: what was accepted does not change when a file is deleted."""
    folder = store.job_folder(job_id)
    folder.mkdir()
    for name, content in files.items():
        _keep(content, folder / f"{name}.jsonl")


def _keep_adapter(store: Store, job_id: str, adapter: str) -> str:
    """Give a job its own copy of the adapter that it goes on from, and return its folder."""
    folder = store.job_folder(job_id) / "adapter"
    folder.mkdir()
    for content in (store.home / adapter).glob("adapter_*"):
        _keep(content, folder / content.name)
    return folder.relative_to(store.home).as_posix()


def _keep(content: Path, copy: Path) -> None:
    """Make a copy of a file that never changes."""
    try:
        os.link(content, copy)
    except OSError:  # a file system without links
        shutil.copyfile(content, copy)


def _as_name(suffix: str) -> str:
    """Return a suffix as it stands in a model's name, which has colons between its parts and no slash."""
    return re.sub(r"[^\w.-]+", "-", suffix).strip("-")
