"""The studies of lesson 1: ways to fine-tune over several seeds, each with a rate of its own, and a learning curve."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from types import SimpleNamespace
from typing import Any

from .. import profiles, records
from ..records import Folder
from .quality import fit_head
from .tuning import best_setting, inputs

ONE_RATE, DISCRIMINATIVE = "one rate", "discriminative rates"
# Each way: a method of the lesson, how the rates of its layer groups relate, and how many times the steps it takes.
WAYS: dict[str, tuple[str, str, int]] = {
    f"{method}, {rates}": (method, rates, 1)
    for method in ("all at once", "head first", "gradual")
    for rates in (ONE_RATE, DISCRIMINATIVE)
} | {
    "head only": ("head only", ONE_RATE, 1),
    "from scratch": ("from scratch", ONE_RATE, 1),
    "from scratch, ten times the steps": ("from scratch", ONE_RATE, 10),
}
# The learning rates that each way may choose from on validation photographs, of the head where rates differ: as many
# each. Where much is frozen or lags behind, the head takes higher ones.
LOWER, HIGHER = (3e-4, 1e-3, 3e-3), (1e-3, 3e-3, 1e-2)
TRIED = {
    way: HIGHER if rates == DISCRIMINATIVE or method == "head only" else LOWER
    for way, (method, rates, times) in WAYS.items()
    if times == 1  # trying ten times the steps would take longer than all the rest
}
STRENGTHS = (0.001, 0.01, 0.1)  # values of C that a head on frozen features may choose from
CURVE = ("all at once", "from scratch")


def transfer_tried(seeds: Sequence[int] = (100,), profile: str = "local", folder: Folder = None) -> None:
    """Try three learning rates of each way, to choose one of them by its accuracy on validation photographs.

    Args:
        seeds: one run each a rate; others than those of `transfer`.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = study_settings(profile)
    for seed in seeds:
        for way, rates in TRIED.items():
            for rate in rates:
                run = f"{_slug(way)}-{rate:g}-seed-{seed}"
                _way("transfer_tried", run, settings, seed, folder, way, rate, "validation")


def transfer(seeds: Sequence[int] = (0, 1, 2, 3, 4), profile: str = "local", folder: Folder = None) -> None:
    """Train in each of `WAYS`, once a seed, with the learning rate that `transfer_tried` found best.

    Args:
        seeds: one run each a way; a seed also chooses the training photographs.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = study_settings(profile)
    for way, (method, rates, times) in WAYS.items():
        tried = next(name for name, (*same, _) in WAYS.items() if same == [method, rates])
        rate = best_setting("transfer_tried", tried, folder)
        for seed in seeds:
            _way("transfer", f"{_slug(way)}-seed-{seed}", settings, seed, folder, way, rate, "test", times)


def transfer_curve(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: Folder = None) -> None:
    """Train with fewer and with more photographs: pretrained, from scratch, and a head alone on frozen features.

    The first two take the same number of steps at every size; the head is trained to its end.

    Args:
        seeds: one run each a size and method; a seed also chooses the training photographs.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("01", profile)
    steps = settings.num_train_epochs * ceil(settings.num_train / settings.batch_size)
    for seed in seeds:
        _heads(settings, seed, folder)
    for num_train in settings.curve:
        for method in CURVE:
            for seed in seeds:
                run = f"{num_train:05d}-{_slug(method)}-seed-{seed}"
                sized = _changed(settings, num_train=num_train, decay=1.0)
                _run("transfer_curve", run, sized, method, seed, folder, "test", steps)


def study_settings(profile: str = "local") -> SimpleNamespace:
    """Return the lesson's settings with the sizes of its study, which is made of many runs, in place of its own.

    Args:
        profile: whose settings to use.
    """
    settings = profiles.load_profile("01", profile)
    return _changed(settings, **settings.study)


def _changed(settings: SimpleNamespace, **changes: Any) -> SimpleNamespace:
    return SimpleNamespace(**{**vars(settings), **changes})


def _slug(way: str) -> str:
    return way.replace(",", "").replace(" ", "-")


def _way(
    study: str,
    run: str,
    settings: SimpleNamespace,
    seed: int,
    folder: Folder,
    way: str,
    rate: float,
    split: str,
    times: int = 1,
) -> None:
    """Do one run of a way with a learning rate, and write its record, unless it is there."""
    method, rates, _ = WAYS[way]
    decay = settings.decay if rates == DISCRIMINATIVE else 1.0
    changed = _changed(settings, learning_rate=rate, scratch_learning_rate=rate, decay=decay)
    steps = times * settings.num_train_epochs * ceil(settings.num_train / settings.batch_size)
    _run(study, run, changed, method, seed, folder, split, steps, way=way, value=rate, rates=rates)


def _run(
    study: str,
    run: str,
    settings: SimpleNamespace,
    method: str,
    seed: int,
    folder: Folder,
    split: str,
    max_steps: int,
    **facts: Any,
) -> None:
    """Train by a method of the lesson, measure on a split, and write the record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from ..transfer import evaluate, make_loader
    from ..transfer import transfer as train_classifier

    dataset = _load(settings, settings.num_train, seed)
    with records.measure() as cost:
        model, transform = train_classifier(dataset, settings, method, seed, max_steps)
    found = evaluate(model, make_loader(dataset[split], transform, 64, num_workers=settings.num_workers))
    metrics = {f"{split}_accuracy".removeprefix("test_"): found["eval_accuracy"]}
    rate = settings.scratch_learning_rate if method == "from scratch" else settings.learning_rate
    facts |= dict(method=method, learning_rate=rate, decay=settings.decay, max_steps=max_steps)
    if method in settings.unfreeze:
        facts["unfreeze"] = list(settings.unfreeze[method])
    _write(study, run, settings, seed, folder, dataset, metrics, cost, **facts)


def _heads(settings: SimpleNamespace, seed: int, folder: Folder) -> None:
    """Train a linear head on frozen features for every size of the curve, and write the records that are not there.

    The features of the most photographs are computed once: the fewer photographs of a seed are the first of the more.
    C is chosen on validation photographs.
    """
    runs = {num_train: f"{num_train:05d}-head-only-seed-{seed}" for num_train in settings.curve}
    if all([records.is_done("transfer_curve", run, folder) for run in runs.values()]):
        return
    from ..transfer import extract_features, load_cnn, make_loader, make_transforms, pixel_scale

    dataset = _load(settings, max(runs), seed)
    mean, std = pixel_scale(settings.model, settings.weights)
    _, transform = make_transforms(mean, std, settings.image_size)
    cnn = load_cnn(settings.model, settings.weights)
    kept = {split: extract_features(cnn, make_loader(rows, transform, 64)) for split, rows in dataset.items()}
    for num_train, run in runs.items():
        with records.measure() as cost:
            features, targets = (rows[:num_train] for rows in kept["train"])
            heads = {strength: fit_head(features, targets, C=strength) for strength in STRENGTHS}
            best = max(heads, key=lambda strength: heads[strength].score(*kept["validation"]))
        metrics = {"accuracy": float(heads[best].score(*kept["test"]))}
        fewer = {**dataset, "train": dataset["train"].select(range(min(num_train, len(dataset["train"]))))}
        facts = dict(method="head only", C=best)
        _write("transfer_curve", run, settings, seed, folder, fewer, metrics, cost, **facts)


def _load(settings: SimpleNamespace, num_train: int, seed: int) -> Any:
    from ..images import load_images

    return load_images(settings.data, settings.data_revision, num_train, settings.num_eval, settings.num_test, seed)


def _write(
    study: str,
    run: str,
    settings: SimpleNamespace,
    seed: int,
    folder: Folder,
    dataset: Any,
    metrics: dict[str, float],
    cost: dict[str, float],
    **facts: Any,
) -> None:
    """Write the record of a run and say how it went."""
    kept = {name: getattr(settings, name) for name in ("weights", "image_size", "batch_size", "hidden")}
    used = inputs(settings, seed, dataset, **kept, **facts)
    records.write_record(study, run, metrics=metrics, settings=used, cost=cost, folder=folder)
    print(f"{study}/{run}: {max(metrics.values()):.4f} in {cost['seconds']:.0f} s", flush=True)
