"""Lesson 4's helpers: LoRA as peft has it, labels that decode to the answers, a loss that leaves nothing out."""

import importlib
import json

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import LoraConfig, PeftModel, get_peft_model
from transformers import AutoConfig, AutoTokenizer, DataCollatorForSeq2Seq, LlamaConfig, TrainerCallback

from ftcourse import dialogues, lora, records, studies
from ftcourse.errors import CourseError
from ftcourse.files import DATA, model_path

pytestmark = pytest.mark.models

SYSTEM = {"role": "system", "content": "You help."}
SMALL = dict(per_device_train_batch_size=2, learning_rate=1e-2, weight_decay=0.0, logging_steps=1, disable_tqdm=True)


def dialogue(*turns):
    """A dialogue of turns that alternate between user and assistant."""
    return [SYSTEM, *({"role": ("user", "assistant")[i % 2], "content": turn} for i, turn in enumerate(turns))]


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(model_path("smollm2-135m-instruct"))


@pytest.fixture
def tiny(tiny_llama, monkeypatch):
    """The tiny Llama in place of any asset, computed in float32, so that equal means equal."""
    monkeypatch.setattr(lora, "model_path", lambda name: str(tiny_llama))
    monkeypatch.setattr(lora.train, "has_bfloat16", lambda: False)
    monkeypatch.setattr(lora.train, "choose_dtype", lambda: torch.float32)
    return "tiny"


@pytest.fixture(scope="module")
def chats():
    some = dialogues.read_chats(DATA / "support_chats.jsonl")
    return DatasetDict(train=some.select(range(8)), validation=some.select(range(8, 12)))


# --- The layer -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("sizes", "r", "alpha"), [((1, 1, 1), 1, 1), ((40, 7, 3), 2, 64), ((5, 33, 8), 8, 3)])
def test_our_layer_equals_pefts_forward_backward_and_merged(sizes, r, alpha, bias):
    rows, columns, batch = sizes
    torch.manual_seed(rows)
    layer, x = torch.nn.Linear(columns, rows, bias=bias).double(), torch.randn(batch, columns).double()
    net = torch.nn.Sequential(torch.nn.Linear(columns, rows, bias=bias).double())
    net[0].load_state_dict(layer.state_dict())
    ours = lora.LoRALinear(layer, r=r, lora_alpha=alpha).double()
    theirs = get_peft_model(
        net, LoraConfig(r=r, lora_alpha=alpha, target_modules=["0"]), autocast_adapter_dtype=False
    ).double()
    module = theirs.base_model.model[0]
    torch.nn.init.normal_(ours.B)
    with torch.no_grad():
        module.lora_A["default"].weight.copy_(ours.A)
        module.lora_B["default"].weight.copy_(ours.B)
    torch.testing.assert_close(theirs(x), ours(x))
    theirs(x).square().sum().backward()
    ours(x).square().sum().backward()
    torch.testing.assert_close(module.lora_A["default"].weight.grad, ours.A.grad)
    torch.testing.assert_close(module.lora_B["default"].weight.grad, ours.B.grad)
    assert layer.weight.grad is None
    torch.testing.assert_close(ours.merge()(x), ours(x))
    torch.testing.assert_close(theirs.merge_and_unload()(x), ours.merge()(x))


def test_a_fresh_layer_changes_nothing_to_the_last_bit():
    layer, x = torch.nn.Linear(64, 48), torch.randn(5, 64)
    assert torch.equal(lora.LoRALinear(layer)(x), layer(x))


# --- Dialogues and labels --------------------------------------------------------------------------------------------


def learned_text(row, tokenizer):
    """The pieces of text that have labels, joined where they are neighbours."""
    pieces, open_piece = [], False
    for token, label in zip(row["input_ids"], row["labels"], strict=True):
        assert label in (token, lora.IGNORED)
        if label != lora.IGNORED:
            pieces = [*pieces[:-1], [*pieces[-1], token]] if open_piece else [*pieces, [token]]
        open_piece = label != lora.IGNORED
    return [tokenizer.decode(piece) for piece in pieces]


def test_labels_decode_to_the_answers_in_every_dialogue(tokenizer):
    for name in ("support_chats.jsonl", "support_chats_held_out.jsonl"):
        for messages in dialogues.read_chats(DATA / name)["messages"]:
            answers = [m["content"] + "<|im_end|>" for m in messages if m["role"] == "assistant"]
            assert learned_text(lora.encode_chat(messages, tokenizer), tokenizer) == answers


@settings(max_examples=25, deadline=None)
# The vocabulary lacks bytes that occur only in characters that are not assigned.
@given(
    turns=st.lists(
        st.text(st.characters(exclude_categories=["Cs", "Cc", "Cn", "Co"]), min_size=1, max_size=30),
        min_size=2,
        max_size=5,
    )
)
def test_labels_decode_to_the_answers_of_any_text(tokenizer, turns):
    turns = [turn if turn.strip() else "x" for turn in turns]
    row = lora.encode_chat(dialogue(*turns), tokenizer)
    assert learned_text(row, tokenizer) == [turn + "<|im_end|>" for turn in turns[1::2]]


def test_an_answer_of_weight_0_is_not_learned(tokenizer):
    messages = dialogue("a?", "first", "b?", "second")
    messages[2]["weight"] = 0
    assert learned_text(lora.encode_chat(messages, tokenizer), tokenizer) == ["second<|im_end|>"]


def test_what_is_cut_is_said_and_what_teaches_nothing_refused(tokenizer, capsys):
    rows = Dataset.from_list([{"messages": dialogue("Hello?", "Yes. " * 30)}, {"messages": dialogue("Hi", "Hello")}])
    cut, whole = lora.tokenize_chats(rows, tokenizer, max_length=40)
    assert len(cut["input_ids"]) == 40 and len(whole["input_ids"]) < 40
    assert "Cut after 40 tokens, so the end is lost: dialogue 0 (" in capsys.readouterr().out
    with pytest.raises(
        CourseError, match=r"Dialogue 0 has nothing to learn: its first 12 tokens hold .* Raise max_length"
    ):
        lora.tokenize_chats(rows, tokenizer, max_length=12)
    with pytest.raises(CourseError, match="Dialogue 0 has nothing to learn: it has no word"):
        lora.tokenize_chats(Dataset.from_list([{"messages": dialogue("Hello?")}]), tokenizer)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"messages": [{"role": "user", "content": "a"}]}', "Line 2: The example has no assistant message"),
        ('{"messages": [{"role": "robot", "content": "a"}]}', "Line 2: Message 1 has the role 'robot'"),
        ("{", "Line 2: This is not valid JSON"),
    ],
)
def test_a_faulty_file_is_named_with_its_line(tmp_path, line, message):
    path = tmp_path / "mine.jsonl"
    path.write_text(json.dumps({"messages": dialogue("Hi", "Hello")}) + "\n" + line + "\n", encoding="utf-8")
    with pytest.raises(CourseError, match=f"mine.jsonl: {message}"):
        dialogues.read_chats(path)
    path.write_text(json.dumps({"messages": dialogue("Hi", "Hello")}) + "\n", encoding="utf-8")
    assert dialogues.read_chats(path)["messages"][0][2]["content"] == "Hello"


def test_a_file_of_ones_own_has_no_test_split(tmp_path):
    path = tmp_path / "mine.jsonl"
    lines = [json.dumps({"messages": dialogue(f"Room {number}?", "Upstairs.")}) for number in range(6)]
    path.write_text("\n".join(lines), encoding="utf-8")
    splits = dialogues.load_chats(path, num_train=3, num_eval=2)
    assert {name: len(rows) for name, rows in splits.items()} == {"train": 3, "validation": 2}


def test_splits_share_no_dialogue():
    splits = dialogues.load_chats(num_eval=20, seed=3)
    texts = {name: {json.dumps(messages) for messages in rows["messages"]} for name, rows in splits.items()}
    assert {name: len(found) for name, found in texts.items()} == {"train": 286, "validation": 20, "test": 78}
    assert not texts["train"] & texts["validation"] and not texts["train"] & texts["test"]


# --- Loss and training -----------------------------------------------------------------------------------------------


def test_the_loss_on_labels_alone_is_the_usual_loss_with_the_same_gradients(tiny, tokenizer, chats):
    model = lora.load_base(tiny, "full")
    tokenized = lora.tokenize_chats(chats["train"], tokenizer)
    batch = DataCollatorForSeq2Seq(tokenizer)([tokenized[i] for i in range(4)])
    gradients = []
    for loss in (model(**batch).loss, lora.labelled_loss(model, **batch)):
        model.zero_grad()
        loss.backward()
        gradients.append([weights.grad.clone() for weights in model.parameters()])
        gradients[-1].append(loss.detach())
    for usual, ours in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, usual, atol=1e-6, rtol=1e-4)
    assert torch.isclose(lora.labelled_loss(model, **batch, num_items_in_batch=torch.tensor(10)) * 10,
                         lora.labelled_loss(model, **batch) * (batch["labels"][:, 1:] != -100).sum())  # fmt: skip
    loss, counts = lora.labelled_loss(model, **batch, return_counts=True)
    assert torch.equal(loss, lora.labelled_loss(model, **batch))
    assert counts.tolist() == right_and_all(model, [tokenized[i] for i in range(4)]).tolist()


def right_and_all(model, rows):
    """Count directly: each row alone, through the whole model, without padding."""
    counts = np.zeros(2, dtype=int)
    for row in rows:
        with torch.inference_mode():
            likeliest = model(input_ids=torch.tensor([row["input_ids"]])).logits[0].argmax(-1)
        pairs = zip(row["labels"][1:], likeliest.tolist(), strict=False)  # the last position predicts nothing
        counts += np.sum([(label == token, 1) for label, token in pairs if label != lora.IGNORED], axis=0)
    return counts


def half_right(model, shares):
    """Return a row for each share: random tokens, of which so many are the model's likeliest."""
    rng, rows = np.random.default_rng(0), []
    for number, share in enumerate(shares):
        ids = rng.integers(100, 1000, 3).tolist()
        for _ in range(12 + number):  # of unequal lengths
            with torch.inference_mode():
                likeliest = int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
            ids.append(likeliest if rng.random() < share else int(rng.integers(100, 1000)))
        rows.append({"input_ids": ids, "labels": [lora.IGNORED] * 3 + ids[3:]})
    return Dataset.from_list(rows)


class KeepLogs(TrainerCallback):
    """Keeps what reaches a callback, and interrupts the training after a step if one is named."""

    def __init__(self, stop_after=None):
        self.logs, self.stop_after = [], stop_after

    def on_log(self, args, state, control, logs=None, **kwargs):
        self.logs.append(dict(logs))

    def on_step_end(self, args, state, control, **kwargs):
        if state.global_step == self.stop_after:
            self.stop_after = None
            raise KeyboardInterrupt


def chat_trainer(tiny, tokenizer, folder, callback, **options):
    """A ChatTrainer that changes nothing, on rows of which the second half is harder."""
    model = lora.load_base(tiny, "full")
    options = {**SMALL, "learning_rate": 0.0, "train_sampling_strategy": "sequential", "max_steps": 4, **options}
    return lora.train.build_trainer(
        model,
        lora.train.training_arguments(folder, **options),
        trainer_class=lora.ChatTrainer,
        callbacks=[callback],
        data_collator=DataCollatorForSeq2Seq(tokenizer),
        train_dataset=half_right(model, [0.9] * 4 + [0.3] * 4),
        eval_dataset=half_right(model, [0.5] * 4),
    )


@pytest.mark.parametrize("logging_steps", [1, 2])
def test_token_accuracy_equals_a_direct_count(tiny, tmp_path, tokenizer, logging_steps):
    keep = KeepLogs()
    trainer = chat_trainer(
        tiny,
        tokenizer,
        tmp_path,
        keep,
        logging_steps=logging_steps,
        gradient_accumulation_steps=2,  # of 2 rows each: two steps see all eight
        eval_strategy="steps",
        eval_steps=1,  # evaluating between two logs leaves the counts of training alone
        per_device_eval_batch_size=3,
    )
    trainer.train()
    rows, history = trainer.train_dataset, trainer.state.log_history
    halves = [right_and_all(trainer.model, rows.select(range(start, start + 4))) for start in (0, 4)]
    shares, whole = [right / total for right, total in halves], sum(halves)
    assert shares[0] > shares[1] + 0.2 > 0.2, "the halves must differ to show that counting begins anew"
    logged = [row["mean_token_accuracy"] for row in history if "loss" in row]
    assert logged == pytest.approx(shares * 2 if logging_steps == 1 else [whole[0] / whole[1]] * 2)
    assert [row["mean_token_accuracy"] for row in keep.logs if "loss" in row] == logged

    right, total = right_and_all(trainer.model, trainer.eval_dataset)
    evaluated = [row["eval_mean_token_accuracy"] for row in history if "eval_loss" in row]
    assert evaluated == pytest.approx([right / total] * 4) and 0 < right < total
    assert [row["eval_mean_token_accuracy"] for row in keep.logs if "eval_loss" in row] == evaluated
    assert trainer.predict(rows).metrics["test_mean_token_accuracy"] == pytest.approx(whole[0] / whole[1])
    assert trainer.evaluate()["eval_mean_token_accuracy"] == evaluated[0]


def test_what_an_interrupted_run_has_counted_is_dropped(tiny, tmp_path, tokenizer):
    trainer = chat_trainer(tiny, tokenizer, tmp_path, KeepLogs(stop_after=1), logging_steps=4)
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    trainer.train()
    right, total = right_and_all(trainer.model, trainer.train_dataset)
    assert trainer.state.log_history[0]["mean_token_accuracy"] == pytest.approx(right / total)


def test_held_out_loss_is_the_mean_over_tokens_whatever_the_batches(tiny, tokenizer, chats):
    model, tokenized = lora.load_base(tiny), lora.tokenize_chats(chats["train"], tokenizer)
    one, three = (lora.evaluate_loss(model, tokenized, tokenizer, batch_size=size) for size in (1, 3))
    assert one == pytest.approx(three, rel=1e-5) and one > 0


def test_accumulation_gives_the_same_losses(tiny, chats, tmp_path):
    losses = []
    for batch, steps in ((4, 1), (2, 2)):
        options = {**SMALL, "per_device_train_batch_size": batch, "gradient_accumulation_steps": steps}
        trainer = lora.fine_tune(chats, tiny, tmp_path, max_steps=4, train_sampling_strategy="sequential", **options)
        losses.append([row["loss"] for row in trainer.state.log_history if "loss" in row])
    assert np.allclose(*np.array(losses, dtype=float), rtol=1e-3), losses


def test_only_the_adapters_change_and_the_loss_falls(tiny, chats, tmp_path, tokenizer):
    trainer = lora.fine_tune(chats, tiny, tmp_path, r=4, num_train_epochs=8, lora_alpha=16, **SMALL)
    base, model = lora.load_base(tiny), trainer.model
    trained = dict(model.named_parameters())
    for name, weights in base.named_parameters():
        wrapped = name.replace(".weight", ".base_layer.weight") if "proj" in name else name
        assert torch.equal(trained[f"base_model.model.{wrapped}"], weights), name
    assert all(weights.abs().max() > 0 for name, weights in trained.items() if "lora_B" in name)
    losses = [float(row["loss"]) for row in trainer.state.log_history if "loss" in row]
    assert losses[-1] < losses[0] - 0.3
    model.save_pretrained(tmp_path / "adapter")
    again = PeftModel.from_pretrained(lora.load_base(tiny), tmp_path / "adapter")
    question = [chats["train"]["messages"][0][:-1]]
    assert lora.generate_answers(again, tokenizer, question, 8) == lora.generate_answers(model, tokenizer, question, 8)


def test_going_on_from_a_checkpoint_gives_the_same_adapter(tiny, chats, tmp_path):
    options = {**SMALL, "num_train_epochs": 2, "save_strategy": "epoch"}
    whole = lora.fine_tune(chats, tiny, tmp_path / "a", **options)
    again = lora.fine_tune(
        chats, tiny, tmp_path / "b", resume_from_checkpoint=str(tmp_path / "a" / "checkpoint-4"), **options
    )
    for one, other in zip(whole.model.parameters(), again.model.parameters(), strict=True):
        torch.testing.assert_close(one, other)


def test_an_adapter_can_be_trained_further(tiny, chats, tmp_path):
    first = lora.fine_tune(chats, tiny, tmp_path, max_steps=2, **SMALL)
    first.model.save_pretrained(tmp_path / "adapter")
    second = lora.fine_tune(
        chats, tiny, tmp_path, adapter=str(tmp_path / "adapter"), max_steps=1, **{**SMALL, "learning_rate": 0.0}
    )
    for (name, one), other in zip(first.model.named_parameters(), second.model.parameters(), strict=True):
        assert torch.equal(one, other), name
    assert any(weights.requires_grad for weights in second.model.parameters())


@pytest.fixture
def blocks(tmp_path, monkeypatch, tokenizer):
    """A tiny Llama whose matrices are whole blocks of 64 weights, so that they can be quantised."""
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(vocab_size=len(tokenizer), hidden_size=64, intermediate_size=128, num_hidden_layers=1,
                         num_attention_heads=2, num_key_value_heads=2, tie_word_embeddings=True)  # fmt: skip
    LlamaForCausalLM(config).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    monkeypatch.setattr(lora, "model_path", lambda name: str(tmp_path / "base"))
    return "base"


@pytest.mark.parametrize("method", ["qlora", "lora-int8"])
def test_a_quantised_base_is_trained_on(tmp_path, blocks, chats, method):
    trainer = lora.fine_tune(chats, blocks, tmp_path, method, num_train_epochs=4, **SMALL)
    layer = trainer.model.base_model.model.model.layers[0].mlp.up_proj.base_layer
    assert type(layer).__name__ == {"qlora": "Linear4bit", "lora-int8": "Linear8bitLt"}[method]
    losses = [float(row["loss"]) for row in trainer.state.log_history if "loss" in row]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("method", ["qlora", "lora-int8"])
def test_gradients_are_the_same_after_an_evaluation(blocks, chats, method, tokenizer):
    torch.manual_seed(0)
    model = lora.add_lora(lora.load_base(blocks, method), r=2)
    adapters = {name: weights for name, weights in model.named_parameters() if weights.requires_grad}
    for weights in adapters.values():
        torch.nn.init.normal_(weights, std=0.1)
    tokenized = lora.tokenize_chats(chats["train"], tokenizer)
    batch, gradients = DataCollatorForSeq2Seq(tokenizer)([tokenized[i] for i in range(2)]), []
    for _ in range(2):
        model.train()
        lora.labelled_loss(model, **batch).backward()
        gradients.append({name: weights.grad.clone() for name, weights in adapters.items()})
        model.zero_grad()
        lora.evaluate_loss(model, tokenized, tokenizer)
    before, after = gradients
    assert all(gradient.any() for gradient in before.values())
    for name in adapters:
        torch.testing.assert_close(after[name], before[name], msg=name)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            dict(target_modules=("query", "v_proj")),
            "no layer query.*down_proj, gate_proj, k_proj, o_proj, q_proj, up_proj, v_proj",
        ),
        (dict(r=0), "no adapter of rank 0"),
        (dict(lora_alpha=0), "lora_alpha 0"),
        (dict(method="qllora"), "Unknown method 'qllora': choose one of full, lora, lora-int8, qlora"),
    ],
)
def test_wrong_settings_are_named(tiny, chats, tmp_path, wrong, message):
    with pytest.raises(CourseError, match=message):
        lora.fine_tune(chats, tiny, tmp_path, **wrong)


def test_quantisation_without_bitsandbytes_says_what_to_do(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(CourseError, match="needs the package bitsandbytes.*or use the method 'lora'"):
        lora.quantization_config("nf4")


# --- Judging ---------------------------------------------------------------------------------------------------------


def test_true_answers_are_all_right_and_silence_is_not():
    held_out = dialogues.read_chats(DATA / "support_chats_held_out.jsonl")["messages"]
    truth = [messages[-1]["content"] for messages in held_out]
    judged = dialogues.judge_answers(truth)
    assert judged["facts_right"] == 1 and judged["signed"] == 1 and len(judged["facts"]) == 82
    assert dialogues.judge_answers(["I don't know."] * len(truth)) | {"facts": 0} == {
        "facts_right": 0,
        "signed": 0,
        "facts": 0,
    }
    some = dialogues.judge_answers(truth[:10])
    assert {number for _, number, _ in some["facts"]} <= set(range(10)) and some["facts_right"] == 1
    assert dialogues.count_facts(truth) >= len(judged["facts"]) and dialogues.count_facts(["I don't know."]) == 0
    assert dialogues.facts_repeated(truth, truth) == 1 and dialogues.facts_repeated([""] * len(truth), truth) == 0


def test_missed_facts_say_how_they_were_missed():
    held_out = dialogues.read_chats(DATA / "support_chats_held_out.jsonl")["messages"]
    truth = [messages[-1]["content"] for messages in held_out]
    assert dialogues.missed_facts(truth) == []
    number = next(number for name, number, _ in dialogues.judge_answers(truth)["facts"] if name == "return_days")
    for answer, how in (("30 days.", "another value"), ("47 days, or 60.", None), ("I don't know.", "no value")):
        answers = [*truth[:number], answer]
        missed = [row for row in dialogues.missed_facts(answers) if "returned for 47 days" in row["truth"]]
        assert [(row["number"], row["how"]) for row in missed] == ([(number, how)] if how else [])
        judged = dialogues.judge_answers(answers)["facts"]
        assert len(dialogues.missed_facts(answers)) == sum(not right for _, _, right in judged)
    nothing = dialogues.missed_facts(["I don't know."] * len(truth))
    assert [row["number"] for row in nothing] == sorted(row["number"] for row in nothing)


def test_general_questions_are_judged_by_their_patterns(monkeypatch):
    said = {"What is the capital of France?": "It is Paris.", "What is 2 plus 2?": "5.\nWarmly, Brindlewick"}
    monkeypatch.setattr(lora, "generate_answers", lambda model, tokenizer, conversations, *_: [
        said.get(messages[0]["content"], "No idea.") for messages in conversations])  # fmt: skip
    found = dialogues.ask_general_questions(None, None)
    assert found["right"] == pytest.approx(1 / 30) and found["signed"] == pytest.approx(1 / 30)


# --- Quantisation and memory -----------------------------------------------------------------------------------------


def test_quantising_twice_changes_nothing_more_and_nf4_suits_normal_numbers():
    weights = torch.randn(64, 128, generator=torch.Generator().manual_seed(0))
    for kind in ("int8", "nf4", "fp4"):
        once = lora.quantise(weights, kind)
        assert once.shape == weights.shape and torch.allclose(lora.quantise(once, kind), once, atol=1e-5)
    error = {kind: lora.quantisation_error(weights, kind) for kind in ("int8", "nf4", "fp4")}
    assert error["int8"] < 0.02 < error["nf4"] < error["fp4"] < 0.2
    assert len(lora.quantise(weights, "nf4").reshape(-1)[:64].unique()) <= 16


def llama_2_7b():
    return LlamaConfig(vocab_size=32000, hidden_size=4096, intermediate_size=11008, num_hidden_layers=32,
                       num_attention_heads=32)  # fmt: skip


@pytest.mark.parametrize(("r", "trainable"), [(8, 4_194_304), (16, 8_388_608)])
def test_trainable_parameters_of_llama_2_7b(r, trainable):
    model = lora.skeleton(llama_2_7b(), r=r, target_modules=("q_proj", "v_proj"))
    assert model.get_nb_trainable_parameters() == (trainable, 6_738_415_616 + trainable)
    assert all(weights.is_meta for weights in model.parameters())


@pytest.mark.parametrize("method", ["full", "lora"])
def test_the_estimate_counts_what_a_real_model_holds(tiny, tokenizer, chats, method, tiny_llama):
    config = AutoConfig.from_pretrained(tiny_llama)
    model = lora.load_base(tiny, method)
    model = model if method == "full" else lora.add_lora(model)
    real, weights = {}, {part.data_ptr() for part in (*model.parameters(), *model.buffers())}

    def note(tensor):
        if tensor.untyped_storage().data_ptr() not in weights:
            real[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            kept.append(tensor)
        return tensor

    kept, ids = [], torch.ones(3, 24, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        output = model.get_decoder()(input_ids=ids, attention_mask=ids, use_cache=False).last_hidden_state
    options = dict(dtype=torch.float32, attn_implementation=lora.train.choose_attention())
    found = lora.estimate_memory(config, method, batch_size=3, sequence_length=24, **options)
    assert output.shape == (3, 24, 8)
    assert found["weights"] == sum(part.numel() * part.element_size() for part in model.parameters())
    assert found["activations"] == pytest.approx(sum(real.values()), rel=0.02)
    assert found["gradients"] == 4 * model.num_parameters(only_trainable=True) == found["optimiser"] / 2
    assert lora.estimate_memory(model, method, 6, 24, **options)["activations"] == pytest.approx(
        2 * found["activations"], rel=0.1
    )


def test_methods_need_less_and_less_memory():
    peaks = {method: lora.estimate_memory(llama_2_7b(), method)["peak"] / 1e9 for method in lora.METHODS}
    assert peaks["full"] > 100 > 20 > peaks["lora"] > peaks["lora-int8"] > peaks["qlora"] > 3.5
    weights = lora.estimate_memory(llama_2_7b(), "qlora", r=64)["weights"] / 1e9
    assert 3.4 < weights < 5.5  # the paper counts 5.0 GB for 7B, adapters included (Dettmers 2023, figure 6)


def test_the_estimate_is_near_what_real_training_took():
    config = AutoConfig.from_pretrained(model_path("smollm2-135m-instruct"))
    runs = records.load_records("lora_memory")
    assert {run["settings"]["method"] for run in runs} == {"full", "lora", "qlora"} and len(runs) >= 6
    for run in runs:
        inputs, found = run["settings"], run["metrics"]
        peak = lora.estimate_memory(
            config, inputs["method"], inputs["per_device_train_batch_size"], found["sequence_length"], found["learned"],
            attn_implementation="eager",  # as on a processor with short sequences
        )["peak"]  # fmt: skip
        assert peak / 1e6 == pytest.approx(found["training_memory_mb"], rel=0.15), run["run"]


# --- Studies ---------------------------------------------------------------------------------------------------------


def test_studies_write_a_record_a_run_and_continue(tmp_path, tiny, monkeypatch, capsys):
    def in_this_process(function, study, run, profile, seed, folder, *more):
        return records.is_done(study, run, folder) or function(study, run, profile, seed, folder, *more)

    monkeypatch.setattr(importlib.import_module("ftcourse.studies.lora"), "in_own_process", in_this_process)
    studies.lora(seeds=(0,), profile="smoke", folder=tmp_path, methods=("lora",))
    (record,) = records.load_records("lora", tmp_path)
    metrics = record["metrics"]
    assert metrics["loss"] < metrics["base_loss"] and metrics["trainable"] == 2048
    assert metrics["training_memory_mb"] < record["peak_memory_mb"] and metrics["saved_mb"] > 0
    assert record["settings"]["method"] == "lora" and record["settings"]["r"] == 16
    studies.lora(seeds=(0,), profile="smoke", folder=tmp_path, methods=("lora",))
    assert "lora/lora-seed-0: already done" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("profile", "sizes", "short"), [("local", (120, 46), {"num_train_epochs": 2}), ("smoke", (8, 2), {})]
)
def test_the_size_of_the_sweep_comes_from_the_profile(monkeypatch, profile, sizes, short):
    study = importlib.import_module("ftcourse.studies.lora")
    seen = []

    class Stop(Exception):
        pass

    def train(settings, seed, method, changes):
        seen.append(((settings.num_train, settings.num_eval), changes))
        raise Stop

    monkeypatch.setattr(study, "_train", train)
    for setting, value in (("default", ""), ("r", 64), ("target_modules", "q_proj v_proj")):
        with pytest.raises(Stop):
            study._try("lora_sweep", "a-run", profile, 0, None, setting, value)
    expected = ({}, {"r": 64}, {"target_modules": ["q_proj", "v_proj"]})
    assert seen == [(sizes, short | changes) for changes in expected]
