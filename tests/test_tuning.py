"""Lesson 8's settings: the usual starting points, the range test, the search and its pruning; and lesson 9's ways."""

import importlib

import numpy as np
import pandas as pd
import pytest
import tiny_text
import torch
from datasets import Dataset
from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, EarlyStoppingCallback

from ftcourse import logs, train, tuning, ways
from ftcourse.classification import compute_metrics, model_path
from ftcourse.errors import CourseError

pytestmark = pytest.mark.models

TINY = dict(vocab_size=30522, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(model_path("all-minilm-l6-v2"))


@pytest.fixture(scope="module")
def rows(tokenizer):
    """Sentences of which one word says the label."""
    texts = [f"{('bad', 'good')[number % 2]} film number {number // 2 % 4}" for number in range(64)]
    return Dataset.from_dict({**tokenizer(texts), "label": [number % 2 for number in range(64)]})


def tiny(trial=None):
    model = BertForSequenceClassification(BertConfig(**TINY, hidden_dropout_prob=0.0))
    model.accepts_loss_kwargs = False
    return model


# --- Starting points -------------------------------------------------------------------------------------------------


def test_recommended_arguments_are_those_of_the_source_lesson(tmp_path):
    args = tuning.recommended_arguments(tmp_path)
    assert (args.learning_rate, args.num_train_epochs, args.weight_decay, args.warmup_steps) == (2e-5, 3, 0.01, 0.1)
    assert args.per_device_train_batch_size * args.gradient_accumulation_steps == 32
    assert args.lr_scheduler_type == "cosine" and args.load_best_model_at_end
    assert tuning.recommended_arguments(tmp_path, learning_rate=1e-3).learning_rate == 1e-3


def test_a_short_run_is_evaluated_and_its_best_model_loaded(tmp_path, rows, tokenizer):
    train.seed_everything(0)
    args = tuning.recommended_arguments(tmp_path, learning_rate=1e-2, num_train_epochs=5)
    trainer = train.build_trainer(
        tiny(), args, processing_class=tokenizer, train_dataset=rows, eval_dataset=rows, compute_metrics=compute_metrics
    )
    trainer.train()
    scores = [row["eval_accuracy"] for row in trainer.state.log_history if "eval_accuracy" in row]
    assert trainer.state.global_step == 10 and len(scores) == 10
    assert trainer.evaluate()["eval_accuracy"] == max(scores) == trainer.state.best_metric


def test_early_stopping_stops_and_loads_the_best(tmp_path, rows, tokenizer):
    train.seed_everything(0)
    wrong = rows.map(lambda row: {"label": 1 - row["label"]})  # the better it learns, the worse it gets
    args = train.training_arguments(
        tmp_path,
        learning_rate=1e-2,
        num_train_epochs=20,
        per_device_train_batch_size=16,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,
        load_best_model_at_end=True,
        metric_for_best_model="loss",
        greater_is_better=False,
    )
    trainer = train.build_trainer(
        tiny(),
        args,
        processing_class=tokenizer,
        train_dataset=rows,
        eval_dataset=wrong,
        callbacks=[EarlyStoppingCallback(early_stopping_patience=2)],
    )
    trainer.train()
    losses = [row["eval_loss"] for row in trainer.state.log_history if "eval_loss" in row]
    assert len(losses) == np.argmin(losses) + 3 < 20
    assert trainer.evaluate()["eval_loss"] == pytest.approx(min(losses), rel=1e-3)


def test_model_maker_gives_a_fresh_model_with_any_classes(tmp_path):
    maker = tuning.model_maker("all-minilm-l6-v2", model_config={"hidden_dropout_prob": 0.0})
    first, second = maker(), maker()
    assert first is not second and first.config.hidden_dropout_prob == 0.0
    three = tuning.model_maker(tiny_text.save_body(tmp_path), labels=["a", "b", "c"])()
    assert list(three.config.id2label.values()) == ["a", "b", "c"]


# --- Range test ------------------------------------------------------------------------------------------------------


def test_learning_rate_grows_by_equal_factors_and_is_what_the_optimiser_used(tmp_path, rows, tokenizer, monkeypatch):
    used, real = [], torch.optim.AdamW.step

    def step(self, *args, **kwargs):
        used.append(self.param_groups[0]["lr"])
        return real(self, *args, **kwargs)

    monkeypatch.setattr(torch.optim.AdamW, "step", step)
    curve = tuning.learning_rate_range_test(
        tiny(), rows, tokenizer, tmp_path, lowest=1e-4, highest=1.0, num_steps=9, per_device_train_batch_size=16
    )
    np.testing.assert_allclose(curve["learning_rate"], 10.0 ** np.linspace(-4, 0, 9))
    np.testing.assert_allclose(used, curve["learning_rate"])
    assert curve["loss"].notna().all() and len(curve) == 9


def test_suggestion_lies_below_the_cliff():
    rates = np.geomspace(1e-6, 1e-2, 41)
    loss = np.where(rates < 1e-3, 0.7 - 0.1 * np.log10(rates / 1e-6), 5.0)
    curve = pd.DataFrame({"learning_rate": rates, "loss": loss, "smoothed": loss})
    assert tuning.suggest_learning_rate(curve) == pytest.approx(rates[29] / 10)


def test_a_curve_may_end_in_nothing_but_not_be_nothing():
    curve = pd.DataFrame({"learning_rate": [1e-4, 1e-3, 1e-2], "smoothed": [0.7, 0.5, np.nan]}, index=[5, 5, 5])
    assert tuning.suggest_learning_rate(curve.assign(loss=0.0)) == pytest.approx(1e-4)
    with pytest.raises(CourseError, match="No step had a loss"):
        tuning.suggest_learning_rate(curve.assign(smoothed=[np.nan, np.inf, np.nan]))


def test_data_without_tokens_and_searches_without_a_trial_are_refused(rows, tokenizer, tmp_path):
    texts = Dataset.from_dict({"text": ["a film"], "label": [0]})
    with pytest.raises(CourseError, match="no column input_ids. It has text, label"):
        tuning.learning_rate_range_test(tiny(), texts, tokenizer, tmp_path)
    for wrong, message in (
        (dict(train_dataset=texts), "training data has no column"),
        (dict(eval_dataset=rows.select([])), "validation data has no rows"),
        (dict(num_trials=0), "num_trials is 0"),
        (dict(model_init="bert"), "no model to train"),
    ):
        with pytest.raises(CourseError, match=message):
            parts = dict(model_init=tiny, train_dataset=rows, eval_dataset=rows, tokenizer=tokenizer)
            tuning.search(**{**parts, "output_dir": tmp_path, **wrong})


@pytest.mark.parametrize("ends", [(0, 1e-2, 10), (1e-2, 1e-3, 10), (1e-5, 1e-2, 1), (1e-5, np.inf, 9), (1e-5, 1, 2.5)])
def test_rates_that_cannot_grow_are_refused(ends, rows, tokenizer, tmp_path):
    with pytest.raises(CourseError, match="can't grow"):
        tuning.learning_rate_range_test(tiny(), rows, tokenizer, tmp_path, *ends)


# --- Search ----------------------------------------------------------------------------------------------------------


def test_search_finds_the_learning_rate_that_learns_and_stops_the_others(tmp_path, rows, tokenizer):
    rates = iter([1e-2, 2e-2, 3e-2, 1e-7, 1e-7])
    options = dict(num_trials=5, num_train_epochs=4, per_device_train_batch_size=16)

    def space(trial):
        rate = next(rates)
        return {"learning_rate": trial.suggest_float("learning_rate", rate, rate)}

    best, trials = tuning.search(tiny, rows, rows, tokenizer, tmp_path, space=space, **options)
    assert best["learning_rate"] >= 1e-2 and trials["accuracy"].max() > 0.9
    assert trials["pruned"].tolist() == [False, False, False, True, True]
    assert trials["steps"].tolist()[:3] == [16] * 3 and (trials["steps"][3:] < 16).all()


def test_search_is_the_same_for_the_same_seed(tmp_path, rows, tokenizer):
    options = dict(num_trials=2, num_train_epochs=1, per_device_train_batch_size=32)
    first, second, other = (
        tuning.search(tiny, rows, rows, tokenizer, tmp_path, seed=seed, **options)[1] for seed in (1, 1, 2)
    )
    pd.testing.assert_frame_equal(first, second)
    assert first["learning_rate"].tolist() != other["learning_rate"].tolist()
    assert set(first) == {
        "learning_rate",
        "lr_scheduler_type",
        "warmup_steps",
        "weight_decay",
        "accuracy",
        "steps",
        "pruned",
    }


# --- TensorBoard -----------------------------------------------------------------------------------------------------


def test_what_was_logged_is_read_and_a_press_opens_the_board(tmp_path, rows, tokenizer, monkeypatch):
    args = train.training_arguments(tmp_path / "out", max_steps=2, logging_steps=1)
    trainer = train.build_trainer(
        tiny(), args, processing_class=tokenizer, train_dataset=rows, tensorboard_dir=tmp_path / "runs"
    )
    trainer.train()
    scalars = logs.read_scalars(tmp_path / "runs")
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert scalars[scalars["tag"] == "train/loss"]["value"].tolist() == pytest.approx(losses)
    opened = []
    monkeypatch.setattr(importlib.import_module("tensorboard.notebook"), "start", opened.append)
    box = logs.tensorboard_button(tmp_path / "runs")
    assert opened == []
    box.children[0].click()
    assert opened == [f'--logdir "{tmp_path / "runs"}"']


def test_empty_folder_has_nothing_to_read(tmp_path):
    with pytest.raises(CourseError, match="nothing logged"):
        logs.read_scalars(tmp_path)


# --- Four ways -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["full fine-tuning", "LoRA", "QLoRA"])
def test_each_way_trains_what_it_says(way, rows, tokenizer, tmp_path):
    model = ways.adapted_classifier("all-minilm-l6-v2", way, r=4)
    trainable = {name for name, weights in model.named_parameters() if weights.requires_grad}
    kinds = {type(layer).__name__ for layer in model.modules()}
    if way == "full fine-tuning":
        assert len(trainable) == len(list(model.parameters()))
    else:
        assert all("lora_" in name or "modules_to_save" in name and "classifier" in name for name in trainable)
        # Six layers have six linear ones of 384 and 1,536 wide; the pooler has one, the new head 770 weights.
        assert model.num_parameters(only_trainable=True) == 4 * (6 * (4 * 768 + 2 * 1920) + 768) + 770
    assert ("Linear4bit" in kinds) == (way == "QLoRA")
    before = {name: weights.detach().clone() for name, weights in model.named_parameters()}
    args = train.training_arguments(
        tmp_path, max_steps=2, learning_rate=1e-3, per_device_train_batch_size=8, label_names=["labels"]
    )
    train.build_trainer(model, args, processing_class=tokenizer, train_dataset=rows).train()
    # A layer of bitsandbytes rounds its bias to the dtype in which it computes.
    moved = {
        name for name, weights in model.named_parameters() if not torch.equal(weights, before[name].to(weights.dtype))
    }
    assert moved <= trainable and any("classifier" in name for name in moved)


@pytest.mark.parametrize("way", ["feature extraction", "lora", None])
def test_unknown_way_is_refused(way):
    with pytest.raises(CourseError, match="choose full fine-tuning, LoRA or QLoRA"):
        ways.adapted_classifier("all-minilm-l6-v2", way)


def test_names_that_moved_are_still_found_in_lesson_eight():
    for name in ("read_scalars", "tensorboard_button", "trials_table"):
        assert getattr(tuning, name) is getattr(logs, name)
