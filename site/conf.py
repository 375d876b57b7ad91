"""Settings of Sphinx for the web site. `build.py` writes the source of its pages and starts Sphinx."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from docutils import nodes
from docutils.utils.math import latex2mathml

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "ftcourse"
author = "The ftcourse authors"
project_copyright = "2026, The ftcourse authors"
language = "en"

extensions = ["myst_nb"]
exclude_patterns: list[str] = []
myst_enable_extensions = ["dollarmath", "html_image", "colon_fence"]
myst_heading_anchors = 4
nb_execution_mode = "off"  # the outputs are those that are committed
nb_render_markdown_format = "gfm"  # CommonMark alone has no tables
add_module_names = False

html_theme = "sphinx_book_theme"
html_title = "ftcourse"
html_static_path = ["static"]
html_css_files = ["course.css"]
templates_path = ["templates"]
html_copy_source = False
html_show_sourcelink = False
html_math_renderer = "mathml"
html_theme_options = {
    "max_navbar_depth": 1,  # the reference has an index of its own
    "use_download_button": False,
    "use_fullscreen_button": False,
    "show_toc_level": 2,
    "search_bar_text": "Search the course",
    "pygments_light_style": "a11y-high-contrast-light",
    "pygments_dark_style": "a11y-high-contrast-dark",
}


def mathml(text: str, block: bool) -> str:
    """Return a formula as MathML, which browsers draw without a script.

    Args:
        text: of the formula, in LaTeX.
        block: whether it stands on a line of its own.
    """
    return latex2mathml.tex2mathml(html.unescape(text), as_block=block)


def visit_inline(self: Any, node: nodes.math) -> None:
    """Write a formula within a line."""
    self.body.append(mathml(node.astext(), block=False))
    raise nodes.SkipNode


def visit_block(self: Any, node: nodes.math_block) -> None:
    """Write a formula on a line of its own."""
    self.body.append(f'<div class="math">{mathml(node.astext(), block=True)}</div>')
    raise nodes.SkipNode


def drop_plain_spans(app: Sphinx, page: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """Leave out the marks of names, points and blanks in code, which look like the rest: a third of a lesson's page."""
    if "body" in context:
        context["body"] = re.sub(r'<span class="[npw]">([^<]*)</span>', r"\1", context["body"])


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the renderer of formulas, and what makes pages smaller."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.connect("html-page-context", drop_plain_spans)
    return {"parallel_read_safe": True}
