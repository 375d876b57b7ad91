"""Every notebook runs, agrees with the package that it exports, and is fit to be read where it is committed."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
import warnings
from copy import deepcopy
from functools import cache
from pathlib import Path
from types import SimpleNamespace

import conftest
import nbformat
import notebook_rules as rules
import pytest
import xdist.plugin
from conftest import group_of
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from xdist.scheduler.loadgroup import LoadGroupScheduling

from ftcourse.checks import tasks
from ftcourse.errors import CourseError
from ftcourse.tools import environment
from ftcourse.tools.outputs import code_sha256, committed_outputs, stamp, take_outputs

ROOT = Path(__file__).parents[1]
NBS = ROOT / "nbs"
NOTEBOOKS = sorted(
    path.relative_to(NBS).with_suffix("").as_posix()
    for path in NBS.rglob("*.ipynb")
    if not any(part.startswith(".") or part == "build" for part in path.relative_to(NBS).parts)
)
STARTERS = [name for name in NOTEBOOKS if name.startswith("exercises/")]  # what is missing there is the exercise
RUNNABLE = [name for name in NOTEBOOKS if name not in STARTERS]

# Lessons whose committed outputs are older than their code: code was moved, documented and formatted since, and the run
# at local that would show it again is still to come (`make outputs LESSONS=NN`). A name that is no longer true fails.
OUTDATED: list[str] = []


def by_age(names, strict):
    """Return names as parameters; what depends on outputs is expected to fail for those in `OUTDATED`."""
    mark = pytest.mark.xfail(reason="its outputs are older than its code", strict=strict)
    return [pytest.param(name, marks=[mark] if name in OUTDATED else []) for name in names]


def read(name):
    return json.loads((NBS / f"{name}.ipynb").read_text(encoding="utf-8"))


# --- Running them ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, tiny_llama):
    """A function that runs a notebook at profile `smoke`, once, and returns its executed copy and its record."""
    from ftcourse.tools import runner

    output, lessons = tmp_path_factory.mktemp("build"), runner.find_lessons(NBS)
    # For its record each run would load torch in one more process: test_runner.py asks once.
    answer = [sys.executable, "-c", "print('{}')"]

    @cache
    def run(name):
        assert name in lessons, (
            f"nbs/{name}.ipynb would not be run: ftcourse.tools.runner.find_lessons does not find it"
        )
        with pytest.MonkeyPatch.context() as patch:
            if name == "02_openai":  # three jobs; exercise 3 has one, which trains the real model
                patch.setenv("FTCOURSE_SERVICE_MODELS", json.dumps({"smollm2-135m-instruct": str(tiny_llama)}))
            (record,) = runner.run_lessons({name: lessons[name]}, "smoke", output)
        print(f"{name}: {record['status']}, {record['seconds']} s, {record['peak_memory_mb']} MB at most")
        return output / "lessons" / "smoke" / f"{name}.ipynb", record

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "_ask_environment", lambda: subprocess.Popen(answer, stdout=subprocess.PIPE, text=True))
        yield run


def test_there_are_notebooks():
    assert any(name.startswith("0") for name in RUNNABLE)


@pytest.mark.parametrize("name", RUNNABLE)
def test_the_tests_of_a_lesson_share_one_process(name):
    """Else each process runs the lesson for itself; pytest-xdist itself says in which group it sees a test."""
    tests = [f"test_runs[{name}]", f"test_is_strict[{name}]"]
    ids = [f"tests/test_notebooks.py::{test}@{group_of('test_notebooks', test, True)}" for test in tests]
    first, second = (LoadGroupScheduling._split_scope(None, node) for node in ids)
    assert first == second and name in first


@pytest.mark.parametrize(("chosen", "dist"), [("no", "loadgroup"), ("worksteal", "worksteal")])
def test_several_processes_share_tests_by_group_unless_told_otherwise(chosen, dist):
    """Also where pytest is told no more than `-n 2`; both plugins are asked, in the order in which pytest does."""
    manager = pytest.PytestPluginManager()
    for plugin in (xdist.plugin, conftest):
        manager.register(plugin)
    options = dict(numprocesses=2, maxprocesses=None, dist=chosen, distload=False, loadscopereorder=True)
    option = SimpleNamespace(**options, collectonly=False)
    asked = SimpleNamespace(option=option, getoption=lambda *_: False, getvalue=lambda name: getattr(option, name))
    manager.hook.pytest_cmdline_main(config=asked)
    assert option.dist == dist and option.loadscopereorder == (dist != "loadgroup") and len(option.tx) == 2


@pytest.mark.whole_lesson
@pytest.mark.parametrize("name", RUNNABLE)
def test_notebook_runs_at_smoke(smoke, name):
    _, record = smoke(name)
    trace = "\n".join([*record.get("traceback", []), *record.get("log", [])])
    assert record["status"] == "passed", f"cell {record.get('cell')}: {record.get('error')}\n{trace}"


@pytest.mark.whole_lesson
@pytest.mark.parametrize("name", [name for name in RUNNABLE if name in tasks.LESSONS])
def test_every_task_was_run_with_its_solution(smoke, name):
    executed = nbformat.read(smoke(name)[0], as_version=4)
    found = [output for cell in executed.cells if tasks.TAG in cell.metadata.tags for output in cell.get("outputs", [])]
    texts = [output["data"]["text/plain"] for output in found]
    assert len(texts) == len(tasks.find_tasks(name).steps) and all(": right." in text for text in texts), texts


@pytest.mark.whole_lesson
@pytest.mark.parametrize("name", by_age(RUNNABLE, strict=False))
def test_strict_cells_give_the_outputs_that_are_committed(smoke, name):
    """A cell marked NBVAL_CHECK_OUTPUT gives now what it gave in the committed run, which was at profile local."""
    copy, _ = smoke(name)
    assert copy.exists(), f"nbs/{name}.ipynb did not run to its end"
    assert list(strict_differences(nbformat.read(copy, as_version=4), read(name))) == []


def strict_differences(executed, committed):
    """Yield what the strict cells of an executed copy say otherwise than the committed notebook."""
    theirs = [cell for cell in executed["cells"] if "injected-parameters" not in cell["metadata"].get("tags", [])]
    for number, (run, kept) in enumerate(zip(theirs, committed["cells"], strict=True), 1):
        if run["cell_type"] == "code" and "NBVAL_CHECK_OUTPUT" in "".join(kept["source"]):
            now, then = ([shown(output) for output in committed_outputs(cell)] for cell in (run, kept))
            if now != then:
                yield f"cell {number} says {now}, and what is committed says {then}"


def shown(output):
    """Return what a reader sees of an output, as text."""
    parts = [
        output.get("text", ""),
        *(output.get("data", {}).get(kind, "") for kind in ("text/plain", "text/markdown")),
    ]
    return "".join("".join(part) for part in parts).rstrip()


@pytest.mark.skipif(not os.environ.get("FTCOURSE_LONG_TESTS"), reason="on request: each notebook once more")
@pytest.mark.whole_lesson
@pytest.mark.parametrize("name", RUNNABLE)
def test_executed_copy_runs_again_with_the_same_outputs(smoke, name):
    """nbval runs the executed copy, at the same profile: strict cells give the same, the others no error."""
    copy, _ = smoke(name)
    run = run_nbval(copy)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr


def run_nbval(path):
    """Run the cells of an executed copy once more; cells marked NBVAL_CHECK_OUTPUT must give the output they gave."""
    # Without a summary each failure is printed once, whether or not CI is set.
    options = ["--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider", "--color=no", "-q", "-rN"]
    environment = {**os.environ, "FTCOURSE_PROFILE": "smoke", "PYTEST_ADDOPTS": ""}
    return subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-c", os.devnull, "--rootdir", path.parent, path],
        cwd=path.parent,
        env=environment,
        capture_output=True,
        text=True,
        timeout=1200,
    )


@pytest.mark.whole_lesson
@pytest.mark.parametrize("name", [name for name in RUNNABLE if name != "index"])
def test_injected_profile_is_used(smoke, name):
    """The injected cell follows the cell it overrides; without the tag, papermill puts it first and only warns."""
    executed = nbformat.read(smoke(name)[0], as_version=4)
    tags = [tag for cell in executed.cells for tag in cell.metadata.get("tags", []) if tag.endswith("parameters")]
    assert tags == ["parameters", "injected-parameters"]
    injected = next(cell for cell in executed.cells if "injected-parameters" in cell.metadata.get("tags", []))
    assert 'profile = "smoke"' in injected.source
    assert list(rules.parameters_near_the_top(read(name))) == []


# --- In step with the package ----------------------------------------------------------------------------------------


def test_nbdev_export_leaves_a_fresh_clone_as_it_is(tmp_path):
    """nbdev's own command, run as nbdev documents it, writes just what is committed; and so once more."""
    copy_tree(tmp_path)
    command = [str(Path(sys.executable).with_name("nbdev_export"))]
    for turn in ("first", "second"):
        subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, timeout=120)
        changed = git(tmp_path, "status", "--porcelain")
        assert not changed, f"the {turn} nbdev_export changed:\n{changed}Run `make export` and commit what it writes."


def copy_tree(target):
    """Make a repository of this one's files as they are now, committed or not, but for what git ignores."""
    git(target, "init", "--quiet")
    for name in git(ROOT, "ls-files", "--cached", "--others", "--exclude-standard", "-z").split("\0"):
        if name and (ROOT / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, target / name)
    git(target, "add", "--all")
    git(target, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--message=as it is")


def git(folder, *command):
    run = subprocess.run(["git", "-C", str(folder), *command], check=True, capture_output=True, text=True, timeout=60)
    return run.stdout


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_opening_and_saving_in_jupyterlab_changes_nothing(tmp_path, name):
    """JupyterLab adds its kernel's names; the hook that make env sets up takes away what is not committed."""
    from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
    from traitlets.config import Config

    shutil.copy(ROOT / "settings.ini", tmp_path)
    target = tmp_path / "nbs" / f"{name}.ipynb"
    target.parent.mkdir(parents=True)
    shutil.copy(NBS / f"{name}.ipynb", target)
    before = target.read_bytes()
    manager = AsyncLargeFileManager(root_dir=str(tmp_path), config=Config(environment.JUPYTER))

    async def open_and_save():
        path = target.relative_to(tmp_path).as_posix()
        model = await manager.get(path)
        model["content"]["metadata"]["kernelspec"]["display_name"] = "Python 3 (ipykernel)"
        model["content"]["metadata"]["language_info"] = {"name": "python", "version": "3.12.1"}
        await manager.save({"type": "notebook", "format": "json", "content": model["content"]}, path)

    asyncio.run(open_and_save())
    assert target.read_bytes() == before


def clean(path):
    """Clean a notebook as `nbdev_clean` does in the repository; it reports failures as warnings."""
    from nbdev.clean import nbdev_clean

    before = os.getcwd()
    os.chdir(ROOT)  # nbdev looks for settings.ini from here
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)
            nbdev_clean(fname=str(path))
    finally:
        os.chdir(before)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_notebook_is_clean(tmp_path, name):
    path = shutil.copy(NBS / f"{name}.ipynb", tmp_path)
    clean(path)
    assert Path(path).read_bytes() == (NBS / f"{name}.ipynb").read_bytes(), f"{name}: run `make clean-notebooks`"


def test_cleaning_keeps_tags_alternatives_and_stamp(tmp_path, sound):
    path = tmp_path / "scratch.ipynb"
    nbformat.write(sound, path)
    clean(path)
    cleaned = nbformat.read(path, as_version=4)
    assert cleaned.cells[1].metadata.tags == ["parameters"]
    assert cleaned.cells[3].outputs[0].metadata == {"image/png": {"alt": "A rising line."}}
    assert cleaned.metadata.ftcourse.code_sha256 == code_sha256(sound)
    assert cleaned.cells[3].execution_count is None and "papermill" not in cleaned.metadata
    once = path.read_bytes()
    clean(path)
    assert path.read_bytes() == once


# --- Fit to be read --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", by_age(RUNNABLE, strict=True))
def test_outputs_are_of_the_code_that_is_committed(name):
    assert list(rules.outputs_are_of_this_code(read(name))) == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_notebook_follows_the_rules(name):
    chosen = rules.EVERY if name == "index" else rules.LESSON if name[0].isdigit() else rules.EXERCISE
    left_out = [rules.has_strict_cells] if name in STARTERS else [rules.no_stderr] if name in OUTDATED else []
    chosen = [rule for rule in chosen if rule not in left_out]
    broken = [problem for rule in chosen for problem in rule(read(name))]
    assert not broken, f"nbs/{name}.ipynb:\n" + "\n".join(broken)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_committed_notebook_is_small(name):
    assert (NBS / f"{name}.ipynb").stat().st_size < rules.MAX_BYTES


PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==\n"


@pytest.fixture
def sound():
    """Return a notebook that follows every rule."""
    picture = new_output("display_data", {"image/png": PIXEL}, metadata={"image/png": {"alt": "A rising line."}})
    printed = new_output("stream", name="stdout", text="2\n")
    notebook = new_notebook(
        metadata={"kernelspec": {"name": "python3", "display_name": "python3", "language": "python"}},
        cells=[
            new_markdown_cell("# A lesson\n\nSee [the guide](https://example.org/guide).", id="one"),
            new_code_cell('profile = "local"', metadata={"tags": ["parameters"]}),
            new_markdown_cell("## A section\n\n### A part"),
            new_code_cell("# NBVAL_CHECK_OUTPUT\nprint(1 + 1)", outputs=[picture, printed], execution_count=3),
        ],
    )
    notebook.metadata["ftcourse"] = {"code_sha256": code_sha256(notebook)}
    notebook.metadata["papermill"] = {}
    return notebook


def test_sound_notebook_follows_every_rule(sound):
    assert [problem for rule in rules.LESSON for problem in rule(sound)] == []


LONG = "\n".join(f"x{number} = {number}" for number in range(13))


@pytest.mark.parametrize(
    ("rule", "cell", "change", "message"),
    [
        (rules.parameters_near_the_top, 1, {"metadata": {}}, "tag `parameters`"),
        (rules.parameters_near_the_top, 1, {"source": "size = 3"}, "must set `profile`"),
        (rules.parameters_near_the_top, 3, {"source": 'profile = "local"'}, "set again"),
        (rules.no_absolute_paths, 3, {"source": 'open("/home/me/data.csv")'}, "'/home/me/data.csv"),
        (rules.no_absolute_paths, 3, {"source": r'open("C:\\Users\\me")'}, "absolute path"),
        (rules.no_absolute_paths, 3, {"outputs": [new_output("stream", text="saved in /tmp/x1")]}, "'/tmp/x1"),
        (rules.no_registry_hosts, 0, {"source": "# See https://PyPI" + ".org/project/ftcourse"}, "registry host"),
        (rules.images_have_alternatives, 3, {"outputs": [new_output("display_data", {"image/png": PIXEL})]}, "no text"),
        (rules.images_have_alternatives, 0, {"source": "# A\n\n![](figure.svg)"}, "no text alternative"),
        (rules.headings_in_order, 2, {"source": "# A second title"}, "level 1"),
        (rules.headings_in_order, 0, {"source": "No title"}, "level 1"),
        (rules.headings_in_order, 2, {"source": "## A section\n\n#### A part"}, "from level 2 to 4 in cell 3"),
        (rules.links_say_where_they_go, 0, {"source": "# A\n\nSee [here](https://example.org)."}, "'here'"),
        (rules.links_say_where_they_go, 0, {"source": "[https://a.org](https://a.org)"}, "'https://a.org'"),
        (rules.links_say_where_they_go, 0, {"source": "See <https://a.org>."}, "bare address 'https://a.org'"),
        (rules.links_say_where_they_go, 0, {"source": "See https://a.org for more."}, "bare address"),
        (rules.links_say_where_they_go, 0, {"source": 'See <a href="x">the guide</a>.'}, "as HTML"),
        (rules.cells_are_short, 3, {"source": LONG}, "more than 12"),
        (rules.no_cell_is_long, 3, {"source": f"{LONG}\n{LONG}"}, "more than 20"),
        (rules.less_than_half_is_exported, 3, {"source": "#| export\nx = 1"}, "50.0% of the lines"),
        (rules.ids_are_unique, 3, {"id": "one"}, "the id one"),
        (rules.no_stderr, 3, {"outputs": [new_output("stream", name="stderr", text="W0: noise")]}, "'W0: noise'"),
        (rules.outputs_are_of_this_code, 3, {"source": "print(1 + 2)"}, "newer than its outputs"),
        (rules.outputs_are_of_this_code, 3, {"outputs": []}, "no outputs"),
        (rules.no_errors, 3, {"outputs": [new_output("error", ename="KeyError", evalue="", traceback=[])]}, "KeyError"),
        (rules.has_strict_cells, 3, {"source": "print(1 + 1)"}, "NBVAL_CHECK_OUTPUT"),
    ],
)  # fmt: skip
def test_rule_finds_what_breaks_it(sound, rule, cell, change, message):
    assert list(rule(sound)) == []
    sound.cells[cell].update(change)
    assert message in "\n".join(rule(sound))


@pytest.mark.parametrize("text", ["either/or", "https://example.org/home/page", "~/.cache/x", "data/tmp/x", "a</tmp>"])
def test_what_only_looks_like_a_path_passes(sound, text):
    sound.cells[3].source = text
    assert list(rules.no_absolute_paths(sound)) == []


@pytest.mark.parametrize(
    ("output", "faults"),
    [
        (new_output("stream", name="stdout", text="2\n"), 0),
        (new_output("stream", name="stdout", text="3\n"), 1),
        (new_output("execute_result", {"text/plain": "2"}), 0),
        (new_output("display_data", {"text/markdown": "| 2 |"}), 1),
    ],
)
def test_strict_cells_are_compared_with_what_is_committed(sound, output, faults):
    sound.cells[3].outputs = [new_output("stream", name="stdout", text="2\n")]
    run = deepcopy(sound)
    run.cells[3].outputs = [output]
    run.cells.insert(2, new_code_cell('profile = "smoke"', metadata={"tags": ["injected-parameters"]}))
    assert len(list(strict_differences(run, sound))) == faults
    sound.cells[3].source = run.cells[4].source = "print(1 + 1)"
    assert not list(strict_differences(run, sound))


def test_what_a_kernel_cuts_in_two_is_one_output():
    cut = [new_output("stream", name="stdout", text=text) for text in ("one\ntw", "o\n")]
    cell = new_code_cell("print()", outputs=[*cut, new_output("stream", name="stderr", text="no\n")])
    assert [output["text"] for output in committed_outputs(cell)] == ["one\ntwo\n", "no\n"]


@pytest.mark.long
def test_second_run_compares_strict_cells_and_only_runs_the_others(tmp_path, sound):
    """What the second run can find: a changed output of a strict cell, and an error anywhere."""
    three = [new_output("stream", name="stdout", text="3\n")]
    strict, lenient = "# NBVAL_CHECK_OUTPUT\nprint(1 + 1)", "print(1 + 1)"
    sound.cells = [
        new_code_cell(strict, outputs=[new_output("stream", name="stdout", text="2\n")], execution_count=1),
        new_code_cell(strict, outputs=three, execution_count=2),
        new_code_cell(lenient, outputs=three, execution_count=3),
        new_code_cell("1 / 0", outputs=[], execution_count=4),
    ]
    nbformat.write(sound, tmp_path / "scratch.ipynb")
    run = run_nbval(tmp_path / "scratch.ipynb")
    assert run.returncode == 1 and run.stdout.startswith(".F.F "), run.stdout
    assert run.stdout.count("Cell outputs differ") == 1 and "ZeroDivisionError" in run.stdout


# --- Stamping --------------------------------------------------------------------------------------------------------


def write_copies(tmp_path, sound):
    """Write a notebook without outputs, and the executed copy of it as papermill leaves one."""
    path, executed = tmp_path / "lesson.ipynb", tmp_path / "executed.ipynb"
    nbformat.write(sound, executed.with_name("with-injection.ipynb"))
    run = deepcopy(sound)
    run.cells.insert(2, new_code_cell('profile = "smoke"', metadata={"tags": ["injected-parameters"]}))
    nbformat.write(run, executed)
    bare = deepcopy(sound)
    bare.cells[3].outputs = []
    del bare.metadata["ftcourse"]
    nbformat.write(bare, path)
    return path, executed


def test_outputs_of_a_copy_are_taken_and_stamped(tmp_path, sound):
    path, executed = write_copies(tmp_path, sound)
    take_outputs(executed, path)
    taken = nbformat.read(path, as_version=4)
    assert len(taken.cells) == 4 and taken.cells[3].outputs == sound.cells[3].outputs
    assert list(rules.outputs_are_of_this_code(taken)) == []


def test_folders_of_the_machine_are_not_committed(tmp_path, sound, monkeypatch):
    monkeypatch.setenv("FTCOURSE_HOME", str(tmp_path / "cache"))
    said = f"loaded from {tmp_path}/cache/model\n{Path(nbformat.__file__).parents[1]}/some.py:1: a warning\n"
    sound.cells[3].outputs = [new_output("stream", name="stderr", text=said)]
    path, executed = write_copies(tmp_path, sound)
    take_outputs(executed, path)
    taken = nbformat.read(path, as_version=4)
    assert taken.cells[3].outputs[0].text == "loaded from $FTCOURSE_HOME/model\nsite-packages/some.py:1: a warning\n"


def test_progress_bars_are_not_committed(tmp_path, sound):
    kept = sound.cells[3].outputs
    bar = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "0%"}
    full = "<div>\n  <progress value='4' max='4' style='width:300px;'></progress>\n  [4/4 00:09, Epoch 2/2]\n</div>"
    table = new_output("display_data", {"text/html": full})
    sound.cells[3].outputs = [new_output("display_data", bar), table, *kept]
    path, executed = write_copies(tmp_path, sound)
    take_outputs(executed, path)
    table.data["text/html"] = "<div>\n  [4/4 00:09, Epoch 2/2]\n</div>"
    assert nbformat.read(path, as_version=4).cells[3].outputs == [table, *kept]


def test_tasks_are_committed_open_and_without_outputs(tmp_path, sound):
    task = new_code_cell(
        "def double(x):\n    return ...", metadata={"tags": [tasks.TAG]}, outputs=sound.cells[3].outputs
    )
    sound.cells.append(task)
    path, executed = write_copies(tmp_path, sound)
    run = nbformat.read(executed, as_version=4)
    run.cells[-1] |= {"source": "def double(x):\n    return 2 * x", "outputs": sound.cells[3].outputs}
    nbformat.write(run, executed)
    take_outputs(executed, path)
    taken = nbformat.read(path, as_version=4)
    assert taken.cells[-1].source == task.source and taken.cells[-1].outputs == []
    assert taken.cells[3].outputs and list(rules.outputs_are_of_this_code(taken)) == []


def test_outputs_of_other_code_are_refused(tmp_path, sound):
    path, executed = write_copies(tmp_path, sound)
    changed = nbformat.read(path, as_version=4)
    changed.cells[3].source = "print(3)"
    nbformat.write(changed, path)
    before = path.read_bytes()
    with pytest.raises(CourseError, match="lesson.ipynb has changed since .*executed.ipynb was run.*Run the note"):
        take_outputs(executed, path)
    assert path.read_bytes() == before and sorted(p.suffix for p in tmp_path.iterdir()) == [".ipynb"] * 3


@pytest.mark.parametrize(
    ("results", "message"),
    [([], "has no outputs"), ([new_output("error", ename="KeyError", evalue="", traceback=[])], "ended with an error")],
)
def test_failed_or_empty_notebook_is_not_stamped(tmp_path, sound, results, message):
    path = tmp_path / "lesson.ipynb"
    sound.cells[3].outputs = results
    nbformat.write(sound, path)
    before = path.read_bytes()
    with pytest.raises(CourseError, match=message):
        stamp(path)
    assert path.read_bytes() == before


def test_hash_is_of_code_alone(sound):
    mark = code_sha256(sound)
    sound.cells[0].source, sound.cells[3].outputs = "# Another title", []
    assert code_sha256(sound) == code_sha256(json.loads(nbformat.writes(sound))) == mark
    sound.cells[3].source += "\n"
    assert code_sha256(sound) != mark
