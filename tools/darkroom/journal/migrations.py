"""The tables, as ordered steps. A step that was released is never changed: add one at the end."""

from typing import TYPE_CHECKING

from darkroom.errors import JournalError

if TYPE_CHECKING:
    from sqlite3 import Connection

APPLICATION_ID = 0x6461726B  # "dark", so that another program's database is never taken for a journal

_START = (
    """CREATE TABLE intents (
        key TEXT NOT NULL UNIQUE,
        request_id TEXT NOT NULL,
        part INTEGER NOT NULL,
        gateway TEXT NOT NULL,
        origin TEXT NOT NULL,
        model TEXT NOT NULL,
        version TEXT NOT NULL,
        input TEXT,                  -- whole JSON; NULL once it can no longer be sent
        input_shown TEXT NOT NULL,   -- the same with data URIs shortened
        file_fields TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        request TEXT NOT NULL,
        seed TEXT,                   -- text, because seeds may pass 64 bits
        image_count INTEGER NOT NULL,
        estimate_usd REAL,
        cost_usd REAL,
        state TEXT NOT NULL CHECK (state IN ('intent', 'sent', 'known', 'refused', 'unknown', 'absent')),
        prediction_id TEXT UNIQUE,
        status TEXT,
        prediction TEXT,             -- the last state seen, JSON of the format
        reason TEXT NOT NULL DEFAULT '',
        intended_at REAL NOT NULL,
        sent_at REAL,
        known_at REAL,
        ended_at REAL,
        total_s REAL,
        tries INTEGER NOT NULL DEFAULT 0,
        claimed_by TEXT NOT NULL DEFAULT '',
        is_adopted INTEGER NOT NULL DEFAULT 0,
        lease_owner TEXT NOT NULL DEFAULT '',
        lease_until REAL NOT NULL DEFAULT 0,
        lease_token INTEGER NOT NULL DEFAULT 0,
        CHECK ((state = 'known') = (prediction_id IS NOT NULL))
    )""",
    "CREATE UNIQUE INDEX intents_by_request ON intents (request_id, part) WHERE request_id <> ''",
    "CREATE INDEX intents_open ON intents (origin, state) WHERE state <> 'known' OR ended_at IS NULL",
    "CREATE INDEX intents_by_time ON intents (intended_at)",
    "CREATE INDEX intents_by_spending_time ON intents (coalesce(sent_at, intended_at))",
    "CREATE INDEX intents_timed ON intents (gateway, model, ended_at) WHERE total_s IS NOT NULL",
    """CREATE TABLE images (
        prediction_id TEXT NOT NULL,
        idx INTEGER NOT NULL,
        url TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('wanted', 'stored', 'expired')),
        expires_at REAL,
        location TEXT NOT NULL DEFAULT '',
        mime_type TEXT NOT NULL DEFAULT '',
        width_px INTEGER NOT NULL DEFAULT 0,
        height_px INTEGER NOT NULL DEFAULT 0,
        size_bytes INTEGER NOT NULL DEFAULT 0,
        sha256 TEXT NOT NULL DEFAULT '',
        problem TEXT NOT NULL DEFAULT '',
        PRIMARY KEY (prediction_id, idx)
    )""",
    "CREATE INDEX images_wanted ON images (prediction_id) WHERE state = 'wanted'",
    "CREATE TABLE writers (format INTEGER PRIMARY KEY, version TEXT NOT NULL)",
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_START,)


def migrate(connection: "Connection", migrations: tuple[tuple[str, ...], ...] = MIGRATIONS) -> None:
    """Bring the tables up to the newest format, all steps in one transaction; harmless when several processes do it.

    Raises: JournalError where the file is of a newer darkroom or of another program.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        _apply(connection, migrations)
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _apply(connection: "Connection", migrations: tuple[tuple[str, ...], ...]) -> None:
    _refuse_foreign(connection)
    done: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if done > len(migrations):
        raise JournalError(_newer(connection, done, len(migrations)))
    for number, statements in enumerate(migrations[done:], start=done + 1):
        for statement in statements:
            connection.execute(statement)
        connection.execute("INSERT INTO writers (format, version) VALUES (?, ?)", (number, _own_version()))
    if done < len(migrations):
        connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {len(migrations)}")


def _refuse_foreign(connection: "Connection") -> None:
    has_tables = connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone()
    if has_tables and connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise JournalError(
            "The journal file is a database of another program, so nothing was sent. The person should set "
            "DARKROOM_DATA_DIR to a folder of its own."
        )


def _newer(connection: "Connection", found: int, known: int) -> str:
    row = connection.execute("SELECT version FROM writers ORDER BY format DESC LIMIT 1").fetchone()
    return (
        f"The journal was written by darkroom {row[0] if row and row[0] else '(newer)'} (format {found}); this one, "
        f"darkroom {_own_version() or '(unknown)'}, reads up to format {known}. Nothing was sent. The person should "
        "update darkroom-mcp, or set DARKROOM_DATA_DIR to another folder."
    )


def _own_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("darkroom-mcp")
    except PackageNotFoundError:
        return ""
