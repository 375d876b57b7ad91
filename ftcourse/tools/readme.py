"""What README says in numbers: the chart of the results, the table of the lessons and the first commands.

``python -m ftcourse.checks.build`` writes them between their markers, and the chart for light and dark pages.
"""

from __future__ import annotations

import io
import re
from configparser import ConfigParser
from pathlib import Path
from xml.sax.saxutils import quoteattr

from .. import overview
from ..errors import CourseError
from ..figures.overview import results_figure
from ..files import write_atomically

PICTURES = {"light": "#1F2328", "dark": "#F0F6FC"}  # of the page, and the colour of the words on it
FIRST = "03_text_classification"  # the lesson that the first command runs


def put_readme(root: str | Path, folder: overview.Folder = None) -> None:
    """Write the parts of README that are made, in place of those that are there, and the pictures.

    Args:
        root: folder of the repository.
        folder: of the records; by default those that are committed.
    """
    path = Path(root) / "README.md"
    text = path.read_text(encoding="utf-8")
    for name, part in readme_parts(root, folder).items():
        before, opened, rest = text.partition(f"<!-- made: {name} -->\n")
        _, closed, after = rest.partition("<!-- end -->")
        if not closed:
            raise CourseError(f"{path} needs the lines `<!-- made: {name} -->` and `<!-- end -->`: add them.")
        text = f"{before}{opened}{part}\n{closed}{after}"
    for theme in PICTURES:
        if found := overview.results(folder):
            write_atomically(_picture(root, theme), draw(found, theme))
        else:
            _picture(root, theme).unlink(missing_ok=True)
    write_atomically(path, text.encode())


def readme_parts(root: str | Path, folder: overview.Folder = None) -> dict[str, str]:
    """Return the parts of README that are made, a dict name -> Markdown.

    Args:
        root: folder of the repository, whose settings.ini has its address.
        folder: of the records; by default those that are committed.
    """
    settings = ConfigParser(delimiters=["="], interpolation=None)
    settings.read(Path(root) / "settings.ini", encoding="utf-8")
    ini, found = settings["DEFAULT"], overview.results(folder)
    light, dark = (_picture("", theme).as_posix() for theme in PICTURES)
    picture = (
        f'<picture>\n<source media="(prefers-color-scheme: dark)" srcset="{dark}">\n'
        f'<img src="{light}" alt={quoteattr(overview.alternative(found))}>\n</picture>\n\n{overview.reading(found)}'
    )
    first = f"make lessons LESSONS={FIRST[:2]}"
    start = (
        f"```\ngit clone {ini['git_url']}\ncd {ini['repo']}\n"
        f"{first}     # a first fine-tuned model: sets up, fetches {overview.download([FIRST])} MB, trains, names an "
        "HTML report\n"
        f"{'make test':{len(first)}}     # sets up and runs the tests, every notebook included\n```"
    )
    lessons = f"{overview.table('nbs/', folder)}\n\n{overview.notes(folder)}"
    return {"picture": picture if found else "", "lessons": lessons, "start": start}


def draw(found: list[overview.Result], theme: str) -> bytes:
    """Return the chart of the results as SVG, with its words as text; the same bytes each time.

    Args:
        found: from `ftcourse.overview.results`.
        theme: of the page, one of `PICTURES`.
    """
    import matplotlib.pyplot as plt

    same = {"svg.fonttype": "none", "svg.hashsalt": "ftcourse", "font.family": "sans-serif"}
    buffer = io.BytesIO()
    with plt.style.context(["default", same], after_reset=True):
        figure = results_figure(found, PICTURES[theme])
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
        plt.close(figure)
    return re.sub(rb"[ \t]+$", b"", buffer.getvalue(), flags=re.M)


def _picture(root: str | Path, theme: str) -> Path:
    return Path(root) / ".github" / f"results-{theme}.svg"
