"""What PostgreSQL says when it cannot be used, in words for the administrator; never with an address or a password."""

import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

_ADVICE = "Nothing new is sent until the administrator has mended it."
# A server that starts or stops says so; every other refusal is for good.
_COMING = ("starting up", "shutting down", "recovery", "administrator command")
_STANDBY = "this database cannot be written: it may be a standby"
_WORDS: tuple[tuple[type[Exception], str], ...] = (
    (PoolTimeout, "the database cannot be reached, or all of its connections are busy"),
    (errors.LockNotAvailable, "another process keeps it locked"),
    (errors.QueryCanceled, "the database took longer than 10 s"),
    (errors.DiskFull, "the disk of the database is full"),
    (errors.TooManyConnections, "the database takes no more connections"),
    (errors.ReadOnlySqlTransaction, _STANDBY),
    (errors.FeatureNotSupported, _STANDBY),  # so it calls a transaction that is to write
    (errors.UndefinedTable, "its tables are missing; `darkroom-mcp migrate` makes them"),
    (errors.UndefinedColumn, "its tables are old; `darkroom-mcp migrate` brings them up to date"),
    (errors.InsufficientPrivilege, "the role may not do that here; `darkroom-mcp migrate` grants what it needs"),
    (errors.IntegrityError, "the database refused a row that does not fit the others"),
    (psycopg.DataError, "the database refused a value"),
    (psycopg.OperationalError, "the connection to the database was lost"),
    (psycopg.InterfaceError, "the connection to the database was lost"),
    (psycopg.Error, "the database reports an error"),
)


def in_words(error: Exception) -> str:
    """One or two sentences."""
    for kind, words in _WORDS:
        if isinstance(error, kind):
            return f"The journal could not be used: {words}{_code(error)}. {_ADVICE}"
    return (
        "The connection to the journal's database broke while it was written, so it is not known whether that was "
        "written. Nothing was sent. Try again in a moment."
    )


def _code(error: Exception) -> str:
    state = getattr(error, "sqlstate", None)
    return f" (SQLSTATE {state})" if state else ""


def is_away(error: BaseException | None) -> bool:
    """Whether the database is not there at this moment, and may come back by itself."""
    if not isinstance(error, psycopg.OperationalError):
        return False
    said = str(error)
    return "FATAL" not in said or any(words in said for words in _COMING)
