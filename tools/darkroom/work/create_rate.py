"""How many creates an account may send: each is claimed in its turn, in the order in which they are asked for.

Replicate documents 600 creates a minute (https://replicate.com/docs/topics/predictions/rate-limits, 2026-11-25); what
others allow is not documented, and a 429 tells.
"""

import logging
from dataclasses import dataclass

from darkroom.errors import GatewayBusy, JournalError
from darkroom.journal import Journal, Limit, Rate, Turn
from darkroom.work.accounts import Account
from darkroom.work.runtime import CrashPoint, Runtime
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
        self._account = account
        self.name = f"creates {account.origin} {account.id}"
        self._journal = journal
        self._runtime = runtime
        self._turns = turns

    async def claimed(self, watched: Watched, spending: Limit | None) -> tuple[float, float] | None:
        """When it was claimed, by both clocks, in its turn; None where it is not ours to send, or not wanted any more.

        Raises: GatewayBusy where its turn is too far off; SpendingRefused, JournalError.
        """
        turn: Turn | None = Turn(name=self.name, rate=self._turns.rate, within_s=self._turns.within_s)
        own, key, account = turn, watched.intent.key, self._account.id
        while watched.is_wanted:
            claimed_at = self.now()
            self._runtime.at_crash_point(CrashPoint.BEFORE_CLAIM)
            claimed = await self._journal.claim(key, account=account, spending=spending, turn=turn)
            if isinstance(claimed, bool):
                return claimed_at if claimed else None
            if claimed.pause_s is None:
                raise self._too_many()
            with watched.queued():
                await self._runtime.sleep(claimed.pause_s)
            # The gateway may have asked for quiet meanwhile. Who went all the same, at once with the others, would
            # only be refused again.
            turn = own if await self._journal.rates.frozen_s(self.name) else None
        return None

    def now(self) -> tuple[float, float]:
        """On both clocks: one may be set, the other may stand still while the computer sleeps."""
        return self._runtime.clock(), self._runtime.monotonic()

    async def freeze(self, for_s: float) -> None:
        """The gateway wants no create of this account for so many seconds; later than a minute it is asked again."""
        try:
            await self._journal.rates.freeze(self.name, min(for_s, _LONGEST_FREEZE_S))
        except JournalError as error:
            log.warning("a pause for the gateway could not be noted: %s", error)

    def _too_many(self) -> GatewayBusy:
        gateway = self._account.client.gateway
        return GatewayBusy(
            f"{gateway.title} has too many creates to take. Nothing was sent. Try again later.",
            gateway=gateway.name,
            retry_after_s=self._turns.within_s,
        )
