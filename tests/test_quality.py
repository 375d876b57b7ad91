"""Lesson 7's data tools: they name what is wrong, never crash, lose nothing unexplained, and find what was planted."""

import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ftcourse import quality
from ftcourse.errors import CourseError

GOOD = {"input": "A warm and funny film.", "output": "fresh"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(codec=None)) | st.builds(lambda: 10**5000),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=5,
)
# Items that look like the real thing, with few different texts, so that duplicates and conflicts come about.
TEXTS = st.sampled_from(["A JOY, truly", " a joy,\u00a0truly", "a joy, truly\u200b", "Dull, dull, dull", "", "  ", "Meh", "â€™"])
ITEMS = st.fixed_dictionaries(
    {}, optional={"input": TEXTS | JSON, "output": st.sampled_from(["fresh", "Fresh", "rotten", 0, 1, True]) | JSON, "x": JSON}
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
    assert said.startswith(f"Item 1{f', {field}' if field else ''}: ") and said.endswith(quality.REMEDIES[kind])


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
    issues = quality.check_item({"input": "A film to see", "output": label}, labels=labels)
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
        data = [{"input": f"A film, number {i}, {label}", "output": label} for label, n in counts.items() for i in range(n)]
        return [issue.reason for issue in quality.validate_training_data(data, list("abc")) if issue.kind == "imbalance"]

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
    data = [{"input": "A JOY, truly\x00", "output": "fresh"}, {"input": "a joy, truly\x00", "output": "fresh"},
            {"input": "long " * 9, "output": "fresh"}, {"input": "long  long " + "long " * 7, "output": "fresh"}]
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


@settings(max_examples=300, deadline=None)
@given(DATA, LABELS)
def test_validator_never_crashes_and_names_what_it_means(data, labels):
    before = copy.deepcopy(data)
    for issue in quality.validate_training_data(data, labels):
        assert issue.index is None or 0 <= issue.index < len(data)
        assert issue.kind in quality.REMEDIES and issue.reason and str(issue).isprintable()
    assert data == before


@settings(max_examples=300, deadline=None)
@given(DATA, LABELS, st.sets(st.sampled_from(sorted(set(quality.REMEDIES) - {"imbalance"}))))
def test_cleaning_explains_every_removal_and_is_done_once(data, labels, drop):
    kept, removed = quality.clean_data(data, drop, labels=labels)
    gone = {issue.index: issue for issue in removed}
    assert len(gone) == len(removed) and len(kept) + len(removed) == len(data)
    assert all(item is data[index] for item, index in zip(kept, (i for i in range(len(data)) if i not in gone), strict=True))
    assert all(issue.kind in drop | set(quality.UNUSABLE) for issue in removed)
    again = quality.clean_data(kept, drop, labels=labels)
    assert again.removed == [] and len(again.data) == len(kept) and all(a is b for a, b in zip(again.data, kept))


@settings(max_examples=100, deadline=None)
@given(DATA)
def test_what_was_cleaned_has_no_issue_of_the_dropped_kinds(data):
    found = kinds(quality.validate_training_data(quality.clean_data(data).data))
    assert not {*quality.UNUSABLE, "duplicate"} & set(found)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec=None)))
def test_normalising_twice_changes_nothing(text):
    once = quality.normalise(text)
    assert quality.normalise(once) == once
