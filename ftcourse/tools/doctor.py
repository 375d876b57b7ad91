"""What the course needs of this machine: each check says what was found and, where it falls short, the remedy."""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ..machine import num_cores

if TYPE_CHECKING:
    from packaging.requirements import Requirement

OK, WARN, FAIL = "OK", "WARN", "FAIL"
Row = tuple[str, str, str, str]  # what was checked, the status, what was found, and the remedy
KEY_PACKAGES = ("torch", "torchvision", "transformers", "datasets", "peft", "bitsandbytes", "nbdev", "papermill")
MEMORY_GB = 8  # what a lesson may use at profile local
CACHE_GB = 1  # all assets, and the room to convert them

# Asked of another process, because loading torch takes seconds and a broken pair of torch and torchvision may crash.
_ASK_TORCH = """
import json, torch, torchvision
from ftcourse.train import has_bfloat16
gpu = torch.cuda.get_device_properties(0) if torch.cuda.is_available() else None
metal = torch.backends.mps.is_available()
print(json.dumps({
    "bfloat16": has_bfloat16(),
    "gpu": f"{gpu.name}, {gpu.total_memory / 1e9:.0f} GB" if gpu else "Apple GPU (mps)" if metal else None,
    "nms": str(torchvision.ops.nms(torch.tensor([[0., 0., 1., 1.]]), torch.ones(1), 0.5).tolist()),
}))
"""


def run_checks() -> list[dict[str, str]]:
    """Run all checks.

    Returns:
        A list of dicts with `check`, `status` ("OK", "WARN" or "FAIL"), `found` and `remedy` (empty when OK).
    """
    rows = [
        check_python(),
        *check_packages(),
        *check_torch(),
        check_processor(),
        check_memory(),
        check_assets(),
        check_cache(),
        check_disk(),
        check_kernel(),
    ]
    return [dict(zip(("check", "status", "found", "remedy"), row, strict=True)) for row in rows]


def check_python() -> Row:
    """Compare the version of Python with the oldest that the course runs on."""
    good = sys.version_info >= (3, 11)
    return (
        "Python",
        OK if good else FAIL,
        f"{platform.python_version()} at {sys.executable}",
        "" if good else "Install Python 3.11 or newer and set up the environment again.",
    )


def check_packages() -> list[Row]:
    """Compare what is installed with what the package requires, and with the exact versions of the lock file."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    try:
        required = [Requirement(line) for line in metadata.requires("ftcourse") or ()]
    except metadata.PackageNotFoundError:
        return [
            (
                "packages",
                WARN,
                "ftcourse itself is not installed, so its requirements are not known",
                "Run `make env` in the repository, or install the package.",
            )
        ]
    required = [one for one in required if one.marker is None or one.marker.evaluate({"extra": ""})]
    installed = {one.name: _version(one.name) for one in required}
    wrong = [
        f"{one.name} {installed[one.name] or 'missing'} (needs {one.specifier or 'any'})"
        for one in required
        if not (version := installed[one.name]) or not one.specifier.contains(version, prereleases=True)
    ]
    locked = {canonicalize_name(one.name): one.specifier for one in _read_lock()}
    drifted = [
        f"{name} {version}"
        for name, version in installed.items()
        if version and canonicalize_name(name) in locked and not locked[canonicalize_name(name)].contains(version)
    ]
    remedy = "Run `make env` again in the repository, or install ftcourse again."
    shown = ", ".join(f"{name} {installed[name]}" for name in KEY_PACKAGES if installed.get(name))
    rows = [
        ("packages", FAIL, "; ".join(wrong), remedy)
        if wrong
        else ("packages", OK, f"all {len(required)} fit: {shown}", "")
    ]
    if locked:
        rows.append(
            (
                "lock file",
                WARN,
                f"not as in the lock file: {', '.join(drifted)}",
                "They may work; for the versions that the course was tested with, remove .venv and run `make env`.",
            )
            if drifted
            else ("lock file", OK, "the versions are those that the course was tested with", "")
        )
    return rows


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read_lock() -> list[Requirement]:
    """Return the pins of the repository's lock file that hold for this Python and system."""
    from packaging.requirements import Requirement

    from .lessons import repository
    from .runner import LOCK

    root = repository()
    if not root or not (root / LOCK).exists():
        return []
    lines = (line.strip() for line in (root / LOCK).read_text(encoding="utf-8").splitlines())
    pins = [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]
    return [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]


def check_torch() -> list[Row]:
    """Load torch and torchvision together in another process; return rows for the pair, bfloat16 and the GPU."""
    pair = f"torch {_version('torch')}, torchvision {_version('torchvision')}"
    try:
        asked = subprocess.run([sys.executable, "-c", _ASK_TORCH], capture_output=True, text=True, timeout=300)
        answer = json.loads(asked.stdout.splitlines()[-1]) if asked.returncode == 0 else None
        problem = (asked.stderr.strip().splitlines() or [f"it ended with code {asked.returncode}"])[-1]
    except (subprocess.TimeoutExpired, OSError, ValueError, IndexError) as error:
        answer, problem = None, str(error)
    if answer is None:
        return [
            (
                "torch",
                FAIL,
                f"{pair}: they do not work together: {problem[:200]}",
                "Install the two as a pair: `make env`, or pip install with the versions that ftcourse requires.",
            )
        ]
    fast, gpu = answer["bfloat16"], answer["gpu"]
    return [
        ("torch", OK, f"{pair}, which work together", ""),
        ("bfloat16", OK, "fast on this machine", "")
        if fast
        else (
            "bfloat16",
            WARN,
            "not native here, so training runs in float32",
            "Nothing to mend: the lessons choose float32 themselves, and take up to twice as long.",
        ),
        ("GPU", OK, gpu or "none, and none is needed at the profiles smoke and local", ""),
    ]


def check_processor() -> Row:
    """Count the cores."""
    count = num_cores()
    return (
        "cores",
        OK if count >= 2 else WARN,
        str(count),
        "" if count >= 2 else "With one core the lessons take about twice the time that they state.",
    )


def check_memory() -> Row:
    """Compare the free memory with what a lesson may use."""
    import psutil

    memory = psutil.virtual_memory()
    found = f"{memory.available / 1e9:.1f} GB free of {memory.total / 1e9:.1f} GB"
    if memory.available >= MEMORY_GB * 1e9:
        return "memory", OK, found, ""
    return (
        "memory",
        WARN,
        found,
        f"A lesson may use up to {MEMORY_GB} GB: close other programs, and run one lesson at a time (--jobs 1).",
    )


def check_assets() -> Row:
    """Say which models and data are in the cache."""
    from .. import assets

    rows = assets.table()
    missing = [row["name"] for row in rows if row["lessons"] and not row["ready"]]
    if missing:
        return (
            "assets",
            WARN,
            f"not fetched yet: {', '.join(missing)}",
            "Run `ftcourse setup`, or leave it to `ftcourse run`.",
        )
    return "assets", OK, f"all that the lessons need are in {assets.home()}", ""


def check_cache() -> Row:
    """Write a file into the cache."""
    from .. import assets

    try:
        assets.home().mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=assets.home()):
            return "cache", OK, f"{assets.home()} can be written", ""
    except OSError as error:
        return (
            "cache",
            FAIL,
            f"{assets.home()} cannot be written: {error}",
            "Make it writable, or name another folder in the environment variable FTCOURSE_HOME.",
        )


def check_disk() -> Row:
    """Compare the free disk space with what the assets take."""
    from .. import assets

    folder = next(path for path in (assets.home(), *assets.home().parents) if path.exists())
    free = shutil.disk_usage(folder).free / 1e9
    found = f"{free:.1f} GB free at {folder}"
    if free >= CACHE_GB or check_assets()[1] == OK:
        return "disk", OK, found, ""
    return (
        "disk",
        FAIL,
        found,
        f"The models and data need {CACHE_GB} GB (and the environment about 8 GB with the GPU "
        "build of torch): make room, or name a folder on another disk in FTCOURSE_HOME.",
    )


def check_kernel() -> Row:
    """Start the kernel that the lessons run on, and let it import the package."""
    from jupyter_client import KernelManager
    from jupyter_client.kernelspec import KernelSpecManager

    from .runner import kernel_of_this_python

    with tempfile.TemporaryDirectory() as folder:
        specs = KernelSpecManager(kernel_dirs=[str(kernel_of_this_python(Path(folder)) / "kernels")])
        manager = KernelManager(kernel_name="python3", kernel_spec_manager=specs)
        try:
            manager.start_kernel(stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            client = manager.blocking_client()
            client.start_channels()
            client.wait_for_ready(timeout=60)
            reply = client.execute_interactive("import ftcourse", timeout=60, output_hook=lambda message: None)
            content = reply["content"]
            problem = None if content["status"] == "ok" else f"{content['ename']}: {content['evalue']}"
        except Exception as error:  # noqa: BLE001 - whatever hinders a kernel is the finding
            problem = f"{type(error).__name__}: {error}"
        finally:
            manager.shutdown_kernel(now=True)
    if problem is None:
        return "kernel", OK, "a Jupyter kernel started and imported ftcourse", ""
    return (
        "kernel",
        FAIL,
        f"no Jupyter kernel that can import ftcourse: {problem}",
        "Install ipykernel and ftcourse into this environment: `make env`, or pip install ftcourse again.",
    )
