"""A fine-tuning service on this machine that the official OpenAI client can talk to, unchanged.

`start_service` runs it as a child process; ``ftcourse serve`` runs it in a terminal.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import CourseError
from ..machine import check_address


@dataclass
class Service:
    """A service that runs: what a client needs to know, and how to end it."""

    base_url: str
    api_key: str
    home: Path | None = None  # of its state; None if only its address is known
    process: subprocess.Popen[bytes] | None = None  # None if somebody else started it

    @property
    def page(self) -> str:
        """The address of the status page. The key stands behind the #, which a browser keeps to itself."""
        return f"{self.base_url.removesuffix('/v1')}/#key={self.api_key}"

    def stop(self) -> None:
        """End the service if it was started here; its jobs go on at the next start."""
        if self.process:
            if self.process.stdin:
                self.process.stdin.close()  # the sign to end
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()


# What was started here by its home: how it was asked for, its process and itself.
_started: dict[Path, tuple[tuple[object, ...], subprocess.Popen[bytes], Service]] = {}


def _open_private(path: str, flags: int) -> int:
    """Open a file that only its owner may read: the service's log has its key."""
    return os.open(path, flags, 0o600)


def find_service(home: str | os.PathLike[str] | None = None) -> Service | None:
    """Return the service that runs on a home folder, or None.

    Args:
        home: folder of its state; by default FTCOURSE_SERVICE_HOME, or one in the course's cache.
    """
    import psutil

    from .settings import load_settings, service_home

    try:
        found = json.loads((service_home(home) / "service.json").read_text(encoding="utf-8"))
        alive = abs(psutil.Process(found["pid"]).create_time() - found["started"]) < 1
    except (OSError, ValueError, psutil.NoSuchProcess):
        return None
    settings = load_settings(home)
    return Service(found["base_url"], next(iter(settings.keys)), settings.home) if alive else None


def use_service(
    base_url: str | None = None, allow_host: str | None = None, home: str | os.PathLike[str] | None = None
) -> Service:
    """Return the service that an address names; without one, the service that runs on this machine, or a new one.

    Args:
        base_url: address of a service that runs; None takes what OPENAI_BASE_URL says, if that is set. Its key is what
            OPENAI_API_KEY says.
        allow_host: name of another machine that your data may go to; None allows this machine alone.
        home: folder for the state of a service that is started here; None is the usual one.

    Returns:
        A `Service`; its `process` is None where it was not started here.

    Raises:
        CourseError: if the service is on another machine that isn't allowed, or the address is none.
    """
    base_url = base_url or os.environ.get("OPENAI_BASE_URL")
    if base_url:
        check_address(base_url, allow_host)
        return Service(base_url, os.environ.get("OPENAI_API_KEY") or "no-key")  # the client refuses an empty key
    return find_service() or start_service(home=home)


def start_service(
    home: str | os.PathLike[str] | None = None,
    models: dict[str, str] | None = None,
    closed_organisation: bool = False,
    port: int = 0,
    timeout: float = 120,
) -> Service:
    """Start a service as a child process and return it when it answers; it ends with this process at the latest.

    The same call again, such as a notebook's cell that is run twice, returns the same service while it runs.

    Args:
        home: folder of its state; by default FTCOURSE_SERVICE_HOME, or one in the course's cache.
        models: public name of each base model, with its asset or its folder; by default SmolLM2-135M-Instruct.
        closed_organisation: answer as OpenAI does to those whom its fine-tuning is closed to.
        port: to listen on; 0 takes a free one.
        timeout: seconds to wait for it.

    Returns:
        A `Service`; use it in a ``with`` statement, or call its `stop`.

    Raises:
        CourseError: if it does not start, with what it said.
    """
    from .settings import make_private_folder, service_home

    home = service_home(home)
    asked = (home, models, closed_organisation, port)
    if (started := _started.get(home)) and started[0] == asked and started[1].poll() is None:
        return started[2]
    command = [sys.executable, "-m", "ftcourse.server", "--home", str(home), "--port", str(port)]
    command += ["--models", json.dumps(models)] if models else []
    command += ["--closed-organisation"] if closed_organisation else []
    make_private_folder(home)
    log_path = home / "service.log"  # of all starts, also of one that is refused: whoever runs there writes into it
    with open(log_path, "a", encoding="utf-8", opener=_open_private) as log:
        begin = log.tell()
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True)
    end = time.monotonic() + timeout
    while time.monotonic() < end and process.poll() is None:
        service = find_service(home)
        if service and json.loads((home / "service.json").read_text())["pid"] == process.pid:
            service.process = process
            _started[home] = asked, process, service
            return service
        time.sleep(0.1)
    process.kill()
    said = log_path.read_bytes()[begin:].decode(errors="replace").strip().splitlines()
    raise CourseError(f"The service did not start. It said: {said[-1] if said else 'nothing'}")
