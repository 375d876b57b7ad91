"""Tokenizers for words: capitals are kept where a word begins, and nothing else changes; byte-level ones get blanks."""

import json
import unicodedata

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import (
    AutoModelForTokenClassification,
    AutoTokenizer,
    BertConfig,
    BertForTokenClassification,
    PreTrainedTokenizerFast,
    pipeline,
)

from ftcourse import ner
from ftcourse.entities import TAGS, character_spans, load_entities, load_out_of_domain
from ftcourse.errors import CourseError
from ftcourse.files import model_path
from ftcourse.word_tokens import for_words, hides_capitals, with_capitals

SENTENCES = [
    "Anna Kerr left Thessaloniki for Peru .",
    "Reading lost to O'Brien in the U.S. on Tuesday , 2-1 .",
    "JAPAN won",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]


def finish(plain, special=SPECIAL):
    """Return a tokenizer of transformers that puts a special token at both ends."""
    plain.post_processor = processors.TemplateProcessing(
        single=f"{special[2]} $A {special[3]}",
        special_tokens=[(token, plain.token_to_id(token)) for token in special[2:]],
    )
    names = dict(zip(("pad_token", "unk_token", "cls_token", "sep_token"), special, strict=True))
    return PreTrainedTokenizerFast(tokenizer_object=plain, **names)


def wordpiece(lowercase=True):
    """Return an uncased tokenizer like BERT's, trained on a few sentences, with all letters and most signs."""
    plain = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    plain.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    plain.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    plain.decoder = decoders.WordPiece()
    signs = [chr(code) for code in range(33, 0x250)] + list("αω жя")
    plain.train_from_iterator(
        SENTENCES,
        trainers.WordPieceTrainer(vocab_size=900, special_tokens=SPECIAL, initial_alphabet=signs, limit_alphabet=900),
    )
    return finish(plain)


def byte_level(prefix_space):
    plain = Tokenizer(models.BPE())
    plain.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix_space)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    plain.train_from_iterator(
        SENTENCES, trainers.BpeTrainer(vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet)
    )
    return finish(plain)


def unigram():
    plain = Tokenizer(models.Unigram())
    plain.pre_tokenizer = pre_tokenizers.Metaspace()
    plain.train_from_iterator(
        SENTENCES, trainers.UnigramTrainer(vocab_size=60, special_tokens=SPECIAL, unk_token="[UNK]")
    )
    return finish(plain)


KINDS = {
    "WordPiece": wordpiece,
    "byte-level with a blank": lambda: byte_level(True),
    "byte-level without": lambda: byte_level(False),
    "Unigram": unigram,
}


def tiny_tagger(vocabulary, seed=0):
    torch.manual_seed(seed)
    config = BertConfig(
        vocab_size=vocabulary, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=64, initializer_range=0.8, id2label=dict(enumerate(TAGS)),
        label2id={tag: i for i, tag in enumerate(TAGS)},
    )  # fmt: skip
    return BertForTokenClassification(config).eval()


# --- Capitals ---------------------------------------------------------------------------------------------------------


def same_but_for_capitals(old, new, twins, texts, **options):
    one, other = (tokenizer(texts, return_offsets_mapping=True, **options) for tokenizer in (old, new))
    assert one["offset_mapping"] == other["offset_mapping"]
    assert one["input_ids"] == [[twins.get(number, number) for number in row] for row in other["input_ids"]]
    assert [one.word_ids(i) for i in range(len(texts))] == [other.word_ids(i) for i in range(len(texts))]


def test_a_capital_is_kept_at_the_beginning_of_a_word_alone():
    tokenizer, twins = with_capitals(wordpiece())
    assert tokenizer.tokenize("Anna anna KERR Reading")[:2] == ["Anna", "anna"]
    for text, first in {"O'Brien": "B", "JAPAN": "J", "Äpfel": "A", "x-Ray": "R", "3D": None, "aB": None}.items():
        capitals = [token for token in tokenizer.tokenize(text) if token.strip("#")[:1].isupper()]
        assert [token[0] for token in capitals][-1:] == ([first] if first else []), text
    assert all(number < len(tokenizer) for number in twins)


def test_texts_are_cut_as_before_whatever_stands_before_a_capital():
    old = wordpiece()
    new, twins = with_capitals(old)
    signs = [
        chr(code) for code in [*range(0x3100), *range(0x4E00, 0x4E10), *range(0xE000, 0xE010), *range(0xFF00, 0xFFF0)]
    ]
    signs += [chr(code) for code in (0x1F600, 0x10400, 0x1D400, 0x1E900)]
    for pattern in ("a{}Bc Dé", "{}An", "A{}"):
        same_but_for_capitals(old, new, twins, [pattern.format(sign) for sign in signs])
    assert {unicodedata.category(sign) for sign in signs} >= {
        "Lu",
        "Ll",
        "Mn",
        "Nd",
        "Po",
        "Sm",
        "Zs",
        "Cc",
        "Cf",
        "Co",
    }


@pytest.mark.models
def test_the_real_tokenizer_cuts_every_sentence_as_before():
    old = AutoTokenizer.from_pretrained(model_path("all-minilm-l6-v2"))
    new, twins = with_capitals(old)
    parts = [*load_entities(num_train=800).values(), load_out_of_domain()]
    words = [sentence for part in parts for sentence in part["words"]]
    same_but_for_capitals(old, new, twins, words, is_split_into_words=True)
    same_but_for_capitals(old, new, twins, [" ".join(sentence) for sentence in words])
    assert len(twins) > 20_000 and (new.model_max_length, new.pad_token) == (old.model_max_length, old.pad_token)


def test_tokenizers_that_see_capitals_or_are_of_another_kind_stay_as_they_are():
    for tokenizer in (wordpiece(lowercase=False), byte_level(True), unigram()):
        assert with_capitals(tokenizer) == (tokenizer, {}) and not hides_capitals(tokenizer)
    lowered = byte_level(True)
    lowered.backend_tokenizer.normalizer = normalizers.Lowercase()
    assert hides_capitals(lowered) and with_capitals(lowered) == (lowered, {})
    again, twins = with_capitals(with_capitals(wordpiece())[0])
    assert twins == {}


def test_a_folded_model_is_saved_and_read_by_anybody(tmp_path):
    plain = wordpiece()
    model = tiny_tagger(len(plain))
    tokenizer = ner.see_capitals(model, plain)
    batch = tokenizer(SENTENCES, padding=True, return_tensors="pt")
    small = plain(SENTENCES, padding=True, return_tensors="pt")
    with torch.inference_mode():
        assert torch.equal(model(**batch).logits, model(**small).logits)  # at first a capital changes nothing
    torch.nn.init.normal_(model.get_input_embeddings().capital.data)
    with torch.inference_mode():
        trained = model(**batch).logits
        assert not torch.allclose(trained, model(**small).logits, atol=0.1)
    ner.fold_capitals(ner.fold_capitals(model)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, kept = AutoModelForTokenClassification.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    with torch.inference_mode():
        assert torch.allclose(again(**kept(SENTENCES, padding=True, return_tensors="pt")).logits, trained, atol=1e-5)
    assert again.config.vocab_size == len(again.get_input_embeddings().weight) == len(tokenizer)


def test_pipeline_gives_the_tags_of_our_own_reading(tmp_path):
    plain = wordpiece()
    model = tiny_tagger(len(plain))
    tokenizer = ner.see_capitals(model, plain)
    torch.nn.init.normal_(model.get_input_embeddings().capital.data)
    ner.fold_capitals(model).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    find = pipeline("token-classification", model=str(tmp_path), aggregation_strategy="first")
    found = 0
    # Training the vocabulary breaks ties by chance, so what is found differs from run to run: texts enough for more.
    more = ("Kerr and Anna left Reading", "Tuesday in Peru , Japan and Thessaloniki", "Peru beat Japan", "Anna won")
    texts = ("Anna Kerr left Peru .", "Reading lost to Thessaloniki on Tuesday", "JAPAN won , Anna lost", *more)
    for text in texts:
        words = text.split()
        tags = [tag for tag, _ in ner.predict_words([words], model, tokenizer, decode=ner.likeliest)[0]]
        theirs = [(one["start"], one["end"], one["entity_group"]) for one in find(text)]
        assert theirs == character_spans(words, tags)
        found += len(theirs)
    assert found > 3


# --- Words in, words out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_read_where_the_labels_were_put(kind):
    tokenizer = KINDS[kind]()
    words = "Thessaloniki , O'Brien Kerr 2-1 U.S. Äpfel — Reading".split()
    fit = for_words(tokenizer)
    encoded = fit(words, is_split_into_words=True)
    labels = ner.align_labels(encoded.word_ids(), ["B-LOC"] * len(words))
    trained = [place for place, label in enumerate(labels) if label != ner.IGNORED]
    (window,) = ner._cut([words], tokenizer, max_length=128, stride=8)
    assert [place for place, _ in window["places"]] == trained
    assert [word for _, word in window["places"]] == sorted({word for word in encoded.word_ids() if word is not None})
    # In windows, each word is read at its own first token, never where a window happens to begin.
    firsts = {word: encoded["input_ids"][place] for place, word in window["places"]}
    seen = set()
    for window in ner._cut([words], tokenizer, max_length=12, stride=4):
        for place, word in window["places"]:
            assert window["inputs"]["input_ids"][place] == firsts[word]
            seen.add(word)
    assert seen == set(firsts)


def test_one_word_without_special_tokens_has_its_answer():
    tokenizer = byte_level(True)
    tokenizer.backend_tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    (window,) = ner._cut([["Thessaloniki"]], tokenizer, max_length=16, stride=4)
    assert window["places"] == [(0, 0)] and len(window["inputs"]["input_ids"]) > 1


def test_a_word_without_a_blank_is_the_word_of_a_text():
    tokenizer = byte_level(False)
    fit = for_words(tokenizer)
    words = "left Thessaloniki for Peru".split()
    assert fit(words, is_split_into_words=True)["input_ids"] == tokenizer(" " + " ".join(words))["input_ids"]
    assert tokenizer(words, is_split_into_words=True)["input_ids"] != tokenizer(" " + " ".join(words))["input_ids"]
    assert for_words(fit) is fit and for_words(unigram()) is not None
    state = json.loads(tokenizer.backend_tokenizer.pre_tokenizer.__getstate__())
    assert not state["add_prefix_space"]  # it was not changed


def test_a_slow_tokenizer_is_named():
    slow = type("SlowTokenizer", (), {"is_fast": False})()
    with pytest.raises(CourseError, match="SlowTokenizer can't say from which word"):
        for_words(slow)
