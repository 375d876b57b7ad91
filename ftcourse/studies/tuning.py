"""The studies of lesson 8: what each setting does, and a search against the usual values."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import profiles, records
from ..records import Folder

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

# Each is changed alone; beside them runs with all settings as the profile has them, which show the noise of the seed.
SWEEP: dict[str, tuple[Any, ...]] = {
    "learning_rate": (2e-5, 6e-5, 6e-4, 2e-3),
    "lr_scheduler_type": ("cosine", "constant_with_warmup"),
    "warmup_steps": (0.0, 0.5),
    "batch": ((8, 1), (8, 4), (128, 1)),  # examples at once, batches that are accumulated
    "num_train_epochs": (1, 4),
    "weight_decay": (0.0, 0.3),
}

RATES = (6e-5, 2e-4, 6e-4)  # what the range test suggests, the lesson's, and where the test's loss was lowest
NOISE_SEEDS = 5  # of the runs with nothing changed


def best_practices_sweep(seeds: Sequence[int] = (0,), profile: str = "local", folder: Folder = None) -> None:
    """Change one setting at a time in short runs on few sentences, judged on sentences of other training films.

    Args:
        seeds: of the runs with a changed setting.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("08", profile)
    for seed in range(NOISE_SEEDS):
        _try(f"default-seed-{seed}", settings, seed, folder, "default", "", {})
    for seed in seeds:
        for setting, values in SWEEP.items():
            for value in values:
                shown, changes = str(value), {setting: value}
                if setting == "batch":
                    shown = f"{value[0]} x {value[1]}"
                    changes = {"per_device_train_batch_size": value[0], "gradient_accumulation_steps": value[1]}
                name = f"{setting}-{shown}".replace("_", "-").replace(" ", "")
                _try(f"{name}-seed-{seed}", settings, seed, folder, setting, shown, changes)


def best_practices_search(
    seeds: Sequence[int] = (0, 1, 2, 3, 4), profile: str = "local", folder: Folder = None
) -> None:
    """Search with Optuna, and spend the same number of steps on the recommended settings; test both.

    Args:
        seeds: one search each.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("08", profile)
    for seed in seeds:
        _search(f"seed-{seed}", settings, seed, folder)


def best_practices_rates(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: Folder = None) -> None:
    """Train at three constant learning rates for many passes, and measure after each: how many steps does a rate need?

    Args:
        seeds: one run each a rate.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("08", profile)
    for seed in seeds:
        for rate in RATES:
            _watch(f"{rate:g}-seed-{seed}", settings, seed, folder, rate)


def best_setting(study: str, way: str, folder: Folder = None) -> Any:
    """Return the value of a way's setting that had the highest accuracy on validation, of those that a study tried.

    Args:
        study: whose records have way, value and validation_accuracy.
        way: one of the study's ways.
        folder: of the records; by default the repository's ``results/``.
    """
    tried = records.as_frame(records.load_records(study, folder)).query("way == @way")
    return tried.groupby("value")["validation_accuracy"].mean().idxmax()


def tuning_data(settings: SimpleNamespace, sizes: Mapping[str, int | None], seed: int) -> DatasetDict:
    """Return few training sentences, sentences of other training films to choose on, and the test sentences.

    Args:
        settings: with data and data_revision.
        sizes: how many sentences of each split to keep; None keeps all.
        seed: of the choice of training sentences.
    """
    from datasets import DatasetDict

    from ..classification import load_reviews
    from ..splits import split_by_group, take

    dataset = load_reviews(settings.data, settings.data_revision)
    parts = split_by_group(dataset["train"], "film")
    splits = {"train": parts["train"].shuffle(seed=seed), "validation": parts["test"], "test": dataset["test"]}
    return DatasetDict({split: take(rows, sizes[split]) for split, rows in splits.items()})


def inputs(settings: SimpleNamespace, seed: int, dataset: DatasetDict, **more: Any) -> dict[str, Any]:
    """Return what a record says went in.

    Args:
        settings: with profile, model and data.
        seed: of the run.
        dataset: whose splits are counted.
        **more: further settings.
    """
    sizes = {f"num_{split}": len(rows) for split, rows in dataset.items()}
    return {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data, **sizes, **more}


def accuracy(trainer: Any, rows: Dataset, max_length: int) -> float:
    """Return the accuracy of a Trainer's model on sentences.

    Args:
        trainer: a `transformers.Trainer` that measures accuracy.
        rows: with text and label.
        max_length: longer texts are cut.
    """
    from ..classification import tokenize

    return trainer.evaluate(tokenize(by_length(rows), trainer.processing_class, max_length))["eval_accuracy"]


def by_length(rows: Dataset) -> Dataset:
    """Return the rows with the longest texts first: batches of like lengths take half the time, and the same accuracy.

    Args:
        rows: with text.
    """
    texts = rows["text"][:]
    return rows.select(sorted(range(len(texts)), key=lambda row: -len(texts[row])))


def _fine_tune(settings: SimpleNamespace, dataset: DatasetDict, seed: int, **training: Any) -> Any:
    """Return the Trainer of lesson 3's fine-tuning."""
    from .. import classification

    with tempfile.TemporaryDirectory() as output_dir:
        return classification.fine_tune(
            dataset,
            settings.model,
            output_dir,
            seed=seed,
            max_length=settings.max_length,
            revision=settings.model_revision,
            model_config=settings.model_config,
            **training,
        )


def _default(settings: SimpleNamespace) -> dict[str, Any]:
    """Return the settings with nothing changed."""
    return {
        "learning_rate": settings.learning_rate,
        "num_train_epochs": settings.num_train_epochs,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
    }


def _try(
    run: str, settings: SimpleNamespace, seed: int, folder: Folder, setting: str, value: str, changes: Mapping[str, Any]
) -> None:
    """Do one run of the study `best_practices_sweep` and write its record, unless it is there."""
    study = "best_practices_sweep"
    if records.is_done(study, run, folder):
        return
    training, dataset = {**_default(settings), **changes}, tuning_data(settings, settings.study_sizes, 0)
    with records.measure() as cost:
        trainer = _fine_tune(settings, dataset, seed, **training)
    losses = [row["train_loss"] for row in trainer.state.log_history if "train_loss" in row]
    metrics = {
        "validation_accuracy": accuracy(trainer, dataset["validation"], settings.max_length),
        "train_loss": losses[-1],
        "steps": trainer.state.global_step,
    }
    used = inputs(settings, seed, dataset, **training, setting=setting, value=value)
    records.write_record(study, run, metrics=metrics, settings=used, cost=cost, folder=folder)
    print(f"{study}/{run}: {metrics['validation_accuracy']:.4f} in {cost['seconds']:.0f} s", flush=True)


def _watch(run: str, settings: SimpleNamespace, seed: int, folder: Folder, rate: float) -> None:
    """Do one run of the study `best_practices_rates` and write its record, unless it is there."""
    study = "best_practices_rates"
    if records.is_done(study, run, folder):
        return
    dataset = tuning_data(settings, settings.study_sizes, 0)
    dataset["validation"] = by_length(dataset["validation"])
    training = {
        **_default(settings),
        "learning_rate": rate,
        "lr_scheduler_type": "constant_with_warmup",
        "num_train_epochs": settings.max_epochs,
    }
    with records.measure() as cost:
        trainer = _fine_tune(settings, dataset, seed, eval_strategy="epoch", **training)
    history = [
        {"step": row["step"], "validation_accuracy": row["eval_accuracy"], "validation_loss": row["eval_loss"]}
        for row in trainer.state.log_history
        if "eval_loss" in row
    ]
    metrics = {"best_validation_accuracy": max(row["validation_accuracy"] for row in history)}
    used = inputs(settings, seed, dataset, **training)
    records.write_record(study, run, metrics=metrics, settings=used, cost=cost, folder=folder, history=history)
    print(f"{study}/{run}: {metrics['best_validation_accuracy']:.4f} in {cost['seconds']:.0f} s", flush=True)


def _search(run: str, settings: SimpleNamespace, seed: int, folder: Folder) -> None:
    """Do one run of the study `best_practices_search` and write its record, unless it is there."""
    study = "best_practices_search"
    if records.is_done(study, run, folder):
        return
    from transformers import AutoTokenizer

    from .. import tuning
    from ..classification import tokenize
    from ..files import model_path

    dataset, training = tuning_data(settings, settings.search_sizes, 0), _default(settings)
    rate = training.pop("learning_rate")
    tokenizer = AutoTokenizer.from_pretrained(model_path(settings.model), revision=settings.model_revision)
    tokenized = tokenize(dataset, tokenizer, settings.max_length)
    maker = tuning.model_maker(settings.model, settings.model_revision, settings.model_config)
    trials_of = dict(num_trials=settings.search_trials, num_random=settings.search_random)
    how = tuning.study_options(seed, settings.search_random)
    options = dict(training, num_trials=settings.search_trials, seed=seed, study=how, eval_steps=0.5)
    with tempfile.TemporaryDirectory() as output_dir, records.measure() as cost:
        best, trials = tuning.search(
            maker, tokenized["train"], tokenized["validation"], tokenizer, output_dir, **options
        )
    # The search has trained its best model already, so its whole budget is the steps of its trials.
    budget = int(trials["steps"].sum())
    metrics = {
        "budget_steps": budget,
        "pruned": int(trials["pruned"].sum()),
        "best_validation_accuracy": trials["accuracy"].max(),
        "best_random_validation_accuracy": trials["accuracy"].iloc[: settings.search_random].max(),
    }
    for name, chosen in _rivals(settings, training, rate, best, budget).items():
        trainer = _fine_tune(settings, dataset, seed, **chosen)
        metrics[f"{name}_accuracy"] = accuracy(trainer, dataset["test"], settings.max_length)
        metrics[f"{name}_steps"] = trainer.state.global_step
    rows = trials.to_dict("records")
    used = inputs(settings, seed, dataset, **training, **trials_of, best=best)
    records.write_record(study, run, metrics=metrics, settings=used, cost=cost, folder=folder, trials=rows)
    print(f"{study}/{run}: " + ", ".join(f"{k} {v:.3f}" for k, v in metrics.items()), flush=True)


def _rivals(
    settings: SimpleNamespace, training: dict[str, Any], rate: float, best: dict[str, Any], budget: int
) -> dict[str, dict[str, Any]]:
    """Return the settings of each run that is tested: what the search found, and its rivals."""
    from .. import tuning

    taken = ("learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay")
    usual = {name: tuning.RECOMMENDED[name] for name in taken}
    usual["per_device_train_batch_size"] = settings.per_device_train_batch_size  # 32 at once instead of 4 times 8
    return {
        "searched": {**training, **best},
        "course": {**training, "learning_rate": rate},
        "recommended": {**training, **usual},
        "recommended_whole_budget": {**usual, "max_steps": budget},
    }
