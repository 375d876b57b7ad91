"""What the routes share: the parts of the service, seen from the organisation that a request's key belongs to."""

import hmac
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from fastapi import Depends, Query, Request
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers
from starlette.types import Scope

from ..machine import is_loopback
from . import schemas
from .chat import Engine
from .errors import ApiError, not_found
from .settings import Settings
from .store import Json, Row, Store, now
from .supervisor import Supervisor

ERRORS: dict[int | str, Json] = {
    status: {"model": schemas.Error, "description": text}
    for status, text in (
        (400, "A value is wrong, or the object's state does not allow it"),
        (401, "The key is missing or wrong"),
        (403, "The organisation may not do this"),
        (404, "There is no such object"),
        (405, "There is no such method here"),
        (413, "The request is too large"),
        (503, "The service is stopping"),
        (507, "The disk is full"),
    )
}
bearer = HTTPBearer(auto_error=False, description="The key that `ftcourse serve` prints.")

Limit = Annotated[int, Query(ge=0, le=100)]
After = Annotated[str | None, Query(description="Id of the object after which the page begins.")]


class Route(APIRoute):
    """A route that the API's document describes by the first paragraph of its docstring."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        described = options | {"description": (inspect.getdoc(endpoint) or "").partition("\n\n")[0]}
        super().__init__(path, endpoint, **described)


@dataclass
class Caller:
    """Who sent a request, and what that request may see and do."""

    org: str
    settings: Settings
    store: Store
    supervisor: Supervisor
    engine: Engine
    started: int  # when the service was, in seconds

    def find(self, kind: str, id: str) -> Row:
        """Return the row of an object of the caller's.

        Args:
            kind: "file" or "job".
            id: as the client sent it.

        Raises:
            ApiError: if there is none, or if it belongs to somebody else.
        """
        if kind == "file":
            self.drop_expired()
        row = self.store.get(kind, id, self.org)
        if row is None:
            raise not_found({"file": "File", "job": "fine-tuning job"}[kind], id)
        return row

    def drop_expired(self) -> None:
        """Delete the caller's files that have expired."""
        for row in self.store.all("file", self.org, ""):
            if (row.object["expires_at"] or float("inf")) <= now():
                self.store.delete_file(row.id)

    def page(self, kind: str, parent: str = "", **options: Any) -> Json:
        """Return a page of the caller's objects, as the fields `data` and `has_more`.

        Args:
            kind: of the objects.
            parent: id of what they belong to.
            **options: as `Store.page` takes them.

        Raises:
            ApiError: if there is no object to begin after.
        """
        try:
            data, has_more = self.store.page(kind, self.org, parent, **options)
        except KeyError:
            message = f"There is no object '{options['after']}' to begin after."
            raise ApiError(400, message, "after", "invalid_value") from None
        return {"data": data, "has_more": has_more}

    def find_model(self, name: str) -> tuple[str, str | None]:
        """Return the name of a model's base, and the folder of its adapter or None.

        Args:
            name: of a base model, or of a fine-tuned one of the caller's.

        Raises:
            ApiError: if there is no such model.
        """
        bases = self.settings.models
        if name in bases:
            return name, None
        row = self.store.get("model", name, self.org)
        if row is None or row.private["base"] not in bases:
            raise ApiError(
                404,
                f"The model '{name}' does not exist or you do not have access to it. The base models here "
                f"are: {', '.join(bases)}.",
                "model",
                "model_not_found",
            )
        return row.private["base"], row.private["folder"]


def caller(request: Request, key: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> Caller:
    """Return who sent a request.

    Args:
        request: to this service, which `admit` has let in.
        key: that it came with; it stands here for the API's document.
    """
    state = request.app.state
    return Caller(request.state.org, state.settings, state.store, state.supervisor, state.engine, state.started)


Asks = Annotated[Caller, Depends(caller)]


def admit(scope: Scope, settings: Settings) -> None:
    """Let a request in, before its body is read; it takes along which organisation it is from.

    Args:
        scope: of the request.
        settings: of the service.

    Raises:
        ApiError: if the key is missing or wrong, or if a page of another site has made a browser send the request.
    """
    headers = Headers(scope=scope)
    _refuse_other_sites(headers, settings.host)
    if scope["path"].startswith("/v1/"):
        scheme, _, key = headers.get("authorization", "").partition(" ")
        org = _organisation(settings.keys, key.strip() if scheme.lower() == "bearer" else "")
        scope.setdefault("state", {})["org"] = org


def _refuse_other_sites(headers: Headers, host: str) -> None:
    """Refuse what came under another site's name, which its owner may let point to this machine, or from its page."""
    name, origin = _host(f"//{headers.get('host', '')}"), headers.get("origin")
    if is_loopback(host) and not is_loopback(name) and name != host:
        message = f"The service does not answer to the name {name!r}: call it as 127.0.0.1 or localhost."
        raise ApiError(403, message, code="host_not_allowed")
    if origin is not None and _host(origin) != name and not is_loopback(_host(origin)):
        raise ApiError(403, f"Pages of {origin!r} may not use the service.", code="origin_not_allowed")


def _host(address: str) -> str | None:
    """Return the host in an address, or None if there is none."""
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None


def _organisation(keys: dict[str, str], key: str) -> str:
    """Return the organisation that a key belongs to."""
    found = None
    for known, org in keys.items():  # all of them, so that the time tells nothing
        if hmac.compare_digest(known.encode(), key.encode()):
            found = org
    if found is None:
        raise ApiError(
            401,
            "The API key is missing or wrong: set OPENAI_API_KEY to the key that `ftcourse serve` printed.",
            code="invalid_api_key",
        )
    return found


def with_ends(page: Json) -> Json:
    """Return a page that says which objects are its first and its last.

    Args:
        page: as `Caller.page` returns it.
    """
    data = page["data"]
    return page | {"first_id": data[0]["id"] if data else None, "last_id": data[-1]["id"] if data else None}
