"""The checks of exercise 7: clean the data, and say what it brought."""

import math
import warnings
from collections.abc import Sequence
from copy import deepcopy
from typing import Any

from ..planting import plant_faults
from . import hashes
from .engine import Exercise, Wrong, apart, ask, require, shown
from .intervals import explain_half_width, student_interval
from .reading import ONE_PASS, as_dict, as_list, as_number, as_numbers, as_rows, fields

exercise = Exercise("7_data", "Clean the data, and say what it brought")
VERDICTS = {1: "after is better", -1: "before is better", 0: "no difference seen"}

# Rows of a small table, each with what it is and why a learner may think otherwise.
_ROWS: tuple[tuple[str, str | None, str | None, str], ...] = (
    ("A warm film.", "fresh", "conflict", "it stands there as rotten, too, with other case and blanks"),
    ("", "fresh", "blank", "its text is empty"),
    ("Go and see it.", "fresh", None, "its copy has the same label: it stands there twice, and contradicts nothing"),
    (" \n\t ", "rotten", "blank", "its text is nothing but white space"),
    ("A  WARM film. ", "rotten", "conflict", "but for case and blanks it is the text of a row that is fresh"),
    ("Dull, and long.", "frehs", "label", "its label is misspelt"),
    ("Dull, and long.", "rotten", None, "the other row with its text has a label that isn't known, which is the fault"),
    ("A joy!", "fresh", None, "the row like it ends in no exclamation mark: punctuation tells texts apart"),
    ("Go and see it.", "fresh", None, "its copy has the same label: it stands there twice, and contradicts nothing"),
    ("\u00a0", "fresh", "blank", "a no-break space is white space: str.strip takes it away"),
    ("A joy", "rotten", None, "the row like it ends in an exclamation mark: punctuation tells texts apart"),
    ("a warm film.", "fresh", "conflict", "it is the third row of its text: name all of them, not one or two"),
    ("Never again.", "Rotten", "label", "its label has a capital, and labels are as they are written"),
    ("never again.", "fresh", None, "the other row with its text has a label that isn't known, which is the fault"),
    ("", "rotten", "blank", "its text is empty; two empty rows with two labels are blank, not a conflict"),
    ("Worth it.", None, "label", "it has no label, None"),
    ("Long and loud", "rotten", None, "the order of the words tells texts apart"),
    ("?", "fresh", None, "a question mark is a text, if a short one"),
    ("warm film.", "rotten", None, "a part of a text is another text"),
    ("Slow start,\u00a0strong end.", "fresh", "conflict", "but for case and a no-break space it stands as rotten, too"),
    ("slow START, strong  end.", "rotten", "conflict", "but for case and blanks it stands as fresh, too"),
    ("Made with care.", " fresh", "label", "its label has a blank before it, and labels are as they are written"),
    ("  ", "", "blank label", "it has both faults: no text and no known label"),
    ("Worth a look.", "fresh", "conflict", "it stands there as mixed, too; three labels are in use"),
    ("Worth a look.", "mixed", "conflict", "it stands there as fresh, too; three labels are in use"),
    ("WORTH a look.", "rotten", "conflict", "it stands there as fresh and as mixed, too; all three belong to it"),
    ("loud and long", "fresh", None, "the order of the words tells texts apart"),
    ("No body cares.", "fresh", None, "one blank between words stays: No body and Nobody are different texts"),
    ("Nobody cares.", "rotten", None, "one blank between words stays: No body and Nobody are different texts"),
)
_LABELS = ("rotten", "mixed", "fresh")
_KINDS = ("blank", "label", "conflict")


@exercise.step("Step 1, faults in the rows")
def find_faults(answer: Any) -> str:
    """Judge an answer to: Step 1, faults in the rows."""
    rows = [{"text": text, "label": label, "film": f"film {n % 5}"} for n, (text, label, *_) in enumerate(_ROWS)]
    truth = {kind: [n for n, row in enumerate(_ROWS) if kind in (row[2] or "").split()] for kind in _KINDS}
    _compare_faults(answer, rows, _LABELS, truth, [row[3] for row in _ROWS])
    sound, test = _invented(), _invented(("The lighthouse", "A stranger", "The orchard"), "test film")
    spoilt, planted = plant_faults(sound, test, ("bad", "good"), seed=7, share=0.05)
    _compare_faults(answer, spoilt, ("bad", "good"), {kind: planted[kind] for kind in _KINDS})
    none = _faults(ask(answer, deepcopy(sound), ["bad", "good"]), len(sound))
    require(not any(none.values()), f"In {len(sound)} sound rows you find {shown(none)}.")
    return (
        f"All {sum(map(len, truth.values()))} faults of {len(rows)} rows, and all that were planted in {len(sound)} "
        "others, each under its kind and no other."
    )


_FAULT_CLUES = {
    "has no attribute 'lower'": "A label may be None: compare it as it is.",
    "has no attribute 'strip'": "A label may be None: compare it as it is.",
    "unhashable": "A dictionary can't be in a set; its text and its label can.",
}


def _compare_faults(
    answer: Any, rows: list[dict[str, Any]], labels: Sequence[str], truth: dict[str, list[int]], why: Any = None
) -> None:
    found = _faults(ask(answer, deepcopy(rows), list(labels), clues=_FAULT_CLUES), len(rows))
    for kind in _KINDS:
        for row in sorted(set(truth[kind]) ^ set(found[kind])):
            said = f"is missing from {kind!r}" if row in truth[kind] else f"is named under {kind!r} and isn't one"
            about = f": {why[row]}" if why else ""
            raise Wrong(f"Row {row}, {rows[row]['text']!r} with the label {rows[row]['label']!r}, {said}{about}.")
        require(
            len(found[kind]) == len(set(found[kind])), f"Under {kind!r} a row is named more than once: name each once."
        )


def _faults(value: Any, count: int) -> dict[str, list[int]]:
    """Return what was found as a dictionary from each kind to numbers of rows."""
    named = dict(value.items()) if hasattr(value, "columns") else as_dict(value)
    require(named is not None, f"Return a dictionary with {', '.join(map(repr, _KINDS))}; this is {shown(value)}.")
    lacking = [kind for kind in _KINDS if kind not in (named or {})]
    require(not lacking, f"There is no {', '.join(map(repr, lacking))} among {shown(list(named or {}))}.")
    found = {}
    for kind in _KINDS:
        require(
            not isinstance((named or {})[kind], ONE_PASS),
            f"Under {kind!r} is what can be gone through once, and the cells below do so more than once: make a list.",
        )
        rows = as_rows((named or {})[kind], count)
        require(
            rows is not None, f"Under {kind!r} is {shown((named or {})[kind])}: give numbers of rows, 0 to {count - 1}."
        )
        found[kind] = rows or []
    return found


def _invented(
    things: Sequence[str] = ("The island", "A winter", "The letter", "Her brother", "The harbour"), film: str = "film"
) -> list[dict[str, Any]]:
    """Return sound rows about invented films, no two with nearly the same text."""
    ends = (
        "keeps its secrets to the very last frame",
        "drags on until nobody cares how it might end",
        "is played with wit, warmth and a good deal of nerve",
        "looks as if nobody had read the script twice",
    )
    rows = [
        (f"{thing} {end}, {n} minutes in all", n % 2, f"{film} {n}") for n, thing in enumerate(things) for end in ends
    ]
    return [{"text": text, "label": ("bad", "good")[label], "film": name} for text, label, name in rows]


# Texts for the test, and for training with why each is near one of them or isn't.
_TEST = (
    "A slow start, but the last hour is worth the wait.",
    "Brilliant plot, dull cast",
    "Superb",
    "The jokes were old when the century was young.",
    "A joy.",
    "Meh",
    "A slow start, but the first hour is worth the wait.",
    "Ha ha ha",
)
_TRAIN = {
    0: ("Nothing here is worth the wait.", "a phrase of a test text is another text"),
    1: ("Never less than gripping.", "it stands twice in training and not in the test"),
    2: ("A SLOW  start,\nbut the last hour is worth the wait. ", "case and blanks make no difference"),
    3: ("Superbly", "three of five runs are at least the limit 0.6"),
    4: ("A joy. I would see it again tomorrow, and the day after.", "the runs of both count, not one text's alone"),
    5: ("The jokes were old when this century was young.", "one word is another"),
    6: ("meh", "a text of fewer than four characters is one run"),
    7: ("A slow start.", "the runs of both texts count, not one text's alone"),
    8: ("", "it is empty"),
    9: ("A slow start, but the last hour is", "its end is cut off"),
    10: ("Verdict: the jokes were old when the century was young.", "a word stands before it"),
    11: ("Never less than gripping.", "it stands twice in training and not in the test"),
    12: ("A joy.", "it is the same text"),
    13: ("Brilliant cast", "each run of both texts counts once, the shared ones, too"),
    14: ("Dull plot, brilliant cast", "it has the same words in another order, and each run counts once"),
    15: ("A -- joy -- ?!", "punctuation is in the runs like any other character"),
    16: ("Ha ha ha ha ha", "a run that stands several times in a text counts once: all different runs"),
}


@exercise.step("Step 2, copies of test texts")
def find_leaks(answer: Any) -> str:
    """Judge an answer to: Step 2, copies of test texts."""
    train, test = [text for text, _ in _TRAIN.values()], list(_TEST)
    for limit in (0.6, 0.9, 0.45):
        clues = {"ZeroDivisionError": "A text may be empty."}
        given = ask(answer, list(train), list(test), limit, clues=clues, reread=True)
        found = as_rows(given, len(train))
        if found is None:
            raise Wrong(f"Return numbers of training texts, 0 to {len(train) - 1}; this is {shown(given)}.")
        for row, (text, why) in _TRAIN.items():
            nearest = max(test, key=lambda other, text=text: _similarity(text, other))  # type: ignore[misc]
            share = _similarity(text, nearest)
            if (row in found) != (share >= limit):
                said = "is missing" if share >= limit else "is reported"
                raise Wrong(
                    f"With the limit {limit}, training text {row}, {text!r}, {said}. Its nearest test text is "
                    f"{nearest!r}, and of all their runs {share:.1%} are in both: {why}."
                )
        require(len(found) == len(set(found)), f"A text is named more than once, {shown(given)}: name each once.")
    nothing = as_rows(ask(answer, train[:3], [], 0.6, clues={"ValueError": "There may be no test text."}), 3)
    require(nothing == [], "With no test text at all, no training text is a copy of one: return no row.")
    return f"Copies are found at three limits, changed ones, too, and of {len(train)} texts no other is reported."


def _similarity(text: str, other: str) -> float:
    """Return the share of all runs of four characters of two texts that are in both."""
    one, two = ({form[at : at + 4] for at in range(max(1, len(form) - 3))} for form in map(_form, (text, other)))
    return len(one & two) / len(one | two)


def _form(text: str) -> str:
    return " ".join(text.lower().split())


@exercise.step("Step 3, suspicious labels")
def find_suspects(answer: Any) -> str:
    """Judge an answer to: Step 3, suspicious labels."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    features, labels, films, flipped = _line()
    found = _suspects(answer, LogisticRegression(), features, labels, films, 2)
    _compare_order(found, labels, flipped)
    _suspects(answer, LogisticRegression(), features, labels, films, len(labels))
    features, labels, films, flipped = _three_classes()
    found = _suspects(answer, LogisticRegression(), features, labels, films, len(flipped))
    _compare_suspects(
        found, flipped, "there are three classes, and a label's own probability is in the column of its number"
    )
    require(
        found == flipped,
        f"Of the rows with a wrong label, row {flipped[0]} is the least likely: the model is unsure between the other "
        f"two classes, and its own has next to nothing. You name {shown(found)}: sort by the probability of the row's "
        "own label, not by how sure the model is of another.",
    )
    features, labels, films, alone = _one_film_of_its_own()
    with warnings.catch_warnings():  # scikit-learn's, that a part of the films lacks a class
        warnings.simplefilter("ignore")
        found = _suspects(answer, LogisticRegression(), features, labels, films, len(alone))
    _compare_suspects(
        found,
        alone,
        "no other film has their class, so that it gets the probability 0. A model's columns are those of "
        "its classes_, which then lack one",
    )
    for rows_of_a_film, why in (
        (
            1,
            "the model, the one that is handed over, must not have been trained on the row that it judges: it knows "
            "each of its rows by heart",
        ),
        (
            6,
            "rows of a film are much alike, and with wrong labels they vouch for one another: the model must not have "
            "been trained on any row of that film. Make folds of films",
        ),
    ):
        features, labels, films, flipped = _clouds(rows_of_a_film)
        model = KNeighborsClassifier(n_neighbors=1)
        _compare_suspects(_suspects(answer, model, features, labels, films, len(flipped)), flipped, why)
    return "Each label is judged by a model that saw no row of its film, and the least likely ones come first."


_SUSPECT_CLUES = {
    "is not fitted": "The model comes untrained: train it on the other folds.",
    "out of bounds": "Labels are numbers of classes, from 0, and a row has a probability for each class.",
    "predict_log_proba": "Not every classifier has it; predict_proba gives the same order.",
    "groups": "Splitters of groups want to know the group of each row, groups=films.",
}


def _suspects(answer: Any, model: Any, features: Any, labels: Any, films: list[str], count: int) -> list[int]:
    """Return what the learner's function names, row numbers in their order."""
    given = ask(answer, model, features.copy(), labels.copy(), list(films), count, clues=_SUSPECT_CLUES)
    require(not isinstance(given, (set, frozenset)), "A set has no order: return a list, the least likely first.")
    found = None if _is_mask(given) else as_rows(given, len(labels))
    if found is None:
        raise Wrong(f"Return a list of {count} row numbers, 0 to {len(labels) - 1}; this is {shown(given)}.")
    why = f"the first {count} of the order" if count < len(labels) else "each row is to be judged, once"
    require(len(found) == count, f"Asked for {count} rows, you return {len(found)}: {why}.")
    require(len(set(found)) == count, f"A row is named more than once, {shown(found)}: name each once.")
    return found


def _is_mask(value: Any) -> bool:
    items = as_list(value) or []
    return bool(items) and all(isinstance(item, bool) for item in items)


def _line() -> tuple[Any, Any, list[str], list[int]]:
    """Return features on a line, labels by their sign with four wrong ones, films, and those rows, worst first."""
    import numpy as np

    places = np.random.default_rng(1).permutation([*np.linspace(0.5, 2, 60), *-np.linspace(0.5, 2, 60)])
    flipped = [41, 7, 82, 50]
    places[flipped] = 6.5, -4, 2.5, -1.6
    labels = (places > 0).astype(int)
    labels[flipped] = 1 - labels[flipped]
    return places[:, None], labels, [f"film {row % 20}" for row in range(120)], flipped


def _three_classes() -> tuple[Any, Any, list[str], list[int]]:
    """Return features in three clouds, their numbers as labels with three wrong ones, films, and those, worst first."""
    import numpy as np

    rng = np.random.default_rng(2)
    labels, flipped = rng.permutation(np.repeat([0, 1, 2], 24)), [11, 30, 45]
    features = np.array([(0, 3), (-3, -2), (3, -2)])[labels] + 0.6 * rng.normal(size=(72, 2))
    features[flipped] = (-4.5, 2.3), (-0.3, 2.2), (0.9, 1.5)  # between 0 and 1; in 0; in 0, on the way to 2
    labels[flipped] = 2, 1, 2
    return features, labels, [f"film {row % 12}" for row in range(72)], flipped


def _one_film_of_its_own() -> tuple[Any, Any, list[str], list[int]]:
    """Return features in two clouds, labels 0 and 2, films, and the rows of the one film that has the label 1."""
    import numpy as np

    rng, labels, alone = np.random.default_rng(4), np.tile([0, 2], 20), [3, 17, 24]
    features = labels[:, None] * 2.0 + rng.normal(size=(40, 1))
    features[alone], labels[alone] = 5, 1
    return features, labels, ["a film" if row in alone else f"film {row % 11}" for row in range(40)], alone


def _clouds(rows_of_a_film: int) -> tuple[Any, Any, list[str], list[int]]:
    """Return films as tight clouds at four corners, opposite ones alike; one at the edge of each has a wrong label."""
    import numpy as np

    rng, rows = np.random.default_rng(3), []
    for film, name in enumerate(rng.permutation(40)):
        place, strange = np.array([film % 2, film // 2 % 2]), film < 4
        centre = 20 * place + (np.array([0, -6]) if strange else rng.uniform(-1, 1, 2))
        label = place.sum() % 2 ^ strange
        for _ in range(rows_of_a_film):
            rows.append((centre + rng.normal(scale=0.01, size=2), label, f"film {name}", strange))
    features, labels, films, wrong = zip(*(rows[number] for number in rng.permutation(len(rows))), strict=True)
    return np.array(features), np.array(labels), list(films), np.flatnonzero(wrong).tolist()


def _compare_order(found: list[int], labels: Any, flipped: list[int]) -> None:
    wanted = flipped[: len(found)]
    if found == wanted:
        return
    about = f"Row {wanted[0]} has the label {labels[wanted[0]]} where all rows around it have the other"
    if set(found) == set(wanted):
        why = "the rows are the right ones, and their order isn't: the least likely label comes first"
    elif not set(found) & set(flipped):
        why = "none of your rows has a wrong label: the label's own probability counts, and the lowest come first"
    else:
        why = "sort by the probability of the label that the row has, the lowest first"
    raise Wrong(f"You name the rows {shown(found)}, and {shown(wanted)} are the least likely. {about}; {why}.")


def _compare_suspects(found: list[int], flipped: list[int], why: str) -> None:
    missed = [row for row in flipped if row not in found]
    require(
        not missed,
        f"{len(missed)} of {len(flipped)} rows with a wrong label are not among as many that you name, row "
        f"{missed[0] if missed else 0} for one: {why}.",
    )


@exercise.step("Step 4, above the baseline")
def gain_over_baseline(answer: Any) -> str:
    """Judge an answer to: Step 4, above the baseline."""
    for names, seed in (((0, 1), 5), (("fresh", "rotten", "mixed"), 6)):
        _compare_gain(answer, *_judged(names, seed))
    return "The gain over always saying what is commonest in training, with an interval from whole films drawn anew."


_GAIN_CLUES = {
    "unsupported operand": "The films are a list of names, and a label may be a text.",
    "dtypes": "Labels may be texts: count them, rather than take their mean.",
    "could not convert": "Labels may be texts: count them, rather than take their mean.",
    "Cannot cast": "Labels may be texts: count them by themselves, not as numbers.",
}


def _judged(names: Sequence[Any], seed: int) -> tuple[Any, Any, list[str], Any]:
    """Return answers, labels, films and labels for training; films differ in size, in labels and in what is right."""
    import numpy as np

    rng = np.random.default_rng(seed)
    answers, labels, films = [], [], []
    for number, size in enumerate(
        rng.permutation([2, 2, 3, 3, 3, 4, 5, 6, 6, 8, 9, 11, 12, 14, 18, 22, 26, 30, 34, 38])
    ):
        rare, right = rng.uniform(0.05, 0.75), rng.uniform(0.4, 1)
        own = np.where(rng.random(size) < rare, len(names) - 1, 0)
        labels += own.tolist()
        answers += np.where(rng.random(size) < right, own, (own + 1) % len(names)).tolist()
        films += [f"film {number}"] * int(size)
    order = rng.permutation(len(labels))
    train = [0, *rng.permutation([len(names) - 1] * 70 + [0] * 50 + [1] * 5), 0]  # another label is the commonest here
    columns = [np.array(names)[np.array(column)] for column in (answers, labels, train)]
    return columns[0][order], columns[1][order], [films[row] for row in order], columns[2]


def _compare_gain(answer: Any, answers: Any, labels: Any, films: list[str], train: Any) -> None:
    import numpy as np

    def judge(seed: int = 0, before: str = "", draws: int = 60) -> list[float]:
        copies = answers.copy(), labels.copy(), [f"{before}{film}" for film in films], train.copy()
        return _three(ask(answer, *copies, draws, seed, clues=_GAIN_CLUES, reread=True))

    found = judge(draws=2000)
    require(np.isfinite(found).all(), f"These are no numbers: {shown(found)}.")
    right, commonest = answers == labels, max(set(train.tolist()), key=train.tolist().count)
    gains = right.astype(float) - (labels == commonest)
    ends, spread = _ends(gains, films)
    _compare_mean(found[0], right, labels, train, films, spread)
    require(found[1] <= found[2], f"The ends are {found[1]:.4f} and {found[2]:.4f}: the lower one comes first.")
    if not _is_near(found[1:], ends, spread):
        _explain_ends(found[1:], ends, spread, right.astype(float), gains, films)
    few, one = judge(), judge(draws=1)
    require(
        abs(one[2] - one[1]) < 1e-9,
        f"With draws=1 films are drawn once, so that both ends are the same; yours are {one[1]:.3f} and {one[2]:.3f}: "
        "go by draws.",
    )
    require(judge() == few, "The same seed gave two different intervals: hand the seed to what draws.")
    require(judge(1)[1:] != few[1:], "Two seeds gave the same interval to the last digit: use the seed, and draw anew.")
    require(
        not hashes.goes_by_hashes(answer, lambda before: judge(before=before)),
        "In another process the same seed would give another interval: the order of a set of texts changes from run to "
        "run. Sort the films first.",
    )


def _three(value: Any) -> list[float]:
    numbers = as_numbers(value)
    require(
        len(numbers) == 3, f"Return three numbers, the gain and the two ends of its interval; this is {shown(value)}."
    )
    return numbers


def _compare_mean(value: float, right: Any, labels: Any, train: Any, films: list[str], spread: float) -> None:
    """Require the true gain, with the likely reason for another."""
    import numpy as np

    wanted = train.tolist()
    commonest, own = max(set(wanted), key=wanted.count), labels.tolist()
    accuracy, baseline = right.mean(), (labels == commonest).mean()
    gain = accuracy - baseline
    of_films = [np.mean((right * 1.0 - (labels == commonest))[np.array(films) == film]) for film in set(films)]
    true, own_gain = apart(gain, value)
    said = f"{accuracy:.1%} are right, the baseline has {baseline:.1%}, and the gain is {true}; you say {own_gain}"
    for wrong, why in (
        (accuracy, "that is the accuracy itself: take the baseline's away"),
        (accuracy - 1 / len(set(own)), "a coin is no baseline where one class is commoner"),
        (
            accuracy - max(own.count(label) for label in set(own)) / len(own),
            "that baseline knows which label is the commonest in the test: whoever guesses knows the training alone",
        ),
        (
            accuracy - wanted.count(commonest) / len(wanted),
            "count how often the baseline is right in the test, not in training",
        ),
        (float(np.mean(of_films)), "that is the mean of the films, where a film of two rows counts like one of thirty"),
        (-gain, "that is the baseline minus the model"),
        (100 * gain, "leave it a share, not points"),
        (gain / baseline, "leave it a difference, not a ratio"),
    ):
        require(abs(value - wrong) > 1e-6 or abs(wrong - gain) < 1e-6, f"{said}: {why}.")
    require(
        abs(value - gain) < 1e-9 or value not in [round(gain, digits) for digits in range(1, 6)],
        f"{said}: give it unrounded, and round it where it is shown.",
    )
    require(
        abs(value - gain) < 1e-6 or abs(value - gain) > 0.1 * spread,
        f"{said}: that is near it. It is the gain on the rows themselves, each once, not the mean of the draws.",
    )
    require(abs(value - gain) < 1e-6, f"{said}. The baseline says the commonest label of training for every row.")


def _ends(values: Any, films: Sequence[Any], level: float = 0.95, once: bool = False) -> tuple[list[float], float]:
    """Return the ends of the bootstrap interval of a mean over rows whose films are drawn, and the draws' spread.

    Args:
        values: a number for each row.
        films: the film of each.
        level: of the interval.
        once: let a film that was drawn count once, however often it was drawn, which is a fault.
    """
    import numpy as np

    codes = np.unique(films, return_inverse=True)[1]
    sizes, sums = np.bincount(codes), np.bincount(codes, weights=values)
    draws = np.random.default_rng(9).multinomial(len(sizes), np.full(len(sizes), 1 / len(sizes)), size=20_000)
    draws = np.minimum(draws, 1) if once else draws
    means = draws @ sums / (draws @ sizes)
    return np.quantile(means, [(1 - level) / 2, (1 + level) / 2]).tolist(), float(means.std())


def _is_near(found: Sequence[float], ends: Sequence[float], spread: float) -> bool:
    """Say whether two intervals are the same but for the luck of thousands of draws."""
    return all(abs(one - other) < 0.22 * spread for one, other in zip(found, ends, strict=True))


def _explain_ends(
    found: Sequence[float], ends: Sequence[float], spread: float, right: Any, gains: Any, films: list[str]
) -> None:
    require(
        abs(found[1] - found[0]) > 1e-9,
        f"{_said(found, ends)}: every draw came out alike. Draw films with replacement; or is the seed set in each?",
    )
    require(
        found[1] - found[0] > 0.4 * spread,
        f"{_said(found, ends)}: that is how sure the mean of the draws is, which more draws make as sure as you like. "
        "The interval is the spread of the draws themselves.",
    )
    alone, base = list(range(len(films))), right.mean() - gains.mean()
    twice = _ends(gains, films, once=True)[0]
    near = (
        "" if not _is_near(found, twice, spread) else "; or a film that was drawn twice has its rows once, as by isin"
    )
    accuracy = _ends(right, films)[0]
    for wrong, why in (
        (
            _ends(gains, alone)[0],
            "single rows were drawn. Rows of a film are alike: draw films, each with all its rows",
        ),
        (accuracy, "that is the interval of the accuracy. In each draw take the baseline of the same rows away"),
        ([end - base for end in accuracy], "the baseline is held fixed. In each draw it has that draw's rows, too"),
        (_ends(gains, films, 0.90)[0], f"that is 90 %, and the ends of 95 % are the quantiles 0.025 and 0.975{near}"),
        (twice, "a film that was drawn twice has its rows once, as by isin: it counts as often as it was drawn"),
        (_ends(gains, films, 0.99)[0], "that is 99 %: the ends of 95 % are the quantiles 0.025 and 0.975"),
        (_ends(gains, films, 0.6827)[0], "that is one standard deviation to each side, an interval of 68 %"),
        ([abs(end - gains.mean()) for end in ends], "give the two ends themselves, not how far they are from the gain"),
    ):
        require(not _is_near(found, wrong, spread), f"{_said(found, ends)}: {why}.")
    require(not _is_near([end / 100 for end in found], ends, spread), f"{_said(found, ends)}: leave them shares.")
    raise Wrong(
        f"{_said(found, ends)}. For each draw take as many films as there are, with replacement, all rows of each as "
        "often as it was drawn, and the mean over these rows."
    )


def _said(found: Sequence[float], ends: Sequence[float]) -> str:
    return f"The interval goes from {ends[0]:.3f} to {ends[1]:.3f}; yours from {found[0]:.3f} to {found[1]:.3f}"


# Accuracies of five seeds with the rows before cleaning, and the gains after it, invented to try functions on.
_SEEDS = (3, 1, 4, 15, 9)
_RUNS = {
    "a clear gain, though seeds differ by more": ((0.60, 0.70, 0.80, 0.72, 0.66), (0.031, 0.025, 0.020, 0.028, -0.002)),
    "a gain within what five seeds vary": ((0.71, 0.78, 0.74, 0.69, 0.75), (0.020, 0.010, 0.030, 0.010, -0.005)),
    "a gain that one seed alone made": ((0.68, 0.74, 0.70, 0.73, 0.79), (0.002, 0.001, 0.030, 0.003, 0.001)),
    "a clear loss": ((0.81, 0.70, 0.78, 0.75, 0.66), (-0.03, -0.02, -0.035, -0.021, -0.028)),
    "a loss within what five seeds vary": ((0.66, 0.71, 0.68, 0.70, 0.72), (0.01, -0.03, 0.0, -0.02, -0.012)),
    "the same accuracy before and after": ((0.71, 0.69, 0.74, 0.70, 0.72), (0.0, 0.0, 0.0, 0.0, 0.0)),
}


@exercise.step("Step 5, what the cleaning brought")
def compare_cleaning(answer: Any) -> str:
    """Judge an answer to: Step 5, what the cleaning brought."""
    before, after = list(range(12)), [0, 1, 3, 4, 6, 8, 9, 11]
    for what, (scores, gains) in _RUNS.items():
        calls: list[tuple[str, Any]] = []

        def score(rows: Any, seed: Any, scores: Any = scores, gains: Any = gains, calls: Any = calls) -> float:
            way = {tuple(before): "before", tuple(after): "after"}.get(tuple(as_list(rows) or ()))
            require(
                way, f"score got the rows {shown(rows)}, which are neither before nor after: pass one of them on whole."
            )
            require(seed in _SEEDS, f"score got the seed {shown(seed)}; the seeds are {', '.join(map(str, _SEEDS))}.")
            calls.append((str(way), seed))
            place = _SEEDS.index(seed)
            return scores[place] + gains[place] * (way == "after")

        given = ask(answer, score, list(before), list(after), _SEEDS)
        _compare_calls(calls)
        gain, half_width, verdict = _comparison(given)
        _compare_verdict(gain, half_width, verdict, scores, gains, f"With {what}, ")
    return "Both ways with the same five seeds, compared seed by seed, and a verdict that their noise allows."


def _compare_calls(calls: list[tuple[str, Any]]) -> None:
    wanted = [(way, seed) for way in ("before", "after") for seed in _SEEDS]
    missing = [pair for pair in wanted if pair not in calls]
    twice = [pair for pair in wanted if calls.count(pair) > 1]
    require(
        not missing,
        f"{len(missing)} of {len(wanted)} runs are missing, {_run_of(missing)} for one: score each way with each seed.",
    )
    require(
        not twice,
        f"The run {_run_of(twice)} was made more than once: each takes its time, and trying again until it is good "
        "flatters. Keep what it gave.",
    )


def _run_of(pairs: list[tuple[str, Any]]) -> str:
    return " with seed ".join(map(str, pairs[0])) if pairs else ""


def _comparison(value: Any) -> tuple[float, float, str]:
    parts = as_list(value) or []
    require(len(parts) == 3, f"Return three things, gain, half-width and verdict; this is {shown(value)}.")
    numbers = [as_number(part) for part in parts[:2]]
    require(None not in numbers, f"The first two are numbers, gain and half-width; these are {shown(parts[:2])}.")
    said = " ".join(parts[2].lower().split()).strip(" .!\"'") if isinstance(parts[2], str) else parts[2]
    require(
        said in VERDICTS.values(),
        f"Your verdict is {shown(parts[2])}; write one of {', '.join(map(repr, VERDICTS.values()))}.",
    )
    return numbers[0] or 0.0, numbers[1] or 0.0, said


def _compare_verdict(
    gain: float, half_width: float, verdict: str, scores: Sequence[float], gains: Sequence[float], case: str
) -> None:
    mean, deviation, half = student_interval(gains)
    said = f"{case}your gain is {gain:+.4f}; it is {mean:+.4f}"
    if abs(gain - mean) > 1e-9:
        require(abs(gain + mean) > 1e-9, f"{said}: after minus before, not the other way round.")
        require(abs(gain - 100 * mean) > 1e-6, f"{said}: leave it a share, not points.")
        require(abs(gain - max(gains)) > 1e-9, f"{said}, the mean of all seeds, the bad ones, too.")
        raise Wrong(f"{said}, the mean over the seeds of after minus before, unrounded.")
    require(
        not math.isnan(half_width),
        f"{case}your half-width is nan: where all differences are the same, it is 0, and the interval is the gain.",
    )
    require(
        all(abs(half_width - other) > 1e-6 for other in _unpaired(scores, gains)) or abs(half_width - half) < 1e-6,
        f"{case}your half-width is {half_width:.4f}; it is {half:.4f}: take the difference within each seed first. A "
        "seed draws the same films for both, and that falls out.",
    )
    explain_half_width(half_width, half, deviation, len(gains), case)
    truth = VERDICTS[0 if abs(mean) <= half else 1 if mean > 0 else -1]
    numbers = f"{case}the gain is {mean:+.4f}, give or take {half:.4f}, and you say {verdict!r}"
    require(
        verdict == truth or truth != VERDICTS[0],
        f"{numbers}: the interval has zero in it, so that five other seeds could turn it round.",
    )
    require(verdict == truth or verdict != VERDICTS[0], f"{numbers}: the interval leaves zero out.")
    require(verdict == truth, f"{numbers}: you have it the other way round.")


def _unpaired(scores: Sequence[float], gains: Sequence[float]) -> list[float]:
    """Return the half-widths that come out where before and after aren't compared seed by seed."""
    from scipy import stats

    ends = [score + gain for score, gain in zip(scores, gains, strict=True)]
    (_, one, _), (_, two, _) = student_interval(scores), student_interval(ends)
    count, error = len(scores), math.hypot(one, two) / math.sqrt(len(scores))
    orders = ((scores, sorted(ends)), (sorted(scores), ends), (sorted(scores), sorted(ends)))
    mixed = [student_interval([b - a for a, b in zip(*order, strict=True)])[2] for order in orders]
    return [float(stats.t.ppf(0.975, degrees)) * error for degrees in (count - 1, 2 * count - 2)] + mixed


@exercise.step("Step 6, a threshold by cost")
def choose_threshold(answer: Any) -> str:
    """Judge an answer to: Step 6, a threshold by cost."""
    for seed, alarm, miss in _COSTS:
        validation, test = _side(seed, 40, edges=True), _side(seed + 1000, 50)
        copies = tuple(tuple(column.copy() for column in side) for side in (validation, test))
        given = ask(answer, *copies, alarm, miss, clues=_THRESHOLD_CLUES)
        numbers = as_numbers(given)
        require(len(numbers) == 2, f"Return two numbers, threshold and mean cost on the test; this is {shown(given)}.")
        _compare_threshold((numbers[0], numbers[1]), validation, test, alarm, miss)
    return (
        "The cheapest threshold on validation, for any two costs, and what it costs on rows that it wasn't chosen on."
    )


_THRESHOLD_CLUES = {
    "truth value of an array": "The probabilities are an array: compare it as a whole, and combine by & and ~.",
    "not enough values to unpack": "Each side is a pair, probabilities and labels.",
}


_COSTS = ((302, 5, 1), (1, 1, 8), (27, 1, 1), (4, 3, 2), (7, 40, 1), (5, 1, 60))  # a seed, a false alarm, a miss


def _side(seed: int, count: int, edges: bool = False) -> tuple[Any, Any]:
    """Return probabilities, surer of yes than they should be, several in a hundredth, and labels 0 and 1.

    Args:
        seed: of both.
        count: of rows.
        edges: let the surest row be a no of which the model is certain, and the least sure row a yes.
    """
    import numpy as np

    rng = np.random.default_rng(seed)
    hundredths = rng.choice(np.arange(2, 98), size=count // 3, replace=False)
    probabilities = (rng.choice(hundredths, count) / 100 + rng.uniform(0, 0.01, count)).round(5)
    labels = (rng.random(count) < probabilities**2.2).astype(int)
    if edges:
        probabilities[0], labels[0], labels[probabilities.argmin()] = 1, 0, 1
    return probabilities, labels


def _cost(threshold: float, side: tuple[Any, Any], alarm: float, miss: float) -> float:
    """Return what a threshold costs a row on average, where yes is said from the threshold on."""
    probabilities, labels = side
    yes = probabilities >= threshold
    return float((alarm * (yes & (labels == 0)) + miss * (~yes & (labels == 1))).mean())


def _compare_threshold(
    found: tuple[float, float], validation: tuple[Any, Any], test: tuple[Any, Any], alarm: float, miss: float
) -> None:
    threshold, cost = found
    require(not math.isnan(threshold), "Your threshold is nan: give a number.")
    candidates = [*sorted(set(validation[0].tolist())), math.inf]
    costs = {one: _cost(one, validation, alarm, miss) for one in candidates}
    best = min(costs, key=costs.__getitem__)
    own = _cost(threshold, validation, alarm, miss)
    case = f"A false alarm costs {alarm}, a miss {miss}. "
    if own > costs[best] + 1e-9:
        said = (
            f"{case}On validation your threshold {threshold:.4g} costs {own:.3f} a row, and another {costs[best]:.3f}"
        )
        raise Wrong(f"{said}. {_threshold_meant(threshold, validation, test, alarm, miss)}")
    true = _cost(threshold, test, alarm, miss)
    said = f"{case}Your threshold {threshold:.4g} costs {true:.4f} a row on the test, and you say {cost:.4f}"
    for wrong, why in (
        (own, "that is the cost on validation, where the threshold was chosen to look well"),
        (true * len(test[0]), "that is the sum: divide by the number of rows"),
        (_cost(threshold, test, miss, alarm), "the two costs are swapped"),
        (
            min(_cost(one, test, alarm, miss) for one in [*test[0], math.inf]),
            "that is the cheapest threshold of the test, not yours",
        ),
        (float(((test[0] >= threshold) != test[1]).mean()), "that is the share of mistakes, each counted as one"),
    ):
        require(abs(cost - wrong) > 1e-6 or abs(wrong - true) < 1e-6, f"{said}: {why}.")
    require(
        abs(cost - true) < 1e-6, f"{said}. Say yes from the threshold on, and take the mean over all rows, unrounded."
    )


def _threshold_meant(
    threshold: float, validation: tuple[Any, Any], test: tuple[Any, Any], alarm: float, miss: float
) -> str:
    """Return what a threshold seems to be that isn't the cheapest."""
    limit, first = alarm / (alarm + miss), _COSTS[0][1:]
    probabilities, labels = validation
    above = probabilities[probabilities > threshold]
    on_test = min(_cost(one, test, alarm, miss) for one in [*test[0], math.inf])
    swapped = min(_cost(one, validation, miss, alarm) for one in [*probabilities, math.inf])
    for meant, why in (
        (
            abs(threshold - limit) < 1e-6,
            "That limit follows from the costs if the probabilities are right; these are too sure.",
        ),
        (abs(threshold - 0.5) < 1e-6, "One half looks at no cost."),
        (
            len(above)
            and threshold in probabilities
            and _cost(above.min(), validation, alarm, miss) == _best(validation, alarm, miss),
            "Yes is said from the threshold on, at it, too: is there a > for a >=?",
        ),
        (
            _cost(threshold, test, alarm, miss) <= on_test + 1e-9,
            "It is the cheapest on the test, on which nothing may be chosen.",
        ),
        (
            ((probabilities >= threshold) != labels).mean() <= _best(validation, 1, 1) + 1e-9,
            "It makes the fewest mistakes; here one kind is dearer.",
        ),
        (
            (alarm, miss) != first and _cost(threshold, validation, *first) <= _best(validation, *first) + 1e-9,
            f"It would be the cheapest for the costs {first[0]} and {first[1]}: take those that are handed over.",
        ),
        (
            _cost(threshold, validation, miss, alarm) <= swapped + 1e-9,
            "It would be the cheapest with the two costs swapped.",
        ),
    ):
        if meant:
            return why
    return "Try every probability that occurs, and one above all of them, which never says yes."


def _best(side: tuple[Any, Any], alarm: float, miss: float) -> float:
    return min(_cost(one, side, alarm, miss) for one in [*side[0], math.inf])


# Probabilities of three classes, and the label, of rows to try functions on.
_GUESSES = (
    ((0.70, 0.20, 0.10), 0), ((0.05, 0.90, 0.05), 2), ((0.38, 0.32, 0.30), 1), ((0.01, 0.02, 0.97), 2),
    ((0.80, 0.01, 0.19), 2), ((0.25, 0.23, 0.52), 0), ((0.27, 0.46, 0.27), 1), ((0.40, 0.59, 0.01), 0),
    ((0.02, 0.10, 0.88), 1), ((0.98, 0.01, 0.01), 0), ((0.34, 0.41, 0.25), 2), ((0.10, 0.15, 0.75), 2),
)  # fmt: skip


@exercise.step("Step 7, the worst mistakes")
def worst_mistakes(answer: Any) -> str:
    """Judge an answer to: Step 7, the worst mistakes."""
    import numpy as np

    table, labels = np.array([row for row, _ in _GUESSES]), np.array([label for _, label in _GUESSES])
    said, sure = table.argmax(1), table.max(1)
    wrong = sorted(np.flatnonzero(said != labels).tolist(), key=lambda row: -sure[row])
    for count in (3, len(wrong), 20):
        given = ask(answer, table.copy(), labels.copy(), count, clues=_MISTAKE_CLUES)
        found = _mistakes(given)
        _compare_mistakes([row["row"] for row in found], wrong, min(count, len(wrong)), said, sure, labels)
        for row in found:
            number, truth = row["row"], (int(said[row["row"]]), float(sure[row["row"]]))
            about = f"Row {number} has the probabilities {table[number].tolist()} and the label {labels[number]}"
            require(
                row["said"] == truth[0],
                f"{about}: what the model said is {truth[0]}, the likeliest class, and you give {shown(row['said'])}.",
            )
            require(
                row["probability"] == truth[1] or abs(row["probability"] - truth[1]) < 1e-6,
                f"{about}: the model's answer has {truth[1]}, and you give {shown(row['probability'])}.",
            )
    sound = np.flatnonzero(said == labels)
    none = ask(answer, table[sound], labels[sound], 3, clues=_MISTAKE_CLUES)
    require(
        len(_mistakes(none)) == 0, f"Where every answer is right there is no mistake, and you return {shown(none)}."
    )
    return f"The {len(wrong)} wrong answers of {len(labels)} rows, the surest first, and never a right one."


_MISTAKE_CLUES = {
    "out of bounds": "There may be fewer mistakes than asked for: return those that there are.",
    "out of range": "There may be fewer mistakes than asked for: return those that there are.",
    "zero-size": "There may be no mistake at all.",
    "empty": "There may be no mistake at all.",
}


def _mistakes(value: Any) -> list[dict[str, Any]]:
    """Return mistakes as a list of dictionaries of plain numbers."""
    rows = value.to_dict("records") if hasattr(value, "columns") else [fields(row) for row in as_list(value) or [None]]
    require(
        rows.count(None) == 0 or as_list(value) == [],
        f"Return a list of dictionaries, one a mistake; this is {shown(value)}.",
    )
    found = []
    for row in filter(None, rows):
        lacking = [name for name in ("row", "said", "probability") if name not in row]
        require(not lacking, f"A mistake has {', '.join(map(str, row))} and no {', '.join(lacking)}.")
        numbers = {name: as_number(row[name]) for name in ("row", "said", "probability")}
        require(
            None not in numbers.values(),
            f"A mistake is {shown(row)}: its row, what was said and its probability are numbers.",
        )
        found.append({**numbers, "row": int(numbers["row"] or 0)})
    return found


def _compare_mistakes(rows: list[int], wrong: list[int], count: int, said: Any, sure: Any, labels: Any) -> None:
    require(
        all(0 <= row < len(labels) for row in rows), f"The rows go from 0 to {len(labels) - 1}; you name {shown(rows)}."
    )
    for row in rows:
        require(
            row in wrong,
            f"Row {row} is named, and its answer {said[row]} is right: keep the wrong ones alone, by their place "
            "among all rows.",
        )
    require(len(rows) == len(set(rows)), f"A row is named more than once, {shown(rows)}: name each once.")
    require(
        len(rows) == count,
        f"You return {len(rows)} mistakes where {count} are wanted, the surest ones of the {len(wrong)} there are.",
    )
    for place, (row, wanted) in enumerate(zip(rows, wrong, strict=False)):
        require(
            row == wanted,
            f"At place {place} you have row {row}, whose wrong answer has {sure[row]:.2f}. Row {wanted} belongs there, "
            f"with {sure[wanted]:.2f}: first comes the mistake of which the model was surest, by what it said.",
        )
