"""How many creates an account may send: each is claimed in its turn, in the order in which they are asked for.

Replicate documents 600 creates a minute (https://replicate.com/docs/topics/predictions/rate-limits, 2026-11-25); what
others allow is not documented, and a 429 tells.
"""

import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import anyio
import anyio.abc

from darkroom.errors import GatewayBusy, JournalError
from darkroom.journal import Call, Intent, IntentState, Journal, Limit, NewIntent, Rate, Turn
from darkroom.work.accounts import Account
from darkroom.work.runtime import CrashPoint, Runtime
from darkroom.work.watch import Watched

log = logging.getLogger(__name__)

# At most 600 in any 60 s, the burst included.
CREATES = Rate(per_minute=540, burst=60)
# A create that would go later than this is not wanted any more, as far as anybody can tell.
PATIENCE_S = 600.0
_LONGEST_FREEZE_S = 60.0
_UNSENT = "Nothing was sent."
_TRIES = 5


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
        # Of those that were claimed in the commit that wrote them down, and are not sent yet.
        self._claimed_at: dict[str, tuple[float, float]] = {}
        # To be given back, without an answer of the journal: each may be anybody's by now.
        self._in_doubt: set[str] = set()
        self._settling = anyio.Lock()

    async def order(
        self, tasks: anyio.abc.TaskGroup, wanted: Sequence[NewIntent], spending: Limit | None, call: Call
    ) -> tuple[Intent, ...]:
        """Write them down, and claim in the same commit what may go at once: `claimed` knows that, once.

        A caller that is cancelled by its event loop itself, through every shield, has it given back in one of `tasks`.

        Raises: as `Journal.intend`.
        """
        written, failures, done = list[Intent](), list[Exception](), anyio.Event()

        async def write() -> None:
            try:
                claimed_at = self.now()
                self._runtime.at_crash_point(CrashPoint.BEFORE_CLAIM)
                turn = replace(self._turn, within_s=0)
                rows = await self._journal.intend(wanted, spending=spending, call=call, turn=turn)
                self._claimed_at |= dict.fromkeys(rows.claimed, claimed_at)
                written.extend(rows.intents)
            except Exception as error:
                failures.append(error)
                if isinstance(error, JournalError):
                    tasks.start_soon(self._take_back, wanted[0])
            finally:
                done.set()

        async def forget() -> None:
            with anyio.CancelScope(shield=True):
                await done.wait()
                for row in written:
                    await self.give_back(row.key)

        tasks.start_soon(write)
        try:
            with anyio.CancelScope(shield=True):
                await done.wait()
        except BaseException:
            tasks.start_soon(forget)
            raise
        if failures:
            raise failures[0]
        return tuple(written)

    async def give_back(self, key: str) -> None:
        """It is not sent now; it stands as one that was only written down."""
        if self._claimed_at.pop(key, None):
            self._in_doubt.add(key)
        with suppress(JournalError):
            await self._settle(key)

    async def _settle(self, key: str) -> None:
        """Raises: JournalError."""
        if key not in self._in_doubt:
            return
        async with self._settling:  # a second release that came late would free the claim of whoever sends it by then
            if key in self._in_doubt:
                await self._journal.release(key, _UNSENT)
                self._in_doubt.discard(key)

    async def _take_back(self, new: NewIntent) -> None:
        """A commit may be kept though its answer was lost; what it has claimed nobody sends."""
        for _ in range(_TRIES):
            with suppress(JournalError):
                for row in await self._journal.by_request(new.request_id):
                    if row.state is IntentState.SENT and row.called_at == new.called_at:
                        await self._journal.release(row.key, _UNSENT)
                return
            await self._runtime.sleep(1.0)

    async def claimed(self, watched: Watched, spending: Limit | None) -> tuple[float, float] | None:
        """When it was claimed, by both clocks, in its turn; None where it is not ours to send, or not wanted any more.

        Raises: GatewayBusy where its turn is too far off; SpendingRefused, JournalError.
        """
        key, account = watched.intent.key, self._account.id
        turn: Turn | None = self._turn
        if not watched.is_wanted:
            await self.give_back(key)
        elif claimed_at := self._claimed_at.pop(key, None):
            return claimed_at
        else:
            await self._settle(key)
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
            turn = self._turn if await self._journal.rates.frozen_s(self.name) else None
        return None

    @property
    def _turn(self) -> Turn:
        return Turn(name=self.name, rate=self._turns.rate, within_s=self._turns.within_s)

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
