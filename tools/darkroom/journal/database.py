"""The seam under the journal: a database that runs one piece of work in one transaction.

Everything above writes its statements once, with `?` for values, in the SQL that SQLite and PostgreSQL share.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Result(Protocol):
    """What a statement gave; rows are read by column name."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Session(Protocol):
    """One open transaction."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Result: ...


class Database(Protocol):
    """Work that has begun is finished even when its caller is cancelled.

    Every method raises JournalError where the database cannot be used; after that nothing may be sent.
    """

    async def write(self, work: Callable[[Session], T]) -> T:
        """What `work` gives, committed and on the disk; all of it or nothing."""
        ...

    async def note(self, work: Callable[[Session], T]) -> T:
        """The same, where nothing is lost if a power cut takes it back; every process sees it at once."""
        ...

    async def read(self, work: Callable[[Session], T]) -> T:
        """What `work` reads of one unchanging state."""
        ...

    async def close(self) -> None: ...
