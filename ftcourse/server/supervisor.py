"""Starts the trainer of each job as a child process, and sees to it that no job is left without one.

A trainer holds the other end of a pipe from the service and ends when it breaks, so that it never outlives the service.
Whatever a trainer does shows in the store; here is only decided who runs next.
"""

import logging
import subprocess
import sys
import threading
from contextlib import suppress

import psutil

from . import states
from .settings import Settings
from .store import Json, Store

log = logging.getLogger("ftcourse.server")

MAX_ATTEMPTS = 3  # a trainer that dies is started so often without a new checkpoint in between
_EVERY = 0.3  # seconds between two looks


class Supervisor:
    """The trainers of one service: one validates and one trains at a time."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings, self.store = settings, store
        self._children: dict[str, subprocess.Popen[bytes]] = {}  # id of the job: its process
        self._lock = threading.Lock()
        self._awake, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self) -> None:
        """End what a killed service may have left behind, and go on with its jobs."""
        for row in self.store.all("job"):
            _end_left_behind(row.private.get("trainer"))
            self.store.update("job", row.id, private={"attempts": 0, "trainer": None})
            if row.object["status"] == states.RUNNING:
                message = "The service was restarted; the job goes on from its last checkpoint."
                self.store.add_event(row.id, message, "warn")
        self._thread.start()

    def stop(self) -> None:
        """End all trainers; their jobs go on at the next start."""
        self._stopping.set()
        self._awake.set()
        if self._thread.is_alive():
            self._thread.join()
        for id in list(self._children):
            self.end(id)

    def wake(self) -> None:
        """Look at once whether there is something to do."""
        self._awake.set()

    def end(self, id: str) -> None:
        """End the trainer of a job, if it has one.

        Args:
            id: of the job.
        """
        with self._lock:
            child = self._children.pop(id, None)
        if child:
            child.kill()
            child.wait()
            if child.stdin:
                child.stdin.close()

    def _watch(self) -> None:
        """Look again and again, until the service ends."""
        failed = ""
        while not self._stopping.is_set():
            self._awake.clear()
            try:
                self._reap()
                self._spawn_next()
                failed = ""
            except Exception as error:
                if failed != str(error):  # once, not three times a second
                    log.exception("the supervisor could not do its round")
                failed = str(error)
            self._awake.wait(_EVERY)

    def _reap(self) -> None:
        """Judge the trainers that have ended."""
        for id, child in list(self._children.items()):
            if child.poll() is not None:
                self.end(id)
                self._judge(id, child.returncode)

    def _judge(self, id: str, code: int) -> None:
        """Decide what becomes of a job whose trainer ended: an unfinished one is started again, but not for ever."""
        row = self.store.job(id)
        died = code != 0 and row.object["status"] in states.ACTIVE
        if died and row.private["attempts"] >= MAX_ATTEMPTS:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            message = (
                f"The trainer ended {how}, {MAX_ATTEMPTS} times. The machine may lack memory; the log is in the "
                f"service's folder, jobs/{id}/trainer.log."
            )
            states.fail(self.store, id, states.JobError("trainer_died", message))
        elif code == 0:
            self.store.update("job", id, private={"attempts": 0})
        elif died:
            self.store.add_event(id, f"The trainer ended unexpectedly (exit code {code}) and is started again.", "warn")

    def _spawn_next(self) -> None:
        """Start the trainer of the job that runs or is next to run, and that of the next one to be validated."""
        rows = self.store.all("job")
        jobs = {status: [row.id for row in rows if row.object["status"] == status] for status in states.ACTIVE}
        for id in [*(jobs[states.RUNNING] or jobs[states.QUEUED])[:1], *jobs[states.VALIDATING][:1]]:
            if id not in self._children:
                self._spawn(id)

    def _spawn(self, id: str) -> None:
        """Start the trainer of a job."""
        attempts = self.store.job(id).private["attempts"]
        with self._lock, open(self.store.job_folder(id) / "trainer.log", "ab") as log_file:
            if self._stopping.is_set():
                return
            child = subprocess.Popen(
                [sys.executable, "-m", self.settings.trainer, str(self.store.home), id],
                stdin=subprocess.PIPE,
                stdout=log_file,
                stderr=log_file,
                start_new_session=True,
            )
            self._children[id] = child
        trainer = {"pid": child.pid, "started": psutil.Process(child.pid).create_time()}
        self.store.update("job", id, private={"attempts": attempts + 1, "trainer": trainer})


def _end_left_behind(trainer: Json | None) -> None:
    """Kill a trainer of an earlier service that has not noticed its end yet."""
    if not trainer:
        return
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(trainer["pid"])
        if abs(process.create_time() - trainer["started"]) < 1:
            process.kill()
            process.wait(10)
