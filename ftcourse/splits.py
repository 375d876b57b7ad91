"""Columns and splits of data sets: what every lesson on text needs before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import CourseError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def require_columns(dataset: Dataset, columns: Sequence[str], name: str = "the data set") -> Dataset:
    """Return the data set if it has the columns.

    Args:
        dataset: a `datasets.Dataset`.
        columns: names that it must have.
        name: what to call it in a message.

    Raises:
        CourseError: if a column is missing, listing the missing and the present ones.
    """
    missing = [column for column in columns if column not in dataset.column_names]
    if missing:
        present = ", ".join(dataset.column_names)
        said = f"{name} has no column {', '.join(missing)}. It has {present}"
        raise CourseError(f"{said}: rename one with rename_column.")
    return dataset


def split_by_group(
    dataset: Dataset, group: str, validation_size: float = 0.05, test_size: float = 0.16, seed: int = 0
) -> DatasetDict:
    """Split a data set into train, validation and test so that no group is in two splits.

    Args:
        dataset: a `datasets.Dataset`.
        group: name of the column whose values must not be in two splits.
        validation_size: share of the groups for validation, between 0 and 1.
        test_size: share of the groups for the test, between 0 and 1.
        seed: of the shuffling.

    Returns:
        A `datasets.DatasetDict` with train, validation and test.
    """
    from datasets import DatasetDict
    from sklearn.model_selection import GroupShuffleSplit

    def split(part: Dataset, share: float) -> tuple[Dataset, Dataset]:
        splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
        first, second = next(splitter.split(part, groups=part[group]))
        return part.select(first), part.select(second)

    rest, test = split(dataset, test_size)
    training, validation = split(rest, validation_size / (1 - test_size))
    return DatasetDict(train=training, validation=validation, test=test)


def take(dataset: Dataset, count: int | None) -> Dataset:
    """Return the first rows of a data set.

    Args:
        dataset: a `datasets.Dataset`.
        count: how many rows to keep; None, or more than there are, keeps all.
    """
    return dataset.select(range(min(count or len(dataset), len(dataset))))
