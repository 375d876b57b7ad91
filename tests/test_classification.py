"""Lesson 3's helpers: a model that padding does not change, answers in the order of the texts, and clear errors."""

import numpy as np
import pandas as pd
import pytest
import tiny_text
import torch
from datasets import ClassLabel, Dataset, DatasetDict
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
    return c.load_classifier("all-minilm-l6-v2", ["rotten", "fresh"]).eval()


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


# --- Other people's data and models ----------------------------------------------------------------------------------


def labelled(labels, names=None):
    rows = Dataset.from_dict({"text": ["a good film", "a dull film", "the story is warm", "bad"], "label": labels})
    rows = rows.cast_column("label", ClassLabel(names=names)) if names else rows
    return DatasetDict(train=rows, validation=rows)


@pytest.mark.parametrize(
    ("labels", "names", "found"),
    [
        ([0, 1, 0, 1], ["ham", "spam"], ["ham", "spam"]),
        ([0, 1, 2, 1], ["neg", "neu", "pos"], ["neg", "neu", "pos"]),
        (["spam", "ham", "eggs", "ham"], None, ["eggs", "ham", "spam"]),
        ([1, 5, 3, 5], None, ["1", "3", "5"]),
    ],
)
def test_the_model_takes_the_names_of_the_data(labels, names, found, tmp_path):
    body = tiny_text.save_body(tmp_path / "body")
    trainer = c.fine_tune(labelled(labels, names), body, tmp_path / "out", max_steps=1, disable_tqdm=True)
    assert list(trainer.model.config.id2label.values()) == found
    trainer.save_model(tmp_path / "saved")
    again = c.load_classifier(tmp_path / "saved")
    assert again.config.id2label == trainer.model.config.id2label
    texts = ["a good film", "bad"]
    assert c.predict(texts, again, trainer.processing_class) == c.predict(
        texts, trainer.model, trainer.processing_class
    )


def test_labels_that_are_no_classes_are_refused_before_anything_is_loaded(tmp_path):
    for labels in ([0.0, 1.0, 0.0, 1.0], [True, False, True, False], [0, None, 1, 1]):
        with pytest.raises(CourseError, match="of train has the label"):
            c.fine_tune(labelled(labels), tmp_path / "nowhere", tmp_path / "out")


def test_a_trained_head_is_not_given_other_names(tmp_path):
    model = tiny_text.bert(id2label={0: "ham", 1: "spam"}, label2id={"ham": 0, "spam": 1})
    model.save_pretrained(tmp_path)
    assert list(c.load_classifier(tmp_path, ["ham", "spam"]).config.id2label.values()) == ["ham", "spam"]
    for labels in (["rotten", "fresh"], ["spam", "ham"], ["a", "b", "c"]):
        with pytest.raises(CourseError, match="trained for the classes ham, spam, .* new_head=True"):
            c.load_classifier(tmp_path, labels)
        fresh = c.load_classifier(tmp_path, labels, new_head=True)
        assert list(fresh.config.id2label.values()) == labels and fresh.classifier.out_features == len(labels)
        assert not torch.equal(fresh.classifier.weight[:2], model.classifier.weight)
        body = "embeddings.word_embeddings.weight"
        assert torch.equal(fresh.bert.state_dict()[body], model.bert.state_dict()[body])
    for labels in ("ham", ["ham"], ["ham", "ham"]):
        with pytest.raises(CourseError, match="different ones|not a list"):
            c.load_classifier(tmp_path, labels)


def test_predict_takes_any_list_and_no_single_text():
    model, tokens, texts = tiny_text.bert(num_labels=3), tiny_text.tokenizer(), ["a good film", "dull", "bad"]
    expected = c.predict(texts, model, tokens)
    for given in (tuple(texts), np.array(texts), pd.Series(texts, index=[3, 1, 2]), (text for text in texts)):
        assert c.predict(given, model, tokens) == expected
    assert c.predict([], model, tokens) == []
    with pytest.raises(CourseError, match="not a list"):
        c.predict("a good film " * 10, model, tokens)
    with pytest.raises(CourseError, match="whole table"):
        c.predict(pd.DataFrame({"text": texts}), model, tokens)
    with pytest.raises(CourseError, match="batch_size is 0"):
        c.predict(texts, model, tokens, batch_size=0)
    assert len(c.predict(["film " * 500], model, tokens, max_length=500)) == 1  # it reads 64 tokens


@pytest.mark.parametrize("make", [tiny_text.bert, tiny_text.gpt2])
@pytest.mark.parametrize("options", [{}, {"padding_side": "left"}, {"pad_token": None}, {"pad_token": "</s>"}])
def test_answers_do_not_depend_on_how_the_tokenizer_pads(make, options):
    torch.manual_seed(0)
    model, tokens, texts = make(), tiny_text.tokenizer(**options), ["bad", "a good film is never less than gripping"]
    with torch.no_grad():
        alone = [model(**tokens(text, return_tensors="pt")).logits.softmax(-1).max().item() for text in texts]
    assert [row["probability"] for row in c.predict(texts, model, tokens)] == pytest.approx(alone, abs=1e-4)
    assert tokens.padding_side == options.get("padding_side", "right")


def test_a_model_without_a_padding_token_is_fine_tuned(tmp_path):
    model, tokens = tiny_text.gpt2(), tiny_text.tokenizer(pad_token=None, padding_side="left")
    model.save_pretrained(tmp_path / "body")
    tokens.save_pretrained(tmp_path / "body")
    trainer = c.fine_tune(
        labelled(["x", "y", "z", "x"]), tmp_path / "body", tmp_path / "out", max_steps=1, disable_tqdm=True
    )
    assert len(c.predict(["a good film", "dull"], trainer.model, trainer.processing_class)) == 2


def test_predict_leaves_the_model_as_it_was_and_refuses_other_kinds():
    model, tokens = tiny_text.bert(), tiny_text.tokenizer()
    model.train()
    model.bert.embeddings.eval()  # frozen in evaluation mode
    before = [part.training for part in model.modules()]
    c.predict(["dull"], model, tokens)
    assert [part.training for part in model.modules()] == before
    with pytest.raises(CourseError, match="one logit for each of several classes"):
        c.predict(["dull"], tiny_text.bert(num_labels=1), tokens)
    with pytest.raises(CourseError, match="several labels at once"):
        c.predict(["dull"], tiny_text.bert(problem_type="multi_label_classification"), tokens)
    torch.nn.init.constant_(model.classifier.bias, float("nan"))
    with pytest.raises(CourseError, match="weights are spoilt"):
        c.predict(["dull"], model, tokens)


def test_features_of_any_tokenizer_and_refusal_of_a_head():
    rows = Dataset.from_dict({"text": ["dull", "a good film is never less than gripping"], "label": [0, 1]})
    body = tiny_text.bert().bert
    expected = c.sentence_features(body, c.tokenize(rows, tiny_text.tokenizer()), tiny_text.tokenizer())
    for options in ({"padding_side": "left"}, {"pad_token": None}):
        tokens = tiny_text.tokenizer(**options)
        np.testing.assert_allclose(c.sentence_features(body, c.tokenize(rows, tokens), tokens), expected, atol=1e-5)
    with pytest.raises(CourseError, match="no hidden states, as it has a head"):
        c.sentence_features(tiny_text.bert(), c.tokenize(rows, tiny_text.tokenizer()), tiny_text.tokenizer())
    with pytest.raises(CourseError, match="no column input_ids"):
        c.sentence_features(body, rows, tiny_text.tokenizer())


def test_tokenize_takes_splits_of_any_name_and_names_a_text_that_is_none():
    rows = Dataset.from_dict({"text": ["dull", "bad"], "label": [0, 1], "film": ["x", "y"]})
    found = c.tokenize(DatasetDict(mine=rows, yours=rows.remove_columns("film")), tiny_text.tokenizer())
    assert set(found["mine"].column_names) == {"input_ids", "attention_mask", "label"}
    with pytest.raises(CourseError, match="Text 1 is of type NoneType"):
        c.tokenize(Dataset.from_dict({"text": ["dull", None], "label": [0, 1]}), tiny_text.tokenizer())


def test_padding_counts_for_nothing_whatever_stands_there():
    hidden, mask = torch.tensor([[[1.0], [3.0], [float("nan")]], [[1.0]] * 3]), torch.tensor([[1, 1, 0], [0, 0, 0]])
    assert c.pool(hidden, mask).tolist() == [[2.0], [0.0]]


def test_metrics_of_logits_that_are_no_numbers_and_of_models_that_return_more():
    logits, labels = np.array([[np.nan, np.nan], [0.0, 3.0]]), np.array([0, 1])
    assert c.compute_metrics((logits, labels))["accuracy"] == 0.5
    assert c.compute_metrics(((logits, np.zeros((2, 5))), labels))["accuracy"] == 0.5


def test_probabilities_come_from_logits_only():
    assert c.probabilities([[0, 0]]).tolist() == [[0.5, 0.5]]
    assert c.probabilities(torch.tensor([[0.0, -torch.inf]])).tolist() == [[1.0, 0.0]]
    for logits, message in (([[0.2, 0.8]], "are probabilities"), ([[np.nan, 1]], "not a number"), ([1, 2], "shape")):
        with pytest.raises(CourseError, match=message):
            c.probabilities(logits)


def test_baseline_reads_any_script_and_any_label():
    texts = ["बहुत अच्छी फ़िल्म", "बहुत बुरी फ़िल्म", "🙂", "🙁"] * 3
    frame = pd.DataFrame({"text": texts, "label": ["gut", "schlecht"] * 6}, index=range(12, 0, -1))
    baseline = c.train_baseline(frame, frame, strengths=(30,))
    assert list(baseline.predict(texts)) == list(frame["label"])
    for labels, message in (([1] * 12, "1 kinds"), ([0.0, 1.0] * 6, "has the label 0.0")):
        with pytest.raises(CourseError, match=message):
            c.train_baseline(frame.assign(label=labels), frame)
    with pytest.raises(CourseError, match="no columns text and label"):
        c.train_baseline(frame.rename(columns={"text": "review"}), frame)
