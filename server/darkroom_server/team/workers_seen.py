"""Whether any worker of the team runs, for the answers of a replica: without one nothing is followed or stored."""

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


class WorkersSeen:
    """One for all people of a replica. While a worker runs it asks the database at most every five seconds."""

    def __init__(self, postgres: Postgres) -> None:
        self._database = postgres.of_nobody
        self._next_s = float("-inf")
        self._is_any = True

    async def words(self) -> str:
        """What an answer says where none runs; empty where one does, or where the database does not say."""
        if not self._is_any or anyio.current_time() >= self._next_s:
            self._next_s = anyio.current_time() + _ASKED_EVERY_S
            try:
                is_any = await self._database.read(lambda session: outbox.is_any_worker(session, _SILENT_S))
            except JournalError:
                return ""
            if self._is_any and not is_any:
                log.warning("%s", _NO_WORKER)
            self._is_any = is_any
        return "" if self._is_any else _NO_WORKER
