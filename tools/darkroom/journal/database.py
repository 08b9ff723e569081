"""The seam under the journal: a database that runs one piece of work in one transaction.

Everything above writes its statements once, with `?` for values, in the SQL that SQLite and PostgreSQL share.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

T = TypeVar("T")
# At what time a create stands in lists and sums.
AT = "coalesce(sent_at, intended_at)"
EVERYONE = "*"  # the principal that sees the rows of all principals of a tenant


class Result(Protocol):
    """What a statement gave; rows are read by column name."""

    @property
    def rowcount(self) -> int: ...
    def fetchone(self) -> Any: ...
    def fetchall(self) -> list[Any]: ...


class Session(Protocol):
    """One open transaction. It sees the rows of one principal; in a SQLite file all rows have the same one."""

    def execute(self, statement: str, values: Sequence[Any] = ..., /) -> Result: ...

    def executemany(self, statement: str, rows: Iterable[Sequence[Any]], /) -> object:
        """The same statement for each row of values; what it gives is not told. It takes one way there and back."""
        ...

    def everyone(self) -> AbstractContextManager[None]:
        """Inside the block it sees the rows of all principals of the tenant: for sums, and for what is one's own."""
        ...

    def as_owner(self, key: str) -> AbstractContextManager[None]:
        """Inside the block it is the principal of this intent, whose rows it then sees and writes."""
        ...

    def refuse_if_lost(self) -> None:
        """Raises: JournalError where what is written now would not be there at the next start."""
        ...


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
