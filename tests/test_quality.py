"""Lesson 7's data tools: they name what is wrong, never crash, lose nothing unexplained, and find what was planted."""

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftcourse import data_checks, planting, quality
from ftcourse.errors import CourseError

GOOD = {"input": "A warm and funny film.", "output": "fresh"}
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(codec=None))
    | st.builds(lambda: 10**5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
# Items that look like the real thing, with few different texts, so that duplicates and conflicts come about.
TEXTS = st.sampled_from(
    ["A JOY, truly", " a joy,\u00a0truly", "a joy, truly\u200b", "Dull, dull, dull", "", "  ", "Meh", "â€™"]
)
ITEMS = st.fixed_dictionaries(
    {},
    optional={
        "input": TEXTS | JSON,
        "output": st.sampled_from(["fresh", "Fresh", "rotten", 0, 1, True]) | JSON,
        "x": JSON,
    },
)
DATA = st.lists(ITEMS | JSON, max_size=12)
LABELS = st.sampled_from([None, ("fresh", "rotten"), (0, 1), [True, False]])


def kinds(issues):
    return [issue.kind for issue in issues]


# --- The validator ---------------------------------------------------------------------------------------------------


def test_good_data_have_no_issue():
    data = [GOOD, {"input": "A waste of an evening.", "output": "rotten"}]
    assert quality.validate_training_data(data) == quality.validate_training_data(data, ["fresh", "rotten"]) == []
    assert quality.clean_data(data) == (data, [])


@pytest.mark.parametrize(
    ("item", "field", "kind", "reason"),
    [
        ("A film.", None, "wrong_type", "is text, not a dictionary"),
        (None, None, "wrong_type", "NoneType, not a dictionary"),
        ({"output": "fresh"}, "input", "missing", "is missing"),
        ({"input": None, "output": "fresh"}, "input", "missing", "is None"),
        ({"input": 7, "output": "fresh"}, "input", "wrong_type", "is a number, not text"),
        ({"input": ["A", "film"], "output": "fresh"}, "input", "wrong_type", "is a list, not text"),
        ({"input": "", "output": "fresh"}, "input", "empty", "is empty"),
        ({"input": " \n\u200b", "output": "fresh"}, "input", "empty", "nothing but white space"),
        ({"input": "  Too bad. ", "output": "fresh"}, "input", "too_short", "has 8 characters, fewer than 10"),
        ({"input": "long " * 3000, "output": "fresh"}, "input", "too_long", "has 14,999 characters, more than 10,000"),
        ({"input": "A film\x00 to see", "output": "fresh"}, "input", "encoding", r"'\x00' at 6"),
        ({"input": "A film \ufffd to see", "output": "fresh"}, "input", "encoding", r"'\ufffd' at 7"),
        ({"input": "A film \ud83d to see", "output": "fresh"}, "input", "encoding", r"'\ud83d' at 7"),
        ({"input": "Itâ€™s a joy", "output": "fresh"}, "input", "encoding", "looks garbled"),
        ({"input": "A film to see"}, "output", "missing", "is missing"),
        ({"input": "A film to see", "output": " "}, "output", "empty", "white space"),
        ({"input": "A film to see", "output": False}, "output", "wrong_type", "is true or false, not text"),
    ],
)  # fmt: skip
def test_each_fault_is_named_with_item_field_reason_and_remedy(item, field, kind, reason):
    (issue,) = quality.validate_training_data([GOOD, item])
    assert (issue.index, issue.field, issue.kind) == (1, field, kind) and reason in issue.reason
    said = str(issue)
    assert said.startswith(f"Item 1{f', {field}' if field else ''}: ") and said.endswith(data_checks.REMEDIES[kind])


@pytest.mark.parametrize(
    ("labels", "label", "kind"),
    [
        (("fresh", "rotten"), "Fresh", "unknown_label"),
        (("fresh", "rotten"), 1, "unknown_label"),
        ((0, 1), "1", "unknown_label"),
        ((0, 1), 2, "unknown_label"),
        ((0, 1), True, "unknown_label"),
        pytest.param((0, 1), 10**5000, "unknown_label", id="too long to print"),
        ((0, 1), 1.0, "wrong_type"),
        ((0, 1), [1], "wrong_type"),
        ((0, 1), None, "missing"),
        ((0, 1), np.int64(1), None),
        ((True, False), True, None),
    ],
)
def test_labels_are_known_by_type_and_value(labels, label, kind):
    issues = data_checks.check_item({"input": "A film to see", "output": label}, labels=labels)
    assert kinds(issues) == ([kind] if kind else [])


def test_duplicates_and_conflicts_name_the_earlier_item():
    pan = {"input": "a WARM and  funny film.", "output": "rotten"}
    again = {"input": " A warm and funny film. ", "output": "Fresh"}
    issues = quality.validate_training_data([GOOD, dict(GOOD), pan, again])
    assert [(issue.index, issue.kind) for issue in issues] == [(1, "duplicate"), (2, "conflict"), (3, "duplicate")]
    assert issues[0].reason == "is the same as item 0"
    assert issues[2].reason == "is the same as item 0 but for case, spaces or quotes"


def test_rare_labels_are_named_and_balanced_ones_are_not():
    def of(counts):
        data = [
            {"input": f"A film, number {i}, {label}", "output": label} for label, n in counts.items() for i in range(n)
        ]
        return [
            issue.reason for issue in quality.validate_training_data(data, list("abc")) if issue.kind == "imbalance"
        ]

    assert of(dict(a=50, b=46, c=7)) == [] and of(dict(a=100, b=95, c=5)) == ["5 of 200 items have the label c"]
    assert of(dict(a=10, b=10)) == ["0 of 20 items have the label c"]


def test_field_names_and_limits_can_be_chosen():
    data = [{"text": "Meh", "label": 1}, {"text": "So-so", "label": 0}]
    options = dict(input_field="text", output_field="label", labels=(0, 1))
    assert kinds(quality.validate_training_data(data, **options)) == ["too_short"] * 2
    assert quality.validate_training_data(data, **options, min_input=3) == []


@pytest.mark.parametrize("data", [None, 3, "text", b"text", GOOD, pd.DataFrame([GOOD])])
@pytest.mark.parametrize("tool", [quality.validate_training_data, quality.clean_data])
def test_what_is_no_list_of_items_is_refused(tool, data):
    with pytest.raises(CourseError, match="The data are"):
        tool(data)


def test_generators_and_data_sets_are_taken():
    from datasets import Dataset

    data = [GOOD, dict(GOOD)]
    for given_data in (iter(data), tuple(data), Dataset.from_list(data)):
        assert kinds(quality.validate_training_data(given_data)) == ["duplicate"]


# --- The cleaner -----------------------------------------------------------------------------------------------------


def test_first_of_equal_items_is_kept_unchanged():
    data = [{"input": "A JOY, truly", "output": "fresh"}, {"input": "a joy, truly ", "output": "fresh"}, None, GOOD]
    kept, removed = quality.clean_data(data)
    assert kept == [data[0], GOOD] and kept[0] is data[0]
    assert [(issue.index, issue.kind) for issue in removed] == [(1, "duplicate"), (2, "wrong_type")]


def test_an_item_is_never_a_duplicate_of_one_that_was_removed():
    data = [
        {"input": "A JOY, truly\x00", "output": "fresh"},
        {"input": "a joy, truly\x00", "output": "fresh"},
        {"input": "long " * 9, "output": "fresh"},
        {"input": "long  long " + "long " * 7, "output": "fresh"},
    ]
    kept, removed = quality.clean_data(data, drop=("encoding", "too_long", "duplicate"), max_length=44)
    assert kept == [data[2]] and kinds(removed) == ["encoding", "encoding", "too_long"]


def test_conflicts_stay_unless_asked_for():
    data = [GOOD, {**GOOD, "output": "rotten"}]
    assert quality.clean_data(data).data == data
    kept, removed = quality.clean_data(data, drop=("conflict",))
    assert kept == data[:1] and kinds(removed) == ["conflict"]


def test_unknown_kind_to_drop_is_refused():
    with pytest.raises(CourseError, match="kind imbalance: choose among"):
        quality.clean_data([GOOD], drop=("imbalance",))


# --- Anything that JSON can hold -------------------------------------------------------------------------------------


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(DATA, LABELS)
def test_validator_never_crashes_and_names_what_it_means(data, labels):
    before = copy.deepcopy(data)
    for issue in quality.validate_training_data(data, labels):
        assert issue.index is None or 0 <= issue.index < len(data)
        assert issue.kind in data_checks.REMEDIES and issue.reason and str(issue).isprintable()
    assert data == before


@pytest.mark.long
@settings(max_examples=300, deadline=None)
@given(DATA, LABELS, st.sets(st.sampled_from(sorted(set(data_checks.REMEDIES) - {"imbalance"}))))
def test_cleaning_explains_every_removal_and_is_done_once(data, labels, drop):
    kept, removed = quality.clean_data(data, drop, labels=labels)
    gone = {issue.index: issue for issue in removed}
    assert len(gone) == len(removed) and len(kept) + len(removed) == len(data)
    assert all(
        item is data[index] for item, index in zip(kept, (i for i in range(len(data)) if i not in gone), strict=True)
    )
    assert all(issue.kind in drop | set(data_checks.UNUSABLE) for issue in removed)
    again = quality.clean_data(kept, drop, labels=labels)
    assert (
        again.removed == []
        and len(again.data) == len(kept)
        and all(a is b for a, b in zip(again.data, kept, strict=True))
    )


@settings(max_examples=100, deadline=None)
@given(DATA)
def test_what_was_cleaned_has_no_issue_of_the_dropped_kinds(data):
    found = kinds(quality.validate_training_data(quality.clean_data(data).data))
    assert not {*data_checks.UNUSABLE, "duplicate"} & set(found)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None)))
def test_normalising_twice_changes_nothing(text):
    once = data_checks.normalise(text)
    assert data_checks.normalise(once) == once


# --- Finders ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def reviews():
    from ftcourse.classification import read_review_sentences

    return read_review_sentences().shuffle(seed=0).select(range(2000))


@given(st.sets(st.integers(0, 30)), st.sets(st.integers(0, 30), min_size=1))
def test_similarity_is_jaccards(first, second):
    value = quality.similarity(first, second)
    assert (
        value == pytest.approx(1 - len(first ^ second) / len(first | second))
        and quality.similarity(second, first) == value
    )


@pytest.mark.models
def test_near_duplicates_are_those_of_an_exhaustive_search(reviews):
    texts, _ = planting.plant_near_duplicates(list(reviews["text"])[:300], 60, changes=2, min_words=4)
    pieces = [quality.shingles(text) for text in texts]
    pairs = quality.find_near_duplicates(texts)
    found = {(row.first, row.second): row.similarity for row in pairs.itertuples()}
    every = {(i, j): quality.similarity(pieces[i], pieces[j]) for j in range(len(texts)) for i in range(j)}
    truth = {pair: value for pair, value in every.items() if value >= 0.7}
    assert found.items() <= truth.items() and len(found) >= 0.95 * len(truth) > 30
    assert pairs["similarity"].is_monotonic_decreasing


@pytest.mark.models
@pytest.mark.parametrize("seed", range(3))
def test_planted_near_duplicates_are_found(reviews, seed):
    texts, planted = planting.plant_near_duplicates(list(reviews["text"]), 200, seed=seed)
    pairs = quality.find_near_duplicates(texts)
    scores = planting.score_finder(zip(pairs["first"], pairs["second"], strict=True), planted)
    assert scores["recall"] >= 0.95 and scores["precision"] >= 0.95


@pytest.mark.models
def test_leaks_between_two_sides_are_found_and_pairs_within_a_side_are_not(reviews):
    texts = list(reviews["text"])[:200]
    pairs = quality.find_near_duplicates([*texts[:100], texts[0]], [*texts[100:], texts[7].upper(), texts[100]])
    assert sorted(zip(pairs["first"], pairs["second"], strict=True)) == [(7, 100)]
    assert quality.find_near_duplicates([], []).empty and quality.find_near_duplicates(["", " ", "!"])[
        "similarity"
    ].tolist() == [1]


def test_texts_of_punctuation_alone_are_near_only_if_they_are_the_same():
    pairs = quality.find_near_duplicates(["!!!", "...", "?!", "A film to see.", "!!!", "…"])
    assert list(zip(pairs["first"], pairs["second"], strict=True)) == [(0, 4)]
    assert quality.find_near_duplicates(["!!!"], ["...", "", "film"]).empty


def test_texts_that_are_no_texts_are_named():
    with pytest.raises(CourseError, match="Text 1 is of type NoneType"):
        quality.find_near_duplicates(["a film", None])


def test_only_copies_of_what_stays_are_left_out():
    pairs = pd.DataFrame({"first": [1, 0, 3], "second": [2, 1, 4], "similarity": [0.9, 0.8, 0.7]})
    assert quality.later_copies(pairs) == [1, 4]  # 2 is near 1, which goes, and not near 0


@pytest.mark.models
def test_planted_changes_leave_what_they_say(reviews):
    texts = list(reviews["text"])
    altered, planted = planting.plant_near_duplicates(texts, 50, seed=1)
    assert altered[:-50] == texts and len({first for first, _ in planted}) == 50
    assert all(altered[first] != altered[second] for first, second in planted)
    labels, rows = planting.plant_flips([0, 1, 2, 0] * 25, 0.3)
    assert (
        len(rows) == 30
        and np.flatnonzero(labels != [0, 1, 2, 0] * 25).tolist() == rows.tolist()
        and set(labels) == {0, 1, 2}
    )
    assert (
        planting.plant_flips([0, 1] * 50, 0.1, seed=1)[1].tolist()
        != planting.plant_flips([0, 1] * 50, 0.1, seed=2)[1].tolist()
    )


@pytest.mark.models
@pytest.mark.parametrize("seed", range(5))
def test_every_planted_issue_is_found_under_its_name(reviews, seed):
    data = [{"input": row["text"], "output": ("rotten", "fresh")[row["label"]]} for row in reviews.select(range(300))]
    data = [item for item in data if not data_checks.check_item(item)]
    broken, places = planting.plant_issues(data, seed)
    found = {issue.index: issue.kind for issue in quality.validate_training_data(broken, ["fresh", "rotten"])}
    assert found == places and set(places.values()) == set(data_checks.REMEDIES) - {"imbalance"}


def test_planted_faults_are_what_they_are_called():
    names = ("rotten", "fresh")
    rows, test = (
        [
            {"text": f"{side} text {n} has nine words or a few more", "label": names[n % 2], "film": f"{side} {n // 4}"}
            for n in range(count)
        ]
        for side, count in (("train", 200), ("test", 40))
    )
    spoilt, planted = planting.plant_faults(rows, test, names, seed=3)
    assert spoilt == planting.plant_faults(rows, test, names, seed=3)[0] != planting.plant_faults(rows, test, names)[0]
    assert {kind: len(places) for kind, places in planted.items()} == {
        "blank": 4, "label": 4, "conflict": 8, "flip": 20, "leak": 8
    }  # fmt: skip
    number = {row["text"]: n for n, row in enumerate(rows)}
    for place, row in enumerate(spoilt):
        kinds = {kind for kind, places in planted.items() if place in places}
        assert (not row["text"].strip()) == (kinds == {"blank"}) and (row["label"] not in names) == (kinds == {"label"})
        if not kinds:
            assert row == rows[number[row["text"]]]
        if kinds == {"flip"}:
            assert row["label"] != rows[number[row["text"]]]["label"]
    conflicts = pd.DataFrame([spoilt[place] for place in planted["conflict"]])
    assert set(conflicts.groupby(conflicts["text"].map(data_checks.normalise))["label"].nunique()) == {2}
    near = quality.find_near_duplicates([spoilt[place]["text"] for place in planted["leak"]], [r["text"] for r in test])
    assert set(near["first"]) == set(range(8)) and not {row["film"] for row in spoilt} & {row["film"] for row in test}


def test_score_of_a_finder():
    assert planting.score_finder([1, 2, 3, 4], [1, 2, 9]) == {"precision": 0.5, "recall": 2 / 3, "found": 4}
    assert planting.score_finder([], [1]) == {"precision": 0.0, "recall": 0.0, "found": 0}


@pytest.fixture(scope="module")
def blobs():
    """Two groups of points that a line tells apart but for a tenth, a tenth of the labels flipped."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2000)
    features = rng.normal(size=(2000, 5)) + 1.1 * (2 * truth[:, None] - 1) * np.array([1, 0.5, 0, 0, 0])
    return features, *planting.plant_flips(truth, 0.1)


def test_wrong_labels_are_found_with_three_times_the_base_rate(blobs):
    features, labels, rows = blobs
    found = quality.find_label_errors(labels, quality.out_of_fold(features, labels))
    scores = planting.score_finder(found["row"], rows)
    assert scores["precision"] > 0.3 and scores["recall"] > 0.2
    assert found["label_probability"].is_monotonic_increasing and (found["label_probability"] < 0.5).all()
    assert (found["suggested"] == 1 - found["label"]).all() and (found["label"] == labels[found["row"]]).all()
    everyone = quality.find_label_errors(labels, quality.out_of_fold(features, labels), surest=1)
    assert len(found) == round(len(everyone) / 3) and everyone["row"][: len(found)].tolist() == found["row"].tolist()


def test_nobody_is_judged_by_a_model_that_saw_it_or_its_group(blobs):
    features, _, _ = blobs
    own = np.eye(400)  # a feature of its own for every row: memory alone could use it
    labels = np.random.default_rng(0).integers(0, 2, 400)
    assert abs((quality.out_of_fold(own, labels).argmax(1) == labels).mean() - 0.5) < 0.1
    groups = np.repeat(np.arange(100), 4)
    shared = np.eye(100)[groups]
    by_group = np.random.default_rng(1).integers(0, 2, 100)[groups]
    assert (quality.out_of_fold(shared, by_group).argmax(1) == by_group).mean() > 0.9
    assert abs((quality.out_of_fold(shared, by_group, groups).argmax(1) == by_group).mean() - 0.5) < 0.2


@pytest.mark.parametrize("labels", [[0] * 20, [0] * 17 + [1] * 3, []])
def test_too_few_examples_to_judge_labels(labels):
    with pytest.raises(CourseError, match="5 folds need at least two labels"):
        quality.out_of_fold(np.zeros((len(labels), 2)), labels)


@pytest.mark.parametrize("labels", [[0, 1, 0], [0, 2], [-1, 0]])
def test_labels_must_fit_the_probabilities(labels):
    with pytest.raises(CourseError, match="don't fit probabilities"):
        quality.find_label_errors(labels, np.full((2, 2), 0.5))


def test_a_class_of_one_group_is_named_and_so_are_missing_groups():
    rng = np.random.default_rng(0)
    features, labels = rng.normal(size=(30, 4)), np.array([0, 1] * 10 + [2] * 10)
    groups = [f"group {row % 5}" for row in range(20)] + ["alone"] * 10
    with pytest.raises(CourseError, match=r"class 2 \(1 group\) fall into one fold"):
        quality.out_of_fold(features, labels, groups)
    spread = [f"group {row % 6}" for row in range(30)]
    expected = quality.out_of_fold(features, labels, spread)
    assert expected.shape == (30, 3) and (expected > 0).all()
    for same in (np.array(spread), pd.Series(spread), iter(spread)):
        np.testing.assert_allclose(quality.out_of_fold(features.tolist(), pd.Series(labels), same), expected)
    for wrong, message in ((spread[:9], "30 rows and 9 groups"), ([None, *spread[1:]], "Row 0 has no group")):
        with pytest.raises(CourseError, match=message):
            quality.out_of_fold(features, labels, wrong)
    with pytest.raises(CourseError, match="groups is 3, and at least 5"):
        quality.out_of_fold(features, labels, [row % 3 for row in range(30)])


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (np.zeros((20, 2)), [1, 2] * 10, r"1, 2, with a gap.*np.unique"),
        (np.zeros((20, 2)), [0.0, 1.0] * 10, "Label 0 is 0.0"),
        (np.zeros((20, 2)), ["a", "b"] * 10, "Label 0 is 'a'"),
        (np.full((20, 2), np.nan), [0, 1] * 10, "Row 0 of the features is not a number"),
        (np.zeros(20), [0, 1] * 10, "shape"),
        (np.zeros((19, 2)), [0, 1] * 10, "19 rows of features and 20 labels"),
    ],
)
def test_features_and_labels_that_cannot_be_learnt_from(features, labels, message):
    with pytest.raises(CourseError, match=message):
        quality.out_of_fold(features, labels)


def test_label_errors_are_found_by_probabilities_only():
    probabilities = [[0.9, 0.1], [0.2, 0.8]] * 10
    labels = [0, 1] * 9 + [1, 1]
    expected = quality.find_label_errors(np.array(labels), np.array(probabilities), surest=1)
    assert expected["row"].tolist() == [18]
    assert quality.find_label_errors(pd.Series(labels), pd.DataFrame(probabilities), surest=1).equals(expected)
    for wrong, message in (
        (dict(probabilities=[[3.0, -1.0]] * 20), "softmax"),
        (dict(probabilities=[[np.nan, 1]] * 20), "not a number"),
        (dict(labels=[float(label) for label in labels]), "Label 0 is 0.0"),
        (dict(labels=["a"] * 20), "Label 0 is 'a'"),
        (dict(surest=50), "surest is 50"),
    ):
        with pytest.raises(CourseError, match=message):
            quality.find_label_errors(**{"labels": labels, "probabilities": probabilities, **wrong})


def test_known_labels_may_come_from_anywhere():
    from datasets import ClassLabel

    data = [{"input": "A film to see", "output": "fresh"}, {"input": "A film to miss", "output": "rotten"}]
    names = ["fresh", "rotten"]
    for labels in (np.array(names), pd.Series(names), iter(names), ClassLabel(names=names), [*names, "fresh"]):
        assert quality.validate_training_data(data, labels) == []
    numbers = [{**item, "output": number} for number, item in enumerate(data)]
    for labels in (np.arange(2), (label for label in (0, 1))):
        assert quality.validate_training_data(numbers, labels) == []
        assert quality.clean_data(numbers, labels=np.arange(2)).removed == []
    with pytest.raises(CourseError, match="not a list"):
        quality.validate_training_data(data, "fresh")


def test_what_a_table_leaves_empty_is_missing():
    for nothing in (np.nan, float("nan"), pd.NA, pd.NaT):
        assert kinds(data_checks.check_item({"input": nothing, "output": "fresh"})) == ["missing"]


def test_kinds_to_drop_may_be_one_or_come_from_a_generator():
    data = [GOOD, {**GOOD, "output": "rotten"}]
    for drop in ("conflict", (kind for kind in ["conflict"]), np.array(["conflict"])):
        assert kinds(quality.clean_data(data, drop).removed) == ["conflict"]


def test_texts_of_any_script_are_compared_and_any_list_is_taken():
    texts = ["🙂🙂🙂", "🎉🎉🎉", "मैं घर जाता हूँ", "मा घोर जीते हैं", "I like C++", "I like C"]
    assert quality.find_near_duplicates(texts, threshold=0.9).empty
    for same in (np.array(texts), pd.Series(texts, index=range(9, 3, -1)), iter(texts)):
        pairs = quality.find_near_duplicates(same, pd.Series(["i like c++!"], index=[7]), threshold=0.9)
        assert list(zip(pairs["first"], pairs["second"], strict=True)) == [(4, 0)]
    for wrong, message in (
        (dict(texts="one text"), "not a list"),
        (dict(texts=texts, others="one text"), "not a list"),
        (dict(texts=texts, threshold=70), "threshold is 70"),
        (dict(texts=texts, num_perm=1), "num_perm is 1"),
    ):
        with pytest.raises(CourseError, match=message):
            quality.find_near_duplicates(**wrong)
    assert quality.similarity(set(), set()) == 1


def test_names_that_moved_are_still_found_in_the_lesson():
    for module in (data_checks, planting):
        for name in ("Issue", "REMEDIES", "UNUSABLE", "check_item", "encoding_damage", "normalise", "alter",
                     "plant_issues", "plant_near_duplicates", "plant_flips", "score_finder"):  # fmt: skip
            if hasattr(module, name):
                assert getattr(quality, name) is getattr(module, name)
