"""What came of images, written down: what comes while a commit is on its way goes into the next one together.

The writers of a tenant wait for each other, so that each image in a commit of its own would have all of them wait.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio

from darkroom.journal.database import Database, Session
from darkroom_server.team import outbox

_TOGETHER = 50


@dataclass(eq=False, slots=True)
class _Note:
    prediction_id: str
    work: Callable[[Session], None]
    is_taken: bool = False
    error: Exception | None = None


class ImageNotes:
    """Once each image of a prediction was tried, whoever waits for it hears of that in the same commit."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Note] = []
        self._one_at_a_time = anyio.Lock()

    async def write(self, prediction_id: str, work: Callable[[Session], None]) -> None:
        """Do the work, which may be done twice, in a commit. Raises: JournalError, and what the work itself raises."""
        note = _Note(prediction_id, work)
        self._waiting.append(note)
        with anyio.CancelScope(shield=True):
            async with self._one_at_a_time:
                if not note.is_taken:
                    await self._commit_some()
        if note.error:
            raise note.error

    async def _commit_some(self) -> None:
        """The oldest ones; where they cannot be written together, each for itself, so that none costs the others."""
        some, self._waiting = self._waiting[:_TOGETHER], self._waiting[_TOGETHER:]
        for note in some:
            note.is_taken = True
        try:
            await self._commit(some)
        except Exception:
            async with anyio.create_task_group() as tasks:
                for note in some:
                    tasks.start_soon(self._commit_alone, note)

    async def _commit_alone(self, note: _Note) -> None:
        try:
            await self._commit([note])
        except Exception as error:  # its own caller gets it
            note.error = error

    async def _commit(self, notes: Sequence[_Note]) -> None:
        def work(session: Session) -> None:
            for note in notes:
                note.work(session)
            outbox.tell_if_tried(session, sorted({note.prediction_id for note in notes}))

        await self._database.write(work)
