"""Models: the bases of the service, and what was fine-tuned from them."""

import shutil

from fastapi import APIRouter

from .. import schemas
from ..dependencies import ERRORS, Asks, Caller, Route
from ..errors import ApiError
from ..store import Json

router = APIRouter(prefix="/v1/models", tags=["Models"], responses=ERRORS, route_class=Route)


@router.get("", response_model=schemas.ModelPage)
def list_models(asks: Asks) -> Json:
    """List the base models and the fine-tuned ones.

    Args:
        asks: who.
    """
    bases = [_base_model(asks, name) for name in asks.settings.models]
    return {"data": bases + [row.object for row in asks.store.all("model", asks.org)]}


@router.get("/{model:path}", response_model=schemas.Model)
def retrieve_model(asks: Asks, model: str) -> Json:
    """Retrieve what is known about a model.

    Args:
        asks: who.
        model: its name.
    """
    asks.find_model(model)
    row = asks.store.get("model", model, asks.org)
    return row.object if row else _base_model(asks, model)


@router.delete("/{model:path}", response_model=schemas.Deleted)
def delete_model(asks: Asks, model: str) -> Json:
    """Delete a fine-tuned model.

    Args:
        asks: who.
        model: its name.
    """
    if model in asks.settings.models:
        raise ApiError(403, f"'{model}' is a base model: only fine-tuned models can be deleted.", "model")
    asks.find_model(model)
    row = asks.store.get("model", model, asks.org)
    if row:
        asks.engine.forget(row.private["folder"])
        shutil.rmtree(asks.store.home / row.private["folder"], ignore_errors=True)  # first: the disk may be full
        with asks.store.transaction():
            for checkpoint in asks.store.all("checkpoint", asks.org, row.private.get("job")):
                if checkpoint.object["fine_tuned_model_checkpoint"] == model:
                    asks.store.delete("checkpoint", checkpoint.id)
            asks.store.delete("model", model)
    return {"id": model, "object": "model", "deleted": True}


def _base_model(asks: Caller, name: str) -> Json:
    """Return a base model as an object of the API."""
    return {"id": name, "object": "model", "created": asks.started, "owned_by": "ftcourse"}
