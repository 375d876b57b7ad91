"""Tables of texts and labels: every format is read alike, with its lines, and bad ones are refused by name."""

import re
import subprocess
import sys

import hub_mirror
import hub_repositories
import numpy as np
import pandas as pd
import pytest
from datasets import ClassLabel, Dataset, Features, Value

from ftcourse import tables
from ftcourse.errors import CourseError

ROWS = [("Good, really.", "pos", "a"), ('She said "no".', "neg", "b"), ("Two\nlines", "pos", "a"), ("Fin", "neg", "c")]
FRAME = pd.DataFrame(ROWS, columns=["review", "stars", "film"])


@pytest.fixture
def write(tmp_path):
    """A function that writes a file and returns its path."""

    def writer(name, content):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    return writer


def in_format(tmp_path, suffix):
    path = tmp_path / f"reviews{suffix}"
    if suffix == ".parquet":
        FRAME.to_parquet(path)
    elif suffix == ".jsonl":
        FRAME.to_json(path, orient="records", lines=True)
    else:
        FRAME.to_csv(path, index=False, sep="\t" if suffix == ".tsv" else ",")
    return path


@pytest.mark.parametrize("suffix", tables.SUFFIXES)
def test_each_format_gives_the_same_examples(tmp_path, suffix):
    dataset = tables.read_examples(in_format(tmp_path, suffix), "review", "stars", "film")
    assert dataset["text"][:] == [row[0] for row in ROWS] and dataset["group"][:] == [row[2] for row in ROWS]
    assert dataset.features["label"] == ClassLabel(names=["neg", "pos"]) and dataset["label"][:] == [1, 0, 1, 0]
    lines = {".parquet": ("row", [0, 1, 2, 3]), ".jsonl": ("line", [1, 2, 3, 4])}
    place, numbers = lines.get(suffix, ("line", [2, 3, 4, 6]))  # the third review has two lines
    assert dataset[place][:] == numbers


def test_a_spreadsheet_s_csv_is_read_as_it_is(write):
    path = write("a.csv", '\ufefftext; label\r\n\r\nNA;1\r\n"a;b";1\r\n' + "x" * 200_000 + ";0\r\n")
    frame = tables.read_table(path)
    assert list(frame.columns) == ["text", "label"] and list(frame.index) == [3, 4, 5]
    assert frame["text"].tolist()[:2] == ["NA", "a;b"] and len(frame["text"].iloc[2]) == 200_000


def test_columns_are_chosen_and_a_key_may_be_left_out(write):
    path = write(
        "a.jsonl", '{"text": "a", "label": 1, "more": [1]}\n\n{"label": true, "text": null}\n{"text": "b\u2028"}'
    )
    frame = tables.read_table(path, ["label", "text"])
    assert list(frame.columns) == ["label", "text"] and list(frame.index) == [1, 3, 4]
    assert frame["label"].tolist() == [1, True, None] and frame["text"].tolist() == ["a", None, "b\u2028"]


def test_classes_of_a_parquet_file_keep_their_names(tmp_path):
    features = Features(text=Value("string"), label=ClassLabel(names=["low", "high"]))
    Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, -1, 0]}, features=features).to_parquet(
        tmp_path / "a.parquet"
    )
    assert tables.read_table(tmp_path / "a.parquet")["label"].tolist() == ["high", None, "low"]


@pytest.mark.parametrize(
    ("value", "name"),
    [
        ("pos", "pos"), (" pos ", "pos"), ("", None), ("  ", None), (None, None), (float("nan"), None), (pd.NA, None),
        (3, "3"), (3.0, "3"), (4.5, "4.5"), (True, "true"), (False, "false"), (np.int64(7), "7"),
        (np.float32("nan"), None), (np.bool_(True), "true"), (np.str_("x"), "x"), (0, "0"),
    ],
)  # fmt: skip
def test_a_label_has_a_name_whatever_its_type(value, name):
    assert tables.label_name(value) == name


@pytest.mark.parametrize("value", [["a", "b"], [], {"a": 1}, np.array([1, 0])])
def test_several_labels_are_refused_with_a_way_out(value):
    lines = pd.Index([7], name="line")
    frame = pd.DataFrame({"text": ["x"], "tags": pd.Series([value], lines, dtype=object)}, lines)
    with pytest.raises(CourseError, match="Line 7, tags: .*several labels.*multi-label.*one label a row"):
        tables.choose_columns(frame, "text", "tags")


def test_classes_stand_in_the_order_of_their_numbers():
    assert tables.class_names(["10", "9", None, "-1", "9"]) == ["-1", "9", "10"]
    assert tables.class_names(["b", "10", "9"]) == ["10", "9", "b"]
    assert tables.class_names(["nan", "1", "0"]) == ["0", "1", "nan"]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            "text,label\na,1\nb,2,3\n",
            r"a\.csv, line 3, has 3 cells where line 1 names 2 columns: .*between dou",
        ),
        ("a.csv", 'text,label\n"a,1\nb,2\n', r"a\.csv, line 2, can't be read as a row \(unexpected end.*written twice"),
        ("a.csv", 'text,label\na,1\n"a" b,2\n', r"a\.csv, line 3, can't be read as a row"),
        ("a.csv", "text,text\na,1\n", r"two columns 'text'"),
        ("a.csv", "review,stars\na,1\n", r"no column text, label\. Its columns are review, stars: name"),
        ("a.csv", "", r"no column text, label\. Its columns are "),
        ("a.csv", "text,label\n", r"has no rows"),
        ("a.tsv", "text\tlabel\na\tb\tc\n", r"a\.tsv, line 2, has 3 cells.*tabs"),
        ("a.csv", b"text,label\nok,1\ncaf\xe9,1\n", r"a\.csv, line 3, is not UTF-8: save"),
        (
            "a.jsonl",
            '{"text": "a", "label": 1}\n{"text": \n',
            r"a\.jsonl, line 2, is not valid JSON .*one whole object",
        ),
        ("a.jsonl", '["a", 1]\n', r"a\.jsonl, line 1, is not an object"),
        ("a.jsonl", '{"text": "\\ud800", "label": 1}\n', r"a\.jsonl, line 1, is not valid JSON .*surrogates"),
        ("a.jsonl", '{"review": "a"}\n{"stars": 1}\n', r"no column text, label\. Its columns are review, stars"),
        ("a.parquet", "no parquet", r"a\.parquet can't be read as Parquet"),
        ("a.xlsx", "PK", r"a\.xlsx is of a kind that isn't read here: save it as a \.csv, \.tsv"),
        ("a.csv", "text,label\na,1\n ,2\n", r"Line 3 has no text: fill it in"),
        ("a.csv", "text,label\na,\nb,2\n", r"Line 2 has no label"),
        ("a.csv", "text,label\na,1\nb,1\n", r"All rows have the label 1: .*at least two classes"),
    ],
)
def test_what_can_t_be_read_is_named_with_its_line(write, name, content, message):
    with pytest.raises(CourseError, match=message) as error:
        tables.read_examples(write(name, content))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("gone.csv", "does not exist"),
        (".", "is a folder"),
        ("reviews", "no file and no data set"),
        ("a/b/c", "no file"),
    ],
)
def test_what_is_no_table_is_refused(source, message):
    with pytest.raises(CourseError, match=message):
        tables.read_table(source)


def test_text_and_label_are_two_columns(write):
    with pytest.raises(CourseError, match="both the column text"):
        tables.read_examples(write("a.csv", "text,label\na,1\n"), label_column="text")


HUB = """
import sys
from ftcourse import tables
from ftcourse.errors import CourseError
frame = tables.read_table("stanfordnlp/imdb", ["label"], split="unsupervised")
print(frame["label"].unique().tolist(), frame.index.name, len(frame))
print(tables.read_examples("stanfordnlp/imdb").features["label"].names)
for arguments in ({"split": "gone"}, {"columns": ["stars"]}, {"source": "nobody/nothing"}):
    try:
        tables.read_table(**{"source": "stanfordnlp/imdb"} | arguments)
    except CourseError as error:
        print(error)
"""


@pytest.mark.reaches_out  # datasets asks a second service of the hub, whose name is made of the mirror's
def test_a_data_set_on_the_hub(tmp_path):
    hub_repositories.write_repositories(tmp_path / "hub", ["datasets/stanfordnlp/imdb"])
    with hub_mirror.serve(tmp_path / "hub") as mirror:
        environment = hub_mirror.environment(mirror.url, tmp_path / "home", tmp_path / "home")
        run = subprocess.run([sys.executable, "-c", HUB], capture_output=True, text=True, env=environment)
    lines = run.stdout.splitlines()
    assert lines[:2] == ["[None] row 20", "['neg', 'pos']"], run.stderr
    assert re.match(r"The data set stanfordnlp/imdb can't be loaded from the hub: .*gone.* Check its name", lines[2])
    assert "has no column stars. Its columns are text, label" in lines[3]
    assert "The data set nobody/nothing can't be loaded" in lines[4] and len(lines) == 5
