"""Tables of texts and labels: reading them from files or the hub, with the line of each row, and making a data set."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CourseError, first_line
from .inputs import is_missing

if TYPE_CHECKING:
    import pandas as pd
    from datasets import Dataset

SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet")  # of the files that `read_table` reads
_SHOWN = 20  # names listed in a message at most


def read_table(
    source: str | os.PathLike[str], columns: Iterable[str] = (), subset: str | None = None, split: str = "train"
) -> pd.DataFrame:
    """Read a table from a file or from the hub, values as they are written there.

    Args:
        source: path of a CSV, TSV, JSONL or Parquet file in UTF-8; or the name of a data set on the hub.
        columns: the columns to keep, in this order; none keeps all.
        subset: configuration of a data set on the hub, where it has several.
        split: which split of a data set on the hub.

    Returns:
        A DataFrame of objects. Its index is called line, and has the number of the line in the file that a row begins
        on; or row, counted from 0, where there are no lines. CSV and TSV have nothing but strings; a class of the hub
        (`ClassLabel`) is its name, and None where a row has no class.

    Raises:
        CourseError: if the table can't be read, naming the line; or it lacks a column, naming those that it has.
    """
    wanted = list(dict.fromkeys(columns))
    path = Path(source).expanduser()
    if path.suffix.lower() in SUFFIXES or path.exists():
        frame = _read_file(path, wanted)
    elif str(source).count("/") == 1 and not str(source).startswith(("/", ".", "~")):
        frame = _read_hub(str(source), wanted, subset, split)
    else:
        raise CourseError(
            f"{source} is no file and no data set on the hub: give the path of a {_either(SUFFIXES)} file, or a name "
            "such as owner/data."
        )
    if frame.empty:
        raise CourseError(f"{source} has no rows: give a file with at least one row beneath the names of its columns.")
    return frame


def read_examples(
    source: str | os.PathLike[str],
    text_column: str = "text",
    label_column: str = "label",
    group_column: str | None = None,
    subset: str | None = None,
    split: str = "train",
) -> Dataset:
    """Read texts and their labels, whatever these are called, and refuse what no classifier can learn from.

    Args:
        source: a file or a name on the hub, as `read_table` takes it.
        text_column: name of the column with the texts.
        label_column: name of the column with the labels: strings, whole numbers, true or false.
        group_column: name of a column whose values must not be in two splits; None for none.
        subset: configuration of a data set on the hub, where it has several.
        split: which split of a data set on the hub.

    Returns:
        A `datasets.Dataset` as `to_dataset` makes it.

    Raises:
        CourseError: if the table can't be read or a row can't be used, naming its line.
    """
    columns = [text_column, label_column, *([group_column] if group_column else [])]
    return to_dataset(choose_columns(read_table(source, columns, subset, split), *columns))


def choose_columns(
    frame: pd.DataFrame, text_column: str, label_column: str, group_column: str | None = None
) -> pd.DataFrame:
    """Return the columns that a classifier needs under the names text, label and group.

    Args:
        frame: DataFrame of objects, as `read_table` returns it.
        text_column: name of the column with the texts.
        label_column: name of the column with the labels.
        group_column: name of the column with the groups; None for none.

    Returns:
        A DataFrame with text (as it was), label (its name, or None where there is none) and group, if
        any, likewise.

    Raises:
        CourseError: if text and label are the same column, or a label isn't one: a list of several, say.
    """
    import pandas as pd

    if text_column == label_column:
        raise CourseError(f"Text and label are both the column {text_column}: name two columns.")
    chosen = {"text": frame[text_column], "label": _names(frame, label_column)}
    return pd.DataFrame(chosen | ({"group": _names(frame, group_column)} if group_column else {}))


def _names(frame: pd.DataFrame, column: str) -> pd.Series:
    import pandas as pd

    names = []
    for place, value in frame[column].items():
        try:
            names.append(label_name(value))
        except CourseError as error:
            raise CourseError(f"{str(frame.index.name).capitalize()} {place}, {column}: {error}") from error
    return pd.Series(names, frame.index, dtype=object)


def label_name(value: Any) -> str | None:
    """Return the name of a class as it stands in a table, or None if nothing stands there.

    Args:
        value: a string, whole number, float, truth value or NumPy scalar; None and NaN stand for nothing.

    Returns:
        The string without spaces around it; ``"4"`` for 4 and 4.0; ``"true"`` or ``"false"``.

    Raises:
        CourseError: for a list or a dictionary, which is several labels.
    """
    value = value.item() if hasattr(value, "item") and getattr(value, "ndim", 0) == 0 else value
    if isinstance(value, (list, tuple, set, dict)) or hasattr(value, "tolist"):
        raise CourseError(
            "a text has several labels here (multi-label data), and a classifier gives one. Keep one label a row, or "
            "make a column with yes or no for each label and train a classifier for each."
        )
    if is_missing(value):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip() or None


def class_names(labels: Iterable[str | None]) -> list[str]:
    """Return the names of the classes, each once, in order: by number if all are numbers, else by letters.

    Args:
        labels: names, None where there is none.
    """
    names = {name for name in labels if name is not None}
    numbers = all(re.fullmatch(r"[-+]?\d+(\.\d+)?", name) for name in names)
    return sorted(names, key=lambda name: (float(name) if numbers else 0, name))


def to_dataset(frame: pd.DataFrame) -> Dataset:
    """Make a data set of a table, every row of which can be used.

    Args:
        frame: DataFrame with text, label (names of classes) and group, if any; as `choose_columns` returns it.

    Returns:
        A `datasets.Dataset` with text, label (`ClassLabel`), group (string) if the table has it, and line or row, as
        the index of the table is called.

    Raises:
        CourseError: if a text or a label is missing or no text, naming its line; or there are fewer than two classes.
    """
    from datasets import ClassLabel, Dataset, Features, Value

    place = str(frame.index.name or "row")
    for number, text, label in zip(frame.index, frame["text"], frame["label"], strict=True):
        if not isinstance(text, str) or not text.strip() or label is None:
            what = "label" if isinstance(text, str) and text.strip() else "text"
            raise CourseError(f"{place.capitalize()} {number} has no {what}: fill it in, or leave the row out.")
    names = class_names(frame["label"])
    if len(names) < 2:
        raise CourseError(
            f"All rows have the label {', '.join(names)}: a classifier needs at least two classes. Is it another "
            "column that has the labels?"
        )
    columns = {"text": list(frame["text"]), "label": list(frame["label"]), place: frame.index.tolist()}
    features = {"text": Value("string"), "label": ClassLabel(names=names), place: Value("int64")}
    if "group" in frame:
        columns["group"] = list(frame["group"])
        features["group"] = Value("string")
    return Dataset.from_dict(columns, features=Features(features))


def _read_file(path: Path, wanted: list[str]) -> pd.DataFrame:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise CourseError(f"{path} {what}: give the path of a {_either(SUFFIXES)} file.")
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path, wanted)
    if path.suffix.lower() in (".csv", ".tsv"):
        return _read_delimited(path, wanted)
    if path.suffix.lower() == ".jsonl":
        return _read_jsonl(path, wanted)
    raise CourseError(
        f"{path} is of a kind that isn't read here: save it as a {_either(SUFFIXES)} file; pandas' to_csv and "
        'to_json(orient="records", lines=True) do that.'
    )


def _read_text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")  # without the mark that spreadsheets put in front
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise CourseError(
            f"{path}, line {line}, is not UTF-8: save the file as UTF-8 (in a spreadsheet: CSV UTF-8), or convert it "
            "with iconv from the encoding that it has."
        ) from error


def _read_delimited(path: Path, wanted: list[str]) -> pd.DataFrame:
    """Read CSV or TSV; Python's own reader, because pandas doesn't say on which line a row begins."""
    import pandas as pd

    text = _read_text(path)
    header = text.partition("\n")[0]
    separator = "\t" if path.suffix.lower() == ".tsv" else max(",;\t", key=header.count)
    rows = _delimited_rows(path, text, separator)
    names = [name.strip() for name in next(rows, (0, [""]))[1]]
    if twice := {name for name in names if names.count(name) > 1}:
        raise CourseError(f"{path} has two columns {', '.join(map(repr, sorted(twice)))}: rename one in its line 1.")
    places = [names.index(name) for name in _check_columns(path, names, wanted)]
    lines, values = [], []
    for line, cells in rows:
        if len(cells) != len(names):
            raise CourseError(
                f"{path}, line {line}, has {len(cells)} cells where line 1 names {len(names)} columns: put a text with "
                f'{"tabs" if separator == chr(9) else repr(separator)} in it between double quotes ("...").'
            )
        lines.append(line)
        values.append([cells[place] for place in places])
    return pd.DataFrame(
        values, pd.Index(lines, dtype="int64", name="line"), [names[place] for place in places], dtype=object
    )


def _delimited_rows(path: Path, text: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the line on which a row begins, and its cells; blank lines are passed over."""
    limit = csv.field_size_limit(sys.maxsize if sys.maxsize < 2**32 else 2**31 - 1)  # a text may be a whole book
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True), 1
    try:
        for cells in reader:
            if cells:
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise CourseError(
            f"{path}, line {line}, can't be read as a row ({error}). A cell that begins with a double quote ends with "
            'one, and double quotes within it are written twice ("").'
        ) from error
    finally:
        csv.field_size_limit(limit)


def _read_jsonl(path: Path, wanted: list[str]) -> pd.DataFrame:
    import pandas as pd

    lines, rows, names = [], [], dict[str, None]()
    for line, text in enumerate(_read_text(path).split("\n"), 1):
        if not text.strip():
            continue
        row = _parse_line(path, line, text)
        names |= dict.fromkeys(row)
        lines.append(line)
        rows.append({name: row.get(name) for name in wanted} if wanted else row)
    chosen = _check_columns(path, list(names), wanted)
    values = [[row.get(name) for name in chosen] for row in rows]
    return pd.DataFrame(values, pd.Index(lines, dtype="int64", name="line"), chosen, dtype=object)


def _parse_line(path: Path, line: int, text: str) -> dict[str, Any]:
    try:
        row = json.loads(text)
        if "\\u" in text:  # half of a pair of surrogates is no character, and no tokenizer takes it
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise CourseError(
            f"{path}, line {line}, is not valid JSON ({error}). JSONL has one whole object on each line."
        ) from error
    if not isinstance(row, dict):
        raise CourseError(
            f'{path}, line {line}, is not an object: write it as {{"text": ..., "label": ...}}, one on each line.'
        )
    return row


def _read_parquet(path: Path, wanted: list[str]) -> pd.DataFrame:
    import pyarrow
    from datasets import Dataset
    from pyarrow import parquet

    try:
        present = parquet.read_schema(path).names
        chosen = _check_columns(path, present, wanted)
        return _from_dataset(Dataset(parquet.read_table(path, columns=chosen)))
    except (pyarrow.ArrowException, OSError) as error:
        raise CourseError(
            f"{path} can't be read as Parquet ({first_line(error)}): write it again, for example with pandas."
        ) from error


def _read_hub(name: str, wanted: list[str], subset: str | None, split: str) -> pd.DataFrame:
    from datasets import load_dataset

    try:
        dataset = load_dataset(name, subset, split=split)
    except (OSError, ValueError, RuntimeError) as error:  # no such data set, configuration or split, or no network
        raise CourseError(
            f"The data set {name} can't be loaded from the hub: {first_line(error)} Check its name, its subset and "
            "its split, or give a file."
        ) from error
    return _from_dataset(dataset.select_columns(_check_columns(name, dataset.column_names, wanted)))


def _from_dataset(dataset: Dataset) -> pd.DataFrame:
    """Return a data set as a DataFrame of Python's objects, classes by their names."""
    import pandas as pd
    from datasets import ClassLabel

    columns = {}
    for name, feature in dataset.features.items():
        values = dataset[name][:]
        if isinstance(feature, ClassLabel):  # -1 stands for no label, as in the hidden part of a test
            values = [None if value is None or value < 0 else feature.int2str(value) for value in values]
        columns[name] = pd.Series(values, dtype=object)
    return pd.DataFrame(columns, pd.RangeIndex(len(dataset), name="row"))


def _check_columns(source: object, present: list[str], wanted: list[str]) -> list[str]:
    """Return the columns to read: the wanted ones, or all."""
    if missing := [name for name in wanted if name not in present]:
        more = f" and {len(present) - _SHOWN} more" if len(present) > _SHOWN else ""
        raise CourseError(
            f"{source} has no column {', '.join(missing)}. Its columns are {', '.join(present[:_SHOWN])}{more}: name "
            "one of them."
        )
    return wanted or present


def _either(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}"
