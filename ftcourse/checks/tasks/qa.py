"""The checks of the tasks in lesson 6: windows that overlap, the best span, the margin of a question."""

import math
from typing import Any

from ..engine import require, run, shown
from ..reading import as_list, as_number, as_numbers
from . import new_tasks

tasks = new_tasks("06_question_answering")


@tasks.step("Your turn, cut windows")
def cut_windows(answer: Any) -> str:
    """Judge an answer to: Your turn, cut windows."""
    for length, size, stride in (
        (10, 4, 1),
        (12, 6, 2),
        (11, 5, 3),
        (9, 10, 4),
        (10, 10, 4),
        (11, 10, 4),
        (7, 3, 0),
        (3, 10, 4),
    ):
        found = _windows(run(answer, length, size, stride, clues=_WINDOW_CLUES))
        said = f"For {length} tokens, windows of {size} and a stride of {stride} you return {shown(found)}"
        longest = max(end - start for start, end in found)
        require(longest <= size, f"{said}: a window has {longest} tokens, more than {size}.")
        require(
            all(0 <= start < end <= length for start, end in found),
            f"{said}: a window is empty, or ends beyond the text. Its end is the place after its last token.",
        )
        require(
            [(start, end + 1) for start, end in found] != _right(length, size, stride),
            f"{said}: the second number is the place after a window's last token, not that of the token itself.",
        )
        lost = set(range(length)) - {place for start, end in found for place in range(start, end)}
        require(not lost, f"{said}: token {min(lost, default=0)} is in no window, and an answer there is lost.")
        shared = [before[1] - after[0] for before, after in zip(found, found[1:], strict=False)]
        require(
            all(overlap == stride for overlap in shared),
            f"{said}: two neighbours share {next((it for it in shared if it != stride), 0)} tokens where {stride} are "
            "asked for. In the tokenizer the stride is what neighbours share, not how far a window moves: "
            "it moves by the size less the stride.",
        )
        right = 1 if length <= size else 1 + math.ceil((length - size) / (size - stride))
        require(
            len(found) == right,
            f"{said}: {len(found)} windows where {right} hold the whole text. Stop where a window reaches its end.",
        )
        require(
            all(end - start == size for start, end in found[:-1]),
            f"{said}: every window but the last has {size} tokens, or more windows are needed than must be.",
        )
    return "Nothing is lost, neighbours share what they should, and no window is more than is needed."


_WINDOW_CLUES = {"arg 3 must not be zero": "A window moves by the size less the stride."}


def _right(length: int, size: int, stride: int) -> list[tuple[int, int]]:
    starts = range(0, max(1, length - stride), size - stride)
    return [(start, min(start + size, length)) for start in starts]


def _windows(value: Any) -> list[tuple[int, int]]:
    pairs = [as_numbers(row) for row in as_list(value) or []]
    require(
        pairs and all(len(pair) == 2 for pair in pairs),
        f"Return a list of pairs, the first token of each window and the place after its last; this is {shown(value)}.",
    )
    return [(int(start), int(end)) for start, end in pairs]


@tasks.step("Your turn, the best span")
def best_span(answer: Any) -> str:
    """Judge an answer to: Your turn, the best span."""
    import numpy as np

    for starts, ends, context, longest in (
        ([9, 1, 2, 5, 0], [9, 4, 1, 3, 0], [0, 1, 1, 1, 0], 3),
        ([0, 7, 1, 6, 1, 0], [0, 1, 2, 1, 8, 0], [0, 1, 1, 1, 1, 0], 2),
        ([0, 5, 6, 7, 0], [0, 9, 1, 2, 0], [0, 1, 1, 1, 0], 3),
        ([0, -5, -2, -9, 0], [0, -7, -8, -1, 0], [0, 1, 1, 1, 0], 3),
        ([8, 9, 0, 3, 2, 1], [9, 9, 0, 1, 2, 4], [0, 0, 0, 1, 1, 1], 1),
        ([0, 4, 3.5, 0, 0], [0, 0, 1, 6, 0], [0, 1, 1, 1, 0], 2),
        ([0, -9, 6, 0, 4, 0], [0, 9, 0, 1, 4, 0], [0, 1, 1, 1, 1, 0], 2),  # probabilities added say 1 to 1
    ):
        mask = np.array(context, dtype=bool)
        found = as_numbers(run(answer, np.array(starts, dtype=float), np.array(ends, dtype=float), mask, longest))
        require(len(found) == 2, f"Return two places, of the first and of the last token; this is {shown(found)}.")
        first, last = map(int, found)
        places = np.flatnonzero(mask).tolist()
        said = f"With starts {starts}, ends {ends}, the context at {places} and at most {longest}"
        pairs = [(i, j) for i in places for j in places if i <= j < i + longest]
        right = max(pairs, key=lambda pair: starts[pair[0]] + ends[pair[1]])
        within = tuple(place - places[0] for place in right)
        for wrong, why in (
            ((right[0], right[1] + 1), "the second place is that of the last token itself"),
            (within, "count the places in the whole window, not in the context"),
        ):
            require(
                (first, last) != wrong or (first, last) in pairs,
                f"{said} you choose {first} to {last}; the answer is {right[0]} to {right[1]}: {why}.",
            )
        require(last >= first, f"{said} you choose {first} to {last}, which ends before it starts.")
        require(
            0 <= first < len(mask) and last < len(mask) and mask[first] and mask[last],
            f"{said} you choose {first} to {last}, and a token of it isn't of the context: that may be [CLS], or the "
            "question itself.",
        )
        require(last - first < longest, f"{said} you choose {first} to {last}, which has {last - first + 1} tokens.")
        require(
            (first, last) == right,
            f"{said} you choose {first} to {last}, with a sum of {starts[first] + ends[last]:g}; {right[0]} "
            f"to {right[1]} has {starts[right[0]] + ends[right[1]]:g}. Look at the sum of every pair that is allowed.",
        )
    return "The pair with the highest sum of those that can be an answer, wherever the single peaks are."


@tasks.step("Your turn, is it in the text?")
def find_margin(answer: Any) -> str:
    """Judge an answer to: Your turn, is it in the text?"""
    for scores, nulls in (
        ([2.0, 7.5, 1.0], [6.0, 1.5, 9.0]),
        ([4.0, 3.0], [5.0, 1.0]),
        ([-3.0, -1.0, -8.0], [-2.0, 0.5, -0.5]),
        ([-math.inf, 4.0], [3.0, 6.0]),
        ([2.5], [4.0]),
    ):
        found = as_number(run(answer, list(scores), list(nulls)))
        require(found is not None, "Return one number for the question.")
        assert found is not None
        right = max(scores) - min(nulls)
        said = f"For spans of {scores} and null scores of {nulls} the margin is {right:g}; you say {found:g}"
        each = [score - null for score, null in zip(scores, nulls, strict=True)]
        for wrong, why in (
            (-right, "it is the span less the null score"),
            (max(each), "the best window isn't the one that is surest of its span: take the two from all windows"),
            (max(scores) - max(nulls), "it is nowhere only if every window says so: ask the least sure one"),
            (max(scores) - sum(nulls) / len(nulls), "one window that isn't sure of *not here* is enough: no mean"),
            (max(scores) - nulls[0], "that is the null score of the first window; ask all of them"),
            (sum(each) / len(each), "a mean over windows drowns the one that holds the answer"),
            (scores[0] - nulls[0], "that is the first window alone"),
            (max(scores), "that is the span's score alone"),
            (max(0, right), "a margin may be negative, where *not here* is the likelier"),
        ):
            require(not math.isclose(found, wrong) or math.isclose(wrong, right), f"{said}: {why}.")
        require(math.isclose(found, right), f"{said}: the best span of all windows, less the lowest null score.")
    return "The best span of all windows, against the window that is least sure of *not here*."
