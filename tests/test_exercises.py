"""The exercises, and the tasks in lessons: every answer ends as it must, and starters are made from solutions."""

import ast
import importlib
import json
import linecache
import os
import re
from functools import cache
from pathlib import Path

import mutate
import pytest

from ftcourse.checks import EXERCISES, build, engine, find_exercise, tasks
from ftcourse.errors import CourseError

SOLUTIONS = Path(__file__).parents[1] / "nbs" / "solutions"
READY = [name for name in EXERCISES if (SOLUTIONS / f"{name}.ipynb").exists()]
ALL = [*READY, *tasks.LESSONS]  # in a lesson a step is called a task


def find(name):
    """Return an exercise, or the tasks of a lesson."""
    return tasks.find_tasks(name) if name in tasks.LESSONS else find_exercise(name)


def matrix(name):
    """Return the module with the answers to an exercise or to a lesson's tasks that are not in its notebook."""
    module = f"tasks.{tasks.LESSONS[name]}" if name in tasks.LESSONS else EXERCISES[name]
    return importlib.import_module(f"failure_matrix.{module}")


STEPS = [(name, step) for name in ALL for step in find(name).steps]
CASES = [(name, case) for name in ALL for case in matrix(name).cases]


@cache
def read_steps(name):
    if name in tasks.LESSONS:
        return tasks.read_tasks(json.loads((SOLUTIONS.parent / f"{name}.ipynb").read_text(encoding="utf-8")), name)
    return build.read_steps(json.loads((SOLUTIONS / f"{name}.ipynb").read_text(encoding="utf-8")), find_exercise(name))


def run_cell(source, given=None, name="<cell>"):
    """Run a cell's source beside what is given and return all names; an error message can quote its lines."""
    names = dict(given or {})
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    exec(compile(source, name, "exec"), names)
    return names


def answers_in(name, step, source):
    """Yield what the check of a step would get after a cell: once, or for each situation that its cells can find."""
    call = ast.parse(read_steps(name)[step]["check"]).body[-1].value
    beside = getattr(matrix(name), "names", {})
    for given in getattr(matrix(name), "given", {}).get(step, [beside]):
        names = run_cell(source, given)
        yield [eval(ast.unparse(argument), names) for argument in call.args]


def judge(name, step, source):
    """Return the outcomes of the check of a step after a cell."""
    return [find(name).steps[step].judge(*answers) for answers in answers_in(name, step, source)]


# --- The failure matrix ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_solution_is_right(name, step):
    for found in judge(name, step, read_steps(name)[step]["solution"]):
        assert found.outcome == "right" and len(found.message) > 20, found


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_untouched_starter_is_not_attempted(name, step):
    for found in judge(name, step, read_steps(name)[step]["starter"]):
        assert found.outcome == "not attempted" and "three dots" in found.message, found


@pytest.mark.parametrize(("name", "case"), CASES, ids=lambda value: getattr(value, "name", value))
def test_other_answer(name, case):
    found = find(name).steps[case.step].judge(*case.answers)
    assert found.outcome == case.outcome and re.search(case.message, found.message), found


@pytest.mark.parametrize(
    "step", [("1_sentiment", "build_trainer"), ("5_names", "make_trainer"), ("6_questions", "make_reader")]
)
def test_checks_of_trainers_show_no_progress_and_no_log(step, capfd):
    assert judge(*step, read_steps(step[0])[step[1]]["solution"])[0].outcome == "right"
    shown = "".join(capfd.readouterr())
    assert "%|" not in shown and "train_runtime" not in shown and "eval_loss" not in shown, shown


@pytest.mark.parametrize(("name", "step"), STEPS)
def test_matrix_is_complete(name, step):
    outcomes = [case.outcome for case in matrix(name).cases if case.step == step]
    right, wrong = (3, 8) if name in tasks.LESSONS else (2, 5)
    assert outcomes.count("right") >= right and len(outcomes) - outcomes.count("right") >= wrong


@pytest.mark.parametrize(("name", "step"), STEPS)
@pytest.mark.parametrize("junk", [3, "text", [], {}, lambda *args, **kwargs: 3, lambda *args, **kwargs: [1, 2], print])
def test_junk_is_never_right(name, step, junk):
    (answers, *_) = answers_in(name, step, read_steps(name)[step]["solution"])
    found = find(name).steps[step].judge(*[junk] * len(answers))
    assert found.outcome in ("wrong", "error") and found.message


# --- Faults in the solutions -----------------------------------------------------------------------------------------


def test_faults_are_made_one_at_a_time():
    source = 'def f(x, y):\n    "Text."\n    if x > 1:\n        x += 2\n    return g(x, y, k=-1)'
    made = dict(mutate.mutants(source))
    assert made["comparison turned: x > 1"].count(">=") == 1 and "dropped: x += 2" in made and "left out: k=-1" in made
    assert "g(y, x, k=-1)" in made["arguments swapped: g(x, y, k=-1)"] and "k=+1" in made["minus lost: -1"]
    assert len(set(made.values())) == len(made) and all(
        "Text." in changed and changed != source for changed in made.values()
    )


@pytest.mark.long
@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(7, id="a-seventh"),
        pytest.param(
            1, id="all", marks=pytest.mark.skipif(not os.environ.get("FTCOURSE_LONG_TESTS"), reason="takes minutes")
        ),
    ],
)
def test_faults_are_found_by_the_checks(sample):
    tried, survivors = mutate.try_all(ALL, every=sample)
    unexplained = [(step, fault) for _, step, fault in survivors if (step, fault) not in mutate.EXPLAINED]
    print(f"{tried - len(survivors)} of {tried} faults found")
    assert not unexplained
    assert sample > 1 or (
        {(step, fault) for _, step, fault in survivors} == set(mutate.EXPLAINED) and len(survivors) <= 0.15 * tried
    )


# --- Notebooks -------------------------------------------------------------------------------------------------------


def test_starters_and_texts_are_in_step_with_the_solutions(tmp_path, monkeypatch):
    monkeypatch.chdir(SOLUTIONS.parents[1])  # nbdev looks for settings.ini from here
    build.build(SOLUTIONS, tmp_path / "exercises", tmp_path / "texts")
    for name in EXERCISES:
        for made, kept in (
            (tmp_path / "exercises" / f"{name}.ipynb", SOLUTIONS.parent / "exercises" / f"{name}.ipynb"),
            (tmp_path / "texts" / f"{name}.json", engine.TEXTS / f"{name}.json"),
        ):
            assert made.read_bytes() == kept.read_bytes(), f"{kept.name}: run `python -m ftcourse.checks.build`"


@pytest.mark.parametrize("name", READY)
def test_starter_has_no_solution_and_no_hint(name):
    starter = (SOLUTIONS.parent / "exercises" / f"{name}.ipynb").read_text(encoding="utf-8")
    cells = ["".join(cell["source"]) for cell in json.loads(starter)["cells"]]
    for texts in read_steps(name).values():
        assert texts["starter"] in cells and texts["check"] in cells
        assert texts["solution"] not in cells and not set(texts["hints"]) & set(cells)


@pytest.mark.parametrize("name", READY)
@pytest.mark.parametrize("folder", ["exercises", "solutions"])
def test_notebook_is_valid_and_its_ids_are_unique(name, folder):
    import nbformat

    notebook = json.loads((SOLUTIONS.parent / folder / f"{name}.ipynb").read_text(encoding="utf-8"))
    nbformat.validate(notebook)
    assert len({cell["id"] for cell in notebook["cells"]}) == len(notebook["cells"])


@pytest.mark.parametrize(("change", "message"), [
    (lambda cells: cells.pop(next(i for i, c in enumerate(cells) if "hint" in str(c["metadata"]))), "not whole"),
    (lambda cells: cells.pop(next(i for i, cell in enumerate(cells) if cell["cell_type"] == "raw")), "not whole"),
    (lambda cells: cells.__delitem__(slice(15, None)), "has the steps .*, its module"),
])  # fmt: skip
def test_solution_that_is_not_whole_is_refused(change, message):
    notebook = json.loads((SOLUTIONS / "1_sentiment.ipynb").read_text(encoding="utf-8"))
    change(notebook["cells"])
    with pytest.raises(CourseError, match=message):
        build.read_steps(notebook, find_exercise("1"))


def test_unknown_exercise_lists_the_known_ones():
    with pytest.raises(CourseError, match="'9'.*1_sentiment, 2_lora"):
        find_exercise("9")
    assert find_exercise("nbs/exercises/1_sentiment.ipynb") is find_exercise(1)
