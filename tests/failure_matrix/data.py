"""Answers to exercise 7."""

import math
import statistics
from collections import Counter, defaultdict
from random import Random

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    GroupKFold,
    KFold,
    LeaveOneGroupOut,
    LeaveOneOut,
    StratifiedGroupKFold,
    StratifiedKFold,
    cross_val_predict,
)

from failure_matrix import Cases
from ftcourse import evaluation, quality
from ftcourse.records import interval
from ftcourse.verdicts import verdict as verdict_of

cases = Cases()
names = {"np": np}  # what the notebook has imported before its steps


# --- Faults in the rows ----------------------------------------------------------------------------------------------


def form(text):
    return " ".join(text.lower().split())


def faults(rows, labels, blank=None, known=None, key=None, among=None, pick=None):
    """Find the faults with one rule changed: what is blank, what is known, one form of a text, and which rows count."""
    is_blank = blank or (lambda text: not text.strip())
    is_known = known or (lambda label: label in labels)
    found = {
        "blank": [n for n, row in enumerate(rows) if is_blank(row["text"])],
        "label": [n for n, row in enumerate(rows) if not is_known(row["label"])],
    }
    left = among(rows) if among else [n for n in range(len(rows)) if n not in found["blank"] + found["label"]]
    same = defaultdict(list)
    for n in left:
        same[(key or form)(rows[n]["text"])].append(n)
    pick = pick or (lambda numbers: numbers)
    clash = [numbers for numbers in same.values() if len({rows[n]["label"] for n in numbers}) > 1]
    return found | {"conflict": [n for numbers in clash for n in pick(numbers)]}


@cases.right("find_faults")
def with_pandas_as_masks(rows, labels):
    frame = pd.DataFrame(rows)
    key = frame["text"].str.lower().str.split().str.join(" ")
    blank, unknown = key == "", ~frame["label"].isin(labels)
    clash = frame["label"].where(~blank & ~unknown).groupby(key).transform("nunique") > 1
    return pd.DataFrame({"blank": blank, "label": unknown, "conflict": clash & ~blank & ~unknown})


@cases.right("find_faults")
def sets_of_numbers(rows, labels):
    return {kind: set(numbers) for kind, numbers in faults(rows, labels).items()}


@cases.right("find_faults")
def each_with_each(rows, labels):
    blank = tuple(n for n, row in enumerate(rows) if row["text"].isspace() or row["text"] == "")
    unknown = tuple(n for n, row in enumerate(rows) if row["label"] not in set(labels))
    sound = [n for n in range(len(rows)) if n not in blank and n not in unknown]
    clash = [
        one
        for one in sound
        if any(
            form(rows[one]["text"]) == form(rows[two]["text"]) and rows[one]["label"] != rows[two]["label"]
            for two in sound
        )
    ]
    return {"conflict": clash, "label": unknown, "blank": blank}


@cases.right("find_faults")
def as_arrays(rows, labels):
    return pd.Series({kind: np.array(numbers, dtype=int) for kind, numbers in faults(rows, labels).items()})


@cases.wrong("find_faults", r"Row 3, ' \\n\\t ' .* is missing from 'blank'.*nothing but white space")
def empty_alone(rows, labels):
    return faults(rows, labels, blank=lambda text: text == "", among=lambda rows: [])


@cases.wrong("find_faults", r"Row 9, '\\xa0' .* is missing from 'blank'")
def plain_blanks_alone(rows, labels):
    return faults(rows, labels, blank=lambda text: not text.strip(" \n\t"))


@cases.wrong("find_faults", r"Row 17, '\?' .* is named under 'blank' and isn't one: a question mark is a text")
def no_letter_is_blank(rows, labels):
    return faults(rows, labels, blank=lambda text: not any(letter.isalnum() for letter in text))


@cases.wrong("find_faults", r"Row 12, 'Never again.' with the label 'Rotten', is missing from 'label'")
def labels_in_any_case(rows, labels):
    return faults(rows, labels, known=lambda label: str(label).lower() in labels)


@cases.wrong("find_faults", r"Row 21, .* is missing from 'label': its label has a blank before it")
def labels_stripped(rows, labels):
    return faults(rows, labels, known=lambda label: (label or "").strip() in labels)


@cases.wrong("find_faults", r"Row 22, '  ' with the label '', is missing from 'label': it has both faults")
def one_fault_a_row(rows, labels):
    found = faults(rows, labels)
    return found | {"label": [n for n in found["label"] if n not in found["blank"]]}


@cases.wrong("find_faults", r"Row 15, 'Worth it.' with the label None, is missing from 'label'")
def no_label_is_none(rows, labels):
    return faults(rows, labels, known=lambda label: label is None or label in labels)


@cases.wrong("find_faults", r"Row 0, 'A warm film.' .* is missing from 'conflict': it stands there as rotten")
def to_the_letter(rows, labels):
    return faults(rows, labels, key=str)


@cases.wrong("find_faults", r"Row 0, 'A warm film.' .* is missing from 'conflict'")
def later_rows_alone(rows, labels):
    return faults(rows, labels, pick=lambda numbers: numbers[1:])


@cases.wrong("find_faults", r"Row 11, .* is missing from 'conflict': it is the third row of its text")
def first_two_alone(rows, labels):
    return faults(rows, labels, pick=lambda numbers: numbers[:2])


@cases.wrong("find_faults", r"Row 23, 'Worth a look.' with the label 'fresh', is missing from 'conflict'")
def two_labels_exactly(rows, labels):
    found, same = faults(rows, labels), defaultdict(list)
    for n in sorted(set(range(len(rows))) - {*found["blank"], *found["label"]}):
        same[form(rows[n]["text"])].append(n)
    pairs = [numbers for numbers in same.values() if len({rows[n]["label"] for n in numbers}) == 2]
    return found | {"conflict": [n for numbers in pairs for n in numbers]}


@cases.wrong(
    "find_faults", r"Row 2, 'Go and see it.' .* named under 'conflict' and isn't one: its copy has the same label"
)
def every_copy(rows, labels):
    counts = Counter(form(row["text"]) for row in rows)
    found = faults(rows, labels)
    left = set(range(len(rows))) - {*found["blank"], *found["label"]}
    return found | {"conflict": sorted(n for n in left if counts[form(rows[n]["text"])] > 1)}


@cases.wrong("find_faults", r"Row 1, '' .* is named under 'conflict'")
def all_rows_for_conflicts(rows, labels):
    return faults(rows, labels, among=lambda rows: range(len(rows)))


@cases.wrong("find_faults", r"Row 5, 'Dull, and long.' .* named under 'conflict' and isn't one: its label is misspelt")
def unknown_labels_in_conflicts(rows, labels):
    return faults(rows, labels, among=lambda rows: [n for n, row in enumerate(rows) if row["text"].strip()])


@cases.wrong("find_faults", r"Row 7, 'A joy!' .* named under 'conflict'.*punctuation tells texts apart")
def without_punctuation(rows, labels):
    return faults(rows, labels, key=lambda text: form("".join(x for x in text if x.isalnum() or x.isspace())))


@cases.wrong(
    "find_faults", r"Row 16, 'Long and loud' .* named under 'conflict' .*the order of the words tells texts apart"
)
def words_in_any_order(rows, labels):
    return faults(rows, labels, key=lambda text: " ".join(sorted(form(text).split())))


@cases.wrong("find_faults", r"Row 27, 'No body cares.' .* named under 'conflict'.*one blank between words stays")
def without_any_blank(rows, labels):
    return faults(rows, labels, key=lambda text: "".join(text.lower().split()))


@cases.wrong("find_faults", r"Under 'blank' is what can be gone through once")
def lists_that_end(rows, labels):
    return {kind: (n for n in numbers) for kind, numbers in faults(rows, labels).items()}


@cases.wrong("find_faults", r"Row 19, .* is missing from 'conflict': but for case and a no-break space")
def one_kind_of_blank(rows, labels):
    return faults(rows, labels, key=lambda text: " ".join(part for part in text.lower().split(" ") if part.strip()))


@cases.wrong("find_faults", r"changed rows, which it was given")
def rows_normalised_in_place(rows, labels):
    for row in rows:
        row["text"] = form(row["text"])
    return faults(rows, labels)


@cases.wrong("find_faults", r"There is no 'conflict' among")
def conflicts_left_out(rows, labels):
    found = faults(rows, labels)
    return {"blank": found["blank"], "label": found["label"]}


@cases.wrong("find_faults", r"Under 'blank' is \['', .* give numbers of rows, 0 to")
def texts_for_numbers(rows, labels):
    return {kind: [rows[n]["text"] for n in numbers] for kind, numbers in faults(rows, labels).items()}


@cases.wrong("find_faults", r"Under 'conflict' a row is named more than once")
def a_pair_at_a_time(rows, labels):
    return faults(rows, labels, pick=lambda numbers: [n for one in numbers for n in numbers])


@cases.wrong("find_faults", r"Row \d+, .* is missing from|is named under")
def counted_from_one(rows, labels):
    return {kind: [n + 1 for n in numbers if n + 1 < len(rows)] for kind, numbers in faults(rows, labels).items()}


@cases.wrong("find_faults", r"Row \d+, .* is named under 'label' and isn't one")
def labels_of_ones_own(rows, labels):
    return faults(rows, labels, known=lambda label: label in ("rotten", "mixed", "fresh"))


@cases.wrong("find_faults", r"In 20 sound rows you find .*\[0\]")
def never_nothing(rows, labels):
    return {kind: numbers or [0] for kind, numbers in faults(rows, labels).items()}


@cases.wrong("find_faults", r"Return a dictionary with 'blank', 'label', 'conflict'; this is \(\[")
def three_lists(rows, labels):
    return tuple(faults(rows, labels).values())


@cases.error("find_faults", r"raised AttributeError.*A label may be None")
def none_lowered(rows, labels):
    return faults(rows, labels, known=lambda label: label.lower() in labels)


# --- Copies of test texts --------------------------------------------------------------------------------------------


def runs(text, size=4):
    text = form(text)
    return {text[at : at + size] for at in range(max(1, len(text) - size + 1))}


def share(one, two):
    return len(one & two) / len(one | two)


def leaks(train, test, limit, similarity=share, parts=runs):
    tests = [parts(text) for text in test]
    return [n for n, text in enumerate(train) if any(similarity(parts(text), other) >= limit for other in tests)]


@cases.wrong("find_leaks", r"training text 15, .* is reported.*punctuation is in the runs like any other character")
def with_the_lessons_tools(train_texts, test_texts, limit):
    sides = [[quality.shingles(text) for text in texts] for texts in (train_texts, test_texts)]
    return [n for n, one in enumerate(sides[0]) if any(quality.similarity(one, other) >= limit for other in sides[1])]


@cases.right("find_leaks")
def with_an_index_of_runs(train_texts, test_texts, limit):
    index, sizes = defaultdict(list), []
    for number, text in enumerate(test_texts):
        sizes.append(len(runs(text)))
        for run in runs(text):
            index[run].append(number)
    found = set()
    for number, text in enumerate(train_texts):
        own = runs(text)
        shared = Counter(other for run in own for other in index[run])
        if any(count / (len(own) + sizes[other] - count) >= limit for other, count in shared.items()):
            found.add(number)
    return found


@cases.right("find_leaks")
def as_a_mask(train_texts, test_texts, limit):
    tests = list(map(runs, test_texts))
    return np.array([max((share(runs(text), other) for other in tests), default=0) >= limit for text in train_texts])


@cases.wrong("find_leaks", r"training text 15, .* is reported.*punctuation is in the runs like any other character")
def with_minhash(train_texts, test_texts, limit):
    if not test_texts:
        return []
    return quality.find_near_duplicates(train_texts, test_texts, threshold=limit)["first"].unique()


@cases.wrong("find_leaks", r"training text 2, .* is missing.*case and blanks make no difference")
def to_the_letter_alone(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit, parts=lambda text: {text})


@cases.wrong("find_leaks", r"training text 3, 'Superbly', is missing.*three of five runs are at least the limit")
def equal_but_for_case(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit, parts=lambda text: {form(text)})


@cases.wrong("find_leaks", r"training text 3, 'Superbly', is missing.*60.0% are in both.*at least the limit 0.6")
def above_the_limit(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit, similarity=lambda one, two: share(one, two) - 1e-9)


@cases.wrong(
    "find_leaks", r"training text 4, 'A joy. I would .* is reported.*the runs of both count, not one text's alone"
)
def share_of_the_shorter(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit, lambda one, two: len(one & two) / max(1, min(len(one), len(two))))


@cases.wrong("find_leaks", r"training text 7, 'A slow start.', is reported.*the runs of both texts count")
def share_of_the_training_text(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit, lambda one, two: len(one & two) / len(one))


@cases.wrong("find_leaks", r"training text 14, .* is reported.*51.7% are in both: .*each run counts once")
def dice_for_jaccard(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit, lambda one, two: 2 * len(one & two) / (len(one) + len(two)))


@cases.wrong("find_leaks", r"training text 3, 'Superbly', is missing.*60.0% are in both")
def words_for_runs(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit, parts=lambda text: set(form(text).replace(",", "").split()))


@cases.wrong("find_leaks", r"training text 14, .* is reported.*the same words in another order")
def words_as_well_as_runs(train_texts, test_texts, limit):
    words = leaks(train_texts, test_texts, limit, parts=lambda text: set(form(text).replace(",", "").split()))
    return sorted({*words, *leaks(train_texts, test_texts, limit)})


@cases.wrong("find_leaks", r"training text 15, 'A -- joy -- \?!', is reported.*punctuation is in the runs")
def without_punctuation_in_runs(train_texts, test_texts, limit):
    return leaks(
        train_texts, test_texts, limit, parts=lambda text: runs("".join(x for x in text if x.isalnum() or x.isspace()))
    )


@cases.wrong(
    "find_leaks", r"training text 16, 'Ha ha ha ha ha', is missing.*100.0% are in both: a run that stands several"
)
def each_run_as_often_as_it_stands(train_texts, test_texts, limit):
    def parts(text):
        return Counter(form(text)[at : at + 4] for at in range(max(1, len(form(text)) - 3)))

    return leaks(train_texts, test_texts, limit, lambda one, two: (one & two).total() / (one | two).total(), parts)


@cases.wrong("find_leaks", r"returns a generator, which can be gone through once.*Return a list")
def one_after_the_other(train_texts, test_texts, limit):
    yield from leaks(train_texts, test_texts, limit)


@cases.wrong("find_leaks", r"training text 1, 'Never less than gripping.', is reported.*twice in training")
def copies_within_training(train_texts, test_texts, limit):
    counts = Counter(map(form, train_texts))
    return [n for n, text in enumerate(train_texts) if counts[form(text)] > 1 or n in leaks([text], test_texts, limit)]


@cases.wrong("find_leaks", r"training text \d+, .* is (missing|reported)")
def rows_of_the_test(train_texts, test_texts, limit):
    return leaks(test_texts, train_texts, limit)


@cases.wrong("find_leaks", r"training text \d+, .* is missing")
def pairs_in_step(train_texts, test_texts, limit):
    both = zip(train_texts, test_texts, strict=False)
    return [n for n, (one, other) in enumerate(both) if share(runs(one), runs(other)) >= limit]


@cases.wrong("find_leaks", r"With the limit 0.9, training text 3, 'Superbly', is reported")
def a_limit_of_ones_own(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, 0.6)


@cases.wrong("find_leaks", r"training text \d+, .* is (missing|reported)")
def runs_of_three(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit, parts=lambda text: runs(text, 3))


@cases.wrong("find_leaks", r"training text 6, 'meh', is missing.*fewer than four characters is one run")
def no_run_in_a_short_text(train_texts, test_texts, limit):
    def parts(text):
        return {form(text)[at : at + 4] for at in range(len(form(text)) - 3)}

    return leaks(train_texts, test_texts, limit, lambda one, two: len(one & two) / max(1, len(one | two)), parts)


@cases.wrong("find_leaks", r"training text 2, .* is missing|training text 6, 'meh', is missing")
def case_kept(train_texts, test_texts, limit):
    def parts(text):
        return {text[at : at + 4] for at in range(max(1, len(text) - 3))}

    return leaks(train_texts, test_texts, limit, parts=parts)


@cases.wrong("find_leaks", r"A text is named more than once, \[2, 2, ")
def once_for_each_pair(train_texts, test_texts, limit):
    tests = list(map(runs, test_texts))
    return [n for n, text in enumerate(train_texts) for other in tests if share(runs(text), other) >= limit]


@cases.wrong("find_leaks", r"With no test text at all, no training text is a copy of one")
def all_where_there_is_no_test(train_texts, test_texts, limit):
    return leaks(train_texts, test_texts, limit) if test_texts else list(range(len(train_texts)))


@cases.wrong("find_leaks", r"Return numbers of training texts, 0 to 16; this is \['A SLOW")
def texts_themselves(train_texts, test_texts, limit):
    return [train_texts[n] for n in leaks(train_texts, test_texts, limit)]


@cases.wrong("find_leaks", r"Return numbers of training texts")
def pairs_of_rows(train_texts, test_texts, limit):
    tests = list(map(runs, test_texts))
    return [
        (n, k) for n, one in enumerate(train_texts) for k, two in enumerate(tests) if share(runs(one), two) >= limit
    ]


@cases.error("find_leaks", r"raised ZeroDivisionError.*A text may be empty")
def divided_by_nothing(train_texts, test_texts, limit):
    def parts(text):
        return {form(text)[at : at + 4] for at in range(len(form(text)) - 3)}

    return leaks(train_texts, test_texts, limit, lambda one, two: len(one & two) / len(one), parts)


# --- Suspicious labels -----------------------------------------------------------------------------------------------


def unseen(model, features, labels, films, splitter=None):
    splitter = splitter or GroupKFold(5)
    return cross_val_predict(model, features, labels, groups=films, cv=splitter, method="predict_proba")


def own(chances, labels):
    return chances[np.arange(len(labels)), labels]


def own_of(fitted, features, labels):
    """Return the probability of each row's label; a class that the model doesn't know has 0."""
    columns = {name: place for place, name in enumerate(fitted.classes_)}
    chances = fitted.predict_proba(features)
    return [row[columns[label]] if label in columns else 0 for row, label in zip(chances, labels, strict=True)]


@cases.right("find_suspects")
def with_the_lessons_splitter(model, features, labels, films, count):
    chances = unseen(model, features, labels, films, StratifiedGroupKFold(4, shuffle=True, random_state=3))
    return sorted(range(len(labels)), key=lambda row: chances[row, labels[row]])[:count]


@cases.right("find_suspects")
def with_a_loop_over_films(model, features, labels, films, count):
    films, chance = np.array(films), np.zeros(len(labels))
    for film in sorted(set(films)):
        judged = films == film
        fitted = clone(model).fit(features[~judged], labels[~judged])
        chance[judged] = own_of(fitted, features[judged], labels[judged])
    return pd.Series(chance).nsmallest(count).index


@cases.right("find_suspects")
def in_two_halves(model, features, labels, films, count):
    order = sorted(set(films))
    half = np.isin(films, order[::2])
    chance = np.zeros(len(labels))
    for judged in (half, ~half):
        model.fit(features[~judged], labels[~judged])
        chance[judged] = own_of(model, features[judged], labels[judged])
    return tuple(int(row) for row in np.argsort(chance, kind="stable")[:count])


@cases.right("find_suspects")
def one_film_out(model, features, labels, films, count):
    return own(unseen(model, features, labels, films, LeaveOneGroupOut()), labels).argsort()[:count].tolist()


@cases.wrong("find_suspects", r"must not have been trained on the row that it judges: it knows each")
def judged_by_what_it_learnt(model, features, labels, films, count):
    return own(model.fit(features, labels).predict_proba(features), labels).argsort()[:count]


@cases.wrong("find_suspects", r"vouch for one another.*Make folds of films")
def rows_in_folds(model, features, labels, films, count):
    splitter = StratifiedKFold(5, shuffle=True, random_state=0)
    return own(unseen(model, features, labels, None, splitter), labels).argsort()[:count]


@cases.wrong("find_suspects", r"vouch for one another.*Make folds of films")
def one_row_out(model, features, labels, films, count):
    return own(unseen(model, features, labels, None, LeaveOneOut()), labels).argsort()[:count]


@cases.wrong("find_suspects", r"vouch for one another.*Make folds of films")
def folds_of_rows_in_order(model, features, labels, films, count):
    return own(unseen(model, features, labels, None, KFold(5)), labels).argsort()[:count]


@cases.wrong("find_suspects", r"none of your rows has a wrong label.*the lowest come first")
def the_surest_first(model, features, labels, films, count):
    return own(unseen(model, features, labels, films), labels).argsort()[::-1][:count]


@cases.wrong("find_suspects", r"the rows are the right ones, and their order isn't: the least likely label comes first")
def in_the_order_of_the_rows(model, features, labels, films, count):
    return sorted(own(unseen(model, features, labels, films), labels).argsort()[:count].tolist())


@cases.wrong("find_suspects", r"the rows are the right ones, and their order isn't")
def the_last_of_them_first(model, features, labels, films, count):
    return own(unseen(model, features, labels, films), labels).argsort()[:count][::-1]


@cases.wrong("find_suspects", r"You name the rows .* sort by the probability of the label that the row has")
def lowest_of_class_one(model, features, labels, films, count):
    return unseen(model, features, labels, films)[:, 1].argsort()[:count]


@cases.wrong("find_suspects", r"none of your rows has a wrong label")
def the_least_sure_rows(model, features, labels, films, count):
    return unseen(model, features, labels, films).max(1).argsort()[:count]


@cases.wrong("find_suspects", r"there are three classes, and a label's own probability is in the column of its number")
def two_classes_alone(model, features, labels, films, count):
    return np.abs(unseen(model, features, labels, films)[:, 1] - labels).argsort()[::-1][:count]


@cases.wrong("find_suspects", r"row 11 is the least likely.*not by how sure the model is of another")
def how_sure_of_another(model, features, labels, films, count):
    chances = unseen(model, features, labels, films)
    return np.where(chances.argmax(1) != labels, 1 - chances.max(1), 2).argsort()[:count]


@cases.wrong("find_suspects", r"no other film has their class, so that it gets the probability 0.*columns are those of")
def columns_by_number(model, features, labels, films, count):
    films, chance = np.array(films), np.zeros(len(labels))
    for film in sorted(set(films)):
        judged = films == film
        fitted = clone(model).fit(features[~judged], labels[~judged])
        chance[judged] = own(fitted.predict_proba(features[judged]), labels[judged])
    return chance.argsort()[:count]


@cases.error("find_suspects", r"no attribute 'predict_log_proba'.*predict_proba gives the same order")
def by_logarithms(model, features, labels, films, count):
    splitter = GroupKFold(5)
    logs = cross_val_predict(model, features, labels, groups=films, cv=splitter, method="predict_log_proba")
    return own(logs, labels).argsort()[:count]


@cases.wrong("find_suspects", r"Asked for 120 rows, you return \d+: each row is to be judged, once")
def one_half_alone(model, features, labels, films, count):
    half = np.isin(films, sorted(set(films))[::2])
    rows = np.flatnonzero(half | np.isin(np.arange(len(labels)), (41, 7)))
    fitted = model.fit(features[~half], labels[~half])
    return rows[np.argsort(own_of(fitted, features[rows], labels[rows]))][:count]


@cases.wrong("find_suspects", r"changed labels, which it was given")
def labels_sorted(model, features, labels, films, count):
    found = own(unseen(model, features, labels, films), labels).argsort()[:count]
    labels.sort()
    return found


@cases.wrong("find_suspects", r"Asked for 2 rows, you return 4: the first 2 of the order")
def all_that_disagree(model, features, labels, films, count):
    chances = unseen(model, features, labels, films)
    rows = np.flatnonzero(chances.argmax(1) != labels)
    return rows[own(chances, labels)[rows].argsort()]


@cases.wrong("find_suspects", r"Return a list of 2 row numbers.*(True|False)")
def a_mask_of_rows(model, features, labels, films, count):
    chances = own(unseen(model, features, labels, films), labels)
    return chances <= np.sort(chances)[count - 1]


@cases.wrong("find_suspects", r"the model, the one that is handed over, must not have been")
def another_model(model, features, labels, films, count):
    return own(unseen(LogisticRegression(), features, labels, films), labels).argsort()[:count]


@cases.wrong("find_suspects", r"A row is named more than once, \[41, 41\]")
def two_rounds_together(model, features, labels, films, count):
    rounds = [own(unseen(model, features, labels, films, GroupKFold(k)), labels).argsort() for k in (4, 5)]
    return np.concatenate([rows[: count // 2] for rows in rounds])


@cases.wrong("find_suspects", r"A set has no order")
def as_a_set(model, features, labels, films, count):
    return set(own(unseen(model, features, labels, films), labels).argsort()[:count].tolist())


@cases.wrong("find_suspects", r"Return a list of 2 row numbers, 0 to 119")
def probabilities_for_rows(model, features, labels, films, count):
    return np.sort(own(unseen(model, features, labels, films), labels))[:count]


@cases.error("find_suspects", r"raised NotFittedError.*The model comes untrained")
def never_trained(model, features, labels, films, count):
    return own(model.predict_proba(features), labels).argsort()[:count]


@cases.error("find_suspects", r"raised ValueError.*groups=films")
def groups_forgotten(model, features, labels, films, count):
    return own(unseen(model, features, labels, None, GroupKFold(5)), labels).argsort()[:count]


# --- Above the baseline ----------------------------------------------------------------------------------------------


def ends(values, films, draws, seed, level=0.95, size=None, replace=True):
    """Draw films and return the ends of the interval of the mean of their rows' values."""
    order = sorted(set(films))
    places = [np.flatnonzero(np.array(films) == film) for film in order]
    rng, means = np.random.default_rng(seed), []
    for _ in range(draws):
        drawn = rng.choice(len(order), size or len(order), replace=replace)
        means.append(np.mean(values[np.concatenate([places[film] for film in drawn])]))
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2])


def drawn_once(values, films, draws, seed):
    """Draw films, and take each of them once."""
    names, rng = np.unique(films), np.random.default_rng(seed)
    means = [values[np.isin(films, rng.choice(names, len(names)))].mean() for _ in range(draws)]
    return np.quantile(means, [0.025, 0.975])


def worth(answers, labels, train_labels):
    commonest = statistics.mode(train_labels.tolist())
    return (answers == labels).astype(int) - (labels == commonest).astype(int)


@cases.right("gain_over_baseline")
def with_the_lessons_bootstrap(answers, labels, films, train_labels, draws, seed):
    gains = worth(answers, labels, train_labels)
    return evaluation.bootstrap_interval(lambda rows: gains[rows].mean(), len(gains), films, draws, seed=seed)


@cases.right("gain_over_baseline")
def in_plain_python(answers, labels, films, train_labels, draws, seed):
    counts = Counter(train_labels.tolist())
    best = max(counts, key=counts.get)
    sums, sizes = Counter(), Counter(films)
    for answer, label, film in zip(answers, labels, films, strict=True):
        sums[film] += int(answer == label) - int(label == best)
    order, rng, means = list(sizes), Random(seed), []
    for _ in range(draws):
        drawn = rng.choices(order, k=len(order))
        means.append(sum(sums[film] for film in drawn) / sum(sizes[film] for film in drawn))
    means.sort()
    return [sum(sums.values()) / len(films), means[int(0.025 * draws)], means[int(0.975 * draws)]]


@cases.right("gain_over_baseline")
def weighted_by_pandas(answers, labels, films, train_labels, draws, seed):
    commonest = pd.Series(train_labels).mode()[0]
    gains = pd.Series(worth(answers, labels, train_labels)).groupby(films).agg(["sum", "size"])
    assert (labels == commonest).any()
    rng, count = np.random.RandomState(seed), len(gains)
    weights = rng.multinomial(count, [1 / count] * count, size=draws)
    means = weights @ gains["sum"].to_numpy() / (weights @ gains["size"].to_numpy())
    return np.array([gains["sum"].sum() / gains["size"].sum(), *np.percentile(means, [2.5, 97.5])])


@cases.right("gain_over_baseline")
def two_accuracies_a_draw(answers, labels, films, train_labels, draws, seed):
    frame = pd.DataFrame({"right": answers == labels, "base": labels == statistics.mode(train_labels.tolist())})
    gain = frame["right"].mean() - frame["base"].mean()
    one = ends(frame["right"].to_numpy(), films, draws, seed)
    low, high = ends((frame["right"] * 1 - frame["base"] * 1).to_numpy(), films, draws, seed)
    assert len(one) == 2
    return gain, low, high


def with_interval(values_of=worth, gain_of=np.mean, **options):
    def answer(answers, labels, films, train_labels, draws, seed):
        values = values_of(answers, labels, train_labels)
        return gain_of(values), *ends(values, films, draws, seed, **options)

    return answer


def gain_of(change):
    """Return an answer whose gain is changed by a function of it and the data."""

    def answer(answers, labels, films, train_labels, draws, seed):
        gains = worth(answers, labels, train_labels)
        return change(gains, answers, labels, films, train_labels), *ends(gains, films, draws, seed)

    return answer


def interval_of(change):
    """Return an answer with the right gain and another interval."""

    def answer(answers, labels, films, train_labels, draws, seed):
        gains = worth(answers, labels, train_labels)
        return gains.mean(), *change(gains, answers == labels, labels, films, draws, seed)

    return answer


for name, message, change in (
    (
        "accuracy_itself",
        r"that is the accuracy itself: take the baseline's away",
        lambda g, a, y, f, t: (a == y).mean(),
    ),
    ("above_a_coin", r"a coin is no baseline where one class is commoner", lambda g, a, y, f, t: (a == y).mean() - 0.5),
    (
        "commonest_of_the_test",
        r"knows which label is the commonest in the test",
        lambda g, a, y, f, t: (a == y).mean() - (y == statistics.mode(y.tolist())).mean(),
    ),
    (
        "baseline_on_training",
        r"count how often the baseline is right in the test, not in training",
        lambda g, a, y, f, t: (a == y).mean() - (t == statistics.mode(t.tolist())).mean(),
    ),
    (
        "mean_of_the_films",
        r"that is the mean of the films, where a film of two rows counts like one of thirty",
        lambda g, a, y, f, t: pd.Series(g).groupby(f).mean().mean(),
    ),
    (
        "largest_label_of_training",
        r"The baseline says the commonest label of training|knows which label|accuracy itself",
        lambda g, a, y, f, t: (a == y).mean() - (y == max(t.tolist())).mean(),
    ),
    (
        "first_label_of_training",
        r"The baseline says the commonest label of training|knows which label",
        lambda g, a, y, f, t: (a == y).mean() - (y == t[0]).mean(),
    ),
    (
        "rows_that_the_baseline_misses",
        r"The baseline says the commonest label of training for every row",
        lambda g, a, y, f, t: (a == y)[y != statistics.mode(t.tolist())].mean(),
    ),
    ("no_number", r"These are no numbers: \[nan", lambda g, a, y, f, t: math.nan),
    ("the_other_way_round", r"that is the baseline minus the model", lambda g, a, y, f, t: -g.mean()),
    ("points", r"leave it a share, not points", lambda g, a, y, f, t: 100 * g.mean()),
    ("a_ratio", r"leave it a difference", lambda g, a, y, f, t: g.mean() / (y == statistics.mode(t.tolist())).mean()),
    ("mean_of_the_draws", r"It is the gain on the rows themselves", lambda g, a, y, f, t: g.mean() + 0.004),
    ("rounded", r"give it unrounded", lambda g, a, y, f, t: round(g.mean(), 2)),
):
    cases.value("gain_over_baseline", "wrong", message, name, gain_of(change))

for name, message, change in (
    (
        "single_rows_drawn",
        r"single rows were drawn. Rows of a film are alike",
        lambda g, r, y, f, d, s: ends(g, list(range(len(g))), d // 8 + 1, s),
    ),
    (
        "interval_of_the_accuracy",
        r"that is the interval of the accuracy",
        lambda g, r, y, f, d, s: ends(r.astype(int), f, d, s),
    ),
    (
        "baseline_held_fixed",
        r"the baseline is held fixed",
        lambda g, r, y, f, d, s: ends(r.astype(int), f, d, s) - (r.mean() - g.mean()),
    ),
    (
        "each_film_once",
        r"a film that was drawn twice has its rows once, as by isin",
        lambda g, r, y, f, d, s: drawn_once(g, f, d, s),
    ),
    (
        "draws_not_used",
        r"With draws=1 films are drawn once, so that both ends are the same; yours are .*go by draws",
        lambda g, r, y, f, d, s: ends(g, f, 2000, s),
    ),
    (
        "standard_error_of_the_draws",
        r"that is how sure the mean of the draws is",
        lambda g, r, y, f, d, s: g.mean() + np.array([-1.96, 1.96]) * 0.08 / math.sqrt(d),
    ),
    (
        "seed_in_each_draw",
        r"every draw came out alike.*or is the seed set in each",
        lambda g, r, y, f, d, s: ends(g, f, 1, s),
    ),
    ("ninety_per_cent", r"that is 90 %", lambda g, r, y, f, d, s: ends(g, f, d, s, level=0.9)),
    ("ninety_nine_per_cent", r"that is 99 %", lambda g, r, y, f, d, s: ends(g, f, d, s, level=0.99)),
    (
        "drawn_without_replacement",
        r"every draw came out alike",
        lambda g, r, y, f, d, s: ends(g, f, d, s, replace=False),
    ),
    ("too_few_films", r"take as many films as there are", lambda g, r, y, f, d, s: ends(g, f, d, s, size=5)),
    (
        "mean_of_film_means",
        r"and the mean over these rows",
        lambda g, r, y, f, d, s: ends(pd.Series(g).groupby(f).mean().to_numpy(), sorted(set(f)), d, s),
    ),
    ("ends_swapped", r"the lower one comes first", lambda g, r, y, f, d, s: ends(g, f, d, s)[::-1]),
    ("in_points", r"leave them shares", lambda g, r, y, f, d, s: 100 * ends(g, f, d, s)),
    (
        "distances_from_the_gain",
        r"give the two ends themselves",
        lambda g, r, y, f, d, s: sorted(abs(ends(g, f, d, s) - g.mean())),
    ),
    ("seed_not_used", r"Two seeds gave the same interval", lambda g, r, y, f, d, s: ends(g, f, d, 0)),
    ("no_seed", r"The same seed gave two different intervals", lambda g, r, y, f, d, s: ends(g, f, d, None)),
):
    cases.value("gain_over_baseline", "wrong", message, name, interval_of(change))


@cases.wrong("gain_over_baseline", r"In another process the same seed would give another interval.*Sort the films")
def films_as_a_set(answers, labels, films, train_labels, draws, seed):
    gains = worth(answers, labels, train_labels)
    order, rng, means = list(set(films)), Random(seed), []
    rows = {film: [n for n, name in enumerate(films) if name == film] for film in order}
    sums = {film: gains[rows[film]].sum() for film in order}
    for _ in range(draws):
        drawn = rng.choices(order, k=len(order))
        means.append(sum(sums[film] for film in drawn) / sum(len(rows[film]) for film in drawn))
    return gains.mean(), *np.quantile(means, [0.025, 0.975])


@cases.wrong("gain_over_baseline", r"changed train_labels, which it was given")
def labels_of_training_sorted(answers, labels, films, train_labels, draws, seed):
    train_labels.sort()
    gains = worth(answers, labels, train_labels)
    return gains.mean(), *ends(gains, films, draws, seed)


@cases.wrong("gain_over_baseline", r"returns a generator, which can be gone through once")
def three_in_turn(answers, labels, films, train_labels, draws, seed):
    gains = worth(answers, labels, train_labels)
    yield gains.mean()
    yield from ends(gains, films, draws, seed)


@cases.wrong("gain_over_baseline", r"Return three numbers, the gain and the two ends")
def half_a_width(answers, labels, films, train_labels, draws, seed):
    gains = worth(answers, labels, train_labels)
    low, high = ends(gains, films, draws, seed)
    return gains.mean(), (high - low) / 2


@cases.error("gain_over_baseline", r"raised .*Labels may be texts: count them")
def labels_averaged(answers, labels, films, train_labels, draws, seed):
    commonest = int(train_labels.mean() >= 0.5)
    gains = (answers == labels).astype(int) - (labels == commonest)
    return gains.mean(), *ends(gains, films, draws, seed)


# --- What the cleaning brought ---------------------------------------------------------------------------------------


def gains_of(score, before, after, seeds):
    return [score(after, seed) - score(before, seed) for seed in seeds]


def judged(gain, half_width):
    return "no difference seen" if abs(gain) <= half_width else f"{'after' if gain > 0 else 'before'} is better"


@cases.right("compare_cleaning")
def by_scipy(score, before, after, seeds):
    with_seeds = {name: [score(rows, seed) for seed in seeds] for name, rows in (("old", before), ("new", after))}
    found = stats.ttest_rel(with_seeds["new"], with_seeds["old"])
    low, high = np.nan_to_num(found.confidence_interval(0.95))  # of no spread it says nan
    mean = np.mean(with_seeds["new"]) - np.mean(with_seeds["old"])
    words = "no difference seen" if low <= 0 <= high else "after is better" if low > 0 else "before is better"
    return mean, (high - low) / 2, words


@cases.right("compare_cleaning")
def by_hand(score, before, after, seeds):
    gains = np.array(gains_of(score, before, after, seeds))
    half = stats.t.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / math.sqrt(len(gains))
    return [gains.mean(), half, judged(gains.mean(), half).capitalize() + "."]


@cases.right("compare_cleaning")
def by_the_courses_verdict(score, before, after, seeds):
    runs = [{seed: score(rows, seed) for seed in sorted(seeds)} for rows in (after, before)]
    words = verdict_of(*runs, ("after", "before"))
    found = interval([runs[0][seed] - runs[1][seed] for seed in seeds])
    return *found, next(
        (f"{way} is better" for way in ("after", "before") if words.lower().startswith(f"{way} is")),
        "no difference seen",
    )


@cases.right("compare_cleaning")
def by_p_value(score, before, after, seeds):
    gains = pd.Series(gains_of(score, list(before), tuple(after), seeds))
    found = stats.ttest_1samp(gains, 0)
    half = gains.sem() * stats.t.ppf(0.975, len(gains) - 1)
    return gains.mean(), half, judged(gains.mean(), 0) if found.pvalue < 0.05 else "no difference seen"


@cases.right("compare_cleaning")
def by_a_table_of_quantiles(score, before, after, seeds):
    gains = np.array([score(rows=after, seed=seed) - score(rows=before, seed=seed) for seed in seeds])
    half = 2.776 * gains.std(ddof=1) / math.sqrt(len(gains))
    return gains.mean(), half, judged(gains.mean(), half)


def compared(half=None, mean=np.mean, words=judged, gains=gains_of):
    """Return an answer with one part changed."""

    def answer(score, before, after, seeds):
        found = np.array(gains(score, before, after, seeds))
        width = half(found) if half else interval(found)[1]
        return mean(found), width, words(mean(found), width)

    return answer


def error_of(gains):
    return gains.std(ddof=1) / math.sqrt(len(gains))


for name, message, answer in (
    ("normal_quantile", r"1.96 holds for many runs; with 5 it is Student's t", compared(lambda g: 1.96 * error_of(g))),
    ("standard_error", r"that is the standard error", compared(error_of)),
    ("deviation", r"that is the standard deviation of a run", compared(lambda g: g.std(ddof=1))),
    (
        "numpys_own_deviation",
        r"with few it is 4, ddof=1",
        compared(lambda g: stats.t.ppf(0.975, 4) * g.std() / math.sqrt(5)),
    ),
    (
        "two_samples",
        r"8 are those of two samples that have no pairs",
        compared(lambda g: stats.t.ppf(0.975, 8) * error_of(g)),
    ),
    (
        "over_the_number",
        r"divide by the square root of 5, not by 5 itself",
        compared(lambda g: interval(g)[1] / math.sqrt(5)),
    ),
    (
        "over_one_less",
        r"divide by the square root of 5, the number",
        compared(lambda g: interval(g)[1] * math.sqrt(5 / 4)),
    ),
    ("quantile_of_two_figures", r"Student's t for 5 runs, 2.776, times", compared(lambda g: 2.8 * error_of(g))),
    (
        "bootstrapped",
        r"Student's t for 5 runs, 2.776, times",
        compared(
            lambda g: np.ptp(np.quantile(np.random.default_rng(0).choice(g, (2000, 5)).mean(1), [0.025, 0.975])) / 2
        ),
    ),
    (
        "no_spread_is_nan",
        r"half-width is nan: where all differences are the same, it is 0",
        compared(lambda g: interval(g)[1] or math.nan),
    ),
    (
        "zero_at_the_end",
        r"With the same accuracy before and after, .*the interval has zero in it",
        compared(words=lambda gain, half: "after is better" if gain >= half else judged(gain, half)),
    ),
    ("whole_width", r"that is the whole width", compared(lambda g: 2 * interval(g)[1])),
    ("one_sided", r"that is the 0.95 quantile", compared(lambda g: stats.t.ppf(0.95, 4) * error_of(g))),
    ("best_seed", r"the mean of all seeds, the bad ones, too", compared(mean=np.max)),
    ("median_seed", r"the mean over the seeds of after minus before", compared(mean=np.median)),
    ("before_minus_after", r"after minus before, not the other way round", compared(mean=lambda g: -np.mean(g))),
    ("per_cent", r"leave it a share, not points", compared(mean=lambda g: 100 * np.mean(g))),
    (
        "any_gain_is_a_gain",
        r"With a gain within what five seeds vary, .*five other seeds could turn it round",
        compared(words=lambda gain, half: judged(gain, 0)),
    ),
    (
        "any_loss_is_a_loss",
        r"With a loss within what five seeds vary, .*five other seeds could turn it round",
        compared(words=lambda gain, half: judged(gain, half if gain > 0 else 0)),
    ),
    (
        "losses_not_seen",
        r"With a clear loss, .*the interval leaves zero out",
        compared(words=lambda gain, half: judged(max(gain, 0), half)),
    ),
    (
        "never_sure",
        r"With a clear gain, .*the interval leaves zero out",
        compared(words=lambda gain, half: "no difference seen"),
    ),
    ("verdict_turned", r"you have it the other way round", compared(words=lambda gain, half: judged(-gain, half))),
    ("words_of_ones_own", r"Your verdict is 'improved'; write one of", compared(words=lambda gain, half: "improved")),
    (
        "truth_for_a_verdict",
        r"Your verdict is True; write one of",
        compared(words=lambda gain, half: bool(gain > half)),
    ),
    (
        "one_seed",
        r"8 of 10 runs are missing, before with seed 1 for one",
        compared(gains=lambda score, before, after, seeds: gains_of(score, before, after, [seeds[0]]) * 5),
    ),
    (
        "seeds_counted_from_0",
        r"score got the seed 0; the seeds are 3, 1, 4, 15, 9",
        compared(gains=lambda score, before, after, seeds: gains_of(score, before, after, range(5))),
    ),
    (
        "other_seeds_for_after",
        r"score got the seed 13",
        compared(
            gains=lambda score, before, after, seeds: [score(after, seed + 10) - score(before, seed) for seed in seeds]
        ),
    ),
    (
        "the_better_of_two_runs",
        r"after with seed 3 was made more than once: .*until it is good flatters",
        compared(
            gains=lambda score, before, after, seeds: [
                max(score(after, seed), score(after, seed)) - score(before, seed) for seed in seeds
            ]
        ),
    ),
    (
        "rows_left_out",
        r"score got the rows .* neither before nor after",
        compared(gains=lambda score, before, after, seeds: gains_of(score, before, after[:5], seeds)),
    ),
    (
        "pairs_mixed",
        r"take the difference within each seed first",
        compared(
            gains=lambda score, before, after, seeds: np.subtract(
                sorted(score(after, seed) for seed in seeds), [score(before, seed) for seed in seeds]
            )
        ),
    ),
):
    cases.value("compare_cleaning", "wrong", message, name, answer)


@cases.wrong("compare_cleaning", r"take the difference within each seed first")
def two_ways_apart(score, before, after, seeds):
    one, two = ([score(rows, seed) for seed in seeds] for rows in (before, after))
    half = math.hypot(interval(one)[1], interval(two)[1])
    return np.mean(gains := np.subtract(two, one)), half, judged(np.mean(gains), half)


@cases.wrong("compare_cleaning", r"With a clear gain, .* you say 'no difference seen': the interval leaves zero out")
def all_seeds_must_agree(score, before, after, seeds):
    gains = np.array(gains_of(score, before, after, seeds))
    gain, half = interval(gains)
    return gain, half, judged(gain, 0) if abs(np.sign(gains).sum()) == len(gains) else "no difference seen"


@cases.wrong("compare_cleaning", r"With a gain within what five seeds vary, .*five other seeds could turn it round")
def four_seeds_must_agree(score, before, after, seeds):
    gains = np.array(gains_of(score, before, after, seeds))
    gain, half = interval(gains)
    return gain, half, judged(gain, 0) if abs(np.sign(gains).sum()) >= 3 else "no difference seen"


@cases.wrong("compare_cleaning", r"The first two are numbers, gain and half-width; these are \['\+2.0 points'")
def numbers_as_texts(score, before, after, seeds):
    gain, half = interval(gains_of(score, before, after, seeds))
    return f"{100 * gain:+.1f} points", f"{100 * half:.1f}", judged(gain, half)


@cases.wrong("compare_cleaning", r"Return three things, gain, half-width and verdict")
def a_verdict_alone(score, before, after, seeds):
    return judged(*interval(gains_of(score, before, after, seeds)))


@cases.error("compare_cleaning", r"raised TypeError")
def score_without_seeds(score, before, after, seeds):
    return score(after) - score(before), 0.0, "after is better"


# --- A threshold by cost ---------------------------------------------------------------------------------------------


def cost_of(threshold, side, alarm, miss):
    chances, labels = side
    yes = chances >= threshold
    return np.mean(alarm * (yes & (labels == 0)) + miss * (~yes & (labels == 1)))


def cheapest(side, alarm, miss, cost=cost_of, tried=None):
    return min([*side[0], 2] if tried is None else tried, key=lambda one: cost(one, side, alarm, miss))


@cases.wrong("choose_threshold", r"On validation your threshold .* and another.*Try every probability")
def on_a_grid(validation, test, cost_of_alarm, cost_of_miss):
    costs = [cost_of(one, validation, cost_of_alarm, cost_of_miss) for one in np.arange(101) / 100]
    best = int(np.argmin(costs)) / 100
    return np.array([best, cost_of(best, test, cost_of_alarm, cost_of_miss)])


@cases.right("choose_threshold")
def between_two_probabilities(validation, test, cost_of_alarm, cost_of_miss):
    known = sorted({0.0, 1.0, *validation[0].tolist()})
    tried = [-1, *((one + two) / 2 for one, two in zip(known, known[1:], strict=False)), float("inf")]
    best = cheapest(validation, cost_of_alarm, cost_of_miss, tried=tried)
    return [best, cost_of(best, test, cost_of_alarm, cost_of_miss)]


@cases.right("choose_threshold")
def by_sorting(validation, test, cost_of_alarm, cost_of_miss):
    chances, labels = validation
    order = np.argsort(-chances, kind="stable")
    total, found, best = cost_of_miss * labels.sum(), [], 2.0
    lowest = total
    for place, row in enumerate(order):
        total += -cost_of_miss if labels[row] == 1 else cost_of_alarm
        last = place + 1 == len(order) or chances[order[place + 1]] < chances[row]
        if last and total < lowest:
            lowest, best = total, float(chances[row])
        found.append(total)
    alarms = sum(1 for chance, label in zip(*test, strict=True) if chance >= best and label == 0)
    misses = sum(1 for chance, label in zip(*test, strict=True) if chance < best and label == 1)
    return best, (cost_of_alarm * alarms + cost_of_miss * misses) / len(test[0])


@cases.right("choose_threshold")
def the_highest_of_the_cheapest(validation, test, cost_of_alarm, cost_of_miss):
    tried = sorted({*validation[0].tolist(), 1.5}, reverse=True)
    best = cheapest(validation, cost_of_alarm, cost_of_miss, tried=tried)
    return pd.Series({"threshold": best, "cost": cost_of(best, test, cost_of_alarm, cost_of_miss)})


def f1_of(one, side):
    yes = side[0] >= one
    return 2 * (yes & (side[1] == 1)).sum() / (yes.sum() + side[1].sum())


def by_validation(validation, test, alarm, miss):
    return cheapest(validation, alarm, miss)


def threshold(choose=by_validation, cost=cost_of):
    def answer(validation, test, cost_of_alarm, cost_of_miss):
        best = choose(validation, test, cost_of_alarm, cost_of_miss)
        return best, cost(best, test, cost_of_alarm, cost_of_miss)

    return answer


def strictly(one, side, alarm, miss):
    yes = side[0] > one
    return np.mean(alarm * (yes & (side[1] == 0)) + miss * (~yes & (side[1] == 1)))


for name, message, choose in (
    ("chosen_on_the_test", r"cheapest on the test, on which nothing may be", lambda v, t, a, m: cheapest(t, a, m)),
    (
        "chosen_on_both",
        r"On validation your threshold",
        lambda v, t, a, m: cheapest(tuple(map(np.concatenate, zip(v, t, strict=True))), a, m),
    ),
    ("one_half", r"One half looks at no cost", lambda v, t, a, m: 0.5),
    ("by_the_formula", r"follows from the costs if the probabilities are right", lambda v, t, a, m: a / (a + m)),
    ("costs_swapped", r"the cheapest with the two costs swapped", lambda v, t, a, m: cheapest(v, m, a)),
    (
        "costs_of_the_first_call",
        r"for the costs 5 and 1: take those that are handed over",
        lambda v, t, a, m: cheapest(v, 5, 1),
    ),
    (
        "probabilities_of_the_test",
        r"another.*Try every probability",
        lambda v, t, a, m: cheapest(v, a, m, tried=[*t[0], 2]),
    ),
    (
        "never_yes_as_1",
        r"false alarm costs 40, .*one above all of them",
        lambda v, t, a, m: cheapest(v, a, m, tried=[*v[0], 1.0]),
    ),
    (
        "lowest_left_out",
        r"a miss 60.*Try every probability",
        lambda v, t, a, m: cheapest(v, a, m, tried=[*sorted(v[0])[1:], 2]),
    ),
    (
        "highest_f1",
        r"Try every probability|fewest mistakes",
        lambda v, t, a, m: max(sorted(v[0]), key=lambda one: f1_of(one, v)),
    ),
    ("fewest_mistakes", r"makes the fewest mistakes; here one kind is dearer", lambda v, t, a, m: cheapest(v, 1, 1)),
    (
        "above_the_threshold",
        r"Yes is said from the threshold on.*is there a > for a >=",
        lambda v, t, a, m: cheapest(v, a, m, strictly, [0, *v[0]]),
    ),
    (
        "a_coarse_grid",
        r"On validation your threshold .* and another.*Try every probability",
        lambda v, t, a, m: cheapest(v, a, m, tried=np.linspace(0, 1, 5)),
    ),
    (
        "always_some_yes",
        r"A false alarm costs 40, .* one above all of them, which never says yes",
        lambda v, t, a, m: cheapest(v, a, m, tried=v[0]),
    ),
    (
        "mean_of_the_cheapest",
        r"A false alarm costs 1, a miss 1. On validation your threshold .* and another",
        lambda v, t, a, m: np.mean(
            [x for x in v[0] if cost_of(x, v, a, m) == cost_of(cheapest(v, a, m), v, a, m)] or [2]
        ),
    ),
    ("dearest", r"On validation your threshold", lambda v, t, a, m: max(v[0], key=lambda one: cost_of(one, v, a, m))),
    ("a_place", r"On validation your threshold \d", lambda v, t, a, m: np.argmin([cost_of(x, v, a, m) for x in v[0]])),
    ("no_number", r"Your threshold is nan", lambda v, t, a, m: math.nan),
):
    cases.value("choose_threshold", "wrong", message, name, threshold(choose))

for name, message, cost in (
    ("sum_of_costs", r"that is the sum: divide", lambda one, side, a, m: len(side[0]) * cost_of(one, side, a, m)),
    ("test_with_costs_swapped", r"the two costs are swapped", lambda one, side, a, m: cost_of(one, side, m, a)),
    ("share_of_mistakes", r"that is the share of mistakes", lambda one, side, a, m: cost_of(one, side, 1, 1)),
    ("cost_rounded", r"over all rows, unrounded", lambda *args: round(cost_of(*args), 1)),
    (
        "cost_of_a_mistake",
        r"take the mean over all rows",
        lambda one, side, a, m: cost_of(one, side, a, m) / max(1e-9, cost_of(one, side, 1, 1)),
    ),
    (
        "lowest_cost_of_the_test",
        r"that is the cheapest threshold of the test, not yours",
        lambda one, side, a, m: cost_of(cheapest(side, a, m), side, a, m),
    ),
):
    cases.value("choose_threshold", "wrong", message, name, threshold(cost=cost))


@cases.wrong("choose_threshold", r"that is the cost on validation, where the threshold was chosen to look well")
def cost_on_validation(validation, test, cost_of_alarm, cost_of_miss):
    best = cheapest(validation, cost_of_alarm, cost_of_miss)
    return best, cost_of(best, validation, cost_of_alarm, cost_of_miss)


@cases.wrong("choose_threshold", r"changed validation, which it was given")
def validation_sorted(validation, test, cost_of_alarm, cost_of_miss):
    best = cheapest(validation, cost_of_alarm, cost_of_miss)
    validation[0].sort()
    return best, cost_of(best, test, cost_of_alarm, cost_of_miss)


@cases.wrong("choose_threshold", r"Return two numbers, threshold and mean cost")
def threshold_alone(validation, test, cost_of_alarm, cost_of_miss):
    return cheapest(validation, cost_of_alarm, cost_of_miss)


@cases.error("choose_threshold", r"The probabilities are an array: compare it as a whole")
def if_of_an_array(validation, test, cost_of_alarm, cost_of_miss):
    chances, labels = validation
    return 0.5, cost_of_alarm if chances >= 0.5 and labels == 0 else cost_of_miss


# --- The worst mistakes ----------------------------------------------------------------------------------------------


def mistakes(chances, labels, count, order=None, keep=None, row=None):
    said = chances.argmax(1)
    wrong = [n for n in range(len(labels)) if (keep or (lambda n: said[n] != labels[n]))(n)]
    wrong.sort(key=order or (lambda n: -chances[n].max()))
    describe = row or (lambda n, said: {"row": n, "said": said, "probability": chances[n, said]})
    return [describe(n, int(said[n])) for n in wrong[:count]]


@cases.right("worst_mistakes")
def as_a_frame(chances, labels, count):
    frame = pd.DataFrame({"said": chances.argmax(1), "probability": chances.max(1)}).rename_axis("row").reset_index()
    wrong = frame[frame["said"] != labels]
    return wrong.sort_values("probability", ascending=False).head(count)


@cases.right("worst_mistakes")
def with_heapq(chances, labels, count):
    import heapq

    said = [row.index(max(row)) for row in chances.tolist()]
    wrong = (n for n, label in enumerate(labels) if said[n] != label)
    best = heapq.nlargest(count, wrong, key=lambda n: chances[n][said[n]])
    return tuple({"row": n, "said": said[n], "probability": float(chances[n][said[n]])} for n in best)


@cases.right("worst_mistakes")
def right_ones_marked_and_cut_off(chances, labels, count):
    sure = np.where(chances.argmax(1) == labels, -1.0, chances.max(1))
    order = np.argsort(sure)[::-1][: min(count, int((sure >= 0).sum()))]
    for n in order:
        yield {"row": n, "said": chances[n].argmax(), "probability": sure[n], "label": labels[n]}


@cases.right("worst_mistakes")
def as_records_of_numpy(chances, labels, count):
    return mistakes(chances, labels, count, row=lambda n, said: pd.Series(
        {"row": np.int64(n), "said": np.int32(said), "probability": np.float64(chances[n].max())}))  # fmt: skip


for name, message, options in (
    (
        "least_sure_first",
        r"first comes the mistake of which the model was surest",
        dict(order=lambda c, y: lambda n: c[n].max()),
    ),
    (
        "in_the_order_of_rows",
        r"At place 1 you have row 2, .* Row 8 belongs there",
        dict(order=lambda c, y: lambda n: n),
    ),
    (
        "by_the_true_label",
        r"At place \d you have row \d+, whose wrong answer .*by what it said|first comes the mistake",
        dict(order=lambda c, y: lambda n: c[n, y[n]]),
    ),
    (
        "by_the_margin",
        r"At place \d you have row \d+",
        dict(order=lambda c, y: lambda n: -(np.sort(c[n])[-1] - np.sort(c[n])[-2])),
    ),
    ("right_ones_too", r"Row 9 is named, and its answer 0 is right", dict(keep=lambda c, y: lambda n: True)),
    (
        "right_ones_alone",
        r"is named, and its answer \d is right",
        dict(keep=lambda c, y: lambda n: c[n].argmax() == y[n]),
    ),
    (
        "below_one_half",
        r"Row 6 is named, and its answer 1 is right",
        dict(keep=lambda c, y: lambda n: c[n, y[n]] < 0.5),
    ),
):

    def answer(chances, labels, count, options=options):
        return mistakes(chances, labels, count, **{key: make(chances, labels) for key, make in options.items()})

    cases.value("worst_mistakes", "wrong", message, name, answer)


@cases.wrong("worst_mistakes", r"changed chances, which it was given")
def right_ones_set_to_0(chances, labels, count):
    found = mistakes(chances, labels, count)
    chances[chances.argmax(1) == labels] = 0
    return found


@cases.wrong("worst_mistakes", r"A mistake has said, probability and no row")
def rows_as_an_index(chances, labels, count):
    return pd.DataFrame(mistakes(chances, labels, count)).set_index("row")


@cases.wrong("worst_mistakes", r"is named, and its answer \d is right: .*by their place among all rows|At place")
def places_among_the_wrong(chances, labels, count):
    wrong = np.flatnonzero(chances.argmax(1) != labels)
    order = np.argsort(-chances[wrong].max(1))[:count]
    return [{"row": n, "said": chances[n].argmax(), "probability": chances[n].max()} for n in order]


@cases.wrong("worst_mistakes", r"what the model said is 1, the likeliest class, and you give 2")
def the_label_for_what_was_said(chances, labels, count):
    return mistakes(
        chances, labels, count, row=lambda n, said: {"row": n, "said": labels[n], "probability": chances[n].max()}
    )


@cases.wrong("worst_mistakes", r"the model's answer has 0.9, and you give 0.05")
def probability_of_the_label(chances, labels, count):
    return mistakes(
        chances, labels, count, row=lambda n, said: {"row": n, "said": said, "probability": chances[n, labels[n]]}
    )


@cases.wrong("worst_mistakes", r"the model's answer has 0.88, and you give 0.9")
def probability_rounded(chances, labels, count):
    return mistakes(
        chances, labels, count, row=lambda n, said: {"row": n, "said": said, "probability": round(chances[n].max(), 1)}
    )


@cases.wrong("worst_mistakes", r"You return \d mistakes where 3 are wanted")
def all_of_them(chances, labels, count):
    return mistakes(chances, labels, len(labels))


@cases.wrong("worst_mistakes", r"You return \d mistakes where \d are wanted")
def cut_before_sorting(chances, labels, count):
    said = chances.argmax(1)
    order = np.argsort(-chances.max(1))[:count]
    return [{"row": n, "said": said[n], "probability": chances[n].max()} for n in order if said[n] != labels[n]]


@cases.wrong("worst_mistakes", r"A mistake has row, probability and no said")
def what_was_said_left_out(chances, labels, count):
    return [{"row": row["row"], "probability": row["probability"]} for row in mistakes(chances, labels, count)]


@cases.wrong("worst_mistakes", r"Return a list of dictionaries, one a mistake")
def numbers_alone(chances, labels, count):
    return [row["row"] for row in mistakes(chances, labels, count)]


@cases.wrong("worst_mistakes", r"Where every answer is right there is no mistake, and you return")
def one_mistake_at_least(chances, labels, count):
    return mistakes(chances, labels, count) or mistakes(chances, labels, 1, keep=lambda n: True)


@cases.wrong("worst_mistakes", r"its row, what was said and its probability are numbers")
def names_of_classes(chances, labels, count):
    return [{**row, "said": f"class {row['said']}"} for row in mistakes(chances, labels, count)]


@cases.wrong("worst_mistakes", r"The rows go from 0 to 11; you name \[-11, ")
def counted_from_the_end(chances, labels, count):
    return [{**row, "row": row["row"] - len(labels)} for row in mistakes(chances, labels, count)]


@cases.wrong("worst_mistakes", r"A row is named more than once")
def every_class_above_the_label(chances, labels, count):
    pairs = [(n, k) for n, label in enumerate(labels) for k in range(3) if chances[n, k] > chances[n, label]]
    pairs.sort(key=lambda pair: -chances[pair])
    return [{"row": n, "said": k, "probability": chances[n, k]} for n, k in pairs[:count]]


@cases.error("worst_mistakes", r"raised IndexError.*There may be fewer mistakes than asked for")
def always_as_many(chances, labels, count):
    found = mistakes(chances, labels, len(labels))
    return [found[place] for place in range(count)]
