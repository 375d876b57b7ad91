"""What a learner returns, in whatever form it comes: lists, tuples, arrays, frames and mappings read as one kind."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from typing import Any

ONE_PASS = (types.GeneratorType, map, filter, zip)  # what can be gone through once


def as_list(value: Any) -> list[Any] | None:
    """Return the items of a list, a tuple, an array, a column or a generator; None for anything else.

    Args:
        value: of the learner's.
    """
    if isinstance(value, (list, tuple, *ONE_PASS)):
        return list(value)
    if isinstance(value, (str, bytes, Mapping)) or not hasattr(value, "__len__") or hasattr(value, "columns"):
        return None
    items = value.tolist() if hasattr(value, "tolist") else getattr(value, "to_list", lambda: value)()
    return list(items) if isinstance(items, (list, tuple)) else None


def as_number(value: Any) -> float | None:
    """Return a number as float: Python's own, NumPy's or a tensor's; None for a text, a truth value or no number.

    Args:
        value: of the learner's.
    """
    if isinstance(value, (str, bytes, bool)) or value is None:
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        return None


def as_numbers(value: Any) -> list[float]:
    """Return the numbers of a list or an array; an empty list if it is none, or one of them is no number.

    Args:
        value: of the learner's.
    """
    found = [as_number(item) for item in as_list(value) or []]
    numbers = [number for number in found if number is not None]
    return numbers if len(numbers) == len(found) else []


def as_rows(value: Any, count: int) -> list[int] | None:
    """Return the numbers of rows, in their order, or those that a mask marks; None for anything else.

    Args:
        value: of the learner's: numbers in a list, a tuple, a set, an array or a column, or a truth value a row.
        count: how many rows there are; a number beyond them is none.
    """
    items = sorted(value) if isinstance(value, (set, frozenset)) else as_list(value)
    if items is None:
        return None
    items = [item.item() if hasattr(item, "item") else item for item in items]
    if items and len(items) == count and all(isinstance(item, bool) for item in items):
        return [row for row, marked in enumerate(items) if marked]
    numbers = [as_number(item) for item in items]
    if not all(number is not None and number.is_integer() and 0 <= number < count for number in numbers):
        return None
    return [int(number) for number in numbers if number is not None]


def as_dict(value: Any) -> dict[Any, Any] | None:
    """Return a mapping or a column with named rows as a dictionary; None for anything else.

    Args:
        value: of the learner's.
    """
    if isinstance(value, Mapping):
        return dict(value)
    if hasattr(value, "to_dict") and not hasattr(value, "columns"):  # a Series
        return dict(value.to_dict())
    return None


def as_records(value: Any) -> list[dict[str, Any]] | None:
    """Return records as a list of flat dictionaries: a list of mappings or objects, or a frame with a row a record.

    Args:
        value: of the learner's.
    """
    if hasattr(value, "to_dict") and hasattr(value, "columns"):  # a DataFrame
        index = [name for name in value.index.names if name]
        return [_flat(row) for row in (value.reset_index() if index else value).to_dict("records")]
    rows = as_list(value)
    found = [fields(row) for row in rows or []]
    return [_flat(row) for row in found if row is not None] if rows and None not in found else None


def fields(value: Any) -> dict[str, Any] | None:
    """Return what a mapping, a Series, a data class, a named tuple or a typed object holds; None if it is none.

    Args:
        value: of the learner's.
    """
    found = as_dict(value)
    if found is not None:
        return found
    for name in ("model_dump", "_asdict"):
        if callable(getattr(value, name, None)):
            return dict(getattr(value, name)())
    return dict(vars(value)) if hasattr(value, "__dataclass_fields__") else None


def snapshot(value: Any) -> Any:
    """Return a copy of lists, tuples, dictionaries and arrays, however nested; anything else stays what it is.

    Args:
        value: that is handed to a learner's function.
    """
    if isinstance(value, dict):
        return {key: snapshot(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(snapshot, value))
    return value.copy() if _is_array(value) else value


def is_same(before: Any, after: Any) -> bool:
    """Say whether a value is still what `snapshot` found.

    Args:
        before: from `snapshot`.
        after: the value itself.
    """
    if type(before) is not type(after):
        return False
    if isinstance(before, dict):
        return list(before) == list(after) and all(is_same(before[key], after[key]) for key in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(is_same, before, after))
    if _is_array(before):  # a nan isn't equal to itself
        return before.shape == after.shape and bool(((before == after) | (before != before)).all())
    return before is after or (isinstance(before, (str, bytes, int, float)) and before == after)


def _is_array(value: Any) -> bool:
    return type(value).__module__ == "numpy" and type(value).__name__ == "ndarray"


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record without nesting: what stands below a key, such as a budget, comes up to the record itself."""
    return dict(_items(row))


def _items(row: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in row.items():
        inner = as_dict(value)
        if inner is None:
            yield key, value
        else:
            yield from _items(inner)
