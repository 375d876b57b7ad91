"""The engine of the exercises: outcomes, hints, who is there to read, and the file with the progress."""

import json
import signal
import threading
import time
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ftcourse.checks import EXERCISES, engine, find_exercise, gathered, progress, sentiment
from ftcourse.checks.engine import CheckFailed, Exercise, Wrong, apart, ask, require, run
from ftcourse.checks.reading import as_rows
from ftcourse.errors import CourseError


@pytest.fixture(autouse=True)
def notes(tmp_path, monkeypatch):
    """The progress of these tests, in a file of theirs."""
    monkeypatch.setenv("FTCOURSE_PROGRESS", str(tmp_path / "notes" / "progress.json"))
    return tmp_path / "notes" / "progress.json"


@pytest.fixture
def double():
    """A step that asks for a function that doubles a number."""
    exercise = Exercise("0_double", "Double a number")

    @exercise.step("Step 1, doubling")
    def double(answer):
        got = run(answer, 3, clues={"unsupported operand": "A number isn't a text."})
        require(got != 9, f"You give {got} for 3: that is its square.")
        require(got == 6, f"You give {got!r} for 3.")
        return "3 becomes 6."

    return double


def boom(number):
    return number + "3"


THREE_DOTS = "Put your own code in the place of the three dots, and run both cells again."


@pytest.mark.parametrize(("answer", "outcome", "message"), [
    (lambda number: 2 * number, "right", "3 becomes 6."),
    (lambda number: number**2, "wrong", "You give 9 for 3: that is its square."),
    (lambda number: None, "wrong", "Your <lambda> returns None: end it with return and the result."),
    (6, "wrong", "The check needs the function itself, without brackets and arguments; it got 6."),
    (boom, "error", "Your boom raised TypeError: unsupported operand type(s) for +: 'int' and 'str', in the line "
                    "`return number + \"3\"`. A number isn't a text."),
    (lambda number: ..., "not attempted", THREE_DOTS),
    (..., "not attempted", "Put your own code in the place of the three dots, and run both cells again."),
])  # fmt: skip
def test_four_outcomes(double, notes, answer, outcome, message):
    found = double.judge(answer)
    assert (found.outcome, found.message, found.title) == (outcome, message, "Step 1, doubling")
    assert str(found) == f"Step 1, doubling: {outcome}. {message}" and not notes.exists()


def test_answer_that_a_check_did_not_foresee_is_an_error(double):
    double._check = lambda answer: answer["key"]
    found = double.judge([1])
    assert found.outcome == "error" and "The check can't read your answer (TypeError: list indices" in found.message


@given(st.text())
def test_what_is_shown_is_text_and_never_markup(message):
    class Reader(HTMLParser):
        tags, texts = (), ""

        def handle_starttag(self, tag, attributes):
            self.tags += (tag,)

        def handle_data(self, data):
            self.texts += data

    for outcome in engine.OUTCOMES:
        reader = Reader()
        reader.feed(engine.Outcome(outcome, message, "Step")._repr_html_())
        reader.close()
        assert reader.tags == ("div", "strong") and f"Step: {outcome}." in reader.texts


def test_headless_wrong_answer_raises_and_notes_nothing(double, notes):
    assert double.check(lambda number: 2 * number).outcome == "right"
    with pytest.raises(CheckFailed, match="Step 1, doubling: wrong. You give 9 for 3"):
        double.check(lambda number: number**2)
    with pytest.raises(CheckFailed, match="not attempted"):
        double.check(...)
    assert not notes.exists()


def test_attended_wrong_answer_explains_and_is_noted(double, notes, monkeypatch):
    monkeypatch.setattr(engine, "is_attended", lambda: True)
    assert double.check(...).outcome == "not attempted"
    assert double.check(lambda number: number**2).outcome == "wrong"
    assert progress.load()["0_double"]["double"] | {"checked": ""} == {"outcome": "wrong", "tries": 1, "checked": ""}
    assert double.check(lambda number: 2 * number).outcome == "right"
    assert progress.is_finished(double.exercise)
    assert double.check(lambda number: number**2).outcome == "wrong"
    assert progress.is_finished(double.exercise)  # what was right once stays so


def test_progress_that_can_not_be_kept_does_not_hide_the_answer(double, notes, monkeypatch):
    monkeypatch.setattr(engine, "is_attended", lambda: True)
    notes.parent.mkdir()
    for broken in ("{", "[]", '{"0_double": {"double": {}}}', '{"0_double": 3}'):
        notes.write_text(broken)
        found = double.check(lambda number: 2 * number)
        assert (
            found.outcome == "right" and "Not noted: The progress file" in found.message and "--reset" in found.message
        )
        with pytest.raises(CourseError, match="can't be read"):
            progress.load()
        progress.reset()
        assert progress.load() == {}


def test_notebooks_that_note_at_once_lose_nothing(notes):
    threads = [threading.Thread(target=progress.note, args=("1_sentiment", f"step {n}", "right")) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(progress.load()["1_sentiment"]) == 12
    assert json.loads(notes.read_text()) and {path.name for path in notes.parent.iterdir()} <= {
        notes.name,
        f"{notes.name}.lock",
    }


def test_folder_that_can_not_be_written_says_so(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("FTCOURSE_PROGRESS", str(tmp_path / "file" / "progress.json"))
    with pytest.raises(CourseError, match="FTCOURSE_PROGRESS"):
        progress.note("1_sentiment", "encode", "right")


def test_reset_of_one_exercise_keeps_the_others():
    progress.note("1_sentiment", "encode", "right")
    progress.note("2_lora", "merge", "wrong")
    progress.reset(["1_sentiment"])
    assert list(progress.load()) == ["2_lora"]


def test_hints_go_from_nudge_to_direction_and_then_name_the_solution():
    step = engine.Step(sentiment.exercise, "encode", "Step 2, tokens", None)
    hints = sentiment.exercise.texts()["encode"]["hints"]
    first, second, third, fourth = (step.hint().text for _ in range(4))
    assert [first, second] == hints and first != second
    assert third == fourth and third.startswith(second) and "`exercise.encode.solution()` shows a solution" in third
    assert step.solution().text.startswith("```python\n") and "def encode(" in step.solution().text


@pytest.mark.parametrize("name", EXERCISES)
def test_no_hint_gives_the_solution_away(name):
    """A hint may name a function or an argument; a whole line of the solution is the solution."""
    for step, texts in find_exercise(name).texts().items():
        lines = {line.strip().removeprefix("return ") for line in texts["solution"].splitlines()}
        for line in lines - {line.strip() for line in texts["starter"].splitlines()}:
            if len(line) > 30 and not line.startswith(("import ", "from ")):
                assert not any(line in hint for hint in texts["hints"]), (step, line)


def loop(number):
    while True:
        number += 1


@pytest.mark.parametrize("handler", [signal.default_int_handler, signal.SIG_IGN])
@pytest.mark.parametrize("wait", [loop, lambda number: time.sleep(30)])
def test_endless_loop_is_stopped(double, monkeypatch, wait, handler):
    monkeypatch.setattr(engine, "LIMIT", 0.5)
    begin, before = time.monotonic(), signal.signal(signal.SIGINT, handler)
    try:
        found = double.judge(wait)
        assert signal.getsignal(signal.SIGINT) == handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert found.outcome == "error" and "Your code still ran after 0.5 seconds" in found.message
    assert time.monotonic() - begin < 10 and double.judge(lambda number: 2 * number).outcome == "right"


def test_interrupt_of_the_learner_is_no_outcome(double):
    def stopped(number):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        double.judge(stopped)


@pytest.mark.parametrize("name", EXERCISES)
def test_exercise_has_five_to_eight_steps_with_texts(name):
    exercise = find_exercise(name)
    assert 5 <= len(exercise.steps) <= 8 and list(exercise.texts()) == list(exercise.steps)
    for step, texts in exercise.texts().items():
        assert "..." in texts["starter"] and len(texts["hints"]) >= 2, step
        assert all(hint.startswith("**Hint.** ") for hint in texts["hints"])


def test_wrong_from_what_the_check_handed_over_stays_wrong(double):
    def refuse(number):
        raise Wrong("This is refused.")

    assert double.judge(refuse).outcome == "wrong"


def given_values():
    return [[1, ("a", [2.0])], {"numbers": np.array([1.0, np.nan]), "texts": np.array(["a", "b"])}]


@pytest.mark.parametrize(("change", "name"), [
    (lambda rows, columns: None, None),
    (lambda rows, columns: rows[0], None),
    (lambda rows, columns: rows[1][1].append(3), "rows"),
    (lambda rows, columns: rows.reverse(), "rows"),
    (lambda rows, columns: columns["numbers"].sort() or columns["numbers"].__setitem__(0, 2), "columns"),
    (lambda rows, columns: columns["texts"].__setitem__(0, "b"), "columns"),
    (lambda rows, columns: columns.pop("texts"), "columns"),
])  # fmt: skip
def test_arguments_that_are_changed_are_named(change, name):
    def answer(rows, columns):
        change(rows, columns)
        return 1

    if name is None:
        assert ask(answer, *given_values()) == 1
    else:
        with pytest.raises(Wrong, match=f"changed {name}, which it was given"):
            ask(answer, *given_values())


def test_generator_will_not_do_where_its_result_is_needed_twice():
    def numbers(count):
        yield from range(count)

    assert run(numbers, 2) == [0, 1]
    with pytest.raises(Wrong, match="returns a generator, which can be gone through once"):
        run(numbers, 2, reread=True)


def test_two_numbers_are_written_so_that_they_can_be_told_apart():
    assert apart(0.5, 0.25) == ("0.5", "0.25")
    assert apart(2 / 3, 0.6667) == ("0.66667", "0.6667")
    assert apart(1.0, 1.0) == ("1", "1")


def test_only_a_front_end_that_can_answer_counts_as_somebody(tmp_path, monkeypatch):
    """In a kernel a check explains to JupyterLab, which can be asked a question, and raises under nbclient."""
    from jupyter_client.manager import start_new_kernel

    from ftcourse.tools.runner import kernel_of_this_python

    monkeypatch.setenv("JUPYTER_PATH", str(kernel_of_this_python(tmp_path)))
    manager, client = start_new_kernel(kernel_name="python3")
    try:
        for attended in (True, False):
            found = []
            reply = client.execute_interactive(
                "from ftcourse.checks import sentiment\nsentiment.encode.check(...)",
                timeout=60,
                allow_stdin=attended,
                stdin_hook=print,
                output_hook=found.append,
            )["content"]
            shown = [message["content"]["data"] for message in found if message["msg_type"] == "execute_result"]
            if attended:
                assert reply["status"] == "ok" and "Step 2, tokens: not attempted." in shown[0]["text/plain"]
                assert 'role="status"' in shown[0]["text/html"]
            else:
                assert reply["status"] == "error" and reply["ename"] == "CheckFailed" and not shown
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.parametrize(
    ("value", "rows"),
    [
        ([2, 0], [2, 0]),
        ({2, 0}, [0, 2]),
        (np.array([1.0, 2.0]), [1, 2]),
        ([True, False, True], [0, 2]),
        (np.array([False, True, True]), [1, 2]),
        ([], []),
        ([3], None),
        ([-1], None),
        ([0.5], None),
        ([float("nan")], None),
        ([True, False], None),
        (["0"], None),
        ("text", None),
        ({0: 1}, None),
        (2, None),
    ],
)
def test_rows_are_read_in_any_form(value, rows):
    assert as_rows(value, 3) == rows


def test_rows_of_exercise_7_are_scored_and_stay_as_they_are(monkeypatch):
    sides = {"train": [{"text": "A joy", "label": "fresh", "film": "a"}] * 4}
    monkeypatch.setattr(gathered, "_make", lambda *sizes: (sides, {"blank": [1, 2], "leak": [0]}))
    gathered.load(1, 1, 1)["train"][0]["text"] = "changed"
    assert sides["train"][0]["text"] == "A joy"
    table = gathered.score({"blank": [2, 3], "leak": np.array([True, False, False, False])}, 1, 1, 1)
    assert table.loc["blank"].tolist() == [2, 1, 1] and table.loc["leak"].tolist() == [1, 1, 0]
