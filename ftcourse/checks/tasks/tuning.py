"""The checks of the tasks in lesson 8: steps of a run, a rate drawn by its logarithm, the trial to choose."""

import math
from typing import Any

from ..engine import require, run, shown
from ..reading import as_number
from . import new_tasks

tasks = new_tasks("08_hyperparameters")
_DRAWS = 400


@tasks.step("Your turn, steps of a run")
def count_steps(answer: Any) -> str:
    """Judge an answer to: Your turn, steps of a run."""
    for examples, batch, accumulated, epochs, what in (
        (600, 8, 4, 3, ""),
        (640, 32, 1, 2, ""),
        (601, 8, 4, 3, "The last step of an epoch takes what is left, however little."),
        (100, 8, 4, 5, "An epoch ends with a step of its own: round up in each epoch, not once at the end."),
        (10, 32, 4, 3, "Even a few examples make one step an epoch."),
        (4000, 16, 4, 1, ""),
    ):
        steps = as_number(run(answer, examples, batch, accumulated, epochs))
        require(steps is not None, "Return a number of steps.")
        assert steps is not None
        right = epochs * math.ceil(examples / (batch * accumulated))
        said = (
            f"For {examples} examples, batches of {batch}, {accumulated} of them accumulated, and {epochs} epochs you "
            f"say {steps:g}; the Trainer makes {right}"
        )
        require(
            steps != epochs * math.ceil(examples / batch) or steps == right,
            f"{said}. That counts batches: {accumulated} of them make one step.",
        )
        require(steps != right / epochs or steps == right, f"{said}. That is one epoch.")
        require(steps == int(steps), f"{said}. Steps are whole.")
        require(
            steps != epochs * (examples // (batch * accumulated)) or steps == right,
            f"{said}. The last step of an epoch takes what is left, however little: round up.",
        )
        require(
            accumulated == 1 or steps != epochs * math.ceil(examples * accumulated / batch),
            f"{said}. Accumulating makes fewer steps, not more: a step takes batch size times accumulation.",
        )
        require(steps == right, f"{said}. {what or 'An epoch has a step for each batch size times accumulation.'}")
    return "The same as the Trainer's, also where the last step of an epoch isn't full."


@tasks.step("Your turn, draw a learning rate")
def draw_rate(answer: Any) -> str:
    """Judge an answer to: Your turn, draw a learning rate."""
    import numpy as np

    for low, high in ((1e-5, 1e-1), (3e-6, 3e-3)):
        rng = np.random.default_rng(1)
        rates = [_rate(run(answer, low, high, rng)) for _ in range(_DRAWS)]
        outside = [rate for rate in rates if not low * 0.999999 <= rate <= high * 1.000001]
        require(
            not outside,
            f"Between {low:g} and {high:g} you draw {outside[0] if outside else 0:g}. Draw the logarithm between those "
            "of the two ends, and go back by the exponential to the same base.",
        )
        require(
            len(set(rates)) > 1, f"Each of {_DRAWS} draws gives {rates[0]:g}: use the generator that is handed over."
        )
        require(
            len(set(rates)) > 0.9 * _DRAWS,
            f"{_DRAWS} draws give only {len(set(rates))} different rates: draw from the whole range, not from a list "
            "of powers.",
        )
        middle = math.sqrt(low * high)
        below = sum(rate < middle for rate in rates) / len(rates)
        require(
            0.33 < below < 0.67,
            f"Between {low:g} and {high:g} only {below:.0%} of the draws lie below {middle:.2g}, the middle of the "
            "factors: each factor of ten must get as many. Draw the logarithm evenly, not the rate."
            if below < 0.5
            else f"Between {low:g} and {high:g} {below:.0%} of the draws lie below {middle:.2g}, the middle of the "
            "factors, where half of them should.",
        )
        places = [math.log(rate / low) / math.log(high / low) for rate in rates]  # from 0 at low to 1 at high
        for begin, end in ((0.0, 0.1), (0.9, 1.0)):
            require(
                any(begin <= place <= end for place in places),
                f"None of {_DRAWS} draws lies between {low * (high / low) ** begin:.2g} and "
                f"{low * (high / low) ** end:.2g}: draw from one end to the other, {low:g} to {high:g}.",
            )
        decade = sum(math.log10(rate / low) % 1 < 0.5 for rate in rates) / len(rates)
        require(
            0.4 < decade < 0.6,
            f"{decade:.0%} of the draws lie in the lower half of their factor of ten, by the logarithm, where half "
            "of them should: draw the whole logarithm evenly, not within a factor.",
        )
        for begin, end, what in ((0.0, 0.25, "lowest quarter"), (0.25, 0.75, "middle half")):
            share = sum(begin <= place < end for place in places) / len(places)
            require(
                abs(share - (end - begin)) < 0.1,
                f"{share:.0%} of the draws lie in the {what} of the factors, where {100 * (end - begin):.0f} % should: "
                "draw the logarithm evenly, with rng.uniform.",
            )
    first, again = (_rate(run(answer, 1e-5, 1e-1, np.random.default_rng(3))) for _ in range(2))
    require(
        first == again,
        f"With the same seed you draw {first:.3g} and {again:.3g}: use the generator rng that is handed over, and no "
        "other, or no search can be repeated.",
    )
    return "Each factor of ten is as likely as any other, at both ends of the range."


def _rate(value: Any) -> float:
    rate = as_number(value)
    require(rate is not None, f"Return one learning rate, a number; this is {shown(value)}.")
    return rate or 0.0


@tasks.step("Your turn, choose a trial")
def choose_rate(answer: Any) -> str:
    """Judge an answer to: Your turn, choose a trial."""
    import pandas as pd

    columns = ["learning_rate", "steps", "pruned", "validation_accuracy", "test_accuracy"]
    nan = math.nan
    for rows, names in (
        ([(1e-5, 38, False, 0.61, 0.66), (1e-4, 38, False, 0.74, 0.70), (2e-4, 38, False, 0.72, 0.75)], [0, 1, 2]),
        (
            [(2e-5, 38, False, nan, nan), (5e-4, 19, True, 0.81, nan), (3e-4, 38, False, 0.77, 0.71)]
            + [(6e-5, 38, False, 0.70, 0.78)],
            [3, 0, 1, 2],
        ),
        ([(8e-5, 38, False, 0.7838, 0.78), (3e-5, 19, False, 0.7812, 0.77)], [1, 0]),
        ([(4e-4, 76, False, 0.78, 0.80), (1e-4, 38, False, 0.78, 0.72), (2e-4, 57, False, 0.78, 0.74)], [2, 0, 1]),
    ):
        trials = pd.DataFrame(rows, columns=columns, index=names)
        rate = as_number(run(answer, trials.copy(), clues=_TRIAL_CLUES))
        require(rate is not None, "Return the learning rate of one trial, a number.")
        assert rate is not None
        _check_choice(rate, trials)
    return "The highest validation accuracy of a trial that ran to its end; of equals, the one with fewest steps."


_TRIAL_CLUES = {"KeyError": "The names of the rows are the numbers of the trials; iloc counts places, loc takes names."}


def _check_choice(rate: float, trials: Any) -> None:
    chosen = trials[[math.isclose(rate, other) for other in trials["learning_rate"]]]
    require(
        len(chosen) == 1,
        f"{rate:g} is the learning rate of no trial; they had {', '.join(f'{x:g}' for x in trials['learning_rate'])}.",
    )
    row = chosen.iloc[0]
    ended = trials[~trials["pruned"] & trials["validation_accuracy"].notna()]
    best = ended[ended["validation_accuracy"] == ended["validation_accuracy"].max()].sort_values("steps").iloc[0]
    said = f"You choose {rate:g}"
    require(
        not math.isnan(row["validation_accuracy"]),
        f"{said}, a trial without a validation accuracy: nothing is known of it.",
    )
    require(
        not row["pruned"],
        f"{said}, whose trial was stopped early, after {row['steps']} steps: its accuracy is of another length of run. "
        "Choose among those that ran to their end.",
    )
    require(
        row["validation_accuracy"] == best["validation_accuracy"]
        or row["test_accuracy"] != ended["test_accuracy"].max(),
        f"{said}, which is best on the test: a test that chose is no test any more. Choose by validation_accuracy.",
    )
    require(
        row["validation_accuracy"] == best["validation_accuracy"],
        f"{said}, with {100 * row['validation_accuracy']:.4g}% on validation; {best['learning_rate']:g} has "
        f"{100 * best['validation_accuracy']:.4g}%. (A row's name is no place: the trials may come in any order.)",
    )
    require(
        row["learning_rate"] == best["learning_rate"],
        f"{said}, with {row['steps']} steps; {best['learning_rate']:g} has the same accuracy after {best['steps']}: of "
        "equals take the one with fewest steps.",
    )
