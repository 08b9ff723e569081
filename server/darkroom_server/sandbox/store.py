"""Where the sandbox keeps predictions and uploaded files: one table of JSON rows in SQLite, in memory or in a file."""

import json
import os
import sqlite3
import threading
import weakref
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Kind = Literal["prediction", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A prediction or a file; `content` is the bytes of an uploaded file."""

    kind: Kind
    id: str
    created_at: float
    body: dict[str, Any]
    content: bytes = b""


class Store:
    """Any thread may use it. Each call opens the file, so several processes may share it; None is memory of its own."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._memory = None if path else sqlite3.connect(":memory:", check_same_thread=False)
        self._lock = threading.Lock()
        if self._memory:
            weakref.finalize(self, self._memory.close)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            # It holds prompts; SQLite gives -wal and -shm its mode.
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._run("PRAGMA journal_mode=WAL")
        self._run(
            "CREATE TABLE IF NOT EXISTS sandbox (kind TEXT, id TEXT, created_at REAL, body TEXT, content BLOB,"
            " PRIMARY KEY (kind, id))"
        )
        self._run("CREATE INDEX IF NOT EXISTS newest ON sandbox (kind, created_at, id)")

    def put(self, row: Row) -> None:
        values = (row.kind, row.id, row.created_at, json.dumps(row.body), row.content)
        self._run("INSERT OR REPLACE INTO sandbox VALUES (?, ?, ?, ?, ?)", *values)

    def get(self, kind: Kind, identifier: str) -> Row | None:
        found = self._run("SELECT * FROM sandbox WHERE kind = ? AND id = ?", kind, identifier)
        return _row(found[0]) if found else None

    def delete(self, kind: Kind, identifier: str) -> None:
        self._run("DELETE FROM sandbox WHERE kind = ? AND id = ?", kind, identifier)

    def forget(self, kind: Kind, before: float) -> None:
        """Delete what was created before this moment."""
        self._run("DELETE FROM sandbox WHERE kind = ? AND created_at < ?", kind, before)

    def newest(self, kind: Kind, limit: int, before: tuple[float, str] | None = None) -> list[Row]:
        """Newest first, without content; only what is older than (created_at, id) `before`."""
        statement = (
            "SELECT kind, id, created_at, body, x'' FROM sandbox WHERE kind = ? AND (created_at, id) < (?, ?)"
            " ORDER BY created_at DESC, id DESC LIMIT ?"
        )
        return [_row(values) for values in self._run(statement, kind, *(before or (float("inf"), "")), limit)]

    def _run(self, statement: str, *values: str | float | bytes) -> list[tuple[Any, ...]]:
        """What one statement gives, in a transaction of its own."""
        if self._memory:
            with self._lock, self._memory:
                return self._memory.execute(statement, values).fetchall()
        with closing(sqlite3.connect(str(self._path), timeout=10)) as database, database:
            return database.execute(statement, values).fetchall()


def _row(values: tuple[Any, ...]) -> Row:
    kind, identifier, created_at, body, content = values
    return Row(kind=kind, id=identifier, created_at=created_at, body=json.loads(body), content=content)
