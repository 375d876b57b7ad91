"""Where the lessons are: in the repository, or in a folder of the person's that copies of them were put into."""

import hashlib
import json
import os
from pathlib import Path

from .errors import CourseError

SHIPPED = Path(__file__).parent / "lessons"  # only in an installed wheel; setup.py puts the notebooks there
COPIES = "ftcourse-lessons"
_MANIFEST = ".ftcourse-lessons.json"  # the SHA-256 of each copy as it was made, which tells what a person changed since


def repository():
    """Return the folder of the repository that the package is imported from, or None if there is none."""
    root = Path(__file__).parents[1]
    return root if (root / "settings.ini").is_file() and (root / "nbs").is_dir() else None


def lessons_folder(copies=COPIES):
    """Find the folder with the lessons, and copy those that ship with the package if there is no other.

    Args:
        copies: folder for the copies, used when neither the current folder nor the package belongs to a repository.

    Returns:
        The folder, and the names of the notebooks in it that the person changed and that were left alone.

    Raises:
        CourseError: if there are no lessons anywhere, or the copies cannot be written.
    """
    root = repository()
    for folder in (Path("nbs"), root and root / "nbs"):
        if folder and next(folder.glob("*.ipynb"), None):
            return folder.resolve(), []
    if not next(SHIPPED.glob("*.ipynb"), None):
        raise CourseError("No lessons were found: there is no folder nbs with notebooks here, and this installation of "
                          "ftcourse carries none. Run the command in a clone of the repository, or install ftcourse "
                          "again from its wheel.")
    return Path(copies).resolve(), copy_lessons(Path(copies))


def copy_lessons(folder):
    """Bring `folder` up to date with the lessons that ship with the package; keep what the person changed.

    Returns:
        The names of the notebooks that differ from the shipped ones because the person changed them.

    Raises:
        CourseError: if the folder cannot be written.
    """
    manifest = folder / _MANIFEST
    try:
        folder.mkdir(parents=True, exist_ok=True)
        copied = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
        kept = []
        for source in sorted(SHIPPED.rglob("*.ipynb")):
            name, target = source.relative_to(SHIPPED).as_posix(), folder / source.relative_to(SHIPPED)
            new, old = source.read_bytes(), target.read_bytes() if target.exists() else None
            if old is not None and old != new and _sha256(old) != copied.get(name):
                kept.append(name)
                continue
            if old != new:
                replace_file(target, new)
            copied[name] = _sha256(new)
        replace_file(manifest, json.dumps(copied, indent=1).encode())
    except (OSError, ValueError) as error:
        raise CourseError(f"The lessons could not be copied into {folder}: {error}. Name another folder with "
                          "`ftcourse lab FOLDER`, or make this one writable.") from error
    return kept


def replace_file(path, content):
    """Write bytes to `path` so that it never holds half of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _sha256(content):
    return hashlib.sha256(content).hexdigest()
