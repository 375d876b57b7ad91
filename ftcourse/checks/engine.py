"""What every exercise and every task in a lesson shares: steps, their four outcomes, what a learner sees of them."""

from __future__ import annotations

import _thread
import html
import inspect
import json
import reprlib
import signal
import sys
import threading
import tomllib
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import CourseError
from . import progress
from .reading import ONE_PASS, is_same, snapshot

RIGHT, WRONG, ERROR, NOT_ATTEMPTED = "right", "wrong", "error", "not attempted"
OUTCOMES = (RIGHT, WRONG, ERROR, NOT_ATTEMPTED)
_COLOURS = {
    RIGHT: "#009E73",
    WRONG: "#D55E00",
    ERROR: "#CC79A7",
    NOT_ATTEMPTED: "#56B4E9",
}  # beside the word, never alone
_OPEN = (
    "Put your own code in the place of the three dots, and run both cells again.",
    "This task is still open. Put your own code in the place of the three dots and run both cells again, or read on.",
)  # of an exercise, and of a task in a lesson, which needs no answer
LIMIT = 60.0  # seconds for a check; a right answer takes a few, on a slow machine as well
TEXTS = Path(__file__).parent / "texts"  # written by build


class CheckFailed(CourseError):
    """An answer that isn't right, where nobody is there to read an explanation."""


class Wrong(Exception):
    """What a check raises for a wrong answer; it names the learner's own value and the likely misconception."""


class _Failed(Exception):
    """The learner's code raised an exception."""


class _NotAttempted(Exception):
    pass


class _TooLong(Exception):
    """The learner's code ran on past the time limit."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Interrupt what runs in the main thread after some time, with `_TooLong`; other threads have no limit.

    Args:
        seconds: how long it may take.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    lock, ended, late = threading.Lock(), threading.Event(), threading.Event()
    handler = signal.getsignal(signal.SIGINT)
    if handler == signal.SIG_IGN:  # so are processes started that run in the background of a script
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def interrupt() -> None:
        with lock:
            if not ended.is_set():
                late.set()
                if hasattr(signal, "pthread_kill"):  # ends a sleep as well
                    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                else:
                    _thread.interrupt_main()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        try:
            yield
        finally:
            with lock:
                ended.set()
            timer.cancel()
            if handler == signal.SIG_IGN:
                signal.signal(signal.SIGINT, handler)
    except KeyboardInterrupt as error:
        if not late.is_set():  # the learner's own
            raise
        raise _TooLong(_place_of_any(error)) from None


@dataclass(frozen=True)
class Outcome:
    """How a check ended, and what to tell the learner."""

    outcome: str  # one of OUTCOMES
    message: str
    title: str = ""

    def __str__(self) -> str:
        return f"{self.title}: {self.outcome}. {self.message}"

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour, message = _COLOURS[self.outcome], html.escape(self.message)
        return (
            f'<div role="status" style="border-left: 6px solid {colour}; padding: .4em .8em">'
            f"<strong>{html.escape(self.title)}: {self.outcome}.</strong> {message}</div>"
        )


@dataclass(frozen=True)
class Note:
    """A text for the learner, Markdown in a notebook."""

    text: str

    def __str__(self) -> str:
        return self.text

    __repr__ = __str__

    def _repr_markdown_(self) -> str:
        return self.text


class Exercise:
    """An exercise: its steps in order.

    Args:
        name: of its notebook.
        title: what it is about.
        texts: file with the hints and the solution of each step; None for the one that `build` writes.
        in_lesson: whether the steps are tasks inside a lesson, which goes on where one stays open.
    """

    def __init__(self, name: str, title: str, texts: Path | None = None, in_lesson: bool = False) -> None:
        self.name, self.title, self.in_lesson = name, title, in_lesson
        self.file = texts or TEXTS / f"{name}.json"
        self.steps: dict[str, Step] = {}

    def step(self, title: str) -> Callable[[Callable[..., str]], Step]:
        """Make a `Step` of a function that checks a learner's answers; the function's name is the step's.

        Args:
            title: of the step.
        """

        def register(check: Callable[..., str]) -> Step:
            self.steps[check.__name__] = Step(self, check.__name__, title, check)
            return self.steps[check.__name__]

        return register

    def texts(self) -> dict[str, dict[str, Any]]:
        """Return the hints and the solution of every step, and its starter if its notebook is made from a solution."""
        read = tomllib.loads if self.file.suffix == ".toml" else json.loads
        return read(self.file.read_text(encoding="utf-8"))


class Step:
    """A step of an exercise. Its check returns what to say of a right answer, and raises `Wrong` for another."""

    def __init__(self, exercise: Exercise, name: str, title: str, check: Callable[..., str]) -> None:
        self.exercise, self.name, self.title, self._check = exercise, name, title, check
        self._hints = 0

    def judge(self, *answers: Any) -> Outcome:
        """Return the `Outcome` for a learner's answers, and note nothing.

        Args:
            *answers: as the cell of the check hands them over.
        """
        try:
            if any(answer is ... for answer in answers):
                raise _NotAttempted
            with time_limit(LIMIT):
                outcome, message = RIGHT, self._check(*answers)
        except _NotAttempted:
            outcome, message = NOT_ATTEMPTED, _OPEN[self.exercise.in_lesson]
        except Wrong as error:
            outcome, message = WRONG, str(error)
        except _Failed as error:
            outcome, message = ERROR, str(error)
        except _TooLong as error:
            outcome, message = (
                ERROR,
                f"Your code still ran after {LIMIT:g} seconds{error}, and was stopped. Is there a loop "
                "that never ends? On the small inputs of a check a right answer takes a second or two.",
            )
        except Exception as error:  # noqa: BLE001 - an answer of a kind that the check did not foresee
            outcome, message = (
                ERROR,
                f"The check can't read your answer ({_name(error)}). Compare what it is with what the step asks for.",
            )
        return Outcome(outcome, message, self.title)

    def check(self, *answers: Any) -> Outcome:
        """Judge a learner's answers and note the outcome; show it, or raise `CheckFailed` where nobody is there.

        A task of a lesson isn't noted, and while it is open it never stops the lesson.

        Args:
            *answers: as the cell of the check hands them over.
        """
        found, in_lesson = self.judge(*answers), self.exercise.in_lesson
        if not is_attended():
            if found.outcome != RIGHT and not (in_lesson and found.outcome == NOT_ATTEMPTED):
                raise CheckFailed(str(found))
        elif not in_lesson:
            try:
                progress.note(self.exercise.name, self.name, found.outcome)
            except CourseError as error:
                return Outcome(found.outcome, f"{found.message} (Not noted: {error})", found.title)
        return found

    def hint(self) -> Note:
        """Show a hint: a nudge at the first call, a direction at the second, and then where the solution is."""
        hints = self.exercise.texts()[self.name]["hints"]
        self._hints += 1
        if self._hints > len(hints):
            call = f"{'task' if self.exercise.in_lesson else 'exercise'}.{self.name}.solution()"
            return Note(f"{hints[-1]}\n\nThat was the last hint. `{call}` shows a solution.")
        return Note(hints[self._hints - 1])

    def solution(self) -> Note:
        """Show a solution."""
        return Note(f"```python\n{self.exercise.texts()[self.name]['solution']}\n```")


def is_attended() -> bool:
    """Say whether somebody is there to read: the front end would answer a question, which a headless run refuses."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    if shell is None:
        return False
    if not hasattr(shell, "kernel"):
        return sys.stdin.isatty()
    return bool(shell.kernel.get_parent("shell").get("content", {}).get("allow_stdin"))


def run(function: Any, *args: Any, clues: dict[str, str] | None = None, reread: bool = False, **kwargs: Any) -> Any:
    """Call a learner's function and return what it returns.

    Args:
        function: of the learner.
        *args: of the call.
        clues: what an exception probably means, by a part of its text; or None that is returned, by "returns None".
        reread: whether the notebook goes through the result more than once, so that a generator won't do.
        **kwargs: of the call.
    """
    name = getattr(function, "__name__", "answer")
    if not callable(function):
        raise Wrong(f"The check needs the function itself, without brackets and arguments; it got {shown(function)}.")
    try:
        result = function(*args, **kwargs)
        if isinstance(result, ONE_PASS):  # a generator's code runs here, and its error is told as the function's
            once, result = type(result).__name__, list(result)
            if reread:
                raise Wrong(
                    f"Your {name} returns a {once}, which can be gone through once; the cells below do so more "
                    "than once. Return a list."
                )
    except Wrong:  # said by something that the check handed over
        raise
    except Exception as error:
        why = next((f" {clue}" for part, clue in (clues or {}).items() if part in _name(error)), "")
        raise _Failed(f"Your {name} raised {_name(error)}{_place(error, function)}.{why}") from error
    if result is ...:
        raise _NotAttempted
    if result is None:
        why = (clues or {}).get("returns None", "end it with return and the result.")
        raise Wrong(f"Your {name} returns None: {why}")
    return result


def ask(function: Any, *args: Any, clues: dict[str, str] | None = None, reread: bool = False) -> Any:
    """Call a learner's function as `run` does, and require that it leaves what it is given as it is.

    Args:
        function: of the learner.
        *args: of the call.
        clues: as `run` takes them.
        reread: as `run` takes it.
    """
    before = snapshot(args)
    result = run(function, *args, clues=clues, reread=reread)
    changed = next((place for place, pair in enumerate(zip(before, args, strict=True)) if not is_same(*pair)), None)
    if changed is not None:
        raise Wrong(
            f"Your {getattr(function, '__name__', 'answer')} changed {_argument(function, changed)}, which it was "
            "given and others use, too: leave it as it is, or work on a copy."
        )
    return result


def require(condition: Any, message: str) -> None:
    """Raise `Wrong` with a message unless a condition holds.

    Args:
        condition: what must be true.
        message: what to tell the learner otherwise.
    """
    if not condition:
        raise Wrong(message)


def shown(value: Any) -> str:
    """Return a short text for a value of the learner's.

    Args:
        value: anything.
    """
    return reprlib.repr(value)


def apart(one: float, other: float, digits: int = 4) -> tuple[str, str]:
    """Return two different numbers with so many digits that a reader can tell them apart.

    Args:
        one: a number.
        other: another.
        digits: significant ones, at least.
    """
    while digits < 12 and f"{one:.{digits}g}" == f"{other:.{digits}g}":
        digits += 1
    return f"{one:.{digits}g}", f"{other:.{digits}g}"


def _argument(function: Any, place: int) -> str:
    """Return the name of an argument as the learner's function has it."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        names = []
    return names[place] if place < len(names) else f"argument {place + 1}"


def _name(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".strip(": ").rstrip(".")[:300]


def _place(error: Exception, function: Any) -> str:
    """Return the line of the learner's own code in which an exception came, as far as it can be told."""
    code = getattr(getattr(function, "forward", function), "__code__", None)
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if code and frame.filename == code.co_filename
    ]
    return f", in the line `{frames[-1].line}`" if frames and frames[-1].line else ""


def _place_of_any(error: BaseException) -> str:
    """Return the line of a notebook or of a test in which an interrupt came, the outermost that isn't the course's."""
    ours, frames = str(TEXTS.parent), traceback.extract_tb(error.__traceback__)
    line = next(
        (frame.line for frame in frames if ours not in frame.filename and "contextlib" not in frame.filename), ""
    )
    return f", in the line `{line}`" if line else ""
