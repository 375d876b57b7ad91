"""The command line: what it says, its exit codes, the report it builds and the copies of lessons it makes."""

import io
import json
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from bs4 import BeautifulSoup
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from rich.console import Console

from ftcourse import assets, profiles, records, studies
from ftcourse.checks import find_exercise, progress
from ftcourse.errors import CourseError
from ftcourse.tools import cli, lessons, live, runner

ALT = 'Bars: "ours" <5 s> & theirs'
FIGURE = f"import matplotlib.pyplot as plt\nfrom ftcourse.figures import show\nshow(plt.figure(), {ALT!r})"


@pytest.fixture
def ftcourse(monkeypatch, capsys, tmp_path):
    """A function that runs a command in a scratch folder and returns its exit code, output and errors."""
    answer = [sys.executable, "-c", "print('{}')"]
    monkeypatch.setattr(runner, "_ask_environment", lambda: subprocess.Popen(answer, stdout=subprocess.PIPE, text=True))
    monkeypatch.setattr(cli, "console", Console(width=100))
    monkeypatch.delenv("FTCOURSE_PROFILE", raising=False)
    monkeypatch.setenv("FTCOURSE_PROGRESS", str(tmp_path / "progress.json"))
    monkeypatch.chdir(tmp_path)

    def command(*args):
        monkeypatch.setattr(sys, "argv", ["ftcourse", *map(str, args)])
        with pytest.raises(SystemExit) as exit:
            cli.main()
        return exit.value.code or 0, *capsys.readouterr()

    return command


def write_notebook(path, *cells, parameters=True):
    path.parent.mkdir(parents=True, exist_ok=True)
    first = [new_code_cell("profile = 'local'", metadata={"tags": ["parameters"]})] if parameters else []
    rest = [new_markdown_cell(cell) if cell.startswith("# ") else new_code_cell(cell) for cell in cells]
    nbformat.write(new_notebook(cells=[*first, *rest]), path)


def test_heavy_modules_are_lazy():
    code = (
        "import sys, ftcourse.tools.cli, ftcourse.tools.runner, ftcourse.tools.live, ftcourse.tools.report, "
        "ftcourse.tools.doctor\n"
        "print(*sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(run.stdout.split())
    assert "ftcourse.tools.cli" in loaded and "typer" in loaded
    heavy = {
        "torch",
        "transformers",
        "papermill",
        "pandas",
        "numpy",
        "matplotlib",
        "nbformat",
        "nbconvert",
        "datasets",
        "psutil",
        "jupyter_client",
    }
    assert not heavy & loaded


def test_version_as_a_person_asks_for_it():
    asked = subprocess.run([sys.executable, "-m", "ftcourse", "--version"], capture_output=True, text=True)
    assert (asked.returncode, asked.stdout) == (0, f"ftcourse {cli.__version__}\n")


@pytest.mark.parametrize("command", [command.callback.__name__ for command in cli.app.registered_commands])
def test_every_command_explains_itself_with_examples(ftcourse, command):
    code, out, _ = ftcourse(command, "--help")
    assert code == 0
    examples = out[out.index("Examples") : out.index("─ Options")]
    assert f"ftcourse {command}" in examples
    assert command in ftcourse("--help")[1]


@pytest.mark.parametrize(
    "args, message",
    [
        (("run", "99"), r"Unknown lesson '99'\. The lessons in .*nbs are 01_a, index: give"),
        (("run", "--profile", "huge"), r"Unknown profile 'huge'\. The profiles are smoke, local, full"),
        (("setup", "99"), r"Unknown lesson '99'\. The lessons are .*03_text_classification"),
        (("setup", "03", "--from", "nowhere"), r"no folder nowhere"),
        (
            ("study", "nope"),
            r"Unknown study 'nope'\. The studies are transfer_tried, transfer, transfer_curve, openai_job",
        ),
        (("study", "text_classification", "--seeds", "1", "two"), r"'1 two' is not a list of seeds"),
        (("check", "9"), r"Unknown exercise '9'\. The exercises are 1_sentiment, 2_lora, 3_openai, 4_comparison"),
        (("check", "--html", "page.html"), r"A page is of one exercise"),
        (("check", "1", "--html", "page.html"), r"1_sentiment is not finished: Step 1, unseen films; Step 2"),
        (("report", "--output", "[elsewhere]"), r"nothing to report in .*\[elsewhere\]"),
    ],
)
def test_what_a_person_can_mend_is_one_paragraph(ftcourse, tmp_path, monkeypatch, args, message):
    monkeypatch.setenv("FTCOURSE_HOME", str(tmp_path / "cache"))
    write_notebook(tmp_path / "nbs" / "01_a.ipynb")
    write_notebook(tmp_path / "nbs" / "index.ipynb", parameters=False)
    code, out, err = ftcourse(*args)
    assert (code, out) == (2, "")
    assert re.fullmatch(rf"Error: .*{message}.*\n", err), err  # the dot matches no line break


@pytest.mark.long
def test_run_and_its_report(ftcourse, tmp_path, monkeypatch):
    nbs = tmp_path / "nbs"
    write_notebook(
        nbs / "01_good.ipynb",
        "# The figure\n\n[the bad one](02_bad.ipynb#Why), [a file](../README.md), [a page](https://example.org/)",
        FIGURE,
        "import ipywidgets\nipywidgets.IntSlider()",
    )
    write_notebook(nbs / "02_bad.ipynb", "# Why", "raise ValueError('[red]no[/red] such row')")
    write_notebook(nbs / "index.ipynb", "# Index", parameters=False)
    monkeypatch.setattr(records, "results_folder", lambda: tmp_path / "results")
    (tmp_path / "results" / "speed").mkdir(parents=True)
    (tmp_path / "results" / "speed" / "ours.json").write_text(
        json.dumps({"run": "ours", "settings": {}, "metrics": {"examples_per_second": 31.25}, "seconds": 2})
    )

    code, out, _ = ftcourse("run", "--profile", "smoke", "--jobs", "3")
    assert code == 1
    assert re.search(r"02_bad: failed in \d+ s, peak memory \d+ MB, in cell 3 of 3:", out)
    assert "    raise ValueError('[red]no[/red] such row')\n" in out and "ValueError: [red]no[/red] such row\n" in out
    assert "build/lessons/smoke/02_bad.failed.ipynb" in out
    assert re.search(r"01_good: passed in \d+ s, peak memory \d+ MB\n", out)
    assert "Lessons: 2 passed, 1 failed\n" in out
    index = tmp_path / "build" / "report" / "index.html"
    assert out.endswith(f"Report: {index}\n")
    check_pages(index)

    page = BeautifulSoup(index.read_text(), "html.parser")
    rows = {row.th.text: [cell.text for cell in row.select("td")] for row in page.select("tbody tr")}
    assert rows["01_good"][0] == "passed"
    assert rows["02_bad"][0] == "failed in cell 3: ValueError: [red]no[/red] such row"
    assert rows["01_good"][-1] == "executed notebook 01_good"
    assert rows["ours"] == ["31.25", "2"]
    assert re.match(r"Bar chart: 01_good \d+ seconds of a budget of 60; index \d", page.select("img")[0]["alt"])
    good = BeautifulSoup((index.parent / "smoke" / "01_good.html").read_text(), "html.parser")
    assert [image["alt"] for image in good.select("img")] == [ALT]
    links = {link.text: link["href"] for link in good.select("a") if "anchor-link" not in link.get("class", ())}
    assert links == {
        "the bad one": "02_bad.html#Why",
        "a page": "https://example.org/",
        "Results of all lessons": "../index.html",
    }
    assert "a file" in good.text and "An interactive element" in good.text

    code, out, _ = ftcourse("run", "1", "index", "--profile", "smoke", "--no-report")
    assert code == 0
    assert re.search(r"01_good: already done in \d+ s, .*\(use --fresh to run it again\)", out)
    assert out.endswith("Lessons: 2 already done\n")
    index.unlink()
    code, out, _ = ftcourse("report")
    assert (code, out) == (0, f"Report: {index}\n") and index.exists()


@pytest.mark.long
def test_progress_is_shown_reset_and_exported(ftcourse, tmp_path, monkeypatch):
    exercise = find_exercise("1")
    for step in list(exercise.steps)[:-1]:
        progress.note(exercise.name, step, "right")
    progress.note(exercise.name, list(exercise.steps)[-1], "wrong")
    progress.note("4_comparison", "draw", "error")
    code, out, _ = ftcourse("check", "1")
    assert code == 0 and "5 of 6 steps right" in out and "4_comparison" not in out
    assert re.search(r"Step 6, predictions +│ wrong +│ 1 ", out), out
    assert re.search(r"Step 5, the plot +│ error +│ 1 ", ftcourse("check")[1])
    notebook = tmp_path / "nbs" / "exercises" / "1_sentiment.ipynb"
    write_notebook(tmp_path / "nbs" / "01_a.ipynb")
    write_notebook(notebook, "# Mine\n\n[The lesson](../03_a.ipynb)", FIGURE)
    assert ftcourse("check", "1", "--html", "page.html")[0] == 2
    progress.note(exercise.name, list(exercise.steps)[-1], "right")
    code, _, err = ftcourse("check", "1", "--html", "page.html")
    assert code == 2 and "has no outputs: run it in JupyterLab and save it" in err
    finished = nbformat.read(notebook, as_version=4)
    finished.cells[-1].outputs = [new_output("stream", text="all <right>\n")]
    nbformat.write(finished, notebook)
    code, out, _ = ftcourse("check", "1", "--html", "page.html")
    assert code == 0 and out == f"Page: {tmp_path / 'page.html'}\n"
    page = BeautifulSoup((tmp_path / "page.html").read_text(), "html.parser")
    assert (
        "all <right>" in page.text and page.html["lang"] == "en" and not page.select("script, a[href='../03_a.ipynb']")
    )
    monkeypatch.chdir(tmp_path / "nbs")  # as in a folder of copies
    assert ftcourse("check", "1", "--html", "again.html")[1] == f"Page: {tmp_path / 'nbs' / 'again.html'}\n"
    assert ftcourse("check", "1", "--reset", "--html", "page.html", "--yes")[0] == 2 and progress.is_finished(exercise)
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert ftcourse("check", "1", "--reset")[0] == 1 and progress.is_finished(exercise)  # nobody said yes
    assert ftcourse("check", "1", "--reset", "--yes")[1] == "Forgotten: 1_sentiment\n"
    assert "0 of 6 steps right" in ftcourse("check", "1")[1] and "draw" in progress.load()["4_comparison"]
    assert ftcourse("check", "--reset", "--yes")[0] == 0 and progress.load() == {}


def test_results_are_what_a_teachers_tool_reads(ftcourse, tmp_path):
    progress.note("1_sentiment", "encode", "wrong")
    progress.note("1_sentiment", "encode", "right")
    assert ftcourse("check", "1", "--results", str(tmp_path / "results.json"))[0] == 0
    found = json.loads((tmp_path / "results.json").read_text())
    assert found["score"] == 1.0 and len(found["tests"]) == 6
    assert found["tests"][1] == {
        "name": "1_sentiment: Step 2, tokens",
        "score": 1.0,
        "max_score": 1.0,
        "status": "passed",
        "output": "right after 2 tries",
    }
    assert {test["status"] for test in found["tests"][2:]} == {"failed"}


@pytest.mark.long
def test_report_shows_the_progress(ftcourse, tmp_path):
    write_notebook(tmp_path / "nbs" / "01_a.ipynb", "1")
    assert ftcourse("run", "--profile", "smoke")[0] == 0
    index = tmp_path / "build" / "report" / "index.html"
    assert "Exercises" not in index.read_text()
    progress.note("2_lora", "merge", "right")
    assert ftcourse("report")[0] == 0
    page = BeautifulSoup(index.read_text(), "html.parser")
    caption = next(caption for caption in page.select("caption") if "steps right" in caption.text)
    assert caption.text.startswith("1 of ")
    assert [
        cell.text for row in caption.parent.select("tr") if "Step 5, merging" in row.text for cell in row.select("td")
    ] == ["Step 5, merging", "right", "1"]


def check_pages(index):
    """Check each page of a report: language, headings in order, alternatives, links that lead somewhere, no network."""
    pages = list(index.parent.rglob("*.html"))
    assert len(pages) == 4
    for page in pages:
        soup = BeautifulSoup(page.read_text(), "html.parser")
        assert soup.html["lang"] == "en" and soup.title.text
        levels = [int(heading.name[1]) for heading in soup.find_all(re.compile("^h[1-6]$"))]
        assert all(after <= before + 1 for before, after in zip([0, *levels], levels, strict=False)), (
            f"{page}: headings {levels}"
        )
        assert all(image["alt"].strip() and image["src"].startswith("data:") for image in soup.select("img"))
        assert all(header["scope"] in ("col", "row") for header in soup.select("th"))
        assert not soup.select("script, link[href], iframe")
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", page.read_text())
        for link in soup.select("a[href]"):
            target, _, anchor = link["href"].partition("#")
            if "://" in target:
                continue
            other = (page.parent / target).resolve() if target else page
            assert other.exists(), f"{page}: {link}"
            if anchor:
                assert BeautifulSoup(other.read_text(), "html.parser").find(id=anchor), f"{page}: {link}"


def test_interrupted_run(ftcourse, tmp_path, monkeypatch):
    write_notebook(tmp_path / "nbs" / "01_a.ipynb")

    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "run_lessons", interrupt)
    code, out, err = ftcourse("run")
    assert code == 130 and "Stopped." in out and "Traceback" not in err


def test_run_passes_its_options_on(ftcourse, tmp_path, monkeypatch):
    write_notebook(tmp_path / "nbs" / "01_a.ipynb")
    calls = []

    def run_lessons(lessons, profile, output, jobs, timeout, fresh, done, tick):
        calls.append((lessons, profile, output, jobs, timeout, fresh))
        return []

    monkeypatch.setattr(runner, "run_lessons", run_lessons)
    monkeypatch.setenv("FTCOURSE_PROFILE", "full")
    assert ftcourse("run", "1", "--jobs", 2, "--timeout", 9.5, "--fresh", "--output", "out", "--no-report")[0] == 0
    assert calls == [({"01_a": tmp_path / "nbs" / "01_a.ipynb"}, "full", Path("out"), 2, 9.5, True)]
    for wrong in (("--jobs", "0"), ("--timeout", "-1"), ("--nonsense",)):
        assert ftcourse("run", *wrong)[0] == 2


@pytest.fixture
def job():
    return SimpleNamespace(
        lesson="01_a", started=0.0, cell=12, cells=40, title="Train the model: trainer.train()", memory=1204, peak=1310
    )


def test_live_view_in_a_terminal(monkeypatch, job):
    monkeypatch.setattr(live.time, "monotonic", lambda: 95.0)
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with live.show_progress(console) as (done, tick):
        tick([job])
        tick([job, SimpleNamespace(**vars(job) | {"lesson": "02_b", "cell": 0, "title": "starting the kernel"})])
        done({"lesson": "01_a", "status": "passed", "seconds": 95.2, "peak_memory_mb": 1310})
        tick([])
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", console.file.getvalue())
    assert re.search(r"01_a +cell 12 of 40 +Train the model: trainer\.train\(\) +1:35 +peak 1,310 MB", shown)
    assert re.search(r"02_b +starting +starting the kernel", shown)
    assert "01_a: passed in 95 s, peak memory 1,310 MB" in shown


def test_plain_lines_without_a_terminal(monkeypatch, job):
    clock = {"now": 0.0}
    monkeypatch.setattr(live.time, "monotonic", lambda: clock["now"])
    console = Console(file=io.StringIO(), width=40)
    with live.show_progress(console) as (_, tick):
        for clock["now"] in (0.0, 0.5, 29.0, 31.0, 59.0, 62.0):
            tick([job])
    assert console.file.getvalue().splitlines() == [
        "01_a: started",
        "01_a: cell 12 of 40, Train the model: trainer.train(), 0:31, 1,204 MB",
        "01_a: cell 12 of 40, Train the model: trainer.train(), 1:02, 1,204 MB",
    ]


def test_setup_fetches_and_lists(ftcourse, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(assets, "setup", lambda names, from_dir=None: asked.append((list(names), from_dir)))
    monkeypatch.setenv("FTCOURSE_HOME", str(tmp_path))
    assert ftcourse("setup", "3", "--from", tmp_path)[0] == 0
    needed = list(profiles.LESSONS["03_text_classification"]["assets"])
    assert asked == [(needed, tmp_path)]
    code, out, _ = ftcourse("setup", "--list")
    assert code == 0 and len(asked) == 1
    for row in assets.table():
        assert re.search(rf"{row['name']} .*{row['megabytes']} MB", out)
    assert f"{sum(row['megabytes'] for row in assets.table())} MB" in out and " no " in out and "Apache-2.0" in out
    assert "bigbench" not in ftcourse("setup", "3", "--list")[1]


def test_study_runs_one_or_all(ftcourse, monkeypatch):
    calls = []

    def first(**options):
        """The first study."""
        calls.append(("first", options))

    def second(**options):
        calls.append(("second", options))

    monkeypatch.setattr(studies, "STUDIES", {"first": first, "second": second})
    assert ftcourse("study", "first", "--seeds", 3, 4)[0] == 0
    assert ftcourse("study", "first", "--seeds", "5,6")[0] == 0
    assert ftcourse("study")[0] == 0
    assert calls == [("first", {"seeds": (3, 4)}), ("first", {"seeds": (5, 6)}), ("first", {}), ("second", {})]
    assert ftcourse("study", "--list")[1].startswith("first: The first study.\n")
    assert len(calls) == 4


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An installation without the repository, whose wheel brought three notebooks."""
    folder = tmp_path / "site-packages" / "ftcourse" / "lessons"
    for name in ("01_a", "02_b", "solutions/1_s"):
        write_notebook(folder / f"{name}.ipynb", f"'{name}'")
    monkeypatch.setattr(lessons, "SHIPPED", folder)
    monkeypatch.setattr(lessons, "repository", lambda: None)
    monkeypatch.chdir(tmp_path)
    return folder


def test_copies_keep_what_the_person_changed(shipped, tmp_path):
    folder, kept = lessons.lessons_folder()
    assert folder == tmp_path / "ftcourse-lessons" and kept == []
    assert (folder / "solutions" / "1_s.ipynb").read_bytes() == (shipped / "solutions" / "1_s.ipynb").read_bytes()

    mine = (folder / "01_a.ipynb").read_text().replace("01_a", "mine")
    (folder / "01_a.ipynb").write_text(mine)
    for name in ("01_a", "02_b"):
        write_notebook(shipped / f"{name}.ipynb", "'newer'")
    write_notebook(folder / "03_c.ipynb", "'my own'")
    write_notebook(shipped / "03_c.ipynb", "'new lesson of the same name'")
    for _ in range(2):  # it stays so
        assert lessons.lessons_folder() == (folder, ["01_a.ipynb", "03_c.ipynb"])
        assert (folder / "01_a.ipynb").read_text() == mine and "my own" in (folder / "03_c.ipynb").read_text()
        assert "newer" in (folder / "02_b.ipynb").read_text()


def test_copies_say_what_hinders_them(shipped, tmp_path):
    (tmp_path / "ftcourse-lessons").write_text("a file in the way")
    with pytest.raises(CourseError, match="could not be copied into .*ftcourse-lessons.*another one"):
        lessons.lessons_folder()
    for path in shipped.rglob("*.ipynb"):
        path.unlink()
    with pytest.raises(CourseError, match="No lessons were found"):
        lessons.lessons_folder()


def test_lab_opens_the_right_folder(ftcourse, shipped, tmp_path, monkeypatch):
    started = []

    def execv(program, command):
        started.append(command)
        raise SystemExit(0)  # execv does not come back

    monkeypatch.setattr(cli.os, "execv", execv)
    start = [sys.executable, "-m", "jupyterlab"]
    ftcourse("lab", "--port", 8890, "--no-browser")
    assert started.pop() == [*start, str(tmp_path / "ftcourse-lessons"), "--no-browser", "--port=8890"]
    (tmp_path / "ftcourse-lessons" / "01_a.ipynb").write_text("mine")
    write_notebook(shipped / "01_a.ipynb", "'newer'")
    assert "Kept as you changed them" in ftcourse("lab", "--no-browser")[1]
    assert started.pop() == [*start, str(tmp_path / "ftcourse-lessons"), "--no-browser"]
    ftcourse("lab", "mine", "--ip=127.0.0.1")
    assert started.pop() == [*start, str(tmp_path / "mine"), "--ip=127.0.0.1"]
    assert (tmp_path / "mine" / "02_b.ipynb").exists()
    write_notebook(tmp_path / "nbs" / "01_a.ipynb")
    ftcourse("lab")
    assert started.pop() == [*start, str(tmp_path / "nbs")]


@pytest.mark.long
def test_lab_really_starts_jupyterlab():
    asked = subprocess.run([sys.executable, "-m", "ftcourse", "lab", "--version"], capture_output=True, text=True)
    assert (asked.returncode, asked.stdout.strip()) == (0, metadata.version("jupyterlab"))


def test_convert_makes_a_chat_file_and_says_what_is_wrong_with_it(ftcourse, tmp_path):
    rows = [{"instruction": f"Say {number}.", "output": str(number)} for number in range(10)]
    (tmp_path / "alpaca.json").write_text(json.dumps(rows), encoding="utf-8")
    code, said, _ = ftcourse("convert", "alpaca.json", "chats.jsonl")
    assert code == 0 and "chats.jsonl: 10 example(s) from Alpaca" in said
    code, _, wrong = ftcourse("convert", "alpaca.json", "chats.jsonl")
    assert code == 2 and "There is chats.jsonl already" in wrong
    (tmp_path / "few.json").write_text(json.dumps(rows[:1]), encoding="utf-8")
    code, said, wrong = ftcourse("convert", "few.json", "few.jsonl")
    assert code == 2 and "at least 10 examples" in said and "few.jsonl has 1 error(s)" in wrong
