"""Where the sandbox keeps predictions and uploaded files: one table of JSON rows, in memory or in a SQLite file."""

import json
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
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


class MemoryStore:
    """Keeps rows as long as the process lives."""

    def __init__(self) -> None:
        self._rows: dict[tuple[Kind, str], Row] = {}

    def put(self, row: Row) -> None:
        self._rows[row.kind, row.id] = row

    def get(self, kind: Kind, identifier: str) -> Row | None:
        return self._rows.get((kind, identifier))

    def delete(self, kind: Kind, identifier: str) -> None:
        self._rows.pop((kind, identifier), None)

    def forget(self, kind: Kind, before: float) -> None:
        """Delete what was created before this moment."""
        self._rows = {key: row for key, row in self._rows.items() if row.kind != kind or row.created_at >= before}

    def newest(self, kind: Kind, limit: int, before: tuple[float, str] | None = None) -> list[Row]:
        """Newest first, without content; only what is older than (created_at, id) `before`."""
        rows = [row for row in self._rows.values() if row.kind == kind]
        rows = [row for row in rows if before is None or (row.created_at, row.id) < before]
        return sorted(rows, key=lambda row: (row.created_at, row.id), reverse=True)[:limit]


class SqliteStore:
    """Keeps rows in a file. Each call opens it, so that any thread and several processes may use it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # it holds prompts; SQLite gives -wal and -shm its mode
        with self._open() as database:
            database.execute("PRAGMA journal_mode=WAL")
            database.execute(
                "CREATE TABLE IF NOT EXISTS sandbox (kind TEXT, id TEXT, created_at REAL, body TEXT, content BLOB,"
                " PRIMARY KEY (kind, id))"
            )
            database.execute("CREATE INDEX IF NOT EXISTS newest ON sandbox (kind, created_at, id)")

    def put(self, row: Row) -> None:
        with self._open() as database:
            values = (row.kind, row.id, row.created_at, json.dumps(row.body), row.content)
            database.execute("INSERT OR REPLACE INTO sandbox VALUES (?, ?, ?, ?, ?)", values)

    def get(self, kind: Kind, identifier: str) -> Row | None:
        with self._open() as database:
            found = database.execute("SELECT * FROM sandbox WHERE kind = ? AND id = ?", (kind, identifier)).fetchone()
        return _row(found) if found else None

    def delete(self, kind: Kind, identifier: str) -> None:
        with self._open() as database:
            database.execute("DELETE FROM sandbox WHERE kind = ? AND id = ?", (kind, identifier))

    def forget(self, kind: Kind, before: float) -> None:
        with self._open() as database:
            database.execute("DELETE FROM sandbox WHERE kind = ? AND created_at < ?", (kind, before))

    def newest(self, kind: Kind, limit: int, before: tuple[float, str] | None = None) -> list[Row]:
        created_at, identifier = before or (float("inf"), "")
        with self._open() as database:
            found = database.execute(
                "SELECT kind, id, created_at, body, x'' FROM sandbox WHERE kind = ? AND (created_at, id) < (?, ?)"
                " ORDER BY created_at DESC, id DESC LIMIT ?",
                (kind, created_at, identifier, limit),
            ).fetchall()
        return [_row(values) for values in found]

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        database = sqlite3.connect(self._path, timeout=10)
        try:
            with database:
                yield database
        finally:
            database.close()


def _row(values: tuple[Any, ...]) -> Row:
    kind, identifier, created_at, body, content = values
    return Row(kind=kind, id=identifier, created_at=created_at, body=json.loads(body), content=content)


Store = MemoryStore | SqliteStore


def open_store(path: Path | None) -> Store:
    return SqliteStore(path) if path else MemoryStore()
