"""The studies of lesson 7: what faults in the data cost, what each setting does, a search, and four ways to fine-tune."""

import tempfile

from .. import profiles, records
from .memory import in_own_process, saved_mb

FLIPS = (0.1, 0.2, 0.3, 0.4)  # share of the labels that are wrong
COPIES = (1, 2, 3)  # changes of each near-duplicate

# Each is changed alone; beside them runs with all settings as the profile has them, which show the noise of the seed.
SWEEP = {
    "learning_rate": (2e-5, 6e-5, 6e-4, 2e-3),
    "lr_scheduler_type": ("cosine", "constant_with_warmup"),
    "warmup_steps": (0.0, 0.5),
    "batch": ("8 x 1", "8 x 4", "128 x 1"),  # examples at once x accumulated
    "num_train_epochs": (1, 4),
    "weight_decay": (0.0, 0.3),
}

NOISE_SEEDS = 5  # of the runs with nothing changed

# Lesson 3's; for LoRA the best of three on validation films, and QLoRA takes the same.
LEARNING_RATES = {"full fine-tuning": 2e-4, "LoRA": 2e-3, "QLoRA": 2e-3}


def best_practices_data(seeds=(0, 1, 2), profile="local", folder=None):
    """Plant faults in the training data, find and mend them: precision, recall, and accuracy before and after.

    The model is a logistic regression on frozen features, so that the data are all that changes.

    Args:
        seeds: one run each a fault; a seed chooses what is planted.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("07", profile)
    kept = {}  # the features are computed once, and only if a record is missing
    for seed in seeds:
        for share in FLIPS:
            _plant(f"flips-{share:.0%}".rstrip("%"), _flips, settings, seed, folder, kept, share=share)
        for changes in COPIES:
            _plant(f"copies-{changes}", _copies, settings, seed, folder, kept, changes=changes)
        _plant("leak", _leak, settings, seed, folder, kept)
        _plant("imbalance", _imbalance, settings, seed, folder, kept)


def best_practices_sweep(seeds=(0,), profile="local", folder=None):
    """Change one setting at a time in short runs on few sentences, judged on sentences of other training films."""
    settings = profiles.load_profile("07", profile)
    for seed in range(NOISE_SEEDS):
        _try(f"default-seed-{seed}", settings, seed, folder, "default", "")
    for seed in seeds:
        for setting, values in SWEEP.items():
            for value in values:
                name = f"{setting}-{value}".replace("_", "-").replace(" ", "")
                _try(f"{name}-seed-{seed}", settings, seed, folder, setting, value)


def best_practices_search(seeds=(0, 1, 2), profile="local", folder=None):
    """Search with Optuna, and spend the same number of steps on the recommended settings; test both."""
    settings = profiles.load_profile("07", profile)
    for seed in seeds:
        _search(f"seed-{seed}", settings, seed, folder)


def best_practices_ways(seeds=(0, 1, 2), profile="local", folder=None):
    """Fine-tune the same model on the same sentences in four ways, each run in a process of its own."""
    from ..tuning import WAYS

    for seed in seeds:
        for way in WAYS:
            run = f"{way.replace(' ', '-')}-seed-{seed}"
            in_own_process(_way, "best_practices_ways", run, profile, seed, folder, way)


# --- Faults in the data ----------------------------------------------------------------------------------------------


def _plant(name, fault, settings, seed, folder, kept, **options):
    """Do one run of the study `best_practices_data` and write its record, unless it is there."""
    study, run = "best_practices_data", f"{name}-seed-{seed}"
    if records.is_done(study, run, folder):
        return
    if not kept:
        kept.update(_frozen(settings))
    with records.measure() as cost:
        metrics = fault(kept, settings, seed, **options)
    inputs = {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data}
    inputs |= {
        "fault": name.split("-")[0],
        "num_train": len(kept["labels"]),
        "num_test": len(kept["test_labels"]),
        **options,
    }
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(f"{study}/{run}: " + ", ".join(f"{key} {value:.3f}" for key, value in metrics.items()), flush=True)


def _embed(settings, texts):
    """Return the frozen features of texts."""
    from datasets import Dataset
    from transformers import AutoModel, AutoTokenizer

    from .. import train
    from ..classification import model_path, sentence_features, tokenize

    tokenizer = AutoTokenizer.from_pretrained(model_path(settings.model), revision=settings.model_revision)
    body = AutoModel.from_pretrained(
        model_path(settings.model), revision=settings.model_revision, attn_implementation=train.choose_attention()
    )
    rows = Dataset.from_dict({"text": texts, "label": [0] * len(texts)})
    return sentence_features(body, tokenize(rows, tokenizer, settings.max_length), tokenizer)


def _frozen(settings):
    """Return texts, labels, films and frozen features of training and test sentences."""
    import numpy as np

    from ..classification import load_reviews

    smoke = settings.profile == "smoke"
    sizes = (settings.num_train, settings.num_eval, settings.num_test) if smoke else (None, None, None)
    dataset = load_reviews(settings.data, settings.data_revision, *sizes)
    kept = {}
    for prefix, side in (("", "train"), ("test_", "test")):
        rows = dataset[side]
        kept |= {
            f"{prefix}texts": list(rows["text"]),
            f"{prefix}labels": np.array(rows["label"]),
            f"{prefix}films": rows["film"],
        }
        kept[f"{prefix}features"] = _embed(settings, kept[f"{prefix}texts"])
    return kept


def _fit(features, labels, **options):
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, **options).fit(features, labels)


def _flips(kept, settings, seed, share):
    """Flip labels, find them, leave out what was found."""
    import numpy as np

    from .. import quality

    labels, rows = quality.plant_flips(kept["labels"], share, seed)
    found = quality.find_label_errors(labels, quality.out_of_fold(kept["features"], labels, kept["films"]))
    stay = np.setdiff1d(np.arange(len(labels)), found["row"])
    right = np.setdiff1d(np.arange(len(labels)), rows)
    accuracy = {
        name: _fit(kept["features"][part], labels[part]).score(kept["test_features"], kept["test_labels"])
        for name, part in (("faulty_", np.arange(len(labels))), ("mended_", stay), ("sound_", right))
    }
    return {
        **quality.score_finder(found["row"], rows),
        **{f"{name}accuracy": value for name, value in accuracy.items()},
    }


def _copies(kept, settings, seed, changes):
    """Plant near-duplicates and find them. Pairs that were in the data before count as false."""
    from .. import quality

    texts, planted = quality.plant_near_duplicates(kept["texts"], settings.num_planted, changes, seed=seed)
    pairs = quality.find_near_duplicates(texts)
    return quality.score_finder(zip(pairs["first"], pairs["second"], strict=True), planted)


def _leak(kept, settings, seed):
    """Put altered copies of half the test sentences into training, with their labels; then find and remove them."""
    import random

    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from .. import quality

    rng = random.Random(seed)
    rows = sorted(rng.sample(range(len(kept["test_labels"])), len(kept["test_labels"]) // 2))
    copies = [quality.alter(kept["test_texts"][row], rng) for row in rows]
    texts, labels = [*kept["texts"], *copies], np.concatenate([kept["labels"], kept["test_labels"][rows]])
    pairs = quality.find_near_duplicates(texts, kept["test_texts"])
    found = {(row.first - len(kept["texts"]), row.second) for row in pairs.itertuples()}
    stay = np.setdiff1d(np.arange(len(labels)), pairs["first"])
    chosen, truth = [kept["test_texts"][row] for row in rows], kept["test_labels"][rows]
    metrics = quality.score_finder(found, set(enumerate(rows)))
    for name, part in (
        ("faulty_", np.arange(len(labels))),
        ("mended_", stay),
        ("sound_", np.arange(len(kept["labels"]))),
    ):
        counter = make_pipeline(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True), LogisticRegression(C=10, max_iter=1000)
        )
        counter.fit([texts[row] for row in part], labels[part])
        metrics[f"{name}accuracy"] = counter.score(chosen, truth)
    return metrics


def _imbalance(kept, settings, seed, share=0.05):
    """Leave out most of one class; weigh the classes in the loss."""
    import numpy as np
    from sklearn.metrics import f1_score

    rng, labels = np.random.default_rng(seed), kept["labels"]
    ones = np.flatnonzero(labels == 1)
    count = round(share * len(ones) / (1 - share))
    part = np.concatenate([ones, rng.choice(np.flatnonzero(labels == 0), count, replace=False)])
    even = np.concatenate(
        [rng.choice(np.flatnonzero(labels == label), len(part) // 2, replace=False) for label in (0, 1)]
    )
    metrics = {}
    for name, rows, weights in (("faulty_", part, None), ("mended_", part, "balanced"), ("sound_", even, None)):
        answers = _fit(kept["features"][rows], labels[rows], class_weight=weights).predict(kept["test_features"])
        metrics[f"{name}accuracy"] = float((answers == kept["test_labels"]).mean())
        metrics[f"{name}f1"] = f1_score(kept["test_labels"], answers, average="macro")
    return metrics


# --- Settings --------------------------------------------------------------------------------------------------------


def _tuning_data(settings, seed):
    """Return few training sentences, sentences of other training films to choose on, and the test sentences."""
    from datasets import DatasetDict

    from ..classification import load_reviews, split_by_group

    dataset = load_reviews(settings.data, settings.data_revision)
    sides = split_by_group(dataset["train"], "film")
    counts = (settings.num_tuned, 1000, None) if settings.profile != "smoke" else (settings.num_tuned, 64, 64)
    sides = {"train": sides["train"].shuffle(seed=seed), "validation": sides["test"], "test": dataset["test"]}
    return DatasetDict({
        side: rows.select(range(min(count or len(rows), len(rows)))) for (side, rows), count in zip(sides.items(), counts)
    })  # fmt: skip


def _inputs(settings, seed, dataset, **more):
    sizes = {f"num_{side}": len(rows) for side, rows in dataset.items()}
    return {"profile": settings.profile, "seed": seed, "model": settings.model, "data": settings.data, **sizes, **more}


def _fine_tune(settings, dataset, seed, **training):
    from .. import classification

    with tempfile.TemporaryDirectory() as output_dir:
        return classification.fine_tune(
            dataset, settings.model, output_dir, seed=seed, max_length=settings.max_length,
            revision=settings.model_revision, model_config=settings.model_config, **training,
        )  # fmt: skip


def _accuracy(trainer, rows, max_length):
    from ..classification import tokenize

    return trainer.evaluate(tokenize(rows, trainer.processing_class, max_length))["eval_accuracy"]


def _default(settings):
    return {
        "learning_rate": settings.learning_rate,
        "num_train_epochs": settings.num_train_epochs,
        "per_device_train_batch_size": settings.per_device_train_batch_size,
    }


def _try(run, settings, seed, folder, setting, value):
    """Do one run of the study `best_practices_sweep` and write its record, unless it is there."""
    study = "best_practices_sweep"
    if records.is_done(study, run, folder):
        return
    changes = {} if setting == "default" else {setting: value}
    if setting == "batch":
        size, accumulated = map(int, value.split(" x "))
        changes = {"per_device_train_batch_size": size, "gradient_accumulation_steps": accumulated}
    training, dataset = {**_default(settings), **changes}, _tuning_data(settings, 0)
    with records.measure() as cost:
        trainer = _fine_tune(settings, dataset, seed, **training)
    losses = [row["train_loss"] for row in trainer.state.log_history if "train_loss" in row]
    metrics = {
        "validation_accuracy": _accuracy(trainer, dataset["validation"], settings.max_length),
        "train_loss": losses[-1],
        "steps": trainer.state.global_step,
    }
    inputs = _inputs(settings, seed, dataset, **training, setting=setting, value=str(value))
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(f"{study}/{run}: {metrics['validation_accuracy']:.4f} in {cost['seconds']:.0f} s", flush=True)


def _search(run, settings, seed, folder):
    """Do one run of the study `best_practices_search` and write its record, unless it is there."""
    study = "best_practices_search"
    if records.is_done(study, run, folder):
        return
    from transformers import AutoTokenizer

    from .. import tuning
    from ..classification import model_path, tokenize

    settings.num_tuned = min(400, settings.num_tuned)  # a search takes many runs
    dataset, training = _tuning_data(settings, 0), _default(settings)
    dataset["validation"] = dataset["validation"].select(range(min(600, len(dataset["validation"]))))
    rate = training.pop("learning_rate")
    tokenizer = AutoTokenizer.from_pretrained(model_path(settings.model), revision=settings.model_revision)
    tokenized = tokenize(dataset, tokenizer, settings.max_length)
    maker = tuning.model_maker(settings.model, settings.model_revision, settings.model_config)
    num_trials = 2 if settings.profile == "smoke" else 5
    with tempfile.TemporaryDirectory() as output_dir, records.measure() as cost:
        best, trials = tuning.search(
            maker, tokenized["train"], tokenized["validation"], tokenizer, output_dir, num_trials=num_trials, seed=seed,
            eval_steps=0.5, **training,
        )  # fmt: skip
    # The search has trained its best model already, so its whole budget is the steps of its trials.
    budget = int(trials["steps"].sum())
    usual = {
        name: tuning.RECOMMENDED[name]
        for name in ("learning_rate", "lr_scheduler_type", "warmup_steps", "weight_decay")
    }
    usual["per_device_train_batch_size"] = settings.per_device_train_batch_size  # 32 at once instead of 4 times 8
    runs = {
        "searched": {**training, **best},
        "course": {**training, "learning_rate": rate},
        "recommended": {**training, **usual},
        "recommended_whole_budget": {**usual, "max_steps": budget},
    }
    metrics = {
        "budget_steps": budget,
        "pruned": int(trials["pruned"].sum()),
        "best_validation_accuracy": trials["accuracy"].max(),
    }
    for name, options in runs.items():
        trainer = _fine_tune(settings, dataset, seed, **options)
        metrics[f"{name}_accuracy"] = _accuracy(trainer, dataset["test"], settings.max_length)
        metrics[f"{name}_steps"] = trainer.state.global_step
    rows = trials.to_dict("records")
    inputs = _inputs(settings, seed, dataset, **training, num_trials=num_trials, best=best)
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder, trials=rows)
    print(f"{study}/{run}: " + ", ".join(f"{k} {v:.3f}" for k, v in metrics.items()), flush=True)


# --- Four ways -------------------------------------------------------------------------------------------------------


def _way(study, run, profile, seed, folder, way):
    """Do one run of the study `best_practices_ways` and write its record."""
    import bitsandbytes  # noqa: F401  (loaded before the memory is measured: libraries aren't training)
    import peft  # noqa: F401
    import psutil
    from transformers import AutoModel, Trainer  # noqa: F401

    settings = profiles.load_profile("07", profile)
    settings.num_tuned = min(800, 2 * settings.num_tuned)
    dataset = _tuning_data(settings, seed)
    before = psutil.Process().memory_info().rss / 1e6
    train_way = _features if way == "feature extraction" else _classifier
    with records.measure() as cost:
        metrics, judge = train_way(settings, dataset, seed, way)
    metrics |= {
        "accuracy": judge(dataset["test"]),
        "validation_accuracy": judge(dataset["validation"]),
        "training_memory_mb": round(cost["peak_memory_mb"] - before, 1),
    }
    inputs = _inputs(settings, seed, dataset, **_default(settings), way=way)
    inputs["learning_rate"] = LEARNING_RATES.get(way)
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(f"{study}/{run}: {metrics['accuracy']:.4f} in {cost['seconds']:.0f} s", flush=True)


def _features(settings, dataset, seed, way):
    """Train a logistic regression on frozen features."""
    import pickle

    head = _fit(_embed(settings, list(dataset["train"]["text"])), dataset["train"]["label"])
    counts = {"trainable": head.coef_.size + head.intercept_.size, "saved_mb": round(len(pickle.dumps(head)) / 1e6, 3)}
    return counts, lambda rows: float(head.score(_embed(settings, list(rows["text"])), rows["label"]))


def _classifier(settings, dataset, seed, way):
    """Fine-tune the classifier in the way that is asked for."""
    from transformers import AutoTokenizer

    from .. import train, tuning
    from ..classification import compute_metrics, model_path, tokenize

    train.seed_everything(seed)
    tokenizer = AutoTokenizer.from_pretrained(model_path(settings.model), revision=settings.model_revision)
    tokenized = tokenize(dataset, tokenizer, settings.max_length)
    model = tuning.adapted_classifier(settings.model, way, revision=settings.model_revision, **settings.model_config)
    options = {**_default(settings), "learning_rate": LEARNING_RATES[way]}
    with tempfile.TemporaryDirectory() as output_dir:
        trainer = train.build_trainer(
            model, train.training_arguments(output_dir, seed=seed, label_names=["labels"], **options), processing_class=tokenizer,
            train_dataset=tokenized["train"], eval_dataset=tokenized["validation"], compute_metrics=compute_metrics,
        )  # fmt: skip
        trainer.train()
    counts = {"trainable": model.num_parameters(only_trainable=True), "saved_mb": saved_mb(model)}
    return counts, lambda rows: _accuracy(trainer, rows, settings.max_length)
