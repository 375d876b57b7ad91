"""Networks for images: their pretrained weights, the pixels that these expect, and saving what was trained."""

from __future__ import annotations

import io
from os import PathLike
from pathlib import Path
from typing import Any

import torch
import torchvision
from torch import nn

from . import assets, train
from .files import write_atomically
from .surgery import find_weights

LITE0 = "tf_efficientnet_lite0"  # timm's name for EfficientNet-Lite0


def load_cnn(name: str = "efficientnet-lite0", weights: str | None = None, pretrained: bool = True) -> nn.Module:
    """Load a convolutional network with its ImageNet head of 1,000 classes, in the channels_last layout.

    The weights of EfficientNet-Lite0 were saved under other names in the same order, so they are matched by order.

    Args:
        name: ``"efficientnet-lite0"``, or a classifier of torchvision such as ``"resnet50"``.
        weights: torchvision's name of the weights, such as ``"IMAGENET1K_V2"``; EfficientNet-Lite0 needs none.
        pretrained: False for random numbers.

    Returns:
        The network, on the device that `train.choose_device` chooses.

    Raises:
        CourseError: if torchvision has no network or no weights of that name.
    """
    if name != "efficientnet-lite0":
        model = torchvision.models.get_model(name, weights=find_weights(name, weights) if pretrained else None)
    else:
        import timm

        model = timm.create_model(LITE0, pretrained=False)
        if pretrained:
            (path,) = assets.fetch(name).glob("*.pth")
            saved = torch.load(path, weights_only=True)
            model.load_state_dict(dict(zip(model.state_dict(), saved.values(), strict=True)))
    return model.to(train.choose_device(), memory_format=torch.channels_last)


def pixel_scale(name: str, weights: str | None = None) -> tuple[list[float], list[float]]:
    """Return the mean and the deviation of the colours that weights were trained with, each a list of three.

    Args:
        name: of the network, as `load_cnn` takes it.
        weights: name of its weights, as `load_cnn` takes it.
    """
    if name != "efficientnet-lite0":
        preset = find_weights(name, weights).transforms()
        return list(preset.mean), list(preset.std)
    import timm

    config = timm.get_pretrained_cfg(LITE0)
    return list(config.mean), list(config.std)


def autocast() -> torch.autocast:
    """Return the context to compute in: bfloat16 where that is fast, else float32."""
    return torch.autocast(train.choose_device(), dtype=torch.bfloat16, enabled=train.has_bfloat16())


def save_classifier(model: nn.Module, path: str | PathLike[str], **facts: Any) -> Path:
    """Save a model's weights and what is needed to use them in one file, whole or not at all; return its path.

    Args:
        model: a classifier.
        path: of the file to write.
        **facts: what is needed to use it: labels, name and hidden, as `load_cnn` and `replace_head` take them, and
            mean, std and image_size.
    """
    file = io.BytesIO()
    torch.save({"weights": model.state_dict(), **facts}, file)
    return write_atomically(path, file.getvalue())
