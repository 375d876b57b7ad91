"""What `ftcourse predict` does: a model's answers to lines of text, as they come."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import CourseError, first_line
from ..files import model_path
from ..question_files import scan_questions
from ..tables import SUFFIXES, read_table
from .training import found_model, quieten
from .training_images import WEIGHTS, find_images

_LONGEST = 512  # tokens of a text, where a tokenizer doesn't say


class Trained(NamedTuple):
    """A model that answers.

    Attributes:
        read: function from files, and options such as text_column, to what is to be answered.
        answer: function from that and how many to take at once to dictionaries, one each.
        as_line: function from an answer's number and the answer to what is printed, without the end of its last line.
    """

    read: Callable[..., Iterable[Any]]
    answer: Callable[[Iterable[Any], int], Iterator[dict[str, Any]]]
    as_line: Callable[[int, dict[str, Any]], str]


def load_trained(name: str) -> Trained:
    """Load a model that was trained, of any kind that `ftcourse train` trains.

    Args:
        name: folder that `ftcourse train` wrote, or another model of these kinds: a folder or a name on the hub.

    Raises:
        CourseError: if there is none, or it has no trained head of such a kind.
    """
    import transformers

    quieten()
    path = model_path(found_model(name))
    if (Path(path) / WEIGHTS).is_file():
        return _looker(Path(path) / WEIGHTS)
    try:
        config = transformers.AutoConfig.from_pretrained(path)
        said = " ".join(config.architectures or [])
        kind = next((kind for kind in _KINDS if f"For{kind}" in said), None)
        if kind is None:
            raise CourseError(
                f"{name} is no trained model of a kind that is known here, so its answers would be chance: train one "
                "from it first, with `ftcourse train`."
            )
        if config.problem_type == "multi_label_classification" or config.num_labels < 2:
            raise CourseError(f"{name} doesn't choose one class for a text: use transformers' pipeline for it.")
        model = getattr(transformers, f"AutoModelFor{kind}").from_pretrained(path)
        return _KINDS[kind](model, transformers.AutoTokenizer.from_pretrained(path))
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{name} can't be loaded: {first_line(error)} Name a folder that `ftcourse train` wrote."
        ) from error


def read_texts(files: Sequence[Path], text_column: str | None = None, **others: Any) -> Iterable[str]:
    """Return the texts to answer.

    Args:
        files: one with a text on each line, or a table; none reads standard input, line by line as it comes.
        text_column: column of the table with the texts; None for plain lines.
        **others: options of other kinds of model, which may not be given.

    Returns:
        Strings, without the ends of their lines.

    Raises:
        CourseError: if the file can't be read, or is a table of which no column is named.
    """
    _refuse(others, "reads texts")
    if len(files) > 1:
        raise CourseError(f"This model reads one file, and there are {len(files)}: give one after the other.")
    file = files[0] if files else None
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


def _one_line(*cells: object) -> str:
    return "\t".join(" ".join(str(cell).split()) for cell in cells)


def _longest(tokenizer: Any) -> int:
    return tokenizer.model_max_length if tokenizer.model_max_length < 10**6 else _LONGEST


def _classifier(model: Any, tokenizer: Any) -> Trained:
    return Trained(read_texts, lambda texts, batch_size: classify(texts, model, tokenizer, batch_size), class_line)


def classify(texts: Iterable[str], model: Any, tokenizer: Any, batch_size: int = 32) -> Iterator[dict[str, Any]]:
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

    waiting = iter(texts)
    while part := list(itertools.islice(waiting, batch_size)):
        full = [text for text in part if text.strip()]
        found = iter(predict(full, model, tokenizer, _longest(tokenizer), batch_size))
        for text in part:
            yield {"text": text, **(next(found) if text.strip() else {"label": None, "probability": None})}


def class_line(number: int, row: dict[str, Any]) -> str:
    """Return an answer as one line: label, probability and text with tabs between them.

    Args:
        number: of the answer, from 1.
        row: as `classify` yields it.
    """
    share = "" if row["probability"] is None else f"{row['probability']:.4f}"
    return _one_line(row["label"] or "", share, row["text"])


def _finder(model: Any, tokenizer: Any) -> Trained:
    from ..ner import predict_entities

    def find(texts: Iterable[str], batch_size: int) -> Iterator[dict[str, Any]]:
        for text in texts:  # each by itself, as its words are decided together
            yield {"text": text, "entities": predict_entities(text, model, tokenizer, _longest(tokenizer))}

    return Trained(read_texts, find, name_lines)


def name_lines(number: int, row: dict[str, Any]) -> str:
    """Return the names of a text, a line each: the text's number, label, start, end and name with tabs between them.

    Args:
        number: of the text, from 1.
        row: with text and entities, as `ner.predict_entities` returns them.
    """
    names = [_one_line(number, *(one[part] for part in ("label", "start", "end", "text"))) for one in row["entities"]]
    return "\n".join(names)


def _reader(model: Any, tokenizer: Any) -> Trained:
    from ..qa import answer_question

    how = getattr(model.config, "reading", {})  # as it was measured, where `ftcourse train qa` wrote it

    def answer(rows: Iterable[dict[str, str]], batch_size: int) -> Iterator[dict[str, Any]]:
        for row in rows:
            found = answer_question(row["question"], row["context"], model, tokenizer, **how)
            yield {"question": row["question"], **found}

    return Trained(read_asked, answer, answer_line)


def answer_line(number: int, row: dict[str, Any]) -> str:
    """Return the answer to a question as one line: answer, first character, margin and question, with tabs between.

    Args:
        number: of the question, from 1.
        row: with question, and text, start and margin as `qa.answer_question` returns them.
    """
    return _one_line(row["text"], row["start"] if row["text"] else "", f"{row['margin']:.2f}", row["question"])


def read_asked(files: Sequence[Path], question: str | None = None, **others: Any) -> Iterable[dict[str, str]]:
    """Return questions with the texts to answer them from.

    Args:
        files: one file: a table or JSON with question and context, or the text that is asked about.
        question: about the text of the file or of standard input; None reads the questions from the file.
        **others: options of other kinds of model, which may not be given.

    Returns:
        Dictionaries with question and context.

    Raises:
        CourseError: if a file can't be read, or something is missing or too much.
    """
    _refuse(others, "answers questions")
    if question:
        context = "\n".join(read_texts(files))
        if not question.strip() or not context.strip():
            raise CourseError("The question or the text that it is about is empty: give both.")
        return [{"question": question, "context": context}]
    if len(files) != 1:
        raise CourseError(
            "This model answers questions about texts: give one file with the columns question and context, or "
            "--question and a file with the text."
        )
    rows = scan_questions(files[0], answers=False)
    if bad := next((row for row in rows if row["fault"]), None):
        raise CourseError(f"{bad['name']} of {files[0].name} has {bad['fault']}.")
    return [{name: row["example"][name] for name in ("question", "context")} for row in rows]


def _looker(weights: Path) -> Trained:
    from .. import transfer

    model, facts = transfer.load_classifier(weights)

    def look(files: Iterable[Path], batch_size: int) -> Iterator[dict[str, Any]]:
        waiting = iter(files)
        while part := list(itertools.islice(waiting, batch_size)):
            for file, found in zip(part, transfer.predict(part, model, facts), strict=True):
                yield {"file": str(file), **found}

    return Trained(read_images, look, image_line)


def read_images(files: Sequence[Path], **others: Any) -> list[Path]:
    """Return the images to answer.

    Args:
        files: image files, and folders of which all images are meant.
        **others: options of other kinds of model, which may not be given.
    """
    _refuse(others, "classifies images")
    return find_images(files)


def image_line(number: int, row: dict[str, Any]) -> str:
    """Return the answer to an image as one line: label, probability and file, with tabs between them.

    Args:
        number: of the image, from 1.
        row: with label, probability and file.
    """
    return _one_line(row["label"], f"{row['probability']:.4f}", row["file"])


def _refuse(others: dict[str, Any], what: str) -> None:
    for name, value in others.items():
        if value is not None:
            raise CourseError(f"This model {what}, so --{name.replace('_', '-')} has no meaning: leave it out.")


_KINDS = {"SequenceClassification": _classifier, "TokenClassification": _finder, "QuestionAnswering": _reader}
