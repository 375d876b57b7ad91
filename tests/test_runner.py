"""The runner: profiles that really arrive, failures that are told, and nothing left running or half-written."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ftcourse import assets, profiles
from ftcourse.checks import tasks
from ftcourse.errors import CourseError
from ftcourse.tools import lessons, runner


def write_notebook(path, *cells, parameters="profile = 'local'", tags=("parameters",)):
    """Write a notebook with a cell of parameters; strings that start with # followed by a space are Markdown."""
    path.parent.mkdir(parents=True, exist_ok=True)
    first = [new_code_cell(parameters, metadata={"tags": list(tags)})] if parameters else []
    rest = [new_markdown_cell(cell) if cell.startswith("# ") else new_code_cell(cell) for cell in cells]
    nbformat.write(new_notebook(cells=[*first, *rest]), path)
    return path


@pytest.fixture
def nbs(tmp_path, monkeypatch):
    """An empty lessons folder; asking for the environment, which loads torch, is cut short."""
    answer = [sys.executable, "-c", 'print(\'{"python": "3"}\')']
    monkeypatch.setattr(runner, "_ask_environment", lambda: subprocess.Popen(answer, stdout=subprocess.PIPE, text=True))
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "nbs"
    folder.mkdir()
    return folder


def run(nbs, profile="smoke", **options):
    return runner.run_lessons(runner.find_lessons(nbs), profile, nbs.parent / "build", **options)


def outputs(path):
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells if cell.cell_type == "code" for output in cell.outputs)


def assert_ends(pid):
    deadline = time.monotonic() + 10
    while psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.05)


@pytest.mark.long
def test_profile_arrives_and_record_tells_the_run(nbs, tmp_path):
    write_notebook(
        nbs / "01_first.ipynb",
        "# Title",
        "import os, sys, time\nblock = bytearray(200_000_000)\ntime.sleep(1)",
        "print(profile, os.environ['FTCOURSE_PROFILE'], sys.executable, os.getcwd())",
    )
    write_notebook(nbs / "index.ipynb", "print('index')", parameters=None)
    seen = []
    first, index = run(
        nbs, tick=lambda running: seen.extend((job.lesson, job.cell, job.cells, job.title) for job in running)
    )

    built = tmp_path / "build" / "lessons" / "smoke"
    assert outputs(built / "01_first.ipynb").split() == ["smoke", "smoke", sys.executable, str(nbs)]
    assert outputs(built / "index.ipynb") == "index\n"
    record = json.loads((built / "01_first.json").read_text())
    assert first["notebook"] == str(built / "01_first.ipynb") and record["fingerprint"] == first["fingerprint"]
    assert first["status"] == "passed" and first["profile"] == "smoke" and first["environment"] == {"python": "3"}
    assert [number for number, _ in record["cell_seconds"]] == [1, 3, 4] and record["cell_seconds"][1][1] >= 1
    assert first["seconds"] >= 1 and first["started"] < first["finished"]
    assert 200 < first["peak_memory_mb"] < 1000
    assert index["lesson"] == "index"
    assert ("01_first", 3, 4, "Title: import os, sys, time") in seen
    assert sorted(path.name for path in built.iterdir()) == [
        "01_first.ipynb",
        "01_first.json",
        "index.ipynb",
        "index.json",
    ]

    again = run(nbs, tick=lambda running: pytest.fail("something ran"))
    assert [record["status"] for record in again] == ["skipped", "skipped"]

    def stop(running):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(nbs, fresh=True, tick=stop)
    write_notebook(nbs / "01_first.ipynb", "1 + 1")
    with pytest.raises(KeyboardInterrupt):
        run(nbs, tick=stop)
    assert (built / "01_first.json").exists(), "an interrupted run took away what was there"


@pytest.mark.long
@pytest.mark.parametrize("own", [False, True])
def test_open_task_runs_with_its_solution_and_an_answer_as_it_is(nbs, tmp_path, own):
    starter = "def name_labels(labels):\n    return ..."
    answer = "def name_labels(labels):\n    return sorted(set(labels)), [0 for _ in labels]"
    check = "from ftcourse.checks.tasks import classification as task\nprint(task.name_labels.check(name_labels))"
    path = write_notebook(nbs / "03_text_classification.ipynb", answer if own else starter, check)
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells[1:]:
        cell.metadata["tags"] = [tasks.TAG]
    nbformat.write(notebook, path)
    before = path.read_bytes()
    (record,) = run(nbs)
    if own:
        assert record["status"] == "failed" and "CheckFailed" in record["error"] and "leads to" in record["error"]
    else:
        assert record["status"] == "passed" and ": right." in outputs(Path(record["notebook"]))
    assert path.read_bytes() == before


@pytest.mark.long
def test_two_at_a_time(nbs):
    meet = (
        "import time, pathlib\npathlib.Path('{}').touch()\nend = time.time() + 60\n"
        "while not pathlib.Path('{}').exists():\n    assert time.time() < end\n    time.sleep(.05)"
    )
    write_notebook(nbs / "01_a.ipynb", meet.format("a", "b"))
    write_notebook(nbs / "02_b.ipynb", meet.format("b", "a"), "import os; print(os.environ['OMP_NUM_THREADS'])")
    records = run(nbs, jobs=2)
    assert {record["lesson"]: record["status"] for record in records} == {"01_a": "passed", "02_b": "passed"}
    assert int(outputs(nbs.parent / "build/lessons/smoke/02_b.ipynb")) == max(1, os.cpu_count() // 2)


@pytest.mark.long
def test_failing_cell_is_told_and_the_next_lesson_runs(nbs, tmp_path):
    built = tmp_path / "build" / "lessons" / "smoke"
    write_notebook(built / "01_bad.ipynb")
    (built / "01_bad.json").write_text('{"fingerprint": "of an older run"}')
    write_notebook(nbs / "01_bad.ipynb", "# Divide", "a = 0\n1 / a", "print('never')")
    write_notebook(nbs / "02_dies.ipynb", "import os\nos.kill(os.getpid(), 9)")
    bad, dies = run(nbs)

    assert bad["status"] == "failed" and bad["cell"] == 3 and bad["cells"] == 4 and bad["source"] == "a = 0\n1 / a"
    assert bad["error"] == "ZeroDivisionError: division by zero"
    assert any("----> 2 1 / a" in line for line in bad["traceback"]), bad["traceback"]
    assert dies["status"] == "failed" and dies["cell"] == 2 and "Kernel died" in dies["error"]
    assert not (built / "01_bad.ipynb").exists() and not (built / "01_bad.json").exists()
    assert "ZeroDivisionError" in (built / "01_bad.failed.ipynb").read_text()
    assert not [path.name for path in built.iterdir() if path.name.startswith(".")]

    mended = write_notebook(nbs / "01_bad.ipynb", "1 / 1")
    (record,) = runner.run_lessons({"01_bad": mended}, "smoke", tmp_path / "build")
    assert record["status"] == "passed"
    assert sorted(path.name for path in built.glob("01_bad*")) == ["01_bad.ipynb", "01_bad.json"]


@pytest.mark.long
@pytest.mark.parametrize("way", ["timeout", "interrupt"])
def test_stopped_run_leaves_no_process_and_no_half_file(nbs, tmp_path, way):
    write_notebook(
        nbs / "01_long.ipynb",
        "import os, pathlib, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "pathlib.Path('part').write_text(f'{os.getpid()} {child.pid}')\nos.rename('part', 'pids')\n"
        "time.sleep(600)",
    )

    def tick(running):
        if (nbs / "pids").exists():
            if way == "interrupt":
                raise KeyboardInterrupt
            for job in running:
                job.started -= 900  # as if 15 minutes had passed

    if way == "interrupt":
        with pytest.raises(KeyboardInterrupt):
            run(nbs, tick=tick)
        left = []
    else:
        (record,) = run(nbs, timeout=800, tick=tick)
        assert record["status"] == "failed" and "stopped after 800 seconds" in record["error"]
        assert record["cell"] == 2 and "time.sleep(600)" in record["source"]
        left = ["01_long.failed.ipynb", "01_long.failed.json"]
    for pid in (nbs / "pids").read_text().split():
        assert_ends(int(pid))
    assert sorted(path.name for path in (tmp_path / "build/lessons/smoke").iterdir()) == left


def test_fingerprint_covers_what_a_run_depends_on(tmp_path, monkeypatch):
    package = tmp_path / "ftcourse"
    package.mkdir()
    monkeypatch.setattr(runner, "__file__", str(package / "tools" / "runner.py"))
    (package / "runner.py").write_text("a")
    path = tmp_path / "01_a.ipynb"
    marks = []

    def note(profile="smoke"):
        marks.append(runner.fingerprint(path, profile))

    write_notebook(path, "1", "# text")
    note()
    note("local")
    write_notebook(path, "2", "# text")
    note()
    write_notebook(path, "2", "# other text")
    note()
    (package / "runner.py").write_text("b")
    note()
    (package / "new.py").write_text("b")
    note()
    (tmp_path / runner.LOCK).write_text("torch==1")
    note()
    assert len(set(marks)) == len(marks) == 7
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].outputs = [nbformat.v4.new_output("stream", text="hello")]
    nbformat.write(notebook, path)
    note()
    assert marks[-1] == marks[-2], "outputs are no source"


@pytest.mark.parametrize("cells", [dict(tags=()), dict(parameters="x = 1"), dict(parameters="# profile is set below")])
def test_notebook_that_ignores_the_profile_is_refused(nbs, tmp_path, cells):
    write_notebook(nbs / "01_good.ipynb")
    write_notebook(nbs / "02_untagged.ipynb", **cells)
    with pytest.raises(CourseError, match=r"02_untagged\.ipynb.*`parameters`"):
        run(nbs)
    assert not (tmp_path / "build").exists()


def test_missing_asset_stops_before_anything_runs(nbs, tmp_path, monkeypatch):
    write_notebook(nbs / "03_text_classification.ipynb")
    asked = []

    def setup(names):
        asked.extend(names)
        raise CourseError("no network")

    monkeypatch.setattr(assets, "setup", setup)
    with pytest.raises(CourseError, match="no network"):
        run(nbs, profile="local")
    assert sorted(asked) == sorted(profiles.LESSONS["03_text_classification"]["assets"])
    assert not (tmp_path / "build").exists()
    runner._fetch_assets(["03_text_classification"], "full")  # takes everything from the hub
    with pytest.raises(CourseError, match="Unknown profile 'huge'. The profiles are smoke, local, full"):
        run(nbs, profile="huge")


def test_choosing_lessons(nbs):
    for name in ("03_c", "01_a", "index", "solutions/01_s", "notes", "build/lessons/01_a"):
        write_notebook(nbs / f"{name}.ipynb")
    everything = ["01_a", "03_c", "solutions/01_s", "index"]
    assert list(runner.choose_lessons([], nbs)) == everything
    assert runner.choose_lessons(["3"], nbs) == {"03_c": nbs / "03_c.ipynb"}
    for name in ("03", "03_c", "03_c.ipynb", "nbs/03_c.ipynb"):
        assert list(runner.choose_lessons([name, "3"], nbs)) == ["03_c"]
    assert list(runner.choose_lessons(["index", "solutions/01_s", "1"], nbs)) == ["01_a", "solutions/01_s", "index"]
    for unknown in ("7", "notes", "nothing.ipynb"):
        with pytest.raises(CourseError, match=f"Unknown lesson '{unknown}'.*01_a, 03_c, solutions/01_s, index"):
            runner.choose_lessons(["1", unknown], nbs)


@pytest.mark.parametrize("content", ["", "{}", '{"cells": [{}]}', "[1]", '{"cells": 3}'])
def test_file_that_is_no_notebook(tmp_path, content):
    path = tmp_path / "01_a.ipynb"
    path.write_text(content)
    with pytest.raises(CourseError, match=r"01_a\.ipynb is not a notebook"):
        runner.read_cells(path)


def test_real_lessons_are_found_and_take_the_profile():
    folder = lessons.repository() / "nbs"
    found = runner.find_lessons(folder)
    assert set(found.values()) == {path for path in folder.glob("*.ipynb") if path.name[:2].isdigit()} | {
        *folder.glob("solutions/*.ipynb"),
        *folder.glob("index.ipynb"),
    }
    assert set(profiles.LESSONS) <= set(found)
    for path in found.values():
        runner.check_parameters(path)


@pytest.mark.long
def test_environment_of_a_record():
    environment = json.loads(runner._ask_environment().communicate()[0])
    assert environment["versions"]["torch"] and environment["cores"] >= 1 and Path(sys.executable).exists()
