"""Which predictions this process follows, told to other processes by leases in the journal."""

import logging
import secrets

import anyio

from darkroom.errors import JournalError
from darkroom.journal import Journal

log = logging.getLogger(__name__)

LEASE_S = 30.0


class Leases:
    """Leases of one process. Following twice does no harm, so a lease only saves work."""

    def __init__(self, journal: Journal, lease_s: float = LEASE_S) -> None:
        self.lease_s = lease_s
        self._journal = journal
        self._owner = secrets.token_hex(8)
        self._held: set[str] = set()

    async def take(self, key: str) -> bool:
        """False where another process has it."""
        is_ours = await self._journal.lease(key, self._owner, self.lease_s)
        (self._held.add if is_ours else self._held.discard)(key)
        return is_ours

    async def hold(self, key: str) -> None:
        """Renew it until cancelled; what is done within seconds needs no lease."""
        while True:
            await anyio.sleep(self.lease_s / 3)
            try:
                await self.take(key)
            except JournalError as error:
                log.warning("lease of %s not renewed: %s", key, error)

    async def give_back(self, key: str) -> None:
        """Let the next process take over at once, also when this one is closing."""
        if key in self._held:
            self._held.discard(key)
            try:
                await self._journal.lease(key, self._owner, 0)
            except JournalError as error:
                log.warning("lease of %s not given back: %s", key, error)
