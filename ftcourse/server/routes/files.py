"""Files: what a job is trained on, and what it leaves behind."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, UploadFile
from fastapi.responses import FileResponse

from .. import schemas
from ..dependencies import ERRORS, After, Asks, Route, with_ends
from ..errors import ApiError
from ..store import Json, now

router = APIRouter(prefix="/v1/files", tags=["Files"], responses=ERRORS, route_class=Route)

Purpose = Literal["fine-tune", "assistants", "batch", "user_data", "vision"]
_FIELDS = ("file", "purpose", "expires_after[anchor]", "expires_after[seconds]")
_CONTENT: Json = {"content": {"application/octet-stream": {}}, "description": "The content"}


async def _refuse_unknown(request: Request) -> None:
    """Refuse fields of a form that nobody would look at."""
    for name in await request.form():
        if name not in _FIELDS:
            message = f"Unknown parameter: '{name}'. Remove it, or correct its spelling."
            raise ApiError(400, message, name, "unknown_parameter")


@router.post("", response_model=schemas.FileObject, dependencies=[Depends(_refuse_unknown)])
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
    if (anchor is None) != (seconds is None):
        param = f"expires_after[{'seconds' if seconds is None else 'anchor'}]"
        raise ApiError(400, f"Missing required parameter: '{param}'.", param, "missing_required_parameter")
    expires_at = now() + seconds if seconds else None
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
    asks.drop_expired()
    fields = {"purpose": purpose} if purpose else None
    return with_ends(asks.page("file", after=after, limit=limit, newest_first=order == "desc", fields=fields))


@router.get("/{id}", response_model=schemas.FileObject)
def retrieve_file(asks: Asks, id: str) -> Json:
    """Retrieve what is known about a file.

    Args:
        asks: who.
        id: of the file.
    """
    return asks.find("file", id).object


@router.get("/{id}/content", response_class=FileResponse, responses={200: _CONTENT})
def retrieve_file_content(asks: Asks, id: str) -> FileResponse:
    """Retrieve the content of a file.

    Args:
        asks: who.
        id: of the file.
    """
    return FileResponse(asks.store.content(asks.find("file", id).id), media_type="application/octet-stream")


@router.delete("/{id}", response_model=schemas.Deleted)
def delete_file(asks: Asks, id: str) -> Json:
    """Delete a file. Jobs that were created with it keep their own copy.

    Args:
        asks: who.
        id: of the file.
    """
    asks.store.delete_file(asks.find("file", id).id)
    return {"id": id, "object": "file", "deleted": True}
