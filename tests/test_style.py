"""The gate: ruff and mypy find nothing, in modules and notebooks alike."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
COMMANDS = {"lint": ["ruff", "check", "."], "format": ["ruff", "format", "--check", "."], "types": ["mypy"]}


@pytest.mark.parametrize("name", COMMANDS)
def test_nothing_is_found(name):
    module, *options = COMMANDS[name]
    run = subprocess.run(
        [sys.executable, "-m", module, *options], cwd=ROOT, capture_output=True, text=True, timeout=550
    )
    assert run.returncode == 0, f"`make check` shows this, `make check FIX=1` mends a part:\n{run.stdout}{run.stderr}"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import os\n", "F401"),
        ("def f(a, b):\n    return zip(a, b)\n", "B905"),
        ("try:\n    pass\nexcept Exception:\n    pass\n", "BLE001"),
        ('def f(a):\n    """Do it.\n\n    Args:\n        b: gone.\n    """\n', "D417"),
        ("def f(a):\n" + "".join(f"    if a == {i}:\n        return {i}\n" for i in range(12)), "C901"),
    ],
)
def test_ruff_looks_for(source, found):
    command = [sys.executable, "-m", "ruff", "check", "--output-format=concise", "--stdin-filename=ftcourse/x.py", "-"]
    run = subprocess.run(command, cwd=ROOT, input=source, capture_output=True, text=True, timeout=60)
    assert found in run.stdout
