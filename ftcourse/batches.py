"""Batches and answers of any model: how texts are padded for it, what its output holds, and how it is left behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from .errors import CourseError
from .inputs import check_number

if TYPE_CHECKING:
    import torch


def plain_model(model: Any) -> Any:
    """Return the model inside what was compiled, spread over devices or given adapters.

    Args:
        model: any PyTorch module.
    """
    while True:
        inner = getattr(model, "_orig_mod", None) or getattr(model, "module", None)
        if inner is None and hasattr(model, "get_base_model"):
            inner = model.get_base_model()
        if inner is None or inner is model:
            return model
        model = inner


def body_of(model: Any) -> Any:
    """Return the body of a language model: what its output layer reads from.

    Args:
        model: a causal language model of transformers, with or without adapters.
    """
    from transformers import PreTrainedModel

    inner = plain_model(model)
    decoder = inner.get_decoder()  # of a few models this is another part, which happens to have that name
    return decoder if isinstance(decoder, PreTrainedModel) else inner.base_model


def speaks(model: Any) -> bool:
    """Say whether a model is a language model whose answer at a place is about the next token.

    Args:
        model: any PyTorch module.
    """
    from transformers import GenerationMixin

    inner = plain_model(model)
    # What generates and has no encoder goes from left to right, whatever its class is called.
    return isinstance(inner, GenerationMixin) and not getattr(inner.config, "is_encoder_decoder", False)


@contextmanager
def evaluating(model: Any, device: Any = None) -> Iterator[Any]:
    """Put a model into evaluation mode for a block, without gradients, and each of its parts back as it was.

    A frozen batch norm stays in evaluation mode in training too, so one flag for the whole model isn't enough.

    Args:
        model: any PyTorch module.
        device: where to compute; by default where the model is.

    Yields:
        The device.

    Raises:
        CourseError: if it is none.
    """
    import torch

    if not isinstance(model, torch.nn.Module):
        raise CourseError(f"The model is of type {type(model).__name__}: pass a PyTorch model, such as trainer.model.")
    modes = [(part, part.training) for part in model.modules()]
    home = next((weights.device for weights in model.parameters()), "cpu")
    try:
        model.eval()
        if device is not None:
            model.to(device)
        with torch.no_grad():  # not inference_mode: what a model keeps from it could not be trained with
            yield device or home
    finally:
        if device is not None:
            model.to(home)
        for part, training in modes:
            part.training = training


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
    if hasattr(inputs, "keys"):
        moved = {name: _as_tensor(value, f"column {name}", device) for name, value in inputs.items()}
        return moved, _as_tensor(labels, "labels", device)
    return _as_tensor(inputs, "inputs", device), _as_tensor(labels, "labels", device)


def _as_tensor(values: Any, name: str, device: Any) -> torch.Tensor:
    """Return tensors, arrays or lists of numbers as a tensor on a device."""
    import torch

    try:
        return torch.as_tensor(values).to(device)
    except (TypeError, ValueError, RuntimeError) as error:
        remedy = "remove texts from the data set with remove_columns, and pad rows to one length"
        raise CourseError(f"The {name} of a batch are no numbers of one shape ({error}): {remedy}.") from error


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
    if labels.shape == logits.shape and labels.is_floating_point() and ((labels == 0) | (labels == 1)).all():
        return logits, labels  # several labels at once: one answer an example, of 0s and 1s
    if labels.is_floating_point() or logits.shape[-1] == 1:
        raise CourseError(
            "The labels are numbers to be estimated, or there is one logit only, so there is no class to "
            "choose: measure the error of a regression instead."
        )
    if logits.ndim != labels.ndim + 1 or logits.shape[:-1] != labels.shape:
        raise CourseError(
            f"Logits of the shape {tuple(logits.shape)} don't fit labels of the shape {tuple(labels.shape)}: "
            "labels need one class an example or token, or floats of 0 and 1 where several may hold at once."
        )
    if shifted:
        logits, labels = logits[:, :-1], labels[:, 1:]
    kept = labels != -100
    labels = labels[kept].long()
    if len(labels) and not 0 <= labels.min() <= labels.max() < logits.shape[-1]:
        wrong = int(labels.min() if labels.min() < 0 else labels.max())
        raise CourseError(
            f"A label is {wrong}, and the model knows the classes 0 to {logits.shape[-1] - 1}: map the labels as in "
            "training, or load the model that was trained on them."
        )
    return logits[kept], labels


def hidden_states(output: Any) -> torch.Tensor:
    """Return the last hidden states from the output of a body.

    Args:
        output: what a model of transformers returned.

    Raises:
        CourseError: if it has none, as that of a model with a head.
    """
    hidden = getattr(output, "last_hidden_state", None)
    if hidden is None:
        raise CourseError("The model gives no hidden states, as it has a head: pass its body, model.base_model.")
    return hidden


def class_logits(model: Any, batch: Any) -> torch.Tensor:
    """Return the logits of texts, of a model that chooses one of several classes for each.

    Args:
        model: a sequence-classification model.
        batch: its inputs, by name.

    Returns:
        Float tensor of shape (texts, classes).

    Raises:
        CourseError: if it is another kind of model, or its answers are no numbers.
    """
    logits, kind = logits_of(model, dict(batch)), type(plain_model(model)).__name__
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise CourseError(
            f"{kind} gives the shape {tuple(logits.shape)}, not one logit for each of several classes: load a "
            "classifier of texts with load_classifier."
        )
    if getattr(model.config, "problem_type", None) == "multi_label_classification":
        raise CourseError(f"{kind} may give a text several labels at once: take the sigmoid of its logits instead.")
    if not logits.isfinite().all():
        raise CourseError(
            f"{kind} answers what is no number, so its weights are spoilt: train it again with a lower learning rate."
        )
    return logits


def _text_config(model: Any) -> Any:
    return model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config


def readable(max_length: int, tokenizer: Any, model: Any = None) -> int:
    """Return how many tokens of a text to keep: as many as wanted, but no more than the model can read.

    Args:
        max_length: tokens wanted at most.
        tokenizer: knows how much its model reads, as a rule.
        model: whose settings may say so too; None for none.

    Raises:
        CourseError: if `max_length` is no number of tokens.
    """
    check_number(max_length, "max_length", 1, whole=True)
    limits = [getattr(tokenizer, "model_max_length", None)]
    if model is not None:
        limits.append(getattr(_text_config(model), "max_position_embeddings", None))
    # A model without a limit has -1 here, and a tokenizer that doesn't know it has 10^30.
    return min(int(max_length), *(limit for limit in limits if isinstance(limit, int) and limit > 0))


def padding(tokenizer: Any, batch_size: int, model: Any = None) -> tuple[int, dict[str, Any]]:
    """Return how many texts to give to a model at once, and how the tokenizer is to pad them.

    Padding stands on the right, whatever the tokenizer does by itself: on the left it moves BERT's first token away
    from where its head looks. Without a padding token, or with another than the model's, texts go one by one.

    Args:
        tokenizer: of the model.
        batch_size: texts wanted at once.
        model: with a head that looks for the last token that isn't padding; None for a body.

    Raises:
        CourseError: if the batch size is no number of texts.
    """
    check_number(batch_size, "batch_size", 1, whole=True)
    known = tokenizer.pad_token_id if model is None else getattr(_text_config(model), "pad_token_id", None)
    if tokenizer.pad_token is None or known != tokenizer.pad_token_id:
        return 1, {"padding": False}
    return int(batch_size), {"padding": True, "padding_side": "right"}


def give_padding(tokenizer: Any) -> Any:
    """Give a tokenizer a padding token if it has none, as that of Llama 2; return the tokenizer.

    The end mark serves, since what is padded is left out by the attention mask and has no label.

    Args:
        tokenizer: changed where it has none.

    Raises:
        CourseError: if it has no token to pad with.
    """
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token is None:
        raise CourseError(
            "The tokenizer has no token to pad with: save it anew with one, tokenizer.pad_token = '...', that its "
            "vocabulary has."
        )
    return tokenizer


def pad_alike(tokenizer: Any, model: Any) -> None:
    """Give a tokenizer and its model one padding token, on the right.

    Args:
        tokenizer: changed where it has none.
        model: with a head for texts; changed where it has none or another.

    Raises:
        CourseError: if the tokenizer has no token to pad with.
    """
    tokenizer.padding_side = "right"
    give_padding(tokenizer)
    for config in (model.config, _text_config(model)):
        config.pad_token_id = tokenizer.pad_token_id
