"""The committed notebooks carry the outputs of a run, and a stamp that says which code the outputs are from.

``python -m ftcourse.tools.outputs [LESSON...]`` takes over the outputs of the last ``ftcourse run --profile local``.
"""

import hashlib
import json
import re
import sys
from pathlib import Path
from typing import Any

from .. import records
from ..checks.tasks import TAG
from ..errors import CourseError
from ..files import write_atomically
from ..profiles import LESSONS


def code_sha256(notebook: dict[str, Any]) -> str:
    """Return the SHA-256 of a notebook's code cells, but for the one with papermill's parameters and those of tasks.

    Args:
        notebook: a notebook as nbformat or json reads it.
    """
    return hashlib.sha256(json.dumps([_source(cell) for cell in _code_cells(notebook)]).encode()).hexdigest()


def take_outputs(executed: str | Path, path: str | Path) -> None:
    """Put the outputs of an executed copy into the notebook it was made from, and stamp the notebook.

    Args:
        executed: path of the executed copy.
        path: path of the notebook; its code must be that of the copy.

    Raises:
        CourseError: if the code differs, or the copy has an error or no outputs; the notebook is then left as it was.
    """
    copy, notebook = _read(executed), _read(path)
    if code_sha256(copy) != code_sha256(notebook):
        raise CourseError(
            f"{path} has changed since {executed} was run, so the outputs there are not those of its "
            "code. Run the notebook again."
        )
    for cell, run in zip(_code_cells(notebook), _code_cells(copy), strict=True):
        cell["outputs"] = committed_outputs(run)
    for cell in notebook["cells"]:
        if TAG in _tags(cell):  # a task is committed open
            cell["outputs"] = []
    _write_stamped(notebook, path)


def keep_cost(status: str | Path, folder: records.Folder = None) -> None:
    """Write the record of what a lesson took in the run whose outputs are committed; its top shows it.

    Args:
        status: path of what ``ftcourse run`` wrote of the lesson, beside its executed copy.
        folder: of the records; by default the repository's ``results/``.
    """
    run = json.loads(Path(status).read_text(encoding="utf-8"))
    cost = {"seconds": run["seconds"], "peak_memory_mb": run["peak_memory_mb"]}
    settings = {"profile": run["profile"]}
    records.write_record(
        "lessons", run["lesson"], metrics={}, settings=settings, cost=cost, folder=folder,
        environment=run["environment"], finished=run["finished"],
    )  # fmt: skip


def committed_outputs(cell: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the outputs of a cell that has been run as they are committed: no progress bars, no folders of a machine.

    Args:
        cell: a code cell as nbformat or json reads it.
    """
    return _joined([_cleaned(output) for output in cell["outputs"] if not _is_widget(output)])


def stamp(path: str | Path) -> None:
    """Note in a notebook that has just been run that its outputs are those of its code.

    Args:
        path: of the notebook.

    Raises:
        CourseError: if it has an error or no outputs; it is then left as it was.
    """
    _write_stamped(_read(path), path)


def _joined(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return outputs in which what was printed in one go is one output, however the kernel has cut it."""
    joined: list[dict[str, Any]] = []
    for output in outputs:
        before = joined[-1] if joined else {}
        if output.get("output_type") == "stream" and before.get("name") == output["name"]:
            before["text"] = "".join(before["text"]) + "".join(output["text"])
        else:
            joined.append(output)
    return joined


def _is_widget(output: dict[str, Any]) -> bool:
    """Say whether an output is an interactive element, nothing without its kernel, or what a closed bar leaves."""
    data = output.get("data", {})
    return "application/vnd.jupyter.widget-view+json" in data or data.get("text/html") in ("", [])


def _cleaned(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output without full bars, in which the cache and the folder of the packages go by general names."""
    import sysconfig

    import nbformat

    from ..assets import home

    packages = Path(sysconfig.get_paths()["purelib"])
    text = re.sub(r"<progress\b[^>]*></progress>(?:\\n|\s)*", "", json.dumps(output))
    for folder, name in (
        (home(), "$FTCOURSE_HOME"),
        (packages, "site-packages"),
        (packages.resolve(), "site-packages"),
    ):
        text = text.replace(json.dumps(str(folder))[1:-1], name)
    return nbformat.from_dict(json.loads(text))


def _code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        cell
        for cell in notebook["cells"]
        if cell["cell_type"] == "code" and not {"injected-parameters", TAG}.intersection(_tags(cell))
    ]


def _tags(cell: dict[str, Any]) -> list[str]:
    return cell["metadata"].get("tags", [])


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])  # json gives a list of lines, nbformat a string


def _read(path: str | Path) -> dict[str, Any]:
    import nbformat

    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError) as error:
        raise CourseError(
            f"{path} cannot be read as a notebook ({error}). Check the name, or take the file again "
            "from the repository."
        ) from error


def _write_stamped(notebook: dict[str, Any], path: str | Path) -> None:
    import nbformat

    kinds = {output["output_type"] for cell in _code_cells(notebook) for output in cell["outputs"]}
    if "error" in kinds or not kinds:
        found = f"A cell of {path} ended with an error" if kinds else f"{path} has no outputs"
        raise CourseError(f"{found}, so the notebook was not stamped. Run it to its end first.")
    notebook["metadata"]["ftcourse"] = {"code_sha256": code_sha256(notebook)}
    write_atomically(Path(path), (nbformat.writes(notebook) + "\n").encode())


def main(wanted: list[str]) -> None:
    """Give notebooks of the repository, all or those named, the outputs of their last run at profile local.

    Args:
        wanted: numbers or names of lessons; none for all.
    """
    from nbdev.clean import nbdev_clean

    from .lessons import lessons_folder
    from .runner import choose_lessons

    for name, path in choose_lessons(wanted, lessons_folder()[0]).items():
        executed = Path("build") / "lessons" / "local" / f"{name}.ipynb"
        if not executed.exists():
            raise CourseError(
                f"There is no {executed}, so {name} has no outputs to take over. Run it first: "
                f"`ftcourse run {name} --profile local`."
            )
        take_outputs(executed, path)
        if name in LESSONS:
            keep_cost(executed.with_suffix(".json"))
        nbdev_clean(fname=str(path))


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except CourseError as error:
        sys.exit(str(error))
