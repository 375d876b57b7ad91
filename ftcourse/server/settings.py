"""What a service is told at its start."""

import json
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..chat_data import MAX_BYTES
from ..errors import CourseError

MODELS = {"smollm2-135m-instruct": "smollm2-135m-instruct"}
ORGANISATION = "org-local"


@dataclass
class Settings:
    """Where a service keeps its state, whom it lets in and what it may do."""

    home: Path
    models: dict[str, str] = field(default_factory=lambda: dict(MODELS))  # public name: asset or local folder
    keys: dict[str, str] = field(default_factory=dict)  # secret key: organisation
    host: str = "127.0.0.1"  # the address that it listens on
    closed_organisation: bool = False  # answer as OpenAI does to those whom its fine-tuning is closed to
    max_file_bytes: int = MAX_BYTES
    max_body_bytes: int = 8 * 2**20  # of every other request
    trainer: str = "ftcourse.server.worker"  # the module that runs as the trainer; tests put another one here
    preload: bool = True  # load the first base model at the start, not at the first chat


def service_home(home: str | os.PathLike[str] | None = None) -> Path:
    """Return the folder of a service's state.

    Args:
        home: the folder; by default FTCOURSE_SERVICE_HOME, or one in the course's cache.
    """
    from ..assets import home as cache

    home = home or os.environ.get("FTCOURSE_SERVICE_HOME")
    return Path(home).expanduser().absolute() if home else cache() / "service"


def load_settings(
    home: str | os.PathLike[str] | None = None, models: dict[str, str] | None = None, **options: Any
) -> Settings:
    """Return the settings of a service; make its folder and its first key if there are none.

    Args:
        home: folder of its state.
        models: public name of each base model, with its asset or folder.
        **options: the other fields of `Settings`.

    Raises:
        CourseError: if the folder cannot be used, or the file of keys is not what it should be.
    """
    home = service_home(home)
    try:
        make_private_folder(home)
        keys = _load_keys(home / "keys.json")
    except OSError as error:
        raise CourseError(
            f"The service cannot keep its state in {home} ({error}). Make it a folder that you may write "
            "to, or name another one: `ftcourse serve --home DIR`."
        ) from error
    return Settings(home, _load_models(models), keys, **options)


def make_private_folder(path: Path) -> Path:
    """Make a folder that others cannot enter; one that is there is somebody's, and keeps its rights.

    Args:
        path: of the folder.

    Returns:
        The path.
    """
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def _load_models(models: Any) -> dict[str, str]:
    """Return the base models, those that FTCOURSE_SERVICE_MODELS names where nobody named others."""
    text = os.environ.get("FTCOURSE_SERVICE_MODELS")
    place, given = ("FTCOURSE_SERVICE_MODELS", text) if models is None else ("The argument models", models)
    try:
        models = json.loads(given) if isinstance(given, str) and given else given or MODELS
        if all(isinstance(part, str) and part for pair in models.items() for part in pair) and models:
            return dict(models)
    except (ValueError, AttributeError):
        pass
    raise CourseError(
        f"{place} must hold the name of each base model with its asset or folder, and is {given!r:.80}: write it like "
        '{"smollm2-135m-instruct": "smollm2-135m-instruct"}.'
    )


def _load_keys(path: Path) -> dict[str, str]:
    """Return the secret keys with their organisations; make the first one if there is no file."""
    if not path.exists():
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump({f"sk-local-{secrets.token_urlsafe(24)}": ORGANISATION}, file, indent=1)
    try:
        keys = json.loads(path.read_text(encoding="utf-8"))
        if keys and all(isinstance(part, str) and part for pair in keys.items() for part in pair):
            return keys
    except (ValueError, AttributeError):
        pass
    raise CourseError(
        f"{path} must hold a JSON object with a secret key and its organisation in each pair, for example "
        '{"sk-local-1": "org-local"}. Correct it, or remove it and a new key is made.'
    )
