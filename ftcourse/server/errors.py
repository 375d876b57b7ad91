"""Errors as the API sends them: one envelope for all, a request id, and a gate before everything else."""

import asyncio
import errno
import json
import logging
import sqlite3
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

log = logging.getLogger("ftcourse.server")

TYPES = {401: "authentication_error", 403: "permission_error", 413: "invalid_request_error", 500: "server_error"}


class ApiError(HTTPException):
    """An answer with a 4xx status that says what is wrong, where, and what to do instead."""

    def __init__(self, status_code: int, message: str, param: str | None = None, code: str | None = None) -> None:
        super().__init__(status_code, message)
        self.param, self.code = param, code


def not_found(what: str, id: str) -> ApiError:
    """Return the error for an object that does not exist, or that belongs to another organisation.

    Args:
        what: kind of the object.
        id: that was asked for.
    """
    return ApiError(404, f"No such {what} object: {id}", param="id")


def envelope(status_code: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return the body of an error: the same four keys for every status.

    Args:
        status_code: of the answer.
        message: what is wrong and what to do instead.
        param: the field that is wrong, if it is one.
        code: a short name of the error.
    """
    kind = TYPES.get(status_code, "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": param, "code": code}}


def explain(errors: Sequence[Any], body: Any) -> tuple[str, str | None, str | None]:
    """Put pydantic's findings about a request into one sentence, with the path of the first field that is wrong.

    Args:
        errors: what pydantic found.
        body: the request's body as it came, or None.

    Returns:
        The message, the path of the field (for example ``method.type``) and a code.
    """
    paths = [_path(error, body) for error in errors]
    path = max((path for path in paths if path[: len(paths[0])] == paths[0]), key=len)  # the nearest branch of a union
    found = [error for error, where in zip(errors, paths, strict=True) if where == path]
    where = ".".join(map(str, path)) or "body"
    kind = found[0]["type"]
    if kind == "not_built":
        where = ".".join(map(str, [*path, found[0]["ctx"]["field"]]))
        return f"The parameter '{where}' is not built here: leave it out.", where, "unsupported_parameter"
    if kind == "missing":
        return f"Missing required parameter: '{where}'.", where, "missing_required_parameter"
    if kind == "extra_forbidden":
        return (f"Unknown parameter: '{where}'. Remove it, or correct its spelling.", where, "unknown_parameter")
    if kind == "json_invalid":
        return "The body is not valid JSON: send one JSON object.", None, None
    reasons = " or ".join(dict.fromkeys(error["msg"].removeprefix("Value error, ") for error in found))
    return f"Invalid value for '{where}': {reasons}. It is {_short(found[0].get('input'))}.", where, "invalid_value"


def _path(error: Any, body: Any) -> list[str | int]:
    """Return where an error is, without the names that pydantic adds for the branches of a union."""
    path: list[str | int] = []
    node = body
    start, *rest = error["loc"]
    for part in rest:
        if isinstance(node, Mapping) and (part in node or error["type"] == "missing"):
            path, node = [*path, part], node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            path, node = [*path, part], node[part]
    return path or ([rest[0]] if rest and start != "body" else [])


def _short(value: Any) -> str:
    """Return a value as Python writes it, at most 80 characters of it."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


def stopping() -> ApiError:
    """Return the error for what the end of the service leaves without an answer; the client may try it again."""
    return ApiError(503, "The service is stopping: ask again when it runs.", code="service_stopping")


def as_api_error(error: BaseException, what: str = "a request") -> ApiError:
    """Return what clients see of an error: all of an `ApiError`, and of any other that the log has more.

    Args:
        error: that was raised.
        what: was being done.
    """
    if isinstance(error, ApiError):
        return error
    if isinstance(error, asyncio.CancelledError):  # the service has waited long enough for its end
        return stopping()
    if disk_is_full(error):
        message = "The disk is full, so nothing was kept: delete files or models that you no longer need."
        return ApiError(507, message, code="disk_full")
    return ApiError(500, f"The service failed on {what}: its log says why.")


def disk_is_full(error: BaseException) -> bool:
    """Say whether an error means that the disk has no room left.

    Args:
        error: that was raised.
    """
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


class Gate:
    """The outermost layer: a request id for every answer, who may ask, a limit while reading, and no bare error."""

    def __init__(
        self, app: ASGIApp, limit: Callable[[Scope], int], admit: Callable[[Scope], None] = lambda scope: None
    ) -> None:
        self.app, self.limit, self.admit = app, limit, admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        request_id, read, started = f"req_{uuid.uuid4().hex}", 0, False
        limit = self.limit(scope)

        async def counted() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > limit:
                raise ApiError(
                    413,
                    f"The request is larger than {limit:,} bytes: send a smaller one, or several files.",
                    code="request_too_large",
                )
            return message

        async def identified(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        try:
            self.admit(scope)  # before anything of the body is read
            await self.app(scope, counted, identified)
        except (Exception, asyncio.CancelledError) as error:
            if started:
                raise
            told = as_api_error(error, f"request {request_id}")
            if told.status_code == 500:
                log.exception("request %s failed", request_id)
            await respond(told)(scope, receive, identified)


def respond(error: HTTPException) -> Response:
    """Return the response for an HTTP error of any kind.

    Args:
        error: an `ApiError`, or one that the framework raised.
    """
    body = envelope(error.status_code, str(error.detail), getattr(error, "param", None), getattr(error, "code", None))
    content = json.dumps(body)  # ASCII: half a surrogate pair in a message must not break the answer
    return Response(content, error.status_code, headers=error.headers, media_type="application/json")
