"""The journal's database on PostgreSQL: the statements of the row modules, for many tenants and principals.

Theory of operation: every write first takes the tenant's advisory lock, so a tenant has one writer at a time, as a
SQLite file has; each statement then sees all that was committed before (READ COMMITTED). What waits for the same lock
in this process is written together (`postgres_writes`). Whose rows a transaction sees, row-level security decides from
two settings that live as long as the transaction: the tenant, and the principal or "*" for all of the tenant's. Times
are those of the database, so that all replicas have one clock.

What was interrupted before its COMMIT was sent has not happened and is done again for a while; where the answer to the
COMMIT itself was lost, nobody knows, and the caller gets a JournalError: a claim of which that is so is never sent.
"""

import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import asynccontextmanager, contextmanager
from functools import cached_property, lru_cache
from typing import Any, LiteralString, TypeVar, cast

import anyio
import anyio.to_thread
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus
from psycopg.rows import dict_row
from psycopg.types.numeric import FloatLoader
from psycopg_pool import ConnectionPool, PoolTimeout

from darkroom.errors import JournalError
from darkroom.journal.codec import storable
from darkroom.journal.database import AT, EVERYONE, Session
from darkroom.journal.postgres_schema import checked, connected
from darkroom.journal.postgres_words import in_words, is_away
from darkroom.journal.postgres_writes import STALE, Begin, CommitInDoubt, Write, Writes, may_repeat

T = TypeVar("T")
Connection = psycopg.Connection[dict[str, Any]]

_AGAIN_FOR_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0
_CONNECTION_WITHIN_S = 5.0
RECONNECT_S = 1.0
"""So long a pool tries for a connection; then it begins anew, for its pauses double and would soon be the outage's."""
_CONNECTED = {"connect_timeout": 5, "application_name": "darkroom"}
_OPTIONS = "-c statement_timeout=10s -c lock_timeout=5s -c idle_in_transaction_session_timeout=15s"
# What is read of one unchanging state; what is written must see what the one before has committed.
_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT"
_WRITING = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SELECT"
_WHO = "set_config('darkroom.tenant', {tenant}, true), set_config('darkroom.principal', {principal}, true)"
# Columns are computed from left to right: the time is that at which the lock was given.
_LOCK = "pg_advisory_xact_lock(hashtextextended({tenant}, 7))"
_NOW = "extract(epoch FROM clock_timestamp())::float8 AS now_s"
_READ = f"{_READING} {_WHO}, {_NOW}"
_WRITE = f"{_WRITING} {_WHO}, {_LOCK}, {_NOW}"
_NOTE = f"{_WRITING} set_config('synchronous_commit', 'off', true), {_WHO}, {_LOCK}, {_NOW}"
NOBODY = "-"  # no tenant has this name
_ACT_AS = "SELECT set_config('darkroom.principal', %s, true)"
_ACT_AS_OWNER = "SELECT set_config('darkroom.principal', principal, true) FROM intents WHERE key = ?"
_OWNER = ""  # of a row, whoever that is; it is nobody's name


class PostgresSession:
    """One open transaction of a principal. Whose rows it sees is changed with the next statement, if there is one."""

    def __init__(self, connection: Connection, principal: str) -> None:
        self._connection = connection
        self._principal = self._acting_as = principal

    def execute(self, statement: str, values: Sequence[Any] = ()) -> psycopg.Cursor[dict[str, Any]]:
        self._act()
        return self._connection.execute(_translated(statement), [_plain(value) for value in values])

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]]) -> None:
        if all_values := [[_plain(value) for value in values] for values in rows]:
            self._act()
            with self._connection.cursor() as cursor:
                cursor.executemany(_translated(statement), all_values)

    @contextmanager
    def everyone(self) -> Generator[None]:
        before, self._principal = self._principal, EVERYONE
        yield
        self._principal = before

    @contextmanager
    def as_owner(self, key: str) -> Generator[None]:
        self.execute(_ACT_AS_OWNER, (key,))
        before, self._principal, self._acting_as = self._principal, _OWNER, _OWNER
        yield
        self._principal = before

    def refuse_if_lost(self) -> None:
        """A server's tables do not go away beneath a connection: a statement fails instead."""

    def act_as(self, principal: str) -> None:
        """From now on it is another one's."""
        self._principal = principal

    def _act(self) -> None:
        if self._acting_as != self._principal:
            self._acting_as = self._principal
            self._connection.execute(_ACT_AS, (self._principal,))


@lru_cache(512)
def _translated(statement: str) -> bytes:
    named = statement.replace(AT, "sent_or_intended_at")  # a column that an index answers below row-level security
    return named.replace("%", "%%").replace("?", "%s").encode()


def _plain(value: Any) -> Any:
    return storable(value) if isinstance(value, str) else value


@lru_cache(4096)
def _begun(statements: str, tenant: str, principal: str, *, is_repeatable: bool) -> Begin:
    named = sql.SQL(cast("LiteralString", statements)).format(tenant=tenant, principal=principal)
    return Begin(principal, named.as_bytes(), is_repeatable)


class Postgres:
    """An open pool of connections, for the databases of all tenants and principals; see `open_postgres`."""

    def __init__(self, pool: ConnectionPool[Connection], connections: int) -> None:
        self._pool = pool
        self._threads = anyio.CapacityLimiter(connections)
        self._writes: dict[str, Writes] = {}
        self._ahead_s = 0.0

    def clock(self) -> float:
        """Seconds since the epoch by the database's clock, as of the last transaction and counted on since then."""
        return time.monotonic() + self._ahead_s

    def database(self, tenant: str, principal: str) -> "PostgresDatabase":
        """The rows of one principal of a tenant, or with "*" of all. Raises: ValueError for an empty name."""
        if not tenant or not principal:
            raise ValueError("a tenant and a principal have a name")
        return PostgresDatabase(self, tenant, principal)

    @cached_property
    def of_nobody(self) -> "PostgresDatabase":
        """For what is bound to no tenant: no row of any is seen."""
        return self.database(NOBODY, EVERYONE)

    async def write(self, tenant: str, begin: Begin, work: Callable[[Session], T]) -> T:
        """What `work` gives, committed, with what others write for the tenant meanwhile. Raises: JournalError."""
        if tenant not in self._writes:
            self._writes[tenant] = Writes(self._once, self._threads)
        write = await self._writes[tenant].tried(Write(begin, work))
        if write.error:
            raise write.error
        return cast("T", write.result) if write.is_over else await self.run(begin, work)

    async def run(self, begin: Begin, work: Callable[[Session], T]) -> T:
        """What `work` gives, committed. Raises: JournalError."""
        result: T | None = None
        # Shielded: a caller who is cancelled must not leave behind a commit of which nobody knows.
        with anyio.CancelScope(shield=True):
            result = await self._until_done(begin, work)
        return cast("T", result)

    async def _until_done(self, begin: Begin, work: Callable[[Session], T]) -> T:
        give_up, pause_s = time.monotonic() + _AGAIN_FOR_S, _FIRST_PAUSE_S
        while True:
            try:
                return await anyio.to_thread.run_sync(self._once, begin, work, limiter=self._threads)
            except (psycopg.Error, PoolTimeout, CommitInDoubt) as error:
                if not may_repeat(error, begin) or time.monotonic() + pause_s > give_up:
                    raise JournalError(in_words(error)) from error
            await anyio.sleep(pause_s)
            await anyio.to_thread.run_sync(self._pool.check, limiter=self._threads)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)

    def _once(self, begin: Begin, work: Callable[[PostgresSession], T], within_s: float = _CONNECTION_WITHIN_S) -> T:
        connection = self._pool.getconn(within_s)
        try:
            begun = connection.execute(begin.statements, prepare=False)
            begun.nextset()  # past BEGIN, to its SELECT
            self._ahead_s = cast("dict[str, float]", begun.fetchone())["now_s"] - time.monotonic()
            result = work(PostgresSession(connection, begin.principal))
            _commit(connection)
            return result
        except STALE:
            connection.close()
            raise
        finally:
            if not connection.closed and connection.pgconn.transaction_status != TransactionStatus.IDLE:
                connection.rollback()
            self._pool.putconn(connection)


def _commit(connection: Connection) -> None:
    try:
        connection.commit()
    except psycopg.OperationalError as error:
        if connection.closed:
            raise CommitInDoubt from error
        raise


class PostgresDatabase:
    """`Database` of one principal of a tenant. It holds nothing open itself."""

    def __init__(self, postgres: Postgres, tenant: str, principal: str) -> None:
        self._postgres, self._tenant = postgres, tenant
        self._writing = _begun(_WRITE, tenant, principal, is_repeatable=False)
        self._noting = _begun(_NOTE, tenant, principal, is_repeatable=True)
        self._reading = _begun(_READ, tenant, principal, is_repeatable=True)

    async def write(self, work: Callable[[Session], T]) -> T:
        return await self._postgres.write(self._tenant, self._writing, work)

    async def note(self, work: Callable[[Session], T]) -> T:
        return await self._postgres.run(self._noting, work)

    async def read(self, work: Callable[[Session], T]) -> T:
        return await self._postgres.run(self._reading, work)


@asynccontextmanager
async def open_postgres(url: str, connections: int = 8) -> AsyncGenerator[Postgres]:
    """A pool of at most so many connections as the role of the app or of a worker.

    A database that is not there just now is waited for, for ten seconds. Raises: JournalError where it cannot be
    reached or is not migrated, or where the role would pass by row-level security.
    """
    await _until_checked(url)
    options = f"{conninfo_to_dict(url).get('options') or ''} {_OPTIONS}"
    pool = ConnectionPool(
        url,
        connection_class=Connection,
        # Each transaction begins in its own words, so the driver begins none.
        kwargs={"autocommit": True, "row_factory": dict_row, "options": options, **_CONNECTED},
        min_size=1,
        max_size=connections,
        timeout=_CONNECTION_WITHIN_S,
        reconnect_timeout=RECONNECT_S,
        reconnect_failed=ConnectionPool.check,
        configure=_configure,
        open=False,
    )
    postgres = Postgres(pool, connections)
    try:
        pool.open()
        await postgres.of_nobody.read(lambda session: None)  # learns the clock
        yield postgres
    finally:
        with anyio.CancelScope(shield=True):
            await anyio.to_thread.run_sync(pool.close)


def _configure(connection: Connection) -> None:
    connection.adapters.register_loader("numeric", FloatLoader)


async def _until_checked(url: str) -> None:
    give_up = time.monotonic() + _AGAIN_FOR_S
    while True:
        try:
            return await anyio.to_thread.run_sync(_check, url)
        except JournalError as error:
            if not is_away(error.__cause__) or time.monotonic() > give_up:
                raise
        await anyio.sleep(_LONGEST_PAUSE_S / 5)


def _check(url: str) -> None:
    with connected(url) as connection:
        checked(connection)
