"""The sentence that a comparison allows: which of two ways is better, that no difference was seen, or too few runs.

Everything in the course that says "better" says it through `verdict`, so that a difference between two single runs, or
one that is smaller than what another seed would change, is never told as a finding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from .errors import CourseError
from .records import interval

FEWEST_RUNS = 5
Runs = Mapping[int, float] | Sequence[float]


def verdict(
    first: Runs,
    second: Runs,
    names: tuple[str, str],
    *,
    unit: str = "points",
    higher_is_better: bool = True,
    largest: float = 0.1,
    level: float = 0.95,
) -> str:
    """Return what the runs of two ways allow to say about which is better, as a sentence.

    The ways are compared in pairs, seed by seed, since two runs of one seed share their data and their order: the
    interval is Student's t over the differences, as in `scipy.stats.ttest_rel`.

    Args:
        first: the figure of each run of one way: a dict seed -> number, or numbers in the order of the seeds.
        second: the same for the other way, with the same seeds.
        names: what the two ways are called, such as ``("fine-tuning", "frozen features")``.
        unit: of a difference, as said in the sentence. With ``"points"`` the figures are shares between 0 and 1, and
            differences are given in percentage points.
        higher_is_better: False for losses, errors and seconds.
        largest: the largest difference that these ways could well have, in the figures' own unit. Where the interval
            holds zero and reaches further than this on either side, the runs are too few to say.
        level: of the interval, between 0 and 1.

    Returns:
        One of three sentences: "A is better than B by 1.2 points ± 0.5 (5 seeds)."; "No difference beyond the noise
        was seen between A and B: ..."; "Too few runs to say ...", with fewer than five or with an interval as above.

    Raises:
        CourseError: if the two ways have other seeds, or a figure is no finite number.

    Examples:
        >>> verdict([0.84, 0.85, 0.84, 0.86, 0.85], [0.80, 0.82, 0.80, 0.82, 0.80], ("fine-tuning", "a word counter"))
        'Fine-tuning is better than a word counter by 4.0 points ± 0.9 (5 seeds).'
    """
    differences = pair_differences(first, second, names)
    ways, count = f"{names[0]} and {names[1]}", len(differences)
    seeds = "1 seed" if count == 1 else f"{count} seeds"
    if count < FEWEST_RUNS:
        return f"Too few runs to say which of {ways} is better: {seeds}, and at least {FEWEST_RUNS} are needed."
    mean, half_width = interval(differences, level)
    scale, decimals = (100, 1) if unit == "points" else (1, _decimals(mean, half_width))
    size = f"{abs(scale * mean):.{decimals}f} {unit} ± {scale * half_width:.{decimals}f} ({seeds})"
    if abs(mean) > half_width:
        better, worse = names if (mean > 0) == higher_is_better else names[::-1]
        return f"{better[:1].upper()}{better[1:]} is better than {worse} by {size}."
    if abs(mean) + half_width > largest:
        return f"Too few runs to say which of {ways} is better: {'-' if mean < 0 else ''}{size}."
    return f"No difference beyond the noise was seen between {ways}: {'-' if mean < 0 else ''}{size}."


def at_equal_learning(
    first: Sequence[tuple[float, float]], second: Sequence[tuple[float, float]]
) -> tuple[float, float]:
    """Return what two runs have kept at the point where both have learned equally much.

    Whoever learns more has often forgotten more, so two ways are compared at the most that both have reached. Between
    two points a straight line is drawn.

    Args:
        first: points (learned, kept) of one run in the order of its training, the first before any training.
        second: those of the other run.

    Returns:
        What the first and the second have kept there.

    Raises:
        CourseError: if a run has no point.
    """
    if not len(first) or not len(second):
        raise CourseError("A run has no point (learned, kept): pass at least the one before training.")
    level = min(max(learned for learned, _ in run) for run in (first, second))
    return _kept_at(first, level), _kept_at(second, level)


def _kept_at(run: Sequence[tuple[float, float]], level: float) -> float:
    """Return what a run had kept when it first reached a level of learning that it does reach."""
    for (before, kept_before), (after, kept) in pairwise(run):
        if before < level <= after:
            return kept_before + (kept - kept_before) * (level - before) / (after - before)
    return run[0][1]


def pair_differences(first: Runs, second: Runs, names: tuple[str, str] = ("the first", "the second")) -> list[float]:
    """Return the differences first - second, seed by seed.

    Args:
        first: the figure of each run: a dict seed -> number, or numbers in the order of the seeds.
        second: the same for the other way, with the same seeds.
        names: what the two ways are called in an error.

    Raises:
        CourseError: if the two ways have other seeds, or a figure is no finite number.
    """
    one, other = (dict(runs if isinstance(runs, Mapping) else enumerate(runs)) for runs in (first, second))
    if one.keys() != other.keys():
        raise CourseError(
            f"{names[0]} has the seeds {sorted(one)} and {names[1]} has {sorted(other)}: run both with the same ones, "
            "as runs are compared in pairs."
        )
    for name, runs in zip(names, (one, other), strict=True):
        for seed, value in runs.items():
            if not np.isfinite(value):
                raise CourseError(f"The figure of {name} for seed {seed} is {value}: look at that run first.")
    return [float(one[seed] - other[seed]) for seed in sorted(one)]


def _decimals(mean: float, half_width: float) -> int:
    """Return so many decimals that the smaller of two numbers keeps one digit that is not zero, four at most."""
    smallest = min((abs(value) for value in (mean, half_width) if value), default=1.0)
    return int(np.clip(1 - np.floor(np.log10(smallest)), 1, 4))
