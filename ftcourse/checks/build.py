"""Make the starters and the texts of the steps from the solutions; put questions, costs and links into the lessons.

It also puts the lessons' results and costs into README.

``python -m ftcourse.checks.build`` does all of it.

A step of a notebook in ``nbs/solutions/`` is its task, in Markdown, and then cells with these tags: ``starter`` (a
raw cell, which does not run), two or more ``hint`` (Markdown), ``solution`` and ``check``. The starter notebook has the
task, the starter as a code cell, the check, and a cell that asks for help. All other cells are in both.
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..files import write_atomically
from ..tools.places import generated_cell, put_places, write_cells
from ..tools.readme import put_readme
from . import EXERCISES, find_exercise
from .engine import TEXTS, Exercise
from .quiz import QUESTIONS, ask

HEADING = "## Check yourself"
_INTRO = "Choose an answer and open it: it says whether it is right, and why."
_CALL = re.compile(r"(\w+)\.(\w+)\.check\(")


def read_steps(notebook: dict[str, Any], exercise: Exercise) -> dict[str, dict[str, Any]]:
    """Return the steps of a solution's notebook, a dict step -> {starter, hints, solution, check}.

    Args:
        notebook: as json reads it.
        exercise: whose steps it must have.

    Raises:
        CourseError: if a step isn't whole, or the steps are not those of the exercise's module in its order.
    """
    steps: dict[str, dict[str, Any]] = {}
    cells: dict[str, Any] = {"hints": []}
    for number, cell in enumerate(notebook["cells"], 1):
        source, tags = "".join(cell["source"]), cell["metadata"].get("tags", [])
        if "hint" in tags:
            cells["hints"].append(source)
        for tag in {"starter", "solution", "check"}.intersection(tags):
            cells[tag] = source
        if "check" in tags:
            called = _CALL.search(source)
            if not called or set(cells) != {"starter", "hints", "solution", "check"} or len(cells["hints"]) < 2:
                raise CourseError(
                    f"The step that ends in cell {number} of {exercise.name} is not whole: it takes a starter, "
                    "two hints, a solution and a call of its check, in cells with these tags."
                )
            steps[called[2]], cells = cells, {"hints": []}
    if list(steps) != list(exercise.steps):
        raise CourseError(
            f"The notebook {exercise.name} has the steps {', '.join(steps)}, its module "
            f"{', '.join(exercise.steps)}: bring one of them in step."
        )
    return steps


def make_starter(notebook: dict[str, Any]) -> dict[str, Any]:
    """Return the starter notebook of a solution's notebook.

    Args:
        notebook: as json reads it.
    """
    cells = []
    for cell in notebook["cells"]:
        tags = cell["metadata"].get("tags", [])
        if {"hint", "solution"}.intersection(tags):
            continue
        if cell["cell_type"] == "raw":
            cells.append(_code(cell["source"]))
        elif cell["cell_type"] == "code":
            cells.append(_code(cell["source"], cell["metadata"]))
        else:
            cells.append(cell)
        if "check" in tags:
            called = _CALL.search("".join(cell["source"]))
            assert called, "read_steps has seen it"
            cells.append(
                _code(
                    f"# Stuck? Remove a # and run this cell: a nudge, at the second time a direction.\n"
                    f"# {called[1]}.{called[2]}.hint()\n# {called[1]}.{called[2]}.solution()"
                )
            )
    cells = [{**cell, "id": hashlib.sha256(str(number).encode()).hexdigest()[:8]} for number, cell in enumerate(cells)]
    metadata = {key: value for key, value in notebook["metadata"].items() if key != "ftcourse"}
    return {**notebook, "cells": cells, "metadata": metadata}


def _code(source: str | list[str], metadata: dict[str, Any] | None = None) -> dict[str, Any]:
    lines = "".join(source).splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": None, "metadata": metadata or {}, "outputs": [], "source": lines}


def put_questions(lesson: str | Path) -> None:
    """Put a lesson's questions at its end, as text, so that they can be answered without a kernel.

    Args:
        lesson: path of the notebook; the number at the beginning of its name says which questions.
    """
    notebook = json.loads(Path(lesson).read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if not "".join(cell["source"]).startswith(HEADING)]
    source = f"{HEADING}\n\n{_INTRO}\n\n{ask(Path(lesson).stem[:2])._repr_html_()}"
    write_cells(lesson, notebook, [*cells, generated_cell(HEADING, source)])


def build(solutions: str | Path, exercises: str | Path, texts: str | Path) -> None:
    """Write the starters and the texts of the steps of all exercises.

    Args:
        solutions: folder of the notebooks with the solutions.
        exercises: folder for the starters.
        texts: folder for the texts of the steps.
    """
    from nbdev.clean import nbdev_clean

    for name in EXERCISES:
        source = Path(solutions) / f"{name}.ipynb"
        if not source.exists():
            raise CourseError(f"There is no {source}: run the command in the repository.")
        notebook = json.loads(source.read_text(encoding="utf-8"))
        kept = {
            step: {"hints": cells["hints"], "solution": cells["solution"], "starter": cells["starter"]}
            for step, cells in read_steps(notebook, find_exercise(name)).items()
        }
        write_atomically(Path(texts) / f"{name}.json", (json.dumps(kept, indent=1, ensure_ascii=False) + "\n").encode())
        starter = Path(exercises) / f"{name}.ipynb"
        write_atomically(starter, (json.dumps(make_starter(notebook), indent=1, ensure_ascii=False) + "\n").encode())
        nbdev_clean(fname=str(starter))


if __name__ == "__main__":
    build("nbs/solutions", "nbs/exercises", TEXTS)
    for lesson in sorted(Path("nbs").glob("0*.ipynb")):
        if (QUESTIONS / f"{lesson.name[:2]}.toml").exists():
            put_questions(lesson)
        put_places(lesson)
    put_readme(".")
