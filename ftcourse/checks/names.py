"""The checks of exercise 5: fine-tune a reader of names."""

import itertools
import math
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..entities import LABELS, overlap, spans
from ..train import IGNORED
from . import tiny, trainers
from .engine import Exercise, Wrong, apart, ask, require, run, shown
from .reading import as_dict, as_list, as_number, as_numbers

exercise = Exercise("5_names", "Fine-tune a reader of names")
Name = tuple[int, int, str]  # first word, place after the last, label
KINDS = ("missed", "boundary", "type", "spurious")


@exercise.step("Step 1, labels for tokens")
def align(answer: Any) -> str:
    """Judge an answer to: Step 1, labels for tokens."""
    names = ("B-SIDE-EFFECT", "I-BIB", "O", "I-SIDE-EFFECT", "B-BIB", "I-JOB-TITLE", "B-JOB-TITLE")
    for word_ids, tags in (
        ([None, 0, 1, 2, None], ["O", "B-BIB", "I-BIB"]),
        ([None, 0, 1, None], ["B-BIB", "B-BIB"]),
        ([None, 0, 0, 0, 1, 2, 2, None], ["B-SIDE-EFFECT", "O", "B-BIB"]),
        ([None, 0, 0, 1, 1, 2, 2, None], ["O", "B-BIB", "I-BIB"]),
        ([None, 0, 0, 1, 1, None], ["B-SIDE-EFFECT", "B-SIDE-EFFECT"]),
        ([None, 0, 1, 1, None], ["O", "I-SIDE-EFFECT", "B-BIB", "O"]),  # the sentence is cut
        ([None, 0, 2, 2, None], ["B-BIB", "O", "B-SIDE-EFFECT"]),  # of one word the tokenizer leaves nothing
        ([None, 0, 0, None, None, None], ["B-BIB"]),
        ([0, 0, 1], ["I-BIB", "O"]),
        ([0, 0, 1], ["B-SIDE-EFFECT", "O"]),
        ([None, 0, 0, 1, 1, None], ["B-JOB-TITLE", "I-JOB-TITLE"]),  # its own letters have a B- within
    ):
        labels = _labels(ask(answer, list(word_ids), list(tags), names, clues=_UNKNOWN_TAG), names)
        case = f"For the word_ids {word_ids}, the tags {tags} and the names {list(names)} your labels are {labels}"
        require(
            len(labels) == len(word_ids),
            f"{case}: {len(word_ids)} tokens went in and {len(labels)} labels came out, and every token needs one.",
        )
        _explain_labels(labels, word_ids, tags, names, case)
    return "Every token has its label: special ones -100, a word's first token its tag, and later ones go on within it."


_UNKNOWN_TAG = {
    "not in tuple": "You look for a tag that isn't among the names. A later token of a name gets I- and all that "
    "stands after the first two letters of its word's tag, whatever letters it has; O stays O."
}


def _labels(value: Any, names: Sequence[str]) -> list[int]:
    """Return labels as whole numbers."""
    came = as_list(value)
    require(came, f"Return a list with a number for each token; this is {shown(value)}.")
    text = next((label for label in came or [] if isinstance(label, str)), None)
    require(
        text is None,
        f"A label is {text!r}: give the number at which the tag stands in names"
        + (", and -100 for special tokens." if text not in names else "."),
    )
    numbers = as_numbers(came)
    require(len(numbers) == len(came or []), f"Not all of these are numbers: {shown(came)}.")
    broken = next(
        (label for label in came or [] if isinstance(getattr(label, "item", lambda x=label: x)(), float)), None
    )
    require(
        broken is None, f"A label is {broken}, a float: the loss takes whole numbers, int, for the numbers of classes."
    )
    return [int(number) for number in numbers]


def _true_labels(word_ids: Sequence[int | None], tags: Sequence[str], names: Sequence[str]) -> list[int]:
    befores = [None, *word_ids[:-1]]
    within = [tag if tag == "O" else f"I-{tag[2:]}" for tag in tags]
    return [
        IGNORED if word is None else names.index(within[word] if word == before else tags[word])
        for word, before in zip(word_ids, befores, strict=True)
    ]


def _explain_labels(
    labels: list[int], word_ids: Sequence[int | None], tags: Sequence[str], names: Sequence[str], case: str
) -> None:
    """Raise `Wrong` with the likely reason for the first label that isn't right."""
    right = _true_labels(word_ids, tags, names)
    place = next((place for place, pair in enumerate(zip(labels, right, strict=True)) if pair[0] != pair[1]), None)
    if place is None:
        return
    require(
        labels != [*right[1:], IGNORED],
        f"{case}. They stand one token too early: the first token is a special one and takes a place, too.",
    )
    word, got = word_ids[place], labels[place]
    said = repr(names[got]) if 0 <= got < len(names) else "no place in names"
    where = f"{case}. Token {place}, counted from 0, has {got}"
    if word is None:
        raise Wrong(f"{where}, and it is a special one: -100 is the one number that the loss leaves out.")
    first = place == 0 or word_ids[place - 1] != word
    if place == 0 and first and got != IGNORED:
        raise Wrong(
            f"{where}, that is {said}; it is the first token of word {word}, whose tag is {tags[word]!r}. No token "
            "stands before it, of no word either: the number of the word before begins as None."
        )
    if first and got == IGNORED:
        raise Wrong(f"{where}, and it is the first of word {word}: there the answer for the word will be read.")
    if first:
        raise Wrong(
            f"{where}, that is {said}; it is the first token of word {word}, whose tag is {tags[word]!r}. Go by the "
            "number of the word, not by the token before."
        )
    if got == IGNORED:
        raise Wrong(f"{where}, and it is a later one of word {word}: in this exercise these are learnt, too.")
    if tags[word] == "O":
        raise Wrong(f"{where}, that is {said}; it goes on within word {word}, which is outside all names.")
    if said == repr(tags[word]):
        raise Wrong(
            f"{where}, that is {said} once more: it would say that another name begins. The word goes on, within."
        )
    raise Wrong(
        f"{where}, that is {said}; it goes on within word {word}, whose tag is {tags[word]!r}. The label is all that "
        "stands after the first two letters of the tag, whatever letters it has."
    )


@exercise.step("Step 2, names from tags")
def find_spans(answer: Any) -> str:
    """Judge an answer to: Step 2, names from tags."""
    every = ["O", *(f"{place}-{label}" for label in ("LAW", "LAW-SUIT") for place in "BI")]
    short = [list(tags) for length in range(5) for tags in itertools.product(every, repeat=length)]
    rng = random.Random(0)
    kinds: set[str] = set()
    for tags in [["B-LAW", "O"], *short, *([rng.choice(every) for _ in range(15)] for _ in range(60))]:
        came = ask(answer, list(tags))
        _explain_spans(_names(came, f"For the tags {tags} "), tags)
        kinds |= {type(name).__name__ for name in came if not isinstance(name, tuple)}
    said = f"Right for all {len(short)} ways to write up to four tags with two labels, and for long sentences."
    return said + (f" A name is a {min(kinds)} for you, which no set takes; tuples go into one." if kinds else "")


def _names(value: Any, case: str) -> list[Name]:
    """Return names as a list of triples, which go by place: the cells of the notebook take them apart so."""
    rows = as_list(value)
    if rows is None:
        raise Wrong(f"{case}return a list, of a triple for each name; this is {shown(value)}.")
    found = []
    for row in rows:
        parts = as_list(row) or []
        start, end = map(as_number, parts[:2]) if len(parts) == 3 else (None, None)
        if start is None or end is None or not isinstance(parts[2], str):
            raise Wrong(f"{case}a name is {shown(row)}: give its first word, the place after its last, and its label.")
        found.append((int(start), int(end), str(parts[2])))
    return found


def _decode(tags: Sequence[str], drop: bool = False, join: bool = False, swallow: bool = False) -> list[Name]:
    """Return the names that tags stand for, or what comes out with a fault.

    Args:
        tags: of a sentence.
        drop: leave out an ``I-`` that continues nothing.
        join: let a ``B-`` continue a name of its kind.
        swallow: let an ``I-`` continue a name of any kind.
    """
    found: list[Name] = []
    before = "O"
    for place, tag in enumerate(tags):
        follows = before != "O" and (before[2:] == tag[2:] or (swallow and tag[0] == "I"))
        if tag != "O" and follows and (tag[0] == "I" or join):
            found[-1] = (found[-1][0], place + 1, found[-1][2])
        elif tag[0] == "B" or (tag[0] == "I" and not drop):
            found.append((place, place + 1, tag[2:]))
        elif tag != "O":
            tag = "O"  # dropped
        before = tag
    return found


def _explain_spans(found: list[Name], tags: Sequence[str]) -> None:
    """Raise `Wrong` with the likely reason if names aren't those of the tags."""
    right = _decode(tags)
    if found == right:
        return
    labels = {label for *_, label in found}
    same_places = [name[:2] for name in found] == [name[:2] for name in right]
    faults = (
        (
            found if same_places and any(label[:2] in ("B-", "I-") for label in labels) else None,
            "the label is what stands after B- or I-",
        ),
        (
            found
            if same_places and labels - {"LAW", "LAW-SUIT"} or _cut(right, 0) == found or _cut(right, -1) == found
            else None,
            "the label is all that stands after the first two letters, further hyphens included",
        ),
        ([(start + 1, end, label) for start, end, label in right], "words are counted from 0"),
        ([(start + 1, end + 1, label) for start, end, label in right], "words are counted from 0"),
        (
            [(start, end - 1, label) for start, end, label in right],
            "the second number is the place after the last word",
        ),
        (sorted(found) == right and found, "give them in the order of the sentence"),
        (
            _decode(tags, drop=True),
            "an I- that continues nothing begins a name, as it does for CoNLL-2003's own script",
        ),
        (_decode(tags, join=True), "a B- begins a name also where one of its kind stands before it"),
        (_decode(tags, swallow=True), "an I- with another label than the name before it begins a name of its own"),
        (right[:-1] if tags[-1:] != ["O"] else None, "a name that goes on to the end of the sentence is lost"),
        ([name for name in right if name[1] > name[0] + 1], "a name may have a single word"),
    )
    why = next((text for wrong, text in faults if wrong == found), None)
    if why is None:
        why = f"{len(right)} names were expected" if len(found) != len(right) else "look at where each begins and ends"
    raise Wrong(f"For the tags {list(tags)} you return {found}: {why}.")


def _cut(names: Sequence[Name], part: int) -> list[Name]:
    """Return names with a part of their labels alone, as a label that is cut at its hyphens has."""
    return [(start, end, label.split("-")[part]) for start, end, label in names]


@exercise.step("Step 3, the score")
def measure(answer: Any) -> str:
    """Judge an answer to: Step 3, the score."""
    for true, found, why in _JUDGED:
        given = [[list(names) for names in side] for side in (true, found)]
        table = _table(ask(answer, *given, clues=_NOTHING))
        case = f"For the names {true} and the answers {found} "
        counts = _counts(true, found)
        require(
            "all" in table,
            f"{case}there is no 'all' among {shown(list(table))}: that key has the rates of all labels together.",
        )
        for label, count in counts.items():
            require(
                label in table, f"{case}there is no {label!r} among {shown(list(table))}: it occurs in one of them."
            )
            got = _three(table[label], label, case)
            for name in _RATES:
                _explain_rate(got, count, name, f"{case}the {name} of {label!r} is ", why)
        more = [label for label in table if label not in counts]
        require(not more, f"{case}there is {more[:1]}, a label that occurs in neither: a key for each that does.")
    return "Whole names alone count, sentence by sentence, over all sentences at once and for each label."


_JUDGED: tuple[tuple[list[list[Name]], list[list[Name]], str], ...] = (
    ([[(0, 2, "PER")]], [[(0, 2, "PER")]], "a name counts as right if both places and the label are"),
    ([[(0, 2, "PER")]], [[(0, 2, "LOC")]], "a name with another label is not right"),
    ([[(0, 2, "PER")]], [[(0, 1, "PER")]], "a name that ends elsewhere is not right, nor a part of it"),
    ([[(1, 3, "PER")]], [[(0, 3, "PER")]], "a name that begins elsewhere is not right, nor a part of it"),
    (
        [[(0, 1, "PER")], [(3, 4, "PER")]],
        [[(0, 1, "PER")], []],
        "count over all sentences first, and divide once; a mean of scores weighs each sentence alike",
    ),
    (
        [[(0, 1, "PER")], [(0, 1, "PER")]],
        [[(0, 1, "PER")], []],
        "names in two sentences are two names, though they stand at the same place",
    ),
    (
        [[(0, 1, "PER")], []],
        [[], [(0, 1, "PER")]],
        "a name is right in its own sentence only, not where another sentence has it",
    ),
    (
        [[(0, 1, "PER"), (2, 3, "PER"), (4, 5, "PER"), (6, 7, "PER")]],
        [[(6, 7, "PER"), (2, 3, "PER")]],
        "precision is the share of the found names, recall of the true ones; their order says nothing",
    ),
    (
        [[(0, 1, "PER")], [(0, 1, "LOC"), (2, 3, "LOC"), (4, 6, "LOC"), (7, 8, "LOC")], []],
        [[(0, 1, "PER")], [(0, 1, "LOC"), (2, 4, "LOC")], [(1, 2, "PER"), (3, 4, "ORG"), (5, 6, "PER")]],
        "count over all sentences and all labels first, and divide once; a mean of scores weighs a rare label like a "
        "common one",
    ),
    ([[(0, 1, "PER")], []], [[], []], "where nothing was found, a share of nothing is 0"),
    ([[], []], [[(0, 1, "ORG")], []], "where there is no name, a share of nothing is 0"),
    ([[], []], [[], []], "where there is no name, a share of nothing is 0"),
    ([[(0, 1, "DRUG"), (2, 3, "DRUG")]], [[(0, 1, "DRUG"), (2, 3, "DOSE")]], "labels may have any name"),
)
_NOTHING = {"ZeroDivision": "Where nothing was found, or nothing is true, a share of nothing is 0."}
_RATES = ("precision", "recall", "f1")


def _counts(true: list[list[Name]], found: list[list[Name]]) -> dict[str, Counter[str]]:
    """Return how many names are true, found and right, of all labels and of each."""
    counts: dict[str, Counter[str]] = {"all": Counter()}
    for names, answers in zip(true, found, strict=True):
        for kind, some in (("true", names), ("found", answers), ("right", set(names) & set(answers))):
            for *_, label in some:
                counts["all"][kind] += 1
                counts.setdefault(label, Counter())[kind] += 1
    return counts


def _rates(count: Counter[str]) -> dict[str, float]:
    return {
        "precision": count["right"] / max(count["found"], 1),
        "recall": count["right"] / max(count["true"], 1),
        "f1": 2 * count["right"] / max(count["found"] + count["true"], 1),
    }


def _table(value: Any) -> dict[Any, Any]:
    """Return a table as a dictionary from a label to its rates; it must be one by which the next cells find them."""
    if hasattr(value, "columns"):
        require(
            not set(_RATES) <= set(value.columns),
            "Your table has a row for each label. The cells below read table['all']['f1'], and a frame looks for "
            "columns first: turn it, .T, or return a dictionary.",
        )
        return dict(value.to_dict())
    require(
        isinstance(value, Mapping) and value,
        f'Return a dictionary from "all" and each label to its rates; this is {shown(value)}.',
    )
    return dict(value)


def _three(value: Any, label: str, case: str) -> dict[str, float]:
    """Return precision, recall and F1, which are given by name."""
    named = as_dict(value) or {}
    found = {name: as_number(named.get(name)) for name in _RATES}
    lacking = next((name for name, number in found.items() if number is None), None)
    require(
        lacking is None,
        f"{case}there is no number for the {lacking} of {label!r}, which is {shown(value)}: give a dictionary with "
        f"{', '.join(_RATES)}.",
    )
    return {name: number for name, number in found.items() if number is not None}


def _explain_rate(got: dict[str, float], count: Counter[str], name: str, case: str, why: str) -> None:
    """Raise `Wrong` with the likely reason if a rate isn't the true one; rates before it are right."""
    rates = _rates(count)
    right, value = rates[name], got[name]
    if abs(value - right) < 1e-9:
        return
    other = {"precision": "recall", "recall": "precision"}.get(name)
    mean, nothing = (rates["precision"] + rates["recall"]) / 2, {"precision": "found", "recall": "true"}.get(name, "")
    said, true = apart(value, right)
    for fault, text in (
        (math.isnan(value), "a share of nothing is 0, so that it can be compared and added"),
        (abs(value - 100 * right) < 1e-6 and right, "give shares between 0 and 1"),
        (value in [round(right, digits) for digits in (1, 2, 3, 4)], "give it unrounded; round where it is shown"),
        (nothing and not count[nothing], f"of the {nothing} names there is none here, and a share of nothing is 0"),
        (
            other is not None and abs(got[name] - rates[other]) < 1e-9 and abs(got[other] - right) < 1e-9,
            "precision and recall are exchanged",
        ),
        (name == "f1" and abs(value - mean) < 1e-9, "F1 is the harmonic mean of the two, not the plain one"),
        (name == "f1" and not count["right"], "where no name is right, F1 is 0"),
        (
            name == "f1",
            f"precision and recall are right, and F1 is 2 * {count['right']} / ({count['found']} + {count['true']}), "
            "twice the right ones over the found and the true ones",
        ),
    ):
        require(not fault, f"{case}{true}; you say {said}: {text}.")
    raise Wrong(f"{case}{true}; you say {said}: {why}.")


@exercise.step("Step 4, the Trainer")
@trainers.quiet()
def make_trainer(answer: Any) -> str:
    """Judge an answer to: Step 4, the Trainer."""
    import torch

    names, rows, body = ("O", "B-DRUG", "I-DRUG", "B-DOSE", "I-DOSE"), _rows(), tiny.body(seed=3)
    train, test, tokenizer = rows.select(range(16)), rows.select(range(16, 22)), tiny.tokenizer()
    with tempfile.TemporaryDirectory() as folder:
        body.save_pretrained(folder)
        given = (folder, tokenizer, names, train, test, f"{folder}/runs")
        trainer = trainers.judge_fresh(answer, given, body, train, test, f"{folder}/runs")
        model = trainer.model
        with torch.no_grad():
            logits = getattr(model.eval()(input_ids=torch.tensor([[2, 5, 6, 3]])), "logits", None)
        shape = tuple(getattr(logits, "shape", ()))
        require(
            shape[:2] == (1, 4),
            f"For a sentence of 4 tokens the model's logits have the shape {shape}: it doesn't answer for every token. "
            "The model is one for token classification.",
        )
        require(
            shape == (1, 4, len(names)),
            f"The model knows {shape[-1]} labels, and there are {len(names)} names: hand them over as id2label.",
        )
        _judge_tag_names(model.config, names)
        _judge_padding(trainer, test)
        require(
            trainer.processing_class is not None,
            "The Trainer has no tokenizer, and would save none with the model: hand it over as processing_class.",
        )
        trainers.judge_training(trainer, "classifier")
    return (
        "A pretrained body with a new head that knows its tags by name, trained whole and judged on unseen sentences."
    )


def _rows() -> Any:
    from datasets import Dataset

    lengths = [2 + n % 5 for n in range(22)]
    ids = [[2, *(4 + (3 * n + k) % 15 for k in range(length)), 3] for n, length in enumerate(lengths)]
    labels = [[IGNORED, *((n + k) % 5 for k in range(length)), IGNORED] for n, length in enumerate(lengths)]
    return Dataset.from_dict({"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids], "labels": labels})


def _judge_tag_names(config: Any, names: Sequence[str]) -> None:
    numbers = {tag: number for number, tag in enumerate(names)}
    own = [config.id2label.get(number) for number in range(len(names))]
    require(
        own == list(names),
        f"The model calls its answers {', '.join(map(str, own))}; names has {', '.join(names)}. With id2label a saved "
        "model answers by these names.",
    )
    require(
        dict(config.label2id) == numbers,
        f"label2id is {shown(config.label2id)}, which isn't id2label turned round: programs that take labels by name "
        "go by it.",
    )


def _judge_padding(trainer: Any, rows: Any) -> None:
    """Require that a batch of rows of different lengths has -100 as the labels of its padding."""
    clues = dict.fromkeys(
        ("expected sequence of length", "create tensor", "excessive nesting"),
        "The labels of a batch have different lengths, and this collator doesn't pad them: there is one for token "
        "classification.",
    )
    batch = run(trainer.data_collator, [rows[i] for i in range(len(rows))], clues=clues)
    trainers.judge_batch(batch, rows)
    labels, mask = batch["labels"].cpu(), batch["attention_mask"].cpu().bool()
    require(
        labels.shape == mask.shape and bool((labels[~mask] == IGNORED).all()),
        f"The labels of padding are {labels[~mask].unique().tolist()}: they must be -100, or the loss counts them.",
    )
    kept = [[label for label in row if label != IGNORED] for row in rows["labels"]]
    came = [[label for label in row if label != IGNORED] for row in labels.tolist()]
    require(
        came == kept,
        f"The labels of a batch are {shown(came)}, those of its rows {shown(kept)}: the collator leaves them as they "
        "are.",
    )


@exercise.step("Step 5, the mistakes")
def find_mistakes(answer: Any, true: Any, found: Any) -> str:
    """Judge an answer to: Step 5, the mistakes."""
    for names, answers, why in _MISTAKEN:
        came = _mistakes(ask(answer, *([list(row) for row in side] for side in (names, answers))))
        _explain_mistakes(came, names, answers, why)
    names, answers = _sentences(true, "true"), _sentences(found, "found")
    require(len(names) == len(answers), f"There are {len(names)} true sentences and {len(answers)} answered ones.")
    _explain_mistakes(_mistakes(ask(answer, names, answers)), names, answers, "look at this sentence")
    right = _true_mistakes(names, answers)
    counts = Counter(kind for _, kind, _ in right)
    lost = Counter(name[2] for _, kind, name in right if kind != "spurious")
    said = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    hard = f" Most names were lost of the label {lost.most_common(1)[0][0]}." if lost else ""
    return f"On the sentences that your reader hadn't seen: {said}.{hard} Now read some of each kind."


_MISTAKEN: tuple[tuple[list[list[Name]], list[list[Name]], str], ...] = (
    ([[(0, 2, "PER")]], [[(0, 2, "PER")]], "a name that is exactly right is no mistake"),
    ([[(0, 2, "PER")]], [[]], "a name where nothing was found is missed"),
    ([[]], [[(0, 2, "PER")]], "a name that was found where there is none is spurious"),
    ([[], [(3, 4, "LOC")]], [[], []], "sentences are counted from 0"),
    ([[(0, 2, "PER")]], [[(0, 2, "LOC")]], "it stands there with another label, which is a mistake of type"),
    ([[(1, 3, "PER")]], [[(1, 2, "PER")]], "a name of its kind shares a word with it, so it is one of boundary"),
    ([[(1, 3, "PER")]], [[(2, 5, "PER")]], "a name of its kind shares a word with it, so it is one of boundary"),
    ([[(1, 3, "PER")]], [[(2, 5, "LOC")]], "only a name of another kind shares a word with it: the mistake is of type"),
    ([[(0, 2, "PER")]], [[(2, 4, "PER")]], "names side by side share no word: the end is the place after the last"),
    ([[(2, 4, "PER")]], [[(0, 2, "PER")]], "names side by side share no word: the end is the place after the last"),
    (
        [[(0, 4, "PER")]],
        [[(0, 1, "LOC"), (1, 3, "PER")]],
        "one of those that share a word with it has its label, and that decides: boundary",
    ),
    (
        [[(0, 4, "PER")]],
        [[(0, 1, "PER"), (1, 3, "LOC")]],
        "one of those that share a word with it has its label, and that decides: boundary",
    ),
    ([[(0, 1, "PER"), (2, 3, "PER")]], [[(0, 3, "PER")]], "each of the true names is a mistake of its own"),
    (
        [[(0, 1, "PER"), (2, 3, "LOC"), (5, 7, "ORG")], [], [(0, 1, "PER")]],
        [[(0, 1, "PER"), (3, 4, "LOC"), (5, 7, "LOC")], [(0, 1, "PER")], []],
        "a sentence is compared with its own answers only",
    ),
)


def _true_mistakes(true: list[list[Name]], found: list[list[Name]]) -> list[tuple[int, str, Name]]:
    return [mistake for row, pair in enumerate(zip(true, found, strict=True)) for mistake in _mistakes_of(row, *pair)]


def _mistakes_of(row: int, names: list[Name], answers: list[Name]) -> Iterator[tuple[int, str, Name]]:
    for name in names:
        labels = {other[2] for other in answers if overlap(name, other)}
        if name not in answers:
            yield row, "missed" if not labels else "boundary" if name[2] in labels else "type", name
    for name in answers:
        if not any(overlap(name, other) for other in names):
            yield row, "spurious", name


def _mistakes(value: Any) -> list[tuple[int, str, Name]]:
    """Return mistakes as triples, which go by place: the cells of the notebook take them apart so."""
    rows = as_list(value)
    if rows is None:
        raise Wrong(f"Return a list with a triple for each mistake; this is {shown(value)}.")
    found = []
    for row in rows:
        parts = as_list(row) or []
        number = as_number(parts[0]) if len(parts) == 3 else None
        if number is None:
            raise Wrong(f"A mistake is {shown(row)}: give the number of the sentence, the kind, and the name.")
        require(
            isinstance(parts[1], str) and parts[1] in KINDS,
            f"The kind of a mistake is {shown(parts[1])}: it is one of {', '.join(KINDS)}.",
        )
        (name,) = _names([parts[2]], "In a mistake ")
        found.append((int(number), str(parts[1]), name))
    return found


def _explain_mistakes(came: Any, names: Any, answers: Any, why: str) -> None:
    """Raise `Wrong` with the likely reason if mistakes aren't the true ones, in any order."""
    right = _true_mistakes(names, answers)
    if Counter(came) == Counter(right):
        return
    lacking, added = Counter(right) - Counter(came), Counter(came) - Counter(right)
    row, kind, name = next(iter(lacking or added))
    sentence = f"In sentence {row}"
    if 0 <= row < len(names):
        sentence += f", with the names {names[row]} and the answers {answers[row]}"
    others = [other for other in added if other[2] == name]
    if lacking and others and others[0][0] != row:
        raise Wrong(f"{sentence}, {name} is noted for sentence {others[0][0]}: sentences are counted from 0.")
    if lacking and any(other[:2] == (row, kind) and other[2] in answers[row] for other in added):
        raise Wrong(f"{sentence}, {name} is {kind!r}, and you note the answer that shares a word: name the true one.")
    if lacking and not added and any(other[0] == row for other in came):
        raise Wrong(
            f"{sentence}, {name} isn't among your mistakes: a sentence may have several, and each name is a mistake of "
            "its own."
        )
    if lacking:
        said = f"is {others[0][1]!r} for you" if others else "isn't among your mistakes"
        raise Wrong(f"{sentence}, {name} {said}: {why}.")
    twice = (row, kind, name) in right
    raise Wrong(f"{sentence}, you note {name} as {kind!r}{' once more' if twice else ''}: {why}.")


def _sentences(value: Any, what: str) -> list[list[Name]]:
    """Return names by sentence, as the learner's own functions gave them."""
    rows = as_list(value)
    require(rows, f"The {what} names should be a list with a list of names for each sentence; this is {shown(value)}.")
    return [_names(row, f"In the {what} names ") for row in rows or []]


@exercise.step("Step 6, sentences of your own")
def own_sentences(answer: Any, names: Any) -> str:
    """Judge an answer to: Step 6, sentences of your own."""
    sentences = [_own_sentence(row, number) for number, row in enumerate(_own_rows(answer))]
    require(len(sentences) >= 8, f"There are {len(sentences)} sentences: write eight or more.")
    texts = [" ".join(words) for words, _ in sentences]
    twice = next((text for text in texts if texts.count(text) > 1), None)
    require(twice is None, f"The sentence {twice!r} is there more than once: each must say something new.")
    counts = Counter(label for _, tags in sentences for *_, label in spans(tags))
    require(len(counts) >= 2, f"The labels are {', '.join(counts) or 'none'}: choose two or more.")
    course = [label for label in counts if label in LABELS]
    require(not course, f"{', '.join(course[:1])} is a label of the course: choose others, such as DISH or DEVICE.")
    rare = next((label for label, count in counts.items() if count < 3), None)
    require(
        rare is None,
        f"Of the label {rare} there is {counts[rare or '']}: each label needs three names or more, or there is nothing "
        "to learn from.",
    )
    own = list(names) if isinstance(names, (list, tuple)) else None
    wanted = {"O", *(f"{place}-{label}" for label in counts for place in "BI")}
    require(
        own is not None and all(isinstance(tag, str) for tag in own),
        f"own_names is a list of tags; this is {shown(names)}.",
    )
    assert own is not None
    lacking, more = sorted(wanted - set(own)), sorted(set(own) - wanted)
    require(
        not lacking,
        f"own_names has no {', '.join(lacking[:1])}: O and, for each label, the tag that begins a name and the one "
        "that goes on; a later token needs it also where every name has one word.",
    )
    require(not more, f"own_names has {', '.join(more[:1])}, which no label of your sentences needs.")
    require(len(own) == len(set(own)), "own_names has a tag twice: its number would not be clear.")
    said = ", ".join(f"{count} of {label}" for label, count in sorted(counts.items()))
    return f"{len(sentences)} sentences with {sum(counts.values())} names: {said}."


def _own_rows(value: Any) -> list[Any]:
    if not isinstance(value, (list, tuple)) or not value:
        raise Wrong(f"Write a list of sentences, each with its words and tags; this is {shown(value)}.")
    return list(value)


def _own_sentence(row: Any, number: int) -> tuple[list[str], list[str]]:
    """Return the words and tags of one sentence of the learner's, which are well-formed."""
    pair = row if isinstance(row, (list, tuple)) else ()
    words, tags = pair if len(pair) == 2 else (None, None)
    if not isinstance(words, (list, tuple)) or not isinstance(tags, (list, tuple)):
        raise Wrong(
            f"Sentence {number} is {shown(row)}: give a pair, a list of words and a list of tags, as the cells further "
            "down take them."
        )
    require(words, f"Sentence {number} has no words.")
    bad = next((word for word in words if not isinstance(word, str) or not word.strip() or " " in word), None)
    require(bad is None, f"Sentence {number} has the word {bad!r}: a word is a string without blanks that isn't empty.")
    require(
        len(words) == len(tags),
        f"Sentence {number}, {shown(' '.join(words))}, has {len(words)} words and {len(tags)} tags: each word has one.",
    )
    before = "O"
    for word, tag in zip(words, tags, strict=True):
        good = isinstance(tag, str) and (tag == "O" or (tag[:2] in ("B-", "I-") and len(tag) > 2))
        require(good, f"Sentence {number} has the tag {tag!r} at {word!r}: write O, or B- or I- and a label.")
        require(
            tag[0] != "I" or before[1:] == tag[1:],
            f"Sentence {number} has {tag} at {word!r} after {before}: the first word of a name has B-.",
        )
        before = tag
    return list(words), list(tags)
