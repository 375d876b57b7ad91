"""Answers to the tasks in lesson 9."""

import math
import statistics

import numpy as np
import pandas as pd
from scipy import stats

from failure_matrix import Cases
from ftcourse.evaluation import decide
from ftcourse.records import interval

cases = Cases()
names = {"np": np, "stats": stats}

# --- Recall of each class --------------------------------------------------------------------------------------------


@cases.right("recalls")
def with_a_loop(matrix):
    found = []
    for number, row in enumerate(matrix):
        found.append(row[number] / row.sum() if row.sum() else math.nan)
    return found


@cases.right("recalls")
def with_a_frame(matrix):
    frame = pd.DataFrame(matrix)
    return pd.Series(np.diag(frame), index=frame.index) / frame.sum(axis="columns")


@cases.right("recalls")
def by_a_normalised_matrix(matrix):
    return np.diag(matrix / matrix.sum(axis=1, keepdims=True))


@cases.right("recalls")
def by_name(matrix):
    return {
        number: float(row[number] / max(1, sum(row))) if any(row) else math.nan for number, row in enumerate(matrix)
    }


@cases.wrong("recalls", r"Of the 60 examples of class 0, 50 are found.*which is its precision: divide by the row")
def precisions(matrix):
    return matrix.diagonal() / matrix.sum(axis=0)


@cases.wrong("recalls", r"which is a share of all examples: divide by those of the class")
def share_of_everything(matrix):
    return matrix.diagonal() / matrix.sum()


@cases.wrong("recalls", r"you say 0.800, which is the accuracy")
def the_accuracy_of_each(matrix):
    return [np.trace(matrix) / matrix.sum()] * len(matrix)


@cases.wrong("recalls", r"in per cent: leave it a share between 0 and 1")
def in_per_cent(matrix):
    return 100 * matrix.diagonal() / matrix.sum(axis=1)


@cases.wrong("recalls", r"Class 1 has no true example, and its recall comes out as 0: .*math.nan")
def nothing_counts_as_zero(matrix):
    return matrix.diagonal() / np.maximum(1, matrix.sum(axis=1))


@cases.wrong("recalls", r"Class 1 has no true example, and its recall comes out as 1")
def nothing_counts_as_found(matrix):
    return np.nan_to_num(matrix.diagonal() / matrix.sum(axis=1), nan=1.0)


@cases.wrong("recalls", r"For 3 classes you return .*one number a class")
def two_classes_only(matrix):
    return [matrix[0, 0] / matrix[0].sum(), matrix[1, 1] / matrix[1].sum()]


@cases.wrong("recalls", r"For 2 classes you return .*one number a class")
def the_mean(matrix):
    return np.nanmean(matrix.diagonal() / matrix.sum(axis=1))


@cases.wrong("recalls", r"Of the 60 examples of class 0, 50 are found, a recall of 0.833; you say 0.167")
def the_missed(matrix):
    return 1 - matrix.diagonal() / matrix.sum(axis=1)


@cases.wrong("recalls", r"Of the 60 examples of class 0, 50 are found, a recall of 0.833; you say 0.786")
def in_the_order_of_the_size(matrix):
    return sorted(matrix.diagonal() / matrix.sum(axis=1))


@cases.error("recalls", r"raised ZeroDivisionError.*A class may have no example")
def zero_forgotten(matrix):
    return [row[number] / sum(row) for number, row in enumerate(matrix.tolist())]


@cases.wrong("recalls", r"Of the 5 examples of class 0, 0 are found, a recall of 0.000; you say nan")
def nan_for_none_found(matrix):
    return [row[number] / row.sum() if row[number] else math.nan for number, row in enumerate(matrix)]


@cases.wrong("recalls", r"Of the 5 examples of class 0, 0 are found, a recall of 0.000; you say 0.800")
def largest_of_the_row(matrix):
    return matrix.max(axis=1) / matrix.sum(axis=1)


@cases.wrong("recalls", r"Of the 5 examples of class 0, 0 are found, a recall of 0.000; you say nan")
def nan_for_a_class_that_is_never_said(matrix):
    return np.where(matrix.sum(axis=0) == 0, math.nan, matrix.diagonal() / matrix.sum(axis=1))


# --- A difference of pairs -------------------------------------------------------------------------------------------


def pairs(first, second):
    return np.array([first[seed] - second[seed] for seed in sorted(set(first) & set(second))])


@cases.right("paired_difference")
def with_scipy_s_test(first, second):
    seeds = [seed for seed in first if seed in second]
    found = stats.ttest_rel([first[seed] for seed in seeds], [second[seed] for seed in seeds])
    ends = found.confidence_interval(0.95)
    return (ends.low + ends.high) / 2, (ends.high - ends.low) / 2


@cases.right("paired_difference")
def with_pandas(first, second):
    both = (pd.Series(first) - pd.Series(second)).dropna()
    return {"mean": both.mean(), "half width": stats.t.interval(0.95, len(both) - 1, scale=both.sem())[1]}


@cases.right("paired_difference")
def with_the_standard_library(first, second):
    both = [first[seed] - second[seed] for seed in first.keys() & second.keys()]
    error = statistics.stdev(both) / len(both) ** 0.5
    return statistics.mean(both), stats.t(len(both) - 1).ppf(0.975) * error


@cases.right("paired_difference")
def with_the_course_s_interval(first, second):
    return interval(pairs(first, second).tolist())


@cases.wrong("paired_difference", r"Compare the same seeds, whatever order they come in|The half width is")
def in_the_order_of_the_dictionaries(first, second):
    both = np.array(list(first.values())) - np.array(list(second.values()))
    return both.mean(), stats.t.ppf(0.975, len(both) - 1) * stats.sem(both)


@cases.wrong("paired_difference", r"that is the normal distribution's 1.96: with so few runs take Student's t")
def with_the_normal_distribution(first, second):
    both = pairs(first, second)
    return both.mean(), 1.96 * stats.sem(both)


@cases.wrong("paired_difference", r"that is the standard error: multiply by the quantile of Student's t")
def the_standard_error(first, second):
    both = pairs(first, second)
    return both.mean(), stats.sem(both)


@cases.wrong("paired_difference", r"that is the standard deviation of one run, not of the mean")
def the_standard_deviation(first, second):
    both = pairs(first, second)
    return both.mean(), both.std(ddof=1)


@cases.wrong("paired_difference", r"divide by one less than the seeds \(ddof=1\)")
def ddof_forgotten(first, second):
    both = pairs(first, second)
    return both.mean(), stats.t.ppf(0.975, len(both) - 1) * both.std() / np.sqrt(len(both))


@cases.wrong("paired_difference", r"whose spread is smaller than that of the two ways")
def not_in_pairs(first, second):
    one, other = list(first.values()), list(second.values())
    ends = stats.ttest_ind(one, other).confidence_interval()
    return np.mean(one) - np.mean(other), (ends.high - ends.low) / 2


@cases.wrong("paired_difference", r"it is the first minus the second")
def the_second_minus_the_first(first, second):
    return with_the_course_s_interval(second, first)


@cases.wrong("paired_difference", r"leave it a share, not points")
def in_points(first, second):
    return tuple(100 * value for value in with_the_course_s_interval(first, second))


@cases.wrong("paired_difference", r"is the level 95 % on two sides, with 4 degrees of freedom")
def on_one_side(first, second):
    both = pairs(first, second)
    return both.mean(), stats.t.ppf(0.95, len(both) - 1) * stats.sem(both)


@cases.wrong("paired_difference", r"that is the whole width")
def the_whole_width(first, second):
    mean, half = with_the_course_s_interval(first, second)
    return mean, 2 * half


@cases.wrong("paired_difference", r"Return two numbers, the mean difference and the half width; this is \(")
def the_two_ends_as_well(first, second):
    mean, half = with_the_course_s_interval(first, second)
    return mean, mean - half, mean + half


@cases.error("paired_difference", r"raised KeyError: 9.*that a single way has makes no pair: leave it out")
def a_seed_without_a_partner(first, second):
    both = np.array([first[seed] - second[seed] for seed in first])
    return both.mean(), stats.t.ppf(0.975, len(both) - 1) * stats.sem(both)


@cases.wrong("paired_difference", r"are the two ends of the interval: return the mean and half the width")
def the_two_ends(first, second):
    mean, half = with_the_course_s_interval(first, second)
    return mean - half, mean + half


@cases.wrong("paired_difference", r"of pairs in the order of the dictionaries: look each seed up in both")
def zipped(first, second):
    both = np.array([one - other for one, other in zip(first.values(), second.values(), strict=True)])
    return both.mean(), stats.t.ppf(0.975, len(both) - 1) * stats.sem(both)


# --- A limit from costs ----------------------------------------------------------------------------------------------


@cases.right("say_positive")
def by_the_limit(probabilities, cost_of_alarm, cost_of_miss):
    limit = cost_of_alarm / (cost_of_alarm + cost_of_miss)
    return np.array(probabilities) > limit


@cases.right("say_positive")
def by_the_lesson_s_function(probabilities, cost_of_alarm, cost_of_miss):
    shares = np.array(probabilities)
    answers, _ = decide(np.column_stack([1 - shares, shares]), [[0, cost_of_alarm], [cost_of_miss, 0]])
    return answers


@cases.right("say_positive")
def by_the_odds(probabilities, cost_of_alarm, cost_of_miss):
    answers = []
    for share in probabilities:
        answers.append(share * cost_of_miss >= (1 - share) * cost_of_alarm)
    return answers


@cases.wrong("say_positive", r"A false alarm costs 5, a miss 1.*A limit of one half suits equal costs only")
def one_half(probabilities, cost_of_alarm, cost_of_miss):
    return [share >= 0.5 for share in probabilities]


@cases.wrong("say_positive", r"The two costs are swapped: a dear false alarm makes the limit higher")
def costs_swapped(probabilities, cost_of_alarm, cost_of_miss):
    return [share > cost_of_miss / (cost_of_alarm + cost_of_miss) for share in probabilities]


@cases.wrong("say_positive", r"your answer is no. Yes and no are swapped")
def answers_swapped(probabilities, cost_of_alarm, cost_of_miss):
    return [share < cost_of_alarm / (cost_of_alarm + cost_of_miss) for share in probabilities]


@cases.wrong("say_positive", r"A false alarm costs 1, a miss 1.*Say yes where the expected cost of yes is the lower")
def the_ratio_of_the_costs(probabilities, cost_of_alarm, cost_of_miss):
    return [share >= cost_of_miss / max(cost_of_alarm, 1e-9) for share in probabilities]


@cases.wrong("say_positive", r"A false alarm costs 1, a miss 9|A false alarm costs 2.5")
def the_limit_of_the_lesson(probabilities, cost_of_alarm, cost_of_miss):
    return [share > (5 / 6 if cost_of_alarm > cost_of_miss else 0.5) for share in probabilities]


@cases.wrong("say_positive", r"Return an answer, True or False, for each of the 8 probabilities; this is 0.5")
def the_limit_itself(probabilities, cost_of_alarm, cost_of_miss):
    return cost_of_alarm / (cost_of_alarm + cost_of_miss)


@cases.wrong("say_positive", r"Each answer is True or False, or 1 or 0; these are \[0.4")
def the_expected_costs(probabilities, cost_of_alarm, cost_of_miss):
    return [(1 - share) * cost_of_alarm for share in probabilities]


@cases.wrong("say_positive", r"Return an answer, True or False, for each of the 8 probabilities; this is \[0.55")
def those_above_the_limit(probabilities, cost_of_alarm, cost_of_miss):
    limit = cost_of_alarm / (cost_of_alarm + cost_of_miss)
    return [share for share in probabilities if share > limit]


@cases.wrong("say_positive", r"A false alarm costs 5, a miss 1. At a probability of 0.\d+")
def costs_without_probabilities_of_no(probabilities, cost_of_alarm, cost_of_miss):
    return [share * cost_of_alarm > share * cost_of_miss or share >= 0.5 for share in probabilities]


@cases.wrong("say_positive", r"A false alarm costs \S+, a miss \S+. At a probability of")
def always_yes_if_a_miss_is_dearer(probabilities, cost_of_alarm, cost_of_miss):
    return [cost_of_miss >= cost_of_alarm] * len(probabilities)


@cases.right("say_positive")
def with_the_whole_array(probabilities, cost_of_alarm, cost_of_miss):
    return probabilities * cost_of_miss > (1 - probabilities) * cost_of_alarm


@cases.wrong("say_positive", r"A false alarm costs 1, a miss 1. At a probability of 0.55")
def sorted_by_probability(probabilities, cost_of_alarm, cost_of_miss):
    return np.sort(probabilities) > cost_of_alarm / (cost_of_alarm + cost_of_miss)


@cases.error("say_positive", r"truth value of an array.*ask about each, or compare the array as a whole")
def an_array_asked_as_one(probabilities, cost_of_alarm, cost_of_miss):
    return [bool(probabilities > cost_of_alarm / (cost_of_alarm + cost_of_miss))]
