"""All creates and watchers of one open Darkroom, each in a task of its own, each behind a fence.

What earlier processes left unfinished is taken up at start, then every two leases; a lease keeps two from doing it.
"""

import logging
from collections.abc import Callable, Coroutine, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import anyio.abc

from darkroom.errors import CreateUnresolved, DarkroomError, JournalError
from darkroom.gateways import PollSchedule
from darkroom.journal import DOUBTFUL, Call, Intent, IntentState, Journal, Look, NewIntent
from darkroom.predictions import Prediction
from darkroom.work.accounts import Account
from darkroom.work.bills import Bills
from darkroom.work.create import Budget, CreatePlan, Creator
from darkroom.work.create_rate import CreateRate
from darkroom.work.fences import Fences
from darkroom.work.holds import Holds
from darkroom.work.image_fetching import ImageFetching
from darkroom.work.leases import Leases
from darkroom.work.paid_ids import PaidIds
from darkroom.work.reconcile import Reconciler
from darkroom.work.rules import WorkRules
from darkroom.work.runtime import Runtime
from darkroom.work.sending import Sender
from darkroom.work.watch import Hold, Watched, Watcher

log = logging.getLogger(__name__)

# The sandbox paints faster than the models take that it stands for.
_SANDBOX_TYPICAL_S = 1.0


class Work:
    """Owned by the Darkroom. `notices` are sentences for the next answer, each said once. `is_open_to_foreign_ids`: a
    prediction that was not ordered here may be looked up by its id and is adopted then."""

    is_open_to_foreign_ids = True

    def __init__(
        self,
        account: Account,
        journal: Journal,
        fetching: ImageFetching,
        tasks: anyio.abc.TaskGroup,
        runtime: Runtime,
        rules: WorkRules,
    ) -> None:
        self.notices: list[str] = []
        self._account = account
        self._client = account.client
        self._journal = journal
        self._tasks = tasks
        self._runtime = runtime
        self._rules = rules
        self._paid_ids = PaidIds(rules.paid_ids_dir)
        self._leases = Leases(journal, rules.lease_s)
        self._fetching = fetching
        self._watcher = Watcher(account, journal, fetching, runtime, rules.reconcile.settle_s)
        self._reconciler = Reconciler(account, journal, runtime, rules.reconcile, self._take_over, self._is_awaited)
        self._bills = Bills(account, journal, runtime)
        self._holds = Holds(self._reconciler, runtime, self._follow_held)
        self._rate = CreateRate(account, journal, runtime, rules.turns)
        creator = Creator(account, journal, self._paid_ids, runtime, self._rate, self._mind_hold)
        self._sender = Sender(creator, self._reconciler, journal, runtime)
        self._fence, self._fenced = (fences := Fences(journal)).around, fences.run
        self._watched: dict[str, Watched] = {}
        self._given_up: set[str] = set()
        self._is_closing = False

    async def order(self, wanted: Sequence[NewIntent], call: Call) -> tuple[Intent, ...]:
        """Write all parts of one request down, and claim in that commit what may be sent at once: `start` does so with
        no further one. Where they are there, or `call` joins an earlier one, its parts. Raises: DarkroomError."""
        return await self._rate.order(self._tasks, wanted, self._rules.day_limit(), call)

    def start(self, intent: Intent, budget: Budget) -> Watched:
        """Send an intent, unless that was done already, and watch it."""
        return self._watched.get(intent.key) or self._begin(intent, partial(self._create_and_watch, budget=budget))

    def watch(self, intent: Intent) -> Watched:
        """Watch a prediction that exists already, beginning with a look at the gateway."""
        return self._watched.get(intent.key) or self._begin(intent, self._look_and_watch)

    def watched(self, intent: Intent) -> Watched | None:
        """Who watches it in this process, if anybody."""
        return self._watched.get(intent.key)

    def _is_awaited(self, intent: Intent) -> bool:
        return (watched := self.watched(intent)) is not None and watched.is_being_sent

    async def cancel_all(self, intents: Sequence[Intent]) -> None:
        """Ask the gateway to cancel those that still run, even where the caller waits no longer; faults are logged. A
        create in flight is canceled when its id comes, which is looked for where the gateway holds its answer."""
        ended = [anyio.Event() for _ in intents]
        for intent, event in zip(intents, ended, strict=True):
            self._tasks.start_soon(self._fenced, f"stopping {intent.key}", partial(self._stop, intent, event))
        for event in ended:
            await event.wait()

    async def cancel(self, intent: Intent) -> Prediction | None:
        """Ask the gateway to cancel, and note what became of it; None where it has no cancel. Raises: DarkroomError."""
        if (prediction := await self._client.cancel(intent.prediction_id)) is None:
            return None
        row = await self._journal.record(prediction, self._look)
        if watched := self._watched.get(row.key):
            watched.publish(row, settled=prediction.status.is_terminal or None)
        return prediction

    async def adopt(self, prediction: Prediction, place: NewIntent) -> Intent:
        """Take a prediction that was looked up by its id into the journal."""
        return await self._journal.record(prediction, self._look, adopting=place)

    async def take_up_unfinished(self) -> None:
        """Runs for ever: settle lost answers, and watch what nobody watches."""
        async with self._fence("wanting images again"):
            await self._journal.want_all_again(self._client.gateway.origin)
            await self._fetching.write_missing_sidecars(await self._journal.history())
        self._seek_lost()
        while True:
            async with self._fence("taking up kept ids"):  # also those that a locked journal refused before
                await self._paid_ids.restore(self._journal, self._look)
            await self._fenced("taking up unfinished predictions", self._take_up_unwatched)
            await anyio.sleep(2 * self._rules.lease_s)
            await self._fenced("looking for lost answers", self._reconciler.once)

    async def settle_doubts(self, intents: Sequence[Intent]) -> tuple[Intent, ...]:
        """The rows after one look for lost answers, if one of these was lost and cannot come soon."""
        is_sought = any(intent.state in (*DOUBTFUL, IntentState.ABSENT) for intent in intents)
        watched = filter(None, [self._watched.get(intent.key) for intent in intents])
        if is_sought and all(each.hold or not each.is_being_sent for each in watched):
            await self._reconciler.once(intents)
            self._seek_bills()
        return tuple([await self._journal.find(intent.key) or intent for intent in intents])

    async def look_for_bills(self, within_s: float) -> None:
        """One look at the gateway's own log, if its turn has come, for programs that end then. Raises: JournalError."""
        await self._bills.look_once(within_s)

    def close(self) -> None:
        """Stop watching at once; a create in flight gets a moment to bring its id."""
        self._is_closing = True
        for watched in self._watched.values():
            watched.is_wanted = False
        self._sender.close()
        self._tasks.cancel_scope.cancel()

    @property
    def _look(self) -> Look:
        return self._account.look(self._runtime.clock())

    async def _take_up_unwatched(self) -> None:
        """Watch the predictions of the gateway that nobody watches, soonest to expire first."""
        passed_over = frozenset({*self._watched, *self._given_up})
        await self._account.is_here()
        away = await self._account.away()
        for intent in await self._journal.unfinished(self._account.origin):
            if intent.account in away:
                await self._tell_away(intent)
            elif intent.key not in passed_over and await self._leases.take(intent.key):
                self.watch(await self._journal.find(intent.key) or intent)  # it may be done since it was listed

    async def _tell_away(self, intent: Intent) -> None:
        words = (
            f"Prediction '{intent.prediction_id}' was made with another key of gateway '{intent.gateway}', which was "
            "not used for a day: what became of it is unknown. It is asked after again when that key is back."
        )
        if await self._journal.note_problem(intent.key, words):
            self.notices.append(words)

    def _take_over(self, intent: Intent) -> None:
        """Watch a prediction that reconciliation has found; while its answer is held it only gets its id."""
        if self._is_closing:
            return
        watched = self.watch(intent)
        if watched.is_being_sent:
            watched.has_been_looked_up = True
            watched.publish(intent)

    def _mind_hold(self, watched: Watched, hold: Hold) -> None:
        self._tasks.start_soon(self._fenced, "minding a hold", partial(self._holds.mind, watched, hold))

    def _follow_held(self, watched: Watched) -> None:
        if not self._is_closing and not watched.is_followed:
            watched.is_followed = True
            self._tasks.start_soon(self._look_and_watch, watched)

    def _begin(self, intent: Intent, run: Callable[[Watched], Coroutine[Any, Any, None]]) -> Watched:
        watched = Watched(intent, typical_s=self._usual_s(intent), started_s=self._started_s(intent))
        self._watched[intent.key] = watched
        self._tasks.start_soon(run, watched)
        return watched

    def _let_go(self, key: str) -> None:
        self._watched.pop(key, None)

    def _started_s(self, intent: Intent) -> float:
        now = self._runtime.clock()
        return self._runtime.monotonic() - max(0.0, now - (intent.sent_at or now))

    async def _create_and_watch(self, watched: Watched, budget: Budget) -> None:
        key, is_created, schedule = watched.intent.key, False, PollSchedule()
        try:
            async with self._fence(f"creating {key}", watched):
                schedule = await self._schedule(watched.intent)
                plan = CreatePlan(
                    budget=budget,
                    schedule=schedule,
                    stale_s=self._rules.reconcile.settle_s / 2,
                    spending=self._rules.day_limit(),
                    webhook_of=self._rules.webhook_of,
                    on_answer=self._fetching.begin,
                )
                is_created = await self._sender.send(watched, plan)
        finally:
            await self._rate.give_back(key)
        if not is_created or self._is_closing:
            self._let_go(key)
            if isinstance(watched.problem, CreateUnresolved):
                self._seek_lost()
            return
        self._tasks.start_soon(self._fenced, "asking whose key it is", self._account.learn_name)
        watched.started_s = self._started_s(watched.intent)
        if not watched.is_followed:
            await self._watch(watched, schedule, look_first=False)

    async def _look_and_watch(self, watched: Watched) -> None:
        schedule = PollSchedule()
        async with self._fence(f"reading past times for {watched.intent.handle}"):
            schedule = await self._schedule(watched.intent)
        await self._watch(watched, schedule, look_first=True)

    def _seek_lost(self) -> None:
        self._tasks.start_soon(self._fenced, "looking for lost answers", self._reconciler.run)
        self._seek_bills()

    def _seek_bills(self) -> None:
        self._tasks.start_soon(self._fenced, "looking for bills", self._bills.run)

    async def _watch(self, watched: Watched, schedule: PollSchedule, *, look_first: bool) -> None:
        key, watched.is_followed = watched.intent.key, True
        if not watched.is_wanted and not self._is_closing:
            await self._cancel_quietly(watched.intent)
        try:
            async with self._fence(f"watching {watched.intent.handle}", watched), anyio.create_task_group() as tasks:
                tasks.start_soon(self._leases.hold, key)
                if not await self._watcher.watch(watched, schedule, look_first=look_first):
                    self._given_up.add(key)
                tasks.cancel_scope.cancel()
        finally:
            self._let_go(key)
            await self._leases.give_back(key)
        if watched.is_settled:
            self._seek_bills()
            async with self._fence("telling of an end"):
                self._rules.on_ended(watched.intent)
        if watched.intent.problem and not watched.problem:
            async with self._fence("forgetting a problem that has passed"):
                await self._journal.note_problem(key, "")

    async def _schedule(self, intent: Intent) -> PollSchedule:
        """By what this gateway took for this model so far; an unreadable journal only costs the learning."""
        samples: tuple[float, ...] = ()
        with suppress(JournalError):
            samples = await self._journal.seconds(self._client.gateway.name, intent.model)
        return PollSchedule.learned(samples, self._usual_s(intent))

    def _usual_s(self, intent: Intent) -> float | None:
        return _SANDBOX_TYPICAL_S if self._client.gateway.is_sandbox else self._rules.typical_s(intent.model)

    async def _stop(self, intent: Intent, ended: anyio.Event) -> None:
        intent = watched.intent if (watched := self._watched.get(intent.key)) else intent
        try:
            if watched and watched.is_being_sent:
                watched.is_wanted = False
                await self._drop_quietly(intent)
                if watched.hold:
                    watched.hold.hurry()
            elif intent.prediction_id and not intent.has_ended:
                await self._cancel_quietly(intent)
        finally:
            ended.set()

    async def _cancel_quietly(self, intent: Intent) -> None:
        try:
            if await self.cancel(intent) is None:
                log.info("%s has no cancel; %s goes on", self._client.gateway.name, intent.prediction_id)
        except DarkroomError as error:
            log.warning("could not cancel %s: %s", intent.prediction_id, error)

    async def _drop_quietly(self, intent: Intent) -> None:
        try:
            await self._journal.answers.stopped(intent.key)
        except DarkroomError as error:
            log.warning("could not note that %s is not wanted: %s", intent.key, error)
