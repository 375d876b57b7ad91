"""The checks at the entrances: every sensible form is taken, and what can't be meant is refused by name."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from ftcourse import inputs, letters
from ftcourse.errors import CourseError

TEXTS = ["a film", "dull"]


@pytest.mark.parametrize(
    "texts", [TEXTS, tuple(TEXTS), np.array(TEXTS), pd.Series(TEXTS, index=[7, 3]), iter(TEXTS), dict.fromkeys(TEXTS)]
)
def test_texts_are_taken_in_any_form_of_a_list(texts):
    texts = texts.keys() if isinstance(texts, dict) else texts
    found = inputs.as_texts(texts)
    assert found == TEXTS and {type(text) for text in found} == {str}


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ("a film", "one str, not a list"),
        (b"a film", "one bytes, not a list"),
        (Path("film.txt"), "not a list"),
        ({"text": TEXTS}, "one dict, not a list"),
        (None, "one NoneType, not a list"),
        (pd.DataFrame({"text": TEXTS}), "a whole table: pass one column"),
        (["a", None], "Text 1 is of type NoneType"),
        (["a", np.nan], "Text 1 is missing"),
        (["a", pd.NA], "Text 1 is missing"),
        (["a", ["b"]], "Text 1 is of type list"),
    ],
)
def test_what_is_no_list_of_texts_is_refused(texts, message):
    with pytest.raises(CourseError, match=message):
        inputs.as_texts(texts)


@pytest.mark.parametrize(
    "labels",
    [[0, 2], np.array([0, 2], np.int32), torch.tensor([0, 2]), pd.Series([0, 2]), [np.int64(0), 2], iter([0, 2])],
)
def test_labels_are_taken_in_any_form_of_whole_numbers(labels):
    assert inputs.as_labels(labels, 3, 2).tolist() == [0, 2]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1.0], r"Label 1 is 1.0: .* int\(label\)"),
        ([0, np.nan], "Label 1 is nan: fill it in"),
        ([False, True], r"Label 0 is False: .* int\(label\)"),
        (np.array([False, True]), "Label 0 is False"),
        (["ham", "spam"], "Label 0 is 'ham': map names"),
        ([0, -100], "Label 1 is -100, and labels are from 0 to 2"),
        ([0, 3], "Label 1 is 3, and labels are from 0 to 2"),
        ([0, 1, 2], "3 labels for 2 examples"),
    ],
)
def test_what_is_no_label_is_refused(labels, message):
    with pytest.raises(CourseError, match=message):
        inputs.as_labels(labels, 3, 2)


def test_probabilities_are_taken_in_any_form_and_rounded():
    table = [[0.3333, 0.6667], [1.0, 0.0]]
    for given in (
        table,
        np.array(table),
        torch.tensor(table, dtype=torch.bfloat16, requires_grad=True),
        pd.DataFrame(table),
    ):
        np.testing.assert_allclose(inputs.as_probabilities(given), table, atol=0.01)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([[2.0, -1.0]], "Row 0 holds no probabilities .* softmax"),
        ([[0.5, 0.5], [0.4, 0.4]], "Row 1 holds no probabilities"),
        ([[0.5, np.nan]], "Row 0 of the probabilities is not a number"),
        ([[np.inf, 0.5]], "Row 0 of the probabilities is infinite"),
        ([0.2, 0.8], r"shape \(2,\), not \(examples, columns\)"),
        ([], "shape"),
        ([["a", "b"]], "no table of numbers"),
        ([[0.5, 0.5], [1.0]], "no table of numbers"),
    ],
)
def test_what_is_no_table_of_probabilities_is_refused(table, message):
    with pytest.raises(CourseError, match=message):
        inputs.as_probabilities(table)


def test_probabilities_are_not_taken_for_logits():
    assert inputs.as_logits([[2.0, -1.0]]).tolist() == [[2.0, -1.0]]
    with pytest.raises(CourseError, match="logits are probabilities"):
        inputs.as_logits([[0.2, 0.8], [0.9, 0.1]])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([True, 0.5], "Item 1 of the answers is 0.5"),
        (["True", "False"], "is 'True'"),
        ([0, 2], "is 2"),
        ([True, None], "is None"),
        ([True], "have 1 items where 2 are needed"),
    ],
)
def test_what_is_neither_true_nor_false_is_refused(flags, message):
    assert inputs.as_flags(np.array([1, 0]), "The answers", 2).tolist() == [True, False]
    with pytest.raises(CourseError, match=message):
        inputs.as_flags(flags, "The answers", 2)


def test_groups_need_a_value_in_each_row():
    assert inputs.as_groups(pd.Series(["b", "a", "b"]), 3).tolist() == [0, 1, 0]
    assert inputs.as_groups([("a", 1), ["b"], ("a", 1)], 3).tolist() == [0, 1, 0]
    for groups, message in (
        ([1, None], "Row 1 has no group"),
        ([1, np.nan], "Row 1"),
        (["a", "a"], "groups is 1, and"),
    ):
        with pytest.raises(CourseError, match=message):
            inputs.as_groups(groups, 2)


@pytest.mark.parametrize("value", [0, 1.5, True, "3", None, float("nan")])
def test_settings_are_numbers_between_their_ends(value):
    inputs.check_number(np.int64(3), "folds", 2, whole=True)
    with pytest.raises(CourseError, match="folds is .* give a whole number from 2 on"):
        inputs.check_number(value, "folds", 2, whole=True)


# --- Labels of data sets ---------------------------------------------------------------------------------------------


def splits(train, validation, names=None):
    from datasets import ClassLabel, Dataset, DatasetDict

    def of(labels):
        rows = Dataset.from_dict({"text": [f"text {number}" for number in range(len(labels))], "label": labels})
        return rows.cast_column("label", ClassLabel(names=names)) if names else rows

    return DatasetDict(train=of(train), validation=of(validation))


@pytest.mark.parametrize(
    ("train", "validation", "names", "numbers", "found"),
    [
        ([1, 0, 1], [0, 1], ["ham", "spam"], [1, 0, 1], ["ham", "spam"]),
        ([0, 2], [2, 0], ["neg", "neu", "pos"], [0, 2], ["neg", "neu", "pos"]),
        (["spam", "ham"], ["ham", "spam"], None, [1, 0], ["ham", "spam"]),
        ([5, 1, 3], [1, 3], None, [2, 0, 1], ["1", "3", "5"]),
        ([-1, 1], [1, -1], None, [0, 1], ["-1", "1"]),
    ],
)
def test_names_and_numbers_come_from_the_data(train, validation, names, numbers, found):
    numbered, labels = inputs.number_labels(splits(train, validation, names), ["train", "validation"])
    assert labels == found and list(numbered["train"]["label"]) == numbers
    assert numbered["validation"].features["label"].names == found
    assert list(numbered["train"]["text"]) == [f"text {number}" for number in range(len(train))]


def test_classes_in_another_order_are_matched_by_name():
    from datasets import DatasetDict

    one, other = splits([0, 1], [0], ["ham", "spam"]), splits([0, 1], [0, 1], ["spam", "ham"])
    mixed = DatasetDict(train=one["train"], validation=other["validation"])
    numbered, _ = inputs.number_labels(mixed, ["train", "validation"])
    assert list(numbered["validation"]["label"]) == [1, 0]


@pytest.mark.parametrize(
    ("train", "validation", "names", "message"),
    [
        ([1, 1], [1, 1], None, "train have the label 1: .* two classes"),
        ([0, 1], [0, 2], None, "Row 1 of validation has the label 2, and those of train are 0, 1"),
        ([0.0, 1.0], [0.0], None, "Row 0 of train has the label 0.0"),
        ([True, False], [True], None, "Row 0 of train has the label True"),
        ([0, None], [0], None, "Row 1 of train has the label None"),
        ([0, -1, 1], [0], ["a", "b"], "Row 1 of train has the label -1"),
    ],
)
def test_labels_that_are_no_classes_are_named(train, validation, names, message):
    with pytest.raises(CourseError, match=message):
        inputs.number_labels(splits(train, validation, names), ["train", "validation"])


def test_missing_splits_and_columns_are_named():
    data = splits([0, 1], [0, 1])
    with pytest.raises(CourseError, match="no split validation. It has train"):
        inputs.number_labels({"train": data["train"]}, ["train", "validation"])
    with pytest.raises(CourseError, match="the type Dataset"):
        inputs.number_labels(data["train"], ["train", "validation"])
    with pytest.raises(CourseError, match="train has no column label"):
        inputs.number_labels(data.rename_column("label", "stars"), ["train", "validation"])


# --- Scripts ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Never less than gripping, isn't it?", ["Never", "less", "than", "gripping", "isn", "it"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("I like C++ and C#", ["like", "C++", "and", "C#"]),
        ("🙂🎉 film", ["🙂", "🎉", "film"]),
    ],
)
def test_words_of_any_script(text, words):
    import re

    assert re.findall(letters.WORD, text) == words


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("never, ever -- “this”。", "never ever this"),
        ("हिन्दी!", "हिन्दी"),
        ("C++ C# 🙂 5 %", "C++ C# 🙂 5 %"),
        ("?!", ""),
    ],
)
def test_only_punctuation_is_taken_out(text, left):
    assert letters.without_punctuation(text) == left
