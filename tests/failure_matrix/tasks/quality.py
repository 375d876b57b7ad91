"""Answers to the tasks in lesson 7."""

import random
from collections import Counter, defaultdict

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold
from sklearn.utils.class_weight import compute_class_weight

from failure_matrix import Cases
from ftcourse.quality import normalise

cases = Cases()
names = {"np": np, "pd": pd}

# --- Texts in both splits --------------------------------------------------------------------------------------------


def form(text):
    return " ".join(text.casefold().split())


@cases.right("shared_rows")
def in_the_normal_form_of_the_lesson(train_texts, test_texts):
    known = set(map(normalise, train_texts))
    return np.flatnonzero([normalise(text) in known for text in test_texts])


@cases.right("shared_rows")
def with_pandas(train_texts, test_texts):
    both = [pd.Series(texts).str.lower().str.split().str.join(" ") for texts in (train_texts, test_texts)]
    return both[1].index[both[1].isin(both[0])]


@cases.right("shared_rows")
def with_two_loops(train_texts, test_texts):
    found = []
    for row, text in enumerate(test_texts):
        for other in train_texts:
            if form(text) == form(other):
                found.append(row)
                break
    return tuple(found)


@cases.right("shared_rows")
def as_a_mask(train_texts, test_texts):
    return np.isin([form(text) for text in test_texts], [form(text) for text in train_texts])


@cases.wrong("shared_rows", r"Row 1, 'a WARM film. ', is missing: it stands in training but for case and blanks")
def equal_to_the_letter(train_texts, test_texts):
    return [row for row, text in enumerate(test_texts) if text in set(train_texts)]


@cases.wrong("shared_rows", r"is missing: it stands in training but for")
def lower_and_strip_alone(train_texts, test_texts):
    known = {text.lower().strip() for text in train_texts}
    return [row for row, text in enumerate(test_texts) if text.lower().strip() in known]


@cases.wrong("shared_rows", r"Row 3, 'Dull plot', is missing: .*no-break space")
def plain_blanks_alone(train_texts, test_texts):
    def short(text):
        return " ".join(part for part in text.lower().replace("\n", " ").split(" ") if part)

    known = set(map(short, train_texts))
    return [row for row, text in enumerate(test_texts) if short(text) in known]


@cases.wrong("shared_rows", r"Row 2, 'C\+\+ is taught well.', is reported.*Punctuation tells texts apart")
def letters_alone(train_texts, test_texts):
    def letters(text):
        return " ".join("".join(c for c in text.lower() if c.isalnum() or c.isspace()).split())

    known = set(map(letters, train_texts))
    return [row for row, text in enumerate(test_texts) if letters(text) in known]


@cases.wrong("shared_rows", r"Row 4, 'A joy', is reported|Row 6, 'warm film.', is reported.*A part of a text")
def parts_of_texts(train_texts, test_texts):
    return [row for row, text in enumerate(test_texts) if any(form(text) in form(other) for other in train_texts)]


@cases.wrong("shared_rows", r"Row 0, 'A slow start.', is reported and doesn't stand in training")
def repeated_in_the_test(train_texts, test_texts):
    counts = Counter(map(form, [*train_texts, *test_texts]))
    return [row for row, text in enumerate(test_texts) if counts[form(text)] > 1]


@cases.wrong("shared_rows", r"Row 0, 'A slow start.', is reported|Row \d, .* is reported and doesn't stand")
def rows_of_training(train_texts, test_texts):
    known = set(map(form, test_texts))
    return [row for row, text in enumerate(train_texts) if form(text) in known]


@cases.wrong("shared_rows", r"Return the rows of the test texts, their numbers counted from 0; these are \['")
def the_texts(train_texts, test_texts):
    return [text for text in test_texts if form(text) in set(map(form, train_texts))]


@cases.wrong("shared_rows", r"Return a list of rows; this is 5")
def a_count(train_texts, test_texts):
    return len(with_two_loops(train_texts, test_texts))


@cases.wrong("shared_rows", r"A row is named more than once")
def a_row_for_each_pair(train_texts, test_texts):
    return [row for row, text in enumerate(test_texts) for other in train_texts if form(text) == form(other)]


@cases.wrong("shared_rows", r"Row 10, 'again never', is reported.*The order of the words tells texts apart")
def words_without_their_order(train_texts, test_texts):
    known = {tuple(sorted(form(text).split())) for text in train_texts}
    return [row for row, text in enumerate(test_texts) if tuple(sorted(form(text).split())) in known]


# --- Groups stay together --------------------------------------------------------------------------------------------


@cases.right("fold_of_each")
def largest_first(groups, folds):
    rows, chosen = [0] * folds, {}
    for group, count in Counter(groups).most_common():
        chosen[group] = rows.index(min(rows))
        rows[chosen[group]] += count
    return [chosen[group] for group in groups]


@cases.right("fold_of_each")
def with_pandas_and_scikit_learn(groups, folds):
    frame = pd.DataFrame({"group": groups, "fold": -1})
    for number, (_, rows) in enumerate(GroupKFold(n_splits=folds).split(frame, groups=frame["group"])):
        frame.loc[rows, "fold"] = number
    return frame["fold"]


@cases.right("fold_of_each")
def one_by_one_in_turns(groups, folds):
    ordered = sorted(dict.fromkeys(groups), key=lambda group: (-list(groups).count(group), str(group)))
    turns = [*range(folds), *reversed(range(folds))]
    chosen = {group: turns[number % len(turns)] for number, group in enumerate(ordered)}
    return np.array([chosen[group] for group in groups])


@cases.wrong("fold_of_each", r"The rows of 'film \d+' are in \d folds: .*Give folds to groups, not to rows")
def rows_in_turns(groups, folds):
    return [row % folds for row in range(len(groups))]


@cases.wrong("fold_of_each", r"The rows of 'film \d+' are in \d folds")
def plain_k_fold(groups, folds):
    found = np.zeros(len(groups), dtype=int)
    for number, (_, rows) in enumerate(KFold(folds, shuffle=True, random_state=0).split(groups)):
        found[rows] = number
    return found


@cases.wrong("fold_of_each", r"The rows of 'film \d+' are in 2 folds")
def blocks_of_sorted_rows(groups, folds):
    found = np.zeros(len(groups), dtype=int)
    for number, rows in enumerate(np.array_split(np.argsort(groups, kind="stable"), folds)):
        found[rows] = number
    return found


@cases.wrong("fold_of_each", r"The folds have .* rows, where 30 each would be even.*count rows, not groups")
def as_many_groups_in_each(groups, folds):
    parts = np.array_split(list(dict.fromkeys(groups)), folds)
    return [next(number for number, part in enumerate(parts) if group in part) for group in groups]


@cases.wrong("fold_of_each", r"1 of 4 folds have rows: each fold is judged once, so fill them all")
def one_fold(groups, folds):
    return [0] * len(groups)


@cases.wrong("fold_of_each", r"A fold is a number from 0 to 3; there is .*'11'")
def a_fold_for_each_group(groups, folds):
    return pd.factorize(np.array(groups))[0]


@cases.wrong("fold_of_each", r"A fold is a number from 0 to 3; there is \['1', '2', '3', '4'\]")
def folds_from_one(groups, folds):
    return [1 + number for number in largest_first(groups, folds)]


@cases.wrong("fold_of_each", r"Two calls gave two different answers: without a fixed seed|The folds have .* rows")
def without_a_seed(groups, folds):
    order = sorted(set(groups))
    random.shuffle(order)
    rows, chosen = [0] * folds, {}
    for group in order:
        chosen[group] = rows.index(min(rows))
        rows[chosen[group]] += list(groups).count(group)
    return [chosen[group] for group in groups]


@cases.wrong(
    "fold_of_each", r"In another process the folds would be others.*Sort the groups first|The folds have .* ro"
)
def in_the_order_of_a_set(groups, folds):
    rows, chosen = [0] * folds, {}
    for group in set(groups):
        chosen[group] = rows.index(min(rows))
        rows[chosen[group]] += list(groups).count(group)
    return [chosen[group] for group in groups]


@cases.wrong("fold_of_each", r"Return a fold for each of the 120 rows, in their order; this is \[")
def rows_of_each_fold(groups, folds):
    found = defaultdict(list)
    for row, fold in enumerate(largest_first(groups, folds)):
        found[fold].append(row)
    return list(found.values())


@cases.wrong("fold_of_each", r"The rows of 'film \d+' are in \d folds|In another process|olds have")
def by_hash_of_the_name(groups, folds):
    return [hash(f"{group}") % folds for group in groups]


@cases.right("fold_of_each")
def stratified_with_one_class(groups, folds):
    found, nothing = np.zeros(len(groups), dtype=int), np.zeros(len(groups))
    for number, (_, rows) in enumerate(StratifiedGroupKFold(folds).split(nothing, nothing, groups)):
        found[rows] = number
    return found


@cases.wrong("fold_of_each", r"The folds have 27, 3 rows, where 15 each would be even.*count rows, not groups")
def groups_in_turns(groups, folds):
    return pd.factorize(np.array(groups))[0] % folds


@cases.wrong("fold_of_each", r"The folds have .* rows, where \d+ each would be even.*count rows, not groups")
def shuffled_groups(groups, folds):
    found = np.zeros(len(groups), dtype=int)
    for number, (_, rows) in enumerate(GroupKFold(folds, shuffle=True, random_state=0).split(found, groups=groups)):
        found[rows] = number
    return found


@cases.wrong("fold_of_each", r"In another process the folds would be others.*Sort the groups first")
def ties_in_the_order_of_a_set(groups, folds):
    rows, chosen = [0] * folds, {}
    for group in sorted(set(groups), key=groups.count, reverse=True):
        chosen[group] = rows.index(min(rows))
        rows[chosen[group]] += groups.count(group)
    return [chosen[group] for group in groups]


# --- Weights of classes ----------------------------------------------------------------------------------------------


@cases.right("class_weights")
def with_scikit_learn(labels):
    classes = np.unique(labels)
    return dict(zip(classes, compute_class_weight("balanced", classes=classes, y=labels), strict=True))


@cases.right("class_weights")
def as_a_series(labels):
    counts = pd.Series(labels).value_counts()
    return len(labels) / (len(counts) * counts)


@cases.right("class_weights")
def scaled_at_the_end(labels):
    weights = {label: 1 / labels.count(label) for label in set(labels)}
    mean = sum(weights[label] for label in labels) / len(labels)
    return {label: weight / mean for label, weight in weights.items()}


@cases.wrong(
    "class_weights", r"'fresh' stands there 6 times and has the larger weight, .*the rare class needs the larger"
)
def the_shares(labels):
    return {label: count / len(labels) for label, count in Counter(labels).items()}


@cases.wrong("class_weights", r"The mean weight of an example is 0.25: .*also change the size of the loss")
def one_over_the_count(labels):
    return {label: 1 / count for label, count in Counter(labels).items()}


@cases.wrong("class_weights", r"The mean weight of an example is 2")
def classes_forgotten(labels):
    return {label: len(labels) / count for label, count in Counter(labels).items()}


@cases.wrong("class_weights", r"The mean weight of an example is 0.375")
def one_minus_the_share(labels):
    return {label: 1 - count / len(labels) for label, count in Counter(labels).items()}


@cases.wrong("class_weights", r"All examples of 'fresh' weigh")
def root_of_the_count(labels):
    return {label: (len(labels) / count) ** 0.5 for label, count in Counter(labels).items()}


@cases.wrong("class_weights", r"The mean weight of an example is 0.833|The mean weight")
def two_classes_taken_for_granted(labels):
    return {label: len(labels) / (2 * count) for label, count in Counter(labels).items()}


@cases.wrong("class_weights", r"There are weights for .* and the labels are")
def names_of_the_course(labels):
    return {name: len(labels) / (2 * max(1, labels.count(name))) for name in ("fresh", "rotten")}


@cases.wrong("class_weights", r"Return a dictionary, from each label to its weight")
def a_list(labels):
    return [len(labels) / (len(set(labels)) * count) for count in Counter(labels).values()]


@cases.wrong("class_weights", r"There are weights for .*'0', '1'|There are weights for")
def numbers_for_names(labels):
    counts = Counter(labels)
    return {number: len(labels) / (len(counts) * count) for number, count in enumerate(counts.values())}


@cases.wrong("class_weights", r"are rounded, and the classes don't come to the same any more")
def rounded(labels):
    counts = Counter(labels)
    return {label: round(len(labels) / (len(counts) * count), 1) for label, count in counts.items()}


@cases.wrong("class_weights", r"are rounded, and the classes don't come to the same any more")
def relative_to_the_commonest_and_rounded(labels):
    counts = Counter(labels)
    return {label: round(len(labels) / (len(counts) * count)) or 1 for label, count in counts.items()}


@cases.wrong("class_weights", r"All examples of 'fresh' weigh")
def all_alike(labels):
    return dict.fromkeys(labels, 1.0)
