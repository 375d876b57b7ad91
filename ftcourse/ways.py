"""The ways to fine-tune a classifier that lesson 9 compares, and the model that each of them trains."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .errors import CourseError

if TYPE_CHECKING:
    from torch import nn

HEADS = ("classifier", "pre_classifier", "score")  # usual names of heads, which are trained whole
WAYS = ("full fine-tuning", "feature extraction", "LoRA", "QLoRA")


def linear_names(model: nn.Module) -> set[str]:
    """Return the last part of the name of each linear layer.

    Args:
        model: any model of PyTorch.
    """
    import torch

    return {name.split(".")[-1] for name, layer in model.named_modules() if isinstance(layer, torch.nn.Linear)}


def adapted_classifier(model_name: str, way: str, r: int = 8, revision: str | None = None, **config: Any) -> Any:
    """Load a classifier as a way of fine-tuning needs it: all weights trainable, or adapters on all linear layers.

    Args:
        model_name: an asset, a folder or a name on the hub.
        way: "full fine-tuning", "LoRA" or "QLoRA".
        r: rank of the adapters.
        revision: pinned revision on the hub.
        **config: settings of the model to change.

    Returns:
        A model of transformers, or of peft where it has adapters.

    Raises:
        CourseError: if there is no such way, or it trains no classifier, as feature extraction.
    """
    from peft import LoraConfig, TaskType, get_peft_model
    from torch import nn

    from . import lora
    from .classification import load_classifier

    if way not in WAYS or way == "feature extraction":
        raise CourseError(
            f"There is no classifier to train in the way {way!r}: choose full fine-tuning, LoRA or QLoRA."
        )
    quantization = {}
    if way == "QLoRA":
        quantization["quantization_config"] = lora.quantization_config("nf4")
        quantization["quantization_config"].llm_int8_skip_modules = list(HEADS)  # a fresh head stays as it is
    model = load_classifier(model_name, revision=revision, **quantization, **config)
    if way == "full fine-tuning":
        return model
    model = lora.prepare(model) if quantization else model
    body = model.base_model_prefix
    targets = sorted(
        f"{body}.{name}" for name, layer in model.base_model.named_modules() if isinstance(layer, nn.Linear)
    )
    heads = [name for name, part in model.named_children() if name != body and any(True for _ in part.parameters())]
    adapters = LoraConfig(
        task_type=TaskType.SEQ_CLS, r=r, lora_alpha=2 * r, target_modules=targets, modules_to_save=heads
    )
    return get_peft_model(model, adapters)
