"""The tables, as ordered steps. A step that was released is never changed: add one at the end."""

from collections.abc import Callable
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


def _changes(row: str, sign: str) -> str:
    """What one row of `intents` adds to the tallies (or takes from them)."""
    price = f"CASE {row}.status WHEN 'aborted' THEN 0 ELSE coalesce({row}.cost_usd, {row}.estimate_usd) END"
    counts = f"({row}.is_adopted = 0 AND {row}.state IN ('sent', 'unknown', 'known'))"
    return f"""prediction_count = prediction_count {sign} ({row}.state = 'known'),
        unresolved_count = unresolved_count {sign} ({row}.state IN ('sent', 'unknown')),
        settled_usd = settled_usd {sign} {counts} * ({row}.ended_at IS NOT NULL) * coalesce({price}, 0),
        reserved_usd = reserved_usd {sign} {counts} * ({row}.ended_at IS NULL) * coalesce({price}, 0),
        unpriced_count = unpriced_count {sign} {counts} * (({price}) IS NULL)"""


def _image_changes(row: str, sign: str) -> str:
    return f"""stored_count = stored_count {sign} ({row}.state = 'stored'),
        expired_count = expired_count {sign} ({row}.state = 'expired')"""


def _tally(table: str, changes: Callable[[str, str], str], *, watched: str, untouched: str) -> tuple[str, ...]:
    """Triggers that keep the sums over all time, so that nobody has to read every row for them."""

    def trigger(name: str, event: str, *statements: str) -> str:
        updates = " ".join(f"UPDATE tallies SET {statement};" for statement in statements)
        return f"CREATE TRIGGER {table}_{name} AFTER {event} ON {table} BEGIN {updates} END"

    return (
        # What is there already is counted by an update that changes nothing else.
        trigger("count", f"UPDATE OF {untouched}", changes("NEW", "+")),
        f"UPDATE {table} SET {untouched} = {untouched}",
        f"DROP TRIGGER {table}_count",
        trigger("come", "INSERT", changes("NEW", "+")),
        trigger("change", f"UPDATE OF {watched}", changes("OLD", "-"), changes("NEW", "+")),
        trigger("go", "DELETE", changes("OLD", "-")),
    )


_IMAGE_COLUMNS = (
    "prediction_id, idx, url, state, expires_at, location, mime_type, width_px, height_px, size_bytes, sha256, problem"
)
# Accounts, the place and the conversation of each row; refused images; sums; indexes for 300,000 rows.
_ACCOUNTS = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)",
    """CREATE TABLE accounts (
        account TEXT PRIMARY KEY,    -- a keyed hash of the key
        origin TEXT NOT NULL,
        name TEXT NOT NULL DEFAULT '',
        seen_at REAL NOT NULL
    )""",
    "ALTER TABLE intents ADD COLUMN account TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE intents ADD COLUMN output_place TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE intents ADD COLUMN conversation TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE intents ADD COLUMN possible TEXT NOT NULL DEFAULT '[]'",
    "ALTER TABLE intents ADD COLUMN problem TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE intents DROP COLUMN fingerprint",
    "ALTER TABLE intents DROP COLUMN lease_token",
    "DROP INDEX images_wanted",
    "ALTER TABLE images RENAME TO old_images",
    """CREATE TABLE images (
        prediction_id TEXT NOT NULL,
        idx INTEGER NOT NULL,
        url TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('wanted', 'stored', 'expired', 'refused')),
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
    f"INSERT INTO images ({_IMAGE_COLUMNS}) SELECT {_IMAGE_COLUMNS} FROM old_images",
    "DROP TABLE old_images",
    """UPDATE images SET expires_at = (SELECT known_at + 3600 FROM intents WHERE prediction_id = images.prediction_id)
        WHERE expires_at IS NULL""",
    "CREATE INDEX images_wanted ON images (prediction_id) WHERE state = 'wanted'",
    "CREATE INDEX images_refused ON images (prediction_id) WHERE state = 'refused'",
    "DROP INDEX intents_open",
    "DROP INDEX intents_by_time",
    "CREATE INDEX intents_newest ON intents (intended_at, key)",
    "CREATE INDEX intents_own_newest ON intents (intended_at, key) WHERE is_adopted = 0",
    "CREATE INDEX intents_of_conversation ON intents (conversation, intended_at, key) WHERE is_adopted = 0",
    "CREATE INDEX intents_running ON intents (origin) WHERE state = 'known' AND ended_at IS NULL",
    "CREATE INDEX intents_by_state ON intents (origin, state, sent_at)",
    "CREATE INDEX intents_known ON intents (origin, known_at)",
    """CREATE TABLE tallies (
        prediction_count INTEGER NOT NULL, unresolved_count INTEGER NOT NULL, stored_count INTEGER NOT NULL,
        expired_count INTEGER NOT NULL, settled_usd REAL NOT NULL, reserved_usd REAL NOT NULL, unpriced_count INTEGER NOT NULL
    )""",
    "INSERT INTO tallies VALUES (0, 0, 0, 0, 0.0, 0.0, 0)",
    *_tally(
        "intents", _changes, watched="state, status, cost_usd, estimate_usd, ended_at, is_adopted", untouched="part"
    ),
    *_tally("images", _image_changes, watched="state", untouched="sha256"),
)

MIGRATIONS: tuple[tuple[str, ...], ...] = (_START, _ACCOUNTS)


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
