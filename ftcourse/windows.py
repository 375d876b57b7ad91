"""Windows of text: which characters their tokens stand for, and a model's answers for them, in batches."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from . import batches, train

if TYPE_CHECKING:
    import numpy as np
    from datasets import Dataset
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_DROPPED = ("Mn", "Me", "Cf")  # accents that are letters of their own, and signs without a width


def tidy_offsets(text: str, offsets: Sequence[Sequence[int]]) -> list[tuple[int, int]]:
    """Return the characters of each token as a reader would count them, whatever tokenizer it was.

    Some tokenizers count the blank before a word to its first token, so that no token begins where the word does.
    Others drop the accents of a text that has them as letters of their own (NFD), so that no token ends where the word
    does. Here blanks belong to no token, and an accent that no token has belongs to the one before it.

    Args:
        text: that the tokens are of.
        offsets: (first character, character after the last) of each token; (0, 0) for one that isn't of the text.

    Returns:
        The same for each token; (0, 0) also for a token of blanks alone.
    """
    begins = {start for start, end in offsets if start < end}
    tidied = []
    for start, end in offsets:
        piece = text[start:end]
        start, end = start + len(piece) - len(piece.lstrip()), end - len(piece) + len(piece.rstrip())
        if start >= end:
            tidied.append((0, 0))
            continue
        while end < len(text) and end not in begins and unicodedata.category(text[end]) in _DROPPED:
            end += 1
        tidied.append((start, end))
    return tidied


def predict_windows(
    windows: Dataset, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int = 32
) -> Iterator[tuple[dict[str, Any], np.ndarray, np.ndarray]]:
    """Let a model for question answering judge windows, the short ones first; it is left as it was.

    Args:
        windows: what `ftcourse.qa.make_windows` returned.
        model: with a head for question answering.
        tokenizer: its own, which pads.
        batch_size: windows at once.

    Yields:
        For each window a tuple: the window as a dictionary, start logits and end logits, arrays of shape (tokens,).
    """
    import numpy as np
    import torch

    batch_size, how = batches.padding(tokenizer, batch_size)
    names = [name for name in tokenizer.model_input_names if name in windows.column_names]
    order = np.argsort([len(ids) for ids in windows["input_ids"][:]], kind="stable")
    for begin in range(0, len(order), batch_size):
        part = windows.select(order[begin : begin + batch_size])
        batch = tokenizer.pad({name: part[name][:] for name in names}, return_tensors="pt", **how).to(model.device)
        fast = torch.autocast(model.device.type, train.choose_dtype(), enabled=train.has_bfloat16())
        with batches.evaluating(model), torch.inference_mode(), fast:
            output = model(**batch)
        logits = (own.float().cpu().numpy() for own in (output.start_logits, output.end_logits))
        for window, starts, ends in zip(part, *logits, strict=True):
            size = len(window["input_ids"])
            yield window, starts[:size], ends[:size]


def token_probabilities(
    windows: Sequence[dict[str, Any]], model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, batch_size: int = 32
) -> Iterator[tuple[dict[str, Any], np.ndarray]]:
    """Yield each window with what a model that labels tokens says of it; the short ones come first, together.

    Args:
        windows: dictionaries whose ``"inputs"`` are the model's, without padding: input_ids and so on.
        model: with a head for token classification; it is left as it was.
        tokenizer: the model's own, which pads.
        batch_size: windows at once.

    Yields:
        The window and the probability of each label for each of its tokens, shape (tokens, labels), float32.
    """
    import torch

    batch_size, how = batches.padding(tokenizer, batch_size)
    windows = sorted(windows, key=lambda window: len(window["inputs"]["input_ids"]))
    for start in range(0, len(windows), batch_size):
        part = windows[start : start + batch_size]
        batch = tokenizer.pad([window["inputs"] for window in part], return_tensors="pt", **how)
        with batches.evaluating(model), torch.inference_mode():
            probabilities = model(**batch.to(model.device)).logits.float().softmax(-1).cpu().numpy()
        for window, rows in zip(part, probabilities, strict=True):
            yield window, rows[: len(window["inputs"]["input_ids"])]
