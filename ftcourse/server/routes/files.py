"""Files: what a job is trained on, and what it leaves behind."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, UploadFile
from fastapi.responses import FileResponse

from .. import schemas
from ..dependencies import ERRORS, After, Asks, Caller, Route, with_ends
from ..store import Json, Row, Store, now

router = APIRouter(prefix="/v1/files", tags=["Files"], responses=ERRORS, route_class=Route)

Purpose = Literal["fine-tune", "assistants", "batch", "user_data", "vision"]
_CONTENT: Json = {"content": {"application/octet-stream": {}}, "description": "The content"}


@router.post("", response_model=schemas.FileObject)
def upload_file(
    asks: Asks,
    file: UploadFile,
    purpose: Annotated[Purpose, Form()],
    anchor: Annotated[Literal["created_at"] | None, Form(alias="expires_after[anchor]")] = None,
    seconds: Annotated[int | None, Form(alias="expires_after[seconds]", ge=3600, le=2592000)] = None,
) -> Json:
    """Upload a file; training data has the purpose `fine-tune`.

    Args:
        asks: who.
        file: its name and content.
        purpose: what it is for.
        anchor: from when on it expires.
        seconds: after how many.
    """
    expires_at = now() + seconds if anchor and seconds else None
    return asks.store.add_file(file.file, file.filename or "file", purpose, asks.org, expires_at)


@router.get("", response_model=schemas.FilePage)
def list_files(
    asks: Asks,
    after: After = None,
    limit: Annotated[int, Query(ge=0, le=10000)] = 10000,
    order: Literal["asc", "desc"] = "desc",
    purpose: str | None = None,
) -> Json:
    """List the files.

    Args:
        asks: who.
        after: id of the file after which the page begins.
        limit: how many files at most.
        order: oldest or newest first.
        purpose: only files for this.
    """
    _drop_expired(asks)
    fields = {"purpose": purpose} if purpose else None
    return with_ends(asks.page("file", after=after, limit=limit, newest_first=order == "desc", fields=fields))


@router.get("/{id}", response_model=schemas.FileObject)
def retrieve_file(asks: Asks, id: str) -> Json:
    """Retrieve what is known about a file.

    Args:
        asks: who.
        id: of the file.
    """
    return _find(asks, id).object


@router.get("/{id}/content", response_class=FileResponse, responses={200: _CONTENT})
def retrieve_file_content(asks: Asks, id: str) -> FileResponse:
    """Retrieve the content of a file.

    Args:
        asks: who.
        id: of the file.
    """
    return FileResponse(asks.store.content(_find(asks, id).id), media_type="application/octet-stream")


@router.delete("/{id}", response_model=schemas.Deleted)
def delete_file(asks: Asks, id: str) -> Json:
    """Delete a file. Jobs that were created with it keep their own copy.

    Args:
        asks: who.
        id: of the file.
    """
    _drop(asks.store, _find(asks, id))
    return {"id": id, "object": "file", "deleted": True}


def _find(asks: Caller, id: str) -> Row:
    """Return the row of a file that has not expired."""
    _drop_expired(asks)
    return asks.find("file", id)


def _drop_expired(asks: Caller) -> None:
    """Delete the organisation's files that have expired."""
    for row in asks.store.all("file", asks.org, ""):
        if (row.object["expires_at"] or float("inf")) <= now():
            _drop(asks.store, row)


def _drop(store: Store, row: Row) -> None:
    """Delete a file and its content."""
    store.delete("file", row.id)
    store.content(row.id).unlink(missing_ok=True)
