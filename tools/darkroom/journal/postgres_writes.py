"""What one process writes for a tenant at the same time goes into one transaction, as it does in a SQLite file.

All of it is kept or none. Where that fails nothing has happened, and each is done anew in a transaction of its own.
"""

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import anyio.to_thread
import psycopg
from psycopg import errors
from psycopg_pool import PoolTimeout

from darkroom.errors import JournalError
from darkroom.journal.database import Session
from darkroom.journal.postgres_words import in_words

# A migration has changed the columns of what this connection has prepared; its server has become a standby.
STALE = (errors.FeatureNotSupported, errors.ReadOnlySqlTransaction)
_PASSING = (PoolTimeout, errors.DeadlockDetected, *STALE)
_ENDING = (
    errors.AdminShutdown,
    errors.CrashShutdown,
    errors.CannotConnectNow,
    errors.IdleInTransactionSessionTimeout,
)
_MOST_TOGETHER = 32
_CONNECTION_WITHIN_S = 0.5  # each waits longer by itself
_PAUSE_S = 0.02


class CommitInDoubt(Exception):
    """The answer to a COMMIT was lost."""


@dataclass(frozen=True, slots=True)
class Begin:
    """How a transaction of a principal begins, sent as one message. `is_repeatable`: doing it twice does no harm."""

    principal: str
    statements: bytes
    is_repeatable: bool = False


def may_repeat(error: Exception, begin: Begin) -> bool:
    """Whether nothing was done, or doing it twice does no harm, and another try may succeed."""
    if isinstance(error, CommitInDoubt):
        return begin.is_repeatable
    is_lost = isinstance(error, psycopg.OperationalError | psycopg.InterfaceError) and not error.sqlstate
    return is_lost or isinstance(error, (*_PASSING, *_ENDING))


class SharedSession(Session, Protocol):
    """A transaction in which several principals write, one after another."""

    def act_as(self, principal: str) -> None: ...


@dataclass(eq=False, slots=True)
class Write:
    """One piece of work: once it `is_over` its `result` or `error`; one that `is_alone` is done anew by itself."""

    begin: Begin
    work: Callable[[Session], Any]
    result: Any = None
    error: Exception | None = None
    is_over: bool = False
    is_alone: bool = False

    def fail(self, error: Exception | None) -> None:
        """It is not kept, for this reason; None: for that of another."""
        self.error, self.is_over, self.is_alone = error, error is not None, error is None


class Writes:
    """Those of one tenant; `once` runs a transaction in the thread that asks, of which there are `threads`."""

    def __init__(
        self, once: Callable[[Begin, Callable[[SharedSession], None], float], None], threads: anyio.CapacityLimiter
    ) -> None:
        self._once, self._threads = once, threads
        self._turn = anyio.Lock(fast_acquire=True)
        self._waiting = deque[Write]()

    async def tried(self, write: Write) -> Write:
        """The same once it is over, or to be done alone, even where the caller is cancelled."""
        with anyio.CancelScope(shield=True):
            self._waiting.append(write)
            try:
                async with self._turn:
                    if _waits(write):
                        await anyio.to_thread.run_sync(self._try_waiting, limiter=self._threads)
            except BaseException:  # broken off by the event loop itself, or no thread was to be had
                with suppress(ValueError):
                    self._waiting.remove(write)  # or the next one's transaction would carry it out
                raise
            # Whom the event loop itself has broken off goes on in the thread.
            while _waits(write):  # noqa: ASYNC110 - which cannot set an event of the loop
                await anyio.sleep(_PAUSE_S)
        return write

    def _try_waiting(self) -> None:
        group, begun = list[Write](), list[Write]()
        with suppress(IndexError):
            while len(group) < _MOST_TOGETHER:
                group.append(self._waiting.popleft())

        def work(session: SharedSession) -> None:
            for write in group:
                begun.append(write)
                session.act_as(write.begin.principal)
                write.result = write.work(session)

        if not group:
            return
        try:
            self._once(group[0].begin, work, _CONNECTION_WITHIN_S)
        except Exception as error:
            _fail(group, len(begun), error)
        else:
            for write in group:
                write.is_over = True


def _fail(group: list[Write], begun_count: int, error: Exception) -> None:
    """Each fails where nobody knows what is kept, and where a transaction cannot begin for a lasting reason.

    What a work itself meets or refuses stands where it was the first. Others came after what is not there any more.
    """
    is_everybodys = isinstance(error, CommitInDoubt) or begun_count == 0
    is_database = isinstance(error, CommitInDoubt | psycopg.Error | PoolTimeout)
    for number, write in enumerate(group):
        is_its_own = is_everybodys or (number == 0 and begun_count == 1)
        if not is_its_own or may_repeat(error, write.begin):
            write.fail(None)
        else:
            write.fail(JournalError(in_words(error)) if is_database else error)


def _waits(write: Write) -> bool:
    return not (write.is_over or write.is_alone)
