"""What a committed notebook must be. Each rule takes a notebook (a dict as json reads it) and yields what breaks it."""

import ast
import base64
import math
import re
import statistics
import string

from markdown_it import MarkdownIt

from ftcourse.tools.outputs import code_sha256

# Hosts of package registries: a learner's own index settings decide where packages come from.
REGISTRY = re.compile(r"pypi\.org|pythonhosted\.org|download\.pytorch\.org|anaconda\.org|registry\.npmjs\.org", re.I)
ABSOLUTE_PATH = re.compile(
    r"(?<![\w.:/~-])/(?:home|Users|root|tmp|var|opt|usr|mnt|srv|work|content|kaggle|private)/[\w.-]"
    r"|(?<!\w)[A-Za-z]:\\+(?:Users|Windows|Program)"
    r"|(?<!\w)file://"
)
VAGUE = {"here", "this", "link", "this link", "click here", "this page", "read more", "more", "see", "see here"}
MAX_BYTES = 1_000_000


def code(notebook):
    """Return the sources of the code cells."""
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]


def outputs(notebook):
    """Yield (number of the cell, output); the first cell is number 1."""
    for number, cell in enumerate(notebook["cells"], 1):
        for output in cell.get("outputs", []):
            yield number, output


def markdown(notebook):
    """Yield (number of the cell, parsed token) for the Markdown cells; tokens within a line of text are among them."""
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] == "markdown":
            for token in MarkdownIt("commonmark").parse("".join(cell["source"])):
                yield number, token
                yield from ((number, child) for child in token.children or [])


def texts(notebook):
    """Yield (number of the cell, text) for all that is written in the notebook: sources, outputs and alternatives."""
    for number, cell in enumerate(notebook["cells"], 1):
        yield number, "".join(cell["source"])
    for number, output in outputs(notebook):
        for part in [output.get("text", ""), *output.get("data", {}).values(), *output.get("traceback", [])]:
            if isinstance(part, (str, list)) and not _is_base64(part):
                yield number, "".join(part)


def _is_base64(part):
    text = "".join(part).strip().replace("\n", "")
    try:
        return len(text) > 200 and bool(base64.b64decode(text, validate=True))
    except ValueError:
        return False


def parameters_near_the_top(notebook):
    tagged = [
        number
        for number, cell in enumerate(c for c in notebook["cells"] if c["cell_type"] == "code")
        if "parameters" in cell["metadata"].get("tags", [])
    ]
    if len(tagged) != 1 or tagged[0] > 2:
        yield f"one of the first three code cells, and no other, must have the tag `parameters`; found {tagged}"
    elif not re.search(r"^profile\b.*=", code(notebook)[tagged[0]], re.M):
        yield "the cell tagged `parameters` must set `profile`"
    else:
        for source in code(notebook)[tagged[0] + 1 :]:
            if re.search(r"^\s*profile\s*=[^=]", source, re.M):
                yield f"`profile` is set again, which undoes the injected one: {source.splitlines()[0]!r}"


def no_absolute_paths(notebook):
    for number, text in texts(notebook):
        for found in ABSOLUTE_PATH.finditer(text):
            yield f"cell {number} has an absolute path: {text[found.start() : found.start() + 60]!r}"


def no_registry_hosts(notebook):
    for number, text in texts(notebook):
        for found in REGISTRY.finditer(text):
            yield f"cell {number} names the registry host {found.group()!r}"


def images_have_alternatives(notebook):
    for number, output in outputs(notebook):
        for kind in output.get("data", {}):
            if kind.startswith("image/") and not output["metadata"].get(kind, {}).get("alt", "").strip():
                yield f"an {kind} of cell {number} has no text alternative (metadata `alt`; use ftcourse.figures.show)"
    for number, token in markdown(notebook):
        if token.type == "image" and not token.content.strip():
            yield f"an image in cell {number} has no text alternative"


def headings_in_order(notebook):
    levels = [(number, int(token.tag[1])) for number, token in markdown(notebook) if token.type == "heading_open"]
    if [level for _, level in levels].count(1) != 1 or levels[0][1] != 1:
        yield "the first heading, and no other, must be of level 1"
    for (_, before), (number, level) in zip(levels, levels[1:], strict=False):
        if level > before + 1:
            yield f"the headings jump from level {before} to {level} in cell {number}"


def links_say_where_they_go(notebook):
    link = None
    for number, token in markdown(notebook):
        if token.type == "link_open":
            link = "" if token.info != "auto" else None
            if link is None:
                yield f"cell {number} has the bare address {token.attrs['href']!r} as a link: give it a text"
        elif token.type == "link_close" and link is not None:
            words = link.strip().strip(string.punctuation).lower()
            if not words or words in VAGUE or re.match(r"https?:|www\.", words):
                yield f"the text of a link in cell {number} does not say where it goes: {link!r}"
            link = None
        elif token.type in ("text", "code_inline", "image"):
            if link is not None:
                link += token.content
            elif token.type == "text" and re.search(r"https?://", token.content):
                yield f"cell {number} has a bare address: {token.content.strip()!r}"
        elif token.type in ("html_block", "html_inline") and re.search(r"<a\s", token.content):
            yield f"cell {number} has a link as HTML: write it as Markdown"


def cells_are_short(notebook):
    counts = sorted(len(code_lines(source)) for source in code(notebook) if code_lines(source))
    median, tenth = statistics.median(counts), counts[math.ceil(0.9 * len(counts)) - 1]
    if median > 5:
        yield f"the median cell has {median:g} lines of code, more than 5"
    if tenth > 12:
        yield f"a tenth of the cells have {tenth} lines of code or more, more than 12"


def no_cell_is_long(notebook):
    longest = max(len(code_lines(source)) for source in code(notebook))
    if longest > 20:
        yield f"the longest cell has {longest} lines of code, more than 20"


def less_than_half_is_exported(notebook):
    counts = [(len(code_lines(source)), re.search(r"^#\| export", source, re.M)) for source in code(notebook)]
    share = sum(count for count, exported in counts if exported) / sum(count for count, _ in counts)
    if share > 0.45:
        yield f"{share:.1%} of the lines of code are exported, more than 45 %: move plumbing into a plain module"


def code_lines(source):
    """Return a cell's lines but for the empty ones, comments and docstrings."""
    lines = source.splitlines()
    skipped = set()
    try:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, (ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
                skipped.update(range(node.body[0].lineno, node.body[0].end_lineno + 1))
    except SyntaxError:  # a cell with magics
        pass
    return [
        line
        for number, line in enumerate(lines, 1)
        if number not in skipped and line.strip() and not line.strip().startswith("#")
    ]


def ids_are_unique(notebook):
    ids = [cell.get("id") for cell in notebook["cells"]]
    if repeated := sorted({name for name in ids if ids.count(name) > 1}):
        yield f"several cells have the id {', '.join(repeated)}"


def no_stderr(notebook):
    for number, output in outputs(notebook):
        if output.get("name") == "stderr":
            text = "".join(output["text"]).strip()
            yield f"cell {number} shows stderr, {text[:60]!r}: silence noise at its source, or explain the warning"


def outputs_are_of_this_code(notebook):
    if not list(outputs(notebook)):
        yield "it has no outputs: run `make outputs`"
    elif notebook["metadata"].get("ftcourse", {}).get("code_sha256") != code_sha256(notebook):
        yield "its code is newer than its outputs: run `make outputs`"


def no_errors(notebook):
    for number, output in outputs(notebook):
        if output["output_type"] == "error":
            yield f"cell {number} ended with an error: {output['ename']}"


def has_strict_cells(notebook):
    tags = [tag for cell in notebook["cells"] for tag in cell["metadata"].get("tags", [])]
    marked = re.search(r"^# NBVAL_CHECK_OUTPUT", "\n".join(code(notebook)), re.M)
    if not marked and "nbval-check-output" not in tags:
        yield "no cell is marked NBVAL_CHECK_OUTPUT: mark those whose output is the same in every run"


EVERY = [
    no_absolute_paths,
    no_registry_hosts,
    images_have_alternatives,
    headings_in_order,
    links_say_where_they_go,
    cells_are_short,
    ids_are_unique,
    no_errors,
]
EXERCISE = [*EVERY, parameters_near_the_top, has_strict_cells]
LESSON = [*EXERCISE, no_cell_is_long, less_than_half_is_exported, no_stderr]
