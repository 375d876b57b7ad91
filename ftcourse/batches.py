"""Batches and answers of any model: what lesson 9's `evaluate_model` takes apart, and what it refuses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import CourseError

if TYPE_CHECKING:
    import torch


def unpack(batch: Any, device: Any) -> tuple[Any, torch.Tensor]:
    """Return the inputs of a batch, as keywords or as one tensor, and its labels.

    Args:
        batch: a dictionary of tensors with labels, or a pair (inputs, labels).
        device: to which all is moved.

    Raises:
        CourseError: if it is neither, or has no labels.
    """
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        inputs, labels = batch
    elif hasattr(batch, "keys"):
        inputs = dict(batch)
        name = next((name for name in ("labels", "label") if name in inputs), None)
        if name is None:
            has = ", ".join(inputs)
            raise CourseError(f"A batch has no labels. It has {has}: keep the column labels in the data set.")
        labels = inputs.pop(name)
    else:
        kind = type(batch).__name__
        raise CourseError(f"A batch is of type {kind}: yield dictionaries with labels, or pairs (inputs, labels).")
    if isinstance(inputs, dict):
        return {name: value.to(device) for name, value in inputs.items()}, labels.to(device)
    return inputs.to(device), labels.to(device)


def logits_of(model: Any, inputs: Any) -> torch.Tensor:
    """Return the logits of any model: in an output of transformers, in a dictionary, or bare.

    Args:
        model: a model of transformers, or any PyTorch module.
        inputs: keywords, or one tensor.

    Raises:
        CourseError: if the model returns no logits.
    """
    output = model(**inputs) if isinstance(inputs, dict) else model(inputs)
    logits = output.get("logits") if hasattr(output, "get") else getattr(output, "logits", output)
    if not hasattr(logits, "argmax"):
        raise CourseError(
            f"{type(model).__name__} returns no logits, so there is no class to choose: evaluate it with "
            "its own metric (lesson 6 does that for question answering)."
        )
    return logits.float()


def one_row_an_answer(logits: torch.Tensor, labels: torch.Tensor, shifted: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return logits of shape (answers, classes) and labels; positions with the label -100 are left out.

    Args:
        logits: float tensor of shape (..., classes).
        labels: integer tensor of shape (...), or float tensor of 0s and 1s of the shape of the logits.
        shifted: a language model's answer at a place is about the next token.

    Raises:
        CourseError: if the labels are numbers to be estimated, or their shape doesn't fit.
    """
    if labels.shape == logits.shape and labels.is_floating_point():
        return logits, labels  # several labels at once: one answer an example, of 0s and 1s
    if labels.is_floating_point() or logits.shape[-1] == 1:
        raise CourseError(
            "The labels are numbers to be estimated, or there is one logit only, so there is no class to "
            "choose: measure the error of a regression instead."
        )
    if logits.ndim != labels.ndim + 1 or logits.shape[:-1] != labels.shape:
        raise CourseError(
            f"Logits of the shape {tuple(logits.shape)} don't fit labels of the shape {tuple(labels.shape)}: "
            "labels need one class an example or token."
        )
    if shifted:
        logits, labels = logits[:, :-1], labels[:, 1:]
    kept = labels != -100
    return logits[kept], labels[kept]
