"""`ftcourse train qa` and what it trains: questions are checked, texts stay whole, answers are those measured."""

import json
import random
import re

import pandas as pd
import pytest
from trainings import check_page, check_resume, save_body

from ftcourse.errors import CourseError
from ftcourse.qa import score
from ftcourse.question_files import read_questions
from ftcourse.records import load_records
from ftcourse.tools.predicting import answer_line
from ftcourse.tools.training_qa import QA, QuestionSettings

THINGS = "lamp table chair door window carpet mirror shelf sofa clock".split()
PLACES = "paris london berlin madrid vienna oslo rome athens".split()


def articles(count=20, seed=0, silent=0):
    """Paragraphs as SQuAD has them, each with three questions, some of them without an answer."""
    rng, found = random.Random(seed), []
    for number in range(count):
        things, places = rng.sample(THINGS, 3), rng.sample(PLACES, 3)
        pairs = list(zip(things, places, strict=True))
        context = " ".join(f"the {thing} number {number} is in {place} ." for thing, place in pairs)
        qas = []
        for thing, place in pairs:
            answers = [{"text": place, "answer_start": context.index(place)}]
            qas.append({"id": f"{number}-{thing}", "question": f"where is the {thing} ?", "answers": answers})
        for own in qas[: 1 if number < silent else 0]:
            own |= {"question": "where is the moon ?", "answers": [], "is_impossible": True}
        found.append({"title": "Rooms", "paragraphs": [{"context": context, "qas": qas}]})
    return found


def write(path, items):
    path.write_text(json.dumps({"version": "v2.0", "data": items}))


def read(name, **options):
    """What a training reads, and what it says of it."""
    said = []
    return QA.read(QuestionSettings(name, model="body", **options), said.append), said


def test_no_text_is_in_two_splits_and_near_copies_are_one(ftcourse, tmp_path):
    items = articles()
    again = json.loads(json.dumps(items[0]))
    own = again["paragraphs"][0]["context"]
    again["paragraphs"][0]["context"] = own.replace(" .", " !", 1)
    again["paragraphs"][0]["qas"] = [dict(qa, question=f"so {qa['question']}") for qa in again["paragraphs"][0]["qas"]]
    write(tmp_path / "a.json", [*items, again])
    data, said = read("a.json")
    homes = [{context.replace("!", ".") for context in part["context"]} for part in data.splits.values()]
    assert sum(map(len, homes)) == 20 and not homes[0] & homes[1] and not (homes[0] | homes[1]) & homes[2]
    assert said[0] == "Read 63 questions of a.json" and data.place == "item"
    assert data.groups == "No text is in two splits."


def test_what_can_t_be_used_is_named_or_left_out(ftcourse, tmp_path):
    items = articles()
    items[2]["paragraphs"][0]["qas"][1]["answers"][0]["answer_start"] = 1
    items[3]["paragraphs"][0]["qas"][0]["question"] = " "
    twice = items[5]["paragraphs"][0]["qas"]
    twice.append(dict(twice[0]))
    twice.append(dict(twice[1], answers=[{"text": "the", "answer_start": 0}]))
    write(tmp_path / "a.json", items)
    code, _, err = ftcourse("train", "qa", "--data", "a.json")
    assert code == 2 and re.search(r"a\.json has the answer '\w+' at character 1, .* \(item 8\)", err)
    assert "(item 10)" in err and "leave them out with --clean" in err
    data, _ = read("a.json", clean=True)
    found = {finding.kind: finding.places for finding in data.findings if finding.kind != "unusable"}
    assert found == {"duplicate_question": [19], "conflict_question": [17, 20]}
    assert sum(map(len, data.splits.values())) == 62 - 2 - 3


def test_tables_are_read_and_files_that_are_given_are_used_as_they_are(ftcourse, tmp_path):
    for name, seed in (("train", 0), ("test", 1)):
        write(tmp_path / f"{name}.json", articles(seed=seed) + articles(1) * (name == "test"))
        rows = [{"question": row["question"], "context": row["context"], "answer": row["answers"]["text"][0]}
                for row in read_questions(f"{name}.json")]  # fmt: skip
        pd.DataFrame(rows).to_csv(f"{name}.csv", index=False)
    data, _ = read("train.csv", test_data="test.csv")
    assert data.place == "line" and len(data.splits["test"]) == 63 and len(data.splits["train"]) > 40
    (leak,) = (finding for finding in data.findings if finding.kind == "leak")
    assert leak.reason == "texts given for test are among those of training, too" and len(leak.places) in (0, 3)
    data, _ = read("train.csv", test_data="test.json", validation_data="test.csv")
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 60, "validation": 63, "test": 63}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--data", "gone.json"), r"gone\.json is no file"),
        (("--data", "broken.json"), r"Article 1 of broken\.json isn't as SQuAD has it \(KeyError: 'qas'\)"),
        (("--data", "silent.csv"), r"No question has an answer: give the column answer"),
        (("--data", "bad.csv", "--clean"), r"bad\.csv has no question that can be used"),
        (("--data", "bad.csv"), r"bad\.csv has the answer 'nowhere', which the context doesn't have"),
        (("--data", "few.json"), r"There are 2 groups of questions on different texts"),
        (("--max-length", "900"), r"body reads 64 tokens at most: give a --max-length of 64 or less"),
        (("--max-length", "16"), r"The question of item \d+ has \d+ tokens, which leaves \d+ of 16"),
        (("--model", "./folder"), r"The model \./folder can't be loaded for answering questions: "),
        (("--test-share", "0"), r"give two shares above 0"),
        (("--resume",), r"There is no interrupted training of .*reader"),
    ],
)
def test_what_a_person_can_mend_is_one_paragraph(ftcourse, tmp_path, args, message):
    write(tmp_path / "a.json", articles())
    write(tmp_path / "few.json", articles(2))
    write(tmp_path / "broken.json", [{"paragraphs": [{"context": "a"}]}])
    (tmp_path / "folder").mkdir()
    (tmp_path / "silent.csv").write_text("question,context,answer\nwhere ?,in rome,\n")
    (tmp_path / "bad.csv").write_text("question,context,answer\nwhere ?,in rome,nowhere\n")
    save_body(tmp_path / "body", [*THINGS, *PLACES])
    ftcourse("--version")  # what saving wrote to the standard error has been read
    usual = [] if "--data" in args else ["--data", "a.json"]
    usual += [] if "--model" in args else ["--model", "body"]
    usual += [] if "--max-length" in args else ["--max-length", "48"]
    code, _, err = ftcourse("train", "qa", *usual, "--stride", "8", *args)
    assert code == 2 and re.fullmatch(rf"Error: .*{message}.*\n", err), err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("reader")]


def test_an_answer_is_one_line():
    row = {"question": "where\n?", "text": "in  Rome", "start": 4, "end": 12, "margin": 1.234}
    assert answer_line(1, row) == "in Rome\t4\t1.23\twhere ?"
    assert answer_line(2, row | {"text": "", "start": 0}) == "\t\t1.23\twhere ?"


COMMAND = ("train", "qa", "--data", "rooms.json", "--model", "body", "--epochs", "4", "--learning-rate", "1e-2",
           "--batch-size", "8", "--max-length", "48", "--stride", "8")  # fmt: skip


@pytest.mark.models
def test_the_whole_way(ftcourse, tmp_path, monkeypatch):
    """One test, because each step needs the one before: train, look, answer, interrupt, resume."""
    save_body(tmp_path / "body", [*THINGS, *PLACES, "the where is in number moon"])
    write(tmp_path / "rooms.json", articles(30, silent=20))
    code, out, err = ftcourse(*COMMAND, "--output", "one")
    assert code == 0, err
    assert "epoch 4 of 4: validation windows right" in out and "Chose on validation how sure" in out
    folder = tmp_path / "one"
    (record,) = load_records("qa", folder / "records")
    assert set(record["metrics"]) == {"fine-tuned model", "nearest sentence", "no answer to any"}
    table = pd.read_csv(folder / "predictions.csv", keep_default_na=False)
    everything = read_questions(tmp_path / "rooms.json")
    truths = [everything[number - 1]["answers"]["text"] for number in table["item"]]
    overall = score(table["answer"].tolist(), truths)
    for name, value in overall.items():
        assert record["metrics"]["fine-tuned model"][name] == pytest.approx(value, abs=1e-4)
    assert len(table) == 18 and record["counts"]["answered by the text"]["test"] == sum(map(bool, truths))
    page = check_page(folder, "Question answering: rooms.json", images=1)
    assert "18 test questions on 6 texts" in page.text and "begins with “where”" in page.text
    card = (folder / "README.md").read_text()
    assert f"{overall['f1']:.1%}" in card and "model.config.reading" in card
    check_answers(ftcourse, tmp_path, table, everything)
    check_resume(ftcourse, monkeypatch, tmp_path, COMMAND, "predictions.csv")


def check_answers(ftcourse, tmp_path, table, everything):
    code, out, _ = ftcourse("predict", "one", "rooms.json", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(told) == 90
    for number, answer, margin in zip(table["item"], table["answer"], table["margin"], strict=True):
        assert told[number - 1]["text"] == answer and told[number - 1]["margin"] == pytest.approx(margin, abs=0.05)
    row = everything[table["item"][0] - 1]
    (tmp_path / "room.txt").write_text(row["context"] + "\n")
    line = ftcourse("predict", "one", "room.txt", "--question", row["question"])[1]
    assert line.rstrip("\n").split("\t")[0] == table["answer"][0] and line.endswith(f"{row['question']}\n")
    assert ftcourse("predict", "one", "--question", row["question"], stdin=row["context"])[1] == line
    for args, message in (
        ((), "give one file with the columns question and context, or --question"),
        (("room.txt", "--question", " "), "The question or the text that it is about is empty"),
        (("room.txt", "--question", "x", "--text-column", "y"), "so --text-column has no meaning: leave it out"),
        (("bad.csv",), "Line 2 of bad.csv has the context"),
    ):
        (tmp_path / "bad.csv").write_text("question,context\nwhere ?,\n")
        code, _, err = ftcourse("predict", "one", *args)
        assert code == 2 and message in err, err


def test_a_broken_article_is_named(tmp_path):
    (tmp_path / "a.json").write_text(json.dumps([{"paragraphs": [{"qas": [{"question": "where ?"}]}]}]))
    with pytest.raises(CourseError, match=r"Article 1 of a\.json isn't as SQuAD has it \(KeyError: 'context'\)"):
        read_questions(tmp_path / "a.json")
