"""Answers to the tasks in lesson 6."""

import itertools
import math

import numpy as np

from failure_matrix import Cases
from ftcourse.qa import best_spans

cases = Cases()
names = {"np": np}

# --- Cut windows -----------------------------------------------------------------------------------------------------


@cases.right("cut_windows")
def with_range(length, size, stride):
    starts = range(0, max(1, length - stride), size - stride)
    return [(start, min(start + size, length)) for start in starts]


@cases.right("cut_windows")
def counted_first(length, size, stride):
    count = 1 + max(0, math.ceil((length - size) / (size - stride)))
    starts = np.arange(count) * (size - stride)
    return np.stack([starts, np.minimum(starts + size, length)], axis=1)


@cases.right("cut_windows")
def as_a_generator(length, size, stride):
    start = 0
    while True:
        yield start, min(start + size, length)
        if start + size >= length:
            return
        start += size - stride


@cases.wrong("cut_windows", r"two neighbours share 3 tokens where 1 are asked for.*not how far a window moves")
def moved_by_the_stride(length, size, stride):
    starts = range(0, max(1, length - size + stride), max(1, stride))
    return [(start, min(start + size, length)) for start in starts]


@cases.wrong("cut_windows", r"4 windows where 3 hold the whole text. Stop where a window reaches its end")
def one_that_only_repeats(length, size, stride):
    return [(start, min(start + size, length)) for start in range(0, length, size - stride)]


@cases.wrong("cut_windows", r"two neighbours share 0 tokens where 1 are asked for")
def without_overlap(length, size, stride):
    return [(start, min(start + size, length)) for start in range(0, length, size)]


@cases.wrong("cut_windows", r"token \d+ is in no window, and an answer there is lost")
def the_rest_is_dropped(length, size, stride):
    return [(start, start + size) for start in range(0, length - size + 1, size - stride)] or [(0, length)]


@cases.wrong("cut_windows", r"token 4 is in no window")
def cut_off(length, size, stride):
    return [(0, min(length, size))]


@cases.wrong("cut_windows", r"a window is empty, or ends beyond the text|ends beyond the text")
def beyond_the_end(length, size, stride):
    return [(start, start + size) for start in range(0, max(1, length - stride), size - stride)]


@cases.wrong("cut_windows", r"the second number is the place after a window's last token, not that of the token itself")
def the_last_token_itself(length, size, stride):
    return [(start, end - 1) for start, end in with_range(length, size, stride)]


@cases.wrong("cut_windows", r"a window has 5 tokens, more than 4")
def stride_on_top_of_the_size(length, size, stride):
    return [(max(0, start - stride), min(start + size, length)) for start in range(0, length, size)]


@cases.wrong("cut_windows", r"two neighbours share 4 tokens where 2 are asked for")
def last_window_filled_up(length, size, stride):
    found = with_range(length, size, stride)
    return [*found[:-1], (max(0, length - size), length)]


@cases.wrong("cut_windows", r"Return a list of pairs, the first token of each window")
def starts_alone(length, size, stride):
    return [start for start, _ in with_range(length, size, stride)]


@cases.error("cut_windows", r"arg 3 must not be zero.*A window moves by the size less the stride")
def moved_by_nothing(length, size, stride):
    return [(start, min(start + size, length)) for start in range(0, max(1, length - stride), stride and size - stride)]


@cases.wrong("cut_windows", r"Return a list of pairs.*this is \[\]")
def no_window_for_a_text_below_the_stride(length, size, stride):
    return [(start, min(start + size, length)) for start in range(0, length - stride, size - stride)]


# --- The best span ---------------------------------------------------------------------------------------------------


@cases.right("best_span")
def with_the_lesson_s_function(start_logits, end_logits, in_context, longest):
    offsets = [(0, int(inside)) for inside in in_context]
    return best_spans(start_logits, end_logits, offsets, max_answer_length=longest)[0][1:]


@cases.right("best_span")
def with_a_matrix(start_logits, end_logits, in_context, longest):
    sums = start_logits[:, None] + end_logits[None, :]
    places = np.arange(len(sums))
    far = places[None, :] - places[:, None]
    allowed = in_context[:, None] & in_context[None, :] & (far >= 0) & (far < longest)
    return np.unravel_index(np.where(allowed, sums, -np.inf).argmax(), sums.shape)


@cases.right("best_span")
def with_two_loops(start_logits, end_logits, in_context, longest):
    best, chosen = -math.inf, None
    for first in range(len(start_logits)):
        for last in range(first, min(first + longest, len(end_logits))):
            if in_context[first] and in_context[last] and start_logits[first] + end_logits[last] > best:
                best, chosen = start_logits[first] + end_logits[last], [first, last]
    return chosen


@cases.wrong("best_span", r"a token of it isn't of the context: that may be \[CLS\], or the question itself")
def mask_forgotten(start_logits, end_logits, in_context, longest):
    return with_two_loops(start_logits, end_logits, np.ones_like(in_context), longest)


@cases.wrong("best_span", r"you choose 3 to 1, which ends before it starts")
def each_by_itself(start_logits, end_logits, in_context, longest):
    return [np.where(in_context, own, -np.inf).argmax() for own in (start_logits, end_logits)]


@cases.wrong("best_span", r"you choose 1 to 4, which has 4 tokens")
def length_forgotten(start_logits, end_logits, in_context, longest):
    return with_two_loops(start_logits, end_logits, in_context, len(start_logits))


@cases.wrong("best_span", r"you choose .*which has \d tokens")
def one_token_too_many(start_logits, end_logits, in_context, longest):
    return with_two_loops(start_logits, end_logits, in_context, longest + 1)


@cases.wrong("best_span", r"you choose .*Look at the sum of every pair")
def one_token_too_few(start_logits, end_logits, in_context, longest):
    return with_two_loops(start_logits, end_logits, in_context, max(1, longest - 1))


@cases.wrong("best_span", r"you choose 1 to 2, with a sum of 9; 3 to 4 has 14|Look at the sum of every pair")
def likeliest_start_first(start_logits, end_logits, in_context, longest):
    first = int(np.where(in_context, start_logits, -np.inf).argmax())
    ends = [place for place in range(first, min(first + longest, len(in_context))) if in_context[place]]
    return first, max(ends, key=lambda place: end_logits[place])


@cases.wrong("best_span", r"a token of it isn't of the context|Look at the sum of every pair")
def logits_times_the_mask(start_logits, end_logits, in_context, longest):
    return with_two_loops(start_logits * in_context, end_logits * in_context, np.ones_like(in_context), longest)


@cases.wrong(
    "best_span", r"count the places in the whole window, not in the context|a token of it isn't|Look at the sum"
)
def places_within_the_context(start_logits, end_logits, in_context, longest):
    inside = np.ones(int(in_context.sum()), dtype=bool)
    return with_two_loops(start_logits[in_context], end_logits[in_context], inside, longest)


@cases.wrong("best_span", r"Look at the sum of every pair")
def a_single_token(start_logits, end_logits, in_context, longest):
    return with_two_loops(start_logits, end_logits, in_context, 1)


@cases.wrong("best_span", r"Look at the sum of every pair|isn't of the context")
def product_for_a_sum(start_logits, end_logits, in_context, longest):
    pairs = itertools.combinations_with_replacement(np.flatnonzero(in_context), 2)
    return max((p for p in pairs if p[1] - p[0] < longest), key=lambda p: start_logits[p[0]] * end_logits[p[1]])


@cases.wrong("best_span", r"you choose 1 to 3, with a sum of 4; 3 to 3 has 8")
def sorted_by_place(start_logits, end_logits, in_context, longest):
    return sorted(each_by_itself(start_logits, end_logits, in_context, longest))


@cases.wrong("best_span", r"Return two places, of the first and of the last token; this is")
def the_score_as_well(start_logits, end_logits, in_context, longest):
    first, last = with_two_loops(start_logits, end_logits, in_context, longest)
    return first, last, start_logits[first] + end_logits[last]


@cases.wrong("best_span", r"you choose 1 to 1, with a sum of 0; 4 to 4 has 8. Look at the sum of every pair")
def sum_of_probabilities(start_logits, end_logits, in_context, longest):
    starts, ends = (np.exp(own) / np.exp(own).sum() for own in (start_logits, end_logits))
    return with_two_loops(starts, ends, in_context, longest)


@cases.wrong("best_span", r"the answer is \d to \d: the second place is that of the last token itself")
def the_place_after_the_last(start_logits, end_logits, in_context, longest):
    first, last = with_two_loops(start_logits, end_logits, in_context, longest)
    return first, last + 1


# --- Is it in the text? ----------------------------------------------------------------------------------------------


@cases.right("find_margin")
def with_numpy(scores, null_scores):
    return np.max(scores) - np.min(null_scores)


@cases.right("find_margin")
def with_a_loop(scores, null_scores):
    best, null = -math.inf, math.inf
    for score, own in zip(scores, null_scores, strict=True):
        best, null = max(best, score), min(null, own)
    return best - null


@cases.right("find_margin")
def over_all_pairs(scores, null_scores):
    return max(score - null for score in scores for null in null_scores)


@cases.wrong("find_margin", r"the best window isn't the one that is surest of its span: take the two from all windows")
def window_by_window(scores, null_scores):
    return max(score - null for score, null in zip(scores, null_scores, strict=True))


@cases.wrong("find_margin", r"it is nowhere only if every window says so: ask the least sure one")
def the_surest_null_score(scores, null_scores):
    return max(scores) - max(null_scores)


@cases.wrong("find_margin", r"one window that isn't sure of \*not here\* is enough: no mean")
def the_mean_null_score(scores, null_scores):
    return max(scores) - sum(null_scores) / len(null_scores)


@cases.wrong("find_margin", r"it is the span less the null score")
def turned(scores, null_scores):
    return min(null_scores) - max(scores)


@cases.wrong("find_margin", r"a mean over windows drowns the one that holds the answer")
def the_mean_of_all(scores, null_scores):
    return np.mean(scores) - np.mean(null_scores)


@cases.wrong(
    "find_margin", r"that is the null score of the first window; ask all of them|that is the first window alone"
)
def the_first_window(scores, null_scores):
    return scores[0] - null_scores[0]


@cases.wrong("find_margin", r"that is the span's score alone")
def null_scores_forgotten(scores, null_scores):
    return max(scores)


@cases.wrong("find_margin", r"the margin is \S+; you say")
def null_score_of_the_best_window(scores, null_scores):
    return max(scores) - null_scores[scores.index(max(scores))]


@cases.wrong("find_margin", r"Return one number for the question")
def one_for_each_window(scores, null_scores):
    return np.array(scores) - np.array(null_scores)


@cases.wrong("find_margin", r"Return one number for the question")
def yes_or_no(scores, null_scores):
    return bool(max(scores) > min(null_scores))


@cases.wrong("find_margin", r"a margin may be negative, where \*not here\* is the likelier")
def never_below_zero(scores, null_scores):
    return max(0, max(scores) - min(null_scores))
