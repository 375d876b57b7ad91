"""What `ftcourse predict` does: a classifier's answers to lines of text, as they come."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import CourseError, first_line
from ..files import model_path
from ..tables import SUFFIXES, read_table
from .training import found_model, quieten

_LONGEST = 512  # tokens of a text, where a tokenizer doesn't say


def load_trained(name: str) -> tuple[Any, Any]:
    """Load a classifier that was trained, and its tokenizer.

    Args:
        name: folder that `ftcourse train` wrote, or another classifier of texts: a folder or a name on the hub.

    Returns:
        The model and the tokenizer.

    Raises:
        CourseError: if there is none, or it has no trained head that gives a text one class.
    """
    from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

    quieten()
    path = model_path(found_model(name))
    try:
        config = AutoConfig.from_pretrained(path)
        if not any("ForSequenceClassification" in kind for kind in config.architectures or []):
            raise CourseError(
                f"{name} is no trained classifier of texts, so its answers would be chance: train one from it first, "
                "with `ftcourse train classification`."
            )
        if config.problem_type == "multi_label_classification" or config.num_labels < 2:
            raise CourseError(f"{name} doesn't choose one class for a text: use transformers' pipeline for it.")
        model = AutoModelForSequenceClassification.from_pretrained(path)
        return model, AutoTokenizer.from_pretrained(path)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{name} can't be loaded: {first_line(error)} Name a folder that `ftcourse train` wrote."
        ) from error


def read_texts(file: Path | None, text_column: str | None = None) -> Iterable[str]:
    """Return the texts to answer.

    Args:
        file: a text on each line, or a table; None reads standard input, line by line as it comes.
        text_column: column of the table with the texts; None for plain lines.

    Returns:
        Strings, without the ends of their lines.

    Raises:
        CourseError: if the file can't be read, or is a table of which no column is named.
    """
    if file is None:
        return _lines(sys.stdin, "Standard input")
    if text_column:
        texts = read_table(file, [text_column])[text_column]
        return ["" if text is None or text != text else str(text) for text in texts]
    if file.suffix.lower() in SUFFIXES:
        raise CourseError(f"{file} is a table: name the column with the texts with --text-column.")
    if not file.is_file():
        raise CourseError(
            f"There is no file {file}: give one with a text on each line, or none to read standard input."
        )
    return list(_lines(file.open(encoding="utf-8-sig"), str(file)))


def _lines(stream: Iterable[str], name: str) -> Iterator[str]:
    try:
        for line in stream:
            yield line.rstrip("\r\n")
    except UnicodeDecodeError as error:
        raise CourseError(f"{name} is not UTF-8: convert it first, for example with iconv.") from error


def answer(texts: Iterable[str], model: Any, tokenizer: Any, batch_size: int = 32) -> Iterator[dict[str, Any]]:
    """Yield the answer to each text, in order; texts are taken as they are needed.

    Args:
        texts: strings; an empty one has no answer.
        model: a classifier.
        tokenizer: its tokenizer.
        batch_size: texts at once; 1 answers each as soon as it comes.

    Yields:
        Dictionaries with text, label and probability; the last two are None for an empty text.
    """
    from ..classification import predict

    longest = tokenizer.model_max_length if tokenizer.model_max_length < 10**6 else _LONGEST
    waiting = iter(texts)
    while part := list(itertools.islice(waiting, batch_size)):
        full = [text for text in part if text.strip()]
        found = iter(predict(full, model, tokenizer, longest, batch_size))
        for text in part:
            yield {"text": text, **(next(found) if text.strip() else {"label": None, "probability": None})}


def as_line(row: dict[str, Any], as_json: bool) -> str:
    """Return an answer as one line.

    Args:
        row: as `answer` yields it.
        as_json: an object of JSON; else label, probability and text with tabs between them.
    """
    if as_json:
        return json.dumps(row, ensure_ascii=False)
    cells = (row["label"] or "", "" if row["probability"] is None else f"{row['probability']:.4f}", row["text"])
    return "\t".join(" ".join(cell.split()) for cell in cells)
