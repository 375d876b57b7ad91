"""Pages of HTML that need nothing beside them: the frame of a page, tables, and pictures with their texts."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.figure import Figure


_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1a1a1a }}
table {{ border-collapse: collapse; margin: 1rem 0; display: block; overflow-x: auto }}
th, td {{ padding: .3rem .8rem; border-bottom: 1px solid #bbb; text-align: left; vertical-align: top }}
td.number, th.number {{ text-align: right; font-variant-numeric: tabular-nums }}
caption {{ text-align: left; font-weight: 600; padding-bottom: .3rem }}
tbody th {{ white-space: nowrap }}
img {{ max-width: 100%; height: auto }}
a {{ color: #00518a }}
</style>
</head>
<body>
<main>
<h1>{title}</h1>
{body}
</main>
</body>
</html>
"""


def html_page(title: str, body: str) -> str:
    """Return a whole page, in English.

    Args:
        title: of the page, also its heading; plain text.
        body: what stands beneath, as HTML.
    """
    return _PAGE.format(title=html.escape(title), body=body)


def html_picture(figure: Figure, alt: str) -> str:
    """Return a figure as a picture within the page.

    Args:
        figure: a matplotlib figure.
        alt: what the figure shows, for a reader who can't see it; plain text.
    """
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", bbox_inches="tight")
    data = base64.b64encode(buffer.getvalue()).decode()
    return f'<p><img src="data:image/svg+xml;base64,{data}" alt="{html.escape(alt)}"></p>'


def html_table(caption: str, columns: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """Return an HTML table; the first cell of each row is its heading.

    Args:
        caption: what the table shows.
        columns: titles of the columns.
        rows: cells as HTML, a sequence a row.
        numbers: which columns are right-aligned, from 0.
    """
    kind = ['class="number"' if i in numbers else "" for i in range(len(columns))]
    head = "".join(f'<th scope="col" {kind[i]}>{html.escape(column)}</th>' for i, column in enumerate(columns))
    body = "\n".join(
        "".join(
            [
                f'<tr><th scope="row">{row[0]}</th>',
                *(f"<td {kind[i]}>{row[i]}</td>" for i in range(1, len(row))),
                "</tr>",
            ]
        )
        for row in rows
    )
    return (
        f"<table>\n<caption>{html.escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n"
        f"<tbody>\n{body}\n</tbody>\n</table>"
    )
