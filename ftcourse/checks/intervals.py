"""The interval of a few runs by Student's t, and the likely reason for one that is not it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import stdev

from ..records import interval
from .engine import Wrong, apart


def student_interval(values: Sequence[float]) -> tuple[float, float, float]:
    """Return mean, standard deviation and half-width of the 95 % interval by Student's t.

    Args:
        values: one a run, two at least.
    """
    mean, half_width = interval(values)
    return mean, stdev(values), half_width


def explain_half_width(
    half_width: float, truth: float, deviation: float, count: int, case: str, otherwise: str = ""
) -> None:
    """Raise `Wrong` with the likely reason if a half-width is not the true one.

    Args:
        half_width: of the learner.
        truth: the right one.
        deviation: standard deviation of the runs.
        count: of the runs.
        case: begins the message, with a space at its end.
        otherwise: the reason where none of the usual ones fits.

    Raises:
        Wrong: if it is another one.
    """
    if abs(half_width - truth) <= max(1e-6, 1e-3 * truth):  # a quantile from a table, 2.776, is near enough
        return
    if not deviation:
        raise Wrong(f"{case}your half-width is {half_width:.4g}: where all values are the same, it is 0.")
    from scipy import stats

    root = math.sqrt(count)
    error, quantile = deviation / root, truth * root / deviation
    rounded = half_width in [round(truth, digits) for digits in (2, 3, 4)]
    known = {
        stats.t.ppf(0.95, count - 1)
        * error: "that is the 0.95 quantile, which leaves 5 % on each side; 95 % in the middle take 0.975",
        stats.t.ppf(0.995, count - 1) * error: "that is an interval of 99 %; 95 % take the quantile 0.975",
        stats.t.ppf(0.975, count)
        * error: f"Student's t has {count - 1} degrees of freedom for {count} runs, one less than there are",
        stats.t.ppf(0.975, 2 * count - 2)
        * error: f"Student's t has {count - 1} degrees of freedom here, for {count} numbers; {2 * count - 2} are those "
        "of two samples that have no pairs",
        stats.norm.ppf(0.975) * error: f"1.96 holds for many runs; with {count} it is Student's t, {quantile:.2f}",
        2 * error: f"2 holds for many runs; with {count} it is Student's t, {quantile:.2f}",
        1.96
        * deviation
        / root: f"1.96 holds for many runs; with {count} it is Student's t, {truth * root / deviation:.2f}",
        deviation: "that is the standard deviation of a run, not the interval of the mean",
        deviation / root: "that is the standard error; the 95 % interval is several of them wide",
        truth
        * math.sqrt(
            1 - 1 / count
        ): f"the standard deviation was divided by {count}, the number of runs; with few it is {count - 1}, ddof=1",
        truth * root: f"divide by the square root of the {count} runs",
        truth / root: f"divide by the square root of {count}, not by {count} itself",
        truth * root / math.sqrt(count - 1): f"divide by the square root of {count}, the number of runs",
        2 * truth: "that is the whole width; give half of it",
    }
    usual = f"Student's t for {count} runs, {quantile:.3f}, times {deviation:.4f} / sqrt({count}); see records.interval"
    why = next((reason for value, reason in known.items() if abs(value - half_width) < 1e-6), otherwise or usual)
    why = "give it unrounded, and round it where it is shown" if rounded else why
    said, true = apart(half_width, truth)
    raise Wrong(f"{case}your half-width is {said}; it is {true}: {why}.")
