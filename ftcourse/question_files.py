"""Files with questions about texts: SQuAD's JSON, and tables with a question, a context and an answer a row."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from datasets import Dataset

from .errors import CourseError
from .inputs import is_missing
from .questions import FEATURES, example_fault, locate, order_places, unified, unify
from .tables import SUFFIXES, read_table

Row = tuple[str, int, Any]  # what the file is counted in, the number, and what stands there


def read_questions(path: str | os.PathLike[str]) -> Dataset:
    """Read questions with their contexts and answers from a file.

    Args:
        path: of a file in UTF-8. JSON as SQuAD 1.1 or 2.0 has it, or a list of rows; or CSV, TSV, JSONL or Parquet. A
            row has question and context, and either answers (SQuAD's dictionary or list) or answer: a text, empty where
            there is none, with its first character as answer_start or without one. Without, the place is looked for.

    Returns:
        A `datasets.Dataset` with the columns of `FEATURES`, in one form of accents and line ends as `unify` makes it.

    Raises:
        CourseError: if the file can't be read, or a question has a fault, naming it.
    """
    rows = []
    for row in scan_questions(path):
        if row["fault"]:
            raise CourseError(f"{row['name']} of {Path(path).name} has {row['fault']}.")
        rows.append(row["example"])
    return Dataset.from_list(rows, features=FEATURES)


def scan_questions(path: str | os.PathLike[str], answers: bool = True) -> list[dict[str, Any]]:
    """Read what `read_questions` reads, and go on where a question can't be used.

    Args:
        path: as in `read_questions`.
        answers: False leaves the answers unread.

    Returns:
        A dictionary for each question with place (what the file is counted in: item, line or row), number, name
        (of where it stands, such as "Question 3 (its id)"), example as `FEATURES` has it, and fault: None, or what is
        wrong.

    Raises:
        CourseError: if the file can't be read or has no questions.
    """
    path = Path(path).expanduser()
    rows = []
    for place, number, row in _json_rows(path) if path.suffix.lower() == ".json" else _table_rows(path):
        said = row.get("id") if place == "item" and isinstance(row, Mapping) else None
        name = f"{'Question' if place == 'item' else place.capitalize()} {number}{f' ({said})' if said else ''}"
        example, fault = None, None
        if not answers and isinstance(row, Mapping):
            row = {name: text for name, text in row.items() if name in ("question", "context")}
        try:
            example = _as_example(row)
        except CourseError as error:
            fault = str(error)
        rows.append({"place": place, "number": number, "name": name, "example": example, "fault": fault})
    if not rows:
        raise CourseError(f"{path.name} has no questions: give at least one, with its context.")
    return rows


def _table_rows(path: Path) -> Iterator[Row]:
    frame = read_table(path)
    for number, row in zip(frame.index, frame.to_dict("records"), strict=True):
        yield str(frame.index.name), int(number), row


def _json_rows(path: Path) -> Iterator[Row]:
    if not path.is_file():
        raise CourseError(f"{path} is no file: give the path of a .json, {', '.join(SUFFIXES)} file.")
    try:
        content = json.loads(path.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise CourseError(f"{path.name} is not in UTF-8 (byte {error.start}): save it as UTF-8.") from None
    except ValueError as error:
        raise CourseError(
            f"{path.name} is not valid JSON ({error}): mend it, or call it .jsonl if it has an object on each line."
        ) from None
    items = content.get("data") if isinstance(content, dict) else content
    if not isinstance(items, list):
        raise CourseError(
            f'{path.name} has no list of questions: give {{"data": [...]}} as SQuAD has it, or a list of rows.'
        )
    number = 0
    for place, item in enumerate(items, 1):
        try:
            rows = list(_flat(item))
        except (KeyError, TypeError) as error:
            raise CourseError(
                f"Article {place} of {path.name} isn't as SQuAD has it ({type(error).__name__}: {error}): give it "
                "paragraphs, each with context and qas."
            ) from None
        for row in rows:
            number += 1
            yield "item", number, row


def _flat(item: Any) -> Iterator[Any]:
    """Yield the questions of an article of SQuAD; or a row as it is."""
    if not isinstance(item, Mapping) or "paragraphs" not in item:
        yield item
        return
    for paragraph in item["paragraphs"]:
        for question in paragraph["qas"]:
            yield {**question, "context": paragraph["context"]}


def _as_example(row: Any) -> dict[str, Any]:
    """Return a row under the names of `FEATURES`, in one form, or say what it has that can't be used."""
    if not isinstance(row, Mapping) or not {"question", "context"} <= set(row):
        has = ", ".join(map(str, row)) if isinstance(row, Mapping) else f"the type {type(row).__name__}"
        raise CourseError(f"no question and context, but {has}: call its columns question, context and answer")
    example = {"question": row["question"], "context": row["context"], "answers": {"text": [], "answer_start": []}}
    if fault := example_fault(**example):
        raise CourseError(fault)
    if row.get("is_impossible") is not True:
        example["answers"] = _answers(row)
    texts, starts = example["answers"]["text"], example["answers"]["answer_start"]
    for text, start in zip(texts, starts, strict=False):
        if not isinstance(text, str) or isinstance(start, bool) or not isinstance(start, int):
            raise CourseError(f"the answer {text!r} at {start!r}: give a text and the number of its first character")
    fault = example_fault(**example)
    try:
        return unify(example)
    except (CourseError, ValueError) as error:
        raise CourseError(fault or str(error)) from None


def _answers(row: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return a row's answers as SQuAD's dictionary, whatever form they have."""
    answers = row.get("answers", row.get("answer"))
    if is_missing(answers) or answers == [] or (isinstance(answers, str) and not answers.strip()):
        return {"text": [], "answer_start": []}
    if isinstance(answers, str):
        return _with_places(row, answers.strip())
    if isinstance(answers, list) and all(isinstance(answer, Mapping) for answer in answers):  # SQuAD's own files
        return {name: [answer.get(name) for answer in answers] for name in ("text", "answer_start")}
    if isinstance(answers, Mapping) and {"text", "answer_start"} <= set(answers):
        return {name: list(answers[name]) for name in ("text", "answer_start")}
    raise CourseError(f"the answers {answers!r}: give a text, or SQuAD's answers with text and answer_start")


def _with_places(row: Mapping[str, Any], answer: str) -> dict[str, list[Any]]:
    """Return an answer with the place that is given, or with all places where it stands, the likeliest first."""
    start = row.get("answer_start")
    if start is not None and not is_missing(start) and str(start).strip():
        try:
            return {"text": [answer], "answer_start": [int(float(start))]}
        except (TypeError, ValueError):
            raise CourseError(f"the answer_start {start!r}: give the number of its first character") from None
    context = unified(row["context"])  # in which `unify` finds what was counted in it
    places = order_places(locate(context, unified(answer)), row["question"], context)
    if not places:
        raise CourseError(f"the answer {answer!r}, which the context doesn't have as whole words: correct one of them")
    return {"text": [context[begin:end] for begin, end in places], "answer_start": [begin for begin, _ in places]}
