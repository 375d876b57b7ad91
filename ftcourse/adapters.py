"""What can have an adapter, and what is wrong with the settings of one: the checks of lesson 4."""

from collections.abc import Iterable
from typing import Any

import torch
from transformers.pytorch_utils import Conv1D

from .errors import CourseError

ALL_LINEAR = "all-linear"  # peft's word for every linear layer but the output layer


def linear_layers(model: Any) -> set[str]:
    """Return the names of a model's linear layers, the last part of each, without the output layer.

    GPT-2's ``Conv1D`` counts: it is a linear layer whose matrix is stored the other way round.

    Args:
        model: a language model of transformers.
    """
    output = model.get_output_embeddings()
    return {
        name.split(".")[-1]
        for name, layer in model.named_modules()
        if isinstance(layer, (torch.nn.Linear, Conv1D)) and layer is not output
    }


def check_adapters(model: Any, r: int, lora_alpha: float, target_modules: str | Iterable[str]) -> dict[str, Any]:
    """Check the settings of adapters against the model that is to have them.

    Args:
        model: a language model of transformers.
        r: rank.
        lora_alpha: the adapters' output is scaled by ``lora_alpha / r``.
        target_modules: names of the layers that get an adapter, the last part of each; or ``"all-linear"``.

    Returns:
        The arguments of peft's LoraConfig that follow: target_modules, and fan_in_fan_out where a matrix is stored the
        other way round.

    Raises:
        CourseError: for a rank or scale that makes no adapter, or naming a layer that doesn't exist and those that do.
    """
    if r < 1 or lora_alpha <= 0:
        raise CourseError(
            f"There is no adapter of rank {r} and lora_alpha {lora_alpha}: the rank is a whole number "
            "from 1 on (8 or 16 are usual), lora_alpha is above 0 (twice the rank is usual)."
        )
    names = linear_layers(model)
    fan_in_fan_out = any(isinstance(layer, Conv1D) for layer in model.modules())
    if target_modules == ALL_LINEAR:
        return {"target_modules": ALL_LINEAR, "fan_in_fan_out": fan_in_fan_out}
    target_modules = [target_modules] if isinstance(target_modules, str) else list(target_modules)
    if not target_modules:
        raise CourseError(f"No layer is named: choose among {', '.join(sorted(names))}, or pass {ALL_LINEAR!r}.")
    if unknown := [target for target in target_modules if target not in names]:
        raise CourseError(
            f"The model has no layer {', '.join(unknown)}. Its layers that can have an adapter are "
            f"{', '.join(sorted(names))}: choose among them, or pass {ALL_LINEAR!r}."
        )
    return {"target_modules": target_modules, "fan_in_fan_out": fan_in_fan_out}


def check_bitsandbytes(kind: str) -> None:
    """Check that weights can be quantised here.

    Args:
        kind: in what, for the message.

    Raises:
        CourseError: saying what to do, if bitsandbytes isn't installed.
    """
    from importlib.util import find_spec

    if find_spec("bitsandbytes") is None:
        raise CourseError(
            f"Loading in {kind} needs the package bitsandbytes, which isn't installed here: run "
            "`pip install bitsandbytes`, or use the method 'lora', which needs no quantisation."
        )
