"""Checks at the entrances of the helpers: what people pass is taken in any sensible form, or refused by name.

Each function returns what it was given in one plain form (a list of strings, an array of integers), or raises a
`CourseError` that names the item, the reason and what to do. Without them a string is a list of letters, a logit is a
probability, and -1 is the last row.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .errors import CourseError

if TYPE_CHECKING:
    from datasets import Dataset, DatasetDict


def is_missing(value: Any) -> bool:
    """Say whether a value stands for none: None, NaN, or what pandas uses.

    Args:
        value: anything.
    """
    if isinstance(value, (float, np.floating)):
        return bool(np.isnan(value))
    return value is None or type(value).__name__ in ("NAType", "NaTType")


def to_plain(value: Any) -> Any:
    """Return a number of NumPy as Python's; anything else as it is.

    Args:
        value: anything.
    """
    return value.item() if isinstance(value, np.generic) else value


def as_list(values: Any, name: str) -> list[Any]:
    """Return a list, an array, a tensor, a column or a generator as a list of Python's own values.

    Args:
        values: one value an item.
        name: what to call them in a message.

    Raises:
        CourseError: if it is a single value, a dictionary or a table.
    """
    if isinstance(values, (str, bytes, Mapping)) or not isinstance(values, Iterable):
        raise CourseError(f"{name} are one {type(values).__name__}, not a list: put it into a list, [...].")
    if hasattr(values, "columns"):
        raise CourseError(f"{name} are a whole table: pass one column of it, such as table['text'].")
    if type(values).__module__ == "datasets.arrow_dataset":
        values = values[:]  # type: ignore[index]  # where one iterates over a column, it is decoded row by row
    if hasattr(values, "detach"):
        values = to_numpy(values)
    # An array of any type knows its values as Python's; a column of pandas is read item by item.
    values = values.tolist() if isinstance(values, np.ndarray) else list(values)
    return [to_plain(value) for value in values]


def as_texts(texts: Any, name: str = "The texts") -> list[str]:
    """Return texts as a list of strings.

    Args:
        texts: strings, in any form that `as_list` takes.
        name: what to call them in a message.

    Raises:
        CourseError: if it is a single string, or an item is no string, naming its row.
    """
    texts = as_list(texts, name)
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            kind = "missing" if is_missing(text) and text is not None else f"of type {type(text).__name__}"
            raise CourseError(f"Text {row} is {kind}, not str: convert or drop it, or pass a list of strings.")
    return texts


def label_fault(label: Any) -> str | None:
    """Say why a label is no number of a class, or return None.

    Args:
        label: a Python or NumPy value.
    """
    if is_missing(label):
        return "fill it in, or drop the row"
    if isinstance(label, (bool, np.bool_)):
        return "true and false are no numbers of classes: convert with int(label)"
    if isinstance(label, (float, np.floating)):
        return "a class is a whole number: convert with int(label), as a gap in a file makes all its labels floats"
    if isinstance(label, str):
        return "map names to numbers from 0, or make the column a ClassLabel (class_encode_column)"
    return None if isinstance(label, (int, np.integer)) else "a class is a whole number from 0: map or drop it"


def as_labels(labels: Any, num_classes: int | None = None, count: int | None = None, least: int = 0) -> np.ndarray:
    """Return labels as an array of integers from 0.

    Args:
        labels: one integer an example, in any form that `as_list` takes.
        num_classes: labels are below it; None leaves that open.
        count: how many there must be; None leaves that open.
        least: how many are needed.

    Returns:
        Integer array of shape (examples,).

    Raises:
        CourseError: naming the first that is none.
    """
    labels = as_list(labels, "The labels")
    if count is not None and len(labels) != count:
        raise CourseError(f"There are {len(labels)} labels for {count} examples: give each example one label.")
    if len(labels) < least:
        raise CourseError(f"There are {len(labels)} labels, and at least {least} must be there: pass more examples.")
    for row, label in enumerate(labels):
        if fault := label_fault(label):
            raise CourseError(f"Label {row} is {label!r}: {fault}.")
        if label < 0 or (num_classes is not None and label >= num_classes):
            known = "0 on" if num_classes is None else f"0 to {num_classes - 1}"
            raise CourseError(f"Label {row} is {label}, and labels are from {known}: map or drop it.")
    return np.array(labels, dtype=int)


def to_numpy(values: Any) -> Any:
    """Return a tensor, on any device and of any dtype, as an array; anything else as it is.

    Args:
        values: anything.
    """
    if not hasattr(values, "detach"):
        return values
    values = values.detach().cpu()
    return (values.float() if values.is_floating_point() else values).numpy()


def as_table(values: Any, name: str, finite: bool = True) -> np.ndarray:
    """Return numbers as an array with a row an example.

    Args:
        values: numbers of shape (examples, columns), in any form.
        name: what to call them in a message.
        finite: whether infinity is refused too; NaN always is.

    Returns:
        Float array of shape (examples, columns).

    Raises:
        CourseError: if there is no row, the shape is another, or a row holds what is no number.
    """
    try:
        table = np.asarray(to_numpy(values), dtype=float)
    except (TypeError, ValueError) as error:
        raise CourseError(f"{name} are no table of numbers ({error}): pass one row of numbers an example.") from error
    if table.ndim != 2 or 0 in table.shape:
        remedy = "pass one row an example and one column a class"
        raise CourseError(f"{name} have the shape {table.shape}, not (examples, columns): {remedy}.")
    wrong = ~np.isfinite(table) if finite else np.isnan(table)
    if wrong.any():
        row = int(wrong.any(axis=1).argmax())
        what = "not a number" if np.isnan(table[row]).any() else "infinite"
        raise CourseError(f"Row {row} of {name[0].lower()}{name[1:]} is {what}: find where it comes from, or drop it.")
    return table


def as_probabilities(probabilities: Any, sum_to_one: bool = True) -> np.ndarray:
    """Return probabilities as an array; logits are refused.

    Args:
        probabilities: of shape (examples, classes).
        sum_to_one: whether each row must; what was rounded is taken.

    Raises:
        CourseError: naming the first row that holds none.
    """
    table = as_table(probabilities, "The probabilities")
    wrong = ((table < -1e-6) | (table > 1 + 1e-6)).any(axis=1)
    if sum_to_one:
        wrong |= np.abs(table.sum(axis=1) - 1) > 0.02
    if wrong.any():
        row = int(wrong.argmax())
        shown = ", ".join(f"{value:.3g}" for value in table[row][:4])
        remedy = "turn logits into probabilities by the softmax, ftcourse.classification.probabilities"
        raise CourseError(f"Row {row} holds no probabilities of classes ({shown}), which sum to one: {remedy}.")
    return table


def as_logits(logits: Any, finite: bool = True) -> np.ndarray:
    """Return logits as an array; probabilities are refused.

    Args:
        logits: of shape (examples, classes).
        finite: whether infinity is refused too.

    Raises:
        CourseError: if they can't be logits.
    """
    table = as_table(logits, "The logits", finite)
    within = (table >= 0) & (table <= 1)
    if within.all() and np.allclose(table.sum(axis=1), 1, atol=1e-3) and ((table > 0) & (table < 1)).any():
        raise CourseError(
            "The logits are probabilities, as each row sums to one: pass the model's logits, or the logarithm, "
            "np.log(probabilities)."
        )
    return table


def as_flags(flags: Any, name: str, count: int | None = None) -> np.ndarray:
    """Return what is true or false of each item as an array.

    Args:
        flags: booleans, or 0s and 1s, in any form that `as_list` takes.
        name: what to call them in a message.
        count: how many there must be; None leaves that open.

    Raises:
        CourseError: if one is neither, or there are more or fewer.
    """
    flags = as_list(flags, name)
    for row, flag in enumerate(flags):
        if not isinstance(flag, (bool, int, float)) or flag not in (0, 1):
            remedy = "give true or false for each item, such as predictions == labels"
            raise CourseError(f"Item {row} of {name[0].lower()}{name[1:]} is {flag!r}: {remedy}.")
    if count is not None and len(flags) != count:
        raise CourseError(f"{name} have {len(flags)} items where {count} are needed: give one for each.")
    return np.array(flags, dtype=bool)


def as_groups(groups: Any, count: int, least: int = 2) -> np.ndarray:
    """Return the groups of rows as numbers from 0, in the order of their first rows.

    Args:
        groups: the group of each row, anything that can be compared.
        count: how many rows there are.
        least: how many different groups are needed.

    Returns:
        Integer array of shape (rows,).

    Raises:
        CourseError: if a row has none, or there are too few.
    """
    groups = as_list(groups, "The groups")
    if len(groups) != count:
        raise CourseError(f"There are {count} rows and {len(groups)} groups: give one group a row.")
    for row, group in enumerate(groups):
        if is_missing(group):
            raise CourseError(f"Row {row} has no group: fill it in, give the row a group of its own, or drop it.")
    numbers: dict[Any, int] = {}
    codes = [numbers.setdefault(group if _hashable(group) else repr(group), len(numbers)) for group in groups]
    if len(numbers) < least:
        raise CourseError(
            f"The number of different groups is {len(numbers)}, and at least {least} are needed: take a finer group, "
            "or none."
        )
    return np.array(codes, dtype=int)


def _hashable(value: Any) -> bool:
    try:
        hash(value)
    except TypeError:
        return False
    return True


def check_number(value: Any, name: str, least: float, most: float = np.inf, whole: bool = False) -> None:
    """Refuse a setting that is no number between two ends.

    Args:
        value: what was given.
        name: of the setting.
        least: lowest value.
        most: highest value.
        whole: whether it must be an integer.

    Raises:
        CourseError: naming the setting and its ends.
    """
    kinds = (int, np.integer) if whole else (int, float, np.integer, np.floating)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, kinds) or not least <= value <= most:
        ends = f"from {least} on" if most == np.inf else f"between {least} and {most}"
        raise CourseError(f"{name} is {value!r}: give a {'whole ' if whole else ''}number {ends}.")


def as_costs(costs: Any, num_classes: int | None = None) -> np.ndarray:
    """Return what answers cost as an array.

    Args:
        costs: costs[truth][answer].
        num_classes: how many truths there are; None leaves that open.

    Raises:
        CourseError: if they are no table of numbers, or have no row for a class.
    """
    table = as_table(costs, "The costs")
    if num_classes is not None and len(table) != num_classes:
        raise CourseError(f"The costs have {len(table)} rows for {num_classes} classes: give a row for each truth.")
    return table


def as_slices(slices: Any) -> Mapping[str, Any]:
    """Return slices of the data if they have names.

    Args:
        slices: dictionary from the name of a slice to who belongs to it.

    Raises:
        CourseError: if it is no dictionary.
    """
    if not isinstance(slices, Mapping):
        kind = type(slices).__name__
        raise CourseError(f"The slices are of type {kind}: give a dictionary from a name to a list of booleans.")
    return slices


def check_bootstrap(count: Any, num_resamples: Any, level: Any) -> None:
    """Refuse a bootstrap of too few rows, of no draws, or of no level.

    Args:
        count: how many rows there are.
        num_resamples: how often to draw.
        level: of the interval, between 0 and 1.

    Raises:
        CourseError: naming what can't be.
    """
    if not isinstance(count, (int, np.integer)) or count < 2:
        raise CourseError(f"An interval needs at least two rows, and there are {count!r:.60}: give their number.")
    check_number(num_resamples, "num_resamples", 1, whole=True)
    check_number(level, "level", 0, 1)


def check_statistics(values: Sequence[Any]) -> None:
    """Refuse a statistic that some drawn rows don't have.

    Args:
        values: one a draw.

    Raises:
        CourseError: saying how often there was none.
    """
    try:
        missing = int((~np.isfinite(np.array(values, dtype=float).reshape(len(values)))).sum())
    except (TypeError, ValueError) as error:
        raise CourseError(f"The statistic gives no single number ({error}): let it return one.") from error
    if missing:
        raise CourseError(
            f"The statistic was no number in {missing} of {len(values)} draws, so its interval is unknown: take one "
            "that any rows have, or more rows."
        )


def check_answers(logits: np.ndarray) -> None:
    """Refuse what a spoilt model answers.

    Args:
        logits: float array of any shape.

    Raises:
        CourseError: if there is NaN among them.
    """
    if np.isnan(logits).any():
        raise CourseError(
            "The model answers what is no number (NaN), so its weights or its inputs are spoilt: look for NaN in the "
            "data, or train it again with a lower learning rate."
        )


def check_rates(lowest: Any, highest: Any, num_steps: Any) -> None:
    """Refuse learning rates that can't grow by an equal factor.

    Args:
        lowest: learning rate of the first step.
        highest: learning rate of the last step.
        num_steps: how many steps.

    Raises:
        CourseError: naming them.
    """
    if not 0 < lowest < highest < np.inf or not isinstance(num_steps, (int, np.integer)) or num_steps < 2:
        why = "give a lowest above 0, a higher highest, and at least two steps."
        raise CourseError(f"The learning rate can't grow from {lowest} to {highest} in {num_steps} steps: {why}")


def check_tokenised(rows: Any, name: str) -> None:
    """Refuse a data set of which a model could not be given a batch.

    Args:
        rows: a `datasets.Dataset`; other kinds of data sets are left alone.
        name: what to call it in a message.

    Raises:
        CourseError: if it has no tokens, or no row.
    """
    columns = getattr(rows, "column_names", None)
    if isinstance(columns, list) and "input_ids" not in columns:
        has = ", ".join(columns)
        raise CourseError(f"{name} has no column input_ids. It has {has}: cut its texts into tokens with tokenize.")
    if hasattr(rows, "__len__") and len(rows) == 0:
        raise CourseError(f"{name} has no rows: give it at least one example.")


def check_search(train_dataset: Any, eval_dataset: Any, num_trials: Any) -> None:
    """Refuse a search without trials, or on data without tokens.

    Args:
        train_dataset: to train on.
        eval_dataset: to choose on.
        num_trials: how many settings to try.

    Raises:
        CourseError: naming what is wrong.
    """
    check_number(num_trials, "num_trials", 1, whole=True)
    check_tokenised(train_dataset, "The training data")
    check_tokenised(eval_dataset, "The validation data")


def as_class_names(names: Any) -> list[str]:
    """Return the names of classes as a list of different strings.

    Args:
        names: at least two, in order.

    Raises:
        CourseError: if it is a single string, there are fewer than two, or two are the same.
    """
    found = [str(name) for name in as_list(names, "The labels")]
    if len(found) < 2 or len(set(found)) < len(found):
        said = ", ".join(found) or "none"
        raise CourseError(f"The names of the classes are {said}: give at least two different ones.")
    return found


def texts_and_labels(rows: Any, name: str, classes: int = 1) -> tuple[list[str], list[Any]]:
    """Return the texts and the labels of a data set, a table or a dictionary of columns.

    Args:
        rows: with the columns text and label.
        name: what to call them in a message.
        classes: how many different labels are needed at least.

    Returns:
        A list of strings, and a list of names or whole numbers.

    Raises:
        CourseError: if a column is missing, a text or a label can't be used, or there are too few classes.
    """
    try:
        texts, labels = rows["text"], rows["label"]
    except (KeyError, TypeError, IndexError) as error:
        raise CourseError(
            f"{name} have no columns text and label ({error}): rename those that stand for them."
        ) from error
    texts, labels = as_texts(texts, f"The texts of {name}"), as_list(labels, f"The labels of {name}")
    for row, label in enumerate(labels):
        if fault := None if isinstance(label, str) else label_fault(label):
            raise CourseError(f"Row {row} of {name} has the label {label!r}: {fault}.")
    if len(texts) != len(labels) or len(set(labels)) < classes:
        said = f"{len(texts)} texts and {len(labels)} labels of {len(set(labels))} kinds"
        raise CourseError(f"{name} have {said}: give each text one label, of at least {classes} kinds.")
    return texts, labels


def number_labels(dataset: Mapping[str, Dataset], splits: Sequence[str]) -> tuple[DatasetDict, list[str]]:
    """Return splits whose labels are numbers from 0, and the names of the classes in that order.

    The names are those of the training split: of its `ClassLabel`, its strings, or its numbers, which need not begin
    at 0.

    Args:
        dataset: `datasets.DatasetDict` whose splits have the columns text and label.
        splits: names of the splits to return, the first of them for training.

    Raises:
        CourseError: if a split is missing, a label is no class, or another split has one that training hasn't.
    """
    from datasets import ClassLabel, DatasetDict

    from .splits import require_columns

    if missing := [split for split in splits if not isinstance(dataset, Mapping) or split not in dataset]:
        has = ", ".join(dataset) if isinstance(dataset, Mapping) else f"the type {type(dataset).__name__}"
        raise CourseError(
            f"The data set has no split {', '.join(missing)}. It has {has}: pass a DatasetDict with "
            f"{' and '.join(splits)}, which train_test_split makes."
        )
    found = {split: _label_values(require_columns(dataset[split], ["text", "label"], split), split) for split in splits}
    first = splits[0]
    feature = dataset[first].features["label"]
    names = feature.names if isinstance(feature, ClassLabel) else sorted(set(found[first]))
    if len(set(found[first])) < 2:
        said = f"All examples in {first} have the label {found[first][0]}" if found[first] else f"{first} has no row"
        raise CourseError(f"{said}: a classifier needs at least two classes.")
    numbers = {name: number for number, name in enumerate(names)}
    for split, values in found.items():
        for row, value in enumerate(values):
            if value not in numbers:
                known = ", ".join(map(str, names[:20]))
                raise CourseError(
                    f"Row {row} of {split} has the label {value!r}, and those of {first} are {known}: mend or drop it."
                )
    wanted = ClassLabel(names=as_class_names(names))
    numbered = {}
    for split, values in found.items():
        rows = dataset[split]
        if rows.features["label"] != wanted:
            rows = rows.remove_columns("label").add_column("label", [numbers[value] for value in values])
            rows = rows.cast_column("label", wanted)
        numbered[split] = rows
    return DatasetDict(numbered), wanted.names


def _label_values(rows: Dataset, split: str) -> list[Any]:
    """Return the labels of a split as names, or as numbers where they have none."""
    from datasets import ClassLabel

    feature, values = rows.features["label"], as_list(rows["label"], f"The labels of {split}")
    names = feature.names if isinstance(feature, ClassLabel) else None
    for row, value in enumerate(values):
        fault = None if isinstance(value, str) else label_fault(value)
        if names and not fault and not 0 <= value < len(names):
            fault = "it has no name, and often stands for a row without a label: map or drop it"
        if fault:
            raise CourseError(f"Row {row} of {split} has the label {value!r}: {fault}.")
    return [names[value] for value in values] if names else values
