"""Answers to the tasks in lesson 8."""

import random
from math import ceil

import numpy as np
from scipy.stats import loguniform

from failure_matrix import Cases

cases = Cases()
names = {"np": np, "ceil": ceil}

# --- Steps of a run --------------------------------------------------------------------------------------------------


@cases.right("count_steps")
def without_ceil(num_examples, batch_size, accumulation, epochs):
    return epochs * -(-num_examples // (batch_size * accumulation))


@cases.right("count_steps")
def batches_first(num_examples, batch_size, accumulation, epochs):
    return np.ceil(np.ceil(num_examples / batch_size) / accumulation) * epochs


@cases.right("count_steps")
def counted(num_examples, batch_size, accumulation, epochs):
    steps = 0
    for _ in range(epochs):
        for _ in range(0, num_examples, batch_size * accumulation):
            steps += 1
    return steps


@cases.wrong("count_steps", r"you say 54; the Trainer makes 57. The last step of an epoch takes what is left.*round up")
def rounded_down(num_examples, batch_size, accumulation, epochs):
    return epochs * (num_examples // (batch_size * accumulation))


@cases.wrong("count_steps", r"you say 225; the Trainer makes 57. That counts batches: 4 of them make one step")
def accumulation_forgotten(num_examples, batch_size, accumulation, epochs):
    return epochs * ceil(num_examples / batch_size)


@cases.wrong("count_steps", r"you say 900; .*Accumulating makes fewer steps, not more")
def accumulation_turned(num_examples, batch_size, accumulation, epochs):
    return epochs * ceil(num_examples * accumulation / batch_size)


@cases.wrong("count_steps", r"For 100 examples.*you say 16; the Trainer makes 20. An epoch ends with a step of its own")
def rounded_once(num_examples, batch_size, accumulation, epochs):
    return ceil(epochs * num_examples / (batch_size * accumulation))


@cases.wrong("count_steps", r"you say 19; the Trainer makes 57. That is one epoch")
def one_epoch(num_examples, batch_size, accumulation, epochs):
    return ceil(num_examples / (batch_size * accumulation))


@cases.wrong("count_steps", r"you say 56.25; the Trainer makes 57. Steps are whole")
def not_rounded(num_examples, batch_size, accumulation, epochs):
    return epochs * num_examples / (batch_size * accumulation)


@cases.wrong("count_steps", r"For 601 examples.*|you say 56; the Trainer makes 57")
def rounded_to_the_nearest(num_examples, batch_size, accumulation, epochs):
    return round(epochs * num_examples / (batch_size * accumulation))


@cases.wrong("count_steps", r"For 640 examples.*you say 42; the Trainer makes 40|the Trainer makes")
def always_one_more(num_examples, batch_size, accumulation, epochs):
    return epochs * (num_examples // (batch_size * accumulation) + 1)


@cases.wrong("count_steps", r"you say 1800; the Trainer makes 57")
def examples_for_steps(num_examples, batch_size, accumulation, epochs):
    return num_examples * epochs


@cases.error("count_steps", r"raised ZeroDivisionError")
def operators_in_the_wrong_order(num_examples, batch_size, accumulation, epochs):
    return epochs * ceil(num_examples / (accumulation // batch_size))


@cases.wrong("count_steps", r"For 4000 examples.*you say 125; the Trainer makes 63")
def a_step_of_32_examples(num_examples, batch_size, accumulation, epochs):
    return epochs * ceil(num_examples / 32)


# --- Draw a learning rate --------------------------------------------------------------------------------------------


@cases.right("draw_rate")
def in_powers_of_ten(low, high, rng):
    return 10 ** rng.uniform(np.log10(low), np.log10(high))


@cases.right("draw_rate")
def by_the_factor(low, high, rng):
    return float(low * (high / low) ** rng.random())


@cases.right("draw_rate")
def with_scipy(low, high, rng):
    return loguniform(low, high).rvs(random_state=rng)


@cases.wrong("draw_rate", r"only \d% of the draws lie below 0.001.*Draw the logarithm evenly, not the rate")
def drawn_evenly(low, high, rng):
    return rng.uniform(low, high)


@cases.wrong(
    "draw_rate", r"400 draws give only 5 different rates: draw from the whole range, not from a list of powers"
)
def whole_exponents(low, high, rng):
    return 10.0 ** rng.integers(-5, 0)


@cases.wrong("draw_rate", r"you draw .*go back by the exponential to the same base")
def two_bases(low, high, rng):
    return 10 ** rng.uniform(np.log(low), np.log(high))


@cases.wrong("draw_rate", r"you draw -\d.*go back by the exponential")
def the_logarithm_itself(low, high, rng):
    return rng.uniform(np.log(low), np.log(high))


@cases.wrong("draw_rate", r"With the same seed you draw .* and .*use the generator rng")
def a_generator_of_its_own(low, high, rng):
    return low * (high / low) ** random.random()


@cases.wrong("draw_rate", r"Each of 400 draws gives .*use the generator that is handed over")
def seeded_anew(low, high, rng):
    return low * (high / low) ** np.random.default_rng(0).random()


@cases.wrong("draw_rate", r"Between 3e-06 and 0.003 you draw|Between 3e-06 and 0.003 only")
def the_ends_of_the_lesson(low, high, rng):
    return 10 ** rng.uniform(-5, -1)


@cases.wrong("draw_rate", r"None of 400 draws lies between 1e-05 and 2.5e-05: draw from one end to the other")
def a_bell_around_the_middle(low, high, rng):
    middle = (np.log(low) + np.log(high)) / 2
    return np.exp(np.clip(rng.normal(middle, 0.5), np.log(low), np.log(high)))


@cases.wrong("draw_rate", r"Between .*of the draws lie below|lowest quarter")
def the_root_of_an_even_draw(low, high, rng):
    return low + (high - low) * rng.random() ** 2


@cases.wrong("draw_rate", r"Return one learning rate, a number; this is array")
def many_at_once(low, high, rng):
    return np.exp(rng.uniform(np.log(low), np.log(high), size=10))


@cases.wrong("draw_rate", r"Each of 400 draws gives 0.001")
def the_middle(low, high, rng):
    return (low * high) ** 0.5


@cases.wrong("draw_rate", r"\d\d% of the draws lie in the lower half of their factor of ten")
def a_factor_of_ten_first(low, high, rng):
    start = low * 10 ** int(rng.random() * np.log10(high / low))
    return rng.uniform(start, min(10 * start, high))


@cases.wrong("draw_rate", r"6\d% of the draws lie in the middle half of the factors, where 50 % should|lowest quarter")
def a_wide_bell_cut_at_the_ends(low, high, rng):
    ends = np.log([low, high])
    return np.exp(np.clip(rng.normal(ends.mean(), (ends[1] - ends[0]) / 4), *ends))


@cases.wrong("draw_rate", r"None of 400 draws lies between 1e-05 and 2.5e-05: draw from one end to the other")
def without_the_ends(low, high, rng):
    tenth = (high / low) ** 0.1
    return in_powers_of_ten(low * tenth, high / tenth, rng)


@cases.wrong("draw_rate", r"None of 400 draws lies between 0.04 and 0.1: draw from one end to the other")
def a_third_of_the_upper_end(low, high, rng):
    return in_powers_of_ten(low, high / 3, rng)


# --- Choose a trial --------------------------------------------------------------------------------------------------


def ended_of(trials):
    return trials[~trials["pruned"]].dropna(subset=["validation_accuracy"])


@cases.right("choose_rate")
def with_query(trials):
    ended = trials.query("not pruned")
    best = ended[ended["validation_accuracy"] == ended["validation_accuracy"].max()]
    return best.loc[best["steps"].idxmin(), "learning_rate"]


@cases.right("choose_rate")
def with_max(trials):
    rows = [row for row in trials.to_dict("records") if not row["pruned"] and row["validation_accuracy"] >= 0]
    return max(rows, key=lambda row: (row["validation_accuracy"], -row["steps"]))["learning_rate"]


@cases.right("choose_rate")
def with_two_stable_sorts(trials):
    ranked = ended_of(trials).sort_values("steps").sort_values("validation_accuracy", kind="stable", ascending=False)
    return ranked.iloc[0]["learning_rate"]


@cases.right("choose_rate")
def changed_in_place(trials):
    trials.drop(trials.index[trials["pruned"]], inplace=True)
    trials.sort_values(["validation_accuracy", "steps"], ascending=[False, True], inplace=True)
    return trials["learning_rate"].iloc[0]


@cases.wrong("choose_rate", r"You choose 0.0002, which is best on the test: a test that chose is no test any more")
def on_the_test(trials):
    return trials.loc[ended_of(trials)["test_accuracy"].idxmax(), "learning_rate"]


@cases.wrong("choose_rate", r"You choose 0.0005, whose trial was stopped early, after 19 steps")
def stopped_trials_too(trials):
    return trials.sort_values(["validation_accuracy", "steps"], ascending=[False, True])["learning_rate"].iloc[0]


@cases.wrong("choose_rate", r"You choose 0.0004, with 76 steps; 0.0001 has the same accuracy after 38")
def first_of_equals(trials):
    ended = ended_of(trials)
    return ended.loc[ended["validation_accuracy"].idxmax(), "learning_rate"]


@cases.wrong("choose_rate", r"You choose 1e-05, with 61% on validation; 0.0001 has 74%")
def the_lowest(trials):
    return ended_of(trials).sort_values("validation_accuracy")["learning_rate"].iloc[0]


@cases.wrong("choose_rate", r"You choose 0.0005, whose trial was stopped early")
def a_name_taken_for_a_place(trials):
    ended = ended_of(trials)
    ranked = ended.sort_values(["validation_accuracy", "steps"], ascending=[False, True])
    return trials["learning_rate"].iloc[ranked.index[0]]


@cases.wrong("choose_rate", r"a trial without a validation accuracy: nothing is known of it")
def nan_taken_for_the_highest(trials):
    ended = trials[~trials["pruned"]].sort_values(["validation_accuracy", "steps"], na_position="last")
    return ended["learning_rate"].iloc[-1]


@cases.wrong("choose_rate", r"0.74 is the learning rate of no trial")
def the_accuracy(trials):
    return ended_of(trials)["validation_accuracy"].max()


@cases.wrong("choose_rate", r"Return the learning rate of one trial, a number")
def the_whole_row(trials):
    return ended_of(trials).sort_values(["validation_accuracy", "steps"], ascending=[False, True]).iloc[0]


@cases.wrong("choose_rate", r"which is best on the test|You choose")
def mean_of_both_accuracies(trials):
    ended = ended_of(trials)
    mean = ended[["validation_accuracy", "test_accuracy"]].mean(axis=1)
    return ended.loc[mean.idxmax(), "learning_rate"]


@cases.wrong("choose_rate", r"You choose 0.0004, with 76 steps; 0.0001 has")
def the_most_steps(trials):
    ranked = ended_of(trials).sort_values(["validation_accuracy", "steps"], ascending=False)
    return ranked["learning_rate"].iloc[0]


@cases.wrong("choose_rate", r"You choose 3e-05, with 78.12% on validation; 8e-05 has 78.38%")
def steps_before_accuracy(trials):
    return (
        ended_of(trials).sort_values(["steps", "validation_accuracy"], ascending=[True, False])["learning_rate"].iloc[0]
    )


@cases.wrong("choose_rate", r"You choose 3e-05, with 78.12% on validation; 8e-05 has 78.38%")
def rounded_before_comparing(trials):
    return with_two_stable_sorts(trials.round({"validation_accuracy": 2}))


@cases.wrong("choose_rate", r"You choose 2e-05, a trial without a validation accuracy")
def nothing_beats_nan(trials):
    rows = [row for row in trials.to_dict("records") if not row["pruned"]]
    return max(rows, key=lambda row: (row["validation_accuracy"], -row["steps"]))["learning_rate"]
