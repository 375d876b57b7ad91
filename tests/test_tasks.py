"""The tasks inside the lessons: whole, in their place, never in the way; their answers are in test_exercises.py."""

import ast
import builtins
import json
import symtable
from pathlib import Path

import pytest

from ftcourse.checks import engine, tasks
from ftcourse.checks.engine import CheckFailed
from ftcourse.errors import CourseError

NBS = Path(__file__).parents[1] / "nbs"
HELP = (
    "# Stuck? Remove a # and run this cell: a nudge, at the second time a direction.\n"
    "# task.{0}.hint()\n# task.{0}.solution()"
)


def read(lesson):
    return json.loads((NBS / f"{lesson}.ipynb").read_text(encoding="utf-8"))


def sources(notebook):
    return ["".join(cell["source"]) for cell in notebook["cells"]]


def names_in(source):
    """Return the names that a cell reads or binds."""
    tree = ast.parse("\n".join(line for line in source.splitlines() if line[:1] not in "%!"))
    bound = {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    imported = {
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    return bound | imported | {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}


@pytest.mark.parametrize("lesson", tasks.LESSONS)
def test_lesson_has_three_tasks_or_more_each_of_them_whole(lesson):
    notebook = read(lesson)
    found, cells = tasks.read_tasks(notebook, lesson), sources(notebook)
    assert len(found) >= 3
    for name, parts in found.items():
        place = cells.index(parts["starter"])
        assert cells[place - 1].startswith("### Your turn: ") and cells[place + 1] == parts["check"]
        assert parts["check"].endswith(f"task.{name}.check({name})") and cells[place + 2] == HELP.format(name)
        assert len(parts["hints"]) == 2 and all(hint.startswith("**Hint.** ") for hint in parts["hints"])
        assert all(cell["outputs"] == [] for cell in notebook["cells"][place : place + 3])


@pytest.mark.parametrize("lesson", tasks.LESSONS)
def test_nothing_in_a_lesson_hangs_on_a_task(lesson):
    """Neither an answer nor the solution binds a name that another cell uses."""
    notebook = read(lesson)
    found = tasks.read_tasks(notebook, lesson)
    cells = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    others = [cell for cell in cells if tasks.TAG not in cell["metadata"].get("tags", [])]
    used = set().union(*(names_in("".join(cell["source"])) for cell in others))
    for name, parts in found.items():
        (function,) = ast.parse(parts["solution"]).body
        assert function.name == name and not used & {name, "task"}
        assert ast.unparse(function.args) == ast.unparse(ast.parse(parts["starter"]).body[0].args)


@pytest.mark.parametrize("lesson", tasks.LESSONS)
def test_solution_needs_only_what_the_lesson_has_by_then(lesson):
    cells = [cell for cell in read(lesson)["cells"] if cell["cell_type"] == "code"]
    found, bound = tasks.read_tasks(read(lesson), lesson), set(dir(builtins))
    for source in ("".join(cell["source"]) for cell in cells):
        if (name := tasks.open_task(source)) in found:
            table = symtable.symtable(found[name]["solution"], name, "exec")
            missing = {symbol.get_name() for scope in scopes(table) for symbol in scope.get_symbols()
                       if symbol.is_global() and symbol.is_referenced()} - bound - {name}  # fmt: skip
            assert not missing, f"{name} uses {', '.join(missing)}, which no cell before it has"
        table = symtable.symtable(source, "cell", "exec")
        bound |= {symbol.get_name() for symbol in table.get_symbols() if symbol.is_assigned() or symbol.is_imported()}


def scopes(table):
    """Yield a table of symbols and those within it."""
    yield table
    for inner in table.get_children():
        yield from scopes(inner)


@pytest.mark.parametrize("lesson", tasks.LESSONS)
def test_no_hint_gives_the_solution_away(lesson):
    for name, texts in tasks.find_tasks(lesson).texts().items():
        for line in (line.strip().removeprefix("return ") for line in texts["solution"].splitlines()):
            assert len(line) <= 30 or not any(line in hint for hint in texts["hints"]), (name, line)


@pytest.mark.parametrize("lesson", tasks.LESSONS)
def test_solution_fills_what_is_open_and_nothing_else(lesson):
    for name, parts in tasks.read_tasks(read(lesson), lesson).items():
        filled = tasks.fill(lesson, parts["starter"])
        assert filled == parts["solution"].strip() and tasks.fill(lesson, filled) == filled
        assert tasks.fill("01_another_lesson", parts["starter"]) == parts["starter"]
        assert tasks.fill(lesson, parts["check"]) == parts["check"]
        own = parts["starter"].replace("return ...", "return 3")
        assert tasks.fill(lesson, own) == own and tasks.open_task(parts["starter"]) == name


@pytest.mark.parametrize(
    "source", ["def f(:", "x = 3", "def f(x):\n    return x[..., 0]", "def f():\n    return ...\nf("]
)
def test_what_is_no_open_task(source):
    assert tasks.open_task(source) is None


@pytest.mark.parametrize("attended", [False, True])
def test_open_task_never_stops_a_lesson_and_a_wrong_answer_does_where_nobody_is_there(monkeypatch, tmp_path, attended):
    notes = tmp_path / "progress.json"
    monkeypatch.setenv("FTCOURSE_PROGRESS", str(notes))
    monkeypatch.setattr(engine, "is_attended", lambda: attended)
    step = tasks.find_tasks("03_text_classification").steps["name_labels"]
    found = step.check(lambda labels: ...)
    assert found.outcome == "not attempted" and not notes.exists()
    assert found.message.startswith("This task is still open.") and "\n" not in found.message
    if attended:
        assert step.check(lambda labels: labels).outcome == "wrong" and not notes.exists()
    else:
        with pytest.raises(CheckFailed, match="Your turn, names of classes: wrong"):
            step.check(lambda labels: labels)


def test_hints_of_a_task_end_with_its_own_call():
    step = engine.Step(tasks.find_tasks("03_text_classification"), "name_labels", "Your turn", None)
    third = [step.hint().text for _ in range(3)][-1]
    assert "`task.name_labels.solution()` shows a solution" in third and "def name_labels(" in step.solution().text


def cells_of(notebook):
    return [cell for cell in notebook["cells"] if tasks.TAG in cell["metadata"].get("tags", [])]


@pytest.mark.parametrize("change", [
    lambda notebook: notebook["cells"].remove(cells_of(notebook)[1]),
    lambda notebook: notebook["cells"].remove(cells_of(notebook)[0]),
    lambda notebook: [notebook["cells"].remove(cell) for cell in cells_of(notebook)[:3]],
    lambda notebook: cells_of(notebook)[0].update(source="def another(labels):\n    return ..."),
])  # fmt: skip
def test_lesson_out_of_step_with_its_tasks_is_refused(change):
    notebook = read("03_text_classification")
    change(notebook)
    with pytest.raises(CourseError, match="has cells for the tasks .*in one order"):
        tasks.read_tasks(notebook, "03_text_classification")
