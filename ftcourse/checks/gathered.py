"""The training rows of exercise 7, spoilt on purpose, and how many of their faults a learner found."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from functools import cache
from typing import Any

from ..planting import plant_faults
from .reading import as_rows

Sides = dict[str, list[dict[str, Any]]]


def load(num_train: int | None, num_eval: int | None, num_test: int | None) -> Sides:
    """Return rows with text, label and film for training, validation and test; no film is on two sides.

    In the rows for training faults were planted; those for validation and test are as critics wrote them.

    Args:
        num_train: how many sentences to take before faults are planted; None takes all, as for the other two.
        num_eval: for validation.
        num_test: for the test.
    """
    return deepcopy(_make(num_train, num_eval, num_test)[0])


def score(found: Mapping[str, Any], *sizes: int | None) -> Any:
    """Return a table of how many planted faults were found, and how many rows were named beside them.

    Args:
        found: from a kind of fault to the numbers of the rows that have it, or a mask of them.
        *sizes: as `load` takes them.
    """
    import pandas as pd

    sides, planted = _make(*sizes)
    table = {}
    for kind, rows in found.items():  # a column with named rows has items, too
        named, truth = set(as_rows(rows, len(sides["train"])) or ()), set(planted.get(kind, ()))
        table[kind] = {"planted": len(truth), "found": len(named & truth), "named beside them": len(named - truth)}
    return pd.DataFrame.from_dict(table, orient="index")


@cache
def _make(num_train: int | None, num_eval: int | None, num_test: int | None) -> tuple[Sides, dict[str, list[int]]]:
    """Return the rows of the three sides, and what was planted where."""
    from ..reviews import load_reviews

    dataset = load_reviews("movie-reviews", None, num_train, num_eval, num_test)
    names = dataset["train"].features["label"].names
    sides = {
        side: [{**row, "label": names[row["label"]]} for row in dataset[side]]
        for side in ("train", "validation", "test")
    }
    sides["train"], planted = plant_faults(sides["train"], sides["test"], names)
    return sides, planted
