"""In JupyterLab in a browser: exercise 1 as a new user meets it, and every notebook opened and saved.

On request, as it needs chromium: ``FTCOURSE_LONG_TESTS=1 .venv/bin/python -m pytest tests/test_exercises_lab.py``. With
FTCOURSE_SCREENSHOTS=FOLDER it leaves pictures there.
"""

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from ftcourse.checks import find_exercise
from ftcourse.tools.runner import kernel_of_this_python

ROOT = Path(__file__).parents[1]
EXERCISE = ROOT / "nbs" / "exercises" / "1_sentiment.ipynb"
pytestmark = [
    pytest.mark.skipif(not os.environ.get("FTCOURSE_LONG_TESTS"), reason="on request: FTCOURSE_LONG_TESTS=1"),
    pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium"),
]


@contextmanager
def serve_lab(folder, tmp_path):
    """Run JupyterLab on a folder; yield a function from the path of a notebook in it to its address."""
    environment = {
        **os.environ,
        "FTCOURSE_PROFILE": "smoke",
        "FTCOURSE_PROGRESS": str(tmp_path / "progress.json"),
        "JUPYTER_PATH": str(kernel_of_this_python(tmp_path)),
        "JUPYTER_RUNTIME_DIR": str(tmp_path / "runtime"),
        "JUPYTER_CONFIG_DIR": str(tmp_path / "config"),
        "JUPYTERLAB_SETTINGS_DIR": str(tmp_path / "settings"),
    }
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        folder,
        "--no-browser",
        "--port=0",
        "--allow-root",
        "--expose-app-in-browser",
        "--IdentityProvider.token=test",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen([str(part) for part in command], env=environment, stdout=log, stderr=log)
    try:
        found = wait_for(lambda: next((tmp_path / "runtime").glob("jpserver-*.json"), None), 60, "JupyterLab")
        url = wait_for(lambda: json.loads(found.read_text())["url"], 10, "its address")
        yield lambda path: f"{url}lab/tree/{path}?token=test"
    finally:
        server.terminate()
        server.wait(120)  # it stops a kernel for each notebook


@pytest.fixture
def lab(tmp_path):
    """JupyterLab on a copy of the exercise; the address of the notebook."""
    notebooks = tmp_path / "nbs"
    notebooks.mkdir()
    shutil.copy(EXERCISE, notebooks)
    with serve_lab(notebooks, tmp_path) as address:
        yield address(EXERCISE.name)


@pytest.fixture
def browser(tmp_path):
    """A function that has the page evaluate JavaScript; its `command` sends any command of the DevTools protocol."""
    import websocket

    profile = tmp_path / "chromium"
    chromium = subprocess.Popen(
        [
            "chromium",
            "--headless=new",
            "--no-sandbox",
            "--disable-gpu",
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            "--window-size=1200,900",
            f"--user-data-dir={profile}",
            "about:blank",
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        port = wait_for(lambda: (profile / "DevToolsActivePort").read_text().splitlines()[0], 60, "chromium")
        pages = json.load(urllib.request.urlopen(f"http://127.0.0.1:{port}/json"))
        page = next(page for page in pages if page["type"] == "page")
        socket, numbers = websocket.create_connection(page["webSocketDebuggerUrl"], timeout=300), itertools.count(1)

        def command(method, **params):
            number = next(numbers)
            socket.send(json.dumps({"id": number, "method": method, "params": params}))
            while (answer := json.loads(socket.recv())).get("id") != number:
                pass
            assert "error" not in answer, answer
            return answer["result"]

        def evaluate(code):
            result = command(
                "Runtime.evaluate", expression=f"(async () => {{ {code} }})()", awaitPromise=True, returnByValue=True
            )
            assert "exceptionDetails" not in result, result
            return result["result"].get("value")

        evaluate.command = command
        yield evaluate
        socket.close()
    finally:
        chromium.terminate()
        chromium.wait(30)


def wait_for(ready, seconds, what):
    """Return what `ready` returns as soon as it is something."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if found := ready():
                return found
        except (OSError, ValueError, AssertionError, IndexError):
            pass
        time.sleep(0.3)
    pytest.fail(f"{what} did not come in {seconds} seconds")


def open_notebook(browser, address, num_cells):
    """Show a notebook and wait for all its cells and its kernel."""
    # A headless page has no focus, and so no current notebook.
    browser.command("Emulation.setFocusEmulationEnabled", enabled=True)
    browser.command("Page.navigate", url=address)
    shown = (
        "const panel = window.jupyterapp.shell.currentWidget;"
        "return panel.sessionContext.session?.kernel?.status === 'idle' && panel.content.widgets.length"
    )
    wait_for(lambda: browser(shown) == num_cells, 120, "the notebook")


@pytest.mark.timeout(1800)
def test_opening_and_saving_leaves_the_repository_as_it_is(browser, tmp_path):
    """As test_notebooks.py tries with JupyterLab's contents manager, here as a person does it."""
    repository = tmp_path / "repository"
    subprocess.run(["git", "clone", "--quiet", ROOT, repository], check=True)
    notebooks = sorted(path for path in (repository / "nbs").rglob("*.ipynb"))
    saved = "await window.jupyterapp.commands.execute('docmanager:save'); return panel.context.model.dirty"
    with serve_lab(repository, tmp_path) as address:
        for path in notebooks:
            before = path.stat().st_mtime_ns
            num_cells = len(json.loads(path.read_text(encoding="utf-8"))["cells"])
            open_notebook(browser, address(path.relative_to(repository).as_posix()), num_cells)
            assert browser(f"const panel = window.jupyterapp.shell.currentWidget; {saved}") is False
            assert path.stat().st_mtime_ns > before, f"{path.name} was not saved"
    status = subprocess.run(
        ["git", "status", "--porcelain"], cwd=repository, capture_output=True, text=True, check=True
    )
    assert status.stdout == ""


def test_new_user_does_the_first_step(lab, browser, tmp_path):
    open_notebook(browser, lab, len(json.loads(EXERCISE.read_text())["cells"]))
    notebook = "const notebook = window.jupyterapp.shell.currentWidget.content;"
    sources = browser(notebook + "return notebook.widgets.map(cell => cell.model.sharedModel.getSource())")
    first = next(i for i, source in enumerate(sources) if source.startswith("def split_films"))
    check = next(i for i, source in enumerate(sources) if source.startswith("exercise.split_films.check"))

    def run(number, source=None):
        """Run a cell, with another source if one is given, and return what is shown below it."""
        if source is not None:
            browser(notebook + f"notebook.widgets[{number}].model.sharedModel.setSource({json.dumps(source)})")
        browser(
            notebook
            + f"notebook.activeCellIndex = {number}; await window.jupyterapp.commands.execute('notebook:run-cell');"
            f"await notebook.scrollToItem({number}, 'center'); return true"
        )
        return browser(notebook + f"return notebook.widgets[{number}].outputArea?.node.innerText || ''")

    def picture(name):
        if folder := os.environ.get("FTCOURSE_SCREENSHOTS"):
            time.sleep(1)
            data = browser.command("Page.captureScreenshot", format="png")["data"]
            Path(folder, f"{name}.png").write_bytes(base64.b64decode(data))

    for number in range(first):
        if browser(notebook + f"return notebook.widgets[{number}].model.type") == "code":
            assert "Traceback" not in run(number)
        if "ask(" in sources[number]:
            opened = browser(
                notebook + f"const all = [...notebook.widgets[{number}].outputArea.node.querySelectorAll('details')];"
                "all[1].querySelector('summary').click(); return [all.length, all[1].innerText]"
            )
            assert opened[0] == 9 and "Right. Sentences on one film share" in opened[1]
            picture("1-questions")
    assert run(first) == ""
    shown = run(check)
    assert "Step 1, unseen films: not attempted. Put your own code in the place of the three dots" in shown
    picture("2-starter")
    wrong = (
        "def split_films(reviews, test_share, seed):\n    sides = reviews.train_test_split(test_size=test_share, "
        "seed=seed)\n"
        "    return sides['train'], sides['test']"
    )
    run(first, wrong)
    shown = run(check)
    assert "Step 1, unseen films: wrong." in shown and "Draw films for the test, not sentences." in shown
    picture("3-wrong")
    assert "Draw films, not sentences" in run(check + 1, "exercise.split_films.hint()")
    assert "keep groups together" in run(check + 1)
    assert "GroupShuffleSplit(n_splits=1" in run(check + 1, "exercise.split_films.solution()")
    picture("4-help")
    run(first, find_exercise("1").texts()["split_films"]["solution"])
    shown = run(check)
    assert "Step 1, unseen films: right. 30 films to train on, 10 others" in shown
    picture("5-right")
    noted = json.loads((tmp_path / "progress.json").read_text())
    assert (
        noted["1_sentiment"]["split_films"]["outcome"] == "right" and noted["1_sentiment"]["split_films"]["tries"] == 2
    )
