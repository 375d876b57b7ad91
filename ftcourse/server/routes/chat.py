"""Chat completions, whole or streamed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse

from .. import schemas
from ..chat import Reply
from ..dependencies import ERRORS, Asks, Route
from ..errors import ApiError, envelope
from ..store import Json, new_id, now

router = APIRouter(prefix="/v1/chat/completions", tags=["Chat"], responses=ERRORS, route_class=Route)

_ANSWER: Json = {
    "description": "A completion, or with `stream` its chunks as server-sent events",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


@router.post("", response_model=schemas.ChatCompletion, response_model_exclude_unset=True, responses={200: _ANSWER})
async def create_completion(asks: Asks, body: schemas.ChatRequest, request: Request) -> Any:
    """Let a model answer.

    Args:
        asks: who.
        body: of the request.
        request: that may be given up before its answer.
    """
    base, adapter = asks.find_model(body.model)
    reply = asks.engine.reply(base, adapter, body)
    head = {"id": new_id("chatcmpl-"), "created": now(), "model": body.model}
    if not body.stream:
        async with _stopped_when_given_up(request, reply):
            text = "".join([piece async for piece in reply])
        message = {"role": "assistant", "content": text, "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason, "logprobs": None}
        return head | {"object": "chat.completion", "choices": [choice], "usage": reply.usage()}
    async with _stopped_when_given_up(request, reply):
        await reply.begin()  # what is wrong with the request must show before the answer starts
    with_usage = bool(body.stream_options and body.stream_options.include_usage)
    chunks = _chunks(reply, head | {"object": "chat.completion.chunk"}, with_usage)
    return StreamingResponse(chunks, media_type="text/event-stream", headers={"cache-control": "no-cache"})


@asynccontextmanager
async def _stopped_when_given_up(request: Request, reply: Reply) -> AsyncIterator[None]:
    """Stop the model as soon as nobody waits for its answer any more."""

    async def watch() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass
        reply.stop()

    watching = asyncio.create_task(watch())
    try:
        yield
    except BaseException:  # also where the task is cancelled
        reply.stop()
        raise
    finally:
        watching.cancel()


async def _chunks(reply: Reply, head: Json, with_usage: bool) -> AsyncIterator[str]:
    """Yield an answer as server-sent events."""
    rest = {"usage": None} if with_usage else {}

    def event(delta: Json, finish_reason: str | None = None) -> str:
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
    except ApiError as error:  # the status has been sent, so it comes as an event
        yield f"data: {json.dumps(envelope(error.status_code, error.detail, error.param, error.code))}\n\n"
    finally:
        reply.stop()  # nobody listens any more
