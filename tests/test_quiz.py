"""The questions on the lessons: one right option each, an explanation for all, nothing that gives the answer away."""

import json
import re
from pathlib import Path

import pytest
from bs4 import BeautifulSoup

from ftcourse import profiles
from ftcourse.checks.build import put_questions
from ftcourse.checks.quiz import QUESTIONS, ask
from ftcourse.errors import CourseError

NBS = Path(__file__).parents[1] / "nbs"
LESSONS = sorted(path.stem for path in QUESTIONS.glob("*.toml"))
ALL = [(lesson, number) for lesson in LESSONS for number in range(1, len(ask(lesson).questions) + 1)]


def test_nine_lessons_have_three_to_five_questions():
    assert [lesson[:2] for lesson in profiles.LESSONS] == LESSONS and len(LESSONS) == 9
    assert all(3 <= len(ask(lesson).questions) <= 5 for lesson in LESSONS)


@pytest.mark.parametrize("lesson", LESSONS)
def test_lesson_ends_with_its_questions(lesson, tmp_path):
    (path,) = NBS.glob(f"{lesson}_*.ipynb")
    copy = tmp_path / path.name
    copy.write_bytes(path.read_bytes())
    put_questions(copy)
    moved = json.loads(copy.read_text(encoding="utf-8"))["cells"]
    kept = json.loads(path.read_text(encoding="utf-8"))["cells"]
    assert [*moved[:-2], moved[-1], moved[-2]] == kept, "run `make starters`"  # the links stand below the questions
    assert ask(lesson)._repr_html_() in "".join(kept[-2]["source"])


@pytest.mark.parametrize(("lesson", "number"), ALL)
def test_question_is_whole(lesson, number):
    question = ask(lesson, number)
    rows = question.options
    assert question.text.endswith("?") and len(rows) >= 3
    assert [bool(row.get("right")) for row in rows].count(True) == 1
    assert len({row["text"] for row in rows}) == len({row["why"] for row in rows}) == len(rows)
    assert all(
        set(row) <= {"text", "why", "right"} and row["why"].endswith(".") and len(row["why"]) > 20 for row in rows
    )


@pytest.mark.parametrize(("lesson", "number"), ALL)
def test_feedback_tells_right_from_wrong_and_says_why(lesson, number):
    question = ask(lesson, number)
    page = BeautifulSoup(question._repr_html_(), "html.parser")
    assert page.p.text == question.text and len(page.select("details")) == len(question.options)
    for letter, row, details in zip("abcd", question.options, page.select("details"), strict=False):
        said = question.answer(letter)
        assert said == ("Right. " if row.get("right") else "Not so. ") + row["why"]
        assert details.summary.text == f"{letter}) {row['text']}" and details.p.text == said
        assert not details.has_attr("open") and "Right" not in details.summary.text
        assert f"{letter}) {row['text']}" in str(question) and row["why"] not in str(question)


def test_place_and_length_do_not_give_the_answer_away():
    places, longest = [], 0
    for lesson, number in ALL:
        rows = ask(lesson, number).options
        place = next(i for i, row in enumerate(rows) if row.get("right"))
        places.append(place)
        longest += len(rows[place]["text"]) == max(len(row["text"]) for row in rows)
    assert all(places.count(place) >= len(ALL) / 5 for place in range(3))
    assert longest <= 0.7 * len(ALL)


def test_lesson_at_once_and_what_there_is_not():
    assert ask(3).questions == ask("03").questions and str(ask("03")).startswith("1. Why is a review set split by film")
    assert len(re.findall("<details>", ask("03")._repr_html_())) == 9
    with pytest.raises(CourseError, match="no questions on lesson '10'; there are some on 01, 02"):
        ask("10")
    with pytest.raises(CourseError, match="Lesson 03 has no question 7: choose 1 to 3"):
        ask("03", 7)
    with pytest.raises(CourseError, match="no option 'x': choose one of a, b, c"):
        ask("03", 1).answer("x")
