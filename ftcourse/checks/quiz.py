"""Short questions on the lessons, each option with an explanation that opens where it is clicked.

``ask("03")`` as the last line of a cell shows the questions of lesson 3; it works in an exported page, too, as no
kernel is needed to open an explanation. The questions are in ``questions/LESSON.toml``.
"""

import html
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CourseError

QUESTIONS = Path(__file__).parent / "questions"


@dataclass(frozen=True)
class Question:
    """A question with several options, of which one is right."""

    text: str
    options: tuple[dict, ...]  # each with `text`, `why`, and `right = true` for one of them

    def answer(self, letter: str) -> str:
        """Return what to say to somebody who chooses an option.

        Args:
            letter: ``"a"``, ``"b"`` and so on.

        Raises:
            CourseError: naming the letters that there are.
        """
        letters = [chr(ord("a") + number) for number in range(len(self.options))]
        if letter not in letters:
            raise CourseError(f"There is no option {letter!r}: choose one of {', '.join(letters)}.")
        return _feedback(self.options[letters.index(letter)])

    def __str__(self) -> str:
        lines = [f"{chr(ord('a') + number)}) {option['text']}" for number, option in enumerate(self.options)]
        return "\n".join([self.text, *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        options = "\n".join(
            f"<details><summary>{chr(ord('a') + number)}) {html.escape(option['text'])}</summary>"
            f"<p>{html.escape(_feedback(option))}</p></details>"
            for number, option in enumerate(self.options)
        )
        return f"<p><strong>{html.escape(self.text)}</strong></p>\n{options}"


@dataclass(frozen=True)
class Quiz:
    """The questions of a lesson."""

    questions: tuple[Question, ...]

    def __str__(self) -> str:
        return "\n\n".join(f"{number}. {question}" for number, question in enumerate(self.questions, 1))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return "\n".join(question._repr_html_() for question in self.questions)


def _feedback(option: dict[str, Any]) -> str:
    return f"{'Right' if option.get('right') else 'Not so'}. {option['why']}"


def ask(lesson: str | int, number: int | None = None) -> Quiz | Question:
    """Return the questions of a lesson, or one of them, for a notebook to show.

    Args:
        lesson: number of the lesson, ``"03"`` or ``3``.
        number: of the question, from 1 on; all if left out.

    Raises:
        CourseError: naming what there is, for an unknown lesson or number.
    """
    path = QUESTIONS / f"{str(lesson).zfill(2)}.toml"
    if not path.exists():
        known = ", ".join(sorted(path.stem for path in QUESTIONS.glob("*.toml")))
        raise CourseError(f"There are no questions on lesson {lesson!r}; there are some on {known}.")
    rows = tomllib.loads(path.read_text(encoding="utf-8"))["question"]
    questions = tuple(Question(row["text"], tuple(row["options"])) for row in rows)
    if number is None:
        return Quiz(questions)
    if number not in range(1, len(questions) + 1):
        raise CourseError(f"Lesson {lesson} has no question {number!r}: choose 1 to {len(questions)}.")
    return questions[number - 1]
