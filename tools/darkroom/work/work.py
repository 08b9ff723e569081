"""All creates and followers of one open Darkroom, each in a task of its own.

What earlier processes left unfinished is taken up at start and then every two leases; a lease keeps two processes from
doing the same twice, and a process that died simply stops renewing its own.
"""

import logging
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import anyio
import anyio.abc

from darkroom.errors import CreateUnresolved, DarkroomError, JournalError
from darkroom.gateways import Gateway, PollSchedule, PredictionClient
from darkroom.journal import Intent, IntentState, Journal, SpendingLimit
from darkroom.predictions import Prediction
from darkroom.work.create import CreatePlan, Creator
from darkroom.work.reconcile import Reconciler
from darkroom.work.watch import Follower, Following, Pulse

log = logging.getLogger(__name__)

LEASE_S = 30.0
_GRACE_S = 1.5
_ANSWERED_WITHIN_S = 15.0
_ASK_JOURNAL_EVERY_S = 0.3
_DOUBTFUL = (IntentState.SENT, IntentState.UNKNOWN)
_CREATES_AT_ONCE = 4
# The sandbox paints faster than the models take that it stands for.
_SANDBOX_TYPICAL_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Seconds that the gateway may hold a create's answer, and in which refusals for load are repeated."""

    hold_s: float
    retry_s: float


class Work:
    """Owned by the Darkroom; `clock` gives epoch seconds, `typical_s` a model's usual run time, None where unknown."""

    def __init__(
        self,
        *,
        client: PredictionClient,
        journal: Journal,
        creator: Creator,
        follower: Follower,
        reconciler: Reconciler,
        pulse: Pulse,
        tasks: anyio.abc.TaskGroup,
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        typical_s: Callable[[str], float | None],
        day_limit: Callable[[], SpendingLimit | None],
        on_ended: Callable[[Intent], None] = lambda intent: None,
        lease_s: float = LEASE_S,
    ) -> None:
        self._client = client
        self._gateway: Gateway = client.gateway
        self._journal = journal
        self._creator = creator
        self._follower = follower
        self._reconciler = reconciler
        self._pulse = pulse
        self._tasks = tasks
        self._clock = clock
        self._monotonic = monotonic
        self._typical_s = typical_s
        self._day_limit = day_limit
        self._on_ended = on_ended
        self._lease_s = lease_s
        self._owner = secrets.token_hex(8)
        self._leased: set[str] = set()
        self._given_up: set[str] = set()
        self._followings: dict[str, Following] = {}
        self._sending: set[anyio.CancelScope] = set()
        self._slots = anyio.CapacityLimiter(_CREATES_AT_ONCE)
        self._is_reconciling = False
        self._has_new_doubt = False
        self._is_closing = False

    def start(self, intent: Intent, budget: Budget) -> Following:
        """Send an intent, unless that was done already, and follow it."""
        following = self._followings.get(intent.key)
        if following is None:
            following = self._new_following(intent)
            self._tasks.start_soon(self._create_and_follow, following, budget)
        return following

    def follow(self, intent: Intent) -> Following:
        """Follow a prediction that exists already, beginning with a look at the gateway."""
        following = self._followings.get(intent.key)
        if following is None:
            following = self._new_following(intent)
            self._tasks.start_soon(self._look_and_follow, following)
        return following

    def following(self, intent: Intent) -> Following | None:
        """Who follows it in this process, if anybody."""
        return self._followings.get(intent.key)

    async def cancel_all(self, intents: Sequence[Intent]) -> None:
        """Ask the gateway to cancel those that still run.

        A create in flight is canceled when its id comes. Faults are logged: whoever asked has gone.
        """
        for intent in intents:
            following = self._followings.get(intent.key)
            if following and following.is_being_sent:
                following.is_cancel_wanted = True
            elif intent.prediction_id and not (intent.status and intent.status.is_terminal):
                await self._cancel_quietly(intent)

    async def cancel(self, intent: Intent) -> Prediction | None:
        """Ask the gateway to cancel; None where it has no cancel. What became of it is in the journal then.

        Raises: GatewayError, UnknownPrediction.
        """
        prediction = await self._client.cancel(intent.prediction_id)
        if prediction is None:
            return None
        row = await self._journal.record(prediction, gateway=self._gateway.name, origin=self._gateway.origin)
        if following := self._followings.get(row.key):
            following.publish(row, settled=prediction.status.is_terminal)
        return prediction

    async def take_up_unfinished(self) -> None:
        """Runs for ever: settle lost answers, and follow what nobody follows."""
        self.reconcile_soon()
        while True:
            try:
                for intent in await self._journal.unfinished(self._gateway.origin):
                    await self._take_up(intent)
            except JournalError as error:
                log.warning("unfinished predictions not taken up: %s", error)
            await anyio.sleep(2 * self._lease_s)

    def take_over(self, intent: Intent) -> None:
        """Follow a prediction that reconciliation has found."""
        if not self._is_closing:
            self.follow(intent)

    def reconcile_soon(self) -> None:
        """Look for lost answers in the background, at the set times; a doubt that is new meanwhile starts them anew."""
        self._has_new_doubt = True
        if not self._is_reconciling and not self._is_closing:
            self._is_reconciling = True
            self._tasks.start_soon(self._reconcile_until_settled)

    async def settle_doubts(self, intents: Sequence[Intent]) -> tuple[Intent, ...]:
        """The rows after one look for lost answers, if one of these was lost and cannot come any more."""
        doubtful = [intent for intent in intents if intent.state in _DOUBTFUL]
        if doubtful and all(intent.key not in self._followings for intent in intents):
            await self._reconciler.once()
        return tuple([await self._journal.find(intent.key) or intent for intent in intents])

    def close(self) -> None:
        """Stop following at once; a create in flight gets a moment to bring its id."""
        self._is_closing = True
        for scope in self._sending:
            scope.deadline = anyio.current_time() + _GRACE_S
        self._tasks.cancel_scope.cancel()

    def _new_following(self, intent: Intent) -> Following:
        following = Following(
            intent, typical_s=self._usual_s(intent), started_s=self._started_s(intent), pulse=self._pulse
        )
        self._followings[intent.key] = following
        return following

    def _started_s(self, intent: Intent) -> float:
        """When it was sent, on the monotonic clock."""
        now = self._clock()
        return self._monotonic() - max(0.0, now - (intent.sent_at or now))

    async def _create_and_follow(self, following: Following, budget: Budget) -> None:
        try:
            schedule = await self._schedule(following.intent)
            is_created = await self._create(following, self._plan(schedule, budget))
        finally:
            self._followings.pop(following.intent.key, None)
        if is_created and not self._is_closing:
            self._followings[following.intent.key] = following
            following.started_s = self._started_s(following.intent)
            if following.is_cancel_wanted:
                await self._cancel_quietly(following.intent)
            await self._follow(following, schedule, look_first=False)

    def _plan(self, schedule: PollSchedule, budget: Budget) -> CreatePlan:
        hold_s = schedule.prefer_wait_s(is_honoured=self._gateway.honours_prefer, has_list=self._gateway.has_list)
        return CreatePlan(
            prefer_wait_s=min(hold_s, int(budget.hold_s)),
            cancel_after_s=schedule.cancel_after_s(),
            retry_budget_s=budget.retry_s,
        )

    async def _create(self, following: Following, plan: CreatePlan) -> bool:
        """True once the intent has its prediction. Shielded: `close` sets the end, and then the row stands as it is."""
        with anyio.CancelScope(shield=True) as scope:
            self._sending.add(scope)
            try:
                async with self._slots:
                    intent = await self._creator.create(
                        following.intent, plan, spending=self._day_limit(), is_wanted=lambda: self._is_wanted(following)
                    )
                intent = await self._answered_elsewhere(intent)
                following.publish(intent, settled=intent.state is not IntentState.KNOWN)
            except DarkroomError as error:
                await self._after_failure(following, error)
            finally:
                self._sending.discard(scope)
        return following.intent.state is IntentState.KNOWN

    async def _answered_elsewhere(self, intent: Intent) -> Intent:
        """Another process has just claimed it: its answer is worth a moment, for after that it may have died."""
        while intent.state is IntentState.SENT and self._clock() - (intent.sent_at or 0) < _ANSWERED_WITHIN_S:
            if self._is_closing:
                break
            await anyio.sleep(_ASK_JOURNAL_EVERY_S)
            intent = await self._journal.find(intent.key) or intent
        return intent

    def _is_wanted(self, following: Following) -> bool:
        return not following.is_cancel_wanted and not self._is_closing

    async def _after_failure(self, following: Following, error: DarkroomError) -> None:
        """A create whose answer was lost is looked for at once, and goes on as if nothing had been where it is found."""
        is_lost = isinstance(error, CreateUnresolved) and not self._is_closing
        try:
            if is_lost:
                await self._reconciler.once()
            row = await self._journal.find(following.intent.key)
        except JournalError:
            row = None
        if row and row.state is IntentState.KNOWN:
            following.publish(row)
            return
        following.publish(row, problem=error, settled=True)
        if is_lost:
            self.reconcile_soon()

    async def _look_and_follow(self, following: Following) -> None:
        await self._follow(following, await self._schedule(following.intent), look_first=True)

    async def _follow(self, following: Following, schedule: PollSchedule, *, look_first: bool) -> None:
        key = following.intent.key
        try:
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(self._hold_lease, key)
                if not await self._follower.follow(following, schedule, look_first=look_first):
                    self._given_up.add(key)
                tasks.cancel_scope.cancel()
        except* DarkroomError as errors:
            error = _first(errors)
            log.error("following %s ended: %s", following.intent.key, error)
            following.publish(problem=error, settled=True)
        finally:
            self._followings.pop(key, None)
            await self._give_back(key)
        if following.is_settled:
            self._on_ended(following.intent)

    async def _hold_lease(self, key: str) -> None:
        """Tell other processes that this one is followed; what is done within seconds needs no lease."""
        while True:
            await anyio.sleep(self._lease_s / 3)
            await self._take_lease(key)

    async def _take_lease(self, key: str) -> bool:
        """False where another process has it. Both may follow then, which does no harm."""
        is_ours = await self._journal.lease(key, self._owner, self._lease_s) is not None
        (self._leased.add if is_ours else self._leased.discard)(key)
        return is_ours

    async def _give_back(self, key: str) -> None:
        """Let the next process take over at once, also when this one is closing."""
        if key in self._leased:
            self._leased.discard(key)
            try:
                await self._journal.lease(key, self._owner, 0)
            except JournalError as error:
                log.warning("lease of %s not given back: %s", key, error)

    async def _take_up(self, intent: Intent) -> None:
        if intent.key in self._followings or intent.key in self._given_up:
            return
        if await self._take_lease(intent.key):
            self.take_over(intent)

    async def _schedule(self, intent: Intent) -> PollSchedule:
        """By what this gateway took for this model so far; an unreadable journal only costs the learning."""
        try:
            samples = await self._journal.seconds(self._gateway.name, intent.model)
        except JournalError as error:
            log.warning("past run times not read: %s", error)
            samples = ()
        return PollSchedule.learned(samples, self._usual_s(intent))

    def _usual_s(self, intent: Intent) -> float | None:
        return _SANDBOX_TYPICAL_S if self._gateway.is_sandbox else self._typical_s(intent.model)

    async def _cancel_quietly(self, intent: Intent) -> None:
        try:
            if await self.cancel(intent) is None:
                log.info("%s has no cancel; %s goes on", self._gateway.name, intent.prediction_id)
        except DarkroomError as error:
            log.warning("could not cancel %s: %s", intent.prediction_id, error)

    async def _reconcile_until_settled(self) -> None:
        try:
            while self._has_new_doubt:
                self._has_new_doubt = False
                await self._reconciler.until_settled()
        except JournalError as error:
            log.warning("reconciliation put off: %s", error)
        finally:
            self._is_reconciling = False


def _first(errors: BaseExceptionGroup[DarkroomError]) -> DarkroomError:
    """One error out of nested groups, as nested task groups raise them."""
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
