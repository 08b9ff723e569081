"""What the gateway's own log took for our creates, asked for after an end and after a lost answer.

The log is read at most once a minute for a gateway and account, by whichever process takes the turn, and what it says
goes into the journal. A process that ends in between loses nothing: the next one finds the same creates unbilled.
"""

import logging
from collections.abc import Sequence

import anyio

from darkroom.errors import GatewayError
from darkroom.journal import Intent, Journal
from darkroom.work.accounts import Account
from darkroom.work.log_rows import appears_until, findings, is_open, looked_for_until
from darkroom.work.runtime import Runtime

log = logging.getLogger(__name__)

# new-api allows 20 calls in 20 minutes; by its clock a minute of ours may be a little less.
EVERY_S = 63.0
WANTED_FOR_S = 2 * 3600.0
# A gateway that has no log may get one with its next version.
_ASK_AGAIN_S = 7 * 24 * 3600.0


class Bills:
    """Looks for the bills of one account; `run` is woken by every end."""

    def __init__(self, account: Account, journal: Journal, runtime: Runtime) -> None:
        self._account = account
        self._journal = journal
        self._runtime = runtime
        self._gateway = account.client.gateway
        self._turn = f"token log of {account.id}"
        self._one_at_a_time = anyio.Lock()
        self._is_running = False
        self._is_new = False
        self._asks_from_s = 0.0  # by the monotonic clock
        self._woken = anyio.Event()

    async def run(self) -> None:
        """Look until no bill is open that may still come; a new end begins anew. Returns when told to."""
        self._is_new = True
        self._woken.set()
        if self._is_running or not self._account.id or self._gateway.has_token_log is False:
            return
        self._is_running = True
        try:
            while self._is_new:
                self._is_new = False
                await self._until_billed()
        finally:
            self._is_running = False

    async def look_once(self, within_s: float) -> None:
        """One look if its turn has come, or the end of the one under way: for programs that end right after.

        Raises: JournalError.
        """
        if not self._account.id or self._gateway.has_token_log is False:
            return
        with anyio.move_on_after(within_s):
            if self._open(await self._creates()) and await self._may_have_log():
                await self._look_in_turn()

    async def _until_billed(self) -> None:
        if self._runtime.monotonic() < self._asks_from_s or not self._open(await self._creates()):
            return
        if not await self._may_have_log():
            self._asks_from_s = self._runtime.monotonic() + EVERY_S
            return
        while self._open(await self._creates()):
            has_looked = await self._look_in_turn()
            if has_looked is None:
                await self._pause(EVERY_S)
                continue
            if not has_looked:
                return
            now = self._runtime.clock()
            creates = self._open(await self._creates())
            coming = [end for each in creates for end in (appears_until(each), looked_for_until(each)) if end > now]
            if not coming:
                return
            await self._pause(EVERY_S if self._is_new else max(EVERY_S, min(coming) - now))

    async def _look_in_turn(self) -> bool | None:
        """As `_look`; None where it is not the turn of this process yet."""
        async with self._one_at_a_time:
            if not await self._journal.take_turn(self._turn, EVERY_S):
                return None
            self._is_new = False
            return await self._look()

    async def _look(self) -> bool:
        """Read the log once and write down what it says; False where there is none."""
        try:
            found = await self._account.client.token_log()
        except GatewayError as error:
            log.info("the gateway's log could not be read: %s", error)
            return True
        if found is None:
            return await self._is_there_all_the_same()
        await self._journal.remember_token_log(self._account.id, True)
        creates, now = await self._creates(), self._runtime.clock()
        for finding in findings(creates, found, now, has_list=self._gateway.has_list):
            if finding.usd is None:
                await self._journal.note_cost(finding.key, finding.note, is_absent=finding.is_absent)
            else:
                await self._journal.bill(finding.key, finding.usd, finding.note)
        return True

    async def _may_have_log(self) -> bool:
        """True where there is one, and where nobody has asked yet or not for a week."""
        has_log = await self._journal.has_token_log(self._account.id)
        return has_log is not False or await self._journal.take_turn(f"ask for the {self._turn}", _ASK_AGAIN_S)

    async def _is_there_all_the_same(self) -> bool:
        """A log that was seen once is there, whatever an outage shows in its place."""
        if await self._journal.has_token_log(self._account.id):
            return True
        await self._journal.remember_token_log(self._account.id, False)
        await self._journal.take_turn(f"ask for the {self._turn}", _ASK_AGAIN_S)
        return False

    async def _creates(self) -> tuple[Intent, ...]:
        since = self._runtime.clock() - WANTED_FOR_S
        return await self._journal.sent_since(self._account.origin, self._account.id, since)

    def _open(self, creates: Sequence[Intent]) -> list[Intent]:
        now = self._runtime.clock()
        return [create for create in creates if is_open(create, now)]

    async def _pause(self, seconds: float) -> None:
        """Wait so long, or until something has ended."""
        self._woken = anyio.Event()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._sleep_then_wake, seconds, self._woken)
            await self._woken.wait()
            tasks.cancel_scope.cancel()

    async def _sleep_then_wake(self, seconds: float, woken: anyio.Event) -> None:
        await self._runtime.sleep(seconds)
        woken.set()
