"""Fences around pieces of work: no fault in one of them ends the others."""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import cast

from darkroom.errors import DarkroomError, InternalFault, JournalError
from darkroom.journal import Journal
from darkroom.work.watch import Watched

log = logging.getLogger(__name__)


class Fences:
    """A fault is logged, noted in the row of what is `watched`, and told to who waits for it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @asynccontextmanager
    async def around(self, doing: str, watched: Watched | None = None) -> AsyncGenerator[None]:
        """`doing` is what the block does, in words for the log."""
        try:
            yield
        except Exception as error:
            problem = error
            while isinstance(problem, ExceptionGroup):  # task groups in task groups raise groups in groups
                problem = cast("ExceptionGroup[Exception]", problem).exceptions[0]
            log.error("%s ended: %s", doing, problem, exc_info=None if isinstance(problem, DarkroomError) else error)
            if watched is None:
                return
            if not isinstance(problem, DarkroomError):
                problem = InternalFault(f"darkroom met a fault of its own while {doing} ({type(problem).__name__}).")
            watched.publish(problem=problem, settled=True)
            with suppress(JournalError):
                await self._journal.note_problem(watched.intent.key, problem.message)

    async def run(self, doing: str, work: Callable[[], Awaitable[object]]) -> None:
        """The work behind a fence."""
        async with self.around(doing):
            await work()
