"""The shared training defaults: what they promise, and the loss bug that they guard against."""

import pytest
import torch
from transformers import (
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    Trainer,
)

from ftcourse import train
from ftcourse.errors import CourseError


class Rows(torch.utils.data.Dataset):
    """Sixteen examples of eight tokens."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.input_ids = torch.randint(5, 50, (16, 8), generator=generator)

    def __len__(self):
        return 16

    def __getitem__(self, i):
        return {"input_ids": self.input_ids[i], "attention_mask": torch.ones(8, dtype=torch.long), "labels": i % 2}


class Questions(Rows):
    """The same examples with the positions of an answer instead of a label."""

    def __getitem__(self, i):
        row = super().__getitem__(i)
        return {name: row[name] for name in ("input_ids", "attention_mask")} | {
            "start_positions": i % 8,
            "end_positions": 7,
        }


def bert(kind=BertForSequenceClassification):
    return kind(
        BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32,
                   hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0)
    )  # fmt: skip


def distilbert():
    return DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=2, hidden_dim=32, dropout=0.0,
                         attention_dropout=0.0, seq_classif_dropout=0.0)
    )  # fmt: skip


def reader():
    return bert(BertForQuestionAnswering)


def losses(make_model, tmp_path, accumulation, build=train.build_trainer, rows=Rows):
    """Train 4 optimiser steps on the same 16 examples a step pair, and return the logged losses."""
    train.seed_everything(0)
    arguments = train.training_arguments(
        tmp_path / str(accumulation), num_train_epochs=2, per_device_train_batch_size=8 // accumulation,
        gradient_accumulation_steps=accumulation, train_sampling_strategy="sequential", logging_steps=1,
        learning_rate=1e-3, max_grad_norm=1e9, disable_tqdm=True, bf16=False,
    )  # fmt: skip
    trainer = build(make_model(), arguments, train_dataset=rows())
    trainer.train()
    return [row["loss"] for row in trainer.state.log_history if "loss" in row]


@pytest.mark.parametrize(("make_model", "rows"), [(bert, Rows), (distilbert, Rows), (reader, Questions)])
def test_gradient_accumulation_gives_the_same_losses(make_model, rows, tmp_path):
    once, twice = (losses(make_model, tmp_path, accumulation, rows=rows) for accumulation in (1, 2))
    assert len(once) == 4
    assert once == pytest.approx(twice, rel=1e-3)


def test_the_guarded_bug_is_still_there(tmp_path):
    """When this fails, transformers has mended issue 47688 and the guard can go."""

    def unguarded(model, args, **arguments):
        return Trainer(model=model, args=args, **arguments)

    once, twice = losses(bert, tmp_path, 1, unguarded), losses(bert, tmp_path, 2, unguarded)
    assert twice[0] == pytest.approx(2 * once[0], rel=1e-2)


def test_same_seed_same_losses(tmp_path):
    assert losses(bert, tmp_path / "a", 1) == losses(bert, tmp_path / "b", 1)


def test_defaults_group_by_length_and_pick_the_dtype(tmp_path):
    arguments = train.training_arguments(tmp_path)
    assert arguments.train_sampling_strategy == "group_by_length"
    assert arguments.bf16 == train.has_bfloat16()
    assert not arguments.fp16
    assert arguments.report_to == []
    assert train.training_arguments(tmp_path, learning_rate=3e-5).learning_rate == 3e-5


@pytest.mark.parametrize(("capability", "dtype"), [("avx512_bf16", torch.bfloat16), ("avx2", torch.float32)])
def test_dtype_follows_the_processor(monkeypatch, capability, dtype):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(
        torch.cpu, "get_capabilities", lambda: {"avx512_bf16": False, "amx_tile": False, capability: True}
    )
    assert train.choose_dtype() == dtype


@pytest.mark.parametrize(
    ("name", "remedy"),
    [("evaluation_strategy", "eval_strategy"), ("no_cuda", "use_cpu"), ("nonsense", "documentation")],
)
def test_unknown_argument_names_its_replacement(tmp_path, name, remedy):
    with pytest.raises(CourseError, match=name) as raised:
        train.training_arguments(tmp_path, **{name: 1})
    assert remedy in str(raised.value)


def test_tensorboard_logs_only_when_asked(tmp_path):
    arguments = train.training_arguments(tmp_path / "out", num_train_epochs=1, disable_tqdm=True, logging_steps=1)
    train.build_trainer(bert(), arguments, train_dataset=Rows()).train()
    assert not list(tmp_path.rglob("events.out.tfevents*"))
    train.build_trainer(bert(), arguments, train_dataset=Rows(), tensorboard_dir=tmp_path / "logs").train()
    assert list((tmp_path / "logs").rglob("events.out.tfevents*"))


def test_padding_efficiency_by_hand():
    assert train.padding_efficiency([2, 4], 2) == pytest.approx(6 / 8)
    assert train.padding_efficiency([2, 4], 1) == 1
    assert train.padding_efficiency([8, 600], 2, pad_to=512) == pytest.approx(520 / 1024)
    mixed = [5, 50] * 200
    assert train.padding_efficiency(mixed, 10) > 0.9 > train.padding_efficiency(mixed, 10, group_by_length=False)
    with pytest.raises(CourseError, match="No lengths"):
        train.padding_efficiency([], 2)
