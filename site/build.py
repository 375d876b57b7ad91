"""Build the web site: ``python site/build.py`` writes the source of its pages and the site into build/.

It needs the packages of `site_requirements` in settings.ini, and neither a network nor the course's own requirements.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import check
import pages

HERE = Path(__file__).resolve().parent


def main() -> int:
    """Build the site and return the exit code; warnings of Sphinx, such as links that lead nowhere, are errors."""
    from sphinx.cmd.build import main as sphinx

    began, build = time.monotonic(), pages.ROOT / "build"
    source, site = build / "site-source", build / "site"
    pages.write_source(source)
    options = ["-b", "html", "-q", "-W", "--keep-going", "-c", str(HERE), "-d", str(build / "site-doctrees")]
    if code := sphinx([*options, str(source), str(site)]):
        return code
    print(f"{len(check.pages_of(site))} pages in {time.monotonic() - began:.0f} s: {site / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
