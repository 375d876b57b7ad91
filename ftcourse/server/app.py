"""The HTTP interface: the application that the routes make up, and its answers to what goes wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from .. import __version__
from .chat import Engine
from .dependencies import admit
from .errors import ApiError, Gate, as_api_error, disk_is_full, explain, respond
from .routes import chat, files, jobs, models, pages
from .settings import Settings
from .states import WrongState
from .store import Store, now
from .supervisor import Supervisor


def create_app(settings: Settings) -> FastAPI:
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
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
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
        exception_handlers={HTTPException: _error, RequestValidationError: _invalid, WrongState: _wrong_state},
    )
    app.state.store, app.state.supervisor, app.state.engine, app.state.settings = store, supervisor, engine, settings
    app.state.started = now()
    limits = {("POST", "/v1/files"): settings.max_file_bytes}
    app.add_middleware(
        Gate,
        limit=lambda scope: limits.get((scope["method"], scope["path"]), settings.max_body_bytes),
        admit=lambda scope: admit(scope, settings),
    )
    for resource in (pages, files, jobs, models, chat):
        app.include_router(resource.router)
    return app


async def _error(request: Request, error: HTTPException) -> Response:
    """Answer with what a route or the framework raised."""
    if not isinstance(error, ApiError):
        error = _say_more(request, error)
    return respond(error)


def _say_more(request: Request, error: HTTPException) -> HTTPException:
    """Return an error of the framework with what is wrong and what to do instead."""
    called = f"{request.method} {request.url.path}"
    if error.status_code == 404:
        hint = "" if request.url.path.startswith("/v1/") else " The address that a client is given ends in /v1."
        known = "files, fine_tuning/jobs, models and chat/completions; /docs has them all"
        return ApiError(404, f"There is no {called} here. Built are {known}.{hint}", code="unknown_url")
    if error.status_code == 405:
        told = ApiError(405, f"There is no {called} here: /docs has the methods of this address.", code="unknown_url")
        told.headers = error.headers
        return told
    if error.__cause__ and disk_is_full(error.__cause__):
        return as_api_error(error.__cause__)
    return ApiError(error.status_code, f"{error.detail}: {error.__cause__ or 'send what /docs says'}.")


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """Answer a request that is not what a route takes."""
    message, param, code = explain(error.errors(), error.body)
    return respond(ApiError(400, message, param, code))


async def _wrong_state(request: Request, error: WrongState) -> Response:
    """Answer a change that a job's state does not allow; a 409 the client would try again."""
    return respond(ApiError(400, str(error), "id", "invalid_job_state"))
