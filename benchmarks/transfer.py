"""Time what makes lesson 1 quick, each against the default, on the same network and photographs.

    python benchmarks/transfer.py                 everything, about ten minutes on two cores
    python benchmarks/transfer.py --repeats 1     a first look

Frozen features kept: one pass over 1,000 photographs and a head trained for ten epochs on the kept features, against
ten epochs of training the head with the frozen network computed anew in each. Layout and arithmetic: training steps in
channels_last, in bfloat16 and in both, against the default of contiguous tensors in float32. The variants run in turn,
so that a change of the machine's speed meets all; a ratio is taken within each turn and the median is quoted, with the
lowest and the highest beside it. Records go to results/benchmark_transfer.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from datasets import Dataset
from timing import ratios
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from ftcourse import records, train
from ftcourse.images import load_images
from ftcourse.profiles import load_profile
from ftcourse.surgery import find_head
from ftcourse.transfer import (
    extract_features,
    fit,
    freeze,
    load_cnn,
    make_loader,
    make_transforms,
    pixel_scale,
    replace_head,
)

SETTINGS = load_profile("01", "local")
EPOCHS = 10

Transform = Callable[[Any], torch.Tensor]  # from a PIL image to (3, height, width)


def seconds(function: Callable[[], object]) -> float:
    """Return the wall time of a call in seconds.

    Args:
        function: to call, without arguments.
    """
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def several(step: Callable[[], object], times: int) -> None:
    """Call a function several times.

    Args:
        step: to call, without arguments.
        times: how often.
    """
    for _ in range(times):
        step()


def frozen_model() -> nn.Module:
    """Return the lesson's network, frozen, with a new head for ten classes."""
    train.seed_everything(0)
    return replace_head(freeze(load_cnn(SETTINGS.model)), 10, SETTINGS.hidden)


def train_on_kept(dataset: Dataset, transform: Transform) -> None:
    """Compute the features once, then train the head on them for `EPOCHS` epochs.

    Args:
        dataset: the training images.
        transform: for evaluation.
    """
    model = frozen_model()
    features, targets = extract_features(model, make_loader(dataset, transform, 64))
    rows = TensorDataset(torch.from_numpy(features), torch.from_numpy(targets))
    head = find_head(model)[1].train()
    optimizer = torch.optim.AdamW(head.parameters(), SETTINGS.learning_rate)
    for _ in range(EPOCHS):
        for images, labels in DataLoader(rows, SETTINGS.batch_size, shuffle=True):
            nn.functional.cross_entropy(head(images), labels).backward()
            optimizer.step()
            optimizer.zero_grad()


def train_recomputing(dataset: Dataset, transform: Transform) -> None:
    """Train the head with the frozen network computed anew in every epoch.

    Args:
        dataset: the training images.
        transform: for evaluation.
    """
    loader = make_loader(dataset, transform, SETTINGS.batch_size, shuffle=True)
    fit(frozen_model(), loader, num_train_epochs=EPOCHS, learning_rate=SETTINGS.learning_rate)


def features_kept(dataset: Dataset, transform: Transform, repeats: int) -> dict[str, float]:
    """Time both ways to train a head in turn; write the record and return its metrics.

    Args:
        dataset: the training images.
        transform: for evaluation.
        repeats: turns of both ways.
    """
    turns = []
    with records.measure() as cost:
        for _ in range(repeats):
            recomputing = seconds(lambda: train_recomputing(dataset, transform))
            kept = seconds(lambda: train_on_kept(dataset, transform))
            turns.append((recomputing, kept))
            print(f"recomputing {recomputing:.1f} s, kept {kept:.1f} s", flush=True)
    metrics = {
        "seconds_recomputing": statistics.median(a for a, _ in turns),
        "seconds_with_features_kept": statistics.median(b for _, b in turns),
        **ratios([a / b for a, b in turns], "features_kept_"),
    }
    return write("features-kept", metrics, cost, images=len(dataset), epochs=EPOCHS, repeats=repeats)


def training_step(layout: torch.memory_format, dtype: torch.dtype) -> Callable[[], None]:
    """Return a function that takes one training step of all layers on a fixed batch.

    Args:
        layout: of the network's and the images' tensors.
        dtype: to compute in, float32 or bfloat16.
    """
    model = replace_head(load_cnn(SETTINGS.model), 10, SETTINGS.hidden).to(memory_format=layout).train()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-5)
    shape = SETTINGS.batch_size, 3, SETTINGS.image_size, SETTINGS.image_size
    images = torch.randn(shape).contiguous(memory_format=layout)
    labels = torch.arange(SETTINGS.batch_size) % 10

    def step() -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=dtype == torch.bfloat16):
            loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step


def layout_and_dtype(repeats: int, steps: int = 6) -> dict[str, float]:
    """Time training steps of every layout and dtype in turn; write the record and return its metrics.

    Args:
        repeats: turns of every variant.
        steps: how many are timed at once, after one that warms up.
    """
    variants = {
        "default": (torch.contiguous_format, torch.float32),
        "channels_last": (torch.channels_last, torch.float32),
        "bfloat16": (torch.contiguous_format, torch.bfloat16),
        "channels_last_and_bfloat16": (torch.channels_last, torch.bfloat16),
    }
    turns: dict[str, list[float]] = {name: [] for name in variants}
    with records.measure() as cost:
        for _ in range(repeats):
            for name, variant in variants.items():
                step = training_step(*variant)
                step()  # warms up
                turns[name].append(seconds(partial(several, step, steps)) / steps)
            print({name: f"{taken[-1]:.2f} s a step" for name, taken in turns.items()}, flush=True)
    metrics = {"default_seconds_per_step": statistics.median(turns["default"])}
    for name in list(variants)[1:]:
        metrics |= ratios([a / b for a, b in zip(turns["default"], turns[name], strict=True)], f"{name}_")
    return write("layout-and-dtype", metrics, cost, steps=steps, repeats=repeats, fast_bfloat16=train.has_bfloat16())


def write(run: str, metrics: dict[str, float], cost: dict[str, float], **settings: Any) -> dict[str, float]:
    """Write a record with the lesson's settings; return its metrics.

    Args:
        run: name of the record.
        metrics: what was measured.
        cost: as `records.measure` gives it.
        **settings: more settings to note.
    """
    settings |= {"model": SETTINGS.model, "image_size": SETTINGS.image_size, "batch_size": SETTINGS.batch_size}
    records.write_record("benchmark_transfer", run, metrics=metrics, settings=settings, cost=cost)
    return metrics


def main() -> None:
    """Run both benchmarks and print what they found."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, help="turns of every variant")
    options = parser.parse_args()
    print(layout_and_dtype(options.repeats))
    dataset = load_images(SETTINGS.data, num_train=SETTINGS.num_train)["train"]
    mean, std = pixel_scale(SETTINGS.model)
    transform = make_transforms(mean, std, SETTINGS.image_size)[1]
    print(features_kept(dataset, transform, options.repeats))


if __name__ == "__main__":
    main()
