"""What the service knows: one SQLite table for files, jobs, events, checkpoints and models, and a folder for content.

The service and its trainers read and write it at the same time; SQLite's write-ahead log keeps them apart. An object is
kept as the JSON that clients see, and beside it what they do not see (`private`).
"""

import json
import os
import secrets
import shutil
import sqlite3
import string
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

from .settings import make_private_folder

Json = dict[str, Any]  # an object as JSON has it

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
  seq INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL,
  id TEXT NOT NULL,
  org TEXT NOT NULL,
  parent TEXT NOT NULL,
  object TEXT NOT NULL,
  private TEXT NOT NULL,
  UNIQUE (kind, id)
);
CREATE INDEX IF NOT EXISTS pages ON objects (kind, org, parent, seq);
"""


class Row(NamedTuple):
    """An object as the store keeps it: what clients see (`object`), and what they do not."""

    seq: int
    id: str
    org: str
    parent: str
    object: Json
    private: Json


_COLUMNS = ", ".join(Row._fields)


def new_id(prefix: str, length: int = 24) -> str:
    """Return a random id such as ``file-4kQ…``.

    Args:
        prefix: what it begins with.
        length: number of random letters and digits.
    """
    return prefix + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def now() -> int:
    """Return the time in whole seconds, as the API counts it."""
    return int(time.time())


class Store:
    """The objects of one home folder, which is made if there is none."""

    def __init__(self, home: str | os.PathLike[str]) -> None:
        self.home = Path(home)
        for name in ("files", "jobs", "models"):
            make_private_folder(self.home / name)
        os.close(os.open(self.home / "service.sqlite3", os.O_RDWR | os.O_CREAT, 0o600))
        self._local = threading.local()
        # Kept open for as long as the store: with the last connection SQLite's log would go, and on a full disk no
        # other could be opened, not even to delete something.
        self._kept = self._open()
        self._kept.execute("PRAGMA journal_mode=WAL")
        self._kept.executescript(_SCHEMA)

    def _open(self) -> sqlite3.Connection:
        """Return a new connection to the database."""
        path = self.home / "service.sqlite3"
        return sqlite3.connect(path, timeout=60, isolation_level=None, check_same_thread=False)

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Let all that is done inside happen together or not at all; inside another one, it is part of that one."""
        outer = getattr(self._local, "db", None)
        if outer:
            yield outer
            return
        self._local.db = db = self._open()
        try:
            db.execute("BEGIN IMMEDIATE")
            yield db
            db.execute("COMMIT")
        finally:
            self._local.db = None
            db.close()  # takes back what was not committed

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        """Read what was last written, without waiting for whoever writes."""
        outer = getattr(self._local, "db", None)
        db = outer or self._open()
        try:
            yield db
        finally:
            if not outer:
                db.close()

    def add(self, kind: str, object: Json, org: str, parent: str = "", private: Json | None = None) -> Json:
        """Add an object and return it; one of the same kind and id stays as it is.

        Args:
            kind: "file", "job", "event", "checkpoint" or "model".
            object: as clients see it, with its id.
            org: organisation that it belongs to.
            parent: id of the job that it belongs to, if it is an event or a checkpoint.
            private: what clients do not see.
        """
        with self.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO objects (kind, id, org, parent, object, private) VALUES (?, ?, ?, ?, ?, ?)",
                (kind, object["id"], org, parent, json.dumps(object), json.dumps(private or {})),
            )
        return object

    def get(self, kind: str, id: str, org: str | None = None) -> Row | None:
        """Return the row of an object, or None if there is none.

        Args:
            kind: of the object.
            id: of the object.
            org: organisation that it must belong to; by default any.
        """
        with self._reading() as db:
            found = db.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE kind = ? AND id = ? AND org = ifnull(?, org)", (kind, id, org)
            ).fetchone()
        return _row(found) if found else None

    def job(self, id: str) -> Row:
        """Return the row of a job.

        Args:
            id: one of this store's.

        Raises:
            KeyError: if there is none.
        """
        row = self.get("job", id)
        if row is None:
            raise KeyError(id)
        return row

    def all(self, kind: str, org: str | None = None, parent: str | None = None) -> list[Row]:
        """Return the rows of a kind, oldest first.

        Args:
            kind: of the objects.
            org: organisation that they must belong to; by default any.
            parent: id of what they must belong to; by default any.
        """
        with self._reading() as db:
            found = db.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE kind = ? AND org = ifnull(?, org) "
                "AND parent = ifnull(?, parent) ORDER BY seq",
                (kind, org, parent),
            ).fetchall()
        return [_row(row) for row in found]

    def page(
        self,
        kind: str,
        org: str,
        parent: str = "",
        *,
        after: str | None = None,
        limit: int = 20,
        newest_first: bool = True,
        fields: dict[str, str] | None = None,
        metadata: dict[str, str] | None = None,
    ) -> tuple[list[Json], bool]:
        """Return some of the objects of an organisation in order, and whether there are more.

        Args:
            kind: of the objects.
            org: the organisation.
            parent: id of what they belong to.
            after: id of the object after which the page begins.
            limit: how many.
            newest_first: the order.
            fields: values that fields of the objects must have.
            metadata: values that their metadata must have.

        Raises:
            KeyError: if there is no object `after`.
        """
        query = f"SELECT {_COLUMNS} FROM objects WHERE kind = ? AND org = ? AND parent = ?"
        values: list[Any] = [kind, org, parent]
        for where, wanted in (("$", fields or {}), ("$.metadata", metadata or {})):
            for key, value in wanted.items():
                query += f" AND EXISTS (SELECT 1 FROM json_each(object, '{where}') WHERE key = ? AND value = ?)"
                values += [key, value]
        with self._reading() as db:
            if after is not None:
                start = db.execute(
                    "SELECT seq FROM objects WHERE kind = ? AND id = ? AND org = ? AND parent = ?",
                    (kind, after, org, parent),
                ).fetchone()
                if start is None:
                    raise KeyError(after)
                query += f" AND seq {'<' if newest_first else '>'} ?"
                values += start
            query += f" ORDER BY seq {'DESC' if newest_first else 'ASC'} LIMIT ?"
            found = db.execute(query, [*values, limit + 1]).fetchall()
        return [_row(row).object for row in found[:limit]], len(found) > limit > 0  # after nothing nobody can go on

    def update(
        self, kind: str, id: str, *, expect: Sequence[str] | None = None, private: Json | None = None, **fields: Any
    ) -> bool:
        """Change fields of an object, and return whether it was done.

        Args:
            kind: of the object.
            id: of the object.
            expect: statuses of which it must have one; by default any.
            private: values of fields that clients do not see.
            **fields: values of fields that they see.
        """
        with self.transaction() as db:
            row = self.get(kind, id)
            if row is None or expect and row.object["status"] not in expect:
                return False
            db.execute(
                "UPDATE objects SET object = ?, private = ? WHERE seq = ?",
                (json.dumps(row.object | fields), json.dumps(row.private | (private or {})), row.seq),
            )
            return True

    def delete(self, kind: str, id: str, org: str | None = None) -> Row | None:
        """Delete an object and return its row; None if there was none.

        Args:
            kind: of the object.
            id: of the object.
            org: organisation that it must belong to; by default any.
        """
        with self.transaction() as db:
            row = self.get(kind, id, org)
            if row:
                db.execute("DELETE FROM objects WHERE seq = ?", (row.seq,))
            return row

    def add_event(self, job_id: str, message: str, level: str = "info", data: Json | None = None) -> None:
        """Add an event to a job.

        Args:
            job_id: id of the job.
            message: a sentence.
            level: "info", "warn" or "error".
            data: metrics of a step, if it is about one.
        """
        event = {
            "id": new_id("ftevent-"),
            "object": "fine_tuning.job.event",
            "created_at": now(),
            "level": level,
            "message": message,
            "type": "metrics" if data else "message",
            "data": data or {},
        }
        self.add("event", event, self.job(job_id).org, job_id)

    def add_file(self, source: BinaryIO, filename: str, purpose: str, org: str, expires_at: int | None = None) -> Json:
        """Keep the content of a file, then its object, and return that.

        Args:
            source: open binary file, which is copied piece by piece: it may be larger than the memory.
            filename: its name, which is only ever text.
            purpose: what it is for.
            org: organisation that it belongs to.
            expires_at: when it is to be deleted, in seconds; by default never.
        """
        id = new_id("file-")
        partial = self.home / "files" / f".{id}"
        try:
            with open(partial, "wb") as target:
                shutil.copyfileobj(source, target, 1 << 20)
                size = target.tell()
            os.replace(partial, self.content(id))
        finally:
            partial.unlink(missing_ok=True)
        return self.add(
            "file",
            {
                "id": id,
                "object": "file",
                "bytes": size,
                "created_at": now(),
                "filename": filename,
                "purpose": purpose,
                "status": "processed",
                "status_details": None,
                "expires_at": expires_at,
            },
            org,
        )

    def delete_file(self, id: str) -> None:
        """Delete a file, its content first: where the disk is full, that makes room for the rest.

        Args:
            id: of the file.
        """
        self.content(id).unlink(missing_ok=True)
        self.delete("file", id)

    def content(self, file_id: str) -> Path:
        """Return the path of a file's content.

        Args:
            file_id: one of this store's, never one that a client sent.
        """
        return self.home / "files" / file_id

    def job_folder(self, job_id: str) -> Path:
        """Return the folder of a job.

        Args:
            job_id: one of this store's.
        """
        return self.home / "jobs" / job_id

    def job_files(self, job_id: str) -> dict[str, Path]:
        """Return the paths of a job's own copies of its files, by the names of the job's fields for them.

        Args:
            job_id: one of this store's.
        """
        paths = {name: self.job_folder(job_id) / f"{name}.jsonl" for name in ("training_file", "validation_file")}
        return {name: path for name, path in paths.items() if path.exists()}

    def drop_job_files(self, job_id: str) -> None:
        """Delete what only the training of a job needed: its copies, and what an unfinished step left.

        Args:
            job_id: one of this store's, of a job that has ended.
        """
        for path in self.job_files(job_id).values():
            path.unlink(missing_ok=True)
        for name in ("training", "adapter"):
            shutil.rmtree(self.job_folder(job_id) / name, ignore_errors=True)


def _row(found: tuple[Any, ...]) -> Row:
    """Return a row of the database with its objects parsed."""
    seq, id, org, parent, object, private = found
    return Row(seq, id, org, parent, json.loads(object), json.loads(private))
