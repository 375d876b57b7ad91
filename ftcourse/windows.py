"""A model's answers for windows of text, in batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from . import batches

if TYPE_CHECKING:
    import numpy as np
    from transformers import PreTrainedModel, PreTrainedTokenizerBase


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
