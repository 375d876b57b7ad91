"""The pages of the web site, written from what the repository has: notebooks, README, records and docstrings.

The standard library does, but for the results, whose intervals take numpy and scipy. Nothing here needs Sphinx.
"""

from __future__ import annotations

import base64
import html
import json
import os
import re
from configparser import ConfigParser
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDED = 20  # lines: an exported cell with more is folded
# Other files of the repository that are pages of the site.
PAGES = {"README.md": "index.md", "nbs/index.ipynb": "index.md", "results/LOG.md": "log.md"}
_DIRECTIVE = re.compile(r"#\s*(\||NBVAL)")
# Lessons explain the directives, which the site doesn't show.
_ABOUT_DIRECTIVES = (
    "Comments that begin with `#|` build the course's package, and `NBVAL` marks an output that a test compares: pass "
    "them by."
)
Cell = dict[str, Any]


def notebooks(root: Path = ROOT) -> dict[str, list[str]]:
    """Return the notebooks that are pages, by kind: paths from nbs/ without their endings, in the order of the site.

    Args:
        root: folder of the repository.
    """
    patterns = {"lessons": "[0-9]*.ipynb", "exercises": "exercises/*.ipynb", "solutions": "solutions/*.ipynb"}
    found = {kind: sorted((root / "nbs").glob(pattern)) for kind, pattern in patterns.items()}
    return {
        kind: [path.relative_to(root / "nbs").with_suffix("").as_posix() for path in paths]
        for kind, paths in found.items()
    }


def address(root: Path = ROOT) -> str:
    """Return the address of the repository's files, to which the path of one is added.

    Args:
        root: folder of the repository.
    """
    settings = ConfigParser(delimiters=["="], interpolation=None)
    settings.read(root / "settings.ini", encoding="utf-8")
    return f"{settings['DEFAULT']['git_url']}/blob/{settings['DEFAULT']['branch']}/"


def relink(text: str, source: str, page: str, root: Path = ROOT) -> str:
    """Return Markdown whose links to files of the repository lead to their pages, or to the file where it has none.

    Args:
        text: Markdown.
        source: path of the file that it is from, from the root of the repository.
        page: path of the page that it becomes, from the root of the site's source.
        root: folder of the repository.
    """

    def lead(match: re.Match[str]) -> str:
        target, anchor = match[1], match[2] or ""
        if not target or re.match(r"[a-z]+:", target):
            return match[0]
        path = os.path.normpath(os.path.join(os.path.dirname(source), target)).replace(os.sep, "/")
        own = PAGES.get(path)
        if own is None and path.startswith("nbs/") and path.endswith(".ipynb"):
            own = path.removeprefix("nbs/")
        if own is None:
            return f"]({address(root)}{path}{anchor})"
        return f"]({os.path.relpath(own, os.path.dirname(page) or '.').replace(os.sep, '/')}{anchor})"

    return re.sub(r"\]\(([^)#\s]*)(#[^)\s]*)?\)", lead, text)


def prepare_notebook(notebook: dict[str, Any], name: str, root: Path = ROOT) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return a notebook as the site shows it, and its pictures.

    Directives and the exercises' hidden starters are left out, long exported cells folded, and each picture becomes an
    image with its alternative, which stands beneath it once more, folded.

    Args:
        notebook: as json reads it.
        name: its path from nbs/ without the ending, such as ``exercises/1_sentiment``.
        root: folder of the repository.

    Returns:
        The notebook, and a dict file name -> content; the files belong into the folder ``pictures`` of the source.
    """
    cells: list[Cell] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            text = "".join(cell["source"])
            for said in (f"{_ABOUT_DIRECTIVES}\n", _ABOUT_DIRECTIVES):
                text = text.replace(said, "")
            cells.append(_markdown(relink(text, f"nbs/{name}.ipynb", f"{name}.ipynb", root)))
        elif cell["cell_type"] == "code":
            cells += _prepare_code(cell, name, pictures)
    kind, _, stem = name.rpartition("/")
    if kind == "solutions":
        cells[0]["source"] = re.sub(r"^# Exercise", "# Solution of exercise", cells[0]["source"])
    cells.insert(1, _markdown(_about(kind, name, stem, root)))
    if kind == "exercises":
        cells.append(_markdown(f"Done, or stuck? Compare with the [solution](../solutions/{stem}.ipynb)."))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    return {**notebook, "nbformat_minor": 5, "cells": cells}, pictures


def _markdown(text: str) -> Cell:
    return {"cell_type": "markdown", "metadata": {}, "source": text}


def _about(kind: str, name: str, stem: str, root: Path) -> str:
    """Return what stands under the title of a notebook: where it is, and how to run it."""
    here = f"[`nbs/{name}.ipynb`]({address(root)}nbs/{name}.ipynb)"
    if kind == "exercises":
        return f"To do it, open {here} with `ftcourse lab`: the checks, the hints and the questions answer there."
    if kind == "solutions":
        return f"One way to do [the exercise](../exercises/{stem}.ipynb), with what it then shows: {here}."
    return f"This page is the notebook {here} with the outputs of a run. `ftcourse lab` opens it, to run and change."


def _prepare_code(cell: Cell, name: str, pictures: dict[str, bytes]) -> list[Cell]:
    """Return the cells that a code cell becomes, itself and one a picture; put the pictures into `pictures`."""
    lines = "".join(cell["source"]).splitlines()
    exported = any(re.match(r"#\s*\|\s*export", line) for line in lines)
    source = "\n".join(line for line in lines if not _DIRECTIVE.match(line)).strip("\n")
    metadata: dict[str, Any] = {"tags": []}
    if exported and len(source.splitlines()) > FOLDED:
        defined = re.search(r"^(?:def|class) (\w+)", source, re.M)
        what = f"{defined[1] if defined else 'the code'}, {len(source.splitlines())} lines"
        prompts = {"code_prompt_show": f"Show {what}", "code_prompt_hide": f"Hide {what}"}
        metadata = {"tags": ["hide-input"], "mystnb": prompts}
    made = [_code(source, metadata)]
    said = ""
    for output in cell.get("outputs", ()):
        data = output.get("data", {})
        text = "".join(data.get("text/markdown", ""))
        if "image/png" in data:
            said = output["metadata"]["image/png"]["alt"]
            file = f"{name.replace('/', '_')}_{sum(old.startswith(name.replace('/', '_')) for old in pictures)}.png"
            pictures[file] = base64.b64decode("".join(data["image/png"]))
            made.append(_markdown(picture(f"{'../' * name.count('/')}pictures/{file}", said)))
        elif text and text.strip() == f"*Figure: {said}*":
            continue  # the alternative again, for where images lose theirs
        else:
            if made[-1]["cell_type"] != "code":
                made.append(_code("", {"tags": ["remove-input"]}))
            made[-1]["outputs"].append(_prepare_output(output))
    return [made for made in made if made["source"] or made.get("outputs")]


def _code(source: str, metadata: dict[str, Any]) -> Cell:
    return {"cell_type": "code", "execution_count": None, "metadata": metadata, "source": source, "outputs": []}


def _prepare_output(output: dict[str, Any]) -> dict[str, Any]:
    """Return an output whose tables scroll within the page."""
    data = dict(output.get("data", {}))
    if "text/html" in data:
        data["text/html"] = scrolling("".join(data["text/html"]))
    return {**output, "data": data} if data else output


def scrolling(text: str) -> str:
    """Return HTML whose tables are in a box that scrolls on a narrow page, which the theme opens to the keyboard.

    Args:
        text: HTML.
    """
    text = re.sub(r"<table\b", '<div class="pst-scrollable-table-container"><table', text)
    return text.replace("</table>", "</table></div>")


def picture(file: str, alt: str, classes: str = "") -> str:
    """Return a picture as Markdown, with its alternative beneath it in words to unfold.

    Args:
        file: its path from the page.
        alt: what it shows, plain text.
        classes: of the image.
    """
    text = html.escape(alt)
    return (
        f'<img src="{file}" alt="{text}" class="figure {classes}">\n\n'
        f'<details class="in-words"><summary>The figure in words</summary><p>{text}</p></details>'
    )


def front_page(root: Path = ROOT) -> str:
    """Return the first page: README, with the chart for light and dark pages, and the table of contents.

    Args:
        root: folder of the repository.
    """
    text = (root / "README.md").read_text(encoding="utf-8")
    text = re.sub(r"<picture>.*?</picture>", lambda match: chart(match[0]), text, flags=re.S)
    text = re.sub(r"<!--.*?-->\n", "", text)
    text = re.sub(r"^## What is where\n.*?(?=^## )", "", text, flags=re.M | re.S)
    return f"{relink(text, 'README.md', 'index.md', root)}\n{contents(root)}"


def chart(found: str) -> str:
    """Return README's chart as Markdown: a picture for light pages, one for dark ones, and their text once.

    Args:
        found: its HTML in README.
    """
    match = re.search(r'alt="([^"]*)"', found)
    alt = html.unescape(match[1]) if match else ""
    light, words = picture("pictures/results-light.svg", alt, "only-light").split("\n\n")
    dark = picture("pictures/results-dark.svg", alt, "only-dark").split("\n\n")[0]
    return f"{light}\n{dark}\n\n{words}"


def contents(root: Path = ROOT) -> str:
    """Return the tables of contents, a part of the site each, as Markdown.

    Args:
        root: folder of the repository.
    """
    found = notebooks(root)
    parts = {
        "Lessons": found["lessons"],
        "Exercises": found["exercises"],
        "Results": ["results", "records", "log"],
        "Reference": ["glossary", "api/index"],
        "Solutions": found["solutions"],
    }
    return "\n".join(
        "\n".join(["```{toctree}", ":hidden:", f":caption: {part}", "", *names, "```", ""])
        for part, names in parts.items()
    )


def write_source(folder: Path, root: Path = ROOT) -> None:
    """Write the source of the site into a folder, in which files that are the same stay untouched.

    Args:
        folder: where to.
        root: folder of the repository.
    """
    import measured
    import reference

    files: dict[str, bytes] = {}
    for name in (name for names in notebooks(root).values() for name in names):
        notebook = json.loads((root / "nbs" / f"{name}.ipynb").read_text(encoding="utf-8"))
        prepared, pictures = prepare_notebook(notebook, name, root)
        files[f"{name}.ipynb"] = json.dumps(prepared, ensure_ascii=False).encode()
        files |= {f"pictures/{file}": content for file, content in pictures.items()}
    for file in (root / ".github").glob("results-*.svg"):
        files[f"pictures/{file.name}"] = file.read_bytes()
    log = relink((root / "results" / "LOG.md").read_text(encoding="utf-8"), "results/LOG.md", "log.md", root)
    texts = {
        "index.md": front_page(root),
        "log.md": log,
        "glossary.md": (Path(__file__).parent / "glossary.md").read_text(encoding="utf-8"),
        **measured.pages(root),
        **reference.pages(root),
    }
    files |= {name: text.encode() for name, text in texts.items()}
    for old in (path for path in folder.rglob("*") if path.is_file()):
        if old.relative_to(folder).as_posix() not in files:
            old.unlink()
    for name, content in files.items():
        path = folder / name
        if not path.exists() or path.read_bytes() != content:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
