"""The study of lesson 9: four ways to fine-tune the same model, measured alike."""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import profiles, records
from ..records import Folder
from ..ways import WAYS, adapted_classifier
from .memory import in_own_process, saved_mb
from .quality import embed, fit_head
from .tuning import accuracy, best_setting, inputs, tuning_data

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

# What each way may choose from on validation films: as many values each, around what the lessons use. Feature
# extraction has no steps; its setting is scikit-learn's C.
TRIED: dict[str, tuple[float, ...]] = {
    "full fine-tuning": (1e-4, 2e-4, 4e-4),
    "feature extraction": (0.003, 0.03, 0.3),
    "LoRA": (1e-3, 2e-3, 4e-3),
    "QLoRA": (1e-3, 2e-3, 4e-3),
}

Trained = tuple[dict[str, float], Callable[["Dataset"], float]]  # what it takes, and the accuracy on sentences


def best_practices_ways_tried(seeds: Sequence[int] = (100,), profile: str = "local", folder: Folder = None) -> None:
    """Try three settings of each way, to choose one of them by its accuracy on the validation films.

    Args:
        seeds: one run each a setting; others than those of `best_practices_ways`.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    for seed in seeds:
        for way in WAYS:
            for value in TRIED[way]:
                run = f"{way.replace(' ', '-')}-{value:g}-seed-{seed}"
                in_own_process(_way, "best_practices_ways_tried", run, profile, seed, folder, way, value)


def best_practices_ways(seeds: Sequence[int] = (0, 1, 2, 3, 4), profile: str = "local", folder: Folder = None) -> None:
    """Fine-tune the same model on the same sentences in four ways, each run in a process of its own.

    Each way takes the setting that `best_practices_ways_tried` found best.

    Args:
        seeds: one run each a way.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    for way in WAYS:
        value = best_setting("best_practices_ways_tried", way, folder)
        for seed in seeds:
            run = f"{way.replace(' ', '-')}-seed-{seed}"
            in_own_process(_way, "best_practices_ways", run, profile, seed, folder, way, value)


def _way(study: str, run: str, profile: str, seed: int, folder: Folder, way: str, value: float) -> None:
    """Do one run of a way with a value of its setting, and write its record."""
    import bitsandbytes  # noqa: F401  (loaded before the memory is measured: libraries aren't training)
    import peft  # noqa: F401  (the same)
    import psutil
    from transformers import AutoModel, Trainer  # noqa: F401  (the same)

    settings = profiles.load_profile("09", profile)
    dataset = tuning_data(settings, settings.study_sizes, seed)
    before = psutil.Process().memory_info().rss / 1e6
    train_way = _features if way == "feature extraction" else _classifier
    with records.measure() as cost:
        metrics, judge = train_way(settings, dataset, seed, way, value)
    if study == "best_practices_ways":  # what is only tried doesn't see the test
        metrics["accuracy"] = judge(dataset["test"])
    metrics |= {
        "validation_accuracy": judge(dataset["validation"]),
        "training_memory_mb": round(cost["peak_memory_mb"] - before, 1),
    }
    used = inputs(settings, seed, dataset, **_training(settings, way, value), way=way, value=value)
    records.write_record(study, run, metrics=metrics, settings=used, cost=cost, folder=folder)
    print(f"{study}/{run}: validation {metrics['validation_accuracy']:.4f} in {cost['seconds']:.0f} s", flush=True)


def _training(settings: SimpleNamespace, way: str, value: float) -> dict[str, Any]:
    """Return the arguments of training in a way; without a learning rate where there are no steps."""
    return {
        "learning_rate": None if way == "feature extraction" else value,
        "num_train_epochs": settings.study_epochs,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
    }


def _features(settings: SimpleNamespace, dataset: DatasetDict, seed: int, way: str, value: float) -> Trained:
    """Train a logistic regression on frozen features."""
    head = fit_head(embed(settings, dataset["train"]["text"][:]), dataset["train"]["label"], C=value)
    counts = {"trainable": head.coef_.size + head.intercept_.size, "saved_mb": round(len(pickle.dumps(head)) / 1e6, 3)}
    return counts, lambda rows: float(head.score(embed(settings, rows["text"][:]), rows["label"]))


def _classifier(settings: SimpleNamespace, dataset: DatasetDict, seed: int, way: str, value: float) -> Trained:
    """Fine-tune the classifier in the way that is asked for."""
    from transformers import AutoTokenizer

    from .. import train
    from ..classification import compute_metrics, tokenize
    from ..files import model_path

    train.seed_everything(seed)
    tokenizer = AutoTokenizer.from_pretrained(model_path(settings.model), revision=settings.model_revision)
    tokenized = tokenize(dataset, tokenizer, settings.max_length)
    model = adapted_classifier(settings.model, way, revision=settings.model_revision, **settings.model_config)
    with tempfile.TemporaryDirectory() as output_dir:
        args = train.training_arguments(
            output_dir, seed=seed, label_names=["labels"], **_training(settings, way, value)
        )
        trainer = train.build_trainer(
            model,
            args,
            processing_class=tokenizer,
            train_dataset=tokenized["train"],
            eval_dataset=tokenized["validation"],
            compute_metrics=compute_metrics,
        )
        trainer.train()
    counts = {"trainable": model.num_parameters(only_trainable=True), "saved_mb": saved_mb(model)}
    return counts, lambda rows: accuracy(trainer, rows, settings.max_length)
