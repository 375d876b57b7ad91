"""A learner's function in another process, where texts have other hashes: what goes by the order of a set differs."""

from __future__ import annotations

import dis
import os
import pickle
import subprocess
import sys
from types import CodeType, FunctionType
from typing import Any

_BY_HASH = {"set", "frozenset", "hash", "id"}
_PROGRAM = (
    "import sys, pickle, dill; out = sys.stdout.buffer; sys.stdout = sys.stderr\n"
    "function, args = dill.load(sys.stdin.buffer); out.write(pickle.dumps(function(*args)))"
)


def goes_by_hashes(function: Any) -> bool:
    """Say whether a function makes sets or hashes, itself or in the functions of its notebook that it names.

    Args:
        function: of the learner.
    """
    codes, seen = [getattr(function, "__code__", None)], set()
    names = getattr(function, "__globals__", {})
    while codes:
        code = codes.pop()
        if code is None or code in seen:
            continue
        seen.add(code)
        if _BY_HASH & set(code.co_names) or any(
            "SET_ADD" in step.opname or "BUILD_SET" in step.opname for step in dis.get_instructions(code)
        ):
            return True
        codes += [constant for constant in code.co_consts if isinstance(constant, CodeType)]
        codes += [getattr(names.get(name), "__code__", None) for name in code.co_names]
    return False


def run_elsewhere(function: Any, *args: Any, seconds: float = 30.0) -> Any:
    """Return what a function returns in a new process with other hashes; None if it can't be carried over.

    Args:
        function: of the learner.
        *args: of the call.
        seconds: how long to wait for it.
    """
    import dill

    hashes = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    folders = os.pathsep.join(folder for folder in sys.path if folder)
    carried = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    carried.__kwdefaults__, carried.__module__ = function.__kwdefaults__, "__main__"  # by its code, as from a notebook
    try:
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM],
            input=dill.dumps((carried, args), recurse=True),
            capture_output=True,
            env=os.environ | {"PYTHONHASHSEED": hashes, "PYTHONPATH": folders},
            timeout=seconds,
            check=True,
        )
        return pickle.loads(done.stdout)
    except Exception:  # noqa: BLE001 - whatever stops it on the way says nothing about the answer
        return None
