"""A lesson's place in the course: what it costs and needs, and the links to its neighbours, at its top and its end.

``python -m ftcourse.checks.build`` puts both cells into every lesson.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from .. import records
from ..assets import ASSETS
from ..files import write_atomically
from ..profiles import LESSONS

# What to know before, and the exercise that goes with the lesson.
_BEFORE = {
    "01_transfer_learning": ("Python, and what a neural network and its training are", None),
    "02_openai": ("Python; no machine learning", "3_openai"),
    "03_text_classification": ("Python, and what a neural network and its training are", "1_sentiment"),
    "04_lora_qlora": ("a little PyTorch; lesson 3 helps", "2_lora"),
    "05_ner": ("lesson 3", "5_names"),
    "06_question_answering": ("lesson 3", "6_questions"),
    "07_data_quality": ("lesson 3", "7_data"),
    "08_hyperparameters": ("lesson 3", None),
    "09_evaluation": ("lesson 3", "4_comparison"),
}
_TOP, _END = "place-at-the-top", "place-at-the-end"


def put_places(lesson: str | Path) -> None:
    """Write a lesson's costs and links under its title, and its links at its end, in place of those that are there.

    Args:
        lesson: path of the notebook, which is one of `ftcourse.profiles.LESSONS`; its neighbours stand beside it.
    """
    path = Path(lesson)
    notebook = json.loads(path.read_text(encoding="utf-8"))
    links = _links(path)
    top, end = generated_cell(_TOP, f"{links}\n\n{_costs(path.stem)}"), generated_cell(_END, links)
    cells = [cell for cell in notebook["cells"] if cell.get("id") not in (top["id"], end["id"])]
    write_cells(path, notebook, [*cells[:1], top, *cells[1:], end])


def generated_cell(name: str, source: str) -> dict[str, Any]:
    """Return a Markdown cell that is written by code, with the same id each time.

    Args:
        name: from which the id is made.
        source: text of the cell.
    """
    number = hashlib.sha256(name.encode()).hexdigest()[:8]
    return {"cell_type": "markdown", "id": number, "metadata": {}, "source": source.splitlines(keepends=True)}


def write_cells(path: str | Path, notebook: dict[str, Any], cells: list[dict[str, Any]]) -> None:
    """Write a notebook with other cells, in the form in which notebooks are committed.

    Args:
        path: of the notebook.
        notebook: as json reads it.
        cells: to take the place of its cells.
    """
    text = json.dumps({**notebook, "cells": cells}, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    write_atomically(Path(path), text.encode())


def _title(path: Path) -> str:
    """Return the first heading of a notebook."""
    first = json.loads(path.read_text(encoding="utf-8"))["cells"][0]["source"]
    return "".join(first).splitlines()[0].removeprefix("# ")


def _links(path: Path) -> str:
    """Return the links from a lesson to the index, its neighbours and its exercise."""
    names = list(LESSONS)
    number = names.index(path.stem)
    links = ["[All lessons](index.ipynb)"]
    for word, there in (("Before", number - 1), ("Next", number + 1)):
        if 0 <= there < len(names):
            neighbour = path.with_name(f"{names[there]}.ipynb")
            links.append(f"{word}: [{_title(neighbour)}]({neighbour.name})")
    if exercise := _BEFORE[path.stem][1]:
        title = _title(path.parent / "exercises" / f"{exercise}.ipynb")
        links.append(f"[{title}](exercises/{exercise}.ipynb)")
    return " · ".join(links)


def _costs(name: str) -> str:
    """Return what a lesson takes at profile local, as the run took whose outputs it shows, and what to know before."""
    megabytes = sum(ASSETS[asset].megabytes for asset in LESSONS[name]["assets"])
    lines = [f"Know first: {_BEFORE[name][0]}.", f"Download: {megabytes} MB, once."]
    runs = [record for record in records.load_records("lessons") if record["run"] == name]
    if runs:
        run, made = runs[0], runs[0]["environment"]
        threads = f"{made['threads']} thread" + "s" * (made["threads"] != 1)
        minutes, gigabytes = run["seconds"] / 60, run["peak_memory_mb"] / 1000
        lines += [
            f"Time: {minutes:.0f} minutes for the outputs below, with {threads} of a processor ({made['processor']}).",
            f"Memory: {gigabytes:.1f} GB at the peak.",
        ]
    return "\n".join(f"- {line}" for line in lines)
