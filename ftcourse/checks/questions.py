"""The checks of exercise 6: fine-tune a reader that answers questions."""

import re
import string
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from . import tiny, trainers
from .engine import Exercise, Wrong, apart, ask, require, run, shown
from .reading import ONE_PASS, as_list, as_number, as_numbers

exercise = Exercise("6_questions", "Fine-tune a reader that answers questions")
Place = tuple[int, int]
KINDS = ("exact", "too long", "too short", "shifted", "elsewhere")
_OUTSIDE = (0, 0)  # the offsets of a token that isn't of the context


@exercise.step("Step 1, windows")
def make_windows(answer: Any) -> str:
    """Judge an answer to: Step 1, windows."""
    long = "  the plot is never less than gripping a warm story the shop is dull what a film you never is warm"
    clues = {
        "no longest_first": "Only the context may be cut: truncation takes a word for that.",
        "Truncation error": "The question, which comes first, must stay whole: only_second cuts the context alone.",
        "token_type_ids": "Not every tokenizer gives token_type_ids: hand on what tokenizer.model_input_names has, and "
        "go by sequence_ids.",
        "stride": "Look at how much room the question leaves for the context.",
    }
    for question, context, size, stride, names in (
        ("what is the plot", "the plot is warm", 32, 4, _BERT),
        ("what is the plot", long, 16, 4, _BERT),
        ("what is the plot", long, 16, 0, _BERT),
        ("is a dull story ever less than gripping", long, 16, 3, _BERT),
        ("what", long, 12, 7, _BERT),
        ("what", "a film", 6, 1, _BERT),
        ("what is the plot", long, 16, 4, _ROBERTA),
    ):
        tokenizer = tiny.tokenizer(pad_last=True)
        tokenizer.model_input_names = list(names)
        right = _cut(question, context, tokenizer, size, stride)
        came = ask(answer, question, context, tokenizer, size, stride, clues=clues)
        windows = _windows(came, list(right[0]))
        case = f"With a question of {len(question.split())} tokens, a context of {len(context.split())}, "
        case += f"max_length {size} and a stride of {stride}, "
        _compare_windows(windows, right, tokenizer, question, size, case)
    return "Windows that lose nothing, each with the whole question, and offsets for the context's tokens alone."


_BERT = ("input_ids", "token_type_ids", "attention_mask")  # what models take
_ROBERTA = ("input_ids", "attention_mask")


def _cut(question: str, context: str, tokenizer: Any, size: int, stride: int) -> list[dict[str, Any]]:
    options = dict(return_overflowing_tokens=True, return_offsets_mapping=True, return_attention_mask=True)
    encoded = tokenizer(
        question,
        context,
        truncation="only_second",
        max_length=size,
        stride=stride,
        return_token_type_ids=True,
        **options,
    )
    windows = []
    for i, offsets in enumerate(encoded["offset_mapping"]):
        own = [
            tuple(pair) if part == 1 else _OUTSIDE for pair, part in zip(offsets, encoded.sequence_ids(i), strict=True)
        ]
        windows.append({name: encoded[name][i] for name in tokenizer.model_input_names} | {"offsets": own})
    return windows


def _windows(value: Any, names: Sequence[str]) -> list[dict[str, list[Any]]]:
    """Return windows as dictionaries of lists."""
    require(
        not isinstance(value, Mapping),
        "You return one dictionary of lists, and the cells below go through a list of windows: make a dictionary for "
        "each window, as the tokenizer's rows i.",
    )
    rows = [value[i] for i in range(len(value))] if type(value).__name__ == "Dataset" else as_list(value)
    if not rows:
        raise Wrong(f"Return a list of windows, each a dictionary; this is {shown(value)}.")
    found = []
    for number, row in enumerate(rows):
        own = row if isinstance(row, Mapping) else {}
        for name in names:
            require(name in own, f"Window {number} has {', '.join(own) or shown(row)} and no {name}.")
        require(
            not isinstance(own["offsets"], ONE_PASS),
            f"The offsets of window {number} can be gone through once, and are needed more often: make a list of them.",
        )
        window: dict[str, list[Any]] = {name: [int(n) for n in as_numbers(own[name])] for name in names[:-1]}
        pairs = [as_numbers(pair) for pair in as_list(own["offsets"]) or []]
        require(
            pairs and all(len(pair) == 2 for pair in pairs),
            f"The offsets of window {number} are {shown(own['offsets'])}: a pair of characters for each token.",
        )
        found.append(window | {"offsets": [(int(start), int(end)) for start, end in pairs]})
    return found


def _compare_windows(windows: Any, right: Any, tokenizer: Any, question: str, size: int, case: str) -> None:
    ids, wanted = [window["input_ids"] for window in windows], [window["input_ids"] for window in right]
    longest = max(map(len, ids))
    require(longest <= size, f"{case}a window has {longest} tokens: cut it.")
    require(
        all(tokenizer.pad_token_id not in row for row in ids),
        f"{case}a window is filled up with padding: the batch will be padded to its own longest window.",
    )
    head = [tokenizer.cls_token_id, *tokenizer(question, add_special_tokens=False)["input_ids"], tokenizer.sep_token_id]
    require(
        all(row[: len(head)] == head for row in ids),
        f"{case}a window doesn't begin with [CLS], the whole question and [SEP]: only the context may be cut.",
    )
    require(
        all(row[-1] == tokenizer.sep_token_id for row in ids),
        f"{case}a window doesn't end in [SEP]: leave the special tokens in.",
    )
    require(
        len(ids) > 1 or len(wanted) == 1,
        f"{case}there is one window, and what doesn't fit is lost: ask the tokenizer for what overflows.",
    )
    own, true = ([row[len(head) : -1] for row in rows] for rows in (ids, wanted))
    require(
        len(own) <= len(true) or own[: len(true)] != true,
        f"{case}window {len(true)}, counted from 0, lies wholly in the one before it: stop where the context ends.",
    )
    require(
        own[0] == true[0],
        f"{case}the first window has {len(own[0])} tokens of the context; {len(true[0])} fit, from its beginning.",
    )
    require(
        own == true,
        f"{case}you return windows with {', '.join(str(len(row)) for row in own)} tokens of the context, and the "
        f"tokenizer such with {', '.join(str(len(row)) for row in true)}. The stride is what two neighbours share.",
    )
    for number, (window, kept) in enumerate(zip(windows, right, strict=True)):
        for name in [name for name in kept if name not in ("input_ids", "offsets")]:
            require(
                window[name] == kept[name],
                f"{case}{name} of window {number} is {window[name]}; the tokenizer says {kept[name]}: hand it on.",
            )
        _compare_offsets(window["offsets"], kept["offsets"], len(head), f"{case}the offsets of window {number} ")


def _compare_offsets(own: list[Place], true: list[Place], head: int, case: str) -> None:
    require(len(own) == len(true), f"{case}are {len(own)}, and it has {len(true)} tokens: each has a pair.")
    inside = [pair for pair in true if pair != _OUTSIDE]
    place = next((place for place, pair in enumerate(zip(own, true, strict=True)) if pair[0] != pair[1]), None)
    if place is None:
        return
    require(
        place >= head,
        f"{case}have {own[place]} for token {place}, which is of the question or special: write (0, 0), or an answer "
        "could be found there.",
    )
    first = inside[0][0]
    moved = [(start - first, end - first) if (start, end) != _OUTSIDE else _OUTSIDE for start, end in true]
    require(own != moved, f"{case}are counted from the window's beginning: they are characters of the whole context.")
    raise Wrong(f"{case}have {own[place]} for token {place}; the tokenizer says {true[place]}: hand it on as it is.")


@exercise.step("Step 2, the answer's place")
def label_answer(answer: Any) -> str:
    """Judge an answer to: Step 2, the answer's place."""
    for offsets, start, end, right, why in _LABELLED:
        came = as_numbers(ask(answer, list(offsets), start, end))
        case = f"With the offsets {list(offsets)} and the answer at characters {start} to {end} "
        require(len(came) == 2, f"{case}return two places, of the first and of the last token; this is {shown(came)}.")
        found = (int(came[0]), int(came[1]))
        if found == right:
            continue
        context = [place for place, pair in enumerate(offsets) if pair != _OUTSIDE]
        within = (right[0] - context[0], right[1] - context[0])
        require(
            found != within or found == _NOT_HERE or right[0] <= 0,
            f"{case}you say {found}: count the places in the whole window.",
        )
        require(
            found != (right[0], right[1] + 1) or right[0] <= 0,
            f"{case}you say {found}: the second place is that of the last token itself.",
        )
        raise Wrong(f"{case}you say {found}; it is {right}: {why}.")
    return "Whole in the window, not there, or in part: each gets the label that teaches no wrong answer."


_HEAD = [_OUTSIDE] * 4
_FIRST = (*_HEAD, (0, 2), (3, 7), (8, 12), (13, 16), (16, 21), (22, 27), (28, 30), (30, 31), _OUTSIDE)
_LATER = (*_HEAD, (40, 44), (45, 49), (50, 58), (60, 66), _OUTSIDE)
_NOT_HERE, _IN_PART = (0, 0), (-1, -1)
_LABELLED: tuple[tuple[tuple[Place, ...], int, int, Place, str], ...] = (
    (_FIRST, 3, 7, (5, 5), "the token with these characters"),
    (_FIRST, 8, 21, (6, 8), "from the token that begins with the answer to the one that ends with it"),
    (_LATER, 8, 21, _NOT_HERE, "the answer stands before this window"),
    (_LATER, 70, 80, _NOT_HERE, "the answer stands behind this window"),
    (_LATER, 30, 40, _NOT_HERE, "the answer ends where this window begins, and shares no character with it"),
    (_LATER, 66, 70, _NOT_HERE, "the answer begins where this window ends, and shares no character with it"),
    (_FIRST, 0, 2, (4, 4), "an answer may begin at character 0, and only (0, 0) stands for no characters"),
    (_FIRST, 30, 31, (11, 11), "the answer's last character is the one before its end"),
    (_FIRST, 0, 31, (4, 11), "the answer may fill the window"),
    (_LATER, 45, 58, (5, 6), "offsets are characters of the whole context"),
    (_LATER, 60, 66, (7, 7), "offsets are characters of the whole context"),
    (_LATER, 35, 44, _IN_PART, "the beginning of the answer is not in this window"),
    (_LATER, 50, 72, _IN_PART, "the end of the answer is not in this window"),
    (_LATER, 30, 80, _IN_PART, "the answer begins before this window and ends behind it"),
    (_LATER, 47, 58, _IN_PART, "the answer begins in the middle of a token"),
    (_LATER, 45, 47, _IN_PART, "the answer ends in the middle of a token"),
    (_LATER, 52, 55, _IN_PART, "the answer begins and ends in the middle of a token"),
)


@exercise.step("Step 3, the best answer")
def best_answer(answer: Any) -> str:
    """Judge an answer to: Step 3, the best answer."""
    for windows, longest in _JUDGED:
        right = _best(windows, longest)
        below = max(max(_pairs(window, longest).values()) for window in windows) < 0
        clues = {"returns None": _BELOW if below else "no pair that it tried is allowed here. Try every pair that is."}
        for pair in (tuple, list):  # a Dataset makes lists of tuples
            came = ask(answer, [_copy(window, pair) for window in windows], longest, clues=clues)
            numbers = as_numbers(came)
            require(
                len(numbers) == 2,
                f"Return two characters, the answer's first and the one after its last; this is {shown(came)}.",
            )
            found = (int(numbers[0]), int(numbers[1]))
            require(
                found == right or pair is tuple,
                f"With offsets that are lists, such as [0, 0], you answer {found}, and with tuples {right}: they are "
                "the same pairs, but a list never equals a tuple. Compare the numbers in them.",
            )
            if found != right:
                require(found != _OUTSIDE or not below, f"You answer {found}, no token at all: {_BELOW}")
                _explain_answer(found, right, windows, longest)
    return "The highest sum of all pairs that can be an answer, over all windows, as characters of the context."


def _window(starts: Sequence[float], ends: Sequence[float], head: int, first: int) -> dict[str, Any]:
    """Return a window: some tokens that aren't of the context, tokens of four letters and more, and [SEP]."""
    count = len(starts) - head - 1
    inside = [(first + 6 * k, first + 6 * k + 4 + k % 2) for k in range(count)]
    return {"start_logits": list(starts), "end_logits": list(ends), "offsets": [*[_OUTSIDE] * head, *inside, _OUTSIDE]}


def _copy(window: dict[str, Any], pair: type) -> dict[str, Any]:
    """Return a window with arrays, and with offsets that are pairs of a type."""
    import numpy as np

    logits = {name: np.array(window[name], dtype=float) for name in ("start_logits", "end_logits")}
    return logits | {"offsets": list(map(pair, window["offsets"]))}


_BELOW = "here every sum is below 0, as sums may be. Begin with minus infinity, or with the first pair."
_FALLING = [40.0 - place for place in range(40)]  # with the same numbers rising, the twenty best starts come too late
_JUDGED: tuple[tuple[list[dict[str, Any]], int], ...] = (
    ([_window([0, 1, 5, 1, 0], [0, 1, 2, 6, 0], 1, 0)], 3),
    ([{"start_logits": [0, 6, 1, 0], "end_logits": [0, 6, 1, 0], "offsets": [_OUTSIDE, (0, 1), (2, 6), _OUTSIDE]}], 2),
    ([_window([9, 1, 2, 5, 0], [9, 4, 1, 3, 0], 1, 0)], 3),  # the best end stands before the best start
    ([_window([0, 7, 1, 6, 1, 0], [0, 1, 2, 1, 8, 0], 1, 12)], 2),  # the best pair is too long
    ([_window([0, 5, 6, 7, 0], [0, 9, 1, 2, 0], 1, 0)], 3),
    ([_window([0, -5, -2, -9, 0], [0, -7, -8, -1, 0], 1, 0)], 3),
    ([_window([8, 9, 0, 3, 2, 1], [9, 9, 0, 1, 3, 4], 2, 30)], 1),  # the question has the highest numbers
    ([_window([0, 2, 2.5, 9], [0, 3, 1, 9], 1, 0)], 2),  # [SEP] has
    ([_window([0, 4, 3.5, 0, 0], [0, 0, 1, 6, 0], 1, 0)], 2),
    ([_window([0, -9, 6, 0, 4, 0], [0, 9, 0, 1, 4, 0], 1, 0)], 2),  # probabilities added say another pair
    ([_window([0, 2, 1, 0], [0, 1, 3, 0], 1, 0), _window([0, 4, 1, 0], [0, 1, 3, 0], 1, 50)], 4),  # in the second
    ([_window([0, 6, 1, 0], [0, 1, 3, 0], 1, 0), _window([0, 4, 1, 0], [0, 1, 3, 0], 1, 50)], 4),  # in the first
    (  # surer within its window, though the sum is lower
        [_window([0, 3, -9, 0], [0, 3, -9, 0], 1, 0), _window([0, 5, 4.9, 4.8, 0], [0, 4.5, 5, 4.7, 0], 1, 50)],
        1,
    ),
    (  # the highest start and the highest end are in different windows
        [_window([0, 8, 0, 0], [0, 0, -1, 0], 1, 0), _window([0, 0, 1, 0], [0, 0, 9, 0], 1, 50)],
        3,
    ),
    (
        [
            _window([0, 0, 1, 2, 0], [0, 0, 1, 2, 0], 1, 0),
            _window([9, 9, 3, 4, 2, 0], [9, 9, 0, 2, 5, 0], 2, 12),
            _window([0, 1, 1, 0], [0, 2, 1, 0], 1, 36),
        ],
        2,
    ),
    ([_window([0, *range(1, 20), 20.5, *range(21, 41), 0], [0, *_FALLING, 0], 1, 0)], 5),  # of 41 each, and none meet
)


def _pairs(window: dict[str, Any], longest: int) -> dict[Place, float]:
    """Return the sums of all pairs of tokens that can be an answer."""
    inside = [place for place, pair in enumerate(window["offsets"]) if pair != _OUTSIDE]
    return {
        (i, j): window["start_logits"][i] + window["end_logits"][j]
        for i in inside
        for j in inside
        if i <= j < i + longest
    }


def _characters(window: dict[str, Any], pair: Place) -> Place:
    return window["offsets"][pair[0]][0], window["offsets"][pair[1]][1]


def _best(windows: Sequence[dict[str, Any]], longest: int) -> Place:
    sums = [(value, number, pair) for number, it in enumerate(windows) for pair, value in _pairs(it, longest).items()]
    _, number, pair = max(sums)
    return _characters(windows[number], pair)


def _explain_answer(found: Place, right: Place, windows: list[dict[str, Any]], longest: int) -> None:
    """Raise `Wrong` with the likely reason for characters that aren't those of the best answer."""
    spans = "; ".join(
        f"starts {window['start_logits']}, ends {window['end_logits']}, offsets {window['offsets']}"
        for window in windows
    )
    case = f"With {spans} and at most {longest} tokens you answer {found}; the best is {right}: "
    tokens = [pair for window in windows for pair in _pairs(window, 99) if _characters(window, pair) == right]
    every = [pair for window in windows for pair in window["offsets"] if pair != _OUTSIDE]
    count = sum(right[0] <= start and end <= right[1] for start, end in every)
    parts = [(start, end) for start, end in every if found[0] <= start and end <= found[1]]
    for wrong, why in (
        (
            found[1] <= found[0],
            "it ends before it starts, or isn't of the context, whose tokens alone can be an answer",
        ),
        (found in tokens, "these are places of tokens; the offsets have their characters"),
        (found == (right[0], right[1] - 1), "the second number is the character after the last"),
        (
            count > 1 and found[0] == right[0] and found[1] in [start for start, _ in every],
            "the answer ends where its last token ends, not where that begins",
        ),
        (
            len(windows) > 1 and found in [_best([window], longest) for window in windows],
            "that is the best of its own window; the sums of all windows are compared as they are",
        ),
        (len(parts) > longest, f"that has {len(parts)} tokens, and {longest} are the most that are allowed"),
    ):
        require(not wrong, f"{case}{why}.")
    raise Wrong(f"{case}look at the sum of every pair that is allowed, in every window.")


@exercise.step("Step 4, exact match and F1")
def grade(answer: Any) -> str:
    """Judge an answer to: Step 4, exact match and F1."""
    for text, truths, why in _GRADED:
        exact, f1 = _two(ask(answer, text, list(truths), clues=_NOTHING))
        right = _grades(text, truths)
        case = f"For the answer {text!r} and the truths {truths} "
        for name, own, true in (("exact match", exact, right[0]), ("F1", f1, right[1])):
            if abs(own - true) < 1e-9:
                continue
            require(abs(own - 100 * true) > 1e-6, f"{case}the {name} is {own:g}: give a share between 0 and 1.")
            require(
                own not in [round(true, digits) for digits in (1, 2, 3, 4)],
                f"{case}the {name} is {own:g}: give it unrounded, {true:.6f}.",
            )
            wanted, said = apart(true, own)
            raise Wrong(f"{case}the {name} is {wanted}; you say {said}: {why}.")
    return (
        "As SQuAD counts: normalised, by words, the best of several truths, and only silence right where there is none."
    )


_GRADED: tuple[tuple[str, list[str], str], ...] = (
    ("Mary Tregenza", ["Mary Tregenza"], "the same text is right"),
    ("mary TREGENZA", ["Mary Tregenza"], "capitals don't count"),
    ("land", ["island"], "the same text, not one that stands within the other"),
    ("art", ["party"], "words are compared, not letters"),
    ("Mary Tregenza.", ["Mary Tregenza"], "punctuation doesn't count"),
    ("U.S.", ["US"], "punctuation is taken out, and nothing put in its place"),
    ("the lighthouse", ["a lighthouse"], "the words a, an and the don't count"),
    ("an anchor", ["anchor"], "the words a, an and the don't count"),
    ("keeper of the light", ["keeper of light"], "the words a, an and the don't count, wherever they stand"),
    ("The Beacon", ["beacon"], "capitals are taken away before the articles: The is one, too"),
    ("an anthem", ["them"], "articles are whole words, not parts of others"),
    ("  two \n miles ", ["two miles"], "kind and number of blanks don't count"),
    ("A-level", ["level"], "punctuation is taken out before the articles, so that this is one word, alevel"),
    ('"The" Beacon', ["beacon"], "punctuation is taken out before the articles, and then The is one"),
    ("(Big) Ben-", ["Big Ben"], "punctuation is all that string.punctuation has, brackets and hyphens, too"),
    ("big_ben", ["bigben"], "punctuation is what string.punctuation has, and _ is in it"),
    ("\u00a340", ["40"], "punctuation is what string.punctuation has, and a pound sign isn't in it"),
    ("1914\u201318", ["191418"], "punctuation is what string.punctuation has, and a dash of print isn't in it"),
    (
        "Tregenza",
        ["Mary Tregenza"],
        "half of the words is no exact match, and a precision of 1 with a recall of a half",
    ),
    ("the engineer Mary Tregenza", ["Tregenza"], "precision is the share of the answer's words, recall of the truth's"),
    ("Tregenza Mary", ["Mary Tregenza"], "exact match is of the text, F1 of its words in any order"),
    ("new new new york", ["new york"], "a word that stands three times is shared as often as it stands in both"),
    ("new york new", ["new new york city"], "a word that stands twice in both is shared twice"),
    ("granite rock", ["Big Ben"], "nothing is shared, and a share of nothing is 0"),
    ("1982", ["in 1982", "1982", "the year 1982"], "of several truths the best counts"),
    ("new york", ["york", "new", "new york city"], "of several truths the best counts"),
    ("1982", [], "where there is no truth, no answer is right"),
    ("", [], "where there is no truth, an empty answer is right"),
    ("", ["1982"], "an empty answer is wrong where there is a truth"),
    ("The", ["Rome"], "an answer of which nothing is left shares nothing"),
    ("Rome", ["The"], "a truth of which nothing is left shares nothing"),
    ("The", [], "where there is no truth, an answer is right if nothing is left of it"),
    ("the", ["a"], "nothing is left of either, so that they are the same, and F1 is 1, too"),
)
_NOTHING = {
    "ZeroDivision": "Where nothing is left of both texts F1 is 1; of one alone, or where nothing is shared, it is 0.",
    "empty": "There may be no truth: then only an empty answer is right.",
}


def _normalise(text: str) -> str:
    letters = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", letters).split())


def _grades(text: str, truths: Sequence[str]) -> tuple[float, float]:
    own, best = _normalise(text), (0.0, 0.0)
    for truth in truths or [""]:
        right = _normalise(truth)
        words, true = own.split(), right.split()
        shared = (Counter(words) & Counter(true)).total()
        f1 = 2 * shared / (len(words) + len(true)) if words and true else float(words == true)
        best = max(best[0], float(own == right)), max(best[1], f1)
    return best


def _two(value: Any) -> tuple[float, float]:
    """Return exact match and F1, by place, which may be truth values."""
    parts = as_list(value) or []
    numbers = [float(bool(part)) if type(part).__name__ in ("bool", "bool_") else as_number(part) for part in parts]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        raise Wrong(f"Return two numbers, exact match and F1; this is {shown(value)}.")
    return numbers[0], numbers[1]


@exercise.step("Step 5, the Trainer")
@trainers.quiet()
def make_reader(answer: Any) -> str:
    """Judge an answer to: Step 5, the Trainer."""
    import torch

    rows, body, tokenizer = _rows(), tiny.body(seed=4), tiny.tokenizer()
    train, test = rows.select(range(16)), rows.select(range(16, 22))
    with tempfile.TemporaryDirectory() as folder:
        body.save_pretrained(folder)
        given = (folder, tokenizer, train, test, f"{folder}/runs")
        trainer = trainers.judge_fresh(answer, given, body, train, test, f"{folder}/runs")
        with torch.no_grad():
            output = trainer.model.eval()(input_ids=torch.tensor([[2, 5, 3, 6, 7, 3]]))
        require(
            {"start_logits", "end_logits"} <= set(output) and tuple(output["start_logits"].shape) == (1, 6),
            f"The model returns {', '.join(output)}, and no number for the start and the end at every token: it is one "
            "for another task.",
        )
        _judge_batch(trainer, test)
        require(
            trainer.processing_class is not None,
            "The Trainer has no tokenizer, and would save none with the model: hand it over as processing_class.",
        )
        trainers.judge_training(trainer, "qa_outputs", frozen="word_embeddings")
    return "A pretrained body with a new head for starts and ends; all is trained but the word embeddings."


def _rows() -> Any:
    from datasets import Dataset

    lengths = [3 + n % 5 for n in range(22)]
    ids = [[2, 5 + n % 9, 3, *(4 + (3 * n + k) % 15 for k in range(size)), 3] for n, size in enumerate(lengths)]
    return Dataset.from_dict(
        {
            "input_ids": ids,
            "attention_mask": [[1] * len(row) for row in ids],
            "token_type_ids": [[0] * 3 + [1] * (len(row) - 3) for row in ids],
            "start_positions": [3 + n % size for n, size in enumerate(lengths)],
            "end_positions": [3 + max(n % size, size - 2) for n, size in enumerate(lengths)],
        }
    )


def _judge_batch(trainer: Any, rows: Any) -> None:
    """Require that windows of different lengths make a batch, with their places."""
    clues = dict.fromkeys(
        ("expected sequence of length", "create tensor", "excessive nesting", "inhomogeneous", "same size", "ragged"),
        "The windows of a batch have different lengths, and this collator doesn't pad them: there is one that does.",
    )
    batch = run(trainer.data_collator, [rows[i] for i in range(len(rows))], clues=clues)
    trainers.judge_batch(batch, rows)
    for name in ("start_positions", "end_positions"):
        own = batch[name].tolist() if name in batch else None
        require(
            own == rows[name][:],
            f"A batch has {name} of {shown(own)}, its windows {shown(rows[name][:])}: leave them as they are.",
        )
    require(
        batch["attention_mask"].sum(-1).tolist() == [len(row) for row in rows["input_ids"]],
        "The attention mask of a batch is not 1 on the tokens of its windows and 0 on padding.",
    )


@exercise.step("Step 6, the mistakes")
def name_mistake(answer: Any, found: Any, places: Any) -> str:
    """Judge an answer to: Step 6, the mistakes."""
    for own, true, right, why in _NAMED:
        kind = _kind(ask(answer, own, list(true)))
        require(
            kind == right, f"For the answer at {own} and the truth at {true} you say {kind!r}; it is {right!r}: {why}."
        )
    answers = [_place(row, "answer") for row in as_list(found) or []]
    truths = [[_place(row, "truth") for row in as_list(some) or []] for some in as_list(places) or []]
    require(answers, f"The answers should be a list of places, one for each question; this is {shown(found)}.")
    require(len(answers) == len(truths), f"There are {len(answers)} answers to {len(truths)} questions.")
    counts: Counter[str] = Counter()
    for number, (own, true) in enumerate(zip(answers, truths, strict=True)):
        kind, right = _kind(ask(answer, own, list(true))), _true_kind(own, true)
        require(
            kind == right,
            f"Question {number}, with the answer at {own} and the truth at {true}, is {right!r}; you say {kind!r}.",
        )
        counts[right] += 1
    said = ", ".join(f"{counts[kind]} {kind}" for kind in KINDS)
    return f"Of the {len(answers)} answers of your reader: {said}. Now read some of each kind."


_NAMED: tuple[tuple[Place, list[Place], str, str], ...] = (
    ((10, 20), [(10, 20)], "exact", "both ends are right"),
    ((10, 24), [(10, 20)], "too long", "the whole truth is in it, and more behind it"),
    ((6, 20), [(10, 20)], "too long", "the whole truth is in it, and more before it"),
    ((6, 24), [(10, 20)], "too long", "the whole truth is in it, and more on both sides"),
    ((10, 16), [(10, 20)], "too short", "it is a part of the truth"),
    ((14, 20), [(10, 20)], "too short", "it is a part of the truth"),
    ((12, 18), [(10, 20)], "too short", "it is a part of the truth"),
    ((6, 16), [(10, 20)], "shifted", "they share characters, and each has some of its own"),
    ((14, 24), [(10, 20)], "shifted", "they share characters, and each has some of its own"),
    ((20, 24), [(10, 20)], "elsewhere", "the end is the character after the last, so they share none"),
    ((4, 10), [(10, 20)], "elsewhere", "the end is the character after the last, so they share none"),
    ((40, 50), [(10, 20)], "elsewhere", "they share no character"),
    ((40, 50), [(10, 20), (40, 50)], "exact", "any of the true places may be meant"),
    ((10, 20), [(12, 15), (10, 20)], "exact", "the first kind that holds for any of the true places"),
    ((40, 46), [(10, 20), (40, 50)], "too short", "the first kind that holds for any of the true places"),
    ((10, 20), [(8, 22), (12, 15)], "too long", "the first kind that holds for any of the true places"),
    ((10, 20), [(15, 25), (8, 30)], "too short", "the first kind that holds for any of the true places"),
    ((10, 20), [(30, 40), (15, 25)], "shifted", "the first kind that holds for any of the true places"),
    ((0, 5), [(0, 5)], "exact", "a place may begin at character 0"),
    ((14, 26), [(10, 20)], "shifted", "it is longer, but the truth isn't whole in it"),
    ((15, 22), [(10, 20)], "shifted", "it is shorter, but not a part of the truth"),
    ((10, 20), [(15, 25), (30, 40)], "shifted", "the first kind that holds for any of the true places"),
    ((10, 20), [(12, 15), (30, 40)], "too long", "the first kind that holds for any of the true places"),
)


def _true_kind(own: Place, places: Sequence[Place]) -> str:
    kinds = {"elsewhere"}
    for start, end in places:
        if own == (start, end):
            kinds.add("exact")
        elif own[0] <= start and end <= own[1]:
            kinds.add("too long")
        elif start <= own[0] and own[1] <= end:
            kinds.add("too short")
        elif own[0] < end and start < own[1]:
            kinds.add("shifted")
    return next(kind for kind in KINDS if kind in kinds)


def _kind(value: Any) -> str:
    near = " ".join(value.lower().split()) if isinstance(value, str) else ""
    require(
        value in KINDS or near not in KINDS,
        f"You return {shown(value)}: write {near!r}, letter for letter, for the cells below count the kinds by name.",
    )
    require(near in KINDS, f"You return {shown(value)}: it is one of {', '.join(KINDS)}.")
    return near


def _place(value: Any, what: str) -> Place:
    numbers = as_numbers(value)
    require(len(numbers) == 2, f"An {what} should be two characters of the context; this is {shown(value)}.")
    return int(numbers[0]), int(numbers[1])
