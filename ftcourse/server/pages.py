"""The two pages for people: what the service is doing, and what its API offers."""

from html import escape
from pathlib import Path
from typing import Any

STATUS_PAGE = Path(__file__).with_name("status.html")

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;"
    "background:#fff}code,pre{background:#f2f2f2;padding:.1em .3em}table{border-collapse:collapse}"
    "th,td{text-align:left;padding:.3em .8em .3em 0;border-bottom:1px solid #ccc;vertical-align:top}"
)


def docs_page(document: dict[str, Any]) -> str:
    """Return a page that lists the operations of an OpenAPI document, made here so that it works with no network.

    Args:
        document: as FastAPI makes it.

    Returns:
        HTML.
    """
    groups: dict[str, list[str]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    sections = "".join(
        f"<h2>{escape(tag)}</h2><table><thead><tr><th scope=col>Call<th scope=col>What it does<th scope=col>Takes</tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table>"
        for tag, rows in groups.items()
    )
    info = document["info"]
    return (
        f'<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content="width=device-width">'
        f"<title>{escape(info['title'])}: API</title><style>{_STYLE}</style><h1>{escape(info['title'])}</h1>"
        f"<p>{escape(info['description'])} Each call needs the header <code>Authorization: Bearer KEY</code>. "
        f'For programs: the <a href="/openapi.json">OpenAPI document</a>. <a href="/">Status page</a>.</p>{sections}'
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    """Return the row of a table that describes an operation."""
    takes = [parameter["name"] for parameter in operation.get("parameters", [])]
    content = operation.get("requestBody", {}).get("content", {})
    takes += [f"a body, {kind}" for kind in content]
    return (
        f"<tr><td><code>{method.upper()} {escape(path)}</code><td>{escape(operation.get('description', ''))}"
        f"<td>{escape(', '.join(takes) or 'nothing')}</tr>"
    )
