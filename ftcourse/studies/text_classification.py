"""The studies of lesson 3: several seeds, a learning curve, and a run with too little of everything.

Args:
    seeds: one run each.
    profile: whose settings to use.
    folder: of the records; by default the repository's ``results/``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from datasets import Dataset

from .. import profiles, records
from ..records import Folder
from ..reviews import NEGATION, load_contrast_pairs

if TYPE_CHECKING:
    from transformers import Trainer


def text_classification(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: Folder = None) -> None:
    """Fine-tune on all training sentences once a seed; beside it the baseline, and reviews of another kind.

    Args:
        seeds: one run each.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("03", profile)
    for seed in seeds:
        _run("text_classification", f"seed-{seed}", settings, seed, folder, out_of_domain=True)


def text_classification_curve(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: Folder = None) -> None:
    """Fine-tune on fewer and fewer sentences, with enough epochs for the same number of steps at each size.

    Args:
        seeds: one run each at each size.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("03", profile)
    for num_train, epochs in settings.curve:
        for seed in seeds:
            # One run keeps its losses after each epoch: the picture of over-fitting.
            history = num_train == settings.curve[0][0] and seed == seeds[0]
            run = f"{num_train:05d}-seed-{seed}"
            _run(
                "text_classification_curve", run, settings, seed, folder,
                num_train=num_train, num_train_epochs=epochs, history=history,
            )  # fmt: skip


def text_classification_negation(
    seeds: Sequence[int] = (0, 1, 2, 3, 4), profile: str = "local", folder: Folder = None
) -> None:
    """Does it read *not*? Few sentences, many, and many of which a tenth are contrast pairs, in equally many steps.

    Args:
        seeds: one run each a way.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("03", profile)
    (few, passes), (many, epochs) = settings.curve[0], settings.curve[-1]
    for seed in seeds:
        for way, num_train, num_train_epochs in (
            ("few", few, passes), ("many", many, epochs), ("many-with-pairs", many, epochs)
        ):  # fmt: skip
            _run(
                "text_classification_negation", f"{way}-seed-{seed}", settings, seed, folder,
                num_train=num_train, num_train_epochs=num_train_epochs, way=way,
            )  # fmt: skip


def _run(
    study: str,
    run: str,
    settings: Any,
    seed: int,
    folder: Folder,
    *,
    num_train: int | None = None,
    out_of_domain: bool = False,
    history: bool = False,
    way: str | None = None,
    **changes: Any,
) -> None:
    """Do one run and write its record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from ..classification import fine_tune, tokenize, train_baseline
    from ..reviews import load_out_of_domain, load_reviews

    num_train = num_train or settings.num_train
    dataset = load_reviews(
        settings.data, settings.data_revision, num_train, settings.num_eval, settings.num_test, seed=seed
    )
    if way == "many-with-pairs":
        dataset["train"] = _with_pairs(dataset["train"])
    training = {
        "num_train_epochs": settings.num_train_epochs,
        "learning_rate": settings.learning_rate,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
        **changes,
    }
    by_epoch: dict[str, Any] = dict(eval_strategy="epoch", logging_strategy="epoch") if history else {}
    with tempfile.TemporaryDirectory() as output_dir, records.measure() as cost:
        trainer = fine_tune(
            dataset, settings.model, output_dir, seed=seed, max_length=settings.max_length,
            revision=settings.model_revision, model_config=settings.model_config, **by_epoch, **training,
        )  # fmt: skip

    def accuracy(part: Any, max_length: int) -> float:
        tokenized = tokenize(part, trainer.processing_class, max_length)
        return trainer.evaluate(tokenized)["eval_accuracy"]

    baseline = train_baseline(dataset["train"], dataset["validation"])
    metrics = {
        "accuracy": accuracy(dataset["test"], settings.max_length),
        "validation_accuracy": accuracy(dataset["validation"], settings.max_length),
        "baseline_accuracy": baseline.score(dataset["test"]["text"], dataset["test"]["label"]),
    }
    if out_of_domain:
        other = load_out_of_domain(settings.out_of_domain, settings.num_out_of_domain)
        metrics["out_of_domain_accuracy"] = accuracy(other, settings.max_length_out_of_domain)
        metrics["out_of_domain_baseline_accuracy"] = baseline.score(other["text"], other["label"])
    if way:
        metrics |= _negations(dataset["test"], trainer, settings.max_length)
    sizes = {f"num_{split}": len(rows) for split, rows in dataset.items()}
    inputs = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data}
    inputs |= {"way": way} if way else {}
    more = {"history": _losses(trainer.state.log_history)} if history else {}
    records.write_record(
        study, run, metrics=metrics, settings={**inputs, **sizes, **training}, cost=cost, folder=folder, **more
    )
    print(f"{study}/{run}: accuracy {metrics['accuracy']:.4f} in {cost['seconds']:.0f} s")


def _losses(log_history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Return one row an epoch with the training loss and the validation loss."""
    training = {row["epoch"]: row["loss"] for row in log_history if "loss" in row}
    validation = {row["epoch"]: row["eval_loss"] for row in log_history if "eval_loss" in row}
    return [
        {"epoch": epoch, "train_loss": training[epoch], "eval_loss": validation[epoch]}
        for epoch in sorted(training.keys() & validation.keys())
    ]


def _with_pairs(rows: Dataset) -> Dataset:
    """Return as many rows, of which the last tenth are contrast pairs, each as often as it takes."""
    from datasets import concatenate_datasets

    pairs = load_contrast_pairs("train")
    texts = [*pairs["praise"], *pairs["pan"]]
    labels = [1] * len(pairs) + [0] * len(pairs)
    count = max(len(rows) // 10, 1)
    places = [place % len(texts) for place in range(count)]
    added = Dataset.from_dict(
        {"text": [texts[place] for place in places], "label": [labels[place] for place in places]}
    ).cast_column("label", rows.features["label"])
    kept = rows.select(range(len(rows) - count)).select_columns(["text", "label"])
    return concatenate_datasets([kept, added])


def _negations(rows: Dataset, trainer: Trainer, max_length: int) -> dict[str, float]:
    """Return accuracy on the sentences with a negation and without one, and the share of pairs that are right."""
    from ..classification import predict

    def labels(texts: Sequence[str]) -> np.ndarray:
        found = predict(list(texts), trainer.model, trainer.processing_class, max_length=max_length)
        return np.array([trainer.model.config.label2id[row["label"]] for row in found])

    right = labels(rows["text"][:]) == np.array(rows["label"][:])
    negated = np.array([NEGATION.search(text) is not None for text in rows["text"][:]])
    pairs = load_contrast_pairs("test")
    both = (labels(pairs["praise"]) == 1) & (labels(pairs["pan"]) == 0)
    return {
        "negated_accuracy": float(right[negated].mean()),
        "other_accuracy": float(right[~negated].mean()),
        "pairs_right": float(both.mean()),
        **{f"pairs_right_{where}": float(both[pairs["negated"] == where].mean()) for where in ("praise", "pan")},
    }
