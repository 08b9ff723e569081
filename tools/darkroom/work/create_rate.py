"""How many creates an account may send: a turn for each, in the order in which they are asked for.

Replicate documents 600 creates a minute (https://replicate.com/docs/topics/predictions/rate-limits, 2026-11-25); what
others allow is not documented, and a 429 tells.
"""

import logging
from dataclasses import dataclass

from darkroom.errors import GatewayBusy, JournalError
from darkroom.journal import Journal, Rate
from darkroom.work.accounts import Account
from darkroom.work.runtime import Runtime
from darkroom.work.watch import Watched

log = logging.getLogger(__name__)

# At most 600 in any 60 s, the burst included.
CREATES = Rate(per_minute=540, burst=60)
# A create that would go later than this is not wanted any more, as far as anybody can tell.
PATIENCE_S = 600.0
_LONGEST_FREEZE_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Turns:
    """The rate of an account, and for how many seconds at most a create waits for its turn; else it is refused."""

    rate: Rate = CREATES
    within_s: float = PATIENCE_S


class CreateRate:
    """Shared through the journal by all processes that create with this account, whom `name` stands for."""

    def __init__(self, account: Account, journal: Journal, runtime: Runtime, turns: Turns) -> None:
        self._gateway = account.client.gateway
        self.name = f"creates {account.origin} {account.id}"
        self._journal = journal
        self._runtime = runtime
        self._turns = turns

    async def turn(self, watched: Watched) -> None:
        """Return when it is this create's turn. Raises: GatewayBusy where that is too far off; JournalError."""
        while pause_s := await self._reserved():
            with watched.queued():
                await self._runtime.sleep(pause_s)
            # The gateway may have asked for quiet meanwhile. Who went all the same, at once with the others, would
            # only be refused again.
            if not await self._journal.rates.frozen_s(self.name):
                return

    async def freeze(self, for_s: float) -> None:
        """The gateway wants no create of this account for so many seconds; later than a minute it is asked again."""
        try:
            await self._journal.rates.freeze(self.name, min(for_s, _LONGEST_FREEZE_S))
        except JournalError as error:
            log.warning("a pause for the gateway could not be noted: %s", error)

    async def _reserved(self) -> float:
        turns = self._turns
        pause_s = await self._journal.rates.reserve(self.name, turns.rate, turns.within_s)
        if pause_s is not None:
            return pause_s
        raise GatewayBusy(
            f"{self._gateway.title} has too many creates to take. Nothing was sent. Try again later.",
            gateway=self._gateway.name,
            retry_after_s=turns.within_s,
        )
