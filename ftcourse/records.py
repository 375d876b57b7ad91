"""Run records: one JSON file a run, from which tables, sentences and plots are rendered.

A record says what ran (study, command, profile, seed, model, data), where (versions, processor, cores), what came out
(metrics) and what it cost (seconds, peak memory). The committed ones are in ``results/STUDY/RUN.json``.
"""

from __future__ import annotations

import json
import os
import platform
import re
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .errors import CourseError
from .files import write_atomically
from .machine import num_cores

if TYPE_CHECKING:
    import pandas as pd


Folder = str | os.PathLike[str] | None  # of records; None is `results_folder()`
PACKAGES = ("torch", "torchvision", "timm", "transformers", "datasets", "accelerate", "scikit-learn", "ftcourse")


def results_folder() -> Path:
    """Return the folder of the committed records: of the repository, else those in the wheel, else ``results`` here."""
    package = Path(__file__).resolve().parent
    places = (package.parent / "results", package / "results", Path("results"))
    return next((place for place in places if place.is_dir()), places[-1])


def environment() -> dict[str, Any]:
    """Return what a reader needs to judge a figure: Python, package versions, processor, cores, commit."""
    import torch

    from .train import choose_dtype

    versions: dict[str, str | None] = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            versions[package] = None
    return {
        "python": platform.python_version(),
        "versions": versions,
        "system": platform.system(),
        "processor": _processor(),
        "cores": num_cores(),
        "threads": torch.get_num_threads(),
        "dtype": str(choose_dtype()).removeprefix("torch."),
        "commit": _commit(),
    }


@cache
def _processor() -> str:
    """Return the processor's name; asking for it takes a second or more."""
    import cpuinfo

    return cpuinfo.get_cpu_info().get("brand_raw", platform.machine())


def _commit() -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None  # installed without the repository, or before its first commit


@contextmanager
def measure() -> Iterator[dict[str, float]]:
    """Measure the time and the peak memory of a block.

    Yields:
        A dictionary that holds, when the block ends, `seconds` (wall time) and `peak_memory_mb` (highest resident
        memory of this process during the block, sampled every 50 ms, in units of 10^6 bytes).
    """
    import psutil

    process, done = psutil.Process(), threading.Event()
    cost: dict[str, float] = {}
    peak = process.memory_info().rss

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.05):
            peak = max(peak, process.memory_info().rss)

    watcher = threading.Thread(target=watch, daemon=True)
    started = time.perf_counter()
    watcher.start()
    try:
        yield cost
    finally:
        done.set()
        watcher.join()
        cost["seconds"] = round(time.perf_counter() - started, 2)
        cost["peak_memory_mb"] = round(max(peak, process.memory_info().rss) / 1e6, 1)


def record_path(study: str, run: str, folder: Folder = None) -> Path:
    """Return where the record of a run is kept, ``FOLDER/STUDY/RUN.json``.

    Args:
        study: name of the study, any text.
        run: name of the run within it, any text.
        folder: folder of the records; by default `results_folder()`.
    """
    return _study_folder(study, folder) / f"{_file_name(run)}.json"


def _study_folder(study: str, folder: Folder) -> Path:
    return Path(folder or results_folder()) / _file_name(study)


def _file_name(name: str) -> str:
    """Return a name as one part of a path on any system: what can't stand there is written as %2F."""
    unsafe = r'[%/\\:*?"<>|\x00-\x1f\x7f\ud800-\udfff]|^\.|[. ]$'

    def escape(found: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in found[0].encode("utf-8", "surrogatepass"))

    text = re.sub(unsafe, escape, str(name))
    if len(text.encode()) > 200:  # of the 255 bytes that a name may have
        text = text.encode()[:150].decode(errors="ignore") + "-" + sha256(text.encode()).hexdigest()[:16]
    return text


def is_done(study: str, run: str, folder: Folder = None) -> bool:
    """Say whether a run has its record, and print it if so: a study then skips the run.

    Args:
        study: name of the study.
        run: name of the run within it.
        folder: folder of the records; by default `results_folder()`.
    """
    done = record_path(study, run, folder).exists()
    if done:
        print(f"{study}/{run}: already done")
    return done


def write_record(
    study: str,
    run: str,
    *,
    metrics: Mapping[str, Any],
    settings: Mapping[str, Any],
    cost: Mapping[str, float] | None = None,
    folder: Folder = None,
    **more: Any,
) -> Path:
    """Write one run's record to ``FOLDER/STUDY/RUN.json``, whole or not at all.

    Numbers and arrays of NumPy, pandas and PyTorch are written as plain ones. What JSON can't hold, such as NaN or an
    object, is written as null, so that the rest of the run isn't lost; the record names it under `left_out`, and a
    warning says so.

    Args:
        study: name of the study.
        run: name of the run within it, for example ``"all-seed-0"``.
        metrics: what came out, a dictionary of numbers.
        settings: what went in: profile, seed, model, data, sizes.
        cost: what `measure` yielded.
        folder: folder of the records; by default `results_folder()`.
        **more: further JSON values, for example a training history.

    Returns:
        The path of the record.
    """
    path = record_path(study, run, folder)
    record = {
        "study": str(study),
        "run": str(run),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "finished": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "settings": settings,
        "metrics": metrics,
        **(cost or {}),
        "environment": environment(),
        **more,
    }
    left_out: dict[str, str] = {}
    record = _plain(record, "", left_out)
    if left_out:
        record["left_out"] = left_out
        said = ", ".join(f"{place} ({what})" for place, what in left_out.items())
        warnings.warn(f"The record {path.name} has null for what JSON can't hold: {said}.", stacklevel=2)
    return write_atomically(path, json.dumps(record, indent=1, allow_nan=False) + "\n")


def _plain(value: Any, place: str, left_out: dict[str, str]) -> Any:
    """Return a value as JSON can hold it, and note the places of what it can't."""
    import numpy as np

    from .inputs import to_numpy

    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{place}.{key}".lstrip("."), left_out) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return str(value)
    value = list(value) if isinstance(value, Iterator) else to_numpy(value)
    if isinstance(value, (np.generic, np.ndarray)) or hasattr(value, "to_numpy"):
        value = np.asarray(value).tolist()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item, f"{place}[{number}]", left_out) for number, item in enumerate(value)]
    if isinstance(value, (int, str, bool)) or (isinstance(value, float) and np.isfinite(value)):
        return value
    if value is not None:
        left_out[place] = str(value) if isinstance(value, float) else f"of type {type(value).__name__}"
    return None


def load_records(study: str, folder: Folder = None) -> list[dict[str, Any]]:
    """Return the records of a study as a list of dictionaries, ordered by the name of the run.

    Args:
        study: name of the study.
        folder: folder of the records; by default `results_folder()`.

    Raises:
        CourseError: if there are none, with the command that makes them; or if one is not readable JSON.
    """
    paths = sorted(_study_folder(study, folder).glob("*.json"))
    if not paths:
        raise CourseError(f"There are no records of the study {study!r}. Make them with `ftcourse study {study}`.")
    records = []
    for path in paths:
        try:
            records.append(json.loads(path.read_text(encoding="utf-8")))
        except ValueError as error:  # of JSON, or of UTF-8
            where = f" (line {error.lineno})" if isinstance(error, json.JSONDecodeError) else ""
            raise CourseError(
                f"The record {path.name} of the study {study!r} is not valid JSON{where}. "
                f"Remove it and run `ftcourse study {study}` again."
            ) from error
        if not isinstance(records[-1], dict) or not {"run", "settings", "metrics"} <= set(records[-1]):
            raise CourseError(f"{path} is no record of a run, as it lacks run, settings or metrics: move it elsewhere.")
    return records


def as_frame(records: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return records as a pandas DataFrame, one row a run: settings, metrics, seconds and peak memory as columns.

    Args:
        records: from `load_records`.
    """
    import pandas as pd

    rows = [
        {"run": r["run"], **r["settings"], **r["metrics"], **{k: r[k] for k in ("seconds", "peak_memory_mb") if k in r}}
        for r in records
    ]
    return pd.DataFrame(rows)


def interval(values: Iterable[float], level: float = 0.95) -> tuple[float, float]:
    """Return the mean of several runs and the half-width of its confidence interval.

    Args:
        values: one figure a run, at least two.
        level: of the interval, between 0 and 1.

    Returns:
        Two floats. The interval is Student's t over the runs: what another seed would change, not another test set.

    Raises:
        CourseError: for fewer than two runs, or a run without a figure.
    """
    import numpy as np
    from scipy import stats

    from .inputs import as_list, check_number, is_missing

    check_number(level, "level", 0, 1)
    values = as_list(values, "The values")
    for row, value in enumerate(values):
        if is_missing(value) or isinstance(value, str) or not np.isfinite(value):
            raise CourseError(f"Run {row} has {value!r} where a number is needed: leave the run out, or do it again.")
    values = np.asarray(values, dtype=float)
    if len(values) < 2:
        raise CourseError("An interval needs at least two runs: run the study with more seeds.")
    half_width = stats.t.ppf((1 + level) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return float(values.mean()), float(half_width)


def percent(values: Iterable[float]) -> str:
    """Return runs of a share as a phrase: mean, interval and the number of seeds, in per cent.

    Args:
        values: one share a run, at least two; or one difference of shares.

    Returns:
        Such as ``"84.3 % ± 1.1 (3 seeds)"``. Where the interval is wider than 20 points, the phrase says that the runs
        are too few to say.
    """
    from .inputs import as_list

    values = as_list(values, "The values")
    mean, half_width = interval(values)
    if 2 * half_width > 0.2:
        return f"{100 * mean:.1f} % ({len(values)} seeds, too few to say)"
    return f"{100 * mean:.1f} % ± {100 * half_width:.1f} ({len(values)} seeds)"


def render_study(records: Iterable[dict[str, Any]], metrics: Sequence[str]) -> str:
    """Return a Markdown table of a study, one row a run: seed, sizes, the named metrics in per cent, cost, versions.

    Args:
        records: from `load_records`.
        metrics: names of the metrics to show, all shares between 0 and 1. What a record lacks is shown as a dash.
    """
    from .inputs import is_missing

    def show(form: str, value: Any, unit: float = 1) -> str:
        return "–" if is_missing(value) else form.format(value * unit)

    metrics = [metrics] if isinstance(metrics, str) else list(metrics)
    head = [
        "run",
        "training examples",
        *(name.replace("_", " ") for name in metrics),
        "seconds",
        "peak memory",
        "made with",
    ]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for record in records:
        where = record["environment"]
        versions = where["versions"]
        cells = [
            record["run"],
            show("{:,}", record["settings"].get("num_train")),
            *(show("{:.1f} %", record["metrics"].get(name), 100) for name in metrics),
            show("{:.0f}", record.get("seconds")),
            show("{:.1f} GB", record.get("peak_memory_mb"), 1 / 1000),
            f"transformers {versions['transformers']}, torch {versions['torch']}, "
            f"{where['dtype']}, {where['threads']} thread{'s' * (where['threads'] != 1)}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)
