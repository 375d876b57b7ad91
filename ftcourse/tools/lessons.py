"""Where the lessons are: in the repository, or in a folder of the person's that copies of them were put into."""

import hashlib
import json
from pathlib import Path

from ..errors import CourseError
from ..files import write_atomically

SHIPPED = (
    Path(__file__).resolve().parents[1] / "lessons"
)  # only in an installed wheel; setup.py puts the notebooks there
COPIES = "ftcourse-lessons"
NOTEBOOKS = ("*.ipynb", "exercises/*.ipynb", "solutions/*.ipynb")  # setup.py has the same
_MANIFEST = ".ftcourse-lessons.json"  # the SHA-256 of each copy as it was made, which tells what a person changed since


def repository() -> Path | None:
    """Return the folder of the repository that the package is imported from, or None if there is none."""
    root = Path(__file__).resolve().parents[2]
    return root if (root / "settings.ini").is_file() and (root / "nbs").is_dir() else None


def lessons_folder(copies: str | Path | None = None) -> tuple[Path, list[str]]:
    """Find the lessons: `nbs/` here or in the repository of the package, or else those that ship with the package.

    Args:
        copies: folder for copies to work on. By default there are copies (in `COPIES`) only of shipped lessons, which
            lie where the package is installed.

    Returns:
        The folder to work in, and the names of the notebooks there that differ because the person changed them.

    Raises:
        CourseError: if there are no lessons anywhere, or the copies cannot be written.
    """
    root = repository()
    places = [Path("nbs"), *([root / "nbs"] if root else []), SHIPPED]
    source = next((place.resolve() for place in places if find_notebooks(place)), None)
    if source is None:
        raise CourseError(
            "No lessons were found: there is no folder nbs with notebooks here, and this installation of "
            "ftcourse carries none. Run the command in a clone of the repository, or install ftcourse "
            "again from its wheel."
        )
    if copies is None and source != SHIPPED:
        return source, []
    copies = Path(copies or COPIES).resolve()
    return copies, copy_lessons(source, copies)


def find_notebooks(folder: Path) -> list[Path]:
    """Return the paths of the notebooks of a lessons folder: lessons, index, exercises and solutions.

    Args:
        folder: with the lessons, and below it exercises and solutions.
    """
    return [path for pattern in NOTEBOOKS for path in sorted(folder.glob(pattern))]


def copy_lessons(source: Path, folder: Path) -> list[str]:
    """Bring `folder` up to date with the lessons in `source`; keep what the person changed.

    Args:
        source: folder of the lessons.
        folder: of the copies.

    Returns:
        The names of the notebooks that differ from those in `source` because the person changed them.

    Raises:
        CourseError: if the folder cannot be written.
    """
    manifest = folder / _MANIFEST
    try:
        copied = json.loads(manifest.read_text(encoding="utf-8")) if manifest.exists() else {}
        kept = []
        for path in find_notebooks(source):
            name = path.relative_to(source).as_posix()
            target, new = folder / name, path.read_bytes()
            old = target.read_bytes() if target.exists() else None
            if old not in (None, new) and _sha256(old) != copied.get(name):
                kept.append(name)
                continue
            if old != new:
                write_atomically(target, new)
            copied[name] = _sha256(new)
        write_atomically(manifest, json.dumps(copied, indent=1).encode())
    except (OSError, ValueError) as error:
        raise CourseError(
            f"The lessons could not be copied into {folder} ({error}). Make it a folder that you may "
            "write to, or name another one: `ftcourse lab DIR`."
        ) from error
    return kept


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
