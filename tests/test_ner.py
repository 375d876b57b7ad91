"""Lesson 5's helpers: labels that decode back, a score that agrees with an independent one, spans of the text."""

import functools
import importlib
import itertools

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from nervaluate import Evaluator
from transformers import AutoTokenizer, DataCollatorForTokenClassification

from ftcourse import ner, records, studies
from ftcourse.entities import LABELS, TAGS, load_entities, parse_sentence, spans
from ftcourse.errors import CourseError
from ftcourse.files import model_path
from ftcourse.train import IGNORED

pytestmark = pytest.mark.models

ADVERSARIAL = [
    [],
    ["O"],
    ["I-PER"],
    ["I-PER", "I-PER"],
    ["B-PER", "B-PER"],
    ["B-PER", "I-LOC"],
    ["B-PER", "I-LOC", "I-PER"],
    ["I-PER", "B-PER", "I-PER"],
    ["O", "I-MISC", "O", "I-MISC"],
    ["B-ORG", "I-ORG", "B-ORG", "I-ORG", "I-ORG"],
    ["B-LOC", "O", "I-LOC"],
    ["I-LOC", "I-ORG", "B-ORG", "I-LOC"],
]


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(model_path("all-minilm-l6-v2"))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return ner.load_tagger("all-minilm-l6-v2").eval()


class Oracle(torch.nn.Module):
    """A model that tags tokens by a table: what it answers is known, whatever the window."""

    device = torch.device("cpu")

    def __init__(self, tokenizer, tags):
        super().__init__()
        self.config = type("Config", (), {"id2label": dict(enumerate(TAGS))})
        self.table = torch.zeros(len(tokenizer), len(TAGS))
        self.table[:, 0] = 5
        for word, tag in tags.items():
            first = tokenizer(word, add_special_tokens=False)["input_ids"][0]
            self.table[first, TAGS.index(tag)] = 9

    def forward(self, input_ids, attention_mask, **_):
        assert input_ids.shape == attention_mask.shape
        return type("Output", (), {"logits": self.table[input_ids]})


# --- Data -------------------------------------------------------------------------------------------------------------


def test_fine_tune_refuses_bad_data_before_it_loads_or_writes_anything(tmp_path):
    bad = Dataset.from_dict({"words": [["a", "b"]], "tags": [["O"]]})
    with pytest.raises(CourseError, match="Row 0 of train"):
        ner.fine_tune(DatasetDict(train=bad, validation=bad), "all-minilm-l6-v2", tmp_path / "out")
    assert not (tmp_path / "out").exists()


# --- Decoding --------------------------------------------------------------------------------------------------------


def is_sound(tags):
    """Say whether every I- continues a name of its kind."""
    return all(tag[0] != "I" or before[1:] == tag[1:] for before, tag in zip(["O", *tags], tags, strict=False))


@pytest.mark.parametrize("seed", range(20))
def test_best_path_is_the_best_of_all_sound_rows(seed):
    chances = np.random.default_rng(seed).dirichlet(np.full(len(TAGS), 0.3), size=4)
    rows = itertools.product(range(len(TAGS)), repeat=4)
    sound = [row for row in rows if is_sound([TAGS[tag] for tag in row])]
    best = max(sound, key=lambda row: sum(np.log(chances[word, tag]) for word, tag in enumerate(row)))
    assert ner.best_path(chances) == [TAGS[tag] for tag in best]


def test_best_path_agrees_with_likeliest_where_that_is_sound():
    differ = 0
    for seed in range(200):
        chances = np.random.default_rng(seed).dirichlet(np.full(len(TAGS), 0.3), size=6)
        alone, together = ner.likeliest(chances), ner.best_path(chances)
        assert is_sound(together) and (alone == together) == is_sound(alone)
        differ += alone != together
    assert differ > 50
    assert ner.best_path(np.zeros((0, len(TAGS)))) == ner.likeliest(np.zeros((0, len(TAGS)))) == []


# --- Alignment -------------------------------------------------------------------------------------------------------


def decode(word_ids, labels):
    return [TAGS[label] for word, label in zip(word_ids, labels, strict=True) if label != IGNORED and word is not None]


def test_labels_decode_to_the_tags_of_every_sentence(tokenizer):
    for part in load_entities(num_eval=None).values():
        for row in part:
            ids = tokenizer(row["words"], is_split_into_words=True).word_ids()
            assert decode(ids, ner.align_labels(ids, row["tags"])) == row["tags"]
            if row["tags"][0] != row["tags"][-1]:
                assert decode(ids, ner.align_off_by_one(ids, row["tags"])) != row["tags"]


def test_three_ways_to_align_by_hand():
    ids, tags = [None, 0, 0, 1, 2, 2, None], ["B-PER", "I-PER", "O"]
    assert ner.align_labels(ids, tags) == [-100, 1, -100, 2, 0, -100, -100]
    assert ner.align_all_tokens(ids, tags) == [-100, 1, 2, 2, 0, 0, -100]
    assert ner.align_off_by_one(ids, tags) == [1, -100, 2, 0, -100, -100, -100]


def test_labels_on_all_tokens_keep_the_entities(tokenizer):
    words, tags = parse_sentence("[PER Tkachenko] [PER Mthembu] met [ORG Steaua Rosie] in [LOC Thessaloniki]")
    ids = tokenizer(words, is_split_into_words=True).word_ids()
    labels = [TAGS[label] for label in ner.align_all_tokens(ids, tags)[1:-1]]
    found = [(ids[start + 1], ids[end] + 1, label) for start, end, label in spans(labels)]
    assert found == spans(tags)


def test_padding_is_ignored_by_the_loss(tokenizer, model):
    pairs = [parse_sentence(line) for line in ("[LOC Riga] won", "[PER Anna Kerr] of [LOC Thessaloniki] lost")]
    data = Dataset.from_list([{"words": words, "tags": tags} for words, tags in pairs])
    tokenized = ner.tokenize_and_align(data, tokenizer)
    collator = DataCollatorForTokenClassification(tokenizer)
    batch = collator([tokenized[0], tokenized[1]])
    assert (batch["labels"][batch["attention_mask"] == 0] == IGNORED).all()
    with torch.inference_mode():
        together = model(**batch).loss.item() * 7
        alone = sum(model(**collator([tokenized[i]])).loss.item() * words for i, words in ((0, 2), (1, 5)))
    assert together == pytest.approx(alone, rel=1e-4)


def test_cut_sentences_keep_labels_and_tokens_in_step(tokenizer):
    data = Dataset.from_dict({"words": [["Thessaloniki"] * 50], "tags": [["B-LOC"] * 50]})
    row = ner.tokenize_and_align(data, tokenizer, max_length=16)[0]
    assert len(row["input_ids"]) == len(row["labels"]) == 16


def test_labels_keep_to_the_names_that_are_given():
    names = ("O", "B-I-B-drug", "I-I-B-drug")
    assert ner.align_labels([None, 0, 0, 1, None], ["B-I-B-drug", "O"], names) == [-100, 1, -100, 0, -100]
    assert ner.align_all_tokens([None, 0, 0, 1, None], ["B-I-B-drug", "O"], names) == [-100, 1, 2, 0, -100]


def test_tags_without_a_number_are_named(tokenizer):
    data = Dataset.from_dict({"words": [["aspirin"]], "tags": [["B-DRUG"]]})
    with pytest.raises(CourseError, match="the tags B-DRUG: pass names"):
        ner.tokenize_and_align(data, tokenizer)
    assert ner.tokenize_and_align(data, tokenizer, names=("O", "B-DRUG", "I-DRUG"))["labels"][0][1] == 1


def test_capitals_left_unseen_change_nothing_else(tokenizer, model):
    data = Dataset.from_list(
        [dict(zip(("words", "tags"), parse_sentence("[PER Anna Kerr] left [LOC Riga] ."), strict=True))]
    )
    seen = ner.see_capitals(ner.load_tagger("all-minilm-l6-v2"), tokenizer)
    with_them, without = (ner.tokenize_and_align(data, one)[0] for one in (seen, tokenizer))
    assert with_them["input_ids"] != without["input_ids"] and with_them["labels"] == without["labels"]
    assert with_them["token_type_ids"] == [0] * len(with_them["input_ids"])


def test_fine_tune_hands_its_arguments_on(tmp_path, monkeypatch):
    seen = []

    def build_trainer(model, args, **parts):
        seen.append((model, parts["train_dataset"][:], parts["eval_dataset"][:]))
        return type("Trainer", (), {"train": lambda self: None})()

    monkeypatch.setattr(ner.train, "build_trainer", build_trainer)
    data = load_entities(num_train=4, num_eval=2)
    for options in ({}, {"capitals": False}, {"align": ner.align_labels, "num_copies": 1}):
        ner.fine_tune(data, "all-minilm-l6-v2", tmp_path, **options)
    rows = [len(model.get_input_embeddings().weight) for model, *_ in seen]
    assert rows[0] == rows[2] > 50_000 > 31_000 > rows[1]  # folded
    assert [len(train["labels"]) for _, train, _ in seen] == [4, 4, 8]
    learned = [sum(label != IGNORED for row in some["labels"] for label in row) for _, _, some in seen]
    assert learned[0] == learned[1] > learned[2]


def test_the_study_changes_one_thing_a_variant(tmp_path, monkeypatch):
    study = importlib.import_module("ftcourse.studies.ner")  # in the package, ner is the function

    asked = []

    def fine_tune(dataset, name, output_dir, **options):
        asked.append(options)
        trainer = {"model": "m", "processing_class": "t", "evaluate": lambda self: {"eval_f1": 0.5}}
        return type("Trainer", (), trainer)()

    def predict_words(sentences, model, tokenizer, max_length, *, decode):
        tag = {ner.best_path: "B-PER", ner.likeliest: "O"}[decode]
        return [[(tag, 0.5)] * len(words) for words in sentences]

    monkeypatch.setattr(ner, "fine_tune", fine_tune)
    monkeypatch.setattr(ner, "load_entities", functools.cache(load_entities))
    monkeypatch.setattr(ner, "predict_words", predict_words)
    monkeypatch.setattr(study, "_by_pipeline", lambda part, model, tokenizer: 0.25)
    studies.ner_variants(seeds=(0,), profile="smoke", folder=tmp_path)
    usual = {"align": ner.align_all_tokens, "capitals": True, "num_copies": 1, "num_train_epochs": 2}
    changes = {
        "capitals unseen": {"capitals": False},
        "labels off by one": {"align": ner.align_off_by_one},
        "labels on first tokens": {"align": ner.align_labels},
        "no other names": {"num_copies": 0, "num_train_epochs": 4},
    }
    assert list(changes) == list(study.VARIANTS)
    for options, (variant, change) in zip(asked, changes.items(), strict=True):
        assert options.items() >= {**usual, **change}.items(), variant
    found = {record["run"]: record for record in records.load_records("ner_variants", tmp_path)}
    assert set(found) == {f"{variant.replace(' ', '-')}-seed-0" for variant in changes}
    metrics = found["labels-off-by-one-seed-0"]["metrics"]
    assert metrics["word_by_word_f1"] == 0 < metrics["PER_f1"] and metrics["seen_by_itself_f1"] == 0.5
    assert metrics["out_of_domain_pipeline_f1"] == 0.25
    assert found["labels-off-by-one-seed-0"]["settings"]["align"] == "align_off_by_one"
    assert found["capitals-unseen-seed-0"]["settings"]["variant"] == "capitals unseen"


def test_the_study_runs_no_more_seeds_than_its_table_says(tmp_path, monkeypatch):
    study = importlib.import_module("ftcourse.studies.ner")  # in the package, ner is the function

    runs = []
    monkeypatch.setattr(study, "_run", lambda name, run, *rest, **changes: runs.append(run))
    studies.ner_variants(profile="smoke", folder=tmp_path)
    assert [sum(run.startswith(variant.replace(" ", "-")) for run in runs) for variant in study.VARIANTS] == [
        5,
        1,
        3,
        3,
    ]


# --- The score -------------------------------------------------------------------------------------------------------


def check_against_nervaluate(gold, predicted):
    ours = ner.score(gold, predicted)
    theirs = Evaluator(gold, predicted, tags=list(LABELS), loader="list").evaluate()
    overall = theirs["overall"]["strict"]
    for name in ("precision", "recall", "f1"):
        assert ours["all"][name] == pytest.approx(getattr(overall, name)), (name, gold, predicted)
    for label, result in theirs["entities"].items():
        assert ours[label]["f1"] == pytest.approx(result["strict"].f1), (label, gold, predicted)
    assert ours["all"]["entities"] == overall.possible


def test_score_agrees_with_nervaluate_on_adversarial_tags():
    for gold in ADVERSARIAL:
        for predicted in ADVERSARIAL:
            size = max(len(gold), len(predicted))
            check_against_nervaluate([gold + ["O"] * (size - len(gold))], [predicted + ["O"] * (size - len(predicted))])


PAIRS = st.lists(st.tuples(st.sampled_from(TAGS), st.sampled_from(TAGS)), max_size=12)  # gold, predicted


@settings(max_examples=300, deadline=None)
@given(st.lists(PAIRS, min_size=1, max_size=5))
def test_score_agrees_with_nervaluate_on_random_tags(sentences):
    gold, predicted = [[[pair[side] for pair in pairs] for pairs in sentences] for side in (0, 1)]
    check_against_nervaluate(gold, predicted)


@settings(max_examples=200, deadline=None)
@given(PAIRS)
def test_every_entity_is_right_or_one_error(pairs):
    gold, predicted = [first for first, _ in pairs], [second for _, second in pairs]
    errors = ner.find_errors([gold], [predicted])
    true, found = spans(gold), spans(predicted)
    assert sum(error["kind"] != "spurious" for error in errors) == len(set(true) - set(found))
    for error in errors:
        assert error["true"] is None or error["true"] in true and error["true"] not in found
        assert error["found"] is None or error["found"] in found and error["found"] not in true
        if error["kind"] == "boundary":
            assert error["true"][2] == error["found"][2] and error["true"][:2] != error["found"][:2]
        if error["kind"] == "type":
            assert error["true"][2] != error["found"][2]


@pytest.mark.parametrize(
    ("gold", "found", "f1"),
    [
        (["I-PER", "I-PER", "O"], ["B-PER", "I-PER", "O"], 1),  # an I- that continues nothing begins an entity
        (["B-PER", "E-PER", "S-LOC"], ["B-PER", "I-PER", "B-LOC"], 1),  # BIOES against BIO
        (["B-PER", "I-PER", "O"], ["B-ORG", "I-ORG", "O"], 0),  # nervaluate's exact mode would count it
        (["B-PER", "I-PER", "O"], ["B-PER", "O", "O"], 0),  # nervaluate's type mode would count it
        (["B-DRUG", "O", "B-DOSE"], ["B-DRUG", "O", "O"], 2 / 3),
        (["O", "O", "O"], ["O", "O", "O"], 0),
    ],
)
def test_what_counts_as_right(gold, found, f1):
    assert ner.score([gold], [found])["all"]["f1"] == pytest.approx(f1)


def test_strict_and_exact_are_told_apart_as_nervaluate_does():
    results = Evaluator([["B-PER", "I-PER"]], [["B-ORG", "I-ORG"]], tags=list(LABELS), loader="list").evaluate()[
        "overall"
    ]
    assert (results["strict"].f1, results["exact"].f1) == (0, 1)


def test_labels_of_ones_own_have_rates_of_their_own():
    rates = ner.score([["B-DRUG", "B-DOSE"]], [["B-DRUG", "O"]])
    assert list(rates) == ["all", "DOSE", "DRUG"] and rates["DRUG"]["f1"] == 1 and rates["DOSE"]["f1"] == 0
    assert list(ner.score([["O"]], [["O"]])) == ["all", *LABELS]


def test_score_names_what_differs_in_length():
    with pytest.raises(CourseError, match="Row 1 has 1 true tags and 2 found ones"):
        ner.score([["O"], ["O"]], [["O"], ["O", "O"]])
    with pytest.raises(CourseError, match="2 true sentences and 1 found ones"):
        ner.find_errors([["O"], ["O"]], [["O"]])


def test_metrics_ignore_what_has_no_label():
    labels = np.array([[-100, 5, -100, 0, 3, 4, -100]])
    logits = np.zeros((1, 7, 9))
    for position, tag in enumerate([1, 5, 3, 0, 3, 0, 2]):
        logits[0, position, tag] = 1
    assert ner.compute_metrics((logits, labels)) == {"precision": 0.5, "recall": 0.5, "f1": 0.5}


# --- Raw text --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("repeats", [1, 3, 40])
@pytest.mark.parametrize(("max_length", "stride"), [(128, 32), (16, 4)])
def test_names_are_found_in_every_window_once(tokenizer, repeats, max_length, stride):
    oracle = Oracle(tokenizer, {"thessaloniki": "B-LOC", "anna": "B-PER", "kerr": "I-PER"})
    text = "\u201cTh\u00e9\u201d \U0001f600 Anna Kerr\u2019s trip, to Thessaloniki: unforgettable!\n\n" * repeats
    found = ner.predict_entities(text, oracle, tokenizer, max_length=max_length, stride=stride)
    assert [entity["text"] for entity in found] == ["Anna Kerr", "Thessaloniki"] * repeats
    assert all(text[entity["start"] : entity["end"]] == entity["text"] for entity in found)
    assert [entity["label"] for entity in found] == ["PER", "LOC"] * repeats
    assert [entity["start"] for entity in found] == sorted(entity["start"] for entity in found)


def test_a_word_without_tokens_does_not_break_a_name(tokenizer):
    oracle = Oracle(tokenizer, {"anna": "B-PER", "kerr": "I-PER"})
    text = "Anna \u0301 Kerr"
    assert tokenizer(["\u0301"], is_split_into_words=True, add_special_tokens=False)["input_ids"] == []
    assert [entity["text"] for entity in ner.predict_entities(text, oracle, tokenizer)] == [text]


@pytest.mark.parametrize("text", ["", " \n\t ", "\u0301", "."])
def test_texts_without_words_have_no_names(tokenizer, text):
    assert ner.predict_entities(text, Oracle(tokenizer, {}), tokenizer) == []


def test_a_text_that_is_none_is_named(tokenizer, model):
    with pytest.raises(CourseError, match="NoneType"):
        ner.predict_entities(None, model, tokenizer)
    with pytest.raises(CourseError, match="Sentence 0 is of type str"):
        ner.predict_words(["Anna left"], model, tokenizer)
    with pytest.raises(CourseError, match="Sentence 1 has the word 7"):
        ner.predict_words([["Anna"], ["No", 7]], model, tokenizer)


def test_windows_that_cannot_overlap_are_refused(tokenizer, model):
    for max_length, stride in ((16, 0), (16, 14), (2, 1)):
        with pytest.raises(CourseError, match="can't share"):
            ner.predict_words([["Anna"] * 40], model, tokenizer, max_length, stride)


def test_a_model_in_training_stays_in_training(tokenizer, model):
    model.train()
    ner.predict_words([["Anna"]], model, tokenizer)
    assert model.training
    model.eval()


@pytest.mark.parametrize("side", ["left", "right"])
def test_the_side_of_the_padding_changes_nothing(tokenizer, model, side):
    other = AutoTokenizer.from_pretrained(model_path("all-minilm-l6-v2"), padding_side=side)
    sentences = [["Anna", "likes", "Riga"], ["No"], ["Thessaloniki"] * 9]
    assert ner.predict_words(sentences, model, other) == ner.predict_words(sentences, model, tokenizer)


def test_batches_do_not_change_the_answers(tokenizer, model):
    sentences = [["Anna", "likes", "Riga"], [], ["No"], ["Thessaloniki"] * 70, ["a"] * 9]
    together = ner.predict_words(sentences, model, tokenizer, max_length=32, stride=8, batch_size=3)
    alone = [ner.predict_words([words], model, tokenizer, 32, 8, batch_size=1)[0] for words in sentences]
    assert [len(row) for row in together] == [len(words) for words in sentences]
    for one, other in zip(together, alone, strict=True):
        assert [tag for tag, _ in one] == [tag for tag, _ in other]
        assert np.allclose([chance for _, chance in one], [chance for _, chance in other], atol=1e-4)
        assert all(chance > 0 for _, chance in one)


def test_a_few_steps_learn_saved_and_loaded_the_same(tmp_path):
    from transformers import AutoModelForTokenClassification

    some = load_entities(num_train=8, num_eval=4)
    training = dict(num_train_epochs=6, learning_rate=5e-4, logging_steps=1, disable_tqdm=True)
    trainer = ner.fine_tune(some, "all-minilm-l6-v2", tmp_path / "run", num_copies=1, **training)
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert losses[0] > 1.7 and losses[-1] < 1.5  # nine tags by chance: log 9 = 2.2
    trainer.save_model(tmp_path / "saved")
    again = AutoModelForTokenClassification.from_pretrained(tmp_path / "saved")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "saved")
    assert again.config.id2label[1] == "B-PER"
    text = "Anna Kerr left Lisbon for Peru."
    saved, trained = (ner.predict_entities(text, model, tokenizer) for model in (again, trainer.model))
    chances = [[entity.pop("probability") for entity in found] for found in (saved, trained)]
    assert chances[0] == pytest.approx(chances[1], abs=0.02)  # the Trainer's model stays in bfloat16 where it trained
    assert saved == trained


def test_a_model_learns_labels_of_its_own_from_numbers_and_other_schemes(tmp_path):
    from datasets import ClassLabel, Features, Sequence, Value

    names = ["O", "S-DRUG", "B-DRUG", "E-DRUG"]
    kinds = Features({"tokens": Sequence(Value("string")), "ner_tags": Sequence(ClassLabel(names=names))})
    rows = {"tokens": [["take", "aspirin"], ["folic", "acid"]], "ner_tags": [[0, 1], [2, 3]]}
    data = Dataset.from_dict(rows, features=kinds)
    trainer = ner.fine_tune(
        DatasetDict(train=data, validation=data), "all-minilm-l6-v2", tmp_path, num_train_epochs=12, learning_rate=1e-3,
        disable_tqdm=True,
    )  # fmt: skip
    assert list(trainer.model.config.id2label.values()) == ["O", "B-DRUG", "I-DRUG"]
    found = ner.predict_entities("take aspirin", trainer.model, trainer.processing_class)
    assert [(one["label"], one["text"]) for one in found] == [("DRUG", "aspirin")]
