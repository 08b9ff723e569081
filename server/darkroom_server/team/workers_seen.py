"""Whether any worker of the team runs: without one nothing is followed or stored, and a replica says so everywhere."""

import logging

import anyio

from darkroom.errors import JournalError
from darkroom.journal.postgres import Postgres
from darkroom_server.team import outbox

log = logging.getLogger(__name__)

_NO_WORKER = (
    "no worker of this darkroom has been heard of for 30 s. Until one runs, no image is stored, and links of the "
    "gateway may die before. Tell the administrator: `darkroom-mcp worker` must run beside the server."
)
_SILENT_S = 30.0  # they give a sign of life every 5 s
_ASKED_EVERY_S = 5.0
_COUNTED_EVERY_S = 15.0
_LOOKS_BEFORE_SAID = 3  # a worker that begins together with the replica takes a while


class WorkersSeen:
    """What all calls of a replica know of them. `queues` is how many they have served of late: each worker two."""

    def __init__(self, postgres: Postgres) -> None:
        self._database = postgres.of_nobody
        self._asked_s = float("-inf")
        self.queues = 2

    async def words(self) -> str:
        """What an answer says where none runs; empty where one does, or where the database does not say."""
        now_s = anyio.current_time()
        if not self.queues or now_s - self._asked_s >= _ASKED_EVERY_S:
            self._asked_s = now_s
            try:
                self.queues = await self._database.read(lambda session: outbox.queues(session, _SILENT_S))
            except JournalError:
                return ""
        return "" if self.queues else _NO_WORKER

    async def keep_counting(self) -> None:
        """Runs for ever, so that the log and the figures tell it even while nobody calls."""
        silent = 0
        while True:
            await self.words()
            silent = 0 if self.queues else silent + 1
            if silent == _LOOKS_BEFORE_SAID:
                log.warning("%s", _NO_WORKER)
            await anyio.sleep(_COUNTED_EVERY_S)
