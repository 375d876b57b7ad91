"""The studies of lesson 6: pairs of readers, the head alone on a frozen body, and a learning curve."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from .. import profiles, records

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict

Found = list[dict[str, Any]]  # what `ftcourse.qa.choose_answers` returns


def qa(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: str | Path | None = None) -> None:
    """Fine-tune readers on all training questions; test on answerable ones, and with a threshold on all.

    Args:
        seeds: one run each, of as many readers as the profile says, which differ in their own seed.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("06", profile)
    for seed in seeds:
        _run("qa", f"seed-{seed}", settings, seed, folder, readers=settings.study_readers)


def qa_frozen(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: str | Path | None = None) -> None:
    """Train the head alone, at a learning rate of its own, for as many steps.

    Args:
        seeds: one run each.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("06", profile)
    for seed in seeds:
        changes = dict(frozen="body", learning_rate=settings.frozen_learning_rate)
        _run("qa_frozen", f"seed-{seed}", settings, seed, folder, **changes)


def qa_curve(seeds: Sequence[int] = (0, 1, 2), profile: str = "local", folder: str | Path | None = None) -> None:
    """Fine-tune on fewer questions; the fewer there are, the more often they are seen.

    Args:
        seeds: one run each for every size.
        profile: whose settings to use; its ``curve`` has the sizes and the epochs.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("06", profile)
    for seed in seeds:
        for num_train, epochs in settings.curve:
            changes = dict(num_train=num_train, num_train_epochs=epochs)
            _run("qa_curve", f"{num_train:05d}-seed-{seed}", settings, seed, folder, **changes)


def _run(
    study: str,
    run: str,
    settings: SimpleNamespace,
    seed: int,
    folder: str | Path | None,
    *,
    num_train: int | None = None,
    frozen: str | None = None,
    readers: int = 1,
    **changes: Any,
) -> None:
    """Do one run and write its record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from .. import qa as lesson
    from ..questions import answerable, load_questions

    frozen = frozen or settings.frozen
    sizes = num_train or settings.num_train, settings.num_eval, settings.num_test
    dataset = load_questions(settings.data, settings.data_revision, *sizes, seed=seed)
    windows = dict(max_length=settings.max_length, stride=settings.stride)
    training = {
        "num_train_epochs": settings.study_epochs,
        "learning_rate": settings.learning_rate,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
        **changes,
    }
    seeds = [seed * readers + own for own in range(readers)]  # no two runs share a reader
    with tempfile.TemporaryDirectory() as output_dir, records.measure() as cost:
        trainers = [
            lesson.fine_tune(
                dataset, settings.model, output_dir, seed=own, keep_empty=settings.keep_empty, frozen=frozen,
                revision=settings.model_revision, model_config=settings.model_config, **windows, **training,
            )
            for own in seeds
        ]  # fmt: skip
    tokenizer = trainers[0].processing_class
    judged = {}
    for split in ("validation", "test"):
        cut = lesson.make_windows(dataset[split], tokenizer, **windows)
        judged[split] = [list(lesson.predict_windows(cut, trainer.model, tokenizer)) for trainer in trainers]

    def choose(
        split: str, which: Sequence[int] = range(readers), length_penalty: float = settings.length_penalty
    ) -> Found:
        mean = lesson.average_readers([judged[split][reader] for reader in which])
        return lesson.choose_answers(mean, dataset[split]["context"][:], length_penalty=length_penalty)

    metrics = _judge(dataset, {split: choose(split) for split in judged})
    alone = [_on_answerable(dataset["test"], choose("test", [reader])) for reader in range(readers)]
    metrics |= {f"one_reader_{name}": fmean(own[name] for own in alone) for name in alone[0]}
    without = _on_answerable(dataset["test"], choose("test", length_penalty=0.0))
    metrics |= {f"without_penalty_{name}": value for name, value in without.items()}
    counts = {f"num_{split}": len(rows) for split, rows in dataset.items()}
    counts |= {f"num_{split}_answerable": len(answerable(rows)) for split, rows in dataset.items()}
    inputs = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data}
    inputs |= {**counts, "keep_empty": settings.keep_empty, "frozen": frozen, **windows, **training}
    inputs |= {"readers": readers, "reader_seeds": seeds, "length_penalty": settings.length_penalty}
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(
        f"{study}/{run}: F1 {metrics['f1']:.4f}, exact {metrics['exact_match']:.4f} in {cost['seconds']:.0f} s",
        flush=True,
    )


def _on_answerable(dataset: Dataset, found: Found) -> dict[str, float]:
    """Return the scores on the questions that have an answer."""
    from .. import qa as lesson

    pairs = zip(found, dataset["answers"][:], strict=True)
    own = [(row["text"], answers["text"]) for row, answers in pairs if answers["text"]]
    return lesson.score(*zip(*own, strict=True))


def _judge(dataset: DatasetDict, found: dict[str, Found]) -> dict[str, float]:
    """Return the scores on answerable questions, and on all of them with the threshold that validation chooses."""
    from sklearn.metrics import roc_auc_score

    from .. import qa as lesson
    from ..questions import answerable

    truths = {split: [answers["text"] for answers in dataset[split]["answers"][:]] for split in found}
    metrics: dict[str, float] = {}
    for split, prefix in (("validation", "validation_"), ("test", "")):
        on_answerable = _on_answerable(dataset[split], found[split])
        metrics |= {f"{prefix}{name}": value for name, value in on_answerable.items()}
    test = answerable(dataset["test"])
    nearest = [lesson.nearest_sentence(row["question"], row["context"]) for row in test]
    baseline = lesson.score(nearest, [answers["text"] for answers in test["answers"][:]])
    metrics |= {f"baseline_{name}": value for name, value in baseline.items()}
    sweep = lesson.sweep_thresholds(found["validation"], truths["validation"])
    threshold = float(sweep.loc[sweep["all"].idxmax(), "threshold"])
    ways = {"with_threshold": threshold, "always_answer": -float("inf"), "never_answer": float("inf")}
    for name, value in ways.items():
        texts = lesson.apply_threshold(found["test"], value)
        metrics |= {f"{name}_{metric}": share for metric, share in lesson.score(texts, truths["test"]).items()}
    margins = [row["score"] - row["null_score"] for row in found["test"]]
    metrics["margin_auc"] = float(roc_auc_score([bool(texts) for texts in truths["test"]], margins))
    return metrics | {"threshold": threshold}
