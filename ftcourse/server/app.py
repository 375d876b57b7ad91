"""The HTTP interface: routes, authentication and documentation."""

import hmac
import json
import os
import random
import shutil
from contextlib import asynccontextmanager
from typing import Annotated, Literal

from fastapi import Depends, FastAPI, Form, Query, Request, UploadFile
from fastapi.exceptions import RequestValidationError
from fastapi.responses import FileResponse, HTMLResponse, StreamingResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.exceptions import HTTPException

from .. import __version__
from . import schemas
from .chat import Engine
from .errors import ApiError, Gate, explain, not_found, respond
from .pages import STATUS_PAGE, docs_page
from .store import Store, new_id, now
from .supervisor import Supervisor

UNFINISHED = ("validating_files", "queued", "running", "paused")
UPLOADS = Literal["fine-tune", "assistants", "batch", "user_data", "vision"]
ERRORS = {
    status: {"model": schemas.Error, "description": text}
    for status, text in (
        (400, "A value is wrong, or the object's state does not allow it"),
        (401, "The key is missing or wrong"),
        (403, "The organisation may not do this"),
        (404, "There is no such object"),
        (405, "There is no such method here"),
        (413, "The request is too large"),
    )
}
bearer = HTTPBearer(auto_error=False, description="The key that `ftcourse serve` prints.")

Limit = Annotated[int, Query(ge=0, le=100)]
After = Annotated[str | None, Query(description="Id of the object after which the page begins.")]


def create_app(settings):
    """Return the ASGI application of a service.

    Args:
        settings: `Settings`.

    Returns:
        The application; `app.state` holds its store, supervisor and engine.
    """
    store = Store(settings.home)
    engine = Engine(settings.models, store)
    supervisor = Supervisor(settings, store)

    @asynccontextmanager
    async def lifespan(app):
        supervisor.start()
        if settings.preload and not settings.closed_organisation:  # that one is for its refusal
            engine.preload()
        yield
        supervisor.stop()
        engine.stop()

    app = FastAPI(
        title="ftcourse fine-tuning service",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        description="The part of OpenAI's API that fine-tuning needs, on this machine.",
    )
    app.state.store, app.state.supervisor, app.state.engine, app.state.settings = store, supervisor, engine, settings
    app.add_exception_handler(HTTPException, lambda request, error: respond(error))
    app.add_exception_handler(RequestValidationError, _invalid)
    limits = {("POST", "/v1/files"): settings.max_file_bytes}
    app.add_middleware(Gate, limit=lambda scope: limits.get((scope["method"], scope["path"]), settings.max_body_bytes))
    _add_pages(app)
    for add in (_add_files, _add_jobs, _add_models, _add_chat):
        add(app)
    return app


def _invalid(request, error):
    message, param, code = explain(error.errors(), error.body)
    return respond(ApiError(400, message, param, code))


def organisation(request: Request, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]):
    """Return the organisation that the request's key belongs to."""
    key, found = (given.credentials if given else "").encode(), None
    for known, org in request.app.state.settings.keys.items():  # all of them, so that the time tells nothing
        if hmac.compare_digest(known.encode(), key):
            found = org
    if found is None:
        raise ApiError(
            401,
            "The API key is missing or wrong: set OPENAI_API_KEY to the key that `ftcourse serve` printed.",
            code="invalid_api_key",
        )
    return found


Org = Annotated[str, Depends(organisation)]


def _find(store, kind, id, org, what, param="id"):
    row = store.get(kind, id, org)
    if row is None:
        raise not_found(what, id, param)
    return row


def _page(store, kind, org, parent="", **options):
    try:
        return store.page(kind, org, parent, **options)
    except KeyError:
        raise ApiError(
            400, f"There is no object '{options['after']}' to begin after.", "after", "invalid_value"
        ) from None


def _with_ends(data, has_more):
    return {
        "data": data,
        "has_more": has_more,
        "first_id": data[0]["id"] if data else None,
        "last_id": data[-1]["id"] if data else None,
    }


# --- Files -----------------------------------------------------------------------------------------------------------


def _add_files(app):
    store = app.state.store

    def drop_expired(org):
        for row in store.all("file", org, ""):
            if (row.object["expires_at"] or float("inf")) <= now():
                drop(row)

    def drop(row):
        store.delete("file", row.id)
        store.content(row.id).unlink(missing_ok=True)

    @app.post("/v1/files", response_model=schemas.FileObject, responses=ERRORS, tags=["Files"])
    def upload_file(
        org: Org,
        file: UploadFile,
        purpose: Annotated[UPLOADS, Form()],
        anchor: Annotated[Literal["created_at"] | None, Form(alias="expires_after[anchor]")] = None,
        seconds: Annotated[int | None, Form(alias="expires_after[seconds]", ge=3600, le=2592000)] = None,
    ):
        """Upload a file; training data has the purpose `fine-tune`."""
        expires_at = now() + seconds if anchor and seconds else None
        return store.add_file(file.file, file.filename or "file", purpose, org, expires_at)

    @app.get("/v1/files", response_model=schemas.FilePage, responses=ERRORS, tags=["Files"])
    def list_files(
        org: Org,
        after: After = None,
        limit: Annotated[int, Query(ge=0, le=10000)] = 10000,
        order: Literal["asc", "desc"] = "desc",
        purpose: str | None = None,
    ):
        """List the files."""
        drop_expired(org)
        fields = {"purpose": purpose} if purpose else None
        return _with_ends(
            *_page(store, "file", org, after=after, limit=limit, newest_first=order == "desc", fields=fields)
        )

    def find(id, org):
        drop_expired(org)
        return _find(store, "file", id, org, "File")

    @app.get("/v1/files/{id}", response_model=schemas.FileObject, responses=ERRORS, tags=["Files"])
    def retrieve_file(org: Org, id: str):
        """Retrieve what is known about a file."""
        return find(id, org).object

    @app.get(
        "/v1/files/{id}/content",
        response_class=FileResponse,
        tags=["Files"],
        responses=ERRORS | {200: {"content": {"application/octet-stream": {}}, "description": "The content"}},
    )
    def retrieve_file_content(org: Org, id: str):
        """Retrieve the content of a file."""
        return FileResponse(store.content(find(id, org).id), media_type="application/octet-stream")

    @app.delete("/v1/files/{id}", response_model=schemas.Deleted, responses=ERRORS, tags=["Files"])
    def delete_file(org: Org, id: str):
        """Delete a file. Jobs that were created with it keep their own copy."""
        drop(find(id, org))
        return {"id": id, "object": "file", "deleted": True}


# --- Fine-tuning jobs ------------------------------------------------------------------------------------------------


def _add_jobs(app):
    store, supervisor, settings = app.state.store, app.state.supervisor, app.state.settings
    route = dict(responses=ERRORS, tags=["Fine-tuning"])

    @app.post("/v1/fine_tuning/jobs", response_model=schemas.Job, **route)
    def create_job(org: Org, body: schemas.JobRequest):
        """Create a fine-tuning job."""
        if settings.closed_organisation:
            raise ApiError(
                403,
                "Fine-tuning is not available to your organization. (This service was started with "
                "--closed-organisation, to show what OpenAI answers.)",
                code="training_not_available",
            )
        method = body.method or schemas.Method(type="supervised")
        if method.type != "supervised":
            raise ApiError(
                400,
                f"The method '{method.type}' is not built here: use 'supervised'.",
                "method.type",
                "unsupported_method",
            )
        if body.hyperparameters and body.method:
            if method.supervised and method.supervised.hyperparameters not in (None, body.hyperparameters):
                raise ApiError(
                    400,
                    "'hyperparameters' and 'method.supervised.hyperparameters' differ: give the second alone.",
                    "hyperparameters",
                    "invalid_value",
                )
        hyperparameters = (
            method.supervised and method.supervised.hyperparameters or body.hyperparameters or schemas.Hyperparameters()
        ).model_dump()
        base, adapter = _find_model(app, body.model, org)
        files = {
            name: _training_file(store, getattr(body, name), org, name)
            for name in ("training_file", "validation_file")
            if getattr(body, name)
        }
        job = {
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
            "status": "validating_files",
            "trained_tokens": None,
            "training_file": body.training_file,
            "validation_file": body.validation_file,
            "estimated_finish": None,
            "integrations": [],
            "metadata": body.metadata,
            "method": {"type": "supervised", "supervised": {"hyperparameters": hyperparameters}},
            "user_provided_suffix": body.suffix,
        }
        private = {
            "base": base,
            "source": settings.models[base],
            "adapter": adapter,
            "attempts": 0,
            "name": f"ft:{base}:{org}:{body.suffix or ''}:{new_id('', 8)}",
        }
        _keep_files(store, job["id"], files)
        with store.transaction():
            store.add("job", job, org, private=private)
            store.add_event(job["id"], f"Created fine-tuning job: {job['id']}")
            if body.integrations:
                store.add_event(job["id"], "Integrations are not built here: nothing is sent to them.", "warn")
            store.add_event(job["id"], f"Validating training file: {body.training_file}")
        supervisor.wake()
        return job

    @app.get(
        "/v1/fine_tuning/jobs",
        response_model=schemas.JobPage,
        **route,
        openapi_extra={
            "parameters": [
                {
                    "name": "metadata",
                    "in": "query",
                    "style": "deepObject",
                    "explode": True,
                    "required": False,
                    "schema": {"type": "object", "additionalProperties": {"type": "string"}},
                    "description": "Only jobs with these metadata, as metadata[key]=value.",
                }
            ]
        },
    )
    def list_jobs(org: Org, request: Request, after: After = None, limit: Limit = 20):
        """List the jobs, newest first."""
        metadata = {
            key[9:-1]: value
            for key, value in request.query_params.items()
            if key.startswith("metadata[") and key.endswith("]")
        }
        data, has_more = _page(store, "job", org, after=after, limit=limit, metadata=metadata)
        return {"data": data, "has_more": has_more}

    @app.get("/v1/fine_tuning/jobs/{id}", response_model=schemas.Job, **route)
    def retrieve_job(org: Org, id: str):
        """Retrieve a job."""
        return _find(store, "job", id, org, "fine-tuning job").object

    def move(id, org, expect, status, message, **fields):
        """Bring a job into another state if it is in one of those expected."""
        _find(store, "job", id, org, "fine-tuning job")
        with store.transaction():
            if store.update("job", id, expect=expect, status=status, **fields):
                store.add_event(id, message)
            job = store.get("job", id).object
        if job["status"] != status:
            raise ApiError(
                400,
                f"The job {id} is {job['status']}: only a job that is {' or '.join(expect)} can become {status}.",
                "id",
                "invalid_job_state",
            )
        supervisor.wake()
        return job

    @app.post("/v1/fine_tuning/jobs/{id}/cancel", response_model=schemas.Job, **route)
    def cancel_job(org: Org, id: str):
        """Cancel a job."""
        job = move(id, org, UNFINISHED, "cancelled", "The job was cancelled.", finished_at=now(), estimated_finish=None)
        supervisor.end(id)
        return job

    @app.post("/v1/fine_tuning/jobs/{id}/pause", response_model=schemas.Job, **route)
    def pause_job(org: Org, id: str):
        """Pause a job; its trainer saves what it has and ends."""
        return move(id, org, ("queued", "running"), "paused", "The job was paused.", estimated_finish=None)

    @app.post("/v1/fine_tuning/jobs/{id}/resume", response_model=schemas.Job, **route)
    def resume_job(org: Org, id: str):
        """Resume a job that was paused."""
        return move(id, org, ("paused",), "queued", "The job was resumed.")

    @app.get("/v1/fine_tuning/jobs/{id}/events", response_model=schemas.EventPage, **route)
    def list_events(org: Org, id: str, after: After = None, limit: Limit = 20):
        """List the events of a job, newest first."""
        _find(store, "job", id, org, "fine-tuning job")
        data, has_more = _page(store, "event", org, id, after=after, limit=limit)
        return {"data": data, "has_more": has_more}

    @app.get("/v1/fine_tuning/jobs/{id}/checkpoints", response_model=schemas.CheckpointPage, **route)
    def list_checkpoints(org: Org, id: str, after: After = None, limit: Limit = 10):
        """List the checkpoints of a job, newest first."""
        _find(store, "job", id, org, "fine-tuning job")
        return _with_ends(*_page(store, "checkpoint", org, id, after=after, limit=limit))


def _training_file(store, id, org, param):
    row = store.get("file", id, org)
    if row is None:
        raise ApiError(400, f"invalid {param}: No such File object: {id}", param, "invalid_value")
    if row.object["purpose"] != "fine-tune":
        raise ApiError(
            400,
            f"invalid {param}: {id} has the purpose '{row.object['purpose']}': upload it with the purpose 'fine-tune'.",
            param,
            "invalid_value",
        )
    return store.content(row.id)


def _keep_files(store, job_id, files):
    """Give a job its own copies of its files: what was accepted does not change when a file is deleted."""
    folder = store.job_folder(job_id)
    folder.mkdir()
    for name, content in files.items():
        try:
            os.link(content, folder / f"{name}.jsonl")
        except OSError:  # a file system without links
            shutil.copyfile(content, folder / f"{name}.jsonl")


# --- Models ----------------------------------------------------------------------------------------------------------


def _find_model(app, name, org):
    """Return the name of a model's base, and the folder of its adapter or None."""
    if name in app.state.settings.models:
        return name, None
    row = app.state.store.get("model", name, org)
    if row is None or row.private["base"] not in app.state.settings.models:
        raise ApiError(
            404,
            f"The model '{name}' does not exist or you do not have access to it. The base models here "
            f"are: {', '.join(app.state.settings.models)}.",
            "model",
            "model_not_found",
        )
    return row.private["base"], row.private["folder"]


def _add_models(app):
    store, settings = app.state.store, app.state.settings
    started = now()
    base_models = [
        {"id": name, "object": "model", "created": started, "owned_by": "ftcourse"} for name in settings.models
    ]

    @app.get("/v1/models", response_model=schemas.ModelPage, responses=ERRORS, tags=["Models"])
    def list_models(org: Org):
        """List the base models and the fine-tuned ones."""
        return {"data": base_models + [row.object for row in store.all("model", org)]}

    @app.get("/v1/models/{model:path}", response_model=schemas.Model, responses=ERRORS, tags=["Models"])
    def retrieve_model(org: Org, model: str):
        """Retrieve what is known about a model."""
        _find_model(app, model, org)
        row = store.get("model", model, org)
        return row.object if row else next(known for known in base_models if known["id"] == model)

    @app.delete("/v1/models/{model:path}", response_model=schemas.Deleted, responses=ERRORS, tags=["Models"])
    def delete_model(org: Org, model: str):
        """Delete a fine-tuned model."""
        if model in settings.models:
            raise ApiError(403, f"'{model}' is a base model: only fine-tuned models can be deleted.", "model")
        _find_model(app, model, org)
        row = store.delete("model", model, org)
        app.state.engine.forget(row.private["folder"])
        shutil.rmtree(store.home / row.private["folder"], ignore_errors=True)
        return {"id": model, "object": "model", "deleted": True}


# --- Chat ------------------------------------------------------------------------------------------------------------


def _add_chat(app):
    engine = app.state.engine

    @app.post(
        "/v1/chat/completions",
        response_model=schemas.ChatCompletion,
        tags=["Chat"],
        responses=ERRORS
        | {
            200: {
                "description": "A completion, or with `stream` its chunks as server-sent events",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
    )
    async def create_completion(org: Org, body: schemas.ChatRequest):
        """Let a model answer."""
        base, adapter = _find_model(app, body.model, org)
        reply = engine.reply(base, adapter, body)
        head = {"id": new_id("chatcmpl-"), "created": now(), "model": body.model}
        if not body.stream:
            text = "".join([piece async for piece in reply])
            message = {"role": "assistant", "content": text, "refusal": None}
            choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason, "logprobs": None}
            return head | {"object": "chat.completion", "choices": [choice], "usage": reply.usage()}
        await reply.begin()  # what is wrong with the request must show before the answer starts
        with_usage = body.stream_options and body.stream_options.include_usage
        chunks = _chunks(reply, head | {"object": "chat.completion.chunk"}, with_usage)
        return StreamingResponse(chunks, media_type="text/event-stream", headers={"cache-control": "no-cache"})


async def _chunks(reply, head, with_usage):
    """Yield an answer as server-sent events."""
    rest = {"usage": None} if with_usage else {}

    def event(delta, finish_reason=None):
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": None}
        return f"data: {json.dumps(head | {'choices': [choice]} | rest)}\n\n"

    try:
        yield event({"role": "assistant", "content": "", "refusal": None})
        async for piece in reply:
            yield event({"content": piece})
        yield event({}, reply.finish_reason)
        if with_usage:
            yield f"data: {json.dumps(head | {'choices': [], 'usage': reply.usage()})}\n\n"
        yield "data: [DONE]\n\n"
    finally:
        reply.stop()  # nobody listens any more


# --- Pages -----------------------------------------------------------------------------------------------------------


def _add_pages(app):
    """Pages for people. They hold no data: the status page asks the API for it, with the key."""
    policy = {
        "content-security-policy": "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "connect-src 'self'; base-uri 'none'; frame-ancestors 'none'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }

    @app.get("/", response_class=HTMLResponse, include_in_schema=False)
    def status():
        return HTMLResponse(STATUS_PAGE.read_text(encoding="utf-8"), headers=policy)

    @app.get("/docs", response_class=HTMLResponse, include_in_schema=False)
    def docs():
        return HTMLResponse(docs_page(app.openapi()), headers=policy)
