"""The exercises: their checks, hints and solutions, and what a learner has done of them.

Each exercise has a notebook in ``nbs/solutions/``, the single source, from which `build` makes the starter in
``nbs/exercises/`` and the texts that ``hint()`` and ``solution()`` show; and a module here with its checks.

otter-grader 7 makes starters from solutions and runs offline, but a test of it passes or fails with a message fixed
beforehand, shown above a traceback, so it can't name the learner's own value, tell an error from a wrong answer, or
give hints. nbgrader 0.9 is made for a teacher who collects and grades, with a database and a server extension, and
its tests are plain assertions; so the small part that is missing is written here.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ..errors import CourseError

if TYPE_CHECKING:
    from .engine import Exercise

EXERCISES = {
    "1_sentiment": "sentiment",
    "2_lora": "lora",
    "3_openai": "openai",
    "4_comparison": "comparison",
    "5_names": "names",
    "6_questions": "questions",
    "7_data": "data",
}


def find_exercise(name: str | int) -> Exercise:
    """Return an exercise from its number or name: ``"1"``, ``"1_sentiment"`` or ``"sentiment"``.

    Args:
        name: what a person named.

    Raises:
        CourseError: naming the known exercises, if there is no such one.
    """
    wanted = str(name).removesuffix(".ipynb").rpartition("/")[2]
    for known, module in EXERCISES.items():
        if wanted in (known, known.split("_")[0], module):
            return import_module(f".{module}", __name__).exercise
    raise CourseError(
        f"Unknown exercise {str(name)!r}. The exercises are {', '.join(EXERCISES)}: give a number or a name."
    )
