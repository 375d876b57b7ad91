"""Files: writing them whole, the course's own texts, and what a model's name stands for."""

import os
from pathlib import Path

from .errors import CourseError

DATA = Path(__file__).parent / "data"  # texts written for this course


def write_atomically(path: str | os.PathLike[str], content: bytes | str) -> Path:
    """Write a file so that it never holds half of its content, also when the process is killed.

    Args:
        path: of the file; folders that are missing are made.
        content: bytes, or text that is written as UTF-8 with its line ends as they are.

    Returns:
        The path.

    Raises:
        OSError: if the file cannot be written; what was there before stays.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def model_path(name: str | os.PathLike[str]) -> str:
    """Return what ``from_pretrained`` takes for an asset, a folder of your own, or a model on the hub.

    Args:
        name: an asset of the course (``"all-minilm-l6-v2"``), which is fetched first if need be; a folder
            (``Path("my_model")`` or ``"./my_model"``); or a name on the hub (``"google-bert/bert-base-cased"``).

    Returns:
        The path of the folder, or the name on the hub.

    Raises:
        CourseError: if it is none of these, naming the assets; a folder without a slash is recognised and the way to
            write it is said.
    """
    from . import assets

    text = os.fspath(name)
    if text in assets.ASSETS:
        return str(assets.fetch(text))
    if not isinstance(name, str) or text.startswith((".", "~", os.sep)) or os.path.isabs(text):
        folder = Path(text).expanduser()
        if not folder.is_dir():
            raise CourseError(
                f"There is no folder {folder}: check the path, or give the name of an asset or of the hub."
            )
        return str(folder)
    if "/" in text or (os.sep in text):
        return text  # a name on the hub, or a folder below this one: from_pretrained looks for the folder first
    if Path(text).is_dir():
        raise CourseError(f"{text!r} is a folder here, but could be a name on the hub as well: write './{text}'.")
    raise CourseError(
        f"There is no asset {text!r}. The assets are {', '.join(assets.ASSETS)}: give one of them, a folder such as "
        "'./my_model', or a name on the hub such as 'google-bert/bert-base-cased'."
    )
