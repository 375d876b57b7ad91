"""What lesson 7's validator and cleaner are made of: kinds of issues and their remedies, checks of items, messages."""

from __future__ import annotations

import re
import reprlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import ftfy
import numpy as np
import pandas as pd

from .errors import CourseError
from .inputs import (
    as_groups,
    as_labels,
    as_list,
    as_probabilities,
    as_table,
    check_number,
    is_missing,
    label_fault,
    to_plain,
)

REMEDIES = {
    "wrong_type": "Convert it, or drop the item.",
    "missing": "Fill it in, or drop the item.",
    "empty": "Fill it in, or drop the item.",
    "too_short": "Read it: lengthen it, drop it, or lower the limit.",
    "too_long": "Shorten or split it, or raise the limit if the model reads that far.",
    "encoding": "Read the file with its right encoding, or mend the text with ftfy.fix_text.",
    "unknown_label": "Mend its spelling, or add it to the labels.",
    "duplicate": "Keep one of them: clean_data does.",
    "conflict": "Read both and keep the right one; drop both if nobody can tell.",
    "imbalance": "Collect more of it, or weight the classes in the loss, and look beyond accuracy.",
}
UNUSABLE = ("wrong_type", "missing", "empty")  # kinds of issues with which an item can't be trained on

INVISIBLE = re.compile("[\u00ad\u200b\u2060\ufeff]")  # soft hyphen, zero-width space, word joiner, byte order mark
QUOTES = str.maketrans("‘’“”", "''\"\"")
CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ufffd\ud800-\udfff]")
_KINDS = {bool: "true or false", int: "a number", float: "a number", dict: "a dictionary", list: "a list", str: "text"}


class Issue(NamedTuple):
    """What is wrong with an item of the data, and how to mend it.

    Attributes:
        index: of the item, from 0; None where it is the data as a whole.
        field: name of the field; None where it is the item as a whole.
        kind: a key of REMEDIES.
        reason: what is wrong.
    """

    index: int | None  # type: ignore[assignment]  # hides the method of tuples
    field: str | None
    kind: str
    reason: str

    @property
    def remedy(self) -> str:
        """What to do about it, a sentence."""
        return REMEDIES[self.kind]

    def __str__(self) -> str:
        where = "The data" if self.index is None else f"Item {self.index}"
        return f"{where}{f', {self.field}' if self.field else ''}: {self.reason}. {self.remedy}"


def normalise(text: str) -> str:
    """Return a text as it is compared: one form of each letter, lower case, plain quotes, single spaces.

    Args:
        text: any string.
    """
    if not text.isascii():
        text = INVISIBLE.sub("", unicodedata.normalize("NFC", text)).translate(QUOTES)
    return " ".join(text.casefold().split())


def encoding_damage(text: str) -> str | None:
    """Say what looks like damage from a wrong encoding, or return None.

    Args:
        text: any string.
    """
    if found := CONTROL.search(text):
        return f"has the character {ascii(found[0])} at {found.start()}"
    if not text.isascii() and ftfy.badness.is_bad(text):
        garbled = ftfy.badness.BADNESS_RE.search(text)
        return f"looks garbled, such as {ascii(garbled[0] if garbled else text[:4])}"
    return None


def kind_of(value: Any) -> str:
    """Return in words what kind of thing a value is, for a message.

    Args:
        value: anything.
    """
    return _KINDS.get(type(value), f"of type {type(value).__name__}")


def _check_text(text: Any, min_length: int, max_length: int) -> Iterator[tuple[str, str]]:
    """Yield (kind, reason) for what is wrong with a text."""
    if not isinstance(text, str):
        yield "wrong_type", f"is {kind_of(text)}, not text"
    elif not normalise(text):
        yield "empty", "has nothing but white space" if text else "is empty"
    else:
        if (length := len(text.strip())) < min_length:
            yield "too_short", f"has {length} characters, fewer than {min_length}"
        if length > max_length:
            yield "too_long", f"has {length:,} characters, more than {max_length:,}"
        if damage := encoding_damage(text):
            yield "encoding", damage


def _check_label(label: Any, labels: Iterable[Any]) -> Iterator[tuple[str, str]]:
    """Yield (kind, reason) for what is wrong with a label."""
    label = to_plain(label)
    if not isinstance(label, (str, int)):
        yield "wrong_type", f"is {kind_of(label)}, not a label"
    elif not any(type(label) is type(known) and label == known for known in labels):
        too_long = isinstance(label, int) and abs(label) > 10**9
        shown = reprlib.repr(label) if isinstance(label, str) else kind_of(label) if too_long else label
        yield "unknown_label", f"is {shown}; known are {', '.join(map(str, labels))}"


def check_item(
    item: Any,
    index: int | None = None,
    input_field: str = "input",
    output_field: str = "output",
    labels: Sequence[Any] | None = None,
    min_input: int = 10,
    min_output: int = 1,
    max_length: int = 10_000,
) -> list[Issue]:
    """Return the issues of one item.

    Args:
        item: a dictionary; anything else is an issue, not an error.
        index: of the item.
        input_field: name of the field with the text.
        output_field: name of the field with the answer or the label.
        labels: what the output may be; None means any text.
        min_input: characters that an input has at least.
        min_output: characters that an output has at least.
        max_length: characters that either has at most.

    Returns:
        A list of `Issue`, empty if there is none.
    """
    if not isinstance(item, Mapping):
        return [Issue(index, None, "wrong_type", f"is {kind_of(item)}, not a dictionary")]
    found = []
    for field, least in ((input_field, min_input), (output_field, min_output)):
        value = item.get(field)
        faults: Iterable[tuple[str, str]]
        if is_missing(value):
            faults = [("missing", "is missing" if field not in item else f"is {value}")]
        elif field == output_field and labels is not None:
            faults = _check_label(value, labels)
        else:
            faults = _check_text(value, least, max_length)
        found += [Issue(index, field, kind, reason) for kind, reason in faults]
    return found


def _digest(item: Mapping[str, Any], field: str) -> bytes:
    """Return 16 bytes that stand for a field of an item, so that a million items fit in memory."""
    value = to_plain(item[field])
    text = normalise(value) if isinstance(value, str) else f"{type(value).__name__} {value:x}"
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def examine(
    data: Sequence[Any], drop: Iterable[str], input_field: str = "input", output_field: str = "output", **limits: Any
) -> Iterator[tuple[Any, list[Issue]]]:
    """Yield each item with its issues; it is compared with the earlier items that have no issue of a kind in `drop`.

    Args:
        data: the items.
        drop: kinds of issues, keys of REMEDIES.
        input_field: name of the field with the text.
        output_field: name of the field with the answer or the label.
        **limits: labels, min_input, min_output and max_length, as `check_item` takes them.

    Yields:
        Pairs of an item and a list of `Issue`.
    """
    dropped, first, pairs = set(drop), dict[bytes, int](), dict[bytes, int]()
    for index, item in enumerate(data):
        issues = check_item(item, index, input_field, output_field, **limits)
        if dropped.isdisjoint(issue.kind for issue in issues):
            text, answer = (_digest(item, field) for field in (input_field, output_field))
            if (twin := pairs.get(text + answer)) is not None:
                same = all(item[field] == data[twin][field] for field in (input_field, output_field))
                reason = f"is the same as item {twin}{'' if same else ' but for case, spaces or quotes'}"
                issues.append(Issue(index, None, "duplicate", reason))
            elif (twin := first.get(text)) is not None:
                reason = f"differs from item {twin}'s, whose {input_field} is the same"
                issues.append(Issue(index, output_field, "conflict", reason))
            if dropped.isdisjoint(issue.kind for issue in issues):
                pairs.setdefault(text + answer, index)
                first.setdefault(text, index)
        yield item, issues


def as_items(data: Any) -> list[Any]:
    """Return the data as a list.

    Args:
        data: a list, a data set, a generator of items.

    Raises:
        CourseError: if they are no list of items at all, saying what to pass.
    """
    if isinstance(data, pd.DataFrame):
        raise CourseError('The data are a DataFrame, whose rows are no dictionaries: pass frame.to_dict("records").')
    if isinstance(data, (str, bytes, Mapping)) or not isinstance(data, Iterable):
        raise CourseError(f"The data are {kind_of(data)}, not a list: pass a list of dictionaries.")
    return list(data)


def known_labels(labels: Any) -> list[Any] | None:
    """Return what the output may be as a list of Python's own values, each once.

    Args:
        labels: names or numbers, or a `datasets.ClassLabel`; None means any text.

    Raises:
        CourseError: if they are a single string.
    """
    return None if labels is None else list(dict.fromkeys(as_list(getattr(labels, "names", labels), "The labels")))


def rare_labels(
    items: Sequence[Mapping[str, Any]], output_field: str, labels: Sequence[Any], min_balance: float
) -> Iterator[Issue]:
    """Yield an issue for each label that is much rarer than if all were equally frequent.

    Args:
        items: sound items.
        output_field: name of the field with the label.
        labels: the known labels.
        min_balance: a label is rare below this share of its even share.

    Yields:
        `Issue` of the data as a whole.
    """
    counts = Counter(item[output_field] for item in items)
    for label in labels:
        if counts[label] * len(labels) < min_balance * len(items):
            reason = f"{counts[label]:,} of {len(items):,} items have the label {label}"
            yield Issue(None, output_field, "imbalance", reason)


def check_kinds(kinds: Iterable[str]) -> set[str]:
    """Return the kinds of issues that an item can have as a set.

    Args:
        kinds: keys of REMEDIES but for imbalance, which is an issue of the data as a whole.

    Raises:
        CourseError: if there is no such kind, naming the known ones.
    """
    kinds = {kinds} if isinstance(kinds, str) else set(kinds)
    if unknown := kinds - (set(REMEDIES) - {"imbalance"}):
        known = ", ".join(kind for kind in REMEDIES if kind != "imbalance")
        raise CourseError(f"No item has an issue of the kind {', '.join(map(str, unknown))}: choose among {known}.")
    return kinds


def features_and_labels(features: Any, labels: Any, folds: int) -> tuple[Any, np.ndarray]:
    """Return features and labels that can be cut into folds with an example of each label in every one.

    Args:
        features: numbers of shape (examples, features), also a sparse matrix.
        labels: one integer an example, from 0 without a gap.
        folds: how many parts the examples are cut into.

    Raises:
        CourseError: with the counts of the labels, or naming what is no number.
    """
    check_number(folds, "folds", 2, whole=True)
    labels = as_labels(labels)
    classes, counts = np.unique(labels, return_counts=True)
    if len(classes) < 2 or counts.min() < folds:
        raise CourseError(
            f"{folds} folds need at least two labels with {folds} examples each, and there are "
            f"{dict(zip(classes.tolist(), counts.tolist(), strict=True))}: drop the rare, or take fewer folds."
        )
    if classes[-1] >= len(classes):
        raise CourseError(
            f"The labels are {', '.join(map(str, classes))}, with a gap, so that columns would not be classes: number "
            "them from 0 with np.unique(labels, return_inverse=True)[1]."
        )
    if not hasattr(features, "tocsr"):
        features = as_table(features, "The features")
    if features.shape[0] != len(labels):
        raise CourseError(f"There are {features.shape[0]} rows of features and {len(labels)} labels: give one a row.")
    return features, labels


def folds_by_group(splitter: Any, features: Any, labels: np.ndarray, groups: Any) -> list[Any]:
    """Return the rows to train on and the rows to judge of each fold.

    Args:
        splitter: of scikit-learn, with `n_splits`.
        features: array of shape (examples, features).
        labels: integer array of shape (examples,).
        groups: group of each example, never in two folds; None for none.

    Returns:
        A list with a pair of integer arrays a fold.

    Raises:
        CourseError: if a fold would have to judge a class that it hasn't seen, naming the class.
    """
    if groups is not None:
        groups = as_list(groups, "The groups")
        as_groups(groups, len(labels), least=splitter.n_splits)
    folds = list(splitter.split(features, labels, groups))
    for train, _ in folds:
        for label in set(labels.tolist()) - set(labels[train].tolist()):
            own = len({groups[row] for row in np.flatnonzero(labels == label)}) if groups is not None else 1
            raise CourseError(
                f"All examples of the class {label} ({own} {'group' if own == 1 else 'groups'}) fall into one fold, so "
                "no model can learn the class without having seen them: leave the class out, take smaller groups, or "
                "another seed."
            )
    return folds


def check_probabilities(labels: Any, probabilities: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and probabilities as arrays, if they fit each other.

    Args:
        labels: one integer an example, from 0.
        probabilities: of shape (examples, classes).

    Raises:
        CourseError: with the labels and the shape, or naming the first row that holds no probabilities.
    """
    probabilities = as_probabilities(probabilities)
    given = as_list(labels, "The labels")
    fits = len(given) == len(probabilities) and all(label in range(probabilities.shape[1]) for label in given)
    if not fits and not any(map(label_fault, given)):
        raise CourseError(
            f"{len(given)} labels {sorted(set(given))} don't fit probabilities of the shape "
            f"{probabilities.shape}: pass one row a label, and labels from 0 to classes - 1."
        )
    return as_labels(given), probabilities
