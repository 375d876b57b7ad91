"""The shared training defaults: what they promise, and the faults that they guard against."""

import gc

import numpy as np
import pytest
import tiny_text
import torch
from torch.nn.utils.rnn import pad_sequence
from transformers import (
    AutoModelForSequenceClassification,
    BertConfig,
    BertForQuestionAnswering,
    BertForSequenceClassification,
    BertForTokenClassification,
    BertModel,
    DataCollatorWithPadding,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    LlamaConfig,
    LlamaForCausalLM,
    Trainer,
)

from ftcourse import train
from ftcourse.errors import CourseError

pytestmark = pytest.mark.models


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


def llama():
    return LlamaForCausalLM(
        LlamaConfig(vocab_size=50, hidden_size=16, intermediate_size=32, num_hidden_layers=1, num_attention_heads=2,
                    num_key_value_heads=1, pad_token_id=0)
    )  # fmt: skip


LENGTHS = [3, 14, 5, 30, 2, 11, 8, 30, 4, 21, 6]
# For each task a tiny random model, and what it learns from a sequence of tokens.
TASKS = {
    "sequence classification": (bert, lambda ids: {"labels": len(ids) % 2}),
    "token classification": (lambda: bert(BertForTokenClassification), lambda ids: {"labels": [i % 2 for i in ids]}),
    "question answering": (reader, lambda ids: {"start_positions": len(ids) // 2, "end_positions": len(ids) - 1}),
    "causal language model": (llama, lambda ids: {"labels": ids}),
}


def unequal_rows(answer):
    """Return examples of unequal length as a list of dictionaries, with `answer(ids)` beside the tokens."""
    generator = torch.Generator().manual_seed(0)
    every = [torch.randint(5, 50, (length,), generator=generator).tolist() for length in LENGTHS]
    return [{"input_ids": ids, "attention_mask": [1] * len(ids)} | answer(ids) for ids in every]


def pad(rows):
    """Return a batch, padded to its longest row."""
    batch = {}
    for name in rows[0]:
        values = [torch.tensor(row[name]) for row in rows]
        filler = train.IGNORED if name == "labels" else 0
        batch[name] = pad_sequence(values, True, filler) if values[0].ndim else torch.stack(values)
    return batch


def order_trainer(task, tmp_path, **arguments):
    train.seed_everything(0)
    make_model, answer = TASKS[task]
    args = train.training_arguments(tmp_path, per_device_eval_batch_size=4, disable_tqdm=True, bf16=False, use_cpu=True)
    rows = unequal_rows(answer)
    return train.build_trainer(make_model().eval(), args, eval_dataset=rows, data_collator=pad, **arguments), rows


@pytest.mark.parametrize("task", TASKS)
@torch.no_grad()
def test_predictions_are_the_models_row_by_row(task, tmp_path):
    trainer, rows = order_trainer(task, tmp_path)
    assert trainer.args.train_sampling_strategy == "group_by_length"
    prediction = trainer.predict(rows)
    names = ["start_logits", "end_logits"] if task == "question answering" else ["logits"]
    predicted = prediction.predictions if len(names) > 1 else [prediction.predictions]
    for i, row in enumerate(rows):
        alone = trainer.model(**pad([row]))
        for name, values in zip(names, predicted, strict=True):
            own = alone[name][0].numpy()
            assert np.allclose(values[i][: len(own)], own, atol=1e-5), f"row {i}"
    if task != "question answering":
        expected = pad(rows)["labels"].numpy()
        assert (prediction.label_ids == expected).all()


@pytest.mark.parametrize("task", TASKS)
@torch.no_grad()
def test_the_evaluation_loss_is_that_of_the_rows_in_their_order(task, tmp_path):
    trainer, rows = order_trainer(task, tmp_path)
    batches = [rows[start : start + 4] for start in range(0, len(rows), 4)]
    expected = sum(trainer.model(**pad(batch)).loss.item() * len(batch) for batch in batches) / len(rows)
    assert trainer.evaluate()["eval_loss"] == pytest.approx(expected, rel=1e-5)
    if task == "sequence classification":  # one answer a row, and padding is left out: batches don't matter
        alone = np.mean([trainer.model(**pad([row])).loss.item() for row in rows])
        assert trainer.evaluate()["eval_loss"] == pytest.approx(alone, rel=1e-5)


def test_a_class_of_ones_own_keeps_the_order_and_training_still_groups_by_length(tmp_path):
    class Own(Trainer):
        pass

    trainer, rows = order_trainer("sequence classification", tmp_path, trainer_class=Own)
    assert type(trainer) is Own
    trainer.train_dataset = rows
    in_training = [LENGTHS[i] for i in sum(trainer.get_train_dataloader().batch_sampler, [])]
    assert in_training == sorted(LENGTHS, reverse=True)
    for loader in (trainer.get_eval_dataloader(), trainer.get_test_dataloader(rows)):
        assert sum(loader.batch_sampler, []) == list(range(len(rows)))


def test_a_stream_without_a_length_is_read_as_it_comes(tmp_path):
    trainer, rows = order_trainer("sequence classification", tmp_path)

    class Stream(torch.utils.data.IterableDataset):
        def __iter__(self):
            return iter(rows)

    assert np.allclose(trainer.predict(Stream()).predictions, trainer.predict(rows).predictions, atol=1e-6)


class Spam(BertForSequenceClassification):
    """A subclass with a name of its own."""


def adapted():
    from peft import LoraConfig, get_peft_model

    return get_peft_model(bert(Spam), LoraConfig(task_type="SEQ_CLS", r=2, target_modules=["query"]))


@pytest.mark.parametrize("make", [lambda: bert(Spam), adapted])
def test_any_classifiers_loss_is_counted_once(make, tmp_path):
    once, twice = (losses(make, tmp_path, accumulation) for accumulation in (1, 2))
    assert once == pytest.approx(twice, rel=1e-3)


def test_a_loss_is_counted_once_where_the_trainer_makes_the_model(tmp_path):
    def build(model, args, **parts):
        return train.build_trainer(None, args, model_init=lambda: model, **parts)

    once, twice = (losses(bert, tmp_path, accumulation, build) for accumulation in (1, 2))
    assert once == pytest.approx(twice, rel=1e-3)


@pytest.mark.parametrize(("smoothing", "uses"), [(0.0, True), (0.1, False)])
def test_a_language_model_divides_by_its_tokens_itself(smoothing, uses, tmp_path):
    args = train.training_arguments(tmp_path, label_smoothing_factor=smoothing)
    model = llama()
    assert train.build_trainer(model, args).model_accepts_loss_kwargs == uses
    assert not hasattr(model, "accepts_loss_kwargs")  # the model is left as it was
    for make in (bert, llama):  # what is compiled takes any keyword, so its signature says nothing
        compiled = torch.compile(make(), backend="eager")
        assert train.build_trainer(compiled, args).model_accepts_loss_kwargs == (uses and make is llama)


def test_a_trainer_without_a_model_or_padding_is_refused(tmp_path):
    args = train.training_arguments(tmp_path)
    for init in (None, "bert", bert()):
        with pytest.raises(CourseError, match="no model to train"):
            train.build_trainer(None, args, model_init=init)
    tokens = tiny_text.tokenizer(pad_token=None)
    for parts in (dict(processing_class=tokens), dict(data_collator=DataCollatorWithPadding(tokens))):
        with pytest.raises(CourseError, match="tokenizer.pad_token = tokenizer.eos_token"):
            train.build_trainer(bert(), args, **parts)


def test_settings_from_arrays_are_plain_and_contradictions_told(tmp_path):
    args = train.training_arguments(tmp_path, learning_rate=np.float32(0.5), max_steps=np.int64(3))
    assert (type(args.learning_rate), type(args.max_steps)) == (float, int)
    with pytest.raises(CourseError, match="don't go together"):
        train.training_arguments(tmp_path, load_best_model_at_end=True, eval_strategy="epoch", save_strategy="steps")


@pytest.mark.parametrize("seed", [-1, 2**32, 0.5, "1", None])
def test_seeds_are_whole_numbers(seed):
    train.seed_everything(np.int64(3))
    with pytest.raises(CourseError, match="seed is"):
        train.seed_everything(seed)


def test_a_new_head_is_no_news_but_a_missing_body_is(tmp_path, caplog, monkeypatch):
    import logging

    monkeypatch.setattr(logging.getLogger("transformers"), "propagate", True)
    body = BertModel(bert().config)
    body.save_pretrained(tmp_path / "body")
    loaded = train.load_with_new_head(AutoModelForSequenceClassification, tmp_path / "body", num_labels=3)
    assert loaded.config.num_labels == 3 and not caplog.records
    assert torch.equal(loaded.bert.embeddings.word_embeddings.weight, body.embeddings.word_embeddings.weight)
    AutoModelForSequenceClassification.from_pretrained(tmp_path / "body")
    assert "LOAD REPORT" in caplog.text  # what is left out above

    caplog.clear()
    kept = {name: weight for name, weight in body.state_dict().items() if "word_embeddings" not in name}
    body.save_pretrained(tmp_path / "half", state_dict=kept)
    train.load_with_new_head(AutoModelForSequenceClassification, tmp_path / "half")
    assert "word_embeddings" in caplog.text
    caplog.clear()
    with pytest.raises(RuntimeError):
        train.load_with_new_head(AutoModelForSequenceClassification, tmp_path / "body", intermediate_size=7)
    assert "LOAD REPORT" in caplog.text
    assert not logging.getLogger("transformers.modeling_utils").filters


def test_libraries_are_out_of_the_search_for_garbage_that_each_training_starts():
    """Else a training in these tests takes seconds instead of tenths: see conftest.py."""
    assert gc.isenabled() and gc.get_freeze_count() > 100_000


def test_a_loss_that_is_no_number_is_told(tmp_path):
    model = bert()
    with torch.no_grad():
        model.classifier.bias.fill_(float("nan"))
    arguments = train.training_arguments(tmp_path, max_steps=1, logging_steps=1)
    trainer = train.build_trainer(model, arguments, train_dataset=Rows())
    trainer.train()
    assert np.isnan(trainer.state.log_history[0]["loss"])


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
    assert train.padding_efficiency(np.array([2, 4]), np.int64(2)) == pytest.approx(6 / 8)
    for lengths, size, message in (([0, 0], 2, "No lengths"), ([2], 0, "batch_size is 0")):
        with pytest.raises(CourseError, match=message):
            train.padding_efficiency(lengths, size)
