"""Watching all predictions of one gateway account at once: few are asked for one by one, many are read off its list.

The list is believed that something still runs, and a success that it shows whole; any other end is read from the
prediction itself, since a list may leave out what was made. It is read at an even pace, so that thousands of open
predictions take a steady share of the account's rate. What is learned goes into the journal, and whatever follows from
an end is written in that commit.
"""

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio

from darkroom.errors import GatewayError, JournalError, UnknownPrediction
from darkroom.gateways import ListPage, PollSchedule
from darkroom.predictions import RUNNING, Prediction, PredictionStatus
from darkroom.work.looks import LOOKS, is_whole
from darkroom.work.polling import Polling
from darkroom.work.reconcile import Reconciler, ReconcileRules
from darkroom.work.runtime import Runtime
from darkroom.work.watch import GIVE_UP_AFTER_S
from darkroom_server.team.account_rows import AccountRows, Open, Standing
from darkroom_server.team.team_account import TeamAccount
from darkroom_server.team.team_journal import TeamJournal

log = logging.getLogger(__name__)

_FEW = 5
_AT_ONCE, _MOST_LOOKS = 25, 200  # looks at single predictions at the same time, and in one round
_LIST_EVERY_S = 1.0
_PAGE_S = 0.03  # a list of 100 pages is read in three seconds
_PAGE_LENGTH, _TURNS = 100, 20  # taken together, so that not each page costs a transaction
_TOGETHER, _TOGETHER_S = 20, 0.5  # ends in a commit, and how long the first of them waits for others
_LATE_COMMIT_S = 15.0  # a row may be seen so long after the time that stands in it
_SHORTEST_REST_S, _LONGEST_REST_S = 0.25, 2.0
_TURN_WITHIN_S = 2.0
_MARGIN_S = 120.0  # by which the gateway's clock may differ
_HOME_EVERY_S = 15.0
_SLOWLY_S = 15.0
_DOUBTS_EVERY_S, _OLD_DOUBTS_EVERY_S = 5.0, 60.0


class AccountWatch:
    """What a worker knows of one account between its looks; `journal` and `rows` are everyone's in the tenant."""

    def __init__(
        self,
        account: TeamAccount,
        journal: TeamJournal,
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
        self._turns = 0
        self._listed_s = self._doubted_s = self._home_s = self._doubts_since_s = float("-inf")
        self._newest_doubt = 0.0

    async def run(self, is_over: Callable[[], bool]) -> None:
        """Look until `is_over` or nothing is open; then say when to wake again. Raises: JournalError."""
        self._schedules.clear()
        since, is_whole, goes_on = self._runtime.clock() - GIVE_UP_AFTER_S, True, True
        while goes_on and not is_over():
            now = self._runtime.clock()
            if goes_on := await self._round(await self._rows.now(now, since), now, is_whole=is_whole):
                since, is_whole = now - _LATE_COMMIT_S, False
                await self._runtime.sleep(self._rest_s())
        now = self._runtime.clock()
        await self._rows.rest(now, now - GIVE_UP_AFTER_S, _SLOWLY_S, goes_on=goes_on)

    async def _round(self, found: Standing, now: float, *, is_whole: bool) -> bool:
        """One look at all that is due. False where nothing is expected soon.

        `found` is all that is open, or where it is not `is_whole`, what has come since the last round.
        """
        has_new_doubts = await self._settle_doubts(found)
        if self._is_due(self._home_s, _HOME_EVERY_S):
            self._home_s = self._runtime.monotonic()
            await self._rows.want_home(now)
        await self._take_up(found.open, now, is_whole=is_whole)
        now_s = self._runtime.monotonic()
        due = [each for each in self._polls.values() if each.next_s <= now_s]
        if self._are_many:
            due = await self._read_list(due) if due and self._is_due(self._listed_s, _LIST_EVERY_S) else []
        await self._look_at(due[:_MOST_LOOKS])
        return bool(self._polls) or found.is_one_on_its_way or has_new_doubts

    @property
    def _are_many(self) -> bool:
        return len(self._polls) > _FEW and self._client.gateway.has_list

    def _rest_s(self) -> float:
        """Until the next look is due; short enough to notice what has come meanwhile."""
        next_s = min((each.next_s for each in self._polls.values()), default=float("inf"))
        if self._are_many:
            next_s = max(next_s, self._listed_s + _LIST_EVERY_S)
        return min(max(next_s - self._runtime.monotonic(), _SHORTEST_REST_S), _LONGEST_REST_S)

    def _is_due(self, last_s: float, every_s: float) -> bool:
        return self._runtime.monotonic() - last_s >= every_s

    async def _settle_doubts(self, found: Standing) -> bool:
        """Look for lost answers, often while they are new. True while a new one is open."""
        if not found.doubts or not self._client.gateway.has_list:
            return False
        if found.newest_doubt != self._newest_doubt:
            self._newest_doubt, self._doubts_since_s = found.newest_doubt, self._runtime.monotonic()
        # From when it was first seen here; what others have missed before counts, as it is written down.
        is_new = not self._is_due(self._doubts_since_s, 3 * self._settle_s)
        every_s = min(_DOUBTS_EVERY_S, self._settle_s / 4) if is_new else _OLD_DOUBTS_EVERY_S
        if self._is_due(self._doubted_s, every_s):
            self._doubted_s = self._runtime.monotonic()
            await self._look_for_lost()
        return is_new

    async def _look_for_lost(self) -> None:
        """Beyond this worker's life: what it has missed in the lists is written down, and that of others counts."""
        ahead_s = self._runtime.clock() - self._runtime.monotonic()
        kept, known = await self._rows.missed(), self._reconciler.missed_since_s
        # Its own marks go first: they do not move where the database's clock is set.
        known |= {each: at - ahead_s for each, at in kept.items() if each not in known}
        await self._reconciler.once()
        missed = {each: since_s + ahead_s for each, since_s in self._reconciler.missed_since_s.items()}
        if missed.keys() != kept.keys():
            await self._rows.keep_missed(missed)

    async def _take_up(self, rows: Sequence[Open], now: float, *, is_whole: bool) -> None:
        """Plan the looks at what is new, and where the rows are all that is open, forget what has ended."""
        kept = {} if is_whole else self._polls
        self._polls = kept | {row.prediction_id: self._polls.get(row.prediction_id) or _Poll(row) for row in rows}
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
        """Newest first, on while a page may show one that is due; all that is open and shown is judged.

        Successes that are shown whole are written down. Gives those that do not run there any more, or are not there.
        """
        begun_s = self._listed_s = self._runtime.monotonic()
        wanted, unsure = {each.row.prediction_id: each for each in due}, list[_Poll]()
        oldest = min(each.row.since for each in due) - _MARGIN_S
        cursor, cursors, ended, since_s = "", {""}, list[Prediction](), begun_s
        async with anyio.create_task_group() as tasks:
            try:
                while wanted and await self._turn(len(wanted) // _PAGE_LENGTH):
                    page = await self._client.list_page(cursor, wanted=self._polls)
                    since_s = since_s if ended else self._runtime.monotonic()
                    ended += self._judge(page, wanted, unsure)
                    if len(ended) >= _TOGETHER or self._is_due(since_s, _TOGETHER_S):
                        tasks.start_soon(self._record, ended)
                        ended = []
                    cursor = page.next_cursor
                    if not cursor or cursor in cursors or (page.oldest_at and page.oldest_at.timestamp() < oldest):
                        break
                    await self._runtime.sleep(max(0.0, begun_s + len(cursors) * _PAGE_S - self._runtime.monotonic()))
                    cursors.add(cursor)
            except GatewayError as error:
                log.warning("the list of account %s could not be read: %s", self._account.id, error)
            tasks.start_soon(self._record, ended)
        return [*unsure, *wanted.values()]

    def _judge(self, page: ListPage, wanted: dict[str, "_Poll"], unsure: list["_Poll"]) -> list[Prediction]:
        """The successes on a page; what is on it is not `wanted` any more, and `unsure` where only a look can tell."""
        next_s = self._runtime.monotonic() + max(_LIST_EVERY_S, self._account.look_every_s)
        shown = [
            poll for id in (*page.running, *(found.id for found in page.predictions)) if (poll := self._polls.get(id))
        ]
        for poll in shown:
            wanted.pop(poll.row.prediction_id, None)
            poll.next_s = next_s
        others = [(self._polls[found.id], found) for found in page.predictions if found.id in self._polls]
        unsure += [poll for poll, found in others if found.status not in RUNNING and not _is_made(poll, found)]
        return [found for poll, found in others if _is_made(poll, found)]

    async def _record(self, ended: Sequence[Prediction]) -> None:
        """Write them down, a few in each commit: the creates of the tenant wait for it."""
        for some in (ended[start : start + _TOGETHER] for start in range(0, len(ended), _TOGETHER)):
            try:
                await self._journal.record_all(some, self._account.look(self._runtime.clock()))
            except JournalError as error:  # the next page that shows them is as good
                log.warning("%d ends were not written down: %s", len(some), error)
                continue
            for prediction in some:
                self._polls.pop(prediction.id, None)

    async def _turn(self, wanted: int) -> bool:
        """Whether the account's rate allows one more look now; so many are `wanted` soon."""
        if not self._turns:
            name, count = f"looks {self._account.origin} {self._account.id}", min(max(wanted, 1), _TURNS)
            try:
                pause_s = await self._journal.rates.reserve(name, LOOKS, _TURN_WITHIN_S, count)
            except JournalError as error:
                log.warning("no turn for a look at account %s: %s", self._account.id, error)
                return False
            if pause_s is None:
                return False
            self._turns = count
            await self._runtime.sleep(pause_s)
        self._turns -= 1
        return True

    async def _look_at(self, due: Sequence["_Poll"]) -> None:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for number, poll in enumerate(due):
                if not await self._turn(len(due) - number):
                    return
                tasks.start_soon(self._look, poll, limiter)

    async def _look(self, poll: "_Poll", limiter: anyio.CapacityLimiter) -> None:
        """One look; a fault is logged, and the next look shows more."""
        prediction_id, polling = poll.row.prediction_id, poll.polling
        assert polling is not None
        async with limiter:
            try:
                prediction = await self._client.get(prediction_id, attempts=1)
                prediction = polling.saw(prediction, self._runtime.monotonic())
                look = self._account.look(self._runtime.clock(), is_final=polling.is_output_overdue)
                if (await self._journal.record(prediction, look)).ended_at is not None:
                    self._polls.pop(prediction_id, None)
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
        self._polls.pop(prediction_id, None)


def _is_made(poll: "_Poll", found: Prediction) -> bool:
    return is_whole(found, poll.row.image_count)


class _Poll:
    """The looks at one prediction; `next_s` is on the monotonic clock."""

    def __init__(self, row: Open) -> None:
        self.row = row
        self.polling: Polling | None = None
        self.next_s = float("-inf")
