"""The Darkroom: what is open while the program runs. It owns every create and every follower.

A tool call only starts work here and waits for it; when the call is cancelled, times out or its client dies, the work goes
on. After a restart the unfinished predictions of earlier processes are taken up again, soonest to expire first.
"""

import logging
import secrets
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from darkroom.errors import CreateUnresolved, DarkroomError, JournalError
from darkroom.gateways import Gateway, Key, OutputFetcher, PollSchedule, PredictionClient
from darkroom.images import StoredFile
from darkroom.journal import Intent, IntentState, Journal, SpendingLimit, SqliteJournal, day_start
from darkroom.lifecycle.creating import CreatePlan, Creator
from darkroom.lifecycle.following import Follower, Following, Pulse
from darkroom.lifecycle.homecoming import Homecoming
from darkroom.lifecycle.reconciling import Reconciler
from darkroom.predictions import Prediction
from darkroom.registry import MappedInput, ModelRegistry

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from darkroom.outputs.inputs import Resolved
    from darkroom.outputs.preview import Preview
    from darkroom.outputs.store import OutputStore

log = logging.getLogger(__name__)

OnProgress = Callable[[float, str], Awaitable[None]]

_LEASE_S = 30.0
_TAKE_UP_EVERY_S = 60.0
_GRACE_S = 1.5
_CREATES_AT_ONCE = 4
_TICK_S = 2.0

# The sandbox paints faster than the models take that it stands for.
SANDBOX_TYPICAL_S = 1.0
SANDBOX_HINT = (
    "This is darkroom's own sandbox: a painted stand-in, no model ran and nothing was paid. For real models the user sets "
    "a gateway's key, such as REPLICATE_API_TOKEN or COMETAPI_KEY."
)


@dataclass(frozen=True, kw_only=True)
class DarkroomOptions:
    """How to open a Darkroom.

    `app` is the embedded sandbox where that is the gateway. `output_dir` is a folder or an object URL (`s3://…`).
    `wait_budget_s` is what a call waits where it does not say. `reached` hears a label at every line where a crash would
    matter; `settle_s` is how long a lost create may take to show up in the gateway's list.
    """

    gateway: Gateway
    key: Key
    app: "ASGIApp | None" = None
    data_dir: Path
    output_dir: str
    models_dir: Path | None = None
    input_dirs: tuple[Path, ...] = ()
    default_model: str = ""
    max_usd_per_call: float | None = None
    max_usd_per_day: float | None = None
    allow_unknown_price: bool = False
    wait_budget_s: float = 45.0
    previews: bool = True
    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    settle_s: float = 120.0
    reached: Callable[[str], None] = lambda label: None


class Darkroom:
    """Open with `Darkroom.open`; leaving it stops all waiting within two seconds and forgets nothing that was paid."""

    def __init__(
        self,
        options: DarkroomOptions,
        *,
        client: PredictionClient,
        journal: Journal,
        store: "OutputStore",
        fetcher: OutputFetcher,
        tasks: anyio.abc.TaskGroup,
    ) -> None:
        self.options = options
        self.gateway = options.gateway
        self.registry = ModelRegistry.load(options.models_dir)
        self.client = client
        self.journal = journal
        self.store = store
        self.fetcher = fetcher
        self._tasks = tasks
        self._owner = secrets.token_hex(8)
        self._followings: dict[str, Following] = {}
        self._pulse = Pulse()
        self._creates: set[anyio.CancelScope] = set()
        self._create_slots = anyio.CapacityLimiter(_CREATES_AT_ONCE)
        self._is_reconciling = False
        self._is_closing = False
        homecoming = Homecoming(journal, store, fetcher, self.gateway, clock=options.clock, reached=options.reached)
        self._creator = Creator(client, journal, reached=options.reached)
        self._follower = Follower(client, journal, homecoming, monotonic=options.monotonic, reached=options.reached)
        self._reconciler = Reconciler(
            client, journal, self.gateway, clock=options.clock, on_found=self._take_over, settle_s=options.settle_s
        )

    @classmethod
    @asynccontextmanager
    async def open(cls, options: DarkroomOptions) -> "AsyncGenerator[Darkroom]":
        """Open journal, client and output folder, and take up what earlier processes left unfinished.

        Raises: JournalError, SettingsError; nothing was sent then.
        """
        from darkroom.outputs.store import OutputStore, open_target

        async with AsyncExitStack() as stack:
            journal = await stack.enter_async_context(
                SqliteJournal.open(options.data_dir / "journal.sqlite3", clock=options.clock)
            )
            client = await stack.enter_async_context(PredictionClient(options.gateway, options.key, app=options.app))
            fetcher = await stack.enter_async_context(OutputFetcher(options.gateway, app=options.app))
            tasks = await stack.enter_async_context(anyio.create_task_group())
            store = OutputStore(open_target(options.output_dir))
            room = cls(options, client=client, journal=journal, store=store, fetcher=fetcher, tasks=tasks)
            tasks.start_soon(room._take_up_unfinished)
            try:
                yield room
            finally:
                room._close()

    # What the verbs ask for

    def start(self, intent: Intent, *, typical_s: float | None, retry_budget_s: float) -> Following:
        """Send an intent, unless that was done already, and follow it. The work belongs to the Darkroom."""
        following = self._followings.get(intent.key)
        if following is None:
            following = self._new_following(intent, typical_s)
            self._tasks.start_soon(self._create_and_follow, following, typical_s, retry_budget_s)
        return following

    def follow(self, intent: Intent) -> Following:
        """Follow a prediction that exists already, beginning with a look at the gateway."""
        following = self._followings.get(intent.key)
        if following is None:
            typical_s = self._typical_s(intent.model)
            following = self._new_following(intent, typical_s)
            self._tasks.start_soon(self._follow, following, typical_s, True)
        return following

    async def wait(
        self, followings: Sequence[Following], *, until_s: float, on_progress: OnProgress | None = None
    ) -> None:
        """Return when all are settled, or at `until_s` on the monotonic clock, whatever the gateway does."""
        while not all(following.is_settled for following in followings):
            left_s = until_s - self.options.monotonic()
            if left_s <= 0:
                return
            with anyio.move_on_after(min(left_s, _TICK_S)):
                await self._pulse.next()
            if on_progress:
                await on_progress(*self.progress(followings))

    async def wait_created(
        self, followings: Sequence[Following], *, until_s: float, on_progress: OnProgress | None = None
    ) -> None:
        """Return when every create is answered or has failed, or at `until_s`: an answer needs the ids."""
        while any(following.is_being_sent for following in followings):
            left_s = until_s - self.options.monotonic()
            if left_s <= 0:
                return
            with anyio.move_on_after(min(left_s, _TICK_S)):
                await self._pulse.next()
            if on_progress:
                await on_progress(*self.progress(followings))

    async def first_look(self, following: Following, *, at_most_s: float) -> None:
        """Return as soon as the gateway was asked once about it."""
        with anyio.move_on_after(at_most_s):
            while not (following.has_been_looked_up or following.is_settled):
                await self._pulse.next()

    def progress(self, followings: Sequence[Following]) -> tuple[float, str]:
        """Percent over all, and the words of the first that still runs, its id in front (100 characters at most)."""
        now_s = self.options.monotonic()
        steps = [following.progress(now_s) for following in followings]
        percent = sum(step.percent for step in steps) / len(steps)
        pairs = zip(followings, steps, strict=True)
        running = next(((following, step) for following, step in pairs if not following.is_settled), None)
        following, step = running or (followings[0], steps[0])
        handle = following.intent.prediction_id or following.intent.key
        return percent, f"{handle} {step.message}"[:100]

    def following(self, intent: Intent) -> Following | None:
        """Who follows it in this process, if anybody."""
        return self._followings.get(intent.key)

    def percents(self, followings: Sequence[Following]) -> dict[str, float]:
        """How far the running ones are, by prediction id (by key while there is none)."""
        now_s = self.options.monotonic()
        return {
            following.intent.prediction_id or following.intent.key: following.progress(now_s).percent
            for following in followings
            if not following.is_settled
        }

    async def resolve(self, mapped: MappedInput) -> "Resolved":
        """Put what the gateway accepts in place of image references.

        Raises: InvalidInput, GatewayError (an upload failed).
        """
        from darkroom.lifecycle.incoming import input_resolver  # Pillow's neighbourhood: only for calls with images
        from darkroom.outputs.inputs import Resolved

        if not mapped.file_fields:
            return Resolved(input=mapped.input)
        resolver = input_resolver(self.journal, self.store, self.client, self.fetcher, self.options.input_dirs)
        return await resolver.resolve(mapped)

    async def previews(self, files: Sequence[StoredFile]) -> "tuple[Preview, ...]":
        """Small pictures of stored files for the chat, in order, together under the hosts' limit; undecodable ones left out."""
        from darkroom.outputs.preview import Preview, previews

        made = await previews(files, self.store.read)
        return tuple(preview for preview in made if isinstance(preview, Preview))

    @property
    def sandbox_hint(self) -> str:
        """Said with every answer of the embedded sandbox; empty for real gateways."""
        return SANDBOX_HINT if self.gateway.is_sandbox else ""

    async def reconcile(self) -> None:
        """One look for creates whose answer was lost."""
        await self._reconciler.once()

    async def cancel_request(self, request_id: str) -> None:
        """Ask the gateway to cancel what this request started and what still runs; a create in flight is canceled
        when its id comes. Faults are logged: the caller has gone.
        """
        for intent in await self.journal.by_request(request_id):
            following = self._followings.get(intent.key)
            if following and following.is_being_sent:
                following.is_cancel_wanted = True
            elif intent.prediction_id and not (intent.status and intent.status.is_terminal):
                await self._cancel_quietly(intent)

    async def cancel(self, intent: Intent) -> Prediction | None:
        """Ask the gateway to cancel; None where it has no cancel. What became of it is in the journal then.

        Raises: GatewayError.
        """
        prediction = await self.client.cancel(intent.prediction_id)
        if prediction is None:
            return None
        row = await self.journal.record(prediction, gateway=self.gateway.name, origin=self.gateway.origin)
        if following := self._followings.get(row.key):
            following.publish(row, settled=prediction.status.is_terminal)
        return prediction

    def day_limit(self) -> SpendingLimit | None:
        """The person's limit for this calendar day; None where there is none, and in the sandbox, which is free."""
        limit_usd = self.options.max_usd_per_day
        if limit_usd is None or self.gateway.is_sandbox:
            return None
        return SpendingLimit(
            limit_usd=limit_usd,
            since=day_start(self.options.clock()),
            allow_unknown_price=self.options.allow_unknown_price,
        )

    # The work

    def _new_following(self, intent: Intent, typical_s: float | None) -> Following:
        following = Following(intent, typical_s=typical_s, started_s=self.options.monotonic(), pulse=self._pulse)
        self._followings[intent.key] = following
        return following

    async def _create_and_follow(self, following: Following, typical_s: float | None, retry_budget_s: float) -> None:
        schedule = await self._schedule(following.intent.model, typical_s)
        plan = CreatePlan(
            prefer_wait_s=schedule.prefer_wait_s(
                is_honoured=self.gateway.honours_prefer, has_list=self.gateway.has_list
            ),
            cancel_after_s=schedule.cancel_after_s(),
            retry_budget_s=retry_budget_s,
        )
        if await self._create(following, plan) and not self._is_closing:
            if following.is_cancel_wanted:
                await self._cancel_quietly(following.intent)
            await self._follow(following, typical_s, False)
        else:
            self._forget(following)

    async def _create(self, following: Following, plan: CreatePlan) -> bool:
        """True once the intent has its prediction. Shielded: a closing Darkroom gives it a moment, then the row stands."""
        with anyio.CancelScope(shield=True) as scope:
            self._creates.add(scope)
            try:
                async with self._create_slots:
                    intent = await self._creator.create(following.intent, plan, spending=self.day_limit())
                following.publish(intent, settled=intent.state is not IntentState.KNOWN)
            except DarkroomError as error:
                row = None if isinstance(error, JournalError) else await self.journal.find(following.intent.key)
                following.publish(row, problem=error, settled=True)
                if isinstance(error, CreateUnresolved):
                    self._reconcile_soon()
            finally:
                self._creates.discard(scope)
        return following.intent.state is IntentState.KNOWN

    async def _cancel_quietly(self, intent: Intent) -> None:
        try:
            if await self.cancel(intent) is None:
                log.info("%s has no cancel; %s goes on", self.gateway.name, intent.prediction_id)
        except DarkroomError as error:
            log.warning("could not cancel %s: %s", intent.prediction_id, error)

    async def _follow(self, following: Following, typical_s: float | None, look_first: bool) -> None:
        schedule = await self._schedule(following.intent.model, typical_s)
        try:
            await self._follower.follow(following, schedule, look_first=look_first)
        except DarkroomError as error:
            log.error("following %s ended: %s", following.intent.key, error)
            following.publish(problem=error, settled=True)
        finally:
            self._forget(following)

    async def _schedule(self, model: str, typical_s: float | None) -> PollSchedule:
        samples = await self.journal.seconds(self.gateway.name, model)
        return PollSchedule.learned(samples, SANDBOX_TYPICAL_S if self.gateway.is_sandbox else typical_s)

    def _forget(self, following: Following) -> None:
        self._followings.pop(following.intent.key, None)

    def _typical_s(self, model: str) -> float | None:
        known = self.registry.find(model)
        return known.typical_s if known else None

    # What earlier processes and lost answers left behind

    async def _take_up_unfinished(self) -> None:
        """At start and then every minute: what nobody follows. A lease keeps two processes from doing it twice."""
        self._reconcile_soon()
        while True:
            try:
                for intent in await self.journal.unfinished(self.gateway.origin):
                    if intent.key not in self._followings and await self.journal.lease(
                        intent.key, self._owner, _LEASE_S
                    ):
                        self._take_over(intent)
            except JournalError as error:
                log.warning("unfinished predictions not taken up: %s", error)
            await anyio.sleep(_TAKE_UP_EVERY_S)

    def _take_over(self, intent: Intent) -> None:
        if not self._is_closing:
            self.follow(intent)

    def _reconcile_soon(self) -> None:
        if not self._is_reconciling and not self._is_closing:
            self._is_reconciling = True
            self._tasks.start_soon(self._reconcile_until_settled)

    async def _reconcile_until_settled(self) -> None:
        try:
            await self._reconciler.until_settled()
        except JournalError as error:
            log.warning("reconciliation put off: %s", error)
        finally:
            self._is_reconciling = False

    def _close(self) -> None:
        """Stop following at once; a create in flight gets a moment to bring its id."""
        self._is_closing = True
        for scope in self._creates:
            scope.deadline = anyio.current_time() + _GRACE_S
        self._tasks.cancel_scope.cancel()
