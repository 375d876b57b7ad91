"""Answers to exercise 6."""

import re
import string
from collections import Counter, namedtuple

import numpy as np
import pandas as pd
from datasets import Dataset
from transformers import (
    AutoConfig,
    AutoModelForQuestionAnswering,
    AutoModelForTokenClassification,
    DataCollatorWithPadding,
    Trainer,
    TrainingArguments,
    default_data_collator,
)

from failure_matrix import Cases
from ftcourse import qa

cases = Cases()

# --- Windows ---------------------------------------------------------------------------------------------------------


def encoded_with(question, context, tokenizer, max_length, stride, **changed):
    options = dict(truncation="only_second", return_overflowing_tokens=True, return_offsets_mapping=True)
    options |= dict(max_length=max_length, stride=stride)
    return tokenizer([question], [context], **(options | changed))


def offsets_of(encoded, i):
    parts = zip(encoded["offset_mapping"][i], encoded.sequence_ids(i), strict=True)
    return [pair if part == 1 else (0, 0) for pair, part in parts]


def windows_of(encoded, tokenizer, offsets=offsets_of):
    return [
        {name: encoded[name][i] for name in tokenizer.model_input_names} | {"offsets": offsets(encoded, i)}
        for i in range(len(encoded["input_ids"]))
    ]


@cases.right("make_windows")
def rows_of_a_batch(question, context, tokenizer, max_length, stride):
    return windows_of(encoded_with(question, context, tokenizer, max_length, stride), tokenizer)


@cases.right("make_windows")
def with_the_lessons_offsets(question, context, tokenizer, max_length, stride):
    encoded = encoded_with(question, context, tokenizer, max_length, stride)
    return windows_of(encoded, tokenizer, lambda encoded, i: qa.context_offsets(encoded, i, context))


@cases.wrong("make_windows", r"one dictionary of lists, .* make a dictionary for each window")
def columns(*args):
    rows = rows_of_a_batch(*args)
    return {name: [row[name] for row in rows] for name in rows[0]}


@cases.wrong("make_windows", r"Return a list of windows, each a dictionary")
def a_frame(*args):
    return pd.DataFrame(rows_of_a_batch(*args))


@cases.wrong("make_windows", r"The offsets of window 0 can be gone through once, and are needed more often")
def offsets_that_end(*args):
    return [row | {"offsets": map(tuple, row["offsets"])} for row in rows_of_a_batch(*args)]


@cases.error("make_windows", r"raised KeyError.*Not every tokenizer gives token_type_ids: .*go by sequence_ids")
def names_of_a_bert(*args):
    encoded = encoded_with(*args)
    return [
        {name: encoded[name][i] for name in ("input_ids", "token_type_ids", "attention_mask")}
        | {"offsets": offsets_of(encoded, i)}
        for i in range(len(encoded["input_ids"]))
    ]


@cases.error("make_windows", r"raised KeyError.*Not every tokenizer gives token_type_ids: .*go by sequence_ids")
def context_by_kinds_of_token(*args):
    def offsets(encoded, i):
        pairs = zip(encoded["offset_mapping"][i], encoded["token_type_ids"][i], strict=True)
        return [pair if part == 1 else (0, 0) for pair, part in pairs]

    return windows_of(encoded_with(*args), args[2], offsets)


@cases.error("make_windows", r"Truncation error.*only_second cuts the context alone")
def question_cut(*args):
    return windows_of(encoded_with(*args, truncation="only_first"), args[2])


@cases.wrong("make_windows", r"window 4, counted from 0, lies wholly in the one before it: stop where the context ends")
def a_needless_last_window(question, context, tokenizer, max_length, stride):
    found = rows_of_a_batch(question, context, tokenizer, max_length, stride)
    if stride and len(found) > 1:
        head = found[-1]["token_type_ids"].count(0) if "token_type_ids" in found[-1] else 6
        last = {name: values[:head] + values[-2:] for name, values in found[-1].items()}
        found.append(last)
    return found


@cases.right("make_windows")
def a_data_set(question, context, tokenizer, max_length, stride):
    return Dataset.from_list(rows_of_a_batch(question, context, tokenizer, max_length, stride))


@cases.right("make_windows")
def cut_by_hand(question, context, tokenizer, max_length, stride):
    asked = tokenizer(question, add_special_tokens=False)["input_ids"]
    whole = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)
    head = [tokenizer.cls_token_id, *asked, tokenizer.sep_token_id]
    room, start = max_length - len(head) - 1, 0
    while True:
        ids, offsets = whole["input_ids"][start : start + room], whole["offset_mapping"][start : start + room]
        window = {
            "input_ids": np.array([*head, *ids, tokenizer.sep_token_id]),
            "token_type_ids": [0] * len(head) + [1] * (len(ids) + 1),
            "attention_mask": [1] * (len(head) + len(ids) + 1),
        }
        window = {name: window[name] for name in tokenizer.model_input_names}
        yield window | {"offsets": np.array([*[(0, 0)] * len(head), *offsets, (0, 0)])}
        if start + room >= len(whole["input_ids"]):
            return
        start += room - stride


@cases.wrong("make_windows", r"there is one window, and what doesn't fit is lost")
def cut_off(question, context, tokenizer, max_length, stride):
    encoded = tokenizer(
        [question], [context], truncation="only_second", max_length=max_length, return_offsets_mapping=True
    )
    return windows_of(encoded, tokenizer)


@cases.wrong("make_windows", r"a window is filled up with padding")
def padded(*args):
    return windows_of(encoded_with(*args, padding="max_length"), args[2])


@cases.wrong("make_windows", r"a window has \d+ tokens: cut it")
def not_cut(question, context, tokenizer, max_length, stride):
    return windows_of(tokenizer([question], [context], return_offsets_mapping=True), tokenizer)


@cases.wrong("make_windows", r"which is of the question or special: write \(0, 0\)")
def offsets_of_the_question_kept(*args):
    encoded = encoded_with(*args)
    return windows_of(encoded, args[2], offsets=lambda encoded, i: encoded["offset_mapping"][i])


@cases.wrong("make_windows", r"which is of the question or special")
def the_question_for_the_context(*args):
    encoded = encoded_with(*args)

    def offsets(encoded, i):
        parts = zip(encoded["offset_mapping"][i], encoded.sequence_ids(i), strict=True)
        return [pair if part == 0 else (0, 0) for pair, part in parts]

    return windows_of(encoded, args[2], offsets)


@cases.wrong("make_windows", r"are counted from the window's beginning")
def offsets_of_the_window(*args):
    found = rows_of_a_batch(*args)
    for window in found:
        first = next(start for start, end in window["offsets"] if end)
        window["offsets"] = [(start - first, end - first) if end else (0, 0) for start, end in window["offsets"]]
    return found


@cases.wrong("make_windows", r"doesn't begin with \[CLS\], the whole question")
def question_behind_the_context(question, context, tokenizer, max_length, stride):
    encoded = encoded_with(context, question, tokenizer, max_length, stride, truncation="only_first")
    return windows_of(encoded, tokenizer)


@cases.wrong("make_windows", r"The stride is what two neighbours share")
def stride_as_a_step(question, context, tokenizer, max_length, stride):
    room = max_length - len(tokenizer(question, add_special_tokens=False)["input_ids"]) - 3
    return rows_of_a_batch(question, context, tokenizer, max_length, max(room - max(stride, 1), 0))


@cases.wrong("make_windows", r"The stride is what two neighbours share")
def nothing_shared(question, context, tokenizer, max_length, stride):
    return rows_of_a_batch(question, context, tokenizer, max_length, 0)


@cases.wrong("make_windows", r"the first window has \d+ tokens of the context")
def room_for_the_question_twice(question, context, tokenizer, max_length, stride):
    return rows_of_a_batch(question, context, tokenizer, max_length - 2, stride)


@cases.wrong("make_windows", r"Window 0 has .* and no offsets")
def without_offsets(*args):
    return [{name: row[name] for name in row if name != "offsets"} for row in rows_of_a_batch(*args)]


@cases.wrong("make_windows", r"one dictionary of lists, .* make a dictionary for each window")
def what_the_tokenizer_returned(*args):
    return encoded_with(*args)


@cases.wrong("make_windows", r"and no token_type_ids")
def kinds_of_token_left_out(*args):
    return [{name: row[name] for name in row if name != "token_type_ids"} for row in rows_of_a_batch(*args)]


@cases.wrong("make_windows", r"token_type_ids of window 0 is .*hand it on")
def all_of_one_kind(*args):
    return [row | {"token_type_ids": [0] * len(row["input_ids"])} for row in rows_of_a_batch(*args)]


@cases.wrong("make_windows", r"there is one window, and what doesn't fit is lost")
def first_window_alone(*args):
    return rows_of_a_batch(*args)[:1]


@cases.wrong("make_windows", r"The stride is what two neighbours share")
def a_window_too_few(*args):
    found = rows_of_a_batch(*args)
    return found[:-1] if len(found) > 2 else found


@cases.wrong("make_windows", r"a window doesn't end in \[SEP\]: leave the special tokens in")
def last_special_token_cut(*args):
    return [{name: values[:-1] for name, values in window.items()} for window in rows_of_a_batch(*args)]


@cases.wrong("make_windows", r"the offsets of window 0 are 4, and it has 11 tokens: each has a pair")
def offsets_of_the_context_alone(*args):
    found = rows_of_a_batch(*args)
    return [window | {"offsets": [pair for pair in window["offsets"] if pair[1]]} for window in found]


@cases.wrong("make_windows", r"the offsets of window 0 have \(0, 2\) for token 6; the tokenizer says \(0, 3\)")
def last_characters_themselves(*args):
    found = rows_of_a_batch(*args)
    return [window | {"offsets": [(start, max(end - 1, 0)) for start, end in window["offsets"]]} for window in found]


@cases.wrong("make_windows", r"The offsets of window 0 are .*: a pair of characters for each token")
def beginnings_alone(*args):
    return [window | {"offsets": [start for start, _ in window["offsets"]]} for window in rows_of_a_batch(*args)]


@cases.wrong("make_windows", r"Return a list of windows, each a dictionary; this is \d")
def how_many_windows(*args):
    return len(rows_of_a_batch(*args))


# --- The answer's place ----------------------------------------------------------------------------------------------


@cases.right("label_answer")
def the_lessons_own(offsets, start, end):
    return qa.label_window(offsets, {"text": ["x" * (end - start)], "answer_start": [start]})


@cases.right("label_answer")
def by_looking_up(offsets, start, end):
    places = {pair: place for place, pair in enumerate(offsets) if pair[1]}
    starts, ends = (
        {pair[0]: place for pair, place in places.items()},
        {pair[1]: place for pair, place in places.items()},
    )
    if start in starts and end in ends:
        return [starts[start], ends[end]]
    return (-1, -1) if any(begin < end and start < stop for begin, stop in places) else (0, 0)


@cases.right("label_answer")
def with_arrays(offsets, start, end):
    begins, stops = np.array(offsets).T
    inside = np.flatnonzero((begins < end) & (start < stops))
    if not len(inside):
        return np.zeros(2)
    first, last = inside[[0, -1]]
    return np.array([first, last]) if begins[first] == start and stops[last] == end else np.array([-1, -1])


def labelled(offsets, start, end, nowhere=(0, 0), part=(-1, -1), touch=0, exact=True, move=(0, 0)):
    """Return the places of the answer; the arguments say how they differ from right ones."""
    inside = [i for i, (begin, stop) in enumerate(offsets) if stop and begin < end + touch and start < stop + touch]
    if not inside:
        return nowhere
    first, last = inside[0], inside[-1]
    if exact and (offsets[first][0], offsets[last][1]) != (start, end):
        return part
    return first + move[0], last + move[1]


@cases.wrong("label_answer", r"you say \(4, 7\); it is \(0, 0\): the answer stands before this window")
def the_whole_window_where_it_is_not(offsets, start, end):
    inside = [i for i, pair in enumerate(offsets) if pair[1]]
    found = labelled(offsets, start, end)
    return found if found[0] > 0 else (inside[0], inside[-1])


@cases.wrong("label_answer", r"it is \(0, 0\): the answer stands before this window")
def left_out_where_it_is_not(offsets, start, end):
    return labelled(offsets, start, end, nowhere=(-1, -1))


@cases.wrong("label_answer", r"it is \(-1, -1\): the beginning of the answer is not in this window")
def not_here_where_a_part_is(offsets, start, end):
    return labelled(offsets, start, end, part=(0, 0))


@cases.wrong("label_answer", r"it is \(-1, -1\): the beginning of the answer is not in this window")
def a_part_for_the_whole(offsets, start, end):
    return labelled(offsets, start, end, exact=False)


@cases.wrong("label_answer", r"shares no character with it")
def touching_counts(offsets, start, end):
    return labelled(offsets, start, end, touch=1)


@cases.wrong("label_answer", r"the second place is that of the last token itself")
def place_after_the_last(offsets, start, end):
    found = labelled(offsets, start, end)
    return (found[0], found[1] + 1) if found[0] > 0 else found


@cases.wrong("label_answer", r"count the places in the whole window")
def counted_in_the_context(offsets, start, end):
    first = next(i for i, pair in enumerate(offsets) if pair[1])
    found = labelled(offsets, start, end)
    return (found[0] - first, found[1] - first) if found[0] > 0 else found


@cases.wrong("label_answer", r"an answer may begin at character 0")
def character_0_taken_for_nothing(offsets, start, end):
    return labelled([pair if pair[0] else (0, 0) for pair in offsets], start, end, part=(0, 0))


@cases.wrong("label_answer", r"you say \(5, 7\); it is \(5, 5\)|it is \(5, 5\)")
def end_as_a_token_that_begins_there(offsets, start, end):
    found = labelled(offsets, start, end)
    later = [i for i, pair in enumerate(offsets) if pair[0] >= end]
    return (found[0], found[1] if not later else later[0] + 1) if found[0] > 0 else found


@cases.wrong("label_answer", r"in the middle of a token")
def tokens_around_it(offsets, start, end):
    found = labelled(offsets, start, end, exact=False)
    whole = found[0] > 0 and offsets[found[0]][0] <= start and end <= offsets[found[1]][1]
    return found if whole or found == (0, 0) else (-1, -1)


@cases.wrong("label_answer", r"changed offsets, which it was given")
def offsets_changed(offsets, start, end):
    offsets[:] = [pair if pair[1] else (-1, -1) for pair in offsets]
    return labelled(offsets, start, end)


@cases.wrong("label_answer", r"return two places")
def one_place(offsets, start, end):
    return labelled(offsets, start, end)[:1]


@cases.error("label_answer", r"raised ValueError: (30|40|70|8) is not in list")
def first_that_begins_there(offsets, start, end):
    return [pair[0] for pair in offsets].index(start), [pair[1] for pair in offsets].index(end)


# --- The best answer -------------------------------------------------------------------------------------------------


@cases.right("best_answer")
def with_the_lessons_own(windows, longest):
    best = (-np.inf, 0, 0)
    for window in windows:
        found = qa.best_spans(*window.values(), n_best=99, max_answer_length=longest)
        (score, first, last), *_ = found
        best = max(best, (score, window["offsets"][first][0], window["offsets"][last][1]))
    return best[1:]


@cases.right("best_answer")
def by_matrices(windows, longest):
    tables = []
    for window in windows:
        inside = np.array([end > 0 for _, end in window["offsets"]])
        sums = window["start_logits"][:, None] + window["end_logits"][None]
        allowed = np.tril(np.triu(np.outer(inside, inside)), longest - 1)
        tables.append(np.where(allowed, sums, -np.inf))
    number = int(np.argmax([table.max() for table in tables]))
    first, last = np.unravel_index(tables[number].argmax(), tables[number].shape)
    offsets = np.array(windows[number]["offsets"])
    return np.array([offsets[first, 0], offsets[last, 1]])


@cases.right("best_answer")
def by_a_frame(windows, longest):
    rows = [
        {"sum": window["start_logits"][i] + window["end_logits"][j], "start": start, "end": window["offsets"][j][1]}
        for window in windows
        for i, (start, stop) in enumerate(window["offsets"])
        for j in range(i, min(i + longest, len(window["offsets"])))
        if stop and window["offsets"][j][1]
    ]
    return pd.DataFrame(rows).sort_values("sum").iloc[-1][["start", "end"]].tolist()


@cases.wrong("best_answer", r"Return two characters, .*; this is {'end'")
def as_a_dictionary(windows, longest):
    return dict(zip(("start", "end"), chosen(windows, longest), strict=True))


@cases.right("best_answer")
def as_a_named_tuple(windows, longest):
    return namedtuple("Place", "first behind")(*chosen(windows, longest))


@cases.wrong("best_answer", r"With offsets that are lists, such as \[0, 0\], you answer .* a list never equals a tuple")
def offsets_compared_as_tuples(windows, longest):
    return chosen(windows, longest, is_inside=lambda pair: pair != (0, 0))


@cases.wrong("best_answer", r"isn't of the context, whose tokens alone can be an answer")
def offsets_compared_as_lists(windows, longest):
    return chosen(windows, longest, is_inside=lambda pair: pair != [0, 0])


@cases.wrong("best_answer", r"returns None: no pair that it tried is allowed here. Try every pair that is")
def twenty_best_starts_and_ends(windows, longest):
    best, found = -np.inf, None
    for window in windows:
        for i in np.argsort(window["start_logits"])[-20:]:
            for j in np.argsort(window["end_logits"])[-20:]:
                pairs, value = window["offsets"], window["start_logits"][i] + window["end_logits"][j]
                if pairs[i][1] and pairs[j][1] and i <= j < i + longest and value > best:
                    best, found = value, (pairs[i][0], pairs[j][1])
    return found


@cases.wrong("best_answer", r"changed windows, which it was given")
def numbers_masked_in_place(windows, longest):
    for window in windows:
        window["start_logits"][[not pair[1] for pair in window["offsets"]]] = -np.inf
    return chosen(windows, longest)


def above_nothing(windows, longest, found):
    best = 0
    for window in windows:
        for i, (start, stop) in enumerate(window["offsets"]):
            for j, (_, end) in enumerate(window["offsets"]):
                value = window["start_logits"][i] + window["end_logits"][j]
                if stop and end and i <= j < i + longest and value > best:
                    best, found = value, (start, end)
    return found


@cases.wrong("best_answer", r"returns None: here every sum is below 0, as sums may be")
def best_begins_at_0(windows, longest):
    return above_nothing(windows, longest, None)


@cases.wrong("best_answer", r"You answer \(0, 0\), no token at all: here every sum is below 0")
def best_begins_at_0_and_place_too(windows, longest):
    return above_nothing(windows, longest, (0, 0))


@cases.wrong("best_answer", r"you answer \(6, 0\); .*it ends before it starts, or isn't of the context")
def end_may_be_special(windows, longest):
    found = []
    for window in windows:
        for i, (start, stop) in enumerate(window["offsets"]):
            for j, (_, end) in enumerate(window["offsets"]):
                if stop and i <= j < i + longest:
                    found.append((window["start_logits"][i] + window["end_logits"][j], start, end))
    return max(found)[1:]


def chosen(
    windows, longest, score=None, compare=None, order=True, inside=True, characters=True, is_inside=lambda pair: pair[1]
):
    """Return the characters of the best answer; the arguments say how it differs from a right one."""
    found = []
    for window in windows:
        starts, ends, offsets = window["start_logits"], window["end_logits"], window["offsets"]
        score = score or (lambda starts, ends, i, j: starts[i] + ends[j])
        places = [i for i, pair in enumerate(offsets) if is_inside(pair) or not inside]
        pairs = [(i, j) for i in places for j in places if j < i + longest and (i <= j or not order)]
        best = max(pairs, key=lambda pair: score(starts, ends, *pair))
        value = (compare or score)(starts, ends, *best)
        found.append((value, *((offsets[best[0]][0], offsets[best[1]][1]) if characters else best)))
    return max(found)[1:]


def chance(logits):
    powers = np.exp(logits - np.max(logits))
    return powers / powers.sum()


@cases.wrong("best_answer", r"these are places of tokens; the offsets have their characters")
def tokens_for_characters(windows, longest):
    return chosen(windows, longest, characters=False)


@cases.wrong("best_answer", r"the second number is the character after the last")
def last_character_itself(windows, longest):
    start, end = chosen(windows, longest)
    return start, end - 1


@cases.wrong("best_answer", r"the answer ends where its last token ends, not where that begins")
def beginning_of_the_last_token(windows, longest):
    start, end = chosen(windows, longest)
    return start, next(begin for window in windows for begin, stop in window["offsets"] if stop == end)


@cases.wrong("best_answer", r"it ends before it starts, or isn't of the context")
def each_by_itself(windows, longest):
    window = max(windows, key=lambda window: window["start_logits"].max() + window["end_logits"].max())
    inside = [i for i, pair in enumerate(window["offsets"]) if pair[1]]
    first, last = (max(inside, key=lambda i: window[name][i]) for name in ("start_logits", "end_logits"))
    return window["offsets"][first][0], window["offsets"][last][1]


@cases.wrong("best_answer", r"it ends before it starts, or isn't of the context")
def ends_before_it_starts(windows, longest):
    return chosen(windows, longest, order=False)


@cases.wrong("best_answer", r"isn't of the context, whose tokens alone can be an answer")
def the_question_too(windows, longest):
    return chosen(windows, longest, inside=False)


@cases.wrong("best_answer", r"that has \d tokens|has \d tokens")
def as_long_as_it_likes(windows, longest):
    return chosen(windows, 99)


@cases.wrong("best_answer", r"look at the sum of every pair")
def a_token_too_short(windows, longest):
    return chosen(windows, max(longest - 1, 1))


@cases.wrong("best_answer", r"has \d tokens")
def a_token_too_long(windows, longest):
    return chosen(windows, longest + 1)


@cases.wrong("best_answer", r"that is the best of its own window; the sums of all windows are compared as they are")
def first_window_of_all(windows, longest):
    return chosen(windows[:1], longest)


@cases.wrong("best_answer", r"that is the best of its own window|look at the sum")
def last_window_of_all(windows, longest):
    return chosen(windows[-1:], longest)


@cases.wrong("best_answer", r"that is the best of its own window; the sums")
def probabilities_of_windows(windows, longest):
    return chosen(windows, longest, compare=lambda starts, ends, i, j: chance(starts)[i] * chance(ends)[j])


@cases.wrong("best_answer", r"look at the sum of every pair|that is the best of its own")
def probabilities_added(windows, longest):
    return chosen(windows, longest, score=lambda starts, ends, i, j: chance(starts)[i] + chance(ends)[j])


@cases.wrong("best_answer", r"look at the sum of every pair|that is the best of its own|has \d tokens")
def best_start_first(windows, longest):
    return chosen(windows, longest, score=lambda starts, ends, i, j: (starts[i], ends[j]))


@cases.wrong("best_answer", r"look at the sum of every pair|best of its own window")
def best_end_first(windows, longest):
    return chosen(windows, longest, score=lambda starts, ends, i, j: (ends[j], starts[i]))


@cases.wrong("best_answer", r"Return two characters")
def with_its_score(windows, longest):
    return 1.0, *chosen(windows, longest)


# --- Exact match and F1 ----------------------------------------------------------------------------------------------


@cases.right("grade")
def the_lessons_functions(answer, truths):
    return [max(measure(answer, truth) for truth in truths or [""]) for measure in (qa.exact_match, qa.f1)]


@cases.right("grade")
def by_precision_and_recall(answer, truths):
    words, exact, f1 = plain(answer).split(), False, 0.0
    for truth in truths:
        true = plain(truth).split()
        exact |= words == true
        if not words and not true:
            f1 = 1.0
        shared = sum(min(words.count(word), true.count(word)) for word in {*words})
        if shared:
            precision, recall = shared / len(words), shared / len(true)
            f1 = max(f1, 2 * precision * recall / (precision + recall))
    if not truths:
        exact = not words
        f1 = float(exact)
    return namedtuple("Grade", "same overlap")(np.bool_(exact), f1)


@cases.wrong("grade", r"Return two numbers, exact match and F1; this is {'exact_match'")
def by_name(answer, truths):
    return dict(zip(("exact_match", "f1"), graded(answer, truths), strict=True))


@cases.right("grade")
def a_generator(answer, truths):
    pairs = [graded(answer, [truth]) for truth in truths] or [graded(answer, [])]
    return (max(column) for column in zip(*pairs, strict=True))


def plain(text, lower=True, marks="", articles=True, first="marks"):
    """Return a text normalised; the arguments say how it differs from the right way."""
    text = text.lower() if lower else text
    if first == "articles":
        text = re.sub(r"\b(a|an|the)\b", " ", text)
    if marks is not None:
        text = "".join(marks if letter in string.punctuation else letter for letter in text)
    return " ".join((re.sub(r"\b(a|an|the)\b", " ", text) if articles else text).split())


def shared_words(words, true):
    return (Counter(words) & Counter(true)).total()


def graded(answer, truths, plain=plain, shared=shared_words, best=max, nothing=("",)):
    """Return exact match and F1; the arguments say how they differ from right ones."""
    own, pairs = plain(answer), []
    for truth in truths or nothing:
        right = plain(truth)
        words, true = own.split(), right.split()
        f1 = 2 * shared(words, true) / (len(words) + len(true)) if words and true else float(words == true)
        pairs.append((float(own == right), f1))
    return tuple(best(column) for column in zip(*pairs, strict=True))


@cases.wrong("grade", r"capitals don't count")
def capitals_kept(answer, truths):
    return graded(answer, truths, plain=lambda text: plain(text, lower=False))


@cases.wrong("grade", r"punctuation doesn't count")
def punctuation_kept(answer, truths):
    return graded(answer, truths, plain=lambda text: plain(text, marks=None))


@cases.wrong("grade", r"punctuation is taken out, and nothing put in its place")
def punctuation_to_blanks(answer, truths):
    return graded(answer, truths, plain=lambda text: plain(text, marks=" "))


@cases.wrong("grade", r"the words a, an and the don't count")
def articles_kept(answer, truths):
    return graded(answer, truths, plain=lambda text: plain(text, articles=False))


@cases.wrong("grade", r"articles are whole words")
def articles_within_words(answer, truths):
    return graded(
        answer, truths, plain=lambda text: " ".join(re.sub("an|the|a", "", plain(text, articles=False)).split())
    )


@cases.wrong("grade", r"taken out before the articles, so that this is one word")
def articles_first(answer, truths):
    return graded(answer, truths, plain=lambda text: plain(text, first="articles"))


def by_steps(*steps):
    """Return an answer that normalises a text by these steps, one after the other, and tidies blanks."""

    def answer(answer, truths):
        def own(text):
            for step in steps:
                text = step(text)
            return " ".join(text.split())

        return graded(answer, truths, plain=own)

    return answer


def without(marks):
    return lambda text: "".join(letter for letter in text if letter not in marks)


def words_left(text):
    return " ".join(word for word in text.split() if word not in ("a", "an", "the"))


ALL, ARTICLES = without(string.punctuation), lambda text: re.sub(r"\b(a|an|the)\b", " ", text)
for name, message, steps in (
    ("an_is_kept", r"'an anchor'.*the words a, an and the don't count",
     (str.lower, ALL, lambda text: re.sub(r"\b(a|the)\b", " ", text))),
    ("articles_at_the_front", r"'keeper of the light'.*wherever they stand",
     (str.lower, ALL, lambda text: re.sub(r"^(a|an|the)\b", " ", text))),
    ("articles_before_lower_case", r"'The Beacon'.*capitals are taken away before the articles",
     (ALL, ARTICLES, str.lower)),
    ("words_before_punctuation", r"punctuation is taken out before the articles, and then The is one",
     (str.lower, words_left, ALL)),
    ("four_marks", r"'\(Big\) Ben-'.*brackets and hyphens, too", (str.lower, without(".,!?\""), ARTICLES)),
    ("all_but_letters", r"'big_ben'.*and _ is in it",
     (str.lower, lambda text: re.sub(r"[^\w\s]", "", text), ARTICLES)),
    ("all_but_letters_and_lines", r"'£40'.*a pound sign isn't in it",
     (str.lower, lambda text: re.sub(r"[^\w\s]|_", "", text), ARTICLES)),
    ("dashes_too", r"'1914–18'.*a dash of print isn't in it",
     (str.lower, without(string.punctuation + "–"), ARTICLES)),
):  # fmt: skip
    cases.value("grade", "wrong", message, name, by_steps(*steps))


@cases.wrong("grade", r"'The' and the truths \[\].*an answer is right if nothing is left of it")
def empty_to_the_letter(answer, truths):
    return graded(answer, truths) if truths else (float(answer == ""),) * 2


@cases.error("grade", r"ZeroDivisionError.*Where nothing is left of both texts F1 is 1")
def divided_where_nothing_is_left(answer, truths):
    own, pairs = plain(answer), []
    if not truths:
        return (float(own == ""),) * 2
    for right in map(plain, truths):
        words, true = own.split(), right.split()
        pairs.append((float(own == right), 2 * shared_words(words, true) / (len(words) + len(true))))
    return tuple(max(column) for column in zip(*pairs, strict=True))


@cases.wrong("grade", r"'the' and the truths \['a'\] the F1 is 1; you say 0: nothing is left of either")
def nothing_shares_nothing(answer, truths):
    exact, f1 = graded(answer, truths)
    return exact, f1 if plain(answer) or not truths else 0.0


@cases.wrong("grade", r"changed truths, which it was given")
def truths_sorted(answer, truths):
    truths.sort()
    return graded(answer, truths)


@cases.wrong("grade", r"the exact match is 0; you say 1: the same text, not one that stands within the other")
def exact_by_containment(answer, truths):
    own = plain(answer)
    return float(any(own in plain(truth) for truth in truths or [""])), graded(answer, truths)[1]


@cases.wrong("grade", r"kind and number of blanks don't count")
def blanks_kept(answer, truths):
    def once(text):
        text = "".join(letter for letter in text.lower() if letter not in string.punctuation)
        return re.sub(r"\b(a|an|the) ?\b", "", text)

    return graded(answer, truths, plain=once)


@cases.wrong("grade", r"shared as often as it stands in both")
def words_of_the_answer_counted(answer, truths):
    return graded(answer, truths, shared=lambda words, true: sum(word in true for word in words))


@cases.wrong("grade", r"shared twice|shared as often")
def words_as_a_set(answer, truths):
    return graded(answer, truths, shared=lambda words, true: len({*words} & {*true}))


@cases.wrong("grade", r"the F1 is .*words are compared, not letters|precision of 1 with a recall|F1")
def letters_compared(answer, truths):
    def split(text):
        return " ".join(plain(text).replace(" ", ""))

    exact = graded(answer, truths)[0]
    return exact, graded(answer, truths, plain=split)[1]


@cases.wrong("grade", r"of several truths the best counts")
def first_truth_alone(answer, truths):
    return graded(answer, truths[:1])


@cases.wrong("grade", r"of several truths the best counts")
def mean_over_truths(answer, truths):
    return graded(answer, truths, best=lambda column: sum(column) / len(column))


@cases.error("grade", r"raised ValueError: max\(\).*empty.*There may be no truth")
def no_truth_not_thought_of(answer, truths):
    return max(qa.exact_match(answer, truth) for truth in truths), max(qa.f1(answer, truth) for truth in truths)


@cases.wrong("grade", r"where there is no truth, an empty answer is right")
def nothing_right_without_a_truth(answer, truths):
    return graded(answer, truths) if truths else (0.0, 0.0)


@cases.wrong("grade", r"where there is no truth, no answer is right")
def all_right_without_a_truth(answer, truths):
    return graded(answer, truths) if truths else (1.0, 1.0)


@cases.error("grade", r"ZeroDivisionError.*Where nothing is left of both texts F1 is 1")
def divided_by_nothing(answer, truths):
    words = plain(answer).split()
    exact = any(plain(truth).split() == words for truth in truths or [""])
    f1s = []
    for true in (plain(truth).split() for truth in truths or [""]):
        precision, recall = shared_words(words, true) / len(words), shared_words(words, true) / len(true)
        f1s.append(2 * precision * recall / (precision + recall))
    return exact, max(f1s)


@cases.wrong("grade", r"exact match is of the text, F1 of its words in any order")
def exact_by_words_in_any_order(answer, truths):
    exact = graded(
        " ".join(sorted(plain(answer).split())), [" ".join(sorted(plain(truth).split())) for truth in truths]
    )[0]
    return exact, graded(answer, truths)[1]


@cases.wrong("grade", r"the exact match is 100: give a share|the F1 is")
def in_per_cent(answer, truths):
    return [100 * value for value in graded(answer, truths)]


@cases.wrong("grade", r"the F1 is 0\.67: give it unrounded")
def rounded(answer, truths):
    return [round(value, 2) for value in graded(answer, truths)]


@cases.wrong("grade", r"a precision of 1 with a recall of a half")
def precision_for_f1(answer, truths):
    def share(words, true):
        return shared_words(words, true) * (len(words) + len(true)) / (2 * len(words))

    return graded(answer, truths, shared=share)


@cases.wrong("grade", r"Return two numbers, exact match and F1")
def exact_match_alone(answer, truths):
    return graded(answer, truths)[0]


# --- The Trainer -----------------------------------------------------------------------------------------------------


def reader_of(folder, frozen="embeddings", kind=AutoModelForQuestionAnswering):
    model = kind.from_pretrained(folder)
    parts = {"embeddings": [model.get_input_embeddings()], "body": [model.base_model], None: []}
    for part in parts[frozen]:
        part.requires_grad_(False)
    return model


def reader_with(folder, tokenizer, train_dataset, eval_dataset, output_dir, model=None, own=None, **training):
    """Return a Trainer; model and own say how it differs from a right one."""
    return Trainer(
        model=model if model is not None else reader_of(folder),
        args=TrainingArguments(output_dir, report_to="none", **{"learning_rate": 3e-4, **(own or {}), **training}),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
    )


cases.value("make_reader", "right", "", "a_trainer_by_hand", reader_with)


@cases.right("make_reader")
def with_the_courses_helpers(folder, tokenizer, train_dataset, eval_dataset, output_dir, **training):
    from pathlib import Path

    from ftcourse import train

    return train.build_trainer(
        qa.load_reader(Path(folder), frozen="embeddings"),
        train.training_arguments(output_dir, **training),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer),
    )


@cases.right("make_reader")
def frozen_by_name(folder, tokenizer, *sides, **training):
    model = AutoModelForQuestionAnswering.from_pretrained(folder)
    for name, part in model.named_parameters():
        part.requires_grad = "word_embeddings" not in name
    return reader_with(folder, tokenizer, *sides, model=model, own={"warmup_steps": 0.1}, **training)


@cases.right("make_reader")
def to_a_multiple_of_eight(folder, tokenizer, train_dataset, eval_dataset, output_dir, **training):
    return Trainer(
        model=reader_of(folder),
        args=TrainingArguments(output_dir, report_to="none", **{"num_train_epochs": 2, **training}),
        train_dataset=train_dataset,
        eval_dataset=eval_dataset,
        processing_class=tokenizer,
        data_collator=DataCollatorWithPadding(tokenizer, pad_to_multiple_of=8),
    )


@cases.wrong("make_reader", r"the word embeddings have moved: freeze them")
def nothing_frozen(folder, *args, **training):
    return reader_with(folder, *args, model=reader_of(folder, None), **training)


@cases.wrong("make_reader", r"weights are frozen, bert\..*only the word embeddings stay as they are")
def body_frozen(folder, *args, **training):
    return reader_with(folder, *args, model=reader_of(folder, "body"), **training)


@cases.wrong("make_reader", r"weights are frozen, bert\.embeddings\..*only the word embeddings stay")
def all_embeddings_frozen(folder, *args, **training):
    model = reader_of(folder)
    model.base_model.embeddings.requires_grad_(False)
    return reader_with(folder, *args, model=model, **training)


@cases.wrong("make_reader", r"weights are frozen|the head is as it was")
def head_frozen(folder, *args, **training):
    model = reader_of(folder)
    model.qa_outputs.requires_grad_(False)
    return reader_with(folder, *args, model=model, **training)


@cases.wrong("make_reader", r"The model returns .*logits.*it is one for another task")
def model_for_tokens(folder, *args, **training):
    return reader_with(folder, *args, model=reader_of(folder, kind=AutoModelForTokenClassification), **training)


@cases.wrong("make_reader", r"The body of the model isn't the pretrained one")
def random_body(folder, *args, **training):
    model = AutoModelForQuestionAnswering.from_config(AutoConfig.from_pretrained(folder))
    model.get_input_embeddings().requires_grad_(False)
    return reader_with(folder, *args, model=model, **training)


@cases.error("make_reader", r"different lengths, and this collator doesn't pad them")
def collator_that_does_not_pad(folder, tokenizer, train_dataset, eval_dataset, output_dir, **training):
    trainer = reader_with(folder, tokenizer, train_dataset, eval_dataset, output_dir, **training)
    trainer.data_collator = default_data_collator
    return trainer


@cases.wrong("make_reader", r"A batch whose longest row has 11 tokens is 128 wide: pad to the longest row")
def padded_to_a_fixed_length(folder, tokenizer, *args, **training):
    trainer = reader_with(folder, tokenizer, *args, **training)
    trainer.data_collator = DataCollatorWithPadding(tokenizer, padding="max_length", max_length=128)
    return trainer


@cases.wrong("make_reader", r"gives no loss: it looks for labels under \[\]. Leave label_names out")
def no_names_of_labels(*args, **training):
    return reader_with(*args, own={"label_names": []}, **training)


@cases.wrong("make_reader", r"no tokenizer, and would save none")
def tokenizer_for_the_collator_alone(folder, tokenizer, train_dataset, eval_dataset, output_dir, **training):
    trainer = reader_with(folder, None, train_dataset, eval_dataset, output_dir, **training)
    trainer.data_collator = DataCollatorWithPadding(tokenizer)
    return trainer


@cases.wrong("make_reader", r"judged on the rows that it trains on")
def judged_on_training(folder, tokenizer, train_dataset, eval_dataset, *args, **training):
    return reader_with(folder, tokenizer, train_dataset, train_dataset, *args, **training)


@cases.wrong("make_reader", r"trains on another data set than train_dataset, or on a part")
def starts_for_ends(folder, tokenizer, train_dataset, eval_dataset, *args, **training):
    names = {"start_positions": "end_positions", "end_positions": "start_positions"}
    swapped = [side.rename_columns({a: f"{b}_" for a, b in names.items()}) for side in (train_dataset, eval_dataset)]
    swapped = [side.rename_columns({f"{a}_": a for a in names}) for side in swapped]
    return reader_with(folder, tokenizer, *swapped, *args, **training)


@cases.wrong("make_reader", r"no eval_dataset")
def nothing_to_judge_on(folder, tokenizer, train_dataset, eval_dataset, *args, **training):
    return reader_with(folder, tokenizer, train_dataset, None, *args, **training)


@cases.wrong("make_reader", r"max_steps=4 was given and the arguments have -1")
def training_not_passed_on(*args, **training):
    return reader_with(*args)


@cases.wrong("make_reader", r"learning rate is 0.05\..*would destroy them")
def rate_of_training_from_scratch(*args, **training):
    return reader_with(*args, own={"learning_rate": 0.05}, **training)


@cases.wrong("make_reader", r"Checkpoints would go to 'elsewhere'")
def folder_written_down(folder, tokenizer, train_dataset, eval_dataset, output_dir, **training):
    return reader_with(folder, tokenizer, train_dataset, eval_dataset, "elsewhere", **training)


@cases.wrong("make_reader", r"Return the Trainer itself")
def model_alone(folder, tokenizer, train_dataset, eval_dataset, output_dir, **training):
    return reader_of(folder)


# --- The mistakes ----------------------------------------------------------------------------------------------------

FOUND = [(0, 5), (10, 24), (10, 15), (6, 12), (30, 40)]
TRUE = [[(0, 5), (50, 55)], [(10, 20)], [(10, 20)], [(10, 20)], [(10, 20)]]
given = {"name_mistake": [{"found_places": FOUND, "true_places": TRUE}]}


def with_data(outcome, message=""):
    """Decorate an answer to the step, which also gets a reader's answers."""

    def register(answer):
        cases.value("name_mistake", outcome, message, answer.__name__, answer, FOUND, TRUE)
        return answer

    return register


ORDER = ["exact", "too long", "too short", "shifted", "elsewhere"]


def kind_of(found, place, touch=0):
    start, end = place
    if tuple(found) == (start, end):
        return "exact"
    if found[0] <= start and end <= found[1]:
        return "too long"
    if start <= found[0] and found[1] <= end:
        return "too short"
    return "shifted" if found[0] < end + touch and start < found[1] + touch else "elsewhere"


@with_data("right", r"Of the 5 answers of your reader: 1 exact, 1 too long, 1 too short, 1 shifted, 1 elsewhere")
def the_best_kind(found, places):
    return min((kind_of(found, place) for place in places), key=ORDER.index)


@with_data("right")
def by_sets_of_characters(found, places):
    own, kinds = set(range(*found)), set()
    for place in places:
        true = set(range(*place))
        kinds.add(4 if not own & true else 0 if own == true else 1 if own > true else 2 if own < true else 3)
    return np.array(ORDER)[min(kinds)]


@with_data("right")
def by_columns(found, places):
    table = pd.DataFrame(places, columns=["start", "end"])
    before, after = table["start"] - found[0], found[1] - table["end"]
    tests = [
        (before == 0) & (after == 0), (before >= 0) & (after >= 0), (before <= 0) & (after <= 0),
        (found[0] < table["end"]) & (table["start"] < found[1]),
    ]  # fmt: skip
    return next((kind for kind, test in zip(ORDER, tests, strict=False) if test.any()), "elsewhere")


@with_data("wrong", r"You return 'Exact': write 'exact', letter for letter")
def in_capitals(found, places):
    return the_best_kind(found, places).capitalize()


@with_data("wrong", r"at \(14, 26\) and the truth at \[\(10, 20\)\] you say 'too long'; it is 'shifted': it is longer")
def too_long_by_length(found, places):
    kind = the_best_kind(found, places)
    longer = found[1] - found[0] > min(end - start for start, end in places)
    return "too long" if kind == "shifted" and longer else kind


@with_data(
    "wrong", r"at \(15, 22\) and the truth at \[\(10, 20\)\] you say 'too short'; it is 'shifted': it is shorter"
)
def too_short_by_length(found, places):
    kind = the_best_kind(found, places)
    shorter = found[1] - found[0] < max(end - start for start, end in places)
    return "too short" if kind == "shifted" and shorter else kind


@with_data("wrong", r"\[\(15, 25\), \(30, 40\)\] you say 'elsewhere'; it is 'shifted'")
def shifted_by_the_last_place(found, places):
    kind = the_best_kind(found, places)
    return kind_of(found, places[-1]) if kind == "shifted" else kind


@with_data("wrong", r"you say 'elsewhere'; it is 'exact': any of the true places may be meant")
def first_place_alone(found, places):
    return kind_of(found, places[0])


@with_data("wrong", r"it is 'exact': the first kind that holds for any of the true places|it is 'too short'")
def first_that_overlaps(found, places):
    return next((kind_of(found, place) for place in places if kind_of(found, place) != "elsewhere"), "elsewhere")


@with_data("wrong", r"any of the true places may be meant")
def the_worst_kind(found, places):
    return max((kind_of(found, place) for place in places), key=ORDER.index)


@with_data("wrong", r"at \(20, 24\).*the end is the character after the last, so they share none")
def touching_is_sharing(found, places):
    return min((kind_of(found, place, touch=1) for place in places), key=ORDER.index)


@with_data("wrong", r"you say 'too short'; it is 'too long'")
def long_for_short(found, places):
    return {"too long": "too short", "too short": "too long"}.get(
        the_best_kind(found, places), the_best_kind(found, places)
    )


@with_data("wrong", r"you say 'too short'; it is 'shifted': they share characters")
def by_length(found, places):
    kind = the_best_kind(found, places)
    lengths = found[1] - found[0], places[0][1] - places[0][0]
    return kind if kind in ("exact", "elsewhere") else "too long" if lengths[0] > lengths[1] else "too short"


@with_data("wrong", r"at \(10, 24\).*you say 'shifted'; it is 'too long'|it is 'too long'")
def both_ends_must_differ(found, places):
    def strict(place):
        if found[0] < place[0] and place[1] < found[1]:
            return "too long"
        if place[0] < found[0] and found[1] < place[1]:
            return "too short"
        kind = kind_of(found, place)
        return "shifted" if kind in ("too long", "too short") else kind

    return min(map(strict, places), key=ORDER.index)


@with_data("wrong", r"you say 'shifted'; it is 'elsewhere'|it is 'elsewhere'")
def exact_or_shifted(found, places):
    kind = the_best_kind(found, places)
    return "shifted" if kind == "elsewhere" else kind


@with_data("wrong", r"You return 'wrong': it is one of exact, too long")
def two_kinds(found, places):
    return "exact" if tuple(found) in places else "wrong"


@with_data("wrong", r"You return \['exact'")
def a_kind_a_place(found, places):
    return [kind_of(found, place) for place in places]


@with_data("wrong", r"it is 'exact': a place may begin at character 0")
def character_0_taken_for_nothing_found(found, places):
    return the_best_kind(found, places) if found[0] else "elsewhere"


cases.value(
    "name_mistake", "wrong", r"There are 5 answers to 4 questions", "a_question_lost", the_best_kind, FOUND, TRUE[1:]
)
cases.value(
    "name_mistake",
    "wrong",
    r"An answer should be two characters",
    "texts_for_places",
    the_best_kind,
    ["1982"],
    TRUE[:1],
)


def right_for_short_texts(found, places):
    return the_best_kind(found, places) if found[1] < 100 else "elsewhere"


cases.value(
    "name_mistake",
    "wrong",
    r"Question 1, with the answer at \(120, 126\) and the truth at .*, is 'exact'; you say 'elsewhere'",
    "right_for_short_texts",
    right_for_short_texts,
    [(0, 5), (120, 126)],
    [[(0, 5)], [(120, 126)]],
)
cases.value(
    "name_mistake",
    "wrong",
    r"The answers should be a list of places, one for each question",
    "no_answers",
    the_best_kind,
    [],
    [],
)
