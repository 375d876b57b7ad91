"""What a run takes: the memory of a process of its own, and the size of its result on disk."""

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from .. import records
from ..records import Folder


def in_own_process(
    function: Callable[..., Any],
    study: str,
    run: str,
    profile: str,
    seed: int,
    folder: Folder,
    *more: Any,
    returned_from: int = 1 << 20,
) -> None:
    """Call a function in a new process, unless the record of the run is there.

    Args:
        function: of a module; it gets the arguments that follow, but for `returned_from`.
        study: the record's folder.
        run: the record's name.
        profile: whose settings to use.
        seed: of the run.
        folder: of the records; None for the repository's ``results/``.
        *more: further arguments.
        returned_from: blocks of so many bytes and more go back to the system as soon as they are freed, so that the
            peak is that of the tensors (glibc; no effect elsewhere).
    """
    if records.is_done(study, run, folder):
        return
    os.environ["MALLOC_MMAP_THRESHOLD_"] = str(returned_from)
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=1, mp_context=spawn) as pool:
        pool.submit(function, study, run, profile, seed, folder, *more).result()


def saved_mb(model: Any) -> float:
    """Return what the result takes on disk, in units of 10^6 bytes: the adapter, or the whole model.

    Args:
        model: of transformers or peft.
    """
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        return round(sum(file.stat().st_size for file in Path(folder).rglob("*") if file.is_file()) / 1e6, 2)
