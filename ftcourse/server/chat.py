"""Chat with the base model and with what was fine-tuned from it.

One thread owns the model: requests wait in its queue, so that no two of them switch adapters under each other, and the
service answers everything else meanwhile.
"""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

from ..chat_data import plain_messages
from ..files import model_path
from ..train import choose_dtype
from .errors import ApiError, as_api_error, stopping
from .schemas import ChatRequest
from .store import Json, Store

log = logging.getLogger("ftcourse.server")

MAX_ADAPTERS = 8  # that stay in memory beside their base
MAX_NEW_TOKENS = 512  # unless the request says another number


def load_base(source: str) -> tuple[Any, Any]:
    """Return the model and the tokenizer of a base.

    Args:
        source: asset of the course, or a folder.

    Raises:
        CourseError: if there is no such model.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = model_path(source)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=choose_dtype(), use_safetensors=True)
    return model.eval(), AutoTokenizer.from_pretrained(folder)


class Engine:
    """The models that chat uses: the source of each base by its name, and the adapters in a store's home."""

    def __init__(self, models: dict[str, str], store: Store) -> None:
        self.models, self.home = models, store.home
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chat")
        self._source: str | None = None
        self._model: Any = None
        self._tokenizer: Any = None
        self._adapters: dict[str, str] = {}  # folder: name of the adapter in the model, the one used last at the end
        self._replies: set[Reply] = set()  # that wait or are written

    def preload(self) -> None:
        """Load the first base model before somebody needs it."""
        self._thread.submit(self._use, next(iter(self.models)), None).add_done_callback(_log_failure)

    def reply(self, base: str, adapter: str | None, request: ChatRequest) -> "Reply":
        """Return the `Reply` of a model to a request; it begins when its turn comes.

        Args:
            base: name of the base model.
            adapter: folder of the adapter, if it is to answer with one.
            request: what was asked.
        """
        reply = Reply(request)
        self._replies.add(reply)
        self._thread.submit(self._answer, base, adapter, reply)
        return reply

    def forget(self, folder: str) -> None:
        """Drop an adapter that was deleted from memory.

        Args:
            folder: of the adapter.
        """
        self._thread.submit(self._drop, folder)

    def stop(self) -> None:
        """Let nothing more begin, and end what is being answered."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        for reply in list(self._replies):
            reply.stop()
            reply.finish(stopping())

    # What follows runs in the model's own thread.

    def _use(self, base: str, folder: str | None) -> tuple[Any, Any]:
        """Return the model, with the adapter in force, and its tokenizer."""
        source = self.models[base]
        if source != self._source:
            self._source = self._model = self._tokenizer = None  # never two bases in memory
            self._adapters = {}
            self._model, self._tokenizer = load_base(source)
            self._source = source
        if folder is None:
            if self._adapters:
                self._model.disable_adapters()
            return self._model, self._tokenizer
        if folder not in self._adapters:
            if len(self._adapters) >= MAX_ADAPTERS:
                self._drop(next(iter(self._adapters)))
            name = "".join(filter(str.isalnum, folder))  # a name of a module: no dots
            self._model.load_adapter(str(self.home / folder), adapter_name=name)
            self._adapters[folder] = name
        name = self._adapters[folder] = self._adapters.pop(folder)
        self._model.enable_adapters()
        self._model.set_adapter(name)
        return self._model, self._tokenizer

    def _drop(self, folder: str) -> None:
        """Take an adapter out of the model, if it is there."""
        name = self._adapters.pop(folder, None)
        if name:
            self._model.delete_adapter(name)

    def _answer(self, base: str, folder: str | None, reply: "Reply") -> None:
        """Let a model answer; what goes wrong is part of the reply."""
        try:
            if not reply.stopped.is_set():
                reply.generate(*self._use(base, folder))
            reply.finish()
        except Exception as error:
            told = as_api_error(error, "a chat")
            if told.status_code == 500:
                log.exception("a chat failed")
            reply.finish(told)
        finally:
            self._replies.discard(reply)


def _log_failure(future: Future[Any]) -> None:
    """Write into the log why a model could not be loaded."""
    if not future.cancelled() and future.exception():
        log.error("the base model could not be loaded: %s", future.exception())


class Reply:
    """The answer to one request: an asynchronous iterator over pieces of text, and afterwards how it ended."""

    def __init__(self, request: ChatRequest) -> None:
        self.request = request
        self.stopped = threading.Event()
        self.finish_reason = "stop"
        self.prompt_tokens = self.completion_tokens = 0
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[str | Exception | None] = asyncio.Queue()
        self._ahead: list[str | None] = []
        self._stops = [request.stop] if isinstance(request.stop, str) else request.stop or []

    def usage(self) -> Json:
        """Return how many tokens the question and the answer had."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }

    def stop(self) -> None:
        """End after the token in progress."""
        self.stopped.set()

    async def begin(self) -> None:
        """Wait for the first piece; raise what is wrong with the request."""
        self._ahead.append(await self._next())

    async def __aiter__(self) -> AsyncIterator[str]:
        held = ""  # what may turn out to be the beginning of a stop sequence
        while (piece := self._ahead.pop() if self._ahead else await self._next()) is not None:
            held += piece
            if any(stop in held for stop in self._stops):
                held = min((held.split(stop)[0] for stop in self._stops), key=len)
                self.stop()
                while await self._next() is not None:  # until the model has stopped, and the tokens are counted
                    pass
                self.finish_reason = "stop"
                break
            keep = max((n for stop in self._stops for n in range(1, len(stop)) if held.endswith(stop[:n])), default=0)
            if len(held) > keep:
                yield held[: len(held) - keep]
                held = held[len(held) - keep :]
        if held:
            yield held

    async def _next(self) -> str | None:
        """Wait for the next piece; None is the end."""
        piece = await self._pieces.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def _put(self, piece: str | Exception | None) -> None:
        """Hand a piece from the model's thread to whoever waits for it."""
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    def finish(self, error: Exception | None = None) -> None:
        """Say that nothing more comes.

        Args:
            error: why, if something went wrong.
        """
        with suppress(RuntimeError):  # the service is stopping, and its loop is closed
            self._put(error)

    def generate(self, model: Any, tokenizer: Any) -> None:
        """Generate the answer; runs in the model's thread.

        Args:
            model: a causal language model, with its adapter in force.
            tokenizer: the model's, with a chat template.

        Raises:
            ApiError: if the messages leave no room for an answer.
        """
        import torch

        prompt = tokenizer.apply_chat_template(
            plain_messages(message.model_dump(exclude_none=True) for message in self.request.messages),
            add_generation_prompt=True,
            return_tensors="pt",
            return_dict=True,
        )
        self.prompt_tokens = prompt["input_ids"].shape[1]
        room = model.config.max_position_embeddings - self.prompt_tokens
        if room < 1:
            raise ApiError(
                400,
                f"The messages have {self.prompt_tokens:,} tokens, and the model takes "
                f"{model.config.max_position_embeddings:,}: shorten them.",
                "messages",
                "context_length_exceeded",
            )
        wanted = self.request.max_completion_tokens or self.request.max_tokens or MAX_NEW_TOKENS
        temperature = 1.0 if self.request.temperature is None else self.request.temperature
        top_p = 1.0 if self.request.top_p is None else self.request.top_p
        sampling = dict(do_sample=True, temperature=max(temperature, 1e-2), top_p=top_p, top_k=0)
        if self.request.seed is not None:
            torch.manual_seed(self.request.seed)

        with torch.inference_mode():
            ids = model.generate(
                **prompt,
                max_new_tokens=min(wanted, room),
                streamer=_streamer(tokenizer, self._put),
                stopping_criteria=[_criterion(self.stopped)],
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
                **(
                    sampling
                    if temperature and top_p
                    else dict(do_sample=False, temperature=None, top_p=None, top_k=None)
                ),
            )[0, self.prompt_tokens :]
        self.completion_tokens = len(ids)
        ends = model.generation_config.eos_token_id
        ended = len(ids) > 0 and int(ids[-1]) in (ends if isinstance(ends, list) else [ends])
        self.finish_reason = "stop" if ended or self.stopped.is_set() else "length"


def _criterion(stopped: threading.Event) -> Any:
    """Return the criterion that ends a generation when an event is set."""
    import torch
    from transformers import StoppingCriteria

    class Stopped(StoppingCriteria):
        def __call__(self, input_ids: Any, scores: Any, **kwargs: Any) -> Any:
            return torch.full((len(input_ids),), stopped.is_set())

    return Stopped()


def _streamer(tokenizer: Any, put: Callable[[str], None]) -> Any:
    """Return a streamer that hands each token's text to `put`, as soon as it has whole characters."""
    from transformers.generation.streamers import BaseStreamer

    class Pieces(BaseStreamer):
        def __init__(self) -> None:
            self.ids: list[int] = []
            self.begun, self.handed = False, 0

        def put(self, value: Any) -> None:
            if not self.begun:  # the prompt comes first
                self.begun = True
                return
            self.ids += value.flatten().tolist()
            self._hand(at_end=False)

        def end(self) -> None:
            self._hand(at_end=True)

        def _hand(self, at_end: bool) -> None:
            text = tokenizer.decode(self.ids, skip_special_tokens=True)
            if text.endswith("\ufffd") and not at_end:
                return  # half a character
            if len(text) > self.handed:
                put(text[self.handed :])
            self.handed = len(text)
            if text.endswith("\n"):
                self.ids, self.handed = [], 0  # else a long answer would be decoded again and again

    return Pieces()
