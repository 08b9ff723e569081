"""The tables, as ordered steps in files of their own. A step that was released is never changed: add one at the end."""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from darkroom.errors import JournalError

if TYPE_CHECKING:
    from sqlite3 import Connection

APPLICATION_ID = 0x6461726B  # "dark", so that another program's database is never taken for a journal


def released_steps() -> tuple[tuple[str, ...], ...]:
    """The statements of each step: the paragraphs of `sqlite_migrations/<number>.sql`."""
    folder = files("darkroom.journal").joinpath("sqlite_migrations")
    names = sorted(
        (each for each in folder.iterdir() if each.name.endswith(".sql")), key=lambda each: int(each.name[:-4])
    )
    return tuple(tuple(each.read_text(encoding="utf-8").strip().split("\n\n")) for each in names)


def migrate(connection: "Connection", migrations: tuple[tuple[str, ...], ...] | None = None) -> None:
    """Bring the tables up to the newest format, all steps in one transaction; harmless when several processes do it.

    Where nothing is to be done it waits for nobody who writes. Raises: JournalError where the file is of a newer
    darkroom or of another program.
    """
    steps = released_steps() if migrations is None else migrations
    with transaction(connection, "BEGIN"):
        is_newest = _format(connection, steps) == len(steps)
    if not is_newest:
        with transaction(connection, "BEGIN IMMEDIATE"):
            _apply(connection, steps)


@contextmanager
def transaction(connection: "Connection", begin: str) -> Generator[None]:
    """Commits at the end of the block; what fails is rolled back."""
    connection.execute(begin)
    try:
        yield
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _apply(connection: "Connection", migrations: tuple[tuple[str, ...], ...]) -> None:
    done, version = _format(connection, migrations), own_version()
    for number, statements in enumerate(migrations[done:], start=done + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute("INSERT INTO writers (format, version) VALUES (?, ?)", (number, version))
    if done < len(migrations):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


def _format(connection: "Connection", migrations: tuple[tuple[str, ...], ...]) -> int:
    """How many steps the file has seen. Raises: JournalError where it is not ours to change."""
    _refuse_foreign(connection)
    done: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if done > len(migrations):
        row = connection.execute("SELECT version FROM writers ORDER BY format DESC LIMIT 1").fetchone()
        raise JournalError(
            f"The journal was written by darkroom {row[0] if row and row[0] else '(newer)'} (format {done}); this one, "
            f"darkroom {own_version() or '(unknown)'}, reads up to format {len(migrations)}. Nothing was sent. The "
            "person should update darkroom-mcp, or set DARKROOM_DATA_DIR to another folder."
        )
    return done


def _refuse_foreign(connection: "Connection") -> None:
    has_tables = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if has_tables and connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise JournalError(
            "The journal file is a database of another program, so nothing was sent. The person should set "
            "DARKROOM_DATA_DIR to a folder of its own."
        )


@cache
def own_version() -> str:
    """The installed version of darkroom, "" where it is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("darkroom-mcp")
    except PackageNotFoundError:
        return ""
