"""Running the lessons: a worker process with papermill for each notebook, and a record of each run.

Under the output folder, `lessons/<profile>/<lesson>.ipynb` is the executed copy and `<lesson>.json` its record, written
last; while the record's fingerprint still fits, the lesson is not run again. A lesson that failed leaves
`<lesson>.failed.ipynb` and `<lesson>.failed.json` instead.
"""

import hashlib
import json
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from multiprocessing.connection import Connection, wait
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from ..errors import CourseError
from ..files import write_atomically
from ..machine import num_cores
from ..profiles import check_profile, needed_assets
from ..records import results_folder

LOCK = "requirements.lock"
_UNPARAMETRISED = "index"  # has no profile: it only shows what the records say
Record = dict[str, Any]  # of a run, as it is written into its JSON file
Outcome = dict[str, Any]  # of a notebook, as its worker sends it
_TICK = 0.5  # seconds between two samples of memory, and between two pictures of the live view


def find_lessons(folder: Path) -> dict[str, Path]:
    """Return the notebooks of a lessons folder as a dict, name -> path: lessons, then solutions, the index last.

    Args:
        folder: of the lessons.
    """
    lessons = [path for path in sorted(folder.glob("*.ipynb")) if path.name[:2].isdigit()]
    found = [*lessons, *sorted(folder.glob("solutions/*.ipynb")), *folder.glob(f"{_UNPARAMETRISED}.ipynb")]
    return {path.relative_to(folder).with_suffix("").as_posix(): path for path in found}


def choose_lessons(wanted: Iterable[str], folder: Path) -> dict[str, Path]:
    """Return the lessons that a person named, as `find_lessons` does; all of them if none was named.

    Args:
        wanted: numbers, names or paths: `3`, `03`, `03_text_classification`, `nbs/03_text_classification.ipynb`.
        folder: the lessons folder.

    Raises:
        CourseError: naming the known lessons, if a name fits none or several of them.
    """
    lessons = find_lessons(folder)
    wanted, chosen = list(wanted), []
    for name in wanted:
        short = name.removesuffix(".ipynb")
        short = short.zfill(2) if short.isdigit() else short
        fitting = [
            lesson
            for lesson, path in lessons.items()
            if short in (lesson, lesson.split("_")[0]) or Path(name).resolve() == path.resolve()
        ]
        if len(fitting) != 1:
            raise CourseError(
                f"Unknown lesson {name!r}. The lessons in {folder} are "
                f"{', '.join(lessons) or 'none yet'}: give a number or a name."
            )
        chosen += fitting
    return {name: path for name, path in lessons.items() if name in chosen or not wanted}


def read_cells(path: Path) -> list[tuple[str, str, Sequence[str]]]:
    """Return the cells of a notebook as (type, source, tags), without loading nbformat.

    Args:
        path: of the notebook.

    Raises:
        CourseError: if the file is not a notebook.
    """
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        return [(cell["cell_type"], "".join(cell["source"]), cell["metadata"].get("tags", ())) for cell in cells]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CourseError(
            f"{path} is not a notebook that can be read ({type(error).__name__}: {error}). Take the "
            "committed version again, for example with `git checkout`."
        ) from error


def check_parameters(path: Path) -> None:
    """Raise CourseError unless papermill can set `profile` in the notebook; papermill itself would only warn.

    Args:
        path: of the notebook.
    """
    if path.stem == _UNPARAMETRISED:
        return
    if not any("parameters" in tags and re.search(r"^profile\b", source, re.M) for _, source, tags in read_cells(path)):
        raise CourseError(
            f"{path} has no code cell tagged `parameters` that sets `profile`, so the profile could not "
            "be passed to it. Add the tag to the cell with `profile = ...` (in JupyterLab: the property "
            "inspector, Cell Tags)."
        )


def fingerprint(path: Path, profile: str) -> str:
    """Return the SHA-256 of all that a run depends on: notebook and package sources, records, profile, versions.

    Args:
        path: of the notebook.
        profile: it runs at.
    """
    digest = hashlib.sha256(json.dumps([profile, [cell[:2] for cell in read_cells(path)]]).encode())
    package = Path(__file__).parents[1]
    records = sorted(results_folder().rglob("*.json"))
    sources = sorted([*package.rglob("*.py"), *package.rglob("*.toml")])
    for file in [*sources, *records, package.parent / LOCK]:
        if file.exists():
            digest.update(f"\0{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()


def read_record(output: str | Path, profile: str, lesson: str) -> Record | None:
    """Return the record of the last run of a lesson that passed, or None.

    Args:
        output: folder that `run_lessons` wrote to.
        profile: of the run.
        lesson: name of the notebook.
    """
    try:
        return json.loads((Path(output) / "lessons" / profile / f"{lesson}.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def run_lessons(
    lessons: dict[str, Path],
    profile: str,
    output: str | Path,
    jobs: int = 1,
    timeout: float | None = None,
    fresh: bool = False,
    done: Callable[[Record], object] = lambda record: None,
    tick: Callable[[list[SimpleNamespace]], object] = lambda running: None,
) -> list[Record]:
    """Run notebooks, `jobs` at a time, each in a worker process of its own, and go on when one fails.

    Args:
        lessons: dict, name -> path, as `choose_lessons` returns it.
        profile: "smoke", "local" or "full"; injected as the parameter `profile`, and FTCOURSE_PROFILE in the kernel.
        output: folder for the executed notebooks and the records.
        jobs: how many notebooks run at once.
        timeout: seconds for each notebook; one that takes longer is stopped and counts as failed.
        fresh: run again what is already done.
        done: called with the record of each lesson as it ends.
        tick: called about twice a second with the running jobs (`lesson`, `started`, `cell`, `cells`, `title`,
            `memory` and `peak` in MB).

    Returns:
        The records, one for each lesson, in order of completion. Their `status` is "passed", "failed" or "skipped".

    Raises:
        CourseError: before anything runs, for an unknown profile, a notebook without the tag `parameters`, or an asset
            that cannot be had.
    """
    check_profile(profile)
    output = Path(output).resolve()
    for path in lessons.values():
        check_parameters(path)
    records: list[Record] = []
    todo: deque[tuple[str, Path, str]] = deque()
    for lesson, path in lessons.items():
        mark, record = fingerprint(path, profile), read_record(output, profile, lesson)
        if record and record.get("fingerprint") == mark and not fresh:
            records.append(record | {"status": "skipped"})
            done(records[-1])
        else:
            todo.append((lesson, path.resolve(), mark))
    _fetch_assets([lesson for lesson, *_ in todo], profile)
    if not todo:
        return records

    running: list[SimpleNamespace] = []
    asked = _ask_environment()
    environment = cache(lambda: json.loads(asked.communicate()[0] or "{}"))
    try:
        while todo or running:
            while todo and len(running) < jobs:
                running.append(_start(*todo.popleft(), profile, output, jobs))
            for job, outcome in _wait(running, timeout):
                running.remove(job)
                _stop(job)
                records.append(_finish(job, outcome, environment()))
                done(records[-1])
            tick(running)
    finally:
        if asked.poll() is None:
            asked.kill()
        asked.wait()
        for job in running:  # an interrupt came
            _stop(job)
            job.working.unlink(missing_ok=True)
            job.log.unlink(missing_ok=True)
    return records


def _wait(running: list[SimpleNamespace], timeout: float | None) -> list[tuple[SimpleNamespace, Outcome]]:
    """Wait for half a second at most, and return the jobs that ended with how they did."""
    ready, ended = wait([job.pipe for job in running], timeout=_TICK), []
    for job in running:
        outcome = _receive(job) if job.pipe in ready else None
        _sample_memory(job)
        seconds = time.monotonic() - job.started
        if not outcome and timeout and seconds > timeout:
            outcome = _failure(job, f"stopped after {timeout:g} seconds, the limit set with --timeout")
        if outcome:
            ended.append((job, outcome | {"seconds": round(seconds, 1)}))
    return ended


def _fetch_assets(lessons: list[str], profile: str) -> None:
    names = sorted({name for lesson in lessons for name in needed_assets(lesson, profile)})
    if names:
        from .. import assets

        assets.setup(names)


def _start(lesson: str, path: Path, mark: str, profile: str, output: Path, jobs: int) -> SimpleNamespace:
    """Start a worker process for one notebook and return what is known of the job."""
    target = output / "lessons" / profile / f"{lesson}.ipynb"
    target.parent.mkdir(parents=True, exist_ok=True)
    working = target.with_name(f".{target.stem}.{os.getpid()}.ipynb")
    log = working.with_suffix(".log")
    variables = {"FTCOURSE_PROFILE": profile, "JUPYTER_PATH": str(kernel_of_this_python(output))}
    if jobs > 1:  # or each notebook would start a thread for every core, and all would wait for one another
        variables |= {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(max(1, num_cores() // jobs)))}
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_work, args=(sender, path, working, log, profile, variables), daemon=True
    )
    process.start()
    sender.close()
    return SimpleNamespace(
        **dict(lesson=lesson, path=path, profile=profile, mark=mark, target=target, working=working, log=log),
        **dict(process=process, pipe=receiver, started=time.monotonic(), start_time=datetime.now(UTC)),
        **dict(cell=0, cells=0, source="", title="starting the kernel", memory=0, peak=0, sampled=0.0),
    )


def kernel_of_this_python(output: Path) -> Path:
    """Write a kernel named python3 that is this interpreter, and return the folder to put first on JUPYTER_PATH.

    Args:
        output: folder below which the kernel is written.
    """
    options = ["-f", "{connection_file}", "--IPKernelApp.log_level=ERROR"]
    argv = [sys.executable, "-Xfrozen_modules=off", "-m", "ipykernel_launcher", *options]
    spec = {"argv": argv, "display_name": "Python 3 (ipykernel)", "language": "python"}
    write_atomically(output / "jupyter" / "kernels" / "python3" / "kernel.json", json.dumps(spec).encode())
    return output / "jupyter"


def _work(pipe: Connection, path: Path, working: Path, log: Path, profile: str, variables: dict[str, str]) -> None:
    """Run one notebook (in the worker process), and send each cell as it starts, then the outcome.

    A task that is still open is run with its solution.
    """
    signal.signal(signal.SIGINT, lambda *_: None)  # Ctrl-C reaches the whole group: the parent ends the run
    os.environ.update(variables)
    with open(log, "wb") as file:  # what libraries and the kernel print would spoil the live view
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    skip_slow_grammar()
    from papermill import PapermillExecutionError, execute_notebook

    from ..checks import tasks

    parameters = {} if path.stem == _UNPARAMETRISED else {"profile": profile}
    now: dict[str, Any] = {"cell": 0, "source": "", "heading": "", "cells": len(read_cells(path))}

    def tell(cell: Any, cell_index: int) -> None:  # nbclient calls it before each cell
        if "injected-parameters" in cell.metadata.get("tags", ()):
            return
        if cell.cell_type == "markdown":
            headings = [line.lstrip("# ") for line in cell.source.splitlines() if line.startswith("#")]
            now["heading"] = next(iter(headings), now["heading"])
        number = now["number"] = now.get("number", 0) + 1  # as the person counts, who has no injected cell
        if tasks.TAG in cell.metadata.get("tags", ()):
            cell.source = tasks.fill(path.stem, cell.source)
        if cell.cell_type == "code":
            now.update(cell=number, source=cell.source)
            pipe.send({name: now[name] for name in ("cell", "source", "heading", "cells")})

    try:
        executed = execute_notebook(
            _escape(path),
            _escape(working),
            parameters,
            kernel_name="python3",
            language="python",
            progress_bar=False,
            cwd=path.parent,
            request_save_on_cell_execute=False,  # it is saved every 30 seconds; at every cell costs 7 seconds a lesson
            on_cell_start=tell,
        )
        theirs = [cell for cell in executed.cells if "injected-parameters" not in cell.metadata.get("tags", ())]
        seconds = [
            (number, round(cell.metadata.papermill["duration"], 3))
            for number, cell in enumerate(theirs, 1)
            if cell.cell_type == "code"
        ]
        pipe.send({"status": "passed", "cell_seconds": seconds})
    except PapermillExecutionError as error:
        lines = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback[:-1])).splitlines()  # the last is the error
        failure = {"error": f"{error.ename}: {error.evalue}", "traceback": lines[-15:]}
        pipe.send({"status": "failed", "cell": now["cell"], "source": now["source"], **failure})
    except Exception as error:  # noqa: BLE001 - whatever ended the kernel belongs into the record
        failure = {"error": f"{type(error).__name__}: {error}", "traceback": []}
        pipe.send({"status": "failed", "cell": now["cell"], "source": now["source"], **failure})


def skip_slow_grammar() -> None:
    """Keep jsonschema, below nbformat, from a grammar of web addresses that takes two seconds and is not used here."""
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # Python's way to say "not there"


def _escape(path: Path) -> str:
    return str(path).replace("{", "{{").replace("}", "}}")  # papermill formats paths


def _receive(job: SimpleNamespace) -> Outcome | None:
    """Read what the worker sent; return the outcome if the notebook ended."""
    try:
        message = job.pipe.recv()
    except EOFError:
        return _failure(job, "the worker process ended unexpectedly, perhaps for want of memory")
    if "status" in message:
        return message
    code = next((line.strip() for line in message["source"].splitlines() if line.strip() and line[:2] != "#|"), "")
    job.title = ": ".join(filter(None, [message.pop("heading"), code]))
    vars(job).update(message)
    return None


def _failure(job: SimpleNamespace, error: str) -> Outcome:
    return {"status": "failed", "cell": job.cell, "source": job.source, "error": error, "traceback": []}


def _sample_memory(job: SimpleNamespace) -> None:
    """Sum the resident memory (MB) of the kernel and its children: all that the worker started."""
    import psutil

    if time.monotonic() - job.sampled < _TICK and job.peak:
        return
    total, job.sampled = 0, time.monotonic()
    for process in _children(job):
        with suppress(psutil.Error):
            total += process.memory_info().rss
    job.memory = round(total / 1e6)
    job.peak = max(job.peak, job.memory)


def _children(job: SimpleNamespace) -> list[Any]:
    import psutil

    try:
        return psutil.Process(job.process.pid).children(recursive=True)
    except psutil.Error:
        return []


def _stop(job: SimpleNamespace) -> None:
    """End the worker, its kernel and what that started. After a normal end only the worker is still there."""
    import psutil

    children = _children(job)
    job.process.kill()
    job.process.join()
    for child in children:
        with suppress(psutil.Error):
            child.kill()
    job.pipe.close()


def _finish(job: SimpleNamespace, outcome: Outcome, environment: dict[str, Any]) -> Record:
    """Put the executed notebook in its place and write the record, which comes last and makes the run count."""
    record = {
        "lesson": job.lesson,
        "profile": job.profile,
        "status": outcome["status"],
        "seconds": outcome["seconds"],
        "peak_memory_mb": job.peak,
        "started": job.start_time.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        **{key: value for key, value in outcome.items() if key not in ("status", "heading")},
        "cells": job.cells,
        "fingerprint": job.mark,
        "environment": environment,
    }
    passed, failed = job.target, job.target.with_suffix(".failed.ipynb")
    here, gone = (passed, failed) if record["status"] == "passed" else (failed, passed)
    for stale in (gone.with_suffix(".json"), gone, here.with_suffix(".json")):
        stale.unlink(missing_ok=True)
    if not job.working.exists():  # papermill did not come as far as its first copy
        write_atomically(job.working, job.path.read_bytes())
    os.replace(job.working, here)
    if record.get("traceback") == [] and job.log.exists():  # no exception in a cell: the log may say why
        record["log"] = job.log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:]
    job.log.unlink(missing_ok=True)
    write_atomically(here.with_suffix(".json"), json.dumps(record, indent=1).encode())
    return record | {"notebook": str(here)}


def _ask_environment() -> subprocess.Popen:
    """Start a process that prints `records.environment()`: it loads torch, for which the run need not wait."""
    code = "import json; from ftcourse.records import environment; print(json.dumps(environment()))"
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
