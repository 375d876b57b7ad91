"""The studies at smoke size: a record a run, and a second call that does nothing."""

import functools
from types import SimpleNamespace
from unittest.mock import patch

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer, BertConfig, BertModel

from ftcourse import images, profiles, qa, records, studies, transfer
from ftcourse.files import model_path
from ftcourse.reviews import load_contrast_pairs, load_reviews
from ftcourse.studies import evaluation, few_examples, quality, tuning
from ftcourse.studies.text_classification import _with_pairs

pytestmark = pytest.mark.models

TINY = dict(
    hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, max_position_embeddings=256
)


@pytest.fixture(scope="module")
def tiny_encoder(tmp_path_factory):
    """The folder of a random encoder of one layer with MiniLM's tokenizer: what a study does is the same with it."""
    folder = tmp_path_factory.mktemp("tiny-encoder")
    tokenizer = AutoTokenizer.from_pretrained(model_path("all-minilm-l6-v2"))
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=len(tokenizer), **TINY)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return str(folder)


@pytest.fixture(autouse=True)
def use_tiny_encoder(monkeypatch, tiny_encoder):
    """Lesson 7 keeps the real one: what its study finds depends on it."""
    for lesson in ("03_text_classification", "06_question_answering", "08_hyperparameters", "09_evaluation"):
        monkeypatch.setitem(
            profiles.LESSONS[lesson], "smoke", profiles.LESSONS[lesson]["smoke"] | {"model": tiny_encoder}
        )


def test_study_writes_records_and_continues(tmp_path, capsys):
    studies.text_classification(seeds=(0,), profile="smoke", folder=tmp_path)
    record = records.load_records("text_classification", tmp_path)[0]
    assert 0 <= record["metrics"]["accuracy"] <= 1 and "out_of_domain_accuracy" in record["metrics"]
    assert (
        record["settings"]["num_train"] == profiles.LESSONS["03_text_classification"]["smoke"]["num_train"]
        and record["settings"]["seed"] == 0
    )
    assert record["seconds"] > 0 and record["peak_memory_mb"] > 100
    written = (tmp_path / "text_classification" / "seed-0.json").stat().st_mtime_ns
    studies.text_classification(seeds=(0,), profile="smoke", folder=tmp_path)
    assert "already done" in capsys.readouterr().out
    assert (tmp_path / "text_classification" / "seed-0.json").stat().st_mtime_ns == written


def test_curve_keeps_the_losses_of_one_run(tmp_path):
    studies.text_classification_curve(seeds=(0, 1), profile="smoke", folder=tmp_path)
    first, second = records.load_records("text_classification_curve", tmp_path)
    assert [row["epoch"] for row in first["history"]] == [1.0, 2.0]
    assert all(row["train_loss"] > 0 and row["eval_loss"] > 0 for row in first["history"])
    assert "history" not in second


def test_study_of_negation_changes_the_sentences_alone(tmp_path):
    studies.text_classification_negation(seeds=(0,), profile="smoke", folder=tmp_path)
    runs = {run["settings"]["way"]: run for run in records.load_records("text_classification_negation", tmp_path)}
    assert sorted(runs) == ["few", "many", "many-with-pairs"]
    assert runs["many"]["settings"] | {"way": ""} == runs["many-with-pairs"]["settings"] | {"way": ""}
    for run in runs.values():
        where = [run["metrics"][f"pairs_right_{place}"] for place in ("praise", "pan")]
        assert run["metrics"]["pairs_right"] == pytest.approx(np.mean(where))  # as many of the one as of the other


def test_a_tenth_are_contrast_pairs():
    rows = load_reviews(num_train=1000)["train"]
    mixed = _with_pairs(rows)
    pairs = load_contrast_pairs("train")
    assert len(mixed) == 1000 and mixed["text"][:900] == rows["text"][:900]
    assert set(mixed["text"][900:]) == {*pairs["praise"], *pairs["pan"]}
    assert all(
        label == (text in set(pairs["praise"]))
        for text, label in zip(mixed["text"][900:], mixed["label"][900:], strict=True)
    )


@pytest.fixture
def steps(monkeypatch):
    """Lesson 1's studies with smaller images than smoke has, read once; collects the number of steps of every run."""
    lesson = profiles.LESSONS["01_transfer_learning"]
    smaller = dict(image_size=32, num_train=32, batch_size=8, num_test=20, curve=(10, 40))
    monkeypatch.setitem(lesson, "smoke", {**lesson["smoke"], **smaller})
    monkeypatch.setattr(images, "read_cifar10", functools.cache(images.read_cifar10))
    taken, real = [], transfer.fit

    def fit(*given, **options):
        history = real(*given, **options)
        taken.append(len([row for row in history if "loss" in row]))
        return history

    monkeypatch.setattr(transfer, "fit", fit)
    return taken


def test_transfer_compares_all_methods_at_the_same_number_of_steps(tmp_path, steps, capsys):
    studies.transfer(seeds=(5,), profile="smoke", folder=tmp_path)
    found = records.load_records("transfer", tmp_path)
    assert sorted(record["settings"]["method"] for record in found) == sorted(transfer.METHODS)
    assert steps == [4] * len(transfer.METHODS)
    for record in found:
        settings, metrics = record["settings"], record["metrics"]
        assert settings["seed"] == 5 and settings["profile"] == "smoke" and settings["max_steps"] is None
        assert (settings["num_train"], settings["num_validation"], settings["num_test"]) == (32, 20, 20)
        assert settings["learning_rate"] == (2e-3 if settings["method"] == "from scratch" else 1e-3)
        assert settings.get("unfreeze") == {"head first": [1], "gradual": [2]}.get(settings["method"])
        assert all(0 <= metrics[name] <= 1 for name in ("accuracy", "validation_accuracy"))
        assert record["seconds"] > 0 and record["peak_memory_mb"] > 100
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json")}
    (tmp_path / "transfer" / "gradual-seed-5.json").unlink()
    capsys.readouterr()
    studies.transfer(seeds=(5,), profile="smoke", folder=tmp_path)
    assert capsys.readouterr().out.count("already done") == len(written) - 1 and len(steps) == len(written) + 1
    changed = [path.name for path, time in written.items() if path.stat().st_mtime_ns != time]
    assert changed == ["gradual-seed-5.json"]


def test_transfer_curve_takes_the_same_number_of_steps_at_every_size(tmp_path, steps, capsys):
    studies.transfer_curve(seeds=(0,), profile="smoke", folder=tmp_path)
    found = records.load_records("transfer_curve", tmp_path)
    pairs = [(record["settings"]["num_train"], record["settings"]["method"]) for record in found]
    assert sorted(pairs) == [(10, "all at once"), (10, "from scratch"), (40, "all at once"), (40, "from scratch")]
    assert steps == [4] * 4 and {record["settings"]["max_steps"] for record in found} == {4}
    studies.transfer_curve(seeds=(0,), profile="smoke", folder=tmp_path)
    assert capsys.readouterr().out.count("already done") == 4 and len(steps) == 4


def test_questions_are_judged_with_and_without_a_threshold(tmp_path, capsys):
    studies.qa(seeds=(3,), profile="smoke", folder=tmp_path)
    (record,) = records.load_records("qa", tmp_path)
    metrics, inputs = record["metrics"], record["settings"]
    shares = {name: value for name, value in metrics.items() if name != "threshold"}
    assert (
        all(0 <= value <= 1 for value in shares.values()) and inputs["seed"] == 3 and inputs["frozen"] == "embeddings"
    )
    assert all(
        metrics[f"{prefix}exact_match"] <= metrics[f"{prefix}f1"] for prefix in ("", "validation_", "always_answer_")
    )
    # Whoever never answers is right where there is no answer. Whoever always does is right where there is one, and
    # elsewhere only by an answer of which the scoring leaves nothing, such as "the", as a random reader may give it.
    answerable = inputs["num_test_answerable"] / inputs["num_test"]
    assert metrics["never_answer_f1"] == pytest.approx(1 - answerable)
    right = metrics["f1"] * answerable
    assert right - 1e-9 <= metrics["always_answer_f1"] <= right + 1 - answerable + 1e-9
    assert inputs["reader_seeds"] == [6, 7] and inputs["length_penalty"] > 0
    assert 0 <= metrics["one_reader_exact_match"] <= metrics["one_reader_f1"] <= 1 and "without_penalty_f1" in metrics
    studies.qa(seeds=(3,), profile="smoke", folder=tmp_path)
    assert "already done" in capsys.readouterr().out


def test_readers_answer_together_and_alone_and_once_without_a_price(tmp_path):
    watch = functools.partial(patch.object, qa)
    averaged, chosen = (watch(name, wraps=getattr(qa, name)) for name in ("average_readers", "choose_answers"))
    with averaged as average, chosen as choose:
        studies.qa(seeds=(0,), profile="smoke", folder=tmp_path)
    readers = [len(call.args[0]) for call in average.call_args_list]
    prices = [call.kwargs["length_penalty"] for call in choose.call_args_list]
    price = profiles.load_profile("06", "smoke").length_penalty
    assert (
        sorted(zip(readers, prices, strict=True)) == [(1, price)] * 2 + [(2, 0.0)] + [(2, price)] * 2
    )  # two sides together


def test_the_head_alone_and_the_curve_change_what_they_say(tmp_path):
    studies.qa_frozen(seeds=(0,), profile="smoke", folder=tmp_path)
    studies.qa_curve(seeds=(0,), profile="smoke", folder=tmp_path)
    (frozen,), (fewer,) = (records.load_records(study, tmp_path) for study in ("qa_frozen", "qa_curve"))
    smoke = profiles.load_profile("06", "smoke")
    assert frozen["settings"]["frozen"] == "body" and frozen["settings"]["learning_rate"] == smoke.frozen_learning_rate
    for record in (frozen, fewer):  # one reader, whose answers are those of the run
        assert record["settings"]["reader_seeds"] == [0]
        assert record["metrics"]["one_reader_f1"] == record["metrics"]["f1"]
    assert (
        fewer["settings"]["num_train"] == smoke.curve[0][0]
        and fewer["settings"]["learning_rate"] == smoke.learning_rate
    )


@pytest.fixture
def fewer(monkeypatch):
    """The studies of lessons 7 to 9 with fewer sentences than smoke has, and one value of everything that they vary."""
    few = dict(train=32, validation=64, test=64)
    smaller = {
        "07_data_quality": dict(num_planted=10, study_sizes=dict(train=100, test=40)),
        "08_hyperparameters": dict(study_sizes=few, search_sizes=few),
        "09_evaluation": dict(study_sizes={**few, "train": 64}),
    }
    for lesson, sizes in smaller.items():
        monkeypatch.setitem(profiles.LESSONS[lesson], "smoke", {**profiles.LESSONS[lesson]["smoke"], **sizes})
    monkeypatch.setattr(quality, "FLIPS", (0.2,))
    monkeypatch.setattr(quality, "COPIES", (1,))
    monkeypatch.setattr(tuning, "NOISE_SEEDS", 1)
    monkeypatch.setattr(tuning, "SWEEP", {"batch": ((8, 2),)})


def test_faults_are_planted_found_and_mended(tmp_path, fewer, capsys):
    studies.best_practices_data(seeds=(4,), profile="smoke", folder=tmp_path)
    found = {record["settings"]["fault"]: record for record in records.load_records("best_practices_data", tmp_path)}
    assert set(found) == {"flips", "copies", "leak", "imbalance"} and found["flips"]["settings"]["share"] == 0.2
    assert {record["run"] for record in found.values()} == {
        "flips-20-seed-4", "copies-1-seed-4", "leak-seed-4", "imbalance-seed-4",
    }  # fmt: skip
    assert found["leak"]["settings"]["num_train"] == 100 and found["leak"]["settings"]["num_test"] == 40
    assert found["copies"]["metrics"]["recall"] >= 0.9 and found["leak"]["metrics"]["recall"] >= 0.8
    assert found["leak"]["metrics"]["faulty_accuracy"] > found["leak"]["metrics"]["mended_accuracy"]
    shares = {name: value for name, value in found["flips"]["metrics"].items() if not name.endswith(("found", "_C"))}
    assert all(0 <= value <= 1 for value in shares.values()) and "corrected_accuracy" in shares
    assert all(record["metrics"]["faulty_C"] > 0 for fault, record in found.items() if fault != "copies")
    studies.best_practices_data(seeds=(4,), profile="smoke", folder=tmp_path)
    assert capsys.readouterr().out.count("already done") == 4


def test_sweep_changes_one_setting_and_never_sees_the_test(tmp_path, fewer):
    studies.best_practices_sweep(seeds=(0,), profile="smoke", folder=tmp_path)
    changed, default = records.load_records("best_practices_sweep", tmp_path)
    assert (changed["settings"]["setting"], changed["settings"]["value"]) == ("batch", "8 x 2")
    assert changed["settings"]["gradient_accumulation_steps"] == 2 and changed["metrics"]["steps"] == 2
    assert default["settings"]["setting"] == "default" and default["metrics"]["steps"] == 1
    assert set(default["metrics"]) == {"validation_accuracy", "train_loss", "steps"}


def test_search_and_its_rivals_get_what_they_are_said_to_get(tmp_path, fewer):
    studies.best_practices_search(seeds=(0,), profile="smoke", folder=tmp_path)
    (record,) = records.load_records("best_practices_search", tmp_path)
    metrics = record["metrics"]
    assert len(record["trials"]) == 2 and metrics["budget_steps"] == sum(trial["steps"] for trial in record["trials"])
    assert metrics["recommended_whole_budget_steps"] == metrics["budget_steps"] == 2 * metrics["searched_steps"]
    assert metrics["best_validation_accuracy"] == max(trial["accuracy"] for trial in record["trials"])


def test_sides_of_the_tuning_studies_share_no_film():
    settings = profiles.load_profile("08", "smoke")
    splits = tuning.tuning_data(settings, settings.study_sizes, seed=0)
    assert {split: len(rows) for split, rows in splits.items()} == settings.study_sizes
    films = {split: set(rows["film"]) for split, rows in splits.items()}
    assert not films["train"] & films["validation"] and not (films["train"] | films["validation"]) & films["test"]


@pytest.mark.parametrize(("way", "value"), [("feature extraction", 3.0), ("LoRA", 1e-3)])
def test_ways_are_measured_alike(tmp_path, fewer, way, value):
    evaluation._way("best_practices_ways", "one", "smoke", 3, tmp_path, way, value)
    (record,) = records.load_records("best_practices_ways", tmp_path)
    assert record["settings"]["value"] == value
    assert (
        record["settings"]["way"] == way and record["settings"]["num_train"] == 64 and record["settings"]["seed"] == 3
    )
    assert record["metrics"]["trainable"] == {"feature extraction": 17, "LoRA": 1826}[way]
    assert 0 < record["metrics"]["saved_mb"] < 5 and 0 <= record["metrics"]["accuracy"] <= 1


def test_each_way_takes_the_setting_that_was_best_on_validation(tmp_path, fewer, monkeypatch):
    monkeypatch.setattr(evaluation, "TRIED", {"feature extraction": (0.3, 3.0)})
    monkeypatch.setattr(evaluation, "WAYS", ("feature extraction",))
    monkeypatch.setattr(evaluation, "in_own_process", lambda function, *given: function(*given))
    studies.best_practices_ways_tried(seeds=(100,), profile="smoke", folder=tmp_path)
    tried = records.load_records("best_practices_ways_tried", tmp_path)
    assert [record["settings"]["value"] for record in tried] == [0.3, 3.0]
    assert not any("accuracy" in record["metrics"] for record in tried), "what is only tried doesn't see the test"
    studies.best_practices_ways(seeds=(0,), profile="smoke", folder=tmp_path)
    (run,) = records.load_records("best_practices_ways", tmp_path)
    best = max(tried, key=lambda record: record["metrics"]["validation_accuracy"])
    assert run["settings"]["value"] == best["settings"]["value"] and 0 <= run["metrics"]["accuracy"] <= 1


def test_a_rate_is_followed_from_epoch_to_epoch(tmp_path, monkeypatch):
    monkeypatch.setattr(tuning, "RATES", (2e-4,))
    studies.best_practices_rates(seeds=(1,), profile="smoke", folder=tmp_path)
    (record,) = records.load_records("best_practices_rates", tmp_path)
    assert [row["step"] for row in record["history"]] == [2, 4]
    assert record["settings"]["lr_scheduler_type"] == "constant_with_warmup"
    best = max(row["validation_accuracy"] for row in record["history"])
    assert record["metrics"] == {"best_validation_accuracy": best}


def test_few_sentences_are_balanced_chosen_on_validation_and_then_tested(tmp_path, monkeypatch):
    monkeypatch.setattr(few_examples, "TRIED", {"frozen features": (3.0,), "pairs": (1e-4, 3e-4)})
    studies.text_classification_few_tried(seeds=(100,), profile="smoke", folder=tmp_path)
    tried = records.load_records("text_classification_few_tried", tmp_path)
    assert len(tried) == 3 and all(set(record["metrics"]) == {"validation_accuracy"} for record in tried)
    studies.text_classification_few(seeds=(0,), profile="smoke", folder=tmp_path)
    runs = records.load_records("text_classification_few", tmp_path)
    assert [record["settings"]["way"] for record in runs] == ["frozen features", "pairs"]
    assert all(set(record["metrics"]) == {"accuracy"} and record["settings"]["num_train"] == 16 for record in runs)


def test_half_of_the_pairs_share_a_class():
    labels = np.array([0] * 8 + [1] * 8)
    batch = next(few_examples._pairs(labels, SimpleNamespace(few_batch=8), seed=0))
    assert (labels[batch[:4]] == labels[batch[4:]]).tolist() == [True, False, True, False]


# The study of searches waits for its runs.
WITH_RECORDS = [name for name in studies.STUDIES if (records.results_folder() / name).is_dir()]


@pytest.mark.parametrize("study", [name for name in WITH_RECORDS if name.startswith("best_practices")])
def test_committed_records_are_those_that_the_study_would_write(study, capsys):
    """A study that is run again goes on from the records: it names its runs as it did when they were made."""
    committed = {record["run"] for record in records.load_records(study)}
    seeds = sorted({record["settings"]["seed"] for record in records.load_records(study)})
    with patch.object(records, "is_done", lambda study, run, folder: print(f"{study}/{run}") or True):
        studies.STUDIES[study](seeds=seeds[:1] if study.endswith("sweep") else seeds)
    named = {line.removeprefix(f"{study}/") for line in capsys.readouterr().out.split()}
    assert committed <= named
