"""Check the built site: ``python site/check.py`` for all pages, or with names of pages for some.

Links and their anchors lead somewhere. In chromium, on light and on dark pages, axe has no finding that is moderate or
worse; no page is wider than a phone; no request leaves the site; a first load stays under a megabyte without pictures.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import http.server
import shutil
import sys
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

SITE = Path(__file__).resolve().parents[1] / "build" / "site"
LIMIT = 1_000_000  # bytes of a first load, without pictures and without compression
DESK, PHONE = 1280, 390  # pixels
SERIOUS = ("moderate", "serious", "critical")


class Links(HTMLParser):
    """The links of a page, and the names of its places."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep what the tag points to and how it is called."""
        given = dict(attrs)
        self.links += [link for key in ("href", "src") if (link := given.get(key))]
        self.places |= {name for key in ("id", "name") if (name := given.get(key))}


def read(path: Path) -> Links:
    """Return the links of a page.

    Args:
        path: of the page.
    """
    links = Links()
    links.feed(path.read_text(encoding="utf-8"))
    return links


def pages_of(site: Path) -> list[Path]:
    """Return the pages of a site, without the theme's own files.

    Args:
        site: its folder.
    """
    return [path for path in sorted(site.rglob("*.html")) if "_static" not in path.relative_to(site).parts]


def dead_links(site: Path) -> Iterator[str]:
    """Yield the links that lead nowhere within a site.

    Args:
        site: its folder.
    """
    pages = {path: read(path) for path in pages_of(site)}
    for page, found in pages.items():
        for link in found.links:
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            place = unquote(parts.fragment)
            if not target.is_file() or (place and target in pages and place not in pages[target].places):
                yield f"{page.relative_to(site)}: the link {link} leads nowhere"


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Files of the site, without a line for each."""

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@contextlib.contextmanager
def serve(site: Path) -> Iterator[str]:
    """Serve a site on this machine while the block runs, and give its address.

    Args:
        site: its folder.
    """
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=site))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()


def look(browser: Any, address: str, name: str) -> tuple[list[str], int]:
    """Return what is wrong with a page, and the bytes of its first load without pictures.

    Args:
        browser: of playwright.
        address: of the site.
        name: of the page, such as ``index.html``.
    """
    from axe_playwright_python.sync_playwright import Axe

    sizes: list[int] = []
    faults: list[str] = []
    page = browser.new_page(viewport={"width": DESK, "height": 900}, reduced_motion="reduce", color_scheme="light")

    def answered(response: Any) -> None:
        if not response.url.startswith((address, "data:")):
            faults.append(f"asks {response.url}, which is outside")
        elif response.request.resource_type != "image":
            sizes.append(int(response.headers.get("content-length", 0)))

    page.on("response", answered)
    page.on("pageerror", lambda error: faults.append(f"a script fails: {error}"))
    page.goto(f"{address}/{name}", wait_until="load")
    for theme in ("light", "dark"):
        page.evaluate(f"document.documentElement.dataset.theme = document.documentElement.dataset.mode = '{theme}'")
        for finding in Axe().run(page).response["violations"]:
            if finding["impact"] in SERIOUS:
                where = "; ".join(node["html"][:120] for node in finding["nodes"][:3])
                count = len(finding["nodes"])
                faults.append(f"axe on {theme}, {finding['impact']}: {finding['id']} in {count} places: {where}")
    page.set_viewport_size({"width": PHONE, "height": 900})
    if (wide := page.evaluate("document.documentElement.scrollWidth")) > PHONE:
        faults.append(f"is {wide} pixels wide on a phone of {PHONE}")
    page.close()
    if sum(sizes) > LIMIT:
        faults.append(f"takes {sum(sizes):,} bytes at first")
    return [f"{name}: {fault}" for fault in faults], sum(sizes)


def main() -> int:
    """Check the site, say what is wrong and return the exit code."""
    parser = argparse.ArgumentParser(description="Check the built site in build/site.")
    parser.add_argument("pages", nargs="*", help="pages such as index.html; by default all")
    names = parser.parse_args().pages or [path.relative_to(SITE).as_posix() for path in pages_of(SITE)]
    if not SITE.is_dir():
        parser.error("there is no build/site: run `make site` first")
    from playwright.sync_api import sync_playwright

    faults, largest = list(dead_links(SITE)), (0, "")
    print("\n".join(faults))
    with serve(SITE) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for number, name in enumerate(names, 1):
            print(f"{number}/{len(names)} {name}", end="\r", file=sys.stderr)
            found, size = look(browser, address, name)
            faults += found
            largest = max(largest, (size, f"{size:,} bytes, {name}"))
            print("\n".join(found), end="\n" * bool(found), flush=True)
        browser.close()
    print(f"{len(names)} pages, {len(faults)} faults; the largest first load without pictures: {largest[1]}")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
