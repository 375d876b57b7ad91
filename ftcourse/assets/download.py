"""Fetch one file of a package index through the user's own pip settings, without installing it or running its code.

Only `cache.py` uses this module, and imports it when something really has to be fetched: its imports are slow.
"""

from __future__ import annotations

import logging
import os
import re
import ssl
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.request import getproxies, proxy_bypass

import httpx2
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn
from unearth import PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers import PyPIClient

from ..errors import CourseError
from ..tools import environment

if TYPE_CHECKING:
    from rich.console import Console
    from unearth import Link

    from .pins import Asset


PAUSES = (1, 2, 5)  # seconds before each new try; counted afresh whenever a try got further than those before it


class _TryAgain(Exception):
    """A failure that may pass: the network is down, the server is busy."""


class _GiveUp(Exception):
    """A failure that trying again does not mend."""


def download(name: str, asset: Asset, part: Path, console: Console) -> None:
    """Download the file of an asset, or as much of its beginning as is needed, continuing from what is there already.

    Args:
        name: name of the asset, for messages.
        asset: the `Asset`; its first `asset.needed` bytes are fetched.
        part: path of the file to write. It stays when the download is interrupted, and the next call resumes it.
        console: rich console for the progress bar.

    Raises:
        CourseError: if the file cannot be found or fetched, naming what was tried and the remedies.
        OSError: if `part` cannot be written.
    """
    finder: Any = _finder(_pip_settings())
    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    link, pauses, furthest = None, list(PAUSES), _size(part)
    with finder.session, Progress(*columns, TimeRemainingColumn(), console=console) as progress:
        bar = progress.add_task(name, total=asset.needed)
        while True:
            try:
                link = link or _find_link(asset, finder)
                _receive(finder.session, link, part, asset.needed, lambda done: progress.update(bar, completed=done))
                return
            except (_TryAgain, _GiveUp, httpx2.HTTPError) as error:
                reason = f"{link.url_without_fragment}: " if link else ""
                reason = re.sub(r"//\S*@", "//***@", reason + (str(error) or type(error).__name__))  # no passwords
                if _size(part) > furthest:
                    furthest, pauses = _size(part), list(PAUSES)
                if isinstance(error, _GiveUp) or not pauses:
                    raise CourseError(
                        f"Cannot fetch {asset.file} for the asset {name}. Tried: {reason}. Connect to the network, or "
                        f"check the index, proxy and credentials that pip is set to (python -m pip config list), and "
                        f"try again; or put the file {asset.file} into a folder DIR and run "
                        f"`ftcourse setup --from DIR`."
                    ) from None
            console.print(f"{name}: {reason}. Trying again in {pauses[0]} s.", markup=False, soft_wrap=True)
            time.sleep(pauses.pop(0))


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _pip_settings() -> dict[str, str]:
    """Return what pip is set to for downloads, option name to text."""
    try:
        return environment.read_pip_settings(Path(sys.executable), ("global.", "install.", "download."))
    except ValueError as error:
        raise CourseError(str(error)) from None


def _finder(settings: dict[str, str]) -> PackageFinder:
    """Return a finder of packages that uses the index, proxy, certificates and credentials of pip's settings."""
    default_index = PackageFinder().sources[0]["url"]  # unearth knows the public index
    uv_index = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL")
    indexes = [settings.get("index-url") or uv_index or default_index, *settings.get("extra-index-url", "").split()]
    if settings.get("no-index", "").lower() in ("1", "true", "t", "yes", "y", "on"):
        indexes = []
    trusted = settings.get("trusted-host", "").split()
    finder = PackageFinder(_client(settings, trusted, indexes), trusted_hosts=trusted, ignore_compatibility=True)
    finder.sources = [{"url": place, "type": "find_links"} for place in settings.get("find-links", "").split()]
    finder.sources += [{"url": url, "type": "index"} for url in indexes]
    return finder


def _client(settings: dict[str, str], trusted: list[str], indexes: list[str]) -> Any:
    proxy = settings.get("proxy")
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    certificates = settings.get("cert") or os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE")
    try:
        verify = httpx2.create_ssl_context()
        if certificates:
            folder = os.path.isdir(certificates)
            verify = ssl.create_default_context(
                cafile=None if folder else certificates, capath=certificates if folder else None
            )
        if settings.get("client-cert"):
            verify.load_cert_chain(settings["client-cert"])
        # unearth reaches trusted hosts past the proxy; with these routes it does not.
        routes = {
            f"all://{host}": httpx2.HTTPTransport(verify=False, proxy=proxy or _proxy_of_environment(host))
            for host in trusted
        }
        client = PyPIClient(
            trusted_hosts=trusted,
            mounts=routes,
            proxy=proxy,
            verify=verify,
            follow_redirects=True,
            timeout=float(settings.get("timeout") or settings.get("default-timeout") or 15),
        )
    except (OSError, ValueError, ImportError, httpx2.InvalidURL) as error:
        # The text of the error may hold the password of a proxy: name its type alone.
        raise CourseError(
            f"The network settings cannot be used ({type(error).__name__}): the certificate file, the proxy or the "
            f"timeout is not valid. Look at `python -m pip config list` and at the variables HTTPS_PROXY, HTTP_PROXY, "
            f"REQUESTS_CA_BUNDLE and SSL_CERT_FILE, correct them, and try again."
        ) from None
    client.auth = MultiDomainBasicAuth(prompting=False, index_urls=indexes)
    return client


def _proxy_of_environment(host: str) -> str | None:
    proxies = getproxies()
    proxy = None if proxy_bypass(host) else proxies.get("https") or proxies.get("http") or proxies.get("all")
    return proxy and (proxy if "://" in proxy else f"http://{proxy}")


def _find_link(asset: Asset, finder: PackageFinder) -> Link:
    """Return the link of the asset's file, whatever platform it is for, from the first source that has it."""
    passing, unhashed, sources = False, None, finder.sources
    tried: list[str] = []

    class Listener(logging.Handler):  # unearth only logs an answer such as 404
        def emit(self, record: logging.LogRecord) -> None:
            tried.append(record.getMessage())

    listener = Listener()
    logger = logging.getLogger("unearth")
    logger.addHandler(listener)
    logger.propagate = False
    try:
        for source in sources:
            finder.sources = [source]  # one at a time: a source that fails must not hide the others
            try:
                for match in finder.find_matches(f"{asset.package}=={asset.version}"):
                    link, published = match.link, (match.link.hash_option or {}).get("sha256", [None])[0]
                    if link.filename == asset.file and published == asset.sha256:
                        return link
                    if link.filename == asset.file and published:
                        tried.append(f"{source['url']} has it with SHA-256 {published}, expected {asset.sha256}")
                    elif link.filename == asset.file:
                        unhashed = unhashed or link
            except httpx2.HTTPError as error:
                passing = True
                tried.append(f"{source['url']}: {str(error) or type(error).__name__}")
            except (ValueError, OSError, httpx2.InvalidURL) as error:
                tried.append(f"{source['url']} cannot be read ({type(error).__name__})")
    finally:
        finder.sources = sources
        logger.removeHandler(listener)
        logger.propagate = True
    if unhashed:
        return unhashed
    passing = passing or any("Server Error" in line for line in tried)
    places = ", ".join(source["url"] for source in sources) or "no index, as pip is set to no-index"
    raise (_TryAgain if passing else _GiveUp)("; ".join(tried) or f"{places}, without finding that file")


def _receive(client: Any, link: Link, part: Path, needed: int, advance: Callable[[int], None]) -> None:
    """Append to `part` what it lacks of the first `needed` bytes, or start it anew if the server cannot resume."""
    have = _size(part)
    headers = {"Accept-Encoding": "identity"}  # an archive must not be unpacked on the way
    if have:
        headers["Range"] = f"bytes={have}-{needed - 1}"
    with client.stream("GET", link.url_without_fragment, headers=headers) as response:
        resumed = response.status_code == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")
        if have and not resumed and response.status_code in (206, 416):
            part.unlink()
            raise _TryAgain("the server did not continue where the download was broken off, so it starts anew")
        if response.status_code == 429 or response.status_code >= 500:
            raise _TryAgain(f"the server answered {response.status_code} {response.reason_phrase}")
        if response.status_code not in (200, 206):
            raise _GiveUp(f"the server answered {response.status_code} {response.reason_phrase}")
        done = have if resumed else 0
        with open(part, "ab" if resumed else "wb") as file:
            for chunk in response.iter_raw():
                done += file.write(chunk[: needed - done])
                advance(done)
                if done == needed:
                    return
    raise _TryAgain(f"it ended after {done:,} of {needed:,} bytes")
