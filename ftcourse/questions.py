"""Questions about texts, as SQuAD has them: check them, find answers in a text, and load the ones of lesson 6."""

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from datasets import Dataset, DatasetDict, Features, List, Value, concatenate_datasets, load_dataset

from . import assets
from .errors import CourseError
from .inputs import as_list
from .splits import require_columns, split_by_group, take

FEATURES = Features(
    {
        "question": Value("string"),
        "context": Value("string"),
        "answers": {"text": List(Value("string")), "answer_start": List(Value("int32"))},
    }
)


# --- Checks ----------------------------------------------------------------------------------------------------------


def check_examples(dataset: Dataset, name: str = "the data set") -> int:
    """Check that every row has a question, a context, and answers that stand in the context where they should.

    Args:
        dataset: a `datasets.Dataset` with the columns of `FEATURES`.
        name: what to call it in a message.

    Returns:
        The number of questions.

    Raises:
        CourseError: if a column is missing, if there are no rows, or if a row has a fault; the first bad row is named.
    """
    require_columns(dataset, list(FEATURES), name)
    if len(dataset) == 0:
        raise CourseError(f"There are no questions in {name}: give at least one.")
    for row, example in enumerate(dataset):
        fault = example_fault(*(example[column] for column in FEATURES))
        if fault:
            raise CourseError(f"Row {row} of {name} has {fault}.")
    return len(dataset)


def example_fault(question: Any, context: Any, answers: Any) -> str | None:
    """Say in words what is wrong with one example and how to mend it.

    Args:
        question: a string that isn't blank.
        context: a string that isn't blank.
        answers: dictionary with text and answer_start, two lists of the same length, which are empty if the context
            doesn't answer the question; each text stands in the context at the character that its start says.

    Returns:
        The fault and, after a colon, the remedy; None if there is no fault.
    """
    for column, text in (("question", question), ("context", context)):
        if not isinstance(text, str) or not text.strip():
            return f"the {column} {text!r}: a {column} is a string that isn't empty; drop the row"
    if not isinstance(answers, dict) or not {"text", "answer_start"} <= set(answers):
        return f"the answers {answers!r}: give a dictionary with text and answer_start, two lists"
    texts, starts = answers["text"], answers["answer_start"]
    if len(texts) != len(starts):
        return f"{len(texts)} answers and {len(starts)} starts: give each answer the character that it starts at"
    faults = (_answer_fault(context, text, start) for text, start in zip(texts, starts, strict=True))
    return next(filter(None, faults), None)


def _answer_fault(context: str, text: str, start: int) -> str | None:
    """Say what is wrong with one answer."""
    if not text.strip():
        return "an empty answer: if the text doesn't answer the question, give an empty list of answers"
    if start < 0 or context[start : start + len(text)] != text:
        found = context[max(start, 0) : max(start, 0) + len(text)]
        said = f"the answer {text!r} at character {start}, where the context has {found!r}"
        if place_of(context, text, start) is not None:
            return (
                f"{said}, as it was counted in another form of the same text (accents, line ends): bring all into one "
                "with dataset.map(unify), from ftcourse.questions"
            )
        return f"{said}: correct answer_start"
    return None


def check_splits(dataset: Mapping[str, Dataset]) -> DatasetDict:
    """Check every split of questions as `check_examples` does.

    Args:
        dataset: a `datasets.DatasetDict` with at least the splits train and validation.

    Returns:
        The splits.

    Raises:
        CourseError: if a split is missing, or a row has a fault.
    """
    if not isinstance(dataset, Mapping) or not {"train", "validation"} <= set(dataset):
        has = ", ".join(dataset) if isinstance(dataset, Mapping) else f"the type {type(dataset).__name__}"
        raise CourseError(
            f"The data set needs the splits train and validation, and has {has}: split_by_group, from "
            'ftcourse.splits, makes them by the column "context".'
        )
    for split, rows in dataset.items():
        check_examples(rows, split)
    return DatasetDict(dataset)


def check_room(
    questions: Sequence[str], tokenizer: Any, max_length: int, stride: int, names: Sequence[str] | None = None
) -> None:
    """Check that each question leaves room for the context in a window.

    Args:
        questions: strings.
        tokenizer: the model's own.
        max_length: tokens in a window.
        stride: tokens of the context that neighbouring windows share; more than these must be left.
        names: what to call each question in a message; None counts rows from 0.

    Raises:
        CourseError: naming the first question that is too long; or if the tokenizer isn't a fast one.
    """
    if not getattr(tokenizer, "is_fast", False):
        raise CourseError(
            f"The tokenizer {type(tokenizer).__name__} can't say which characters a token stands for: load it by "
            "AutoTokenizer.from_pretrained, which takes the fast one where there is one."
        )
    special = tokenizer.num_special_tokens_to_add(pair=True)
    for row, ids in enumerate(tokenizer(as_list(questions, "The questions"), add_special_tokens=False)["input_ids"]):
        room = max_length - len(ids) - special
        if room <= stride:
            raise CourseError(
                f"The question of {names[row] if names else f'row {row}'} has {len(ids)} tokens, which leaves "
                f"{max(room, 0)} of {max_length} for the context; more than the stride of {stride} are needed. "
                "Shorten it, or change max_length or stride."
            )


def right_texts(truths: Iterable[Any]) -> list[list[str]]:
    """Return for each question the list of its right texts.

    Args:
        truths: of each question a list of texts, one text, or SQuAD's dictionary with text and answer_start; an empty
            list where there is no answer.

    Raises:
        CourseError: if a truth is none of these, naming its row.
    """
    rows = []
    for row, truth in enumerate(as_list(truths, "The truths")):
        truth = truth.get("text") if isinstance(truth, Mapping) else truth
        texts = [truth] if isinstance(truth, str) else truth
        if not isinstance(texts, (list, tuple)) or not all(isinstance(text, str) for text in texts):
            raise CourseError(f"Truth {row} is {truth!r}: give a list of right texts, an empty one for no answer.")
        rows.append(list(texts))
    return rows


# --- One form of a text ----------------------------------------------------------------------------------------------


def unified(text: str) -> str:
    """Return a text with accents as part of their letters (NFC) and line ends of one sign.

    Args:
        text: in any form.
    """
    return unicodedata.normalize("NFC", text.replace("\r\n", "\n"))


# The forms of a text in which an offset may have been counted: accents as part of their letters (NFC) or as letters of
# their own (NFD), and line ends of one sign or of two.
_FORMS: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    unified,
    lambda text: text.replace("\r\n", "\n"),
    lambda text: unicodedata.normalize("NFD", text.replace("\r\n", "\n")),
    lambda text: text.replace("\r\n", "\n").replace("\n", "\r\n"),
    lambda text: unified(text).replace("\n", "\r\n"),
    lambda text: unicodedata.normalize("NFD", unified(text)).replace("\n", "\r\n"),
)


def place_of(context: str, text: str, start: int) -> int | None:
    """Return where an answer stands in the unified context, though its offset was counted in another form of it.

    Args:
        context: in any form.
        text: of the answer, in any form.
        start: its first character, as it was counted.

    Returns:
        The first character in the unified context, or None if the answer doesn't stand there in any form.
    """
    whole, wanted = unified(context), unified(text)
    for form in _FORMS if start >= 0 else ():
        place = len(unified(form(context)[:start]))
        if whole[place : place + len(wanted)] == wanted:
            return place
    return None


def unify(example: Mapping[str, Any]) -> dict[str, Any]:
    """Return an example in one form, that of `unified`, with its offsets counted so.

    Args:
        example: dictionary with question, context and answers, as `FEATURES` has them; what else it has stays.

    Raises:
        CourseError: if an answer doesn't stand where it should in any form of the text.
    """
    answers, context = example["answers"], example["context"]
    texts, starts = [unified(text) for text in answers["text"]], []
    for text, start in zip(answers["text"], answers["answer_start"], strict=True):
        place = place_of(context, text, start)
        if place is None:
            raise CourseError(f"The question {example['question']!r} has {_answer_fault(context, text, start)}.")
        starts.append(place)
    said = {"question": unified(example["question"]), "context": unified(context)}
    return {**example, **said, "answers": {"text": texts, "answer_start": starts}}


# --- Answers without an offset ---------------------------------------------------------------------------------------


def locate(context: str, answer: str) -> list[tuple[int, int]]:
    """Find the places of an answer in a text, whatever the blanks in either, and not within a word.

    Args:
        context: text to search.
        answer: what to find.

    Returns:
        The places as (first character, character after the last), from left to right; none for a blank answer.
    """
    letters = [re.escape(letter) for letter in answer if not letter.isspace()]
    pattern = r"(?<!\w)" + r"\s*".join(letters) + r"(?!\w)"
    return [match.span() for match in re.finditer(pattern, context)] if letters else []


def order_places(
    places: Sequence[tuple[int, int]], question: str, context: str, reach: int = 60
) -> list[tuple[int, int]]:
    """Order places of an answer, first those whose neighbourhood shares most words with the question.

    Args:
        places: (first character, character after the last) of each, as `locate` returns them.
        question: the question asked.
        context: the text that the places are in.
        reach: characters before and after a place that count as its neighbourhood.

    Returns:
        The same places; those that share equally many words keep their order.
    """

    def words(text: str) -> set[str]:
        return set(re.findall(r"\w{3,}", text.lower()))

    def shared(place: tuple[int, int]) -> int:
        return len(words(question) & words(context[max(place[0] - reach, 0) : place[1] + reach]))

    return sorted(places, key=shared, reverse=True)


# --- The lesson's data -----------------------------------------------------------------------------------------------


@lru_cache
def read_disfl_qa() -> Dataset:
    """Read the questions of Disfl-QA from the asset ``bigbench-tasks``, and find the offsets of their answers.

    Returns:
        A `datasets.Dataset` with the columns of `FEATURES`. Unanswerable questions have no answers; questions that are
        empty or whose answer isn't in the text as whole words are left out.
    """
    # The file begins with a canary, a string that marks benchmark data. It stays in the cache with the questions.
    with open(assets.fetch("bigbench-tasks") / "disfl_qa.json", encoding="utf-8") as file:
        items = json.load(file)["examples"]
    rows = []
    for item in items:
        question, context = (part.strip() for part in item["input"].split("\ncontext: "))
        places = order_places(locate(context, item["target"]), question, context)
        if item["target"] == "unknown":
            places = []  # also where the word stands in the text
        elif not places:
            continue  # the answer isn't in the text as whole words
        if not question:
            continue
        texts, starts = [context[start:end] for start, end in places], [start for start, _ in places]
        rows.append({"question": question, "context": context, "answers": {"text": texts, "answer_start": starts}})
    return Dataset.from_list(rows, features=FEATURES)


def load_questions(
    data: str = "disfl_qa",
    revision: str | None = None,
    num_train: int | None = None,
    num_eval: int | None = None,
    num_test: int | None = None,
    seed: int = 0,
) -> DatasetDict:
    """Load questions in three splits that share no paragraph.

    Args:
        data: ``"disfl_qa"``, or the name of a data set on the hub with the columns and splits of SQuAD.
        revision: pinned revision of a data set on the hub; None for the newest.
        num_train: how many training questions to keep, None for all.
        num_eval: how many for validation, None for all.
        num_test: how many for the test, None for all.
        seed: of the choice.

    Returns:
        A `datasets.DatasetDict` with train, validation and test and the columns of `FEATURES`.

    Raises:
        CourseError: if a column is missing or a row has a fault, as `check_examples` says it.
    """
    if data == "disfl_qa":
        splits = split_by_group(read_disfl_qa(), "context", validation_size=0.06, test_size=0.14)
    else:
        splits = _hub_splits(data, revision)
    for split, count in (("train", num_train), ("validation", num_eval), ("test", num_test)):
        splits[split] = take(splits[split].select_columns(list(FEATURES)).shuffle(seed=seed), count)
        check_examples(splits[split], f"{data} ({split})")
    return splits


def _hub_splits(data: str, revision: str | None) -> DatasetDict:
    """Return the splits of a data set like SQuAD: its own validation is the test, for its own test isn't public."""
    hub = load_dataset(data, revision=revision)
    for split, rows in hub.items():
        require_columns(rows, [*FEATURES, "title"], f"{data} ({split})")
    parts = split_by_group(hub["train"], "title", validation_size=0.02, test_size=0.02)
    training = concatenate_datasets([parts["train"], parts["test"]])  # what the split puts aside as a test
    return DatasetDict(train=training, validation=parts["validation"], test=hub["validation"])


def answerable(dataset: Dataset) -> Dataset:
    """Return the questions that have an answer.

    Args:
        dataset: a `datasets.Dataset` with the column answers.
    """
    return dataset.select([row for row, answers in enumerate(dataset["answers"][:]) if answers["text"]])
