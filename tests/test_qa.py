"""Lesson 6: labels that decode to the answer in every window, SQuAD's score, spans that never end too early."""

import itertools
import unicodedata

import numpy as np
import pytest
import torch
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import AutoTokenizer, DebertaV2Tokenizer, PreTrainedTokenizerFast

from ftcourse import figures, qa
from ftcourse.errors import CourseError

pytestmark = pytest.mark.models

FLAG = "\U0001f1eb\U0001f1f7"
# Contexts with the answers to find in them: at the very start and end, repeated, accented, with emoji and odd blanks.
ADVERSARIAL = [
    ("Riga was founded in 1201", ["Riga", "1201", "Riga was founded in 1201", "founded"]),
    ("no no no no yes no", ["no", "yes", "no no", "yes no"]),
    (
        "Zoë Café-Müller met São Paulo’s Łukasz in Århus, 東京 and Thessaloniki.",
        ["Zoë", "Café-Müller", "São Paulo", "Łukasz", "Århus", "東京", "Thessaloniki"],
    ),
    (
        f"It cost \U0001f4b0 40,000 (about 3.5%) in {FLAG} on 4/7!",
        ["\U0001f4b0", "40,000", "3.5%", FLAG, "4/7", "4/7!"],
    ),
    ("  leading blanks,\ttabs\n\nand lines  ", ["leading", "tabs", "and lines", "tabs\n\nand"]),
    ("unaffordability of antidisestablishmentarianism", ["antidisestablishmentarianism", "unaffordability"]),
    ("a\u0301 cafe\u0301 in Lie\u0300ge .", ["in", "."]),
    ("one two three four five six seven eight nine ten " * 30, ["ten one", "three four five six"]),
]


@pytest.fixture(scope="module")
def tokenizer():
    return AutoTokenizer.from_pretrained(qa.model_path("all-minilm-l6-v2"))


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return qa.load_reader("all-minilm-l6-v2").eval()


@pytest.fixture(scope="module")
def questions():
    return qa.read_disfl_qa()


def ask(question, context, *answers):
    """Return a row; each answer is a text at its first place, or a text with its place."""
    pairs = [answer if isinstance(answer, tuple) else (answer, context.index(answer)) for answer in answers]
    return {
        "question": question,
        "context": context,
        "answers": {"text": [text for text, _ in pairs], "answer_start": [start for _, start in pairs]},
    }


def as_dataset(*rows):
    return Dataset.from_list(list(rows), features=qa.FEATURES)


def decode(window, context):
    """Return the text that a window's label stands for."""
    offsets = window["offsets"]
    return context[offsets[window["start_positions"]][0] : offsets[window["end_positions"]][1]]


class Oracle(torch.nn.Module):
    """A model that knows the tokens which start and end the answer: what it says is the same in every window."""

    device = torch.device("cpu")

    def __init__(self, starts, ends):
        super().__init__()
        self.starts, self.ends = starts, ends

    def forward(self, input_ids, attention_mask, token_type_ids):
        first, last = (9.0 * torch.isin(input_ids, torch.tensor(ids)) for ids in (self.starts, self.ends))
        first[:, 0] = last[:, 0] = 5  # [CLS]
        return type("Output", (), {"start_logits": first, "end_logits": last})


# --- Windows ---------------------------------------------------------------------------------------------------------


def test_every_label_of_every_question_decodes_to_an_answer(tokenizer, questions):
    windows = qa.make_windows(questions, tokenizer, 256, 64)
    kept = qa.training_windows(windows)
    rows = questions.to_list()
    for window in kept:
        row = rows[window["row"]]
        assert decode(window, row["context"]) in row["answers"]["text"]
        assert len(window["input_ids"]) == len(window["offsets"]) <= 256
    answered = {window["row"] for window in kept}
    assert len(answered) > 0.99 * len(qa.answerable(questions))


@pytest.mark.parametrize(("max_length", "stride"), [(16, 3), (24, 8), (64, 16), (512, 128)])
def test_adversarial_labels_decode_to_the_answer_or_are_left_out(tokenizer, max_length, stride):
    rows = [ask("  Which one?", context, (text, start))
            for context, texts in ADVERSARIAL for text in texts
            for start in range(len(context)) if context.startswith(text, start)]  # fmt: skip
    windows = qa.make_windows(as_dataset(*rows), tokenizer, max_length, stride)
    taught = set()
    for window in windows:
        row, size = rows[window["row"]], len(window["input_ids"])
        (text,), (start,) = row["answers"]["text"], row["answers"]["answer_start"]
        covered = [span for span in window["offsets"] if span[0] < start + len(text) and start < span[1]]
        if window["start_positions"] > 0:
            assert decode(window, row["context"]) == text
            assert window["offsets"][window["start_positions"]][0] == start  # this place, not another of the same text
            assert window["start_positions"] <= window["end_positions"] < size
            taught.add(window["row"])
        elif window["start_positions"] == 0:
            assert window["end_positions"] == 0 and not covered
        else:
            assert (window["start_positions"], window["end_positions"]) == qa.LEFT_OUT and covered
    if max_length == 512:  # one window holds everything
        for number in set(range(len(rows))) - taught:
            # What is not taught has an edge within a token: no choice of tokens decodes to it.
            own = next(window for window in windows if window["row"] == number)["offsets"]
            (text,), (start,) = rows[number]["answers"].values()
            begins, ends = {span[0] for span in own if span[1]}, {span[1] for span in own if span[1]}
            assert start not in begins or start + len(text) not in ends
        assert len(taught) > 0.6 * len(rows)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=80), st.integers(0, 79), st.integers(1, 30))
def test_labels_of_random_texts_decode(tokenizer, context, start, size):
    text = context[start : start + size]
    if not text.strip():
        return
    (window,) = qa.make_windows(as_dataset(ask("Which?", context, (text, start))), tokenizer, 512, 64)
    if window["start_positions"] > 0:
        assert decode(window, context) == text.strip()


def test_windows_lose_no_token_and_share_the_stride(tokenizer):
    context = " ".join(f"w{number}" for number in range(300))
    windows = list(qa.make_windows(as_dataset(ask("Which?", context)), tokenizer, 64, 16))
    spans = [[tuple(span) for span in window["offsets"] if span[1]] for window in windows]
    whole = tokenizer(context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    assert sorted(set(itertools.chain(*spans))) == whole
    assert all(len(set(one) & set(other)) == 16 for one, other in itertools.pairwise(spans))
    assert all(window["start_positions"] == window["end_positions"] == 0 for window in windows)


def test_an_answer_longer_than_a_window_is_taught_nowhere(tokenizer):
    context = "Before it " + "and again " * 60 + "after it ."
    windows = qa.make_windows(as_dataset(ask("Which?", context, "and again " * 60)), tokenizer, 32, 8)
    assert len(windows) > 4
    with pytest.raises(CourseError, match=r"Of \d+ windows none is left .* 0 hold no answer and \d+ a part of one"):
        qa.training_windows(windows)


def byte_level(trim_offsets):
    """Return a tokenizer of single bytes, of GPT-2's and RoBERTa's kind."""
    letters = dict.fromkeys(["[PAD]", "[CLS]", "[SEP]", *sorted(pre_tokenizers.ByteLevel.alphabet())])
    plain = Tokenizer(models.BPE({letter: number for number, letter in enumerate(letters)}, []))
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pair = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    plain.post_processor = processors.Sequence([processors.ByteLevel(trim_offsets=trim_offsets), pair])
    return PreTrainedTokenizerFast(tokenizer_object=plain, pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]")


def sentencepiece():
    """Return a tokenizer whose first token of a word has the blank before it, of DeBERTa's kind."""
    special, words = ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]"), "Anna Berg sang in Café Zoé . Who ?".split()
    return DebertaV2Tokenizer(vocab=[(piece, 0.0) for piece in (*special, *("▁" + word for word in words), "▁")])


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", ["wordpiece", "sentencepiece", "byte-level", "byte-level, trimmed"])
def test_whole_answers_are_taught_with_any_fast_tokenizer(tokenizer, kind, form):
    kinds = {"wordpiece": lambda: tokenizer, "sentencepiece": sentencepiece}
    make = kinds.get(kind, lambda: byte_level(trim_offsets="trimmed" in kind))
    context = unicodedata.normalize(form, "Anna Berg sang in Café Zoé .\r\nAnna sang .")
    answers = [unicodedata.normalize(form, text) for text in ("Anna Berg", "Berg", "sang in Café", "Café Zoé", "Zoé")]
    rows = [ask("Who ?", context, text) for text in answers]
    windows = qa.make_windows(as_dataset(*rows), make(), 96, 8)
    kept = qa.training_windows(windows)
    assert [answers[window["row"]] for window in kept] == [decode(window, context) for window in kept] == answers


def test_a_blank_is_no_answer_with_any_tokenizer():
    (window,) = qa.make_windows(as_dataset(ask("Who ?", "Anna  Berg")), byte_level(False), 64, 8)
    size = len(window["offsets"])
    pieces = ["Anna  Berg"[start:end] for start, end in window["offsets"]]
    assert "".join(pieces) == "AnnaBerg" and not any(piece.isspace() for piece in pieces)
    spans = qa.best_spans(np.zeros(size), np.zeros(size), window["offsets"], n_best=size)
    assert spans and all(pieces[first] and pieces[last] for _, first, last in spans)


def test_an_answer_may_be_another_one_of_the_list(tokenizer):
    context = "Riga " + "x " * 100 + "Riga"
    places = [(start, start + 4) for start in (0, len(context) - 4)]
    answers = [(context[start:end], start) for start, end in places]
    windows = list(qa.make_windows(as_dataset(ask("Where?", context, *answers)), tokenizer, 64, 16))
    assert windows[0]["start_positions"] > 0 and windows[-1]["start_positions"] > 0
    assert windows[0]["offsets"][windows[0]["start_positions"]][0] == 0


def test_blanks_around_an_answer_do_not_matter(tokenizer):
    (window,) = qa.make_windows(as_dataset(ask("Where?", "It is in  Riga  now", "  Riga  ")), tokenizer)
    assert decode(window, "It is in  Riga  now") == "Riga"


@pytest.mark.parametrize("share", [-0.1, 1.5, "all"])
def test_a_share_of_windows_is_a_share(tokenizer, share):
    windows = qa.make_windows(as_dataset(ask("Where?", "In Riga", "Riga")), tokenizer)
    with pytest.raises(CourseError, match="keep_empty is .* between 0 and 1"):
        qa.training_windows(windows, share)


def test_windows_without_an_answer_are_kept_by_share(tokenizer):
    rows = [ask("Where?", f"In Riga {number}", *(["Riga"] if number % 2 else [])) for number in range(200)]
    windows = qa.make_windows(as_dataset(*rows), tokenizer)
    sizes = [len(qa.training_windows(windows, share, seed=1)) for share in (0, 0.5, 1)]
    assert sizes[0] == 100 and sizes[2] == 200 and 130 < sizes[1] < 170
    first, again = qa.training_windows(windows, 0.5, seed=1), qa.training_windows(windows, 0.5, seed=1)
    assert first["row"][:] == again["row"][:] != qa.training_windows(windows, 0.5, seed=2)["row"][:]


@pytest.mark.parametrize(("max_length", "stride"), [(32, 8), (24, 10), (64, 60)])
def test_a_question_that_leaves_no_room_is_named(tokenizer, max_length, stride):
    rows = as_dataset(ask("Where?", "Riga " * 200), ask("and " * 30 + "where?", "Riga " * 200))
    with pytest.raises(CourseError, match="question of row [01] has .* max_length or stride"):
        qa.make_windows(rows, tokenizer, max_length, stride)


# --- The score -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The  Eiffel Tower!", "eiffel tower"),
        ("a an the", ""),
        ("An U.S.-led theatre, another day", "usled theatre another day"),
        ("«Café» – 4,021", "«café» – 4021"),
        ("A-B the\tC\n", "ab c"),
        ("", ""),
    ],
)
def test_answers_are_normalised_as_squad_does(text, normal):
    assert qa.normalise(text) == normal


@pytest.mark.parametrize(
    ("answer", "truths", "exact", "f1"),
    [
        # Worked out by hand from SQuAD's definition, and confirmed with an implementation that isn't ours.
        ("the cat", ["Cat."], 1, 1),
        ("in the Eiffel Tower", ["Eiffel Tower"], 0, 0.8),
        ("Eiffel", ["the Eiffel Tower"], 0, 2 / 3),
        ("to be or not to be", ["to be"], 0, 0.5),
        ("to to", ["to be"], 0, 0.5),
        ("Denver", ["Denver Broncos", "Denver", "the Broncos"], 1, 1),
        ("Broncos", ["Denver Broncos", "Santa Clara"], 0, 2 / 3),
        ("plane - polarized", ["plane-polarized"], 0, 0),
        ("Paris", ["London"], 0, 0),
        ("", ["London"], 0, 0),
        ("the", ["London"], 0, 0),
        ("", [], 1, 1),
        ("The", [], 1, 1),
        ("London", [], 0, 0),
        ("1,000", ["1000"], 1, 1),
        ("3.5 %", ["3.5%"], 1, 1),
        ("COFFEE", ["coffee"], 1, 1),
    ],
)
def test_score_against_known_values(answer, truths, exact, f1):
    assert qa.score([answer], [truths]) == pytest.approx({"exact_match": exact, "f1": f1})


def test_score_is_the_mean_over_questions():
    found = qa.score(["Eiffel", "", "London"], [["Eiffel Tower"], [], []])
    assert found == pytest.approx({"exact_match": 1 / 3, "f1": (2 / 3 + 1 + 0) / 3})
    with pytest.raises(CourseError, match="1 answers to 2 questions"):
        qa.score(["one"], [["one"], ["two"]])
    with pytest.raises(CourseError, match="0 answers to 0 questions"):
        qa.score([], [])


@pytest.mark.parametrize("truth", ["Paris", ["Paris"], ("Rome", "paris!"), {"text": ["Paris"], "answer_start": [3]}])
def test_truths_are_taken_in_any_form(truth):
    assert qa.score(["Paris"], [truth]) == {"exact_match": 1.0, "f1": 1.0}


@pytest.mark.parametrize("truth", [None, 3, [None]])
def test_what_is_no_truth_is_named(truth):
    with pytest.raises(CourseError, match="Truth 1 is "):
        qa.score(["Paris", "Rome"], [["Paris"], truth])


def test_a_truth_of_articles_alone_does_not_count_beside_another():
    assert qa.score([""], [["the", "Paris"]])["exact_match"] == 0 and qa.score([""], [["the"]])["exact_match"] == 1


def test_accents_count_the_same_in_either_form():
    one, other = (unicodedata.normalize(form, "Café Zoé") for form in ("NFC", "NFD"))
    assert one != other and qa.score([one], [[other]]) == {"exact_match": 1.0, "f1": 1.0}


WORDS = st.lists(st.sampled_from(["a", "the", "red", "Red,", "fox", "(fox)", "jumps"]), max_size=6).map(" ".join)


@settings(max_examples=300, deadline=None)
@given(WORDS, WORDS)
def test_f1_is_symmetric_and_agrees_with_exact_match(one, other):
    assert qa.f1(one, other) == pytest.approx(qa.f1(other, one))
    assert 0 <= qa.f1(one, other) <= 1
    assert qa.exact_match(one, other) <= qa.f1(one, other)
    if qa.f1(one, other) == 1:
        assert sorted(qa.normalise(one).split()) == sorted(qa.normalise(other).split())


def test_nearest_sentence():
    text = "Riga is old. The lighthouse was built by Mary! Who knows?"
    assert qa.nearest_sentence("Who built the lighthouse?", text) == "The lighthouse was built by Mary!"


# --- Decoding --------------------------------------------------------------------------------------------------------


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, 10_000), st.integers(1, 25), st.integers(1, 8), st.integers(1, 30), st.sampled_from([0.0, 0.15, 2.0])
)
def test_best_span_is_the_best_of_all_allowed_pairs(seed, size, longest, n_best, penalty):
    rng = np.random.default_rng(seed)
    starts, ends = rng.normal(size=(2, size))
    offsets = [(0, 0) if rng.random() < 0.3 else (2 * i + 1, 2 * i + 2) for i in range(size)]
    spans = qa.best_spans(starts, ends, offsets, n_best, longest, penalty)
    inside = [i for i in range(size) if offsets[i][1]]
    allowed = {(i, j): starts[i] + ends[j] - penalty * (j - i) for i in inside for j in inside if i <= j < i + longest}
    assert all(allowed[i, j] == pytest.approx(score) for score, i, j in spans)
    assert [score for score, *_ in spans] == sorted((score for score, *_ in spans), reverse=True)
    if n_best >= size:
        assert len(spans) == len(allowed)
        assert not allowed or spans[0][0] == pytest.approx(max(allowed.values()))


def test_spans_stay_within_the_context_though_other_tokens_score_higher():
    offsets = [(0, 0), (0, 0), (0, 3), (4, 7), (0, 0)]
    ((_, first, last), *_) = qa.best_spans(np.array([9.0, 8, 1, 0, 7]), np.array([9.0, 8, 0, 1, 7]), offsets)
    assert (first, last) == (2, 3)
    assert qa.best_spans(np.ones(2), np.ones(2), [(0, 0), (0, 0)]) == []


def test_a_price_on_words_chooses_the_shorter_of_two_near_answers_and_leaves_the_null_score():
    window = {"row": 0, "offsets": [(0, 0), (0, 4), (5, 10), (11, 14)]}
    judged = [(window, np.array([1.0, 5, 0, 0]), np.array([2.0, 4, 0, 4.2]))]
    texts = {price: qa.choose_answers(judged, ["Mary Brown old"], length_penalty=price) for price in (0.0, 0.09, 0.11)}
    assert [row["text"] for (row,) in texts.values()] == ["Mary Brown old", "Mary Brown old", "Mary"]
    assert [row["null_score"] for (row,) in texts.values()] == [3.0] * 3
    assert texts[0.09][0]["score"] == pytest.approx(9.2 - 0.18)


def test_readers_judge_by_the_mean_of_their_logits_and_one_reader_by_its_own():
    rng = np.random.default_rng(0)
    windows = [{"row": row, "input_ids": [row] * size} for row, size in enumerate((3, 5))]
    first, second = ([(own, *rng.normal(size=(2, len(own["input_ids"])))) for own in windows] for _ in range(2))
    for (window, *logits), one, other in zip(qa.average_readers([first, second]), first, second, strict=True):
        assert window is one[0]
        np.testing.assert_allclose(logits, [(one[side] + other[side]) / 2 for side in (1, 2)])
    for mean, own in zip(qa.average_readers([first]), first, strict=True):
        np.testing.assert_array_equal(mean[1:], own[1:])


def test_readers_that_judged_different_windows_are_refused():
    windows = [({"row": row, "input_ids": [row] * 3}, np.zeros(3), np.zeros(3)) for row in range(2)]
    with pytest.raises(CourseError, match="different windows"):
        list(qa.average_readers([windows, windows[::-1]]))
    with pytest.raises(ValueError, match="shorter"):
        list(qa.average_readers([windows, windows[:1]]))


@pytest.mark.parametrize("repeats", [1, 40])
@pytest.mark.parametrize(("max_length", "stride"), [(256, 64), (24, 8)])
def test_the_answer_is_found_in_whichever_window_it_is(tokenizer, repeats, max_length, stride):
    first, last = (tokenizer(word, add_special_tokens=False)["input_ids"] for word in ("mary", "brown"))
    filler = "The boats go out and come back with the tide \U0001f6a2. " * repeats
    rows = as_dataset(
        *(ask("Who?", context) for context in (filler + "Mary “Moll” Brown", "Mary Brown. " + filler, filler))
    )
    found = qa.predict_answers(rows, Oracle(first, last), tokenizer, max_length, stride, batch_size=3)
    assert [row["text"] for row in found[:2]] == ["Mary “Moll” Brown", "Mary Brown"]
    for row, context in zip(found, rows["context"], strict=True):
        assert context[row["start"] : row["end"]] == row["text"] and row["null_score"] == 10
    assert [row["score"] > row["null_score"] for row in found] == [True, True, False]


def test_nowhere_is_what_every_window_must_say(tokenizer, model):
    rows = as_dataset(ask("Who?", "The boats go out. " * 100))
    windows = qa.make_windows(rows, tokenizer, 64, 16)
    nulls = [starts[0] + ends[0] for _, starts, ends in qa.predict_windows(windows, model, tokenizer)]
    (found,) = qa.predict_answers(rows, model, tokenizer, 64, 16)
    assert len(nulls) > 4 and found["null_score"] == pytest.approx(min(nulls), abs=0.05)


def test_batches_keep_the_order_of_the_questions(tokenizer, model):
    rows = as_dataset(*(ask("Which?", "Riga and Oslo " * size) for size in (40, 1, 9, 3)))
    together = qa.predict_answers(rows, model, tokenizer, 64, 16, batch_size=3)
    alone = [qa.predict_answers(rows.select([i]), model, tokenizer, 64, 16, batch_size=1)[0] for i in range(4)]
    tolerance = 1e-3 if not qa.train.has_bfloat16() else 0.05
    for one, other in zip(together, alone, strict=True):
        assert one["score"] == pytest.approx(other["score"], abs=tolerance)
        assert one["null_score"] == pytest.approx(other["null_score"], abs=tolerance)


def test_a_model_is_left_as_it_was_and_needs_no_padding_token(tokenizer):
    reader = qa.load_reader("all-minilm-l6-v2").train()
    bare = AutoTokenizer.from_pretrained(qa.model_path("all-minilm-l6-v2"))
    rows = as_dataset(*(ask("Which?", "Riga and Oslo " * size) for size in (9, 1, 3)))
    windows = qa.make_windows(rows, tokenizer, 64, 16)
    padded = list(qa.predict_windows(windows, reader, tokenizer))
    assert reader.training and all(part.training for part in reader.modules())
    bare.pad_token, tolerance = None, 1e-3 if not qa.train.has_bfloat16() else 0.05
    for (window, *logits), (same, *alone) in zip(padded, qa.predict_windows(windows, reader, bare), strict=True):
        assert window["row"] == same["row"]
        np.testing.assert_allclose(logits, alone, atol=tolerance)


def test_chances_sum_to_one_with_the_question_and_stand_at_their_tokens(tokenizer):
    ids = tokenizer("mary brown", add_special_tokens=False)["input_ids"]
    tokens, starts, ends = qa.span_chances("Who was it?", "It was Mary Brown.", Oracle(ids[:1], ids[1:]), tokenizer)
    assert tokens == ["it", "was", "mary", "brown", "."] and starts.argmax() == 2 and ends.argmax() == 3
    assert starts.sum() < 1 and starts.sum() == pytest.approx((np.exp(9) + 4) / (np.exp(9) + np.exp(5) + 10), rel=1e-3)


def test_metrics_by_hand():
    starts, ends = np.eye(4)[[1, 2, 0]], np.eye(4)[[2, 3, 0]]
    assert qa.compute_metrics(((starts, ends), (np.array([1, 2, 0]), np.array([2, 2, 0])))) == {
        "exact": pytest.approx(2 / 3)
    }


# --- Questions without an answer -------------------------------------------------------------------------------------


def found_with(text, margin):
    return {"text": text, "score": 3.0 + margin, "null_score": 3.0}


def test_thresholds_by_hand():
    found = [found_with("Riga", 2), found_with("Oslo", 1), found_with("Bonn", -1)]
    sweep = qa.sweep_thresholds(found, [["Riga"], [], ["Bonn"]]).round(3)
    assert sweep["threshold"].tolist() == [-np.inf, -1, 1, 2]
    assert sweep["answerable"].tolist() == [1, 0.5, 0.5, 0] and sweep["unanswerable"].tolist() == [0, 0, 1, 1]
    assert sweep["all"].tolist() == [0.667, 0.333, 0.667, 0.333]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["Riga", "Oslo", "in Riga"]), st.integers(-3, 3), st.booleans()),
        min_size=1,
        max_size=9,
    )
)
def test_a_row_of_the_sweep_is_the_score_at_its_threshold(rows):
    found = [found_with(text, margin) for text, margin, _ in rows]
    truths = [["Riga"] if known else [] for *_, known in rows]
    for _, row in qa.sweep_thresholds(found, truths).iterrows():
        assert row["all"] == pytest.approx(qa.score(qa.apply_threshold(found, row["threshold"]), truths)["f1"])


def test_no_unanswerable_questions_is_no_error():
    assert qa.sweep_thresholds([found_with("Riga", 1)], [["Riga"]])["unanswerable"].isna().all()


# --- Figures ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def shown(monkeypatch):
    """Collect (axes, text alternative) of what is shown, and close the figures afterwards."""
    import matplotlib.pyplot as plt

    pairs = []
    plt.switch_backend("agg")
    monkeypatch.setattr(figures.style, "show", lambda figure, alt: pairs.append((figure.axes[0], alt)))
    yield pairs
    plt.close("all")


def test_windows_are_drawn_where_they_lie_and_the_holder_of_the_answer_is_named(shown):
    windows = [(0, 40), (30, 70), (60, 90)]
    figures.show_windows(windows, {"text": ["Riga"], "answer_start": [68]}, 90)
    figures.show_windows(windows, {"text": [], "answer_start": []}, 90)
    (axes, alt), (_, nothing) = shown
    bars = [bar for bar in axes.patches if bar.get_y() != 0][: len(windows)]
    assert [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in bars] == windows
    assert "90 characters in 3 windows, which hold the characters 0 to 40, 30 to 70, 60 to 90." in alt
    assert alt.endswith("The answer is whole in window 3; a part in window 2.")
    assert nothing.endswith("No window holds an answer.")
    assert [text.get_text() for text in axes.texts] == ["none", "a part", "whole"]
    marks = [(bar.get_x(), bar.get_width(), round(bar.get_y() + bar.get_height() / 2)) for bar in axes.patches[3:]]
    assert marks == [(68, 2, 1), (68, 4, 2)]
    assert [bar.get_facecolor()[:3] for bar in axes.patches[3:]] == [(1, 1, 1), (0, 0, 0)]  # a part, and the whole


@pytest.mark.parametrize(
    ("found", "around", "said"),
    [
        (None, None, "Who?\nIt was [TRUTH Mary Brown], they say"),
        ((7, 11), None, "Who?\nIt was [TRUTH = ANSWER Mary][TRUTH  Brown], they say"),
        ((0, 2), None, "Who?\n[ANSWER It] was [TRUTH Mary Brown], they say"),
        ((7, 17), 3, "Who?\n… as [TRUTH = ANSWER Mary Brown], t …"),
        ((0, 0), 2, "Who?\n… s [TRUTH Mary Brown],  …"),
    ],
)
def test_truth_and_answer_are_marked_in_the_text(monkeypatch, found, around, said):
    plain = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: plain.append(data["text/plain"]))
    figures.show_question(ask("Who?", "It was Mary Brown, they say", "Mary Brown"), found, around)
    assert plain == [said]


def test_a_question_without_an_answer_is_shown_without_a_mark(monkeypatch):
    plain = []
    monkeypatch.setattr("IPython.display.display", lambda data, raw: plain.append(data["text/plain"]))
    figures.show_question(ask("Who?", "It was Mary."), around=2)
    assert plain == ["Who?\nIt was Mary."]


def test_the_likeliest_starts_and_ends_are_said(shown):
    starts, ends = np.array([0.1, 0.6, 0.2, 0.0]), np.array([0.0, 0.05, 0.15, 0.7])
    figures.show_span_chances(["it", "was", "mary", "brown"], starts, ends)
    ((axes, alt),) = shown
    assert "start: was (token 1) 60%, mary (token 2) 20%, it (token 0) 10%;" in alt
    assert "end: brown (token 3) 70%, mary (token 2) 15%, was (token 1) 5%." in alt
    np.testing.assert_allclose([bar.get_height() for bar in axes.patches], 100 * np.concatenate([starts, -ends]))


def test_the_threshold_chosen_and_the_two_simple_ways_are_said(shown):
    found = [found_with("Riga", 2), found_with("Oslo", 1), found_with("Bonn", -1)]
    figures.show_thresholds(qa.sweep_thresholds(found, [["Riga"], [], ["Bonn"]]), 1.0)
    figures.show_thresholds(qa.sweep_thresholds(found[:1], [["Riga"]]), -np.inf)
    (axes, alt), (one, only) = shown
    assert "always answering: all 67%, answerable 100%, unanswerable 0%;" in alt
    assert "at the chosen 1.0: all 67%, answerable 50%, unanswerable 100%;" in alt
    assert "never answering: all 33%, answerable 0%, unanswerable 100%." in alt
    assert [line.get_label() for line in axes.lines] == ["all", "answerable", "unanswerable", "chosen"]
    assert "unanswerable" not in only and len(one.lines) == 2


# --- Models and whole runs -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("frozen", "moves"), [(None, "all"), ("embeddings", "all but words"), ("body", "head")])
def test_frozen_weights_are_the_same_after_a_step(frozen, moves):
    model = qa.load_reader("all-minilm-l6-v2", frozen=frozen)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    positions = torch.tensor([2])
    model(
        input_ids=torch.tensor([[101, 7000, 8000, 102]]), start_positions=positions, end_positions=positions
    ).loss.backward()
    torch.optim.SGD([weights for weights in model.parameters() if weights.requires_grad], lr=1.0).step()
    moved = {name for name, tensor in model.state_dict().items() if not torch.equal(tensor, before[name])}
    words = "bert.embeddings.word_embeddings.weight"
    assert ("qa_outputs.weight" in moved) and (words in moved) == (moves == "all")
    assert any("attention" in name for name in moved) == (moves != "head")
    # The gradient of the bias sums to nought but for rounding: whether it moves is chance.
    assert moves != "head" or moved <= {"qa_outputs.weight", "qa_outputs.bias"}


def test_unknown_part_to_freeze_is_named():
    with pytest.raises(CourseError, match="Cannot freeze 'head': choose"):
        qa.load_reader("all-minilm-l6-v2", frozen="head")


@pytest.mark.parametrize(
    ("question", "context", "message"),
    [
        ("", "Riga", "question ''"),
        ("Where?", " ", "context ' '"),
        (None, "Riga", "question None"),
        ("Where?", 3, "context 3"),
    ],
)
def test_empty_questions_and_texts_are_refused(tokenizer, model, question, context, message):
    with pytest.raises(CourseError, match=message):
        qa.answer_question(question, context, model, tokenizer)


def test_a_margin_below_the_threshold_is_no_answer(tokenizer):
    ids = tokenizer("mary brown", add_special_tokens=False)["input_ids"]
    oracle, context = Oracle(ids[:1], ids[1:]), "It was Mary Brown."
    best = qa.answer_question("Who?", context, oracle, tokenizer)
    assert best == {"text": "Mary Brown", "start": 7, "end": 17, "margin": 8.0}
    assert qa.answer_question("Who?", context, oracle, tokenizer, threshold=7.9)["text"] == "Mary Brown"
    assert qa.answer_question("Who?", context, oracle, tokenizer, threshold=8) == {
        "text": "",
        "start": 0,
        "end": 0,
        "margin": 8.0,
    }


def test_fine_tune_refuses_bad_data_before_it_loads_or_writes_anything(tmp_path):
    bad = as_dataset(ask("Where?", "In Riga", ("Riga", 0)))
    with pytest.raises(CourseError, match="Row 0 of train"):
        qa.fine_tune(DatasetDict(train=bad, validation=bad), "all-minilm-l6-v2", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (as_dataset(ask("Where?", "In Riga", "Riga")), "needs the splits .* and has the type Dataset"),
        (DatasetDict(train=as_dataset(ask("Where?", "In Riga", "Riga"))), "and has train: split_by_group"),
        (DatasetDict(train=as_dataset(ask("Where?", "In Riga")), validation=as_dataset(ask("Where?", "In Riga"))),
         "Of 1 windows none is left to train on, as 1 hold no answer"),
    ],
)  # fmt: skip
def test_fine_tune_says_what_is_missing(tmp_path, data, message):
    with pytest.raises(CourseError, match=message):
        qa.fine_tune(data, "all-minilm-l6-v2", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_few_steps_learn_saved_and_loaded_the_same(tmp_path):
    from transformers import AutoModelForQuestionAnswering

    towns = enumerate(["Riga", "Oslo", "Bonn", "Rome"] * 4, 1901)
    rows = as_dataset(*(ask("Which town?", f"In {year} they left {town} .", town) for year, town in towns))
    sides = DatasetDict(train=rows, validation=rows.select(range(4)))
    training = dict(
        num_train_epochs=8, learning_rate=5e-4, logging_steps=1, per_device_train_batch_size=8, disable_tqdm=True
    )
    trainer = qa.fine_tune(sides, "all-minilm-l6-v2", tmp_path / "run", frozen="embeddings", **training)
    losses = [row["loss"] for row in trainer.state.log_history if "loss" in row]
    assert losses[0] > 2 and losses[-1] < 1
    trainer.save_model(tmp_path / "saved")
    again, tokenizer = (
        kind.from_pretrained(tmp_path / "saved") for kind in (AutoModelForQuestionAnswering, AutoTokenizer)
    )
    context = "In 1950 they left Thessaloniki ."
    best = qa.answer_question("Which town?", context, again, tokenizer)
    assert best == qa.answer_question("Which town?", context, trainer.model, tokenizer)
    assert best["text"] == context[best["start"] : best["end"]] == "Thessaloniki"
