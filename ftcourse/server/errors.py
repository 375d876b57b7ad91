"""Errors as the API sends them: one envelope for all, a request id, and a limit on what a request may send."""

import json
import logging
import uuid
from collections.abc import Callable, Sequence
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
    path = _path(errors[0], body)
    found = [error for error in errors if _path(error, body) == path]
    where = ".".join(map(str, path)) or "body"
    kind = found[0]["type"]
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
        if isinstance(node, dict) and (part in node or error["type"] == "missing"):
            path, node = [*path, part], node.get(part)
        elif isinstance(node, list) and isinstance(part, int) and part < len(node):
            path, node = [*path, part], node[part]
    return path or ([rest[0]] if rest and start != "body" else [])


def _short(value: Any) -> str:
    """Return a value as Python writes it, at most 80 characters of it."""
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."


class Gate:
    """The outermost layer: a request id for every answer, a size limit while reading, and no bare error."""

    def __init__(self, app: ASGIApp, limit: Callable[[Scope], int]) -> None:
        self.app, self.limit = app, limit

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
            await self.app(scope, counted, identified)
        except Exception as error:
            if started:
                raise
            if not isinstance(error, ApiError):
                log.exception("request %s failed", request_id)
                error = ApiError(500, f"The service failed on request {request_id}: its log says why.")
            await respond(error)(scope, receive, identified)


def respond(error: HTTPException) -> Response:
    """Return the response for an HTTP error of any kind.

    Args:
        error: an `ApiError`, or one that the framework raised.
    """
    body = envelope(error.status_code, str(error.detail), getattr(error, "param", None), getattr(error, "code", None))
    content = json.dumps(body)  # ASCII: half a surrogate pair in a message must not break the answer
    return Response(content, error.status_code, headers=error.headers, media_type="application/json")
