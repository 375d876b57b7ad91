"""What a comparison allows to say: SciPy's paired interval, and no finding from too few runs."""

import doctest
import re

import numpy as np
import pytest
from scipy import stats

from ftcourse import verdicts
from ftcourse.errors import CourseError
from ftcourse.verdicts import at_equal_learning, pair_differences, verdict

NAMES = ("LoRA", "full fine-tuning")


def numbers(sentence):
    return [float(number) for number in re.findall(r"-?\d+\.\d+", sentence)]


def test_the_examples_of_the_documentation_hold():
    assert doctest.testmod(verdicts).failed == 0


@pytest.mark.parametrize("seed", range(20))
def test_interval_is_scipys_of_the_pairs(seed):
    rng = np.random.default_rng(seed)
    first, second = rng.normal(0.8, 0.01, 7), rng.normal(0.8, 0.02, 7)
    test = stats.ttest_rel(first, second)
    low, high = test.confidence_interval()
    said = verdict(first, second, NAMES, largest=1)
    size, half_width = numbers(said)
    assert abs(abs(100 * np.mean(first - second)) - abs(size)) < 0.051
    assert abs(100 * (high - low) / 2 - half_width) < 0.051
    assert ("is better" in said) == (test.pvalue < 0.05)
    if "is better" in said:
        assert said.startswith(("LoRA is", "Full fine-tuning is")[int(np.mean(first - second) < 0)])


def test_another_level_gives_another_interval():
    first, second = np.array([0.85, 0.86, 0.84, 0.87, 0.85]), np.array([0.84] * 5)
    low, high = stats.ttest_rel(first, second).confidence_interval(0.5)
    assert numbers(verdict(first, second, NAMES, level=0.5))[1] == pytest.approx(50 * (high - low), abs=0.051)


def test_seeds_are_paired_whatever_their_order():
    first = {seed: 0.8 + 0.01 * seed for seed in range(6)}
    second = {seed: first[seed] - 0.02 - 0.001 * (seed % 2) for seed in reversed(range(6))}
    assert verdict(first, second, NAMES).startswith(
        "LoRA is better than full fine-tuning by 2.1 points ± 0.1 (6 seeds)"
    )
    unpaired = [second[seed] for seed in second]
    assert "is better" not in verdict(list(first.values()), unpaired, NAMES)


def test_less_is_better_for_a_loss():
    slow, quick = [2.0, 2.1, 2.2, 2.1, 2.0], [1.0, 1.1, 1.0, 1.1, 1.0]
    said = verdict(slow, quick, ("the Trainer", "ours"), unit="seconds", higher_is_better=False, largest=1)
    assert said.startswith("Ours is better than the Trainer by 1.04 seconds")


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4])
def test_fewer_than_five_runs_are_never_a_finding(count):
    said = verdict([0.9] * count, [0.1] * count, NAMES)
    assert said.startswith("Too few runs to say") and f"{count} seed" in said


def test_an_interval_wider_than_the_effect_could_be_is_no_finding():
    wild, tame = [0.1, 0.9, 0.2, 0.8, 0.6], [0.5, 0.4, 0.6, 0.5, 0.4]
    assert verdict(wild, tame, NAMES).startswith("Too few runs to say")
    assert verdict(wild, tame, NAMES, largest=1).startswith("No difference beyond the noise was seen")
    clear = [value + 2 for value in wild]  # however wide: zero is far away
    assert "is better" in verdict(clear, tame, NAMES)


def test_small_noise_is_no_difference_and_says_its_sign():
    first, second = [0.80, 0.81, 0.80, 0.81, 0.80], [0.81, 0.80, 0.81, 0.80, 0.81]
    said = verdict(first, second, NAMES)
    assert (
        said
        == "No difference beyond the noise was seen between LoRA and full fine-tuning: -0.2 points ± 1.4 (5 seeds)."
    )
    assert verdict(first, first, NAMES).endswith("full fine-tuning: 0.0 points ± 0.0 (5 seeds).")


def test_runs_that_do_not_belong_together_are_refused():
    with pytest.raises(CourseError, match=r"LoRA has the seeds \[0, 1\] and full fine-tuning has \[0, 2\]"):
        verdict({0: 1.0, 1: 1.0}, {0: 1.0, 2: 1.0}, NAMES)
    with pytest.raises(CourseError, match="same ones"):
        pair_differences([1.0], [1.0, 2.0])
    with pytest.raises(CourseError, match="full fine-tuning for seed 1 is nan"):
        verdict([1.0, 1.0], [1.0, float("nan")], NAMES)


def test_two_ways_are_compared_where_both_have_learned_equally_much():
    fast, slow = [(0.0, 0.9), (0.4, 0.5), (0.8, 0.1)], [(0.0, 0.9), (0.2, 0.8), (0.6, 0.4)]
    assert at_equal_learning(fast, slow) == pytest.approx((0.3, 0.4))
    assert at_equal_learning(slow, fast) == pytest.approx((0.4, 0.3))
    assert at_equal_learning(fast, fast) == pytest.approx((0.1, 0.1))
    # What was reached first counts, whatever came after; and who never learns keeps what it had.
    assert at_equal_learning([(0.0, 1.0), (0.5, 0.8), (0.3, 0.1), (0.5, 0.0)], [(0.0, 1.0), (0.5, 0.6)])[0] == 0.8
    assert at_equal_learning(fast, [(0.0, 0.9), (0.0, 0.7)]) == (0.9, 0.9)
    with pytest.raises(CourseError, match="has no point"):
        at_equal_learning([], fast)
