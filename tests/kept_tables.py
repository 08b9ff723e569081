"""A new journal as a copy of one that has all its tables: the steps that make them take 10 ms of processor."""

import os
import sqlite3
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

from darkroom.journal import sqlite as journal_file
from darkroom.journal.migrations import migrate

CREATE = "darkroom.journal.sqlite._create"
create_empty = journal_file._create  # pyright: ignore[reportPrivateUsage]


def create_with_tables(path: Path) -> None:
    """As darkroom creates the file, private and never over one that is there, but as it is once it was opened."""
    place = Path(os.path.realpath(path))
    if place.exists():
        return
    beside = place.with_name(uuid4().hex)
    with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(new_tables())
    with suppress(FileExistsError):
        os.link(beside, place)  # so that nobody who opens it at the same time sees half of it
    beside.unlink()


def use_for_good() -> None:
    """In a process that ends with its work; others patch `CREATE`."""
    journal_file._create = create_with_tables  # pyright: ignore[reportPrivateUsage]


@cache
def new_tables() -> bytes:
    """The bytes of a journal in which nothing stands yet."""
    with tempfile.TemporaryDirectory() as folder:
        create_empty(path := Path(folder, "journal.sqlite3"))
        connection = sqlite3.connect(path, isolation_level=None)
        connection.execute("PRAGMA journal_mode = WAL")
        migrate(connection)
        connection.close()
        return path.read_bytes()
