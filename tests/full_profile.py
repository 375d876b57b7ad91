"""Run a lesson at profile `full` from beginning to end, in a kernel of its own, with sizes that a test has time for."""

import subprocess
import sys
from pathlib import Path

import nbformat

from ftcourse.profiles import LESSONS

NBS = Path(__file__).parents[1] / "nbs"

# Where profile `full` has a size for a GPU and thousands of rows, the tests have a smaller one. These are sizes alone:
# they say how often the same code runs, and not which code.
SMALLER = {
    "01_transfer_learning": dict(image_size=32, own_epochs=2),  # another test makes photographs of the real size
    "02_openai": dict(num_dialogues=120, num_eval=8, num_asked=4, max_tokens=8),
    "04_lora_qlora": dict(num_train=48, num_eval=8, num_test=8, num_answers=4, qlora_steps=2),
}


def run_at_full(lesson, folder, environment):
    """Run a lesson with a folder as the current one, show what it wrote if it fails, and return its executed copy.

    Args:
        lesson: its name.
        folder: of the copies, and of what the lesson writes.
        environment: of the process, in which the lesson finds its models.
    """
    changes = SMALLER.get(lesson, {})
    assert changes.keys() <= LESSONS[lesson]["full"].keys(), f"the table of {lesson} has other names by now"
    notebook = nbformat.read(NBS / f"{lesson}.ipynb", as_version=4)
    source = f"from ftcourse.profiles import LESSONS\n\nLESSONS[{lesson!r}]['full'] |= {changes!r}"
    notebook.cells.insert(0, nbformat.v4.new_code_cell(source))
    nbformat.write(notebook, folder / "smaller.ipynb")
    # Without a request to save at every cell, which takes seconds a lesson.
    options = ["-p", "profile", "full", "-k", "python3", "--no-progress-bar", "--no-request-save-on-cell-execute"]
    run = subprocess.run(
        [sys.executable, "-m", "papermill", "smaller.ipynb", "executed.ipynb", *options],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-8000:]
    return nbformat.read(folder / "executed.ipynb", as_version=4)
