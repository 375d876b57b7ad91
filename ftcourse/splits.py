"""Columns and splits of data sets: what every lesson on text needs before it begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .errors import CourseError
from .inputs import as_groups, check_number

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def require_columns(dataset: Dataset, columns: Sequence[str], name: str = "the data set") -> Dataset:
    """Return the data set if it has the columns.

    Args:
        dataset: a `datasets.Dataset`.
        columns: names that it must have.
        name: what to call it in a message.

    Raises:
        CourseError: if a column is missing, listing the missing and the present ones; or if it is no data set.
    """
    present = getattr(dataset, "column_names", None)
    if not isinstance(present, list):
        kind = type(dataset).__name__
        remedy = (
            "take one split of it" if isinstance(present, dict) else "make one with Dataset.from_pandas or from_dict"
        )
        raise CourseError(f"{name} is of type {kind}, not a datasets.Dataset: {remedy}.")
    columns = [columns] if isinstance(columns, str) else columns
    missing = [column for column in columns if column not in dataset.column_names]
    if missing:
        said = f"{name} has no column {', '.join(missing)}. It has {', '.join(present)}"
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

    Raises:
        CourseError: if a row has no group, there are fewer than three groups, or the shares leave nothing to train on.
    """
    from datasets import DatasetDict
    from sklearn.model_selection import GroupShuffleSplit

    check_number(validation_size, "validation_size", 1e-6, 1)
    check_number(test_size, "test_size", 1e-6, 1)
    as_groups(require_columns(dataset, [group])[group], len(dataset), least=3)
    if validation_size + test_size >= 1:
        raise CourseError("The shares of validation and test leave nothing to train on: give less than 1 together.")

    def split(part: Dataset, share: float) -> tuple[Dataset, Dataset]:
        splitter = GroupShuffleSplit(n_splits=1, test_size=share, random_state=seed)
        try:
            first, second = next(splitter.split(part, groups=part[group][:]))
        except (TypeError, ValueError) as error:  # too few groups for these shares, or of kinds that can't be sorted
            raise CourseError(
                f"The groups of {group!r} can't be split: {error}. Take other shares, or groups."
            ) from error
        return part.select(first), part.select(second)

    rest, test = split(dataset, test_size)
    training, validation = split(rest, validation_size / (1 - test_size))
    return DatasetDict(train=training, validation=validation, test=test)


def split_stratified(
    dataset: Dataset,
    group: str | None = None,
    validation_size: float = 0.1,
    test_size: float = 0.15,
    seed: int = 0,
    label: str = "label",
) -> DatasetDict:
    """Split a data set into train, validation and test with the same shares of each label, and no group in two splits.

    A group counts as its commonest label. Where a label has too few groups to be in each split, chance decides.

    Args:
        dataset: a `datasets.Dataset`.
        group: name of the column whose values must not be in two splits; None lets each row go where it will.
        validation_size: share of the groups for validation, between 0 and 1; 0 leaves that split empty.
        test_size: share of the groups for the test, likewise.
        seed: of the shuffling.
        label: name of the column with the labels.

    Returns:
        A `datasets.DatasetDict` with train, validation and test, rows in their order.

    Raises:
        CourseError: if there are fewer than three groups.
    """
    import numpy as np
    import pandas as pd
    from datasets import DatasetDict
    from sklearn.model_selection import train_test_split

    groups = np.arange(len(dataset)) if group is None else pd.factorize(np.asarray(dataset[group][:]))[0]
    counts = pd.DataFrame({"group": groups, "label": dataset[label][:]}).value_counts(sort=False).reset_index()
    commonest = counts.sort_values("count", ascending=False, kind="stable").drop_duplicates("group")
    labels = commonest.set_index("group")["label"].sort_index()
    if len(labels) < 3:
        raise CourseError(
            f"There are {len(labels)} groups, and each of the three splits needs one: give more data, or another "
            "column for the groups."
        )

    def split(chosen: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
        if not share:
            return chosen, chosen[:0]
        try:
            first, second = train_test_split(chosen, test_size=share, random_state=seed, stratify=labels[chosen])
        except ValueError:  # a label has one group, or one of the sides is smaller than the number of labels
            first, second = train_test_split(chosen, test_size=share, random_state=seed)
        return first, second

    rest, test = split(labels.index.to_numpy(), test_size)
    training, validation = split(rest, validation_size / (1 - test_size))
    parts = {"train": training, "validation": validation, "test": test}
    return DatasetDict({name: dataset.select(np.flatnonzero(np.isin(groups, part))) for name, part in parts.items()})


def take(dataset: Dataset, count: int | None) -> Dataset:
    """Return the first rows of a data set.

    Args:
        dataset: a `datasets.Dataset`.
        count: how many rows to keep; None, or more than there are, keeps all.

    Raises:
        CourseError: if the count is no whole number from 0 on.
    """
    if count is None:
        return dataset
    check_number(count, "count", 0, whole=True)
    return dataset.select(range(min(count, len(dataset))))
