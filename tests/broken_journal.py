"""A journal that cannot be written for a while."""

import sqlite3
from pathlib import Path


class BrokenJournal:
    """While it is broken, no row of `table` can be changed."""

    def __init__(self, folder: Path, table: str) -> None:
        self._path = folder / "data" / "journal.sqlite3"
        self._table = table

    def breaks(self) -> None:
        self._run(
            f"CREATE TRIGGER broken BEFORE UPDATE ON {self._table} BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
        )

    def is_mended(self) -> None:
        self._run("DROP TRIGGER broken")

    def _run(self, statement: str) -> None:
        connection = sqlite3.connect(self._path, isolation_level=None)
        connection.execute(statement)
        connection.close()
