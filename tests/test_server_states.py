"""The states of a job: which changes are allowed, what they tell, and that no other module spells them."""

import ast
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest

import ftcourse.server
from ftcourse import chat_data
from ftcourse.server import states
from ftcourse.server.settings import Settings
from ftcourse.server.states import JobError, WrongState
from ftcourse.server.store import Store

STATUSES = get_args(states.Status)
MAKE = {
    "enqueue": states.enqueue,
    "start": states.start,
    "succeed": lambda store, id: states.succeed(store, id, "ft:tiny", 12, ["file-1"]),
    "fail": lambda store, id: states.fail(store, id, JobError("bad", "It is bad.", "seed")),
    "pause": states.pause,
    "resume": states.resume,
    "cancel": states.cancel,
}
ALLOWED = {
    ("validating_files", "enqueue"): "queued",
    ("validating_files", "fail"): "failed",
    ("validating_files", "cancel"): "cancelled",
    ("queued", "start"): "running",
    ("queued", "fail"): "failed",
    ("queued", "pause"): "paused",
    ("queued", "cancel"): "cancelled",
    ("running", "succeed"): "succeeded",
    ("running", "fail"): "failed",
    ("running", "pause"): "paused",
    ("running", "cancel"): "cancelled",
    ("paused", "resume"): "queued",
    ("paused", "cancel"): "cancelled",
}


def a_job(folder, status):
    store = Store(folder)
    job = {"id": "j", "status": status, "error": None, "finished_at": None, "estimated_finish": 5}
    store.add("job", job, "org")
    return store


def told(store):
    return [row.object["message"] for row in store.all("event")]


def test_every_change_is_named():
    assert MAKE.keys() == states.TRANSITIONS.keys()
    assert states.FINAL == ("succeeded", "failed", "cancelled")
    assert {status for status, _ in ALLOWED} == {*STATUSES} - {*states.FINAL}


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("action", MAKE)
def test_a_job_changes_where_it_may_and_nowhere_else(tmp_path, status, action):
    store = a_job(tmp_path, status)
    before, after = store.job("j"), ALLOWED.get((status, action))
    is_repeated = status == states.TRANSITIONS[action].after  # as a client does that had no answer
    if after:
        assert MAKE[action](store, "j")
        job = store.job("j").object
        assert job["status"] == after and told(store)
        assert bool(job["finished_at"]) == (after in states.FINAL)
    elif action in ("pause", "resume", "cancel"):
        if is_repeated:
            assert MAKE[action](store, "j") == before.object
        else:
            with pytest.raises(WrongState, match=f"is {status}: only a job that is .* can become"):
                MAKE[action](store, "j")
    else:
        assert MAKE[action](store, "j") == (action == "start" and status == "running")
    if not after:
        assert store.job("j") == before and not told(store)


def test_the_end_of_a_job_is_told(tmp_path):
    store = a_job(tmp_path / "good", "running")
    MAKE["succeed"](store, "j")
    job = store.job("j").object
    assert told(store) == ["New fine-tuned model created: ft:tiny", "The job has successfully completed"]
    assert (job["fine_tuned_model"], job["trained_tokens"], job["result_files"]) == ("ft:tiny", 12, ["file-1"])
    store = a_job(tmp_path / "bad", "queued")
    MAKE["fail"](store, "j")
    assert store.job("j").object["error"] == {"code": "bad", "message": "It is bad.", "param": "seed"}
    (event,) = store.all("event")
    assert (event.object["level"], event.object["message"]) == ("error", "The job failed: It is bad.")


def test_one_job_runs_at_a_time(tmp_path):
    store = a_job(tmp_path, "running")
    store.add("job", {"id": "next", "status": "queued"}, "org")
    assert not states.start(store, "next") and states.current(store, "next") == "queued"
    states.pause(store, "j")
    assert states.start(store, "next")


def spelled(source):
    """The statuses that stand in a module as strings, with their lines."""
    nodes = ast.walk(ast.parse(source))
    return [(n.lineno, n.value) for n in nodes if isinstance(n, ast.Constant) and n.value in STATUSES]


def test_only_one_module_spells_a_status():
    folder = Path(ftcourse.server.__file__).parent
    found = {path.name: spelled(path.read_text(encoding="utf-8")) for path in folder.rglob("*.py")}
    assert {status for _, status in found.pop("states.py")} == {*STATUSES}
    assert len(found) > 15 and not any(found.values()), found
    assert spelled("if job['status'] == 'queued':\n    print(f'{x} running')") == [(1, "queued")]


def test_the_limits_are_those_that_lesson_2_checks(tmp_path):
    from ftcourse.server import training, validation

    assert Settings(tmp_path).max_file_bytes == chat_data.MAX_BYTES == 512 * 2**20
    assert training.MAX_LENGTH == validation.MAX_LENGTH == chat_data.MAX_LENGTH == 512


# --- The process that started it -------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "code"), [(0.2, 0), (60, 3)])
def test_a_child_ends_well_by_itself_and_at_once_with_its_parent(seconds, code):
    """A trainer that is done ends with 0 while the service goes on; the service's end is the end of its pipe."""
    program = "import os, time; from ftcourse.server.parent import when_parent_ends as when; when(lambda: os._exit(3))"
    command = [sys.executable, "-c", f"{program}; time.sleep({seconds})"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    if code:
        child.stdin.close()
    assert (child.wait(60), child.stderr.read()) == (code, b"")
