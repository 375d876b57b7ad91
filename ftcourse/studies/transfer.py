"""The studies of lesson 1: six ways to train over several seeds, and a learning curve with and without pretraining."""

from collections.abc import Sequence
from math import ceil
from pathlib import Path
from types import SimpleNamespace

from .. import profiles, records


def transfer(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: Path | None = None) -> None:
    """Train in each of `METHODS`, once a seed, with the same number of steps.

    Args:
        seeds: one run each a method; a seed also chooses the training images.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    from ..transfer import METHODS

    settings = profiles.load_profile("01", profile)
    for seed in seeds:
        for method in METHODS:
            _run("transfer", f"{method.replace(' ', '-')}-seed-{seed}", settings, method, seed, folder)


def transfer_curve(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: Path | None = None) -> None:
    """Train with fewer and with more images, pretrained and from scratch, always for the same number of steps.

    Args:
        seeds: one run each a size and method; a seed also chooses the training images.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("01", profile)
    max_steps = settings.num_train_epochs * ceil(settings.num_train / settings.batch_size)
    for num_train in settings.curve:
        for method in ("all at once", "from scratch"):
            for seed in seeds:
                run = f"{num_train:05d}-{method.replace(' ', '-')}-seed-{seed}"
                _run("transfer_curve", run, settings, method, seed, folder, num_train, max_steps)


def _run(
    study: str,
    run: str,
    settings: SimpleNamespace,
    method: str,
    seed: int,
    folder: Path | None,
    num_train: int | None = None,
    max_steps: int | None = None,
) -> None:
    """Do one run and write its record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from ..images import load_images
    from ..transfer import evaluate, make_loader
    from ..transfer import transfer as train_classifier

    num_train = num_train or settings.num_train
    dataset = load_images(settings.data, settings.data_revision, num_train, settings.num_eval, settings.num_test, seed)
    with records.measure() as cost:
        model, transform = train_classifier(dataset, settings, method, seed, max_steps)
    metrics = {}
    for prefix, split in (("", "test"), ("validation_", "validation")):
        found = evaluate(model, make_loader(dataset[split], transform, 64, num_workers=settings.num_workers))
        metrics[f"{prefix}accuracy"] = found["eval_accuracy"]
    sizes = {f"num_{split}": len(rows) for split, rows in dataset.items()}
    kept = ("profile", "model", "weights", "data", "image_size", "batch_size", "hidden", "num_train_epochs")
    inputs = {name: getattr(settings, name) for name in kept} | {"method": method, "seed": seed, "max_steps": max_steps}
    rates = {"learning_rate": settings.scratch_learning_rate if method == "from scratch" else settings.learning_rate}
    if method in settings.unfreeze:
        rates |= {"decay": settings.decay, "unfreeze": list(settings.unfreeze[method])}
    records.write_record(study, run, metrics=metrics, settings={**inputs, **rates, **sizes}, cost=cost, folder=folder)
    print(f"{study}/{run}: accuracy {metrics['accuracy']:.4f} in {cost['seconds']:.0f} s", flush=True)
