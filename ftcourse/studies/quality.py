"""The study of lesson 7: what faults in the data cost, and what finding them brings back."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from .. import planting, profiles, records
from ..records import Folder

FLIPS = (0.1, 0.2, 0.3, 0.4)  # share of the labels that are wrong
COPIES = (1, 2, 3)  # changes of each near-duplicate
STRENGTHS = (0.01, 0.1, 1, 10)  # of `C` of the head, each tried for every way; the best on validation is kept
COUNTER_STRENGTHS = (1, 3, 10, 30)  # of the word counter

Metrics = dict[str, float]


def best_practices_data(seeds: Sequence[int] = (0, 1, 2, 3, 4), profile: str = "local", folder: Folder = None) -> None:
    """Plant faults in the training data, find and mend them: precision, recall, and accuracy before and after.

    The model is a logistic regression on frozen features; for the leak, one on the counts of words. Each way gets the
    same trials of its strength `C`, chosen on the validation split, where nothing is planted.

    Args:
        seeds: one run each a fault; a seed chooses what is planted.
        profile: whose settings to use.
        folder: of the records; by default the repository's ``results/``.
    """
    settings = profiles.load_profile("07", profile)
    kept: dict[str, Any] = {}  # the features are computed once, and only if a record is missing
    for seed in seeds:
        for share in FLIPS:
            _plant(f"flips-{100 * share:.0f}", "flips", _flips, settings, seed, folder, kept, share=share)
        for changes in COPIES:
            _plant(f"copies-{changes}", "copies", _copies, settings, seed, folder, kept, changes=changes)
        _plant("leak", "leak", _leak, settings, seed, folder, kept)
        _plant("imbalance", "imbalance", _imbalance, settings, seed, folder, kept)


def _plant(
    name: str,
    fault: str,
    function: Callable[..., Metrics],
    settings: SimpleNamespace,
    seed: int,
    folder: Folder,
    kept: dict[str, Any],
    **options: Any,
) -> None:
    """Do one run of the study and write its record, unless it is there."""
    study, run = "best_practices_data", f"{name}-seed-{seed}"
    if records.is_done(study, run, folder):
        return
    if not kept:
        kept.update(_frozen(settings))
    with records.measure() as cost:
        metrics = function(kept, settings, seed, **options)
    inputs = {
        "profile": settings.profile,
        "seed": seed,
        "model": settings.model,
        "data": settings.data,
        "fault": fault,
        "num_train": len(kept["labels"]),
        "num_eval": len(kept["validation_labels"]),
        "num_test": len(kept["test_labels"]),
        **options,
    }
    records.write_record(study, run, metrics=metrics, settings=inputs, cost=cost, folder=folder)
    print(f"{study}/{run}: " + ", ".join(f"{key} {value:.3f}" for key, value in metrics.items()), flush=True)


def embed(settings: SimpleNamespace, texts: list[str]) -> np.ndarray:
    """Return the frozen features of texts.

    Args:
        settings: with model, model_revision and max_length.
        texts: strings.

    Returns:
        An array of shape (texts, hidden size).
    """
    from datasets import Dataset
    from transformers import AutoModel, AutoTokenizer

    from .. import train
    from ..classification import sentence_features, tokenize
    from ..files import model_path

    tokenizer = AutoTokenizer.from_pretrained(model_path(settings.model), revision=settings.model_revision)
    body = AutoModel.from_pretrained(
        model_path(settings.model), revision=settings.model_revision, attn_implementation=train.choose_attention()
    )
    rows = Dataset.from_dict({"text": texts, "label": [0] * len(texts)})
    return sentence_features(body, tokenize(rows, tokenizer, settings.max_length), tokenizer)


def fit_head(features: np.ndarray, labels: Any, **options: Any) -> Any:
    """Return a logistic regression that was trained on features.

    Args:
        features: array of shape (examples, features).
        labels: integers of shape (examples,).
        **options: of scikit-learn's ``LogisticRegression``.
    """
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(max_iter=1000, **options).fit(features, labels)


def _frozen(settings: SimpleNamespace) -> dict[str, Any]:
    """Return texts, labels, films and frozen features of training, validation and test sentences."""
    from ..classification import load_reviews

    sizes = settings.study_sizes
    dataset = load_reviews(settings.data, settings.data_revision, sizes["train"], sizes["test"], sizes["test"])
    kept: dict[str, Any] = {}
    for prefix, split in (("", "train"), ("validation_", "validation"), ("test_", "test")):
        rows = dataset[split]
        kept |= {
            f"{prefix}texts": rows["text"][:],
            f"{prefix}labels": np.array(rows["label"][:]),
            f"{prefix}films": rows["film"],
            f"{prefix}features": embed(settings, rows["text"][:]),
        }
    return kept


def _choose(heads: Sequence[Any], unseen: Any, labels: np.ndarray, measure: Callable[..., float] | None = None) -> Any:
    """Return the fitted model that is best on the validation split, by accuracy or by another measure."""
    from sklearn.metrics import accuracy_score

    measure = measure or accuracy_score
    return max(heads, key=lambda head: measure(labels, head.predict(unseen)))


def _flips(kept: dict[str, Any], settings: SimpleNamespace, seed: int, share: float) -> Metrics:
    """Flip labels, find them; then leave out what was found, or give the flipped among it their own label back."""
    from .. import quality

    labels, rows = planting.plant_flips(kept["labels"], share, seed)
    found = quality.find_label_errors(labels, quality.out_of_fold(kept["features"], labels, kept["films"]))
    everything, corrected = np.arange(len(labels)), labels.copy()
    corrected[found["row"]] = kept["labels"][found["row"]]  # as a person does who reads the suspects
    parts = {
        "faulty": (everything, labels),
        "mended": (np.setdiff1d(everything, found["row"]), labels),
        "corrected": (everything, corrected),
        "sound": (np.setdiff1d(everything, rows), labels),
        "unflipped": (everything, kept["labels"]),
    }
    metrics = planting.score_finder(found["row"], rows)
    for name, (part, given) in parts.items():
        heads = [fit_head(kept["features"][part], given[part], C=strength) for strength in STRENGTHS]
        head = _choose(heads, kept["validation_features"], kept["validation_labels"])
        metrics[f"{name}_accuracy"] = head.score(kept["test_features"], kept["test_labels"])
        metrics[f"{name}_C"] = head.C
    return metrics


def _copies(kept: dict[str, Any], settings: SimpleNamespace, seed: int, changes: int) -> Metrics:
    """Plant near-duplicates and find them. Pairs that were in the data before count as false."""
    from .. import quality

    texts, planted = planting.plant_near_duplicates(kept["texts"], settings.num_planted, changes, seed=seed)
    pairs = quality.find_near_duplicates(texts)
    return planting.score_finder(zip(pairs["first"], pairs["second"], strict=True), planted)


def _leak(kept: dict[str, Any], settings: SimpleNamespace, seed: int) -> Metrics:
    """Put altered copies of half the test sentences into training, with their labels; then find and remove them."""
    from .. import quality

    rng = random.Random(seed)
    rows = sorted(rng.sample(range(len(kept["test_labels"])), len(kept["test_labels"]) // 2))
    copies = [planting.alter(kept["test_texts"][row], rng) for row in rows]
    texts, labels = [*kept["texts"], *copies], np.concatenate([kept["labels"], kept["test_labels"][rows]])
    pairs = quality.find_near_duplicates(texts, kept["test_texts"])
    first_copy = len(kept["texts"])
    found = {(row.first - first_copy, row.second) for row in pairs.itertuples()}
    everything = np.arange(len(labels))
    parts = {"faulty": everything, "mended": np.setdiff1d(everything, pairs["first"]), "sound": np.arange(first_copy)}
    metrics = planting.score_finder(found, set(enumerate(rows)))
    for name, part in parts.items():
        metrics |= _count_words(kept, [texts[row] for row in part], labels[part], name)
    return metrics


def _count_words(kept: dict[str, Any], texts: list[str], labels: np.ndarray, name: str) -> Metrics:
    """Train a logistic regression on the counts of words and pairs of words, and return its accuracy and its `C`."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    counts = vectorizer.fit_transform(texts)
    heads = [fit_head(counts, labels, C=strength) for strength in COUNTER_STRENGTHS]
    head = _choose(heads, vectorizer.transform(kept["validation_texts"]), kept["validation_labels"])
    score = head.score(vectorizer.transform(kept["test_texts"]), kept["test_labels"])
    return {f"{name}_accuracy": score, f"{name}_C": head.C}


def _macro_f1(labels: Any, answers: Any) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(labels, answers, average="macro"))


def _imbalance(kept: dict[str, Any], settings: SimpleNamespace, seed: int, share: float = 0.05) -> Metrics:
    """Leave out most of one class; weight the classes in the loss. The strength is chosen by macro F1."""
    rng, labels = np.random.default_rng(seed), kept["labels"]
    ones = np.flatnonzero(labels == 1)
    count = round(share * len(ones) / (1 - share))
    part = np.concatenate([ones, rng.choice(np.flatnonzero(labels == 0), count, replace=False)])
    even = np.concatenate(
        [rng.choice(np.flatnonzero(labels == label), len(part) // 2, replace=False) for label in (0, 1)]
    )
    metrics = {}
    for name, rows, weights in (("faulty", part, None), ("mended", part, "balanced"), ("sound", even, None)):
        heads = [fit_head(kept["features"][rows], labels[rows], C=c, class_weight=weights) for c in STRENGTHS]
        head = _choose(heads, kept["validation_features"], kept["validation_labels"], _macro_f1)
        answers = head.predict(kept["test_features"])
        metrics[f"{name}_accuracy"] = float((answers == kept["test_labels"]).mean())
        metrics[f"{name}_f1"] = _macro_f1(kept["test_labels"], answers)
        metrics[f"{name}_C"] = head.C
    return metrics
