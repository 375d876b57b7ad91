"""`ftcourse train` and `ftcourse predict`: data are checked, splits share nothing, and a folder says all there is."""

import json
import random
import re

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from sklearn.metrics import f1_score
from trainings import check_page, check_resume

from ftcourse.checks import tiny
from ftcourse.errors import CourseError
from ftcourse.records import load_records
from ftcourse.splits import split_stratified
from ftcourse.tools import training
from ftcourse.tools.measuring import macro_f1
from ftcourse.tools.predicting import class_line, name_lines
from ftcourse.tools.training_data import prepare

KINDS = {"dull": "pan", "warm": "praise", "plot": "neutral <b>"}


def table(*rows, place="line"):
    """A table of (text, label) or (text, label, group), on the lines 2, 3 and so on."""
    columns = ["text", "label", "group"][: len(rows[0])]
    return pd.DataFrame(rows, pd.RangeIndex(2, len(rows) + 2, name=place), columns, dtype=object)


def sound(count=12):
    """Rows with nothing wrong, in two classes."""
    rng = random.Random(0)
    letters = "abcdefghijklmnopqrstuvwxyz"
    return [("".join(rng.choices(letters, k=30)), "yes" if number % 2 else "no") for number in range(count)]


def found(prepared):
    return {finding.kind: list(finding.places) for finding in prepared.findings}


def test_rows_that_can_t_be_used_stop_the_run_or_are_left_out():
    frame = table(
        *sound(), ("  ", "yes"), (None, "no"), (5, "no"), ("A text of its own", None), ("Another text", "rare")
    )
    with pytest.raises(CourseError) as error:
        prepare(frame)
    for said in (
        "text has nothing but white space (line 14)", "text is missing (line 15)",
        "text is a number, not text (line 16)", "label is missing (line 17)", "leave them out with --clean",
    ):  # fmt: skip
        assert said in str(error.value)
    with pytest.raises(CourseError, match=r"1 of label rare \(line 14\)"):
        prepare(table(*sound(), ("Another text", "rare")))
    prepared = prepare(frame, clean=True)
    assert prepared.frame.index.tolist() == list(range(2, 14)) and all(row.left_out for row in prepared.findings)
    assert found(prepared) == {"empty": [14], "missing": [17], "wrong_type": [16], "few": [18]}


def test_copies_stay_together_or_are_left_out():
    text = "A long and winding road to nowhere at all."
    rows = [(text, "yes"), (text.upper(), "yes"), (text[:-1] + "!!", "yes"), (text[5:], "yes"), ("Say what?", "no"),
            ("say  what?", "yes"), ("😀", "yes"), ("🙁", "no")]  # fmt: skip
    frame = table(*sound(), *rows)
    kept = prepare(frame)
    wanted = {"duplicate": [15], "conflict": [18, 19], "near_duplicate": [16, 17]}
    assert found(kept) == wanted and len(kept.frame) == len(frame)
    clusters = dict(zip(kept.frame.index, kept.clusters, strict=True))
    assert clusters[14] == clusters[15] == clusters[16] == clusters[17] and clusters[18] == clusters[19]
    assert len(set(clusters.values())) == len(frame) - 4 and clusters[20] != clusters[21]
    cleaned = prepare(frame, clean=True)
    assert found(cleaned) == wanted and cleaned.frame.index.tolist() == [*range(2, 15), 20, 21]
    assert len(set(cleaned.clusters)) == len(cleaned.frame)


def test_groups_stay_together_and_a_missing_group_is_none():
    rows = [(*row, group) for row, group in zip(sound(6), ["a", "a", "b", None, None, "b"], strict=True)]
    assert prepare(table(*rows)).clusters.tolist() == [0, 0, 1, 2, 3, 1]


def test_what_is_to_be_known_of_the_classes():
    rows = [(text, label.upper() if number == 0 else label) for number, (text, label) in enumerate(sound(60))]
    rows += [(f"{text}é", "NO") for text, _ in sound(63)[60:]] + [("Ã© Ã¼ garbled", "yes")]
    findings = {finding.kind: finding for finding in prepare(table(*rows)).findings}
    assert findings["similar_names"].reason == "the labels 'NO', 'no' differ in case or spaces only"
    assert findings["imbalance"].reason == "4 of 64 rows have the label NO" and findings["encoding"].places == [65]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("a", "x"), ("b", "x")], "the one label x, and a classifier needs at least two"),
        ([("a", None), ("b", None)], "no label, and"),
        ([(f"text {number}", str(number / 7)) for number in range(9)], "9 different values in 9 rows.*no classes"),
    ],
)
def test_what_are_no_classes_is_refused(rows, message):
    with pytest.raises(CourseError, match=message):
        prepare(table(*rows))


def test_stratified_splits_keep_the_shares_and_part_no_group():
    labels = [0] * 300 + [1] * 90 + [2] * 10
    dataset = Dataset.from_dict({"label": labels, "number": range(400), "film": [n // 2 for n in range(400)]})
    for group in (None, "film"):
        splits = split_stratified(dataset, group, 0.1, 0.2, seed=1)
        assert {name: len(rows) for name, rows in splits.items()} == {"train": 280, "validation": 40, "test": 80}
        assert sorted(n for rows in splits.values() for n in rows["number"]) == list(range(400))
        for rows in splits.values():
            shares = np.bincount(rows["label"], minlength=3) / len(rows)
            assert np.allclose(shares, [0.75, 0.225, 0.025], atol=0.03) and shares.min() > 0
    films = [set(rows["film"]) for rows in splits.values()]
    assert not films[0] & films[1] and not films[0] & films[2] and not films[1] & films[2]
    again = split_stratified(dataset, "film", 0.1, 0.2, seed=1)
    assert again["test"]["number"][:] == splits["test"]["number"][:]
    other = split_stratified(dataset, "film", 0.1, 0.2, seed=2)
    assert other["test"]["number"][:] != splits["test"]["number"][:]
    with pytest.raises(CourseError, match="There are 2 groups"):
        split_stratified(dataset.add_column("half", [n % 2 for n in range(400)]), "half")


def test_macro_f1_is_scikit_learn_s():
    rng = np.random.default_rng(0)
    for classes in (2, 5, 30):
        labels, answers = rng.integers(classes, size=(2, 40))
        expected = f1_score(labels, answers, average="macro", zero_division=0)
        assert macro_f1(labels, answers, classes) == pytest.approx(expected)


def test_few_rows_are_seen_oftener():
    assert [training.choose_epochs(rows) for rows in (1, 420, 1000, 10**6)] == [10, 10, 4, 3]


def test_an_answer_is_one_line():
    row = {"text": "a\tb \u2028 c", "label": "yes no", "probability": 0.75}
    assert class_line(1, row) == "yes no\t0.7500\ta b c"
    assert class_line(2, {"text": "", "label": None, "probability": None}) == "\t\t"
    names = [{"label": "PER", "start": 0, "end": 7, "text": "Ada\nL.", "probability": 0.9}] * 2
    assert name_lines(3, {"text": "Ada\nL.", "entities": names}) == "\n".join(["3\tPER\t0\t7\tAda L."] * 2)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--data", "gone.csv"), r"gone\.csv does not exist"),
        (("--data", "a.csv"), r"a\.csv has no column text, label\. Its columns are review, stars, film"),
        (("--label-column", "film"), r"The column with the labels has 9 different values in 24 rows"),
        (("--group-column", "who"), r"has no column who"),
        (("--test-share", "0.9"), r"A validation share of 0\.1 and a test share of 0\.9 leave 0% to train on"),
        (("--validation-share", "0"), r"give two shares above 0"),
        (("--resume",), r"There is no interrupted training of .*classifier.*leave out --resume"),
        (("--output", "full"), r"full holds something else than a training's result: name another folder"),
        (("--output", "full", "--overwrite"), r"full holds something else than a training's result"),
        (("--model", "nonsense"), r"There is no asset 'nonsense'"),
        (("--model", "./full"), r"The model \./full can't be loaded for text classification: "),
    ],
)
def test_what_a_person_can_mend_is_one_paragraph_and_leaves_nothing(ftcourse, tmp_path, args, message):
    rows = [(*row, f"film {number % 9}") for number, row in enumerate(sound(24))]
    pd.DataFrame(rows, columns=["review", "stars", "film"]).to_csv("a.csv", index=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    usual = [] if "--data" in args else ["--data", "a.csv", "--text-column", "review"]
    usual += [] if {"--data", "--label-column"} & set(args) else ["--label-column", "stars"]
    code, _, err = ftcourse("train", "classification", *usual, *args)
    assert code == 2 and re.fullmatch(rf"Error: .*{message}.*\n", err), err  # the dot matches no line break
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "full"]


def test_the_commands_explain_themselves_with_examples(ftcourse):
    for command in (*(("train", kind) for kind in ("classification", "ner", "qa", "images")), ("predict",)):
        code, out, _ = ftcourse(*command, "--help")
        assert (
            code == 0
            and "\\b" not in out
            and f"ftcourse {' '.join(command)} " in out[out.index("Examples") : out.index("─ Options")]
        )
    assert "classification" in ftcourse("train", "--help")[1] and "train" in ftcourse("--help")[1]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("nonsense",), r"There is no asset 'nonsense'"),
        (("model", "a.csv"), r"a\.csv is a table: name the column with the texts with --text-column"),
        (("model", "a.csv", "--text-column", "x"), r"a\.csv has no column x\. Its columns are text, label"),
        (("model", "gone.txt"), r"There is no file gone\.txt"),
        (("model", "latin.txt"), r"latin\.txt is not UTF-8"),
        (("model", "a.csv", "--question", "x"), r"This model reads texts, so --question has no meaning: leave it out"),
        (("model", "a.csv", "latin.txt"), r"This model reads one file, and there are 2"),
        (("body",), r"body is no trained model of a kind that is known here, so its answers would be chance"),
    ],
)
def test_predict_says_what_to_mend(ftcourse, tmp_path, args, message):
    (tmp_path / "a.csv").write_text("text,label\na,1\n")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9\n")
    save_body(tmp_path / "body")
    tiny.encoder().save_pretrained(tmp_path / "model")
    tiny.tokenizer().save_pretrained(tmp_path / "model")
    ftcourse("--version")  # what saving wrote to the standard error has been read
    code, out, err = ftcourse("predict", *args, stdin="a film\n")
    assert (code, out) == (2, "") and re.fullmatch(rf"Error: .*{message}.*\n", err), err


def test_only_a_training_s_result_is_replaced_and_whole(tmp_path):
    work, output = tmp_path / "model.part", tmp_path / "model"
    for folder, text in ((output, "old"), (work / "result", "new")):
        folder.mkdir(parents=True)
        (folder / "report.html").write_text(text)
    (output / "left over").write_text("")
    with pytest.raises(CourseError, match="model.part is in the way"):
        training._check_folders(output, work, False, True)
    (work / "settings.json").write_text("{}")
    with pytest.raises(CourseError, match="has a model already"):
        training._check_folders(output, work, False, False)
    training._check_folders(output, work, False, True)
    training._put(work, output)
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert [path.read_text() for path in output.iterdir()] == ["new"]


def save_body(folder):
    """Write a BERT without a head, and its tokenizer."""
    tiny.encoder(dropout=0.1).bert.save_pretrained(folder)
    tiny.tokenizer().save_pretrained(folder)


def write_reviews(path):
    """Write 120 reviews of 40 films in three classes, each with the word of its class."""
    rng, rows = random.Random(0), []
    for number in range(120):
        word = list(KINDS)[number % 3]
        words = [word, *rng.choices([other for other in tiny.WORDS if other not in KINDS], k=9)]
        rng.shuffle(words)
        rows.append({"review": " ".join(words), "stars": KINDS[word], "film": f"film {number % 40}"})
    pd.DataFrame(rows).to_csv(path, index=False)


COMMAND = (
    "train", "classification", "--data", "reviews.csv", "--text-column", "review", "--label-column", "stars",
    "--group-column", "film", "--model", "body", "--epochs", "4", "--learning-rate", "1e-2", "--batch-size", "8",
)  # fmt: skip


@pytest.mark.models
def test_the_whole_way(ftcourse, tmp_path, monkeypatch):
    """One test, because each step needs the one before: train, look, answer, interrupt, resume."""
    save_body(tmp_path / "body")
    write_reviews(tmp_path / "reviews.csv")
    code, out, err = ftcourse(*COMMAND, "--output", "one")
    assert code == 0, err
    assert re.search(r"(fine-tuned model is|between the fine-tuned model and) .*most frequent class", out)
    assert "Read 120 rows of reviews.csv\n" in out and "epoch 4 of 4: validation accuracy" in out
    assert out.endswith(f"Report: {tmp_path / 'one' / 'report.html'}\nTry it: ftcourse predict one\n")
    check_folder(tmp_path / "one")
    check_report(tmp_path / "one")
    check_answers(ftcourse, tmp_path)

    assert "has a model already: name another" in ftcourse(*COMMAND, "--output", "one")[2]
    check_resume(ftcourse, monkeypatch, tmp_path, COMMAND, "predictions.csv")
    assert {path.name for path in tmp_path.iterdir()} >= {"one", "two", "body", "reviews.csv"}


def check_folder(folder):
    config = json.loads((folder / "config.json").read_text())
    assert list(config["id2label"].values()) == ["neutral <b>", "pan", "praise"]
    predictions, data = pd.read_csv(folder / "predictions.csv"), pd.read_csv(folder.parent / "reviews.csv")
    rows = data.iloc[predictions["line"] - 2]  # line 1 has the names of the columns
    assert rows["review"].tolist() == predictions["text"].tolist()
    assert rows["stars"].tolist() == predictions["label"].tolist()
    (record,) = load_records("classification", folder / "records")
    accuracy = (predictions["label"] == predictions["answer"]).mean()
    score = record["metrics"]["fine-tuned model"]
    assert score["accuracy"] == pytest.approx(accuracy, abs=1e-4)
    assert score["accuracy_low"] <= score["accuracy"] <= score["accuracy_high"]
    assert set(record["metrics"]) == {"fine-tuned model", "word counter", "most frequent class"}
    assert record["settings"]["epochs"] == 4 and record["rows"]["test"] == len(predictions) == 24
    films = rows["film"].unique()
    assert len(films) == 8  # the three rows of a film are all in the test
    assert np.trace(record["confusion"]) == (predictions["label"] == predictions["answer"]).sum()
    card = (folder / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\n") and f"{accuracy:.1%}" in card and "film" in card


def check_report(folder):
    page = check_page(folder, "Text classification: reviews.csv", images=2)
    images = page.select("img")
    assert "Confusion matrix" in images[1]["alt"] and "word counter" in images[0]["alt"]
    assert "neutral <b>" in page.text and re.search(r"most frequent class(\.| beyond|:)", page.text)


def check_answers(ftcourse, tmp_path):
    predictions = pd.read_csv(tmp_path / "one" / "predictions.csv")
    lines = "\n".join([predictions["text"][0], "", *predictions["text"][1:]]) + "\n"
    (tmp_path / "texts.txt").write_text(lines)
    code, out, _ = ftcourse("predict", "one", "texts.txt")
    answers = [line.split("\t") for line in out.splitlines()]
    assert code == 0 and answers.pop(1) == ["", "", ""]
    assert [answer[0] for answer in answers] == predictions["answer"].tolist()
    assert np.allclose([float(answer[1]) for answer in answers], predictions["probability"], atol=0.01)
    assert ftcourse("predict", "one", stdin=lines)[1] == out
    rows = [json.loads(line) for line in
            ftcourse("predict", "one", "reviews.csv", "--text-column", "review", "--json")[1].splitlines()]  # fmt: skip
    answered = [rows[line - 2]["label"] for line in predictions["line"]]
    assert len(rows) == 120 and answered == predictions["answer"].tolist()
