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
from collections import namedtuple
from contextlib import contextmanager
from pathlib import Path

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

Row = namedtuple("Row", "seq id org parent object private")
_COLUMNS = ", ".join(Row._fields)


def new_id(prefix, length=24):
    """Return a random id such as ``file-4kQ…``."""
    return prefix + "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(length))


def now():
    """Return the time in whole seconds, as the API counts it."""
    return int(time.time())


class Store:
    """The objects of one home folder."""

    def __init__(self, home):
        self.home = Path(home)
        for name in ("files", "jobs", "models"):
            (self.home / name).mkdir(parents=True, exist_ok=True)
        self._local = threading.local()
        db = self._open()
        db.execute("PRAGMA journal_mode=WAL")
        db.executescript(_SCHEMA)
        db.close()

    def _open(self):
        return sqlite3.connect(self.home / "service.sqlite3", timeout=60, isolation_level=None)

    @contextmanager
    def transaction(self):
        """All that is done inside happens together or not at all; inside another one, it is part of that one."""
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
    def _reading(self):
        """Read what was last written, without waiting for whoever writes."""
        outer = getattr(self._local, "db", None)
        db = outer or self._open()
        try:
            yield db
        finally:
            if not outer:
                db.close()

    def add(self, kind, object, org, parent="", private=None):
        """Add an object; one of the same kind and id stays as it is."""
        with self.transaction() as db:
            db.execute(
                "INSERT OR IGNORE INTO objects (kind, id, org, parent, object, private) VALUES (?, ?, ?, ?, ?, ?)",
                (kind, object["id"], org, parent, json.dumps(object), json.dumps(private or {})),
            )
        return object

    def get(self, kind, id, org=None):
        """Return the row of an object, or None if there is none; with `org`, only of that organisation."""
        with self._reading() as db:
            found = db.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE kind = ? AND id = ? AND org = ifnull(?, org)", (kind, id, org)
            ).fetchone()
        return _row(found) if found else None

    def all(self, kind, org=None, parent=None):
        """Return the rows of a kind, oldest first."""
        with self._reading() as db:
            found = db.execute(
                f"SELECT {_COLUMNS} FROM objects WHERE kind = ? AND org = ifnull(?, org) "
                "AND parent = ifnull(?, parent) ORDER BY seq",
                (kind, org, parent),
            ).fetchall()
        return [_row(row) for row in found]

    def page(self, kind, org, parent="", *, after=None, limit=20, newest_first=True, fields=None, metadata=None):
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
        values = [kind, org, parent]
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
        return [_row(row).object for row in found[:limit]], len(found) > limit

    def update(self, kind, id, *, expect=None, private=None, **fields):
        """Change fields of an object; with `expect`, only if its status is one of those. Return whether it was done."""
        with self.transaction() as db:
            row = self.get(kind, id)
            if row is None or expect and row.object["status"] not in expect:
                return False
            db.execute(
                "UPDATE objects SET object = ?, private = ? WHERE seq = ?",
                (json.dumps(row.object | fields), json.dumps(row.private | (private or {})), row.seq),
            )
            return True

    def delete(self, kind, id, org=None):
        """Delete an object and return its row; None if there was none."""
        with self.transaction() as db:
            row = self.get(kind, id, org)
            if row:
                db.execute("DELETE FROM objects WHERE seq = ?", (row.seq,))
            return row

    def add_event(self, job_id, message, level="info", data=None):
        """Add an event to a job; one with data holds metrics."""
        event = {
            "id": new_id("ftevent-"),
            "object": "fine_tuning.job.event",
            "created_at": now(),
            "level": level,
            "message": message,
            "type": "metrics" if data else "message",
            "data": data or {},
        }
        self.add("event", event, self.get("job", job_id).org, job_id)

    def add_file(self, source, filename, purpose, org, expires_at=None):
        """Keep the content of an open binary file, and then the file object."""
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

    def content(self, file_id):
        """Return the path of a file's content. The id must be one of this store's: never one that a client sent."""
        return self.home / "files" / file_id

    def job_folder(self, job_id):
        """Return the folder of a job. The id must be one of this store's."""
        return self.home / "jobs" / job_id


def _row(found):
    *plain, object, private = found
    return Row(*plain, json.loads(object), json.loads(private))
