"""Run records: written whole, read back, rendered."""

import json
import time

import numpy as np
import pytest
from scipy import stats

from ftcourse import files, records
from ftcourse.errors import CourseError


def write(folder, run, accuracy):
    return records.write_record(
        "study", run, metrics={"accuracy": accuracy}, settings={"seed": 0, "num_train": 1200},
        cost={"seconds": 12.3, "peak_memory_mb": 900.0}, folder=folder,
    )  # fmt: skip


def test_written_record_says_what_ran_where_and_what_came_out(tmp_path):
    record = json.loads(write(tmp_path, "a", 0.5).read_text())
    assert record["metrics"] == {"accuracy": 0.5}
    assert record["environment"]["versions"]["transformers"]
    assert record["environment"]["cores"] >= 1
    assert record["environment"]["dtype"] in ("bfloat16", "float32")
    assert record["seconds"] == 12.3


def test_nothing_is_half_written(tmp_path, monkeypatch):
    write(tmp_path, "a", 0.5)
    monkeypatch.setattr(files.os, "replace", lambda *paths: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, "a", 0.9)
    assert [r["metrics"]["accuracy"] for r in records.load_records("study", tmp_path)] == [0.5]


def test_missing_study_names_the_command(tmp_path):
    with pytest.raises(CourseError, match="ftcourse study nowhere"):
        records.load_records("nowhere", tmp_path)


def test_broken_record_is_named(tmp_path):
    write(tmp_path, "a", 0.5).write_text("{")
    with pytest.raises(CourseError, match="a.json"):
        records.load_records("study", tmp_path)


def test_interval_is_students_t():
    values = [0.84, 0.85, 0.87]
    mean, half_width = records.interval(values)
    low, high = stats.t.interval(0.95, 2, loc=np.mean(values), scale=stats.sem(values))
    assert (mean - half_width, mean + half_width) == pytest.approx((low, high))
    with pytest.raises(CourseError, match="two runs"):
        records.interval([0.5])


def test_an_interval_that_could_be_anything_is_not_given():
    assert records.percent([0.84, 0.85, 0.87]) == "85.3 % ± 3.8 (3 seeds)"
    assert records.percent(iter([0.55, 0.79])) == "67.0 % (2 seeds, too few to say)"
    assert records.percent([0.70, 0.716]) == "70.8 % (2 seeds, too few to say)"  # 10.2 points to either side
    assert records.percent([-0.01, 0.005]) == "-0.2 % ± 9.5 (2 seeds)"


def test_measure_sees_time_and_the_rise_of_memory():
    with records.measure() as idle:
        time.sleep(0.1)
    with records.measure() as cost:
        block = np.ones(40_000_000)  # 320 MB
        time.sleep(0.2)  # four samples
    assert block.sum() == 40_000_000
    assert 0.1 <= idle["seconds"] < cost["seconds"] < 60
    assert cost["peak_memory_mb"] - idle["peak_memory_mb"] == pytest.approx(320, abs=30)


def test_measure_keeps_a_peak_that_is_over_before_the_end():
    with records.measure() as idle:
        pass
    with records.measure() as cost:
        block = np.ones(40_000_000)
        time.sleep(0.2)
        del block
        time.sleep(0.1)
    assert cost["peak_memory_mb"] - idle["peak_memory_mb"] == pytest.approx(320, abs=30)


def test_tables_and_phrases_come_from_records(tmp_path):
    for run, accuracy in (("a", 0.84), ("b", 0.86)):
        write(tmp_path, run, accuracy)
    loaded = records.load_records("study", tmp_path)
    table = records.render_study(loaded, ["accuracy"])
    assert "84.0 %" in table and "86.0 %" in table and "1,200" in table
    assert len(set(line.count("|") for line in table.splitlines())) == 1
    assert records.percent(records.as_frame(loaded)["accuracy"]) == "85.0 % (2 seeds, too few to say)"
