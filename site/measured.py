"""The pages of the results, from the records in results/: charts seed by seed, and all records as tables."""

from __future__ import annotations

import html
import re
from pathlib import Path
from typing import Any

import pages as site_pages

from ftcourse import overview, records
from ftcourse.tools.markup import html_table


def pages(root: Path) -> dict[str, str]:
    """Return the two pages of the results, a dict path -> Markdown.

    Args:
        root: folder of the repository.
    """
    folder, readme = root / "results", (root / "README.md").read_text(encoding="utf-8")
    found = overview.results(folder)
    drawn = re.search(r"<picture>.*?</picture>", readme, re.S)
    parts = [
        "# Results",
        "Every number comes from a record in `results/`: one file a run, with its seed, versions, processor, time and "
        "memory. [All records](records.md) stand on a page of their own, and so does [what did not work](log.md).",
        site_pages.chart(drawn[0]) if drawn else "",
        overview.reading(found),
        "## Lesson by lesson",
        overview.table(folder=folder),
        overview.notes(folder),
        "## Seed by seed",
        "A dot a run: rings are the baseline, filled dots the result. How far the dots lie apart is the noise that a "
        "gain has to beat.",
        *(part for result in found for part in (f"### {result.number} {result.title}", seeds(result))),
    ]
    return {"results.md": "\n\n".join(parts) + "\n", "records.md": record_tables(folder)}


def seeds(result: overview.Result) -> str:
    """Return the runs of a lesson as Markdown: a chart, and the same in words to unfold.

    Args:
        result: from `ftcourse.overview.results`.
    """
    runs = dict(zip(result.names, (result.baseline, result.result), strict=True))
    said = "; ".join(
        f"{name}: " + ", ".join(f"{100 * share:.1f} % (seed {seed})" for seed, share in shares.items())
        for name, shares in runs.items()
    )
    text = html.escape(f"{result.what[0].upper()}{result.what[1:]}. {said}.")
    left, width = 10, 560
    marks = []
    for row, (name, shares) in enumerate(runs.items()):
        y = 22 + 44 * row
        marks.append(f'<text x="{left}" y="{y - 8}">{html.escape(name)}</text>')
        marks.append(f'<path d="M{left} {y + 6}h{width}" class="line"/>')
        marks += [
            f'<circle cx="{left + width * share:.1f}" cy="{y + 6}" r="6" class="{("ring", "dot")[row]}"/>'
            for share in shares.values()
        ]
    for tick in range(0, 101, 20):
        anchor = "start" if tick == 0 else "end" if tick == 100 else "middle"
        marks.append(f'<text x="{left + width * tick / 100:.0f}" y="100" text-anchor="{anchor}">{tick} %</text>')
    drawn = f'<svg viewBox="0 0 580 106" role="img" aria-label="{text}" class="seeds">{"".join(marks)}</svg>'
    words = f'<details class="in-words"><summary>The figure in words</summary><p>{text}</p></details>'
    return f"{result.what[0].upper()}{result.what[1:]}:\n\n<div>{drawn}</div>\n\n{words}"


def record_tables(folder: Path) -> str:
    """Return the page with all records as Markdown, a table a study, folded.

    Args:
        folder: of the records.
    """
    parts = [
        "# All records",
        "A study is a set of runs of one kind. `ftcourse study` repeats those that the lessons quote; what begins with "
        "*benchmark* comes from the folder `benchmarks/`, and *lessons* are the runs whose outputs are shown.",
    ]
    for study in sorted(path.name for path in folder.iterdir() if next(path.glob("*.json"), None)):
        runs = records.load_records(study, folder)
        rows = [_figures(run) for run in runs]
        columns = list(dict.fromkeys(column for row in rows for column in row))
        cells = [[html.escape(_show(row.get(column))) for column in columns] for row in rows]
        title = study.replace("_", " ")
        table = html_table(f"Runs of {title}", [c.replace("_", " ") for c in columns], cells, range(1, len(columns)))
        count = f"{len(runs)} run{'s' * (len(runs) != 1)}"
        table = site_pages.scrolling(re.sub(r"\n+", "\n", table))
        parts += [
            f"## {title[0].upper()}{title[1:]}",
            f"Name: `{study}`.",
            f"<details><summary>{count}</summary>\n{table}\n</details>",
        ]
    return "\n\n".join(parts) + "\n"


def _figures(run: dict[str, Any]) -> dict[str, Any]:
    """Return what a row of the table shows of a run: its name, its metrics and its costs."""
    costs = {key: run[key] for key in ("seconds", "peak_memory_mb") if key in run}
    return {"run": run["run"], **run["metrics"], **costs}


def _show(value: object) -> str:
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)
