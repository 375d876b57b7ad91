"""The data of lesson 6: bad rows are named, answers are found whatever the blanks, and splits share no paragraph."""

import json
import unicodedata

import pytest
from datasets import Dataset, DatasetDict
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from ftcourse import questions as module
from ftcourse.errors import CourseError
from ftcourse.files import DATA, model_path
from ftcourse.question_files import read_questions
from ftcourse.questions import (
    answerable,
    check_examples,
    check_room,
    example_fault,
    load_questions,
    locate,
    order_places,
    read_disfl_qa,
    unified,
    unify,
)


@pytest.fixture(scope="module")
def questions():
    return read_disfl_qa()


def ask(question, context, *answers):
    """Return a row; each answer is a text at its first place, or a text with its place."""
    pairs = [answer if isinstance(answer, tuple) else (answer, context.index(answer)) for answer in answers]
    return {
        "question": question,
        "context": context,
        "answers": {"text": [text for text, _ in pairs], "answer_start": [start for _, start in pairs]},
    }


def as_dataset(*rows):
    return Dataset.from_list(list(rows), features=module.FEATURES)


@pytest.mark.parametrize(
    ("context", "answer", "places"),
    [
        ("from 1910 – 1940 .", "from 1910–1940", [(0, 16)]),
        ("40 , 000 or 140,000", "40,000", [(0, 8)]),
        ("no, nobody, no", "no", [(0, 2), (12, 14)]),
        ("a+b (c) a + b", "a+b", [(0, 3), (8, 13)]),
        ("Zoë's", "Zoë", [(0, 3)]),
        ("anything", "", []),
        ("anything", " ", []),
        ("anything", "thing", []),
        ("5 %", "5%", [(0, 3)]),
    ],
)
def test_answers_are_located_whatever_the_blanks(context, answer, places):
    assert locate(context, answer) == places


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30), st.text(min_size=1, max_size=8), st.text(max_size=30))
def test_located_places_hold_the_answer(before, answer, after):
    context = f"{before} {answer} {after}"
    squeezed = "".join(answer.split())
    places = locate(context, answer)
    assert all("".join(context[start:end].split()) == squeezed for start, end in places)
    assert bool(places) or not squeezed or not (squeezed[0].isalnum() and squeezed[-1].isalnum())


def test_the_place_near_the_questions_words_comes_first():
    context = (
        "It closed in 1940 . " + "Nothing else happened there for years and years . " * 3 + "The railway came in 1940 ."
    )
    places = locate(context, "1940")
    assert order_places(places, "When did the railway come ?", context) == places[::-1]
    assert order_places(places, "Why ?", context) == places


@pytest.mark.models
def test_questions_are_whole_and_answers_stand_at_their_offsets(questions):
    assert check_examples(questions) == len(questions) > 7900
    counts = len(answerable(questions)), len(questions) - len(answerable(questions))
    assert counts[0] > 5800 and counts[1] > 2100
    for row in answerable(questions).select(range(0, counts[0], 7)):
        places = sorted(zip(row["answers"]["answer_start"], row["answers"]["text"], strict=True))
        assert places == [(start, row["context"][start:end]) for start, end in locate(row["context"], places[0][1])]


@pytest.mark.models
def test_splits_share_no_paragraph_and_lose_no_question(questions):
    splits = load_questions()
    paragraphs = [set(rows["context"]) for rows in splits.values()]
    assert not (paragraphs[0] & paragraphs[1] or paragraphs[0] & paragraphs[2] or paragraphs[1] & paragraphs[2])
    assert sum(map(len, splits.values())) == len(questions)
    assert (
        load_questions(num_train=40, seed=1)["train"].to_dict()
        == load_questions(num_train=40, seed=1)["train"].to_dict()
    )


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (ask("", "Riga"), "Row 1 .* question ''"),
        (ask(" \n", "Riga"), "Row 1 .* question"),
        (ask("Where?", ""), "Row 1 .* context ''"),
        ({**ask("Where?", "Riga"), "question": None}, "Row 1 .* question None"),
        (ask("Where?", "In Riga", ("Riga", 2)), r"Row 1 .* 'Riga' at character 2, where the context has ' Rig'"),
        (ask("Where?", "In Riga", ("Riga", -4)), "Row 1 .* 'Riga' at character -4"),
        (ask("Where?", "In Riga", ("Riga", 30)), "Row 1 .* at character 30, where the context has ''"),
        (ask("Where?", "In Riga", ("", 0)), "Row 1 .* an empty answer: .* empty list"),
        (
            {**ask("Where?", "Riga"), "answers": {"text": ["Riga"], "answer_start": []}},
            "Row 1 .* 1 answers and 0 starts",
        ),
        ({**ask("Where?", "Riga"), "answers": None}, "Row 1 .* answers"),
    ],
)
def test_bad_examples_are_named(row, message):
    with pytest.raises(CourseError, match=message):
        check_examples(as_dataset(ask("Where?", "In Riga", "Riga"), row))


def test_wrong_columns_and_no_rows_are_named():
    with pytest.raises(CourseError, match="no column answers. It has question, context"):
        check_examples(Dataset.from_dict({"question": ["a"], "context": ["b"]}))
    with pytest.raises(CourseError, match="no questions"):
        check_examples(as_dataset(ask("Where?", "Riga")).select([]))


@pytest.mark.parametrize(
    ("answers", "remedy"),
    [
        ({"text": ["Riga"], "answer_start": [0]}, "correct answer_start"),
        ({"text": ["In", "Riga", "in"], "answer_start": [0, 3, 0]}, "correct answer_start"),
        ({"text": [" "], "answer_start": [0]}, "give an empty list of answers"),
        ({"text": ["Riga"]}, "two lists"),
        ("Riga", "two lists"),
    ],
)
def test_a_fault_is_said_with_its_remedy(answers, remedy):
    fault, _, said = example_fault("Where?", "In Riga", answers).rpartition(":")
    assert fault and said.strip().endswith(remedy)


def test_a_right_example_has_no_fault():
    assert example_fault(**ask("Where?", "In Riga", "Riga", "In Riga")) is None
    assert example_fault(**ask("Who?", "In Riga")) is None


def test_questions_of_the_hub_are_split_by_title_and_tested_on_its_validation(monkeypatch):
    rows = [ask(f"Where is {number}?", f"In Riga {number}", "Riga") for number in range(300)]
    named = Dataset.from_list(
        [row | {"title": f"title {number % 60}", "id": str(number)} for number, row in enumerate(rows)]
    )
    hub = DatasetDict(train=named.select(range(240)), validation=named.select(range(240, 300)))
    monkeypatch.setattr(module, "load_dataset", lambda name, revision: hub)
    splits = load_questions("somebody/squad", "main")
    titles = {row["question"]: number % 60 for number, row in enumerate(rows)}
    train, validation, test = ({titles[question] for question in rows["question"]} for rows in splits.values())
    assert sorted(splits["test"]["question"]) == sorted(hub["validation"]["question"]) and test
    assert not train & validation and validation and len(splits["train"]) + len(splits["validation"]) == 240
    assert all(rows.column_names == list(module.FEATURES) for rows in splits.values())
    monkeypatch.setattr(module, "load_dataset", lambda name, revision: DatasetDict(train=as_dataset(*rows)))
    with pytest.raises(CourseError, match=r"somebody/squad \(train\) has no column title"):
        load_questions("somebody/squad")


@pytest.mark.models
@pytest.mark.parametrize(("words", "fits"), [(45, True), (46, False)])
def test_room_for_the_context_is_more_than_the_stride(words, fits):
    tokenizer = AutoTokenizer.from_pretrained(model_path("all-minilm-l6-v2"))
    # 64 tokens less 3 special ones and the question's: 16 are left, or 15.
    question = "and " * words
    if fits:
        check_room([question], tokenizer, 64, 15)
    else:
        with pytest.raises(CourseError, match="row 1 has 46 tokens, which leaves 15 of 64 for .*; more than .* 15"):
            check_room(["Where?", question], tokenizer, 64, 15)


def test_lesson_6_has_them_under_its_own_name():
    from ftcourse import qa

    checks, data = ("FEATURES", "check_examples"), ("read_disfl_qa", "load_questions", "answerable")
    for name in (*checks, "locate", "order_places", *data):
        assert getattr(qa, name) is getattr(module, name)


# --- One form of a text, and files of one's own -----------------------------------------------------------------------

PLAIN = "Café Zoé\nopened in 1843\nin Málaga"


def formed(text, form, crlf):
    text = unicodedata.normalize(form, text)
    return text.replace("\n", "\r\n") if crlf else text


@pytest.mark.parametrize("counted", [("NFC", False), ("NFC", True), ("NFD", False), ("NFD", True)])
@pytest.mark.parametrize("written", [("NFC", False), ("NFC", True), ("NFD", False), ("NFD", True)])
@pytest.mark.parametrize("answer", ["Café Zoé", "1843", "Málaga"])
def test_offsets_are_right_in_one_form_whatever_they_were_counted_in(written, counted, answer):
    context = formed(PLAIN, *written)
    start = formed(PLAIN, *counted).index(formed(answer, *counted))
    row = ask("Where?", context, (formed(answer, *written), start))
    mended = unify(row)
    assert mended["context"] == PLAIN and mended["answers"] == {"text": [answer], "answer_start": [PLAIN.index(answer)]}
    assert example_fault(**mended) is None
    if fault := example_fault(**row):
        assert fault.endswith("with dataset.map(unify), from ftcourse.questions")
        check_examples(as_dataset(row).map(unify))


def test_a_wrong_offset_is_not_mended_but_named():
    with pytest.raises(CourseError, match="'Where' has the answer '1843' at character 2, .* correct answer_start"):
        unify(ask("Where", PLAIN, ("1843", 2)))


def write(path, content):
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_bytes(text.encode())
    return path


SQUAD = {"data": [{"title": "Cafés", "paragraphs": [{"context": PLAIN.replace("\n", "\r\n"), "qas": [
    {"id": "one", "question": "When?", "is_impossible": False, "answers": [{"text": "1843", "answer_start": 19}]},
    {"id": "two", "question": "Who?", "is_impossible": True, "answers": [], "plausible_answers": [
        {"text": "Zoé", "answer_start": 5}]},
]}]}]}  # fmt: skip
ROWS = [
    {"question": "When?", "context": PLAIN, "answers": {"text": ["1843"], "answer_start": [PLAIN.index("1843")]}},
    {"question": "Who?", "context": PLAIN, "answers": {"text": [], "answer_start": []}},
]
SHORT = [
    {"question": "When?", "context": PLAIN, "answer": "1843"},
    {"question": "Who?", "context": PLAIN, "answer": ""},
]
CSV = f'question,context,answer\r\nWhen?,"{PLAIN}",1843\r\nWho?,"{PLAIN}",\r\n'


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("squad.json", SQUAD),
        ("squad.json", "\ufeff" + json.dumps(SQUAD)),
        ("rows.json", ROWS),
        ("rows.json", {"data": ROWS}),
        ("rows.jsonl", "\r\n".join(map(json.dumps, ROWS))),
        ("short.json", SHORT),
        ("short.jsonl", "\n".join(map(json.dumps, SHORT))),
        ("short.csv", CSV),
        ("nfd.csv", unicodedata.normalize("NFD", CSV)),
        ("placed.csv", CSV.replace("answer", "answer,answer_start").replace("1843\r", f"1843,{PLAIN.index('1843')}\r")
         .replace('",\r', '",,\r')),
    ],
)  # fmt: skip
def test_files_of_every_kind_are_read_alike(tmp_path, name, content):
    assert read_questions(write(tmp_path / name, content)).to_list() == ROWS


def test_an_answer_without_a_place_is_looked_for_near_the_words_of_the_question(tmp_path):
    context = "In 1940 a mine opened . Four owners had tried in vain to sell it . The railway closed in 1940 ."
    row = {"question": "When did the railway close ?", "context": context, "answer": "1940"}
    (read,) = read_questions(write(tmp_path / "rows.json", [row]))
    assert read["answers"] == {"text": ["1940", "1940"], "answer_start": [context.rindex("1940"), 3]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "rows.json is not valid JSON .* call it .jsonl"),
        ({"version": 2}, "rows.json has no list of questions"),
        ([], "rows.json has no questions"),
        ([ROWS[0], {"question": "Who?"}], r"Question 2 of rows.json has no question and context, but question: "),
        ([3], "Question 1 of rows.json has no question and context, but the type int"),
        ([{**SHORT[0], "context": " "}], "Question 1 of rows.json has the context ' ': "),
        ([{**SHORT[0], "answer": "1844"}], "the answer '1844', which the context doesn't have"),
        ([{**SHORT[0], "answer": 1843}], "the answers 1843: give a text"),
        ([{**SHORT[0], "answer_start": "x"}], "the answer_start 'x': give the number"),
        ([{**SHORT[0], "answer_start": 3}], "the answer '1843' at character 3, where the context has .*: correct"),
        ([{**ROWS[0], "id": "q7", "answers": [{"text": "1843"}]}], r"Question 1 \(q7\) .* the answer '1843' at None"),
        ([{**ROWS[0], "answers": {"text": ["1843"], "answer_start": []}}], "1 answers and 0 starts"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, content, message):
    with pytest.raises(CourseError, match=message):
        read_questions(write(tmp_path / "rows.json", content))


def test_other_files_are_refused_by_name(tmp_path):
    with pytest.raises(CourseError, match="nowhere.json is no file"):
        read_questions(tmp_path / "nowhere.json")
    path = tmp_path / "latin.json"
    path.write_bytes('[{"question": "é"}]'.encode("latin-1"))
    with pytest.raises(CourseError, match="latin.json is not in UTF-8"):
        read_questions(path)


def test_the_leaflets_are_as_their_card_says():
    rows = read_questions(DATA / "leaflet_questions.json")
    assert check_examples(rows) == 80 and len(set(rows["context"])) == 16 and len(rows) - len(answerable(rows)) == 12
    assert all(unified(context) == context for context in rows["context"])
    assert all(row["context"].count(row["answers"]["text"][0]) == 1 for row in answerable(rows))
