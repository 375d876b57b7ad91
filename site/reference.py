"""The API reference, from the docstrings: read from the source by `ast`, so that nothing needs to be installed."""

from __future__ import annotations

import ast
import re
from pathlib import Path

_SECTION = re.compile(r"(Args|Attributes|Returns|Yields|Raises|Examples):")
_TITLES = {"Args": "Arguments"}
Definition = ast.FunctionDef | ast.ClassDef


def modules(root: Path) -> dict[str, list[str]]:
    """Return the modules that people import, by part of the reference: paths below ftcourse/ without their endings.

    Args:
        root: folder of the repository.
    """
    package = root / "ftcourse"
    plain = [path.stem for path in sorted(package.glob("*.py")) if not path.stem.startswith("_")]
    order = {name: path.name for path in sorted((root / "nbs").glob("*.ipynb")) if (name := _exports(path))}
    figures = [f"figures/{path.stem}" for path in sorted((package / "figures").glob("[a-z]*.py"))]
    taught = sorted((name for name in plain if name in order), key=lambda name: order[name])
    return {"From the lessons": taught, "Around the lessons": [n for n in plain if n not in order], "Figures": figures}


def _exports(notebook: Path) -> str | None:
    """Return the name of the module that a notebook writes, or None."""
    found = re.search(r"#\| default_exp (\w+)", notebook.read_text(encoding="utf-8"))
    return found[1] if found else None


def pages(root: Path) -> dict[str, str]:
    """Return the pages of the reference, a dict path -> Markdown.

    Args:
        root: folder of the repository.
    """
    made, parts = {}, []
    for part, names in modules(root).items():
        rows = []
        for name in names:
            tree = ast.parse((root / "ftcourse" / f"{name}.py").read_text(encoding="utf-8"))
            page = name.replace("/", "-")
            full, what = "ftcourse." + name.replace("/", "."), _what(tree, name, root)
            made[f"api/{page}.md"] = module_page(tree, full, what)
            rows.append(f"| [`{full}`]({page}.md) | {what} |")
        contents = [":hidden:", "", *(name.replace("/", "-") for name in names)]
        parts += [f"## {part}", "", "| Module | What it holds |", "|---|---|", *rows, ""]
        parts += ["```{toctree}", *contents, "```", ""]
    intro = "# API reference\n\nWhat can be imported from the package `ftcourse`, by module."
    return made | {"api/index.md": "\n".join([intro, "", *parts])}


def _what(tree: ast.Module, name: str, root: Path) -> str:
    """Return what a module holds: the first line of its docstring, else the title of the lesson that exports it."""
    if text := ast.get_docstring(tree):
        return text.splitlines()[0]
    lesson = next(path for path in sorted((root / "nbs").glob("*.ipynb")) if _exports(path) == name)
    return f"What [lesson {lesson.stem[1]}](../{lesson.name}) builds."


def module_page(tree: ast.Module, name: str, what: str) -> str:
    """Return the page of a module as Markdown.

    Args:
        tree: its source, parsed.
        name: its full name.
        what: what it holds, where it has no docstring.
    """
    lines = [f"# {name}", "", *docstring(ast.get_docstring(tree) or what), f"```{{py:module}} {name}", "```", ""]
    found = [node for node in tree.body if isinstance(node, Definition) and not node.name.startswith("_")]
    return "\n".join([*lines, *(line for node in found for line in describe(node))])


def describe(node: Definition, depth: int = 0) -> list[str]:
    """Return a function or class as lines of Markdown, with the public methods of a class within it.

    Args:
        node: its definition.
        depth: of the nesting, 0 for what stands in the module itself.
    """
    fence = ":" * (6 - depth)
    if isinstance(node, ast.ClassDef):
        methods = [part for part in node.body if isinstance(part, ast.FunctionDef) and not part.name.startswith("_")]
        inner = [line for part in methods for line in describe(part, depth + 1)]
        kind, signature = "class", node.name
    else:
        kind, inner = ("method" if depth else "function"), []
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        signature = f"{node.name}({ast.unparse(node.args)}){returns}"
    return [f"{fence}{{py:{kind}}} {signature}", *docstring(ast.get_docstring(node) or ""), *inner, fence, ""]


def docstring(text: str) -> list[str]:
    """Return a Google docstring as lines of Markdown: a list for arguments, attributes and exceptions.

    Args:
        text: the docstring, without its indentation.
    """
    lines, section = [], None
    for line in text.splitlines():
        if found := _SECTION.fullmatch(line.strip()):
            section = found[1]
            lines += ["", f"**{_TITLES.get(section, section)}**", ""]
        elif section and section not in ("Returns", "Yields", "Examples") and re.match(r" {4}\S", line):
            what, _, said = line.strip().partition(": ")
            lines.append(f"- `{what}`: {said}")
        elif section:
            lines.append(f"  {line.strip()}" if section in ("Args", "Attributes", "Raises") else line.strip())
        else:
            lines.append(line)
    return [line.replace("``", "`") for line in lines] + [""]
