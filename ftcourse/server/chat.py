"""Chat with the base model and with what was fine-tuned from it.

One thread owns the model: requests wait in its queue, so that no two of them switch adapters under each other, and the
service answers everything else meanwhile.
"""

import asyncio
import logging
import threading
from concurrent.futures import ThreadPoolExecutor

from ..errors import CourseError
from .errors import ApiError

log = logging.getLogger("ftcourse.server")

MAX_ADAPTERS = 8  # that stay in memory beside their base
MAX_NEW_TOKENS = 512  # unless the request says another number


def load_base(source):
    """Return the model and the tokenizer of a base.

    Args:
        source: asset of the course, or a folder.
    """
    from pathlib import Path

    from transformers import AutoModelForCausalLM, AutoTokenizer

    from ..assets import ASSETS, fetch
    from ..train import choose_dtype

    folder = fetch(source) if source in ASSETS else Path(source)
    if not folder.is_dir():
        raise CourseError(f"There is no model {source}: name an asset of the course or a folder that holds a model.")
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=choose_dtype(), use_safetensors=True)
    return model.eval(), AutoTokenizer.from_pretrained(folder)


class Engine:
    """The models that chat uses."""

    def __init__(self, models, store):
        self.models, self.home = models, store.home
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="chat")
        self._source = self._model = self._tokenizer = None
        self._adapters = {}  # folder: name of the adapter in the model, the one used last at the end

    def preload(self):
        """Load the first base model before somebody needs it."""
        self._thread.submit(self._use, next(iter(self.models)), None).add_done_callback(_log_failure)

    def reply(self, base, adapter, request):
        """Return the `Reply` of a model to a request; it begins when its turn comes."""
        reply = Reply(request)
        self._thread.submit(self._answer, base, adapter, reply)
        return reply

    def forget(self, folder):
        """Drop an adapter that was deleted from memory."""
        self._thread.submit(self._drop, folder)

    def stop(self):
        """Let nothing more begin."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    # What follows runs in the model's own thread.

    def _use(self, base, folder):
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

    def _drop(self, folder):
        name = self._adapters.pop(folder, None)
        if name:
            self._model.delete_adapter(name)

    def _answer(self, base, folder, reply):
        try:
            if not reply.stopped.is_set():
                reply.generate(*self._use(base, folder))
            reply.finish()
        except Exception as error:
            if not isinstance(error, ApiError):
                log.exception("a chat failed")
            reply.finish(error)


def _log_failure(future):
    if not future.cancelled() and future.exception():
        log.error("the base model could not be loaded: %s", future.exception())


class Reply:
    """The answer to one request: an asynchronous iterator over pieces of text, and afterwards how it ended."""

    def __init__(self, request):
        self.request = request
        self.stopped = threading.Event()
        self.finish_reason = "stop"
        self.prompt_tokens = self.completion_tokens = 0
        self._loop = asyncio.get_running_loop()
        self._pieces = asyncio.Queue()
        self._ahead = []
        self._stops = [request.stop] if isinstance(request.stop, str) else request.stop or []

    def usage(self):
        """Return how many tokens the question and the answer had."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }

    def stop(self):
        """End after the token in progress."""
        self.stopped.set()

    async def begin(self):
        """Wait for the first piece; raise what is wrong with the request."""
        self._ahead.append(await self._next())

    async def __aiter__(self):
        held = ""  # what may turn out to be the beginning of a stop sequence
        while (piece := self._ahead.pop() if self._ahead else await self._next()) is not None:
            held += piece
            if any(stop in held for stop in self._stops):
                held, self.finish_reason = min((held.split(stop)[0] for stop in self._stops), key=len), "stop"
                self.stop()
                break
            keep = max((n for stop in self._stops for n in range(1, len(stop)) if held.endswith(stop[:n])), default=0)
            if len(held) > keep:
                yield held[: len(held) - keep]
                held = held[len(held) - keep :]
        if held:
            yield held

    async def _next(self):
        piece = await self._pieces.get()
        if isinstance(piece, Exception):
            raise piece
        return piece

    def _put(self, piece):
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    def finish(self, error=None):
        """Say that nothing more comes."""
        try:
            self._put(error)
        except RuntimeError:
            pass  # the service is stopping, and its loop is closed

    def generate(self, model, tokenizer):
        """Generate the answer; runs in the model's thread."""
        import torch
        from transformers import StoppingCriteria

        prompt = tokenizer.apply_chat_template(
            [{"role": _role(message.role), "content": message.text()} for message in self.request.messages],
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
        sampling = dict(do_sample=True, temperature=max(temperature, 1e-2), top_p=self.request.top_p or 1.0, top_k=0)
        if self.request.seed is not None:
            torch.manual_seed(self.request.seed)

        class Stopped(StoppingCriteria):
            def __call__(criterion, input_ids, scores, **kwargs):
                return torch.full((len(input_ids),), self.stopped.is_set())

        with torch.inference_mode():
            ids = model.generate(
                **prompt,
                max_new_tokens=min(wanted, room),
                streamer=_streamer(tokenizer, self._put),
                stopping_criteria=[Stopped()],
                pad_token_id=tokenizer.pad_token_id or tokenizer.eos_token_id,
                **(sampling if temperature else dict(do_sample=False, temperature=None, top_p=None, top_k=None)),
            )[0, self.prompt_tokens :]
        self.completion_tokens = len(ids)
        ends = model.generation_config.eos_token_id
        ended = len(ids) > 0 and int(ids[-1]) in (ends if isinstance(ends, list) else [ends])
        self.finish_reason = "stop" if ended or self.stopped.is_set() else "length"


def _role(role):
    return "system" if role == "developer" else role


def _streamer(tokenizer, put):
    """Return a streamer that hands each piece of text to `put`."""
    from transformers import TextStreamer

    streamer = TextStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    streamer.on_finalized_text = lambda text, stream_end=False: put(text) if text else None
    return streamer
