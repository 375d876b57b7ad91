"""The checks of the tasks in lesson 7: texts in training and test, folds that keep groups whole, weights of classes."""

import math
from collections import Counter
from collections.abc import Callable
from typing import Any

from .. import hashes
from ..engine import require, run, shown
from ..reading import as_dict, as_list, as_number
from . import new_tasks

tasks = new_tasks("07_data_quality")


@tasks.step("Your turn, texts in both splits")
def shared_rows(answer: Any) -> str:
    """Judge an answer to: Your turn, texts in both splits."""
    train = ["A  warm film.", "C is taught well.", "dull\u00a0plot", "A joy!", "A warm film.", "never again"]
    test = [
        ("A slow start.", False, ""),
        ("a WARM film. ", True, "case and blanks at its end"),
        ("C++ is taught well.", False, "Punctuation tells texts apart, as in C and C++"),
        ("Dull plot", True, "a no-break space, which split() takes for a blank"),
        ("A joy", False, "Punctuation tells texts apart"),
        ("A warm\n film.", True, "a line break and a blank in the place of two blanks"),
        ("warm film.", False, "A part of a text is another text"),
        ("A slow start.", False, "It stands twice in the test and not in training"),
        ("Never again", True, "a capital"),
        ("NEVER AGAIN", True, "capitals"),
        ("again never", False, "The order of the words tells texts apart"),
    ]
    found = _rows(run(answer, list(train), [text for text, *_ in test]), len(test))
    order = sorted(range(len(test)), key=lambda row: test[row][2].count("no-break"))  # plainer reasons first
    for row, (text, shared, why) in ((row, test[row]) for row in order):
        require(
            row not in found or shared,
            f"Row {row}, {text!r}, is reported and doesn't stand in training. {why or 'It is new'}.",
        )
        require(
            row in found or not shared,
            f"Row {row}, {text!r}, is missing: it stands in training but for {why}. Bring both sides to one form.",
        )
    require(len(found) == len(set(found)), f"A row is named more than once: {shown(found)}. Name each once.")
    none = _rows(run(answer, ["A joy."], ["Dull."], clues={}), 1)
    require(not none, f"For two different texts you return {shown(none)}.")
    return f"{len(found)} of {len(test)} test texts stand in training, and no other is reported."


def _rows(value: Any, count: int) -> list[int]:
    rows = sorted(value) if isinstance(value, (set, frozenset)) else as_list(value)
    require(rows is not None, f"Return a list of rows; this is {shown(value)}.")
    assert rows is not None
    if len(rows) == count and all(isinstance(row, bool) for row in rows):  # a mask
        return [number for number, flag in enumerate(rows) if flag]
    numbers = [as_number(row) for row in rows]
    require(
        None not in numbers,
        f"Return the rows of the test texts, their numbers counted from 0; these are {shown(rows)}.",
    )
    found = [int(number) for number in numbers if number is not None]
    require(
        all(0 <= row < count for row in found), f"The test texts are rows 0 to {count - 1}; you name {shown(found)}."
    )
    return found


@tasks.step("Your turn, groups stay together")
def fold_of_each(answer: Any) -> str:
    """Judge an answer to: Your turn, groups stay together."""

    def films(before: str = "") -> list[str]:  # 12 films of 1 to 19 sentences, in turns, and always three of a size
        sizes = {f"{before}film {number}": 1 + 2 * (number - number % 3) for number in range(12)}
        return [name for turn in range(max(sizes.values())) for name, size in sizes.items() if turn < size]

    _check_repeats(answer, films)
    unlike = [*"AAAAAAAAAbCCCCCCCCCdEEEEEEEEEf"]  # large groups and small ones in turns
    for groups, folds in ((films(), 4), ([7, 7, 7, 2, 2, 9, 9, 9, 4, 4, 1], 2), (unlike, 2)):
        numbers = _folds(run(answer, list(groups), folds), groups, folds)
        for group in dict.fromkeys(groups):
            own = {number for number, name in zip(numbers, groups, strict=True) if name == group}
            require(
                len(own) == 1,
                f"The rows of {group!r} are in {len(own)} folds: a model would be judged on a film that it was trained "
                "on. Give folds to groups, not to rows.",
            )
        sizes = Counter(numbers)
        largest, share = max(Counter(groups).values()), len(groups) / folds
        require(
            len(sizes) == folds, f"{len(sizes)} of {folds} folds have rows: each fold is judged once, so fill them all."
        )
        require(
            max(sizes.values()) - min(sizes.values()) <= largest,
            f"The folds have {', '.join(str(sizes[fold]) for fold in sorted(sizes))} rows, where {share:.0f} each "
            f"would be even and the largest group has {largest}: groups differ in size, so count rows, not groups.",
        )
    return "Each group lies in one fold, and the folds are about as large as one another."


def _check_repeats(answer: Any, films: Callable[..., list[str]]) -> None:
    again = [_folds(run(answer, films(), 4), films(), 4) for _ in range(2)]
    require(again[0] == again[1], "Two calls gave two different answers: without a fixed seed no run can be repeated.")
    require(
        not hashes.goes_by_hashes(answer, lambda before: _folds(run(answer, films(before), 4), films(before), 4)),
        "In another process the folds would be others: the order of a set of texts, and hash(), change from run to "
        "run. Sort the groups first.",
    )


def _folds(value: Any, groups: list[Any], folds: int) -> list[int]:
    rows = as_list(value)
    require(
        rows is not None and len(rows) == len(groups),
        f"Return a fold for each of the {len(groups)} rows, in their order; this is {shown(value)}.",
    )
    numbers = [as_number(row) for row in rows or []]
    require(
        None not in numbers and set(numbers) <= set(map(float, range(folds))),
        f"A fold is a number from 0 to {folds - 1}; there is {shown(sorted(set(map(str, rows or []))))}.",
    )
    return [int(number) for number in numbers if number is not None]


@tasks.step("Your turn, weights of classes")
def class_weights(answer: Any) -> str:
    """Judge an answer to: Your turn, weights of classes."""
    for labels in (
        ["fresh"] * 6 + ["rotten"] * 2,
        ["return"] + ["delivery"] * 5 + ["payment"] * 10 + ["return"] * 3 + ["delivery"],
        [3, 0, 0, 3, 0, 0, 0, 0, 0],
    ):
        counts, weights = Counter(labels), as_dict(run(answer, list(labels)))
        require(weights is not None, "Return a dictionary, from each label to its weight.")
        assert weights is not None
        weights = {_plain(label): as_number(weight) for label, weight in weights.items()}
        require(
            set(weights) == set(counts),
            f"There are weights for {shown(sorted(weights, key=str))}, and the labels are "
            f"{shown(sorted(counts, key=str))}: take them from the data, as they are.",
        )
        require(
            all(weight is not None and math.isfinite(weight) and weight > 0 for weight in weights.values()),
            f"A weight is a number above 0; these are {shown(weights)}.",
        )
        _check_weights(counts, {label: weight or 0.0 for label, weight in weights.items()})
    return "Every class weighs the same in the loss, and the mean weight of an example is 1."


def _check_weights(counts: Counter, weights: dict[Any, float]) -> None:
    even = {label: sum(counts.values()) / (len(counts) * count) for label, count in counts.items()}
    require(
        all(math.isclose(weight, even[label], rel_tol=0.01) for label, weight in weights.items())
        or not any(weights == {label: round(weight, digits) for label, weight in even.items()} for digits in range(3)),
        f"The weights {shown(weights)} are rounded, and the classes don't come to the same any more: return them as "
        "they are.",
    )
    often, rare = max(counts, key=counts.__getitem__), min(counts, key=counts.__getitem__)
    require(
        weights[rare] > weights[often] or math.isclose(weights[rare], weights[often]),
        f"{often!r} stands there {counts[often]} times and has the larger weight, {weights[often]:.3g}, against "
        f"{weights[rare]:.3g} of {rare!r} with {counts[rare]}: the rare class needs the larger one.",
    )
    sums = {label: weights[label] * count for label, count in counts.items()}
    require(
        math.isclose(sums[rare], sums[often], rel_tol=0.01) and max(sums.values()) <= 1.01 * min(sums.values()),
        f"All examples of {often!r} weigh {sums[often]:.3g} together, those of {rare!r} {sums[rare]:.3g}: times its "
        "count, each class must come to the same. A weight goes with 1 / count.",
    )
    mean = sum(sums.values()) / sum(counts.values())
    require(
        math.isclose(mean, 1, rel_tol=0.01),
        f"The mean weight of an example is {mean:.3g}: with another mean than 1 the weights also change the size of "
        "the loss, and so the step of training. Multiply by the number of examples and divide by that of classes.",
    )


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label
