"""The HTTP interface: the application that the routes make up, and its answers to what goes wrong."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from .. import __version__
from .chat import Engine
from .errors import ApiError, Gate, explain, respond
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
    app.add_middleware(Gate, limit=lambda scope: limits.get((scope["method"], scope["path"]), settings.max_body_bytes))
    for resource in (pages, files, jobs, models, chat):
        app.include_router(resource.router)
    return app


async def _error(request: Request, error: HTTPException) -> Response:
    """Answer with what a route raised."""
    return respond(error)


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """Answer a request that is not what a route takes."""
    message, param, code = explain(error.errors(), error.body)
    return respond(ApiError(400, message, param, code))


async def _wrong_state(request: Request, error: WrongState) -> Response:
    """Answer a change that a job's state does not allow; a 409 the client would try again."""
    return respond(ApiError(400, str(error), "id", "invalid_job_state"))
