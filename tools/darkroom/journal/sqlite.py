"""The SQLite file: opened durable and private, kept aside when it is broken, used by one worker thread at a time."""

import os
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar, cast

import anyio
import anyio.to_thread

from darkroom.errors import JournalError
from darkroom.journal.database import Session
from darkroom.journal.file_check import look_again, refuse_damage
from darkroom.journal.migrations import migrate, transaction

T = TypeVar("T")

# Other processes hold the lock for milliseconds; after this the disk or a process hangs.
BUSY_TIMEOUT_S = 5.0
_MOST_IN_A_COMMIT = 100
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_LOCKED = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_WORDS = {
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_BUSY: "another process keeps it locked",
    sqlite3.SQLITE_LOCKED: "another process keeps it locked",
    sqlite3.SQLITE_READONLY: "it cannot be written",
    sqlite3.SQLITE_CANTOPEN: "the file or its folder cannot be opened",
    sqlite3.SQLITE_IOERR: "the disk reports an error",
    sqlite3.SQLITE_CORRUPT: "the file is damaged; restart darkroom, which then keeps it aside",
    sqlite3.SQLITE_NOTADB: "the file is damaged; restart darkroom, which then keeps it aside",
}
_ADVICE = "Nothing new is sent until the person has mended it."


class Connection(sqlite3.Connection):
    """`Session` on SQLite, where all rows have one owner; `file` is its path, and its inode at opening."""

    file: tuple[Path, int] | None = None

    def refuse_if_lost(self) -> None:
        if self.file and _inode(self.file[0]) != self.file[1]:
            raise JournalError(
                f"The journal file '{_short(self.file[0])}' was removed or replaced while darkroom was running, so a "
                "new prediction would be found by nobody later. Nothing was sent. The person should restart darkroom."
            )

    @contextmanager
    def everyone(self) -> Generator[None]:
        yield

    @contextmanager
    def as_owner(self, key: str) -> Generator[None]:
        yield


class _Written:
    """One piece of work that waits to be written, and then what came of it."""

    def __init__(self, work: Callable[[Session], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: Exception | None = None


class SqliteDatabase:
    """`Database` on one connection: each piece of work runs whole in a worker thread.

    What is to be written at the same time goes to the disk in one commit: waiting for the disk is what takes long.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._one_at_a_time = anyio.CapacityLimiter(1)
        self._to_write: deque[_Written] = deque()

    async def write(self, work: Callable[[Session], T]) -> T:
        written = _Written(work)
        self._to_write.append(written)
        await self._run(self._write_waiting)
        if isinstance(written.error, sqlite3.Error):
            raise self._journal_error(written.error) from written.error
        if written.error:
            raise written.error
        return cast("T", written.result)

    async def note(self, work: Callable[[Session], T]) -> T:
        def without_sync() -> T:
            self._connection.execute("PRAGMA synchronous = NORMAL")  # no fsync at the commit
            try:
                return self._transaction("BEGIN IMMEDIATE", work)
            finally:
                self._connection.execute("PRAGMA synchronous = FULL")

        return await self._run(without_sync)

    async def read(self, work: Callable[[Session], T]) -> T:
        return await self._run(lambda: self._transaction("BEGIN", work))

    async def close(self) -> None:
        await self._run(self._connection.close)

    async def _run(self, work: Callable[[], T]) -> T:
        result: T | None = None
        # Shielded: a caller who is cancelled must not leave behind a commit of which nobody knows.
        with anyio.CancelScope(shield=True):
            try:
                result = await anyio.to_thread.run_sync(work, limiter=self._one_at_a_time)
            except sqlite3.Error as error:
                raise self._journal_error(error) from error
        return cast("T", result)

    def _write_waiting(self) -> None:
        """All that waits by now; nothing where somebody before has written it along."""
        group = [self._to_write.popleft() for _ in range(min(len(self._to_write), _MOST_IN_A_COMMIT))]
        if not group:
            return
        try:
            with transaction(self._connection, "BEGIN IMMEDIATE"):
                for each in group:
                    self._write_one(each)
        except Exception as error:
            for each in group:
                each.error = each.error or error

    def _write_one(self, written: _Written) -> None:
        """Its failure undoes only itself. Raises: what has ended the whole transaction."""
        self._connection.execute("SAVEPOINT one")
        try:
            written.result = written.work(self._connection)
        except Exception as error:
            if not self._connection.in_transaction:  # a full disk, say: the database has taken back everything
                raise
            written.error = error
            self._connection.execute("ROLLBACK TO one")
        self._connection.execute("RELEASE one")

    def _journal_error(self, error: sqlite3.Error) -> JournalError:
        if _code(error) in _BROKEN:
            look_again(self._connection)
        return JournalError(f"The journal could not be used: {_words(error)}. {_ADVICE}")

    def _transaction(self, begin: str, work: Callable[[Session], T]) -> T:
        with transaction(self._connection, begin):
            return work(self._connection)


def open_database(path: Path, clock: Callable[[], float] = time.time) -> tuple[Connection, tuple[str, ...]]:
    """An open connection with all tables, and warnings for the person; the caller closes it.

    The file is created with mode 0600, its folder, if new, with 0700. A damaged file is renamed to
    `<name>.corrupt-<time>` with its -wal and -shm, and a new one is started. Raises: JournalError.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            return _connect(path, clock()), ()
        except sqlite3.DatabaseError as error:
            if _code(error) not in _BROKEN:
                raise
            warning = _keep_aside(path, clock())
            return _connect(path, clock()), (warning,)
    except (sqlite3.Error, OSError) as error:
        raise JournalError(
            f"The journal '{_short(path)}' cannot be opened: {_words(error)}. Nothing was sent. The person should make "
            "the folder writable, or set DARKROOM_DATA_DIR to another one."
        ) from error


def _connect(path: Path, now: float) -> Connection:
    _create(path)
    if os.name == "posix" and path.stat().st_mode & 0o077:
        path.chmod(0o600)
    connection = sqlite3.connect(
        path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False, factory=Connection
    )
    try:
        connection.row_factory = sqlite3.Row
        _switch_to_wal(connection)
        connection.execute("PRAGMA synchronous = FULL")  # a commit survives power loss
        connection.execute("PRAGMA fullfsync = ON")  # on macOS as well
        connection.execute("PRAGMA temp_store = MEMORY")  # a write of many rows makes no file beside it
        connection.file = (path, _inode(path))
        refuse_damage(connection, path, now)
        migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _create(path: Path) -> None:
    """A new file is private, and SQLite gives its mode to -wal and -shm.

    A file that is there is left to SQLite: POSIX takes all locks on a file from a process that closes it once, also
    those of its other connections, and another process would then delete the -wal in which they write.
    """
    with suppress(FileExistsError):
        os.close(os.open(os.path.realpath(path), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _switch_to_wal(connection: sqlite3.Connection) -> None:
    """SQLite does not wait by itself when two processes switch a new file at once."""
    give_up = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) not in _LOCKED or time.monotonic() > give_up:
                raise
            time.sleep(0.01)


def _keep_aside(path: Path, now: float) -> str:
    """Rename the database and its companions, never over a file that is there; gives the words for the person."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(now))
    names = (f"{path.name}.corrupt-{stamp}{'' if turn == 0 else f'-{turn}'}" for turn in range(1000))
    aside = next(path.with_name(name) for name in names if not path.with_name(name).exists())
    for suffix in ("-wal", "-shm", ""):
        companion = path.with_name(path.name + suffix)
        if companion.exists():
            companion.rename(aside.with_name(aside.name + suffix))
    return (
        f"The journal was damaged. It is kept as '{_short(aside)}' and a new one was started: predictions made before "
        "are found by their id only, and one that was just being created may exist and be billed; look at the "
        "gateway's own list before you order it again."
    )


def _inode(path: Path) -> int:
    """0 where there is no file."""
    try:
        return path.stat().st_ino
    except OSError:
        return 0


def _code(error: BaseException) -> int:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _words(error: Exception) -> str:
    if isinstance(error, OSError):
        return (error.strerror or "the folder cannot be used").lower()
    return _WORDS.get(_code(error), "the database reports an error")


def _short(path: Path) -> str:
    text = str(path)
    return text if len(text) <= 80 else f"…{text[-79:]}"
