"""Watching all predictions of one gateway account at once: few are asked for one by one, many are read off its list.

The list is only believed that something still runs; an end is read from the prediction itself, since a list may leave
out what was made. What is learned goes into the journal, and whatever follows from an end is written in that commit.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio

from darkroom.errors import GatewayError, JournalError, UnknownPrediction
from darkroom.gateways import PollSchedule
from darkroom.journal import Journal
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.work.looks import LOOKS
from darkroom.work.reconcile import Reconciler, ReconcileRules
from darkroom.work.runtime import Runtime
from darkroom.work.watch import GIVE_UP_AFTER_S, Polling
from darkroom_server.team.account_rows import AccountRows, Open, Standing
from darkroom_server.team.team_account import TeamAccount

log = logging.getLogger(__name__)

_FEW = 5
_AT_ONCE = 25  # looks at single predictions at the same time
_LIST_EVERY_S = 1.0
_SHORTEST_REST_S, _LONGEST_REST_S = 0.25, 2.0
_TURN_WITHIN_S = 2.0
_MARGIN_S = 120.0  # by which the gateway's clock may differ
_HOME_EVERY_S = 15.0
_SLOWLY_S = 15.0
_DOUBTS_EVERY_S, _OLD_DOUBTS_EVERY_S = 5.0, 60.0
_RUNNING = (PredictionStatus.STARTING, PredictionStatus.PROCESSING)


class AccountWatch:
    """What a worker knows of one account between its looks; `journal` and `rows` are everyone's in the tenant."""

    def __init__(
        self,
        account: TeamAccount,
        journal: Journal,
        rows: AccountRows,
        runtime: Runtime,
        rules: ReconcileRules,
        typical_s: Callable[[str], float | None],
    ) -> None:
        self._account = account
        self._client = account.client
        self._journal = journal
        self._rows = rows
        self._runtime = runtime
        self._settle_s = rules.settle_s
        self._typical_s = typical_s
        self._reconciler = Reconciler(account, journal, runtime, rules, lambda intent: None, lambda intent: False)
        self._polls: dict[str, _Poll] = {}
        self._schedules: dict[str, PollSchedule] = {}
        self._rng = random.Random()
        self._listed_s = self._doubted_s = self._home_s = float("-inf")

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Look until `is_over` or nothing is open; then say when to wake again. Raises: JournalError."""
        self._schedules.clear()
        while not is_over() and await self._round():
            await self._runtime.sleep(self._rest_s())
        now = self._runtime.clock()
        await self._rows.rest(now, now - GIVE_UP_AFTER_S, _SLOWLY_S)

    async def _round(self) -> bool:
        """One look at all that is due. False where nothing is expected soon."""
        now = self._runtime.clock()
        found = await self._rows.now(now, now - GIVE_UP_AFTER_S)
        has_new_doubts = await self._settle_doubts(found, now)
        if self._is_due(self._home_s, _HOME_EVERY_S):
            self._home_s = self._runtime.monotonic()
            await self._rows.want_home(now)
        await self._take_up(found.open, now)
        now_s = self._runtime.monotonic()
        due = [each for each in self._polls.values() if each.next_s <= now_s]
        if len(due) > _FEW and self._client.gateway.has_list:
            due = await self._read_list(due) if self._is_due(self._listed_s, _LIST_EVERY_S) else []
        await self._look_at(due[:_AT_ONCE])
        return bool(found.open) or found.is_one_on_its_way or has_new_doubts

    def _rest_s(self) -> float:
        """Until the next look is due; short enough to notice what has come meanwhile."""
        next_s = min((each.next_s for each in self._polls.values()), default=float("inf"))
        return min(max(next_s - self._runtime.monotonic(), _SHORTEST_REST_S), _LONGEST_REST_S)

    def _is_due(self, last_s: float, every_s: float) -> bool:
        return self._runtime.monotonic() - last_s >= every_s

    async def _settle_doubts(self, found: Standing, now: float) -> bool:
        """Look for lost answers, often while they are new. True while a new one is open."""
        if not found.doubts or not self._client.gateway.has_list:
            return False
        is_new = now - found.newest_doubt < 1.5 * self._settle_s
        every_s = min(_DOUBTS_EVERY_S, self._settle_s / 4) if is_new else _OLD_DOUBTS_EVERY_S
        if self._is_due(self._doubted_s, every_s):
            self._doubted_s = self._runtime.monotonic()
            await self._reconciler.once()
        return is_new

    async def _take_up(self, rows: Sequence[Open], now: float) -> None:
        """Forget what has ended, and plan the looks at what is new."""
        self._polls = {row.prediction_id: self._polls.get(row.prediction_id) or _Poll(row) for row in rows}
        now_s = self._runtime.monotonic()
        for poll in self._polls.values():
            if poll.polling is None:
                schedule = await self._schedule(poll.row.model)
                started_s = now_s - max(0.0, now - poll.row.since)
                poll.polling = Polling(schedule=schedule, started_s=started_s, settle_s=self._settle_s)
                poll.next_s = now_s if now - poll.row.since > _SLOWLY_S else now_s + self._pause_s(poll)

    async def _schedule(self, model: str) -> PollSchedule:
        """By what this gateway took for this model so far, read once for each watch."""
        if model not in self._schedules:
            samples = await self._journal.seconds(self._client.gateway.name, model)
            self._schedules[model] = PollSchedule.learned(samples, self._typical_s(model))
        return self._schedules[model]

    def _pause_s(self, poll: "_Poll") -> float:
        assert poll.polling is not None
        return max(poll.polling.pause_s(self._runtime.monotonic(), self._rng), self._account.look_every_s)

    async def _read_list(self, due: Sequence["_Poll"]) -> list["_Poll"]:
        """Newest first, on while a page shows one that is due. Gives those that do not run there any more."""
        self._listed_s = self._runtime.monotonic()
        wanted = {each.row.prediction_id: each for each in due}
        oldest = min(each.row.since for each in due) - _MARGIN_S
        cursor, cursors = "", {""}
        try:
            while wanted and await self._turn():
                page = await self._client.list_page(cursor)
                for found in page.predictions:
                    if found.status in _RUNNING and (poll := wanted.pop(found.id, None)):
                        poll.next_s = self._runtime.monotonic() + max(self._pause_s(poll), _LIST_EVERY_S)
                cursor = page.next_cursor
                if not cursor or cursor in cursors or _is_past(page.predictions, oldest):
                    break
                cursors.add(cursor)
        except GatewayError as error:
            log.warning("the list of account %s could not be read: %s", self._account.id, error)
        return list(wanted.values())

    async def _turn(self) -> bool:
        """Whether the account's rate allows one more look now."""
        name = f"looks {self._account.origin} {self._account.id}"
        pause_s = await self._journal.rates.reserve(name, LOOKS, _TURN_WITHIN_S)
        if pause_s:
            await self._runtime.sleep(pause_s)
        return pause_s is not None

    async def _look_at(self, due: Sequence["_Poll"]) -> None:
        async with anyio.create_task_group() as tasks:
            for poll in due:
                if not await self._turn():
                    return
                tasks.start_soon(self._look, poll)

    async def _look(self, poll: "_Poll") -> None:
        """One look; a fault is logged, and the next look shows more."""
        prediction_id, polling = poll.row.prediction_id, poll.polling
        assert polling is not None
        try:
            prediction = await self._client.get(prediction_id, attempts=1)
            polling.saw(prediction, self._runtime.monotonic())
            look = self._account.look(self._runtime.clock(), is_final=polling.is_output_overdue)
            await self._journal.record(prediction, look)
        except UnknownPrediction as error:
            if polling.missed(self._runtime.monotonic()):
                await self._end_missing(prediction_id)
            else:
                log.info("%s", error)
        except (GatewayError, JournalError) as error:
            log.warning("look at %s failed: %s", prediction_id, error)
        poll.next_s = self._runtime.monotonic() + self._pause_s(poll)

    async def _end_missing(self, prediction_id: str) -> None:
        """Record it as failed, so that polling stops."""
        row = await self._journal.find(prediction_id)
        last = row.prediction if row and row.prediction else Prediction(id=prediction_id)
        words = "The gateway no longer knows this prediction."
        await self._journal.record(replace(last, status=PredictionStatus.FAILED, error=words))


class _Poll:
    """The looks at one prediction; `next_s` is on the monotonic clock."""

    def __init__(self, row: Open) -> None:
        self.row = row
        self.polling: Polling | None = None
        self.next_s = float("-inf")


def _is_past(page: Sequence[Prediction], oldest: float) -> bool:
    """Whether the list was read past that time."""
    last = page[-1].created_at if page else None
    return last is not None and last.timestamp() < oldest
