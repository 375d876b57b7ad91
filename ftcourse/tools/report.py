"""The HTML report: a results page and each executed notebook, readable from a folder and without a network."""

from __future__ import annotations

import html
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import CourseError
from ..files import write_atomically
from ..profiles import PROFILES, budget
from .markup import html_page, html_picture, html_table
from .runner import skip_slow_grammar

if TYPE_CHECKING:
    from ..checks.engine import Exercise


# On top of nbconvert's template "lab": no scripts from elsewhere, a text alternative for every picture, and a word in
# the place of controls that only work with a kernel.
_TEMPLATE = """
{%- extends 'lab/index.html.j2' -%}
{%- macro picture(kind, content, output) -%}
{%- set alt = output | get_metadata('alt', kind) -%}
<div class="jp-RenderedImage jp-OutputArea-output">
<img src="data:{{ kind }};base64,{{ content }}" {% if alt %}alt="{{ alt | escape_html }}"{% endif %}>
</div>
{%- endmacro -%}
{% block html_head_js %}{% endblock %}
{% block jupyter_widgets %}{% endblock %}
{% block html_head_js_mathjax %}{% endblock %}
{% block html_head_js_mermaidjs %}{% endblock %}
{% block data_png scoped %}{{ picture('image/png', output.data['image/png'], output) }}{% endblock %}
{% block data_jpg scoped %}{{ picture('image/jpeg', output.data['image/jpeg'], output) }}{% endblock %}
{% block data_svg scoped %}
{{ picture('image/svg+xml', output.data['image/svg+xml'] | text_base64, output) }}
{% endblock %}
{% block data_widget_view scoped %}
<p class="jp-RenderedHTMLCommon jp-OutputArea-output">
<em>An interactive element, which needs the notebook: open it with <code>ftcourse lab</code>.</em>
</p>
{% endblock %}
{% block footer %}</html>{% endblock %}
"""


def build_report(output: str | Path) -> Path:
    """Build the report from the executed notebooks and records below `output`.

    Args:
        output: the folder that `ftcourse run` wrote to.

    Returns:
        The path of the results page; the notebooks are beside it, in a folder for each profile.

    Raises:
        CourseError: if nothing was run yet.
    """
    output = Path(output).resolve()
    runs = {profile: _read_runs(output / "lessons" / profile) for profile in PROFILES}
    if not any(runs.values()):
        raise CourseError(
            f"There is nothing to report in {output}: no lesson was run yet. Run them with `ftcourse "
            "run`, or name the folder that it wrote to with --output."
        )
    folder = output / "report"
    index = folder / "index.html"
    parts = []
    for profile, records in runs.items():
        if records:
            pages = {record["notebook"]: folder / profile / f"{record['lesson']}.html" for record in records}
            for notebook, page in pages.items():
                write_atomically(page, _convert(notebook, page, pages, index).encode())
            parts.append(_profile_section(profile, records))
    parts += [_progress_section(), _records_section()]
    write_atomically(index, html_page("Results of the fine-tuning course", "\n".join(parts)).encode())
    return index


def export_exercise(exercise: Exercise, notebook: str | Path, page: str | Path) -> Path:
    """Write a finished exercise as one HTML page, pictures included.

    Args:
        exercise: a `checks.engine.Exercise`.
        notebook: path of the learner's notebook, saved with its outputs.
        page: path of the page.

    Returns:
        The path of the page.

    Raises:
        CourseError: if a step is not right yet, or the notebook can't be read or has no outputs.
    """
    from ..checks import progress

    open_steps = [step for _, step, outcome, _ in progress.rows([exercise]) if outcome != "right"]
    if open_steps:
        raise CourseError(f"{exercise.name} is not finished: {'; '.join(open_steps)}. Do these steps first.")
    skip_slow_grammar()
    import nbformat

    notebook, page = Path(notebook).resolve(), Path(page).resolve()
    try:
        cells = nbformat.read(notebook, as_version=4).cells
    except (OSError, ValueError) as error:
        raise CourseError(f"{notebook} can't be read as a notebook ({error}). Save it in JupyterLab first.") from error
    if not any(cell.get("outputs") for cell in cells):
        raise CourseError(f"{notebook} has no outputs: run it in JupyterLab and save it, then export it.")
    write_atomically(page, _convert(notebook, page, {}).encode())
    return page


def _read_runs(folder: Path) -> list[dict[str, Any]]:
    """Return the records below a folder, each with the path of its notebook; the index last, as in a run."""
    records = []
    for path in sorted(folder.rglob("*.json"), key=lambda path: (path.name.startswith("index."), path)):
        notebook = path.with_suffix(".ipynb")
        if notebook.exists():
            records.append(json.loads(path.read_text(encoding="utf-8")) | {"notebook": notebook})
    return records


def _convert(notebook: Path, page: Path, pages: dict[Path, Path], index: Path | None = None) -> str:
    """Return a notebook as HTML, with its links to other notebooks turned into links to their pages, if any."""
    skip_slow_grammar()
    import nbformat
    from bs4 import BeautifulSoup
    from nbconvert import HTMLExporter

    executed = nbformat.read(notebook, as_version=4)
    lessons = Path(executed.metadata.get("papermill", {}).get("input_path", notebook)).parent  # where its pictures are
    resources = {"metadata": {"name": f"{page.stem}, executed notebook", "path": str(lessons)}}
    exporter = HTMLExporter(raw_template=_TEMPLATE, embed_images=True)
    soup = BeautifulSoup(exporter.from_notebook_node(executed, resources)[0], "html.parser")
    for link in soup.select("a[href]"):
        target, _, anchor = str(link["href"]).partition("#")
        if "://" in target or not target or target.startswith("mailto:"):
            continue
        other = pages.get((notebook.parent / target).resolve()) or pages.get(
            (notebook.parent / target).resolve().with_suffix(".failed.ipynb")
        )
        if other:
            link["href"] = os.path.relpath(other, page.parent) + (f"#{anchor}" if anchor else "")
        else:
            link.unwrap()  # a file of the repository, which the report does not hold
    if index is None:
        return str(soup)
    back = f'<a href="{os.path.relpath(index, page.parent)}">Results of all lessons</a>'
    if main := soup.select_one("main"):
        main.insert(0, BeautifulSoup(f'<p class="jp-RenderedHTMLCommon">{back}</p>', "html.parser"))
    return str(soup)


def _profile_section(profile: str, records: list[dict[str, Any]]) -> str:
    rows = []
    for record in records:
        failed = record["status"] == "failed"
        name = html.escape(record["lesson"])
        place = f"in cell {record['cell']}" if record.get("cell") else "before its first cell"
        status = f"failed {place}: {html.escape(record['error'][:200])}" if failed else "passed"
        link = f'<a href="{profile}/{name}.html">executed notebook {name}</a>'
        rows.append([name, status, f"{record['seconds']:.0f}", f"{record['peak_memory_mb']:,}", link])
    last = max(record["finished"] for record in records)[:16].replace("T", " ")
    table = html_table(
        f"Lessons run at profile {profile}, the last one on {last} UTC",
        ["Lesson", "Status", "Time (s)", "Peak memory (MB)", "Notebook"],
        rows,
        numbers=(2, 3),
    )
    parts = [f"<h2>Profile {profile}</h2>", table]
    passed = {record["lesson"]: record for record in records if record["status"] == "passed"}
    if passed:
        seconds = {name: record["seconds"] for name, record in passed.items()}
        memory = {name: record["peak_memory_mb"] for name, record in passed.items()}
        parts += [
            "<h3>Time</h3>",
            _bars(seconds, "seconds", {name: budget(name, profile) for name in passed}),
            "<h3>Peak memory</h3>",
            _bars(memory, "MB"),
        ]
    return "\n".join(parts)


def _bars(values: dict[str, float], unit: str, limits: dict[str, float | None] | None = None) -> str:
    """Return a bar chart as an image with its text alternative, a mark on each bar's limit if there is one."""
    from matplotlib.figure import Figure

    from ..figures import BLUE, VERMILION

    marks = {name: limit for name, limit in (limits or {}).items() if limit}
    figure = Figure(figsize=(8, 0.8 + 0.4 * len(values)), layout="constrained")
    axes = figure.subplots()
    names = list(values)[::-1]
    axes.barh(names, [values[name] for name in names], color=BLUE, height=0.6)
    if marks:
        axes.plot(
            list(marks.values()), list(marks), "|", color=VERMILION, markersize=22, markeredgewidth=3, label="budget"
        )
        figure.legend(loc="outside upper right", frameon=False)
    axes.set_xlabel(unit)
    axes.spines[["top", "right"]].set_visible(False)
    alt = "Bar chart: " + "; ".join(
        f"{name} {value:,.0f} {unit}" + (f" of a budget of {marks[name]:,.0f}" if name in marks else "")
        for name, value in values.items()
    )
    return html_picture(figure, alt)


def _progress_section() -> str:
    """Return a table of the learner's progress in the exercises, or nothing if there is none."""
    from ..checks import EXERCISES, find_exercise, progress

    if not progress.load():
        return ""
    rows = [
        [html.escape(str(cell)) for cell in row] for row in progress.rows([find_exercise(name) for name in EXERCISES])
    ]
    done = sum(row[2] == "right" for row in rows)
    table = html_table(
        f"{done} of {len(rows)} steps right", ["Exercise", "Step", "Outcome", "Tries"], rows, numbers=(3,)
    )
    return f"<h2>Exercises</h2>\n{table}"


def _records_section() -> str:
    """Return the tables of the committed run records, one for each study."""
    from ..records import load_records, results_folder

    parts = []
    for folder in sorted(path for path in results_folder().glob("*") if next(path.glob("*.json"), None)):
        rows = [
            {
                "run": record["run"],
                **record["metrics"],
                **{key: record[key] for key in ("seconds", "peak_memory_mb") if key in record},
            }
            for record in load_records(folder.name)
        ]
        columns = list(dict.fromkeys(key for row in rows for key in row))
        cells = [[html.escape(_figure(row.get(column, ""))) for column in columns] for row in rows]
        titles = [column.replace("_", " ") for column in columns]
        parts.append(html_table(folder.name.replace("_", " ").capitalize(), titles, cells, range(1, len(columns))))
    return "\n".join(["<h2>Run records</h2>", *parts]) if parts else ""


def _figure(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
