"""Run the service in this process: what `ftcourse serve` and ``python -m ftcourse.server`` do."""

import json
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ..errors import CourseError
from ..files import model_path, write_atomically
from ..machine import is_loopback
from .parent import when_parent_ends
from .settings import Settings, load_settings


def serve(
    host: str = "127.0.0.1",
    port: int = 8321,
    say: Callable[[str], object] = print,
    with_parent: bool = False,
    **options: Any,
) -> None:
    """Serve until stopped.

    Args:
        host: address to listen on; loopback unless told otherwise.
        port: to listen on; 0 takes a free one.
        say: function that shows a line to the person.
        with_parent: end when standard input ends, that is, with the process that started this one.
        **options: arguments of `load_settings`.

    Raises:
        CourseError: if the port or the folder is in use, or a base model is missing.
    """
    import filelock

    settings = load_settings(host=host, **options)
    lock = filelock.FileLock(settings.home / "service.lock")
    try:
        lock.acquire(timeout=5)  # one that was just killed may still hold it
    except filelock.Timeout:
        raise CourseError(
            f"Another service uses the folder {settings.home}. Use that one, stop it, or name another "
            "folder: `ftcourse serve --home DIR`."
        ) from None
    with lock, _listen(host, port) as listener:
        _check_models(settings)
        say("Loading the service ...")
        _run(settings, listener, host, say, with_parent)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens on an address."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host, port), family=family)
    except OSError as error:
        raise CourseError(
            f"Cannot listen on {host}, port {port} ({error.strerror}). Choose another port, for example "
            "`ftcourse serve --port 0`, which takes a free one."
        ) from error


def _check_models(settings: Settings) -> None:
    """Fetch the base models that are assets, and refuse what is neither an asset nor a folder with a model."""
    from ..assets import ASSETS

    for name, source in settings.models.items():
        if source not in ASSETS and not (Path(source) / "config.json").is_file():
            raise CourseError(
                f"The base model {name} should be in {source}, but there is no config.json. Name an asset "
                f"({', '.join(ASSETS)}) or the folder of a model."
            )
        model_path(source)


def _run(
    settings: Settings, listener: socket.socket, host: str, say: Callable[[str], object], with_parent: bool
) -> None:
    """Answer requests until stopped, and let `find_service` find the service meanwhile."""
    import psutil
    import uvicorn

    from .app import create_app

    name = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    base_url = f"http://{name}:{listener.getsockname()[1]}/v1"
    app = create_app(settings)
    config = uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=3, timeout_keep_alive=75)
    server = uvicorn.Server(config)
    finish = server.shutdown

    async def shutdown(sockets: list[socket.socket] | None = None) -> None:
        app.state.engine.stop()  # else what is being answered would be waited for
        await finish(sockets)

    server.shutdown = shutdown  # type: ignore[method-assign]
    if with_parent:
        when_parent_ends(lambda: setattr(server, "should_exit", True))
    place = settings.home / "service.json"
    process = psutil.Process()
    found = {"base_url": base_url, "pid": process.pid, "started": process.create_time()}
    write_atomically(place, json.dumps(found))
    _greet(settings, host, base_url, say)
    try:
        with suppress(KeyboardInterrupt):  # Ctrl-C has stopped it, and is raised once more at its end
            server.run(sockets=[listener])
    finally:
        place.unlink(missing_ok=True)
    say("The service has stopped.")


def _greet(settings: Settings, host: str, base_url: str, say: Callable[[str], object]) -> None:
    """Tell the person how to use the service."""
    key = next(iter(settings.keys))
    say("The service runs. Set these two in the terminal, or at the top of the notebook, of the client:")
    say(f"  export OPENAI_BASE_URL={base_url}")
    say(f"  export OPENAI_API_KEY={key}")
    if any(name.lower() in ("http_proxy", "all_proxy") for name in os.environ):
        say("  export NO_PROXY=127.0.0.1,localhost   # or the client asks your proxy for it")
    say(f"Status page: {base_url.removesuffix('/v1')}/#key={key}")
    say(
        f"API: {base_url.removesuffix('/v1')}/docs   State: {settings.home}   Base models: {', '.join(settings.models)}"
    )
    if settings.closed_organisation:
        say("It answers new jobs as OpenAI does to an organisation that fine-tuning is closed to.")
    if not is_loopback(host):
        say(f"Others in your network can reach it on {host}, without encryption: whoever has the key can use it.")
    say("Ctrl-C stops it; jobs in progress go on at the next start.")
