"""Lesson 3's helpers: splits that do not leak, clear errors, and a function that padding does not change."""

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from transformers import AutoTokenizer

from ftcourse import classification as c
from ftcourse.errors import CourseError


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(c.model_path("all-minilm-l6-v2"))


@pytest.fixture(scope="module")
def model():
    return c.load_classifier("all-minilm-l6-v2").eval()


def test_no_film_is_on_two_sides_and_nothing_is_lost():
    sides = c.load_reviews()
    films = [set(side["film"]) for side in sides.values()]
    assert not (films[0] & films[1] or films[0] & films[2] or films[1] & films[2])
    assert sum(map(len, sides.values())) == len(c.read_review_sentences()) > 12_000
    texts = [text for side in sides.values() for text in side["text"]]
    assert len(set(texts)) == len(texts)
    assert sides["train"].features["label"].names == ["rotten", "fresh"]


def test_split_is_the_same_every_time_and_whole_groups():
    data = Dataset.from_dict({"text": [str(i) for i in range(100)], "film": [i // 5 for i in range(100)]})
    first, second = c.split_by_group(data, "film"), c.split_by_group(data, "film")
    assert first["test"]["text"] == second["test"]["text"]
    for side in first.values():
        assert all(side["film"].count(film) == 5 for film in set(side["film"]))


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
    ],
)
def test_bad_examples_are_named(texts, labels, message):
    with pytest.raises(CourseError, match=message):
        c.check_examples(texts, labels)


def test_good_examples_pass():
    assert c.check_examples(["a", "b", "c"], [0, 1, 2], num_labels=3) == 3


def test_missing_column_names_what_is_there():
    data = Dataset.from_dict({"sentence": ["a"], "label": [0]})
    with pytest.raises(CourseError, match="no column text. It has sentence, label"):
        c.require_columns(data, ["text", "label"])


def test_fine_tune_refuses_bad_data_before_it_loads_or_writes_anything(tmp_path):
    one_class = Dataset.from_dict({"text": ["a", "b"], "label": [1, 1]})
    with pytest.raises(CourseError, match="two classes"):
        c.fine_tune(DatasetDict(train=one_class, validation=one_class), "all-minilm-l6-v2", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_padding_does_not_change_the_answer(model, tokenizer):
    """Padding to 512 costs 18 times as much and computes the same function, which the benchmark relies on."""
    texts = ["A joy.", "A long and winding road to nowhere, with a nap in the middle."]
    short = tokenizer(texts, padding=True, return_tensors="pt")
    long = tokenizer(texts, padding="max_length", max_length=512, return_tensors="pt")
    with torch.inference_mode():
        assert torch.allclose(model(**short).logits, model(**long).logits, atol=1e-4)


def test_predictions_keep_the_order_of_the_texts(model, tokenizer):
    texts = ["A joy from start to finish, warm and wise.", "Dull.", "A bore. " * 30]
    together = c.predict(texts, model, tokenizer, batch_size=2)
    alone = [c.predict([text], model, tokenizer)[0] for text in texts]
    assert [row["label"] for row in together] == [row["label"] for row in alone]
    assert np.allclose([r["probability"] for r in together], [r["probability"] for r in alone], atol=1e-3)
    assert set(row["label"] for row in together) <= {"rotten", "fresh"}


def test_predict_names_a_text_that_is_none(model, tokenizer):
    with pytest.raises(CourseError, match="Text 1 .* NoneType"):
        c.predict(["fine", None], model, tokenizer)


def test_features_ignore_padding_and_keep_the_order(tokenizer):
    from transformers import AutoModel

    encoder = AutoModel.from_pretrained(c.model_path("all-minilm-l6-v2"))
    data = Dataset.from_dict(
        {"text": ["A joy.", "A long and winding road to nowhere at all.", "Dull."], "label": [1, 0, 0]}
    )
    tokenized = c.tokenize(data, tokenizer)
    together = c.sentence_features(encoder, tokenized, tokenizer, batch_size=3)
    alone = c.sentence_features(encoder, tokenized, tokenizer, batch_size=1)
    assert together.shape == (3, 384)
    assert np.allclose(together, alone, atol=1e-4 if together.dtype == np.float32 else 1e-2)


def test_probabilities_are_a_softmax():
    logits = np.array([[0.0, 0.0], [1000.0, -1000.0], [1.0, 2.0]])
    found = c.probabilities(logits)
    assert np.allclose(found.sum(axis=1), 1) and np.allclose(found[0], 0.5) and np.allclose(found[1], [1, 0])
    assert found[2, 1] == pytest.approx(1 / (1 + np.exp(-1)))


def test_metrics_by_hand():
    logits, labels = np.array([[2.0, 1.0], [0.0, 3.0], [1.0, 0.0], [0.0, 1.0]]), np.array([0, 1, 1, 0])
    assert c.compute_metrics((logits, labels)) == {"accuracy": 0.5, "f1": pytest.approx(0.5)}


def test_baseline_beats_the_commoner_class_and_reads_words():
    sides = c.load_reviews(num_train=2000, num_test=500)
    baseline = c.train_baseline(sides["train"], sides["validation"], strengths=(3,))
    labels = np.array(sides["test"]["label"])
    assert baseline.score(sides["test"]["text"], labels) > max(labels.mean(), 1 - labels.mean()) + 0.05
    assert list(baseline.predict(["dull, tedious and bad", "a funny, moving, brilliant delight"])) == [0, 1]


def test_reviews_of_another_kind_are_whole_reviews_without_markup():
    other = c.load_out_of_domain()
    assert len(other) == 200 and set(other["label"]) == {0, 1}
    assert not any("<br" in text for text in other["text"])
    assert np.mean([len(text.split()) for text in other["text"]]) > 100
