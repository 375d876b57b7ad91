"""What stands at a lesson's top and end: its costs, as they were recorded, and links that lead somewhere."""

import json
import re
import shutil
from pathlib import Path

import pytest

from ftcourse import profiles, records
from ftcourse.assets import ASSETS
from ftcourse.tools.outputs import keep_cost
from ftcourse.tools.places import put_places

NBS = Path(__file__).parents[1] / "nbs"
LESSONS = list(profiles.LESSONS)


def cells_of(path):
    return ["".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]]


@pytest.fixture
def copies(tmp_path):
    return Path(shutil.copytree(NBS, tmp_path / "nbs", ignore=shutil.ignore_patterns("build", ".ipynb_checkpoints")))


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_has_its_place(lesson, copies):
    path = copies / f"{lesson}.ipynb"
    put_places(path)
    assert path.read_bytes() == (NBS / path.name).read_bytes(), "run `make starters`"
    cells = cells_of(path)
    top, end = cells[1], cells[-1]
    links = re.findall(r"\]\(([^)]+)\)", end)
    assert links[0] == "index.ipynb" and set(re.findall(r"\]\(([^)]+)\)", top)) == set(links)
    assert all((NBS / link).is_file() for link in links)
    neighbours = [link.removesuffix(".ipynb") for link in links if link[0] == "0"]
    number = LESSONS.index(lesson)
    assert neighbours == [LESSONS[place] for place in (number - 1, number + 1) if 0 <= place < len(LESSONS)]
    size = sum(ASSETS[asset].megabytes for asset in profiles.LESSONS[lesson]["assets"])
    assert f"Download: {size} MB" in top


def test_costs_are_those_of_the_run(copies, tmp_path, monkeypatch):
    lesson = LESSONS[2]
    status = tmp_path / "status.json"
    made = {"threads": 3, "processor": "Abacus"}
    run = dict(lesson=lesson, profile="local", seconds=432.1, peak_memory_mb=2345, finished="now", environment=made)
    status.write_text(json.dumps(run))
    keep_cost(status, tmp_path / "results")
    monkeypatch.setattr(records, "results_folder", lambda: tmp_path / "results")
    put_places(copies / f"{lesson}.ipynb")
    top = cells_of(copies / f"{lesson}.ipynb")[1]
    assert "Time: 7 minutes for the outputs below, with 3 threads of a processor (Abacus)." in top
    assert "Memory: 2.3 GB" in top
    put_places(copies / f"{LESSONS[3]}.ipynb")
    assert "Time" not in cells_of(copies / f"{LESSONS[3]}.ipynb")[1]  # no record, no figure
