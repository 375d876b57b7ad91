"""Faults planted in sound data on purpose, and the score of what then finds them."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

import numpy as np

from .data_checks import REMEDIES


def plant_issues(data: Sequence[dict[str, Any]], seed: int = 0) -> tuple[list[Any], dict[int, str]]:
    """Put one item of each kind of issue at random places of the data.

    Args:
        data: sound dictionaries with input and output.
        seed: of the choice of places.

    Returns:
        A copy of the data, and a dictionary from the index of a broken item to its kind of issue.
    """
    rng = random.Random(seed)
    broken: list[Any] = [dict(item) for item in data]
    kinds = [kind for kind in REMEDIES if kind != "imbalance"]
    places = dict(zip(sorted(rng.sample(range(1, len(broken)), len(kinds))), kinds, strict=True))
    for index, kind in places.items():
        broken[index] = _break(broken[index], kind, broken)
    return broken, places


def _break(item: dict[str, Any], kind: str, data: Sequence[Any]) -> Any:
    """Return what has a kind of issue, made of an item, or of the first item of the data."""
    first = data[0]
    other = next(
        one["output"] for one in data if isinstance(one, dict) and one.get("output") not in (None, first["output"])
    )
    return {
        "wrong_type": ["not", "a", "dictionary"],
        "missing": {"input": item["input"]},
        "empty": {**item, "input": " \n"},
        "too_short": {**item, "input": "Meh."},
        "too_long": {**item, "input": item["input"] * 1000},
        "encoding": {**item, "input": f"“{item['input']}”".encode().decode("cp1252", "replace")},
        "unknown_label": {**item, "output": "frseh"},
        "duplicate": {**first, "input": first["input"].upper()},
        "conflict": {**first, "output": other},
    }[kind]


def alter(text: str, rng: random.Random) -> str:
    """Return a text with one change that leaves it nearly the same: as copies on the web differ.

    Args:
        text: with at least one word.
        rng: chooses the change and its place.
    """
    words = text.split()
    place = rng.randrange(len(words))
    word = words[place]
    changes = {
        "a word fewer": words[:place] + words[place + 1 :],
        "a word twice": words[:place] + [word] + words[place:],
        "two letters swapped": words[:place] + [word[1:2] + word[:1] + word[2:]] + words[place + 1 :],
        "capitals": [one.upper() for one in words],
        "other punctuation": re.sub(r"[^\w\s]", "", text).split() + ["..."],
        "something before": ["Verdict:", *words],
    }
    return " ".join(changes[rng.choice(sorted(changes))])


def plant_near_duplicates(
    texts: Sequence[str], count: int, changes: int = 1, min_words: int = 8, seed: int = 0
) -> tuple[list[str], set[tuple[int, int]]]:
    """Put altered copies of some texts at the end.

    Args:
        texts: strings.
        count: how many copies to plant, at most one of a text.
        changes: of each copy.
        min_words: only texts with as many words are copied: in a shorter one, one word is a different text.
        seed: of the choice.

    Returns:
        The texts with the copies, and the pairs (row of the original, row of the copy).
    """
    rng = random.Random(seed)
    long_enough = [row for row, text in enumerate(texts) if len(text.split()) >= min_words]
    chosen = rng.sample(long_enough, min(count, len(long_enough)))
    copies = [texts[row] for row in chosen]
    for _ in range(changes):
        copies = [alter(text, rng) for text in copies]
    return [*texts, *copies], {(row, len(texts) + place) for place, row in enumerate(chosen)}


def plant_flips(labels: Sequence[int] | np.ndarray, share: float, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Change a share of the labels to another class.

    Args:
        labels: integers of shape (examples,), from 0.
        share: of the labels to change, between 0 and 1.
        seed: of the choice.

    Returns:
        The labels, and the rows that were changed, both integer arrays.
    """
    flipped, rng = np.array(labels), np.random.default_rng(seed)
    rows = np.sort(rng.choice(len(flipped), round(share * len(flipped)), replace=False))
    num_labels = flipped.max() + 1
    flipped[rows] = (flipped[rows] + rng.integers(1, num_labels, len(rows))) % num_labels
    return flipped, rows


def plant_faults(
    rows: Sequence[dict[str, Any]],
    test_rows: Sequence[dict[str, Any]],
    labels: Sequence[str],
    seed: int = 0,
    share: float = 0.02,
    flips: float = 0.1,
) -> tuple[list[dict[str, Any]], dict[str, list[int]]]:
    """Spoil rows for training as careless gathering does, and put them into another order.

    Args:
        rows: sound dictionaries with text, label and film.
        test_rows: rows of other films; copies of them get among the training rows, under films of those.
        labels: all labels, two at least.
        seed: of what is chosen, and of the order.
        share: of the rows, between 0 and 1, that get a fault of a kind; the copies are twice as many.
        flips: share of the rows that get another label.

    Returns:
        The rows, and a dictionary from the kind of fault to the places of the rows that have it: blank and label in the
        row itself, conflict in both rows of a pair, leak for a copy of a test row, and flip for a wrong label.
    """
    rng, count = random.Random(seed), max(2, round(share * len(rows)))
    sizes = {"blank": count, "label": count, "conflict": count, "flip": round(flips * len(rows))}
    places = iter(rng.sample(range(len(rows)), sum(sizes.values())))
    kinds = {place: kind for kind, size in sizes.items() for place in islice(places, size)}
    made: list[tuple[dict[str, Any], str | None]] = []
    for place, row in enumerate(rows):
        kind, other = kinds.get(place), rng.choice([label for label in labels if label != row["label"]])
        spoilt: dict[str | None, dict[str, Any]] = {
            "blank": {"text": rng.choice(("", " ", " \n\t", "\u00a0"))},
            "label": {"label": rng.choice((None, "", other.upper(), other[:-1], "5/5"))},
            "flip": {"label": other},
        }
        made.append(({**row, **spoilt.get(kind, {})}, kind))
        if kind == "conflict":
            made.append(({**row, "text": "  ".join(row["text"].lower().split()), "label": other}, kind))
    long_enough = [row for row in test_rows if len(row["text"].split()) >= 8]
    films = sorted({row["film"] for row in rows})
    for number, row in enumerate(rng.sample(long_enough, min(2 * count, len(long_enough)))):
        text = alter(row["text"], rng) if number % 2 else row["text"]
        made.append(({**row, "text": text, "film": rng.choice(films)}, "leak"))
    rng.shuffle(made)
    planted = {kind: [place for place, (_, own) in enumerate(made) if own == kind] for kind in (*sizes, "leak")}
    return [row for row, _ in made], planted


def score_finder(found: Iterable[Any], planted: Iterable[Any]) -> dict[str, float]:
    """Count what a finder found.

    Args:
        found: what it found.
        planted: what was planted.

    Returns:
        `precision`, the share of the found that was planted; `recall`, the share of the planted that was found; and
        `found`, how many there are.
    """
    found, planted = set(found), set(planted)
    hits = len(found & planted)
    return {"precision": hits / max(len(found), 1), "recall": hits / max(len(planted), 1), "found": len(found)}
