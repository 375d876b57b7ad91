"""The data of lesson 3: splits that do not leak, clear errors, and reviews of another kind."""

import numpy as np
import pytest
from datasets import Dataset

from ftcourse import classification, files, reviews, splits
from ftcourse.errors import CourseError
from ftcourse.reviews import NEGATION, load_contrast_pairs
from ftcourse.splits import require_columns, split_by_group


@pytest.mark.models
def test_no_film_is_in_two_splits_and_nothing_is_lost():
    dataset = reviews.load_reviews()
    films = [set(split["film"]) for split in dataset.values()]
    assert not (films[0] & films[1] or films[0] & films[2] or films[1] & films[2])
    assert sum(map(len, dataset.values())) == len(reviews.read_review_sentences()) > 12_000
    texts = [text for split in dataset.values() for text in split["text"]]
    assert len(set(texts)) == len(texts)
    assert dataset["train"].features["label"].names == ["rotten", "fresh"]


def test_split_is_the_same_every_time_and_whole_groups():
    data = Dataset.from_dict({"text": [str(i) for i in range(100)], "film": [i // 5 for i in range(100)]})
    first, second = split_by_group(data, "film"), split_by_group(data, "film")
    assert first["test"]["text"] == second["test"]["text"]
    for split in first.values():
        assert all(split["film"].count(film) == 5 for film in set(split["film"]))


@pytest.mark.parametrize(
    ("texts", "labels", "message"),
    [
        ([], [], "no examples"),
        (["a", "b"], [1, 1], "at least two classes"),
        (["a", None], [0, 1], "Row 1 .* NoneType"),
        (["a", 7], [0, 1], "Row 1 .* int"),
        (["a", "b"], [0, 2], "Row 1 .* label 2; labels are 0 to 1"),
        (["a", "b"], [0, -1], "Row 1 .* label -1"),
        (["a", "b"], [0, None], "Row 1 .* label None"),
        (["a", "b"], [0.0, 1.0], r"Row 0 .* label 0.0: .* int\(label\)"),
        (["a", "b"], [False, True], "Row 0 .* label False"),
        (["a", "b"], ["ham", "spam"], "Row 0 .* label 'ham': map names"),
        ("ab", [0, 1], "not a list"),
        (["a", "b"], [0], "2 texts and 1 labels"),
    ],
)
def test_bad_examples_are_named(texts, labels, message):
    with pytest.raises(CourseError, match=message):
        reviews.check_examples(texts, labels)


def test_good_examples_pass():
    assert reviews.check_examples(["a", "b", "c"], [0, 1, 2], num_labels=3) == 3


@pytest.mark.parametrize(
    ("films", "options", "message"),
    [
        (["x"] * 5, {}, "groups is 1, and at least 3"),
        (["x", "y", "z", None, "w"], {}, "Row 3 has no group"),
        (list("abcde"), dict(validation_size=0.5, test_size=0.5), "nothing to train on"),
        (list("abc"), dict(validation_size=0.1, test_size=0.8), "can't be split"),
        (list("abcde"), dict(test_size=0), "test_size is 0"),
    ],
)
def test_groups_that_cannot_be_split_are_refused(films, options, message):
    with pytest.raises(CourseError, match=message):
        split_by_group(Dataset.from_dict({"film": films}), "film", **options)
    with pytest.raises(CourseError, match="no column movie"):
        split_by_group(Dataset.from_dict({"film": films}), "movie")


def test_take_takes_what_it_is_told():
    data = Dataset.from_dict({"text": list("abc")})
    assert [len(splits.take(data, count)) for count in (None, 0, 2, np.int64(2), 9)] == [3, 0, 2, 2, 3]
    for count in (-1, 0.5):
        with pytest.raises(CourseError, match="count is"):
            splits.take(data, count)


def test_what_is_no_data_set_is_refused():
    from datasets import DatasetDict

    for data in ({"text": ["a"]}, DatasetDict(train=Dataset.from_dict({"text": ["a"]}))):
        with pytest.raises(CourseError, match="not a datasets.Dataset"):
            require_columns(data, ["text"])
    assert require_columns(Dataset.from_dict({"text": ["a"]}), "text").num_rows == 1


def test_missing_column_names_what_is_there():
    data = Dataset.from_dict({"sentence": ["a"], "label": [0]})
    with pytest.raises(CourseError, match="no column text. It has sentence, label"):
        require_columns(data, ["text", "label"])


@pytest.mark.models
def test_reviews_of_another_kind_are_whole_reviews_without_markup():
    other = reviews.load_out_of_domain()
    assert len(other) == 200 and set(other["label"]) == {0, 1}
    assert not any("<br" in text for text in other["text"])
    assert np.mean([len(text.split()) for text in other["text"]]) > 100


def test_what_left_the_lesson_is_still_found_there():
    homes = {
        reviews: ("REVIEW_FEATURES", "check_examples", "read_review_sentences", "load_reviews", "load_out_of_domain"),
        splits: ("require_columns", "split_by_group"),
        files: ("model_path",),
    }
    for home, names in homes.items():
        assert all(getattr(classification, name) is getattr(home, name) for name in names)


def test_contrast_pairs_differ_by_a_negation_and_are_in_one_split():
    seen = {}
    for split in ("train", "test"):
        pairs = load_contrast_pairs(split)
        for row in pairs.itertuples():
            assert bool(NEGATION.search(row.praise)) != bool(NEGATION.search(row.pan)), row
            assert row.negated == ("praise" if NEGATION.search(row.praise) else "pan")
        assert (pairs["negated"] == "praise").mean() == 0.5
        seen[split] = {*pairs["praise"], *pairs["pan"]}
        assert len(seen[split]) == 2 * len(pairs)
    assert not seen["train"] & seen["test"]
    with pytest.raises(CourseError, match="no split 'dev'"):
        load_contrast_pairs("dev")
