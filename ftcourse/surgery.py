"""Finding and changing the parts of any classifier of images: its head, its layer groups, its file; and the checks."""

from __future__ import annotations

import pickle
import re
from collections.abc import Callable, Sequence
from itertools import groupby
from numbers import Integral, Real
from os import PathLike
from typing import Any

import torch
import torchvision
from torch import nn

from . import train
from .errors import CourseError

HEAD_NAMES = ("fc", "classifier", "head", "heads")  # what families of networks call their heads


class Head(nn.Sequential):
    """The layers that replace_head puts in; of a class of their own, so that a second call replaces them all."""


def find_weights(name: str, weights: str | None) -> Any:
    """Return weights of torchvision by their name.

    Args:
        name: of a classifier of torchvision, such as ``"resnet50"``.
        weights: name of its weights, such as ``"IMAGENET1K_V2"``.

    Returns:
        A member of the network's enumeration of weights, which has `transforms` and `meta`.

    Raises:
        CourseError: if there is no such network, or it has no weights of that name.
    """
    try:
        known = torchvision.models.get_model_weights(name).__members__
    except ValueError as error:
        raise CourseError(
            f"There is no network {name!r}: give efficientnet-lite0 or a classifier of torchvision."
        ) from error
    if weights not in known:
        raise CourseError(f"{name} has no weights called {weights!r}: choose one of {', '.join(known)}.")
    return known[weights]


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """Return (trainable, total): how many numbers training may change, and how many there are.

    Args:
        model: any module.
    """
    counts = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(count for count, trainable in counts if trainable), sum(count for count, _ in counts)


def is_output_layer(layer: nn.Module) -> bool:
    """Tell whether a layer can be the last of a classifier: linear, a convolution of one pixel, or a Head.

    Args:
        layer: any module.
    """
    return isinstance(layer, (nn.Linear, Head)) or (isinstance(layer, nn.Conv2d) and layer.kernel_size == (1, 1))


def find_head(model: nn.Module) -> tuple[str, nn.Module]:
    """Find a classifier's head: its last layer, or the Head that replace_head made.

    A timm model names its head in ``pretrained_cfg["classifier"]``; elsewhere it is in a child of one of `HEAD_NAMES`.

    Args:
        model: a classifier of torchvision or timm, or one built like them.

    Returns:
        Its dotted name and the module.

    Raises:
        CourseError: if the model has no head, or several.
    """
    told = (getattr(model, "pretrained_cfg", None) or {}).get("classifier")  # timm's own word
    names = [told] if isinstance(told, str) else told or HEAD_NAMES
    what = f"{type(model).__name__} (its children: {', '.join(name for name, _ in model.named_children())})"
    if names is told:
        raise CourseError(f"{what} has several heads, {', '.join(told)}: choose an architecture that has one.")
    for top in names:
        inside = [(name, module) for name, module in model.named_modules() if f"{name}.".startswith(f"{top}.")]
        layers = [pair for pair in inside if is_output_layer(pair[1])]
        if layers:
            return next((pair for pair in layers if isinstance(pair[1], Head)), layers[-1])
    raise CourseError(
        f"{what} has no head that this course can find, no linear layer called {' or '.join(names)} or inside a module "
        "of that name: build it with a classifier (num_classes above 0), or put a new last layer in its place yourself."
    )


def forget_old_classes(model: nn.Module, num_classes: int) -> None:
    """Remove what else a model keeps of its old classes: auxiliary heads, and the attribute num_classes.

    Args:
        model: a classifier whose head was replaced.
        num_classes: its new number of classes.
    """
    if hasattr(model, "num_classes"):
        model.num_classes = num_classes
    if getattr(model, "aux_logits", False):  # Inception v3 (AuxLogits) and GoogLeNet (aux1, aux2)
        model.aux_logits = False
        for name in ("AuxLogits", "aux1", "aux2"):
            if hasattr(model, name):
                setattr(model, name, None)


def group_name(name: str, head: str) -> str:
    """Return the name of the part of a network that a parameter belongs to: the head, or all up to the first number.

    Args:
        name: dotted name of a parameter.
        head: dotted name of the head.
    """
    if name.startswith(f"{head}."):
        return head
    parts = name.split(".")[:-1] or [name]
    numbered = (place for place, part in enumerate(parts, 1) if re.search(r"\d", part))
    return ".".join(parts[: next(numbered, len(parts))])


def layer_groups(model: nn.Module) -> list[tuple[str, list[nn.Parameter]]]:
    """Cut a model into layer groups from the input to the head.

    Args:
        model: a classifier that `find_head` knows.

    Returns:
        List of (name, list of parameters). What has no weight matrix of its own is part of its neighbour.
    """
    head = find_head(model)[0]
    named = [(group_name(name, head), name, parameter) for name, parameter in model.named_parameters()]
    groups: list[tuple[str, list[nn.Parameter]]] = []
    waiting: list[nn.Parameter] = []
    body = [member for member in named if member[0] != head]
    for group, pairs in groupby(body, key=lambda member: member[0]):
        members = list(pairs)
        parameters = [parameter for *_, parameter in members]
        if any(name.endswith("weight") and parameter.ndim > 1 for _, name, parameter in members):
            groups.append((group, waiting + parameters))
            waiting = []
        else:
            (groups[-1][1] if groups else waiting).extend(parameters)
    last = [parameter for group, _, parameter in named if group == head]  # also where it was defined first
    return [*groups, (head, waiting + last)]


def check_argument(name: str, value: object, kind: type, is_right: Callable[[Any], bool], what: str) -> None:
    """Raise a CourseError unless an argument has the right type and value.

    Args:
        name: what the argument is called.
        value: its value; True and False are no numbers.
        kind: the type that it must have.
        is_right: function of the value that says whether it is allowed.
        what: what it must be, in words.

    Raises:
        CourseError: with the name, the value and what it must be.
    """
    if isinstance(value, bool) or not isinstance(value, kind) or not is_right(value):
        raise CourseError(f"{name} is {value!r}, and must be {what}: change it.")


def check_head(num_classes: int, hidden: int | None, dropout: float) -> None:
    """Raise a CourseError unless a head can be made with these arguments of replace_head.

    Args:
        num_classes: how many classes the head tells apart, 2 or more.
        hidden: width of its hidden layer, 1 or more; None for a single layer.
        dropout: share of the hidden features dropped in training, 0 or more and below 1.

    Raises:
        CourseError: naming the first that is wrong.
    """
    check_argument("num_classes", num_classes, Integral, lambda count: count >= 2, "a whole number of 2 or more")
    if hidden is not None:
        check_argument("hidden", hidden, Integral, lambda width: width >= 1, "None or a whole number of 1 or more")
    check_argument("dropout", dropout, Real, lambda share: 0 <= share < 1, "a share of 0 or more and below 1")


def check_count(name: str, count: int, limit: int) -> None:
    """Raise a CourseError unless so many of a model's parts can be unfrozen.

    Args:
        name: what the argument is called.
        count: its value.
        limit: how many parts there are.

    Raises:
        CourseError: if the count is no whole number from 0 to the limit.
    """
    check_argument(name, count, Integral, lambda value: 0 <= value <= limit, f"a whole number, 0 to {limit}")


def check_rates(learning_rate: float, decay: float) -> None:
    """Raise a CourseError unless these are a learning rate and its decay from layer group to layer group.

    Args:
        learning_rate: of the head, above 0.
        decay: factor from each group to the one below, above 0 and at most 1.

    Raises:
        CourseError: naming the first that is wrong.
    """
    check_argument("learning_rate", learning_rate, Real, lambda rate: 0 < rate < float("inf"), "a number above 0")
    check_argument("decay", decay, Real, lambda share: 0 < share <= 1, "above 0 and at most 1 (for 2.6, give 1/2.6)")


def check_schedule(unfreeze: Sequence[int], num_train_epochs: int) -> None:
    """Raise a CourseError unless an unfreezing schedule has one number for each epoch.

    Args:
        unfreeze: how many layer groups are trainable in each epoch.
        num_train_epochs: how many epochs there are.

    Raises:
        CourseError: if there are more or fewer numbers than epochs.
    """
    if len(unfreeze) != num_train_epochs:
        raise CourseError(
            f"The unfreezing schedule {list(unfreeze)} has {len(unfreeze)} numbers for {num_train_epochs} epochs: "
            "give one for each epoch, for example 1, 4, 7, 10."
        )


def read_classifier(path: str | PathLike[str]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Read a file of save_classifier; only tensors and plain values are read, never code.

    Args:
        path: of the file.

    Returns:
        The weights, and the facts saved with them; name, labels and hidden are among these.

    Raises:
        CourseError: if the file is cut off, is something else, or lacks one of these facts.
    """
    try:
        facts = torch.load(path, weights_only=True, map_location=train.choose_device())
        weights = facts.pop("weights")
        _ = facts["name"], facts["hidden"], len(facts["labels"])  # what load_classifier needs
    except (pickle.UnpicklingError, RuntimeError, LookupError, EOFError, AttributeError, TypeError) as error:
        raise CourseError(
            f"{path} is not a whole file of save_classifier ({type(error).__name__}): save it again."
        ) from error
    return weights, facts
