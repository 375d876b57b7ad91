"""A mirror of the model hub on this machine: how a hub answers.

It lets a test run the code of profile ``full`` as it is, with `HF_ENDPOINT` pointing here. The server serves folders,
which `hub_repositories` writes, and knows nothing else about them. Every revision a client asks for, "main" or a pinned
commit, is the same folder.
"""

import hashlib
import os
import re
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace
from urllib.parse import parse_qs

MAIN_COMMIT = hashlib.sha1(b"main").hexdigest()
KNOWN_REVISION = re.compile(r"main|[0-9a-f]{40}|refs/convert/parquet")


def make_app(root, requests):
    """Return the application that serves the folders of `root` and appends (method, path, status) to `requests`."""
    from fastapi import FastAPI, Request
    from fastapi.responses import FileResponse

    app = FastAPI()

    @app.middleware("http")
    async def note(request, call_next):
        response = await call_next(request)
        requests.append((request.method, request.url.path, response.status_code))
        return response

    @app.get("/api/{kind}/{repository:path}/tree/{tail:path}")
    def tree(kind: str, repository: str, tail: str, recursive: bool = False):
        revision, path = split_revision(tail)
        folder, commit = find(root / kind / repository, revision)
        if not (folder / path).is_dir():
            raise refusal("EntryNotFound", commit)
        return [describe(entry, folder) for entry in sorted((folder / path).glob("**/*" if recursive else "*"))]

    @app.post("/api/{kind}/{repository:path}/paths-info/{revision:path}")
    async def paths_info(kind: str, repository: str, revision: str, request: Request):
        folder, _ = find(root / kind / repository, revision)
        paths = parse_qs((await request.body()).decode()).get("paths", [])
        return [describe(folder / path, folder) for path in paths if (folder / path).exists()]

    @app.get("/api/{kind}/{repository:path}")
    @app.get("/api/{kind}/{repository:path}/revision/{revision:path}")
    def info(kind: str, repository: str, revision: str = "main"):
        folder, commit = find(root / kind / repository, revision)
        files = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
        siblings = [{"rfilename": name} for name in files]
        return {"id": repository, "sha": commit, "private": False, "gated": False, "tags": [], "siblings": siblings}

    @app.api_route("/datasets/{repository:path}/resolve/{tail:path}", methods=["GET", "HEAD"])
    def resolve_dataset(repository: str, tail: str):
        return resolve(root / "datasets" / repository, tail)

    @app.api_route("/{repository:path}/resolve/{tail:path}", methods=["GET", "HEAD"])
    def resolve_model(repository: str, tail: str):
        return resolve(root / "models" / repository, tail)

    def resolve(repository, tail):
        revision, path = split_revision(tail)
        folder, commit = find(repository, revision)
        if not (folder / path).is_file():
            raise refusal("EntryNotFound", commit)
        return FileResponse(folder / path, headers={"X-Repo-Commit": commit, "ETag": f'"{oid(folder / path)}"'})

    return app


def find(folder, revision):
    """Return the folder of a repository and the commit that a revision stands for, or raise what the hub answers."""
    if not folder.is_dir():
        raise refusal("RepoNotFound")
    if not KNOWN_REVISION.fullmatch(revision):
        raise refusal("RevisionNotFound")
    return folder, revision if re.fullmatch("[0-9a-f]{40}", revision) else MAIN_COMMIT


def refusal(code, commit=None):
    """Return the exception with which a route answers 404, in the headers by which the hub's clients tell why."""
    from fastapi import HTTPException

    return HTTPException(404, headers={"X-Error-Code": code} | ({"X-Repo-Commit": commit} if commit else {}))


def describe(path, folder):
    """Return what the hub says of a file or a folder in a repository."""
    entry = {"path": path.relative_to(folder).as_posix(), "oid": oid(path), "size": 0, "type": "directory"}
    entry["lastCommit"] = {"id": MAIN_COMMIT, "title": "first", "date": "2026-01-01T00:00:00.000Z"}
    return entry | ({"type": "file", "size": path.stat().st_size} if path.is_file() else {})


def split_revision(tail):
    """Split "main/config.json" into revision and path; the revision refs/convert/parquet has slashes of its own."""
    parts = tail.split("/")
    count = 3 if parts[0] == "refs" else 1
    return "/".join(parts[:count]), "/".join(parts[count:])


def oid(path):
    """Return a hash that names the content of a file, or the name of a folder."""
    return hashlib.sha1(path.read_bytes() if path.is_file() else str(path).encode()).hexdigest()


@contextmanager
def serve(root):
    """Serve the repositories under `root`, and yield a namespace with `url` and `requests`, the list of those made."""
    import uvicorn

    requests = []
    config = uvicorn.Config(make_app(root, requests), host="127.0.0.1", port=0, log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive(), "the mirror did not start"
            time.sleep(0.01)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield SimpleNamespace(url=f"http://127.0.0.1:{port}", requests=requests)
    finally:
        server.should_exit = True
        thread.join(timeout=10)


def environment(url, home, torch_home):
    """Return the environment of a child process whose model hub is the mirror and whose caches are under `home`.

    torchvision finds its weights in `torch_home`, where `write_torchvision_weights` wrote them.
    """
    return {
        **os.environ,
        "HF_ENDPOINT": url,
        "HF_HOME": str(home),
        "TORCH_HOME": str(torch_home),
        "HF_HUB_OFFLINE": "0",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",
        "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    }
