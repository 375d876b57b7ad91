"""Answers to the steps of the exercises, right ones and misconceptions, each with what its check must say of it.

The solution and the untouched starter of a step are in its notebook; here is all else, a module an exercise.
"""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Case:
    """An answer to a step: what it is, how its check must end, and a pattern that the message must have."""

    step: str
    name: str
    answers: tuple[Any, ...]
    outcome: str
    message: str


class Cases(list):
    """The cases of an exercise; its methods decorate functions (or classes) that are answers."""

    def right(self, step):
        return self._add(step, "right", "")

    def wrong(self, step, message):
        return self._add(step, "wrong", message)

    def error(self, step, message):
        return self._add(step, "error", message)

    def untouched(self, step):
        return self._add(step, "not attempted", "three dots")

    def value(self, step, outcome, message, name, *answers):
        """Add a case whose answers are not a function."""
        self.append(Case(step, name, answers, outcome, message))

    def _add(self, step, outcome, message):
        def register(answer):
            self.append(Case(step, answer.__name__, (answer,), outcome, message))
            return answer

        return register
