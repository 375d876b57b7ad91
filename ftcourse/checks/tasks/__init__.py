"""The tasks inside the lessons, "Your turn": small steps of the same kind as those of the exercises.

A task stands in the lesson where the thing was just shown: its text, and three code cells with the tag `TAG`, which are
a function that returns three dots, the check, and calls for hints. The function gives the task its name; its check is
in the module here that is named after the lesson's, its hints and its solution are in the TOML file beside it. The
cells are committed open and without outputs; `ftcourse run` puts the solution in the place of what is still open.
"""

from __future__ import annotations

import ast
import tomllib
from importlib import import_module
from pathlib import Path
from typing import Any

from ...errors import CourseError
from ..engine import Exercise

TAG = "your-turn"
LESSONS = {
    "01_transfer_learning": "transfer",
    "02_openai": "jobs",
    "03_text_classification": "classification",
    "04_lora_qlora": "lora",
    "05_ner": "ner",
    "06_question_answering": "qa",
    "07_data_quality": "quality",
    "08_hyperparameters": "tuning",
    "09_evaluation": "evaluation",
}
_FOLDER = Path(__file__).parent


def new_tasks(lesson: str) -> Exercise:
    """Return the tasks of a lesson, none yet, for its module to add to.

    Args:
        lesson: name of its notebook.
    """
    return Exercise(lesson, f"The tasks of {lesson}", _FOLDER / f"{LESSONS[lesson]}.toml", in_lesson=True)


def find_tasks(lesson: str) -> Exercise:
    """Return the tasks of a lesson.

    Args:
        lesson: name of its notebook.
    """
    return import_module(f".{LESSONS[lesson]}", __name__).tasks


def fill(lesson: str, source: str) -> str:
    """Return the solution of a task in the place of a cell that is still open; any other cell as it is.

    Args:
        lesson: name of the notebook.
        source: of the cell.
    """
    name = open_task(source)
    if lesson not in LESSONS or name is None:
        return source
    texts = tomllib.loads((_FOLDER / f"{LESSONS[lesson]}.toml").read_text(encoding="utf-8"))
    return texts[name]["solution"].strip("\n") if name in texts else source


def open_task(source: str) -> str | None:
    """Return the name of the task that a cell leaves open, the function that returns three dots; None if it doesn't.

    Args:
        source: of the cell.
    """
    try:
        functions = [node for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]
    except SyntaxError:  # a learner's, which is to be seen as it is
        return None
    dots = (node.name for node in functions if ast.unparse(node.body[-1]) == "return ...")
    return next(dots, None)


def read_tasks(notebook: dict[str, Any], lesson: str) -> dict[str, dict[str, Any]]:
    """Return the tasks that stand in a lesson, a dict task -> {starter, check, help, hints, solution}.

    Args:
        notebook: as json reads it.
        lesson: its name.

    Raises:
        CourseError: if the tasks are not those of the lesson's module in its order, or one isn't whole.
    """
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if TAG in cell["metadata"].get("tags", [])]
    parts = [dict(zip(("starter", "check", "help"), cells[i : i + 3], strict=False)) for i in range(0, len(cells), 3)]
    tasks = {open_task(part["starter"]): part for part in parts}
    known, texts = find_tasks(lesson), find_tasks(lesson).texts()
    if not list(tasks) == list(known.steps) == list(texts) or len(cells) % 3:
        raise CourseError(
            f"{lesson} has cells for the tasks {', '.join(map(str, tasks))}, its module for {', '.join(known.steps)}, "
            f"its texts for {', '.join(texts)}. Each task takes three cells tagged {TAG} (a function that returns "
            "three dots, its check, and help), a step of the module, and a table of hints and a solution, in one order."
        )
    return {name: {**part, **texts[name]} for name, part in tasks.items() if name}
