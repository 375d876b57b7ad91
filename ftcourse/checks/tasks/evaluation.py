"""The checks of the tasks in lesson 9: recall from a confusion matrix, a difference of pairs, a limit from costs."""

import math
from typing import Any

from ..engine import Wrong, require, run, shown
from ..reading import as_dict, as_list, as_number, as_numbers
from . import new_tasks

tasks = new_tasks("09_evaluation")


@tasks.step("Your turn, recall of each class")
def recalls(answer: Any) -> str:
    """Judge an answer to: Your turn, recall of each class."""
    import numpy as np

    for matrix in (
        [[50, 10], [30, 110]],
        [[8, 1, 1], [2, 4, 2], [0, 5, 5]],
        [[3, 1, 0], [0, 0, 0], [2, 0, 6]],
        [[0, 4, 1], [0, 3, 1], [0, 6, 2]],
    ):
        counts = np.array(matrix)
        with np.errstate(all="ignore"):
            given = run(answer, counts.copy(), clues={"ZeroDivisionError": "A class may have no example."})
            values = _numbers(given)
            right, precision = counts.diagonal() / counts.sum(1), counts.diagonal() / counts.sum(0)
        require(
            len(values) == len(matrix),
            f"For {len(matrix)} classes you return {shown(given)}: one number a class, in the order of the rows.",
        )
        empty = int(counts.sum(1).argmin())
        require(
            counts.sum(1)[empty] > 0 or math.isnan(values[empty]),
            f"Class {empty} has no true example, and its recall comes out as {values[empty]:g}: nothing could "
            "be found, so it is not a number (math.nan), neither bad nor good.",
        )
        for number, (value, wanted) in enumerate(zip(values, right, strict=True)):
            require(
                not math.isnan(value) or math.isnan(wanted),
                f"Of the {counts[number].sum()} examples of class {number}, {counts[number, number]} are found, a "
                f"recall of {wanted:.3f}; you say nan, which is for a class without an example.",
            )
            require(
                math.isclose(value, wanted, abs_tol=1e-3) or math.isnan(wanted),
                f"Of the {counts[number].sum()} examples of class {number}, {counts[number, number]} are found, a "
                f"recall of {wanted:.3f}; you say {value:.3f}{_meaning(value, number, counts, precision)}.",
            )
    return "The share of each class that is found, for any number of classes; nan where there is nothing to find."


def _numbers(value: Any) -> list[float]:
    """Return the numbers of a list, or those of a dictionary in its order."""
    named = as_dict(value)
    return as_numbers(value if named is None else list(named.values()))


def _meaning(value: float, number: int, counts: Any, precision: Any) -> str:
    """Return what a wrong recall is instead."""
    if math.isclose(value, precision[number], abs_tol=1e-3):
        return ", which is its precision: divide by the row, the true ones, not by the column, the answers"
    if math.isclose(value, counts[number, number] / counts.sum(), abs_tol=1e-3):
        return ", which is a share of all examples: divide by those of the class"
    if math.isclose(value, counts.diagonal().sum() / counts.sum(), abs_tol=1e-3):
        return ", which is the accuracy"
    if math.isclose(value, 100 * counts[number, number] / max(1, counts[number].sum()), abs_tol=0.5):
        return ", in per cent: leave it a share between 0 and 1"
    return ""


@tasks.step("Your turn, a difference of pairs")
def paired_difference(answer: Any) -> str:
    """Judge an answer to: Your turn, a difference of pairs."""
    cases = [
        ({0: 0.84, 1: 0.80, 2: 0.86, 3: 0.82, 4: 0.85}, {0: 0.81, 1: 0.78, 2: 0.82, 3: 0.80, 4: 0.82}),
        ({7: 0.70, 3: 0.90, 5: 0.80, 1: 0.75}, {1: 0.76, 3: 0.88, 5: 0.79, 7: 0.66}),
        ({0: 0.61, 1: 0.72, 2: 0.66, 3: 0.70, 9: 0.99}, {3: 0.69, 2: 0.61, 1: 0.70, 0: 0.60, 8: 0.20}),
    ]
    for ours, theirs in cases:
        given = run(answer, dict(ours), dict(theirs), clues=_PAIR_CLUES)
        found = _numbers(given)
        require(len(found) == 2, f"Return two numbers, the mean difference and the half width; this is {shown(given)}.")
        seeds = [seed for seed in ours if seed in theirs]
        mean, deviation, half = _summary([ours[seed] - theirs[seed] for seed in seeds])
        require(
            not math.isclose(found[0], mean - half, abs_tol=1e-6),
            f"{shown(given)} are the two ends of the interval: return the mean and half the width.",
        )
        zipped = _summary([one - other for one, other in zip(ours.values(), theirs.values(), strict=False)])
        require(
            not math.isclose(found[1], zipped[2], rel_tol=1e-3) or math.isclose(zipped[2], half, rel_tol=1e-3),
            f"The half width is {half:.4f}; you say {found[1]:.4f}, of pairs in the order of the "
            "dictionaries: look each seed up in both.",
        )
        _check_mean(found[0], mean, ours, theirs, len(seeds))
        _check_half(found[1], half, mean, deviation, len(seeds))
    return "Seed by seed, with Student's t, which knows how few the runs are."


def _summary(differences: list[float]) -> tuple[float, float, float]:
    """Return the mean, the standard deviation and half the width of the 95 % interval."""
    from scipy import stats

    count, mean = len(differences), sum(differences) / len(differences)
    deviation = math.sqrt(sum((value - mean) ** 2 for value in differences) / (count - 1))
    return mean, deviation, float(stats.t.ppf(0.975, count - 1)) * deviation / math.sqrt(count)


_PAIR_CLUES = {
    "KeyError": "A seed is a key, any number, and one that a single way has makes no pair: leave it out.",
    "unsupported operand": "The runs are dictionaries, from the seed to the accuracy.",
}


def _check_mean(value: float, mean: float, ours: dict[int, float], theirs: dict[int, float], pairs: int) -> None:
    said = f"The mean difference is {mean:.4f} over {pairs} seeds; you say {value:.4f}"
    require(not math.isclose(value, -mean, abs_tol=1e-6), f"{said}: it is the first minus the second.")
    require(not math.isclose(value, 100 * mean, abs_tol=1e-4), f"{said}: leave it a share, not points.")
    apart = sum(ours.values()) / len(ours) - sum(theirs.values()) / len(theirs)
    require(
        not math.isclose(value, apart, abs_tol=1e-6) or math.isclose(apart, mean, abs_tol=1e-6),
        f"{said}, the difference of the two means: a seed that one way alone has is in it. Pair them by seed first.",
    )
    require(math.isclose(value, mean, abs_tol=1e-6), f"{said}. Compare the same seeds, whatever order they come in.")


def _check_half(value: float, half: float, mean: float, deviation: float, count: int) -> None:
    said = f"The half width is {half:.4f} for {count} seeds; you say {value:.4f}"
    error = deviation / math.sqrt(count)
    ratio = half / error
    for wrong, why in (
        (1.959964 * error, "that is the normal distribution's 1.96: with so few runs take Student's t"),
        (2 * error, "two standard errors are for many runs: with so few take Student's t"),
        (error, "that is the standard error: multiply by the quantile of Student's t"),
        (deviation, "that is the standard deviation of one run, not of the mean"),
        (ratio * deviation, "divide the standard deviation by the square root of the number of seeds"),
        (ratio * error * math.sqrt((count - 1) / count), "divide by one less than the seeds (ddof=1)"),
        (2 * half, "that is the whole width"),
        (half + mean, "that is the upper end: return the distance from the mean"),
        (100 * half, "leave it a share, not points"),
    ):
        require(not math.isclose(value, wrong, rel_tol=1e-3), f"{said}: {why}.")
    if value > 0 and not math.isclose(value, half, rel_tol=1e-3) and math.isclose(value, half, rel_tol=0.35):
        raise Wrong(f"{said}: is the level 95 % on two sides, with {count - 1} degrees of freedom?")
    require(
        math.isclose(value, half, rel_tol=1e-3),
        f"{said}. Take it from the differences of the pairs, whose spread is smaller than that of the two ways.",
    )


@tasks.step("Your turn, a limit from costs")
def say_positive(answer: Any) -> str:
    """Judge an answer to: Your turn, a limit from costs."""
    import numpy as np

    shares = [0.55, 0.05, 0.97, 0.2, 0.85, 0.45, 0.82, 0.7]
    for alarm, miss in ((1, 1), (5, 1), (1, 9), (2.5, 1.5), (0, 1)):
        limit = alarm / (alarm + miss)
        flags = _flags(run(answer, np.array(shares), alarm, miss, clues=_COST_CLUES), len(shares))
        for share, flag in zip(shares, flags, strict=True):
            yes, no = (1 - share) * alarm, share * miss
            require(
                flag == (yes < no) or math.isclose(yes, no),
                f"A false alarm costs {alarm}, a miss {miss}. At a probability of {share:.2f} saying yes costs "
                f"{yes:.2f} on average, saying no {no:.2f}: your answer is {'yes' if flag else 'no'}. "
                f"{_limit_meant(flags, shares, alarm, miss, limit)}",
            )
    return "Yes where it costs less on average, for any two costs."


_COST_CLUES = {
    "truth value of an array": "The probabilities are an array: ask about each, or compare the array as a whole.",
    "ZeroDivisionError": "A cost may be 0.",
}


def _limit_meant(flags: list[bool], shares: list[float], alarm: float, miss: float, limit: float) -> str:
    """Return a sentence about the limit that wrong answers seem to have."""
    for wrong, why in (
        (0.5, "A limit of one half suits equal costs only."),
        (miss / (alarm + miss), "The two costs are swapped: a dear false alarm makes the limit higher."),
    ):
        if flags == [share >= wrong for share in shares] != [share >= limit for share in shares]:
            return why
    if flags == [share < limit for share in shares]:
        return "Yes and no are swapped."
    return "Say yes where the expected cost of yes is the lower one."


def _flags(value: Any, count: int) -> list[bool]:
    rows = as_list(value)
    if rows is not None:  # the items of an array, as Python writes them
        value = rows = [row.item() if hasattr(row, "item") else row for row in rows]
    require(
        rows is not None and len(rows) == count,
        f"Return an answer, True or False, for each of the {count} probabilities; this is {shown(value)}.",
    )
    numbers = [float(row) if isinstance(row, bool) else as_number(row) for row in rows or []]
    require(set(numbers) <= {0.0, 1.0}, f"Each answer is True or False, or 1 or 0; these are {shown(rows)}.")
    return [number == 1 for number in numbers]
