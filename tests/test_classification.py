"""Lesson 3's helpers: a model that padding does not change, answers in the order of the texts, and clear errors."""

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from transformers import AutoTokenizer

from ftcourse import classification as c
from ftcourse.errors import CourseError
from ftcourse.files import model_path
from ftcourse.reviews import load_reviews

pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(model_path("all-minilm-l6-v2"))


@pytest.fixture(scope="module")
def model():
    return c.load_classifier("all-minilm-l6-v2").eval()


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

    encoder = AutoModel.from_pretrained(model_path("all-minilm-l6-v2"))
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
    splits = load_reviews(num_train=2000, num_test=500)
    baseline = c.train_baseline(splits["train"], splits["validation"], strengths=(3,))
    labels = np.array(splits["test"]["label"])
    assert baseline.score(splits["test"]["text"], labels) > max(labels.mean(), 1 - labels.mean()) + 0.05
    assert list(baseline.predict(["dull, tedious and bad", "a funny, moving, brilliant delight"])) == [0, 1]
