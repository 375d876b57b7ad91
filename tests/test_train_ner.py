"""`ftcourse train ner` and what it trains: sentences are checked, documents stay whole, answers are those measured."""

import json
import random
import re

import pytest
from trainings import check_page, check_resume, save_body
from transformers import AutoModelForTokenClassification, AutoTokenizer

from ftcourse.entities import read_tagged_json, spans
from ftcourse.ner import predict_words, score
from ftcourse.records import load_records
from ftcourse.tools.training_ner import NER, NameSettings, marked, name_measures

DRUGS = "Aspirin Heparin Insulin Codeine Morphine Digoxin Warfarin Lithium".split()
FILLERS = "take stop with water every day after the meal now then please".split()
WORDS = [*DRUGS, *FILLERS, "high", "dose"]


def notes(count=96, documents=12, seed=0):
    """Sentences of (words, tags), each of a document, in which a word with a capital is a drug."""
    rng, rows = random.Random(seed), []
    for number in range(count):
        words = rng.choices(FILLERS, k=6)
        place = rng.randrange(1, 6)
        words[place] = rng.choice(DRUGS)
        tags = ["O"] * 6
        tags[place] = "B-DRUG"
        if number % 3 == 0:
            words[place:place], tags[place:place] = ["high", "dose"], ["B-DOSE", "I-DOSE"]
        rows.append((words, tags, number % documents))
    return rows


def write_conll(path, rows, documents=True):
    """Write sentences as CoNLL-2003 has them, in the order of their documents if these are to be marked."""
    parts, before = [], None
    for words, tags, document in sorted(rows, key=lambda row: row[2]) if documents else rows:
        if documents and document != before:
            parts.append("-DOCSTART- O\n")
        before = document
        parts.append("".join(f"{word} {tag}\n" for word, tag in zip(words, tags, strict=True)))
    path.write_text("\n".join(parts))


def read(name, **options):
    """What a training reads, and what it says of it."""
    said = []
    return NER.read(NameSettings(name, model="body", **options), said.append), said


def test_what_is_wrong_with_a_file_is_named_with_its_lines_or_left_out(ftcourse, tmp_path):
    write_conll(tmp_path / "a.conll", notes(40), documents=False)
    lines = (tmp_path / "a.conll").read_text().splitlines()
    lines[1], lines[8], lines[9] = "take b-drug", "stop", lines[9].split()[0] + " b-drug"
    (tmp_path / "a.conll").write_text("\n".join(lines) + "\n")
    code, out, err = ftcourse("train", "ner", "--data", "a.conll")
    assert code == 2 and "There are sentences that can't be used: a.conll has the tag 'b-drug': write O" in err
    assert "(line 2)" in err and "leave them out with --clean" in err
    data, said = read("a.conll", clean=True)
    assert sum(map(len, data.splits.values())) < 40 and "Read 3" in said[0]
    assert any("Left out" in line for line in said)
    rows = [{"words": words, "tags": tags} for words, tags, _ in notes(40)]
    rows[3]["tags"] = rows[3]["tags"][1:]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, rows)))
    assert re.search(r"a\.jsonl has \d words and \d tags: give each word one tag \(line 4\)",
                     ftcourse("train", "ner", "--data", "a.jsonl")[2])  # fmt: skip


def test_copies_contradictions_and_rare_labels_are_found(ftcourse, tmp_path):
    rows = notes(40)
    rows += [rows[0], (rows[1][0], ["O"] * len(rows[1][0]), 0), (["Riga"], ["S-PLACE"], 0)]
    write_conll(tmp_path / "a.conll", rows, documents=False)
    code, _, err = ftcourse("train", "ner", "--data", "a.conll")
    last = len((tmp_path / "a.conll").read_text().splitlines())
    assert code == 2 and f"There are labels that can't be used: 1 of label PLACE (line {last})" in err
    data, _ = read("a.conll", clean=True)
    kinds = {finding.kind: finding.places for finding in data.findings}
    assert set(kinds) == {"duplicate_sentence", "conflict_sentence", "few_names"} and kinds["few_names"] == [last]
    assert len(kinds["conflict_sentence"]) == 2 and sum(map(len, data.splits.values())) == 39
    write_conll(tmp_path / "b.conll", rows[:-1], documents=False)
    data, _ = read("b.conll")
    homes = {line: split for split, part in data.splits.items() for line in part["line"]}
    copy, (one, other) = kinds["duplicate_sentence"][0], kinds["conflict_sentence"]
    assert len(homes) == 42 and homes[1] == homes[copy] and homes[one] == homes[other]


def test_documents_stay_whole_in_both_kinds_of_file(ftcourse, tmp_path):
    rows = notes()
    write_conll(tmp_path / "a.conll", rows)
    objects = [{"tokens": words, "ner_tags": tags, "patient": of} for words, tags, of in rows]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, objects)))
    document = {tuple(words): of for words, _, of in rows}
    for data, said in (read("a.conll"), read("a.jsonl", document_key="patient")):
        homes = [{document[tuple(words)] for words in part["words"]} for part in data.splits.values()]
        assert sum(map(len, homes)) == 12 and len(homes[2]) == 3 and data.groups == "No document is in two splits."
        assert "2 labels; " in said[-1]
    data, said = read("a.jsonl")  # nothing is called document
    assert not data.groups and len({document[tuple(words)] for words in data.splits["test"]["words"]}) > 3
    write_conll(tmp_path / "few.conll", notes(documents=3))
    data, said = read("few.conll")
    assert not data.groups and any("there are 3 documents, and the splits need four" in line for line in said)


def test_files_that_are_given_are_used_as_they_are(ftcourse, tmp_path):
    for name, seed in (("train", 0), ("dev", 1), ("test", 2)):
        write_conll(tmp_path / f"{name}.conll", notes(24, 3, seed) + notes(1) * (name == "test"), documents=False)
    data, said = read("train.conll", validation_data="dev.conll", test_data="test.conll")
    assert {name: len(part) for name, part in data.splits.items()} == {"train": 24, "validation": 24, "test": 25}
    leak = next(finding for finding in data.findings if finding.kind == "leak")
    assert len(leak.places) == 1 and "given for test are among those of training" in leak.reason
    data, _ = read("train.conll", test_data="test.conll")
    assert len(data.splits["test"]) == 25 and len(data.splits["train"]) + len(data.splits["validation"]) == 24


def test_what_is_left_open_is_filled_in_by_the_lesson_s_recipe(ftcourse, tmp_path):
    write_conll(tmp_path / "a.conll", notes())
    settings = read("a.conll")[0].settings
    assert (settings.batch_size, settings.epochs, settings.learning_rate) == (8, 10, 5e-4)
    assert settings.other_names == 0  # the lists of names know no drugs
    text = (tmp_path / "a.conll").read_text()
    (tmp_path / "b.conll").write_text(text.replace("DRUG", "PER").replace("DOSE", "LOC"))
    assert read("b.conll")[0].settings.other_names == 2


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--data", "gone.conll"), r"gone\.conll does not exist: give the path of a CoNLL file"),
        (("--data", "folder"), r"folder is a folder: give the path of a CoNLL file"),
        (("--data", "none.conll"), r"No sentence has a name, as all tags are O"),
        (("--data", "bad.conll", "--clean"), r"bad\.conll has no sentence that can be used"),
        (("--data", "two.conll"), r"There are 2 groups of sentences that may be parted"),
        (("--test-data", "other.conll"), r"No training sentence has the label PLACE, which test has"),
        (("--test-data", "none.conll"), r"There is no name in the sentences for validation or in those for the test"),
        (("--test-data", "one.conll"), r"The test has one of the sentences only"),
        (("--test-share", "0.95"), r"leave 0% to train on"),
        (("--max-length", "1000"), r"body reads 64 tokens at most: give a --max-length of 64 or less"),
        (("--model", "./folder"), r"The model \./folder can't be loaded for finding names: "),
        (("--resume",), r"There is no interrupted training of .*names"),
    ],
)  # fmt: skip
def test_what_a_person_can_mend_is_one_paragraph(ftcourse, tmp_path, args, message):
    write_conll(tmp_path / "a.conll", notes(40), documents=False)
    (tmp_path / "folder").mkdir()
    (tmp_path / "none.conll").write_text("\n\n".join(f"word{number} O\nafter O" for number in range(9)))
    (tmp_path / "bad.conll").write_text("take it\n")
    (tmp_path / "two.conll").write_text("a B-X\nb B-X\n\nc B-X\n")
    (tmp_path / "one.conll").write_text("a B-DRUG\n")
    (tmp_path / "other.conll").write_text("Riga B-PLACE\n\nOslo B-PLACE\n")
    save_body(tmp_path / "body", WORDS)
    ftcourse("--version")  # what saving wrote to the standard error has been read
    usual = [] if "--data" in args else ["--data", "a.conll"]
    usual += [] if "--model" in args else ["--model", "body"]
    code, _, err = ftcourse("train", "ner", *usual, *args)
    assert code == 2 and re.fullmatch(rf"Error: .*{message}.*\n", err), err
    assert not [path for path in tmp_path.iterdir() if path.name.startswith("names")]


def test_a_sentence_is_shown_with_its_names():
    assert marked(["Riga", "beat", "FC", "X", "Oslo"], ["S-LOC", "O", "B-ORG", "I-ORG", "B-LOC"]) == (
        "[LOC Riga] beat [ORG FC X] [LOC Oslo]"
    )


def test_measures_are_those_of_the_lesson():
    gold = [["B-A", "I-A", "O"], ["B-B", "O", "O"], ["O", "B-A", "B-A"]]
    found = [["B-A", "O", "O"], ["B-B", "O", "B-A"], ["O", "B-A", "O"]]
    overall = score(gold, found)["all"]
    for name, statistic in name_measures(gold, found).items():
        assert statistic([0, 1, 2]) == pytest.approx(overall[name])
    assert name_measures(gold, found)["f1"]([0]) == 0


COMMAND = ("train", "ner", "--data", "notes.conll", "--model", "body", "--epochs", "4", "--learning-rate", "1e-2",
           "--batch-size", "4", "--max-length", "40")  # fmt: skip


@pytest.mark.models
def test_the_whole_way(ftcourse, tmp_path, monkeypatch):
    """One test, because each step needs the one before: train, look, answer, interrupt, resume."""
    save_body(tmp_path / "body", WORDS)
    write_conll(tmp_path / "notes.conll", notes(288))
    code, out, err = ftcourse(*COMMAND, "--output", "one")
    assert code == 0, err
    assert "Read 288 sentences of notes.conll\n" in out and "epoch 4 of 4: validation precision" in out
    assert "Measuring on 72 test sentences" in out and out.endswith("Try it: ftcourse predict one\n")
    folder = tmp_path / "one"
    (record,) = load_records("ner", folder / "records")
    rows = read_tagged_json(folder / "predictions.jsonl")
    answers = [json.loads(line)["answers"] for line in (folder / "predictions.jsonl").read_text().splitlines()]
    overall = score(rows["tags"], answers)["all"]
    assert record["metrics"]["fine-tuned model"]["f1"] == pytest.approx(overall["f1"], abs=1e-4)
    assert overall["f1"] > 0.5 and set(record["metrics"]) == {"fine-tuned model", "list of the names in training"}
    assert record["sentences"]["test"] == len(rows) == 72
    check_saved(folder, rows, answers)
    page = check_page(folder, "Names: notes.conll", images=1)
    assert "3 documents" in page.text and "Made up" in page.text and "No document is in two splits." in page.text
    card = (folder / "README.md").read_text()
    assert f"{overall['f1']:.1%}" in card and "pipeline_tag: token-classification" in card
    check_answers(ftcourse, tmp_path, rows, answers)
    check_resume(ftcourse, monkeypatch, tmp_path, COMMAND, "predictions.jsonl")


def check_saved(folder, rows, answers):
    """The folder alone gives the answers that were measured, capitals and all."""
    model, tokenizer = (
        kind.from_pretrained(folder) for kind in (AutoModelForTokenClassification, AutoTokenizer)
    )  # fmt: skip
    again = predict_words(rows["words"][:], model, tokenizer, 40)
    assert [[tag for tag, _ in row] for row in again] == answers
    assert tokenizer.tokenize("Aspirin") != tokenizer.tokenize("aspirin")


def check_answers(ftcourse, tmp_path, rows, answers):
    texts = [" ".join(words) for words in rows["words"]]
    (tmp_path / "texts.txt").write_text("\n".join([*texts, ""]) + "\n")
    code, out, _ = ftcourse("predict", "one", "texts.txt", "--json")
    told = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(told) == len(texts) + 1 and told[-1] == {"text": "", "entities": []}
    for text, words, tags, row in zip(texts, rows["words"], answers, told, strict=False):
        wanted = [(label, " ".join(words[start:end])) for start, end, label in spans(tags)]
        assert [(one["label"], one["text"]) for one in row["entities"]] == wanted
        assert all(text[one["start"] : one["end"]] == one["text"] for one in row["entities"])
    lines = ftcourse("predict", "one", "texts.txt")[1].splitlines()
    assert len(lines) == sum(len(row["entities"]) for row in told)
    number, label, start, end, name = lines[0].split("\t")
    assert texts[int(number) - 1][int(start) : int(end)] == name and label in ("DRUG", "DOSE")
