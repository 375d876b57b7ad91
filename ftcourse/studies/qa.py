"""The studies of lesson 6: pairs of readers, the head alone on a frozen body, and a learning curve."""

import tempfile
from statistics import fmean

from .. import profiles, records


def qa(seeds=(0, 1, 2), profile="local", folder=None):
    """Fine-tune readers on all training questions; test on answerable ones, and with a threshold on all.

    Args:
        seeds: one run each, of as many readers as the profile says, which differ in their own seed.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("06", profile)
    for seed in seeds:
        _run("qa", f"seed-{seed}", settings, seed, folder, readers=settings.study_readers)


def qa_frozen(seeds=(0, 1, 2), profile="local", folder=None):
    """Train the head alone, at a learning rate of its own, for as many steps."""
    settings = profiles.load_profile("06", profile)
    for seed in seeds:
        changes = dict(frozen="body", learning_rate=settings.frozen_learning_rate)
        _run("qa_frozen", f"seed-{seed}", settings, seed, folder, **changes)


def qa_curve(seeds=(0, 1, 2), profile="local", folder=None):
    """Fine-tune on fewer questions; the fewer there are, the more often they are seen."""
    settings = profiles.load_profile("06", profile)
    for seed in seeds:
        for num_train, epochs in settings.curve:
            changes = dict(num_train=num_train, num_train_epochs=epochs)
            _run("qa_curve", f"{num_train:05d}-seed-{seed}", settings, seed, folder, **changes)


def _run(study, run, settings, seed, folder, *, num_train=None, frozen=None, readers=1, **changes):
    """Do one run and write its record, unless it is there."""
    if records.is_done(study, run, folder):
        return
    from .. import qa as lesson

    frozen = frozen or settings.frozen
    sizes = num_train or settings.num_train, settings.num_eval, settings.num_test
    dataset = lesson.load_questions(settings.data, settings.data_revision, *sizes, seed=seed)
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
    for side in ("validation", "test"):
        cut = lesson.make_windows(dataset[side], tokenizer, **windows)
        judged[side] = [list(lesson.predict_windows(cut, trainer.model, tokenizer)) for trainer in trainers]

    def choose(side, which=range(readers), length_penalty=settings.length_penalty):
        mean = lesson.average_readers([judged[side][reader] for reader in which])
        return lesson.choose_answers(mean, list(dataset[side]["context"]), length_penalty=length_penalty)

    metrics = _judge(lesson, dataset, {side: choose(side) for side in judged})
    alone = [_on_answerable(lesson, dataset["test"], choose("test", [reader])) for reader in range(readers)]
    metrics |= {f"one_reader_{name}": fmean(own[name] for own in alone) for name in alone[0]}
    without = _on_answerable(lesson, dataset["test"], choose("test", length_penalty=0.0))
    metrics |= {f"without_penalty_{name}": value for name, value in without.items()}
    counts = {f"num_{side}": len(rows) for side, rows in dataset.items()}
    counts |= {f"num_{side}_answerable": len(lesson.answerable(rows)) for side, rows in dataset.items()}
    inputs = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data}
    inputs |= {**counts, "keep_empty": settings.keep_empty, "frozen": frozen, **windows, **training}
    inputs |= {"readers": readers, "reader_seeds": seeds, "length_penalty": settings.length_penalty}
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(
        f"{study}/{run}: F1 {metrics['f1']:.4f}, exact {metrics['exact_match']:.4f} in {cost['seconds']:.0f} s",
        flush=True,
    )


def _on_answerable(lesson, dataset, found):
    """Return the scores on the questions that have an answer."""
    own = [
        (row["text"], answers["text"])
        for row, answers in zip(found, dataset["answers"], strict=True)
        if answers["text"]
    ]
    return lesson.score(*zip(*own, strict=True))


def _judge(lesson, dataset, found):
    """Return the scores on answerable questions, and on all of them with the threshold that validation chooses."""
    from sklearn.metrics import roc_auc_score

    truths = {side: [answers["text"] for answers in dataset[side]["answers"]] for side in found}
    metrics = {}
    for side, prefix in (("validation", "validation_"), ("test", "")):
        metrics |= {
            f"{prefix}{name}": value for name, value in _on_answerable(lesson, dataset[side], found[side]).items()
        }
    test = lesson.answerable(dataset["test"])
    nearest = [lesson.nearest_sentence(row["question"], row["context"]) for row in test]
    baseline = lesson.score(nearest, [answers["text"] for answers in test["answers"]])
    metrics |= {f"baseline_{name}": value for name, value in baseline.items()}
    sweep = lesson.sweep_thresholds(found["validation"], truths["validation"])
    threshold = float(sweep.loc[sweep["all"].idxmax(), "threshold"])
    for name, value in {
        "with_threshold": threshold,
        "always_answer": -float("inf"),
        "never_answer": float("inf"),
    }.items():
        texts = lesson.apply_threshold(found["test"], value)
        metrics |= {f"{name}_{metric}": share for metric, share in lesson.score(texts, truths["test"]).items()}
    margins = [row["score"] - row["null_score"] for row in found["test"]]
    metrics["margin_auc"] = float(roc_auc_score([bool(texts) for texts in truths["test"]], margins))
    return metrics | {"threshold": threshold}
