"""Run records: written whole, read back, rendered."""

import json
import os
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from ftcourse import files, records
from ftcourse.errors import CourseError
from ftcourse.studies.memory import in_own_process


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


def test_numbers_of_any_library_are_written_as_plain_ones(tmp_path):
    metrics = {"accuracy": np.float32(0.5), "curve": np.arange(3), "loss": torch.tensor(0.25), "n": pd.Series([1, 2])}
    settings = {"seed": np.int64(0), "folder": Path("data") / "mine", 3: (np.bool_(True), {"b"}), "steps": iter([1])}
    path = records.write_record("study", "a", metrics=metrics, settings=settings, folder=tmp_path)
    record = json.loads(path.read_text())
    assert record["metrics"] == {"accuracy": 0.5, "curve": [0, 1, 2], "loss": 0.25, "n": [1, 2]}
    assert record["settings"]["3"] == [True, ["b"]] and record["settings"]["steps"] == [1]
    assert record["settings"]["seed"] == 0 and "left_out" not in record


def test_what_json_cannot_hold_is_said_and_nothing_else_is_lost(tmp_path):
    metrics = {"loss": float("nan"), "accuracy": 0.5, "curve": [1.0, np.inf], "model": object()}
    with pytest.warns(UserWarning, match=r"metrics.loss \(nan\), metrics.curve\[1\] \(inf\), metrics.model"):
        path = records.write_record("study", "a", metrics=metrics, settings={}, folder=tmp_path)
    record = json.loads(path.read_text(), parse_constant=lambda constant: pytest.fail(constant))
    assert record["metrics"] == {"loss": None, "accuracy": 0.5, "curve": [1.0, None], "model": None}
    assert record["left_out"]["metrics.model"] == "of type object"
    assert "| – |" in records.render_study(records.load_records("study", tmp_path), "loss")
    with pytest.raises(CourseError, match="Run 0 has (nan|None) where"):
        records.percent(records.as_frame(records.load_records("study", tmp_path))["loss"])


RUNS = "lr/1e-4|..|.|.hidden|ein Lauf, größer: 🙂|a\\b|50 %|nl\n|end. ".split("|") + ["x" * 500, "x" * 501]


def test_any_name_comes_back(tmp_path):
    for run in RUNS:
        assert not records.is_done(run, run, tmp_path)
        path = records.write_record(run, run, metrics={}, settings={}, folder=tmp_path)
        assert records.is_done(run, run, tmp_path) and tmp_path in path.parents
        records.write_record("together", run, metrics={}, settings={}, folder=tmp_path)
        assert [record["run"] for record in records.load_records(run, tmp_path)] == [run]
    assert sorted(record["run"] for record in records.load_records("together", tmp_path)) == sorted(RUNS)
    assert records.record_path("study", "all-seed-0.5", tmp_path).name == "all-seed-0.5.json"


def test_a_file_that_is_no_record_is_named(tmp_path):
    for content in (b"[]", b'{"a": 1}', b"\xff"):
        write(tmp_path, "a", 0.5).write_bytes(content)
        with pytest.raises(CourseError, match="a.json"):
            records.load_records("study", tmp_path)


def test_intervals_take_any_list_of_numbers():
    for values in (iter([0.84, 0.85, 0.87]), np.array([0.84, 0.85, 0.87]), torch.tensor([0.84, 0.85, 0.87]).double()):
        assert records.percent(values) == "85.3 % ± 3.8 (3 seeds)"
    for values, message in (([0.5, None], "Run 1 has None"), ([0.5, np.inf], "Run 1 has inf"), (0.5, "not a list")):
        with pytest.raises(CourseError, match=message):
            records.interval(values)
    with pytest.raises(CourseError, match="level is 95"):
        records.interval([0.5, 0.6], level=95)


def say_where(study, run, profile, seed, folder):
    records.write_record(study, run, metrics={"process": os.getpid()}, settings={"seed": seed}, folder=folder)


@pytest.mark.long
def test_a_run_in_its_own_process_is_done_once(tmp_path):
    seen = set()
    for _ in range(2):
        in_own_process(say_where, "study", "a", "smoke", 3, tmp_path)
        (record,) = records.load_records("study", tmp_path)
        seen.add(record["metrics"]["process"])
    assert len(seen) == 1 and os.getpid() not in seen and record["settings"] == {"seed": 3}
