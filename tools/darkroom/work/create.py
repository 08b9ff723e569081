"""The one place that spends money: an intent is written down, sent once, and what became of it is written down again.

Between any two lines here the process may end. The order is therefore: claim (committed as `sent`) -> POST -> mark. A
row that stayed `sent` or became `unknown` is never sent again until reconciliation has shown it absent; a row that was
certainly not carried out (`refused` for load, or no connection) may be.
"""

import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import anyio
from pydantic import JsonValue

from darkroom.errors import (
    CreateUnresolved,
    GatewayBusy,
    GatewayError,
    GatewayUnreachable,
    InvalidInput,
    InvalidRequest,
    JournalError,
    RequestRefused,
)
from darkroom.gateways import PollSchedule
from darkroom.journal import Intent, Journal, Limit
from darkroom.predictions import Prediction
from darkroom.secrets_in_inputs import is_masked
from darkroom.work.accounts import Account
from darkroom.work.create_rate import CreateRate
from darkroom.work.paid_ids import PaidIds
from darkroom.work.runtime import CrashPoint, Runtime
from darkroom.work.watch import Hold, Watched

log = logging.getLogger(__name__)

# The address to which the gateway is to post the end of this intent's prediction, "" for none.
WebhookOf = Callable[[Intent], str]
OnHeld = Callable[[Watched, Hold], None]

_ATTEMPTS = 5
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
# A gateway that holds so many answers of an account back may not take more of that kind.
_MOST_HELD = 32
# A journal that takes longer than this may not take the id at all; a caller is told the id after so many seconds of it.
_SLOW_JOURNAL_S = 0.5
_TELL_AFTER_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Until when the gateway may hold a create's answer (monotonic clock), and how long refusals for load are repeated.

    `secrets` are inputs that are sent and never written down. Where it `may_be_mended`, a refused create stands as an
    intent, so that it can be joined until the caller has sent or given it up.
    """

    hold_until_s: float
    retry_s: float
    secrets: Mapping[str, JsonValue]
    may_be_mended: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePlan:
    """How to send one intent, by the `schedule` of its model.

    `stale_s` is the age in seconds at which a claim is not used any more; `on_answer` hears of the prediction before it
    is written down.
    """

    budget: Budget
    schedule: PollSchedule
    stale_s: float
    spending: Limit | None
    webhook_of: WebhookOf
    on_answer: Callable[[Prediction], None]


class Creator:
    """Sends intents with the key of one account, at its `rate`; `on_held` hears of each hold."""

    def __init__(
        self,
        account: Account,
        journal: Journal,
        paid_ids: PaidIds,
        runtime: Runtime,
        rate: CreateRate,
        on_held: OnHeld,
    ) -> None:
        self._on_held = on_held
        self._account = account
        self._client = account.client
        self._rate = rate
        self._journal = journal
        self._paid_ids = paid_ids
        self._runtime = runtime
        self._held_count = 0

    async def create(self, watched: Watched, plan: CreatePlan) -> Intent:
        """Send the intent unless that was done already, and return its row as it then stands.

        Nothing more is sent once the create is not wanted any more.

        Raises: GatewayError of the last attempt; CreateUnresolved where it may have been carried out; SpendingRefused.
        """
        intent, budget_s = watched.intent, plan.budget.retry_s
        for attempt in range(_ATTEMPTS):
            if (claimed_at := await self._claimed(watched, plan)) is None:
                break
            try:
                self._runtime.at_crash_point(CrashPoint.CLAIMED)
                if await self._is_still_ours(intent, claimed_at, plan.stale_s):
                    return await self._send(watched, plan)
            except (GatewayBusy, GatewayUnreachable) as error:
                pause_s = max(_FIRST_PAUSE_S * 2**attempt, error.retry_after_s or 0.0)
                is_last = attempt + 1 == _ATTEMPTS or pause_s > budget_s
                # First the row: one that stayed `sent` would be in doubt, though nothing was carried out.
                write_down = self._journal.mark_refused if is_last else self._journal.release
                await write_down(intent.key, error.message)
                if isinstance(error, GatewayBusy):
                    await self._rate.freeze(pause_s)
                if is_last:
                    raise
                log.info("create of %s not carried out, again in %.1f s", intent.key, pause_s)
                budget_s -= pause_s
                with watched.queued():
                    await self._runtime.sleep(pause_s)
        return await self._journal.find(intent.key) or intent

    async def _claimed(self, watched: Watched, plan: CreatePlan) -> tuple[float, float] | None:
        """When it was claimed, in its turn; None where it is not to be sent.

        Raises: GatewayBusy where its turn is too far off: it is given up then and holds no money; SpendingRefused;
        InvalidInput where a secret is missing that is not written down.
        """
        intent, known = watched.intent, plan.budget.secrets
        lacking = (name for name, value in intent.input.items() if name not in known and is_masked(name, value))
        if missing := next(lacking, ""):
            raise InvalidInput(
                f"{missing} is a secret and is not kept. Nothing was sent. Give it again.", field=missing
            )
        try:
            return await self._rate.claimed(watched, plan.spending)
        except GatewayBusy as error:
            await self._journal.answers.given_up(intent.key, error.message)
            raise

    async def _send(self, watched: Watched, plan: CreatePlan) -> Intent:
        """The row once it has its id. Raises: as `create`."""
        intent = watched.intent
        try:
            prediction = await self._created(watched, plan)
        except CreateUnresolved as error:
            self._runtime.at_crash_point(CrashPoint.AMBIGUOUS)
            await self._journal.mark_unknown(intent.key, error.message, error.request_id)
            raise
        except (GatewayBusy, GatewayUnreachable):
            self._runtime.at_crash_point(CrashPoint.REFUSED)
            raise  # what it means for the row depends on whether it is tried again
        except (GatewayError, InvalidRequest) as error:
            self._runtime.at_crash_point(CrashPoint.REFUSED)
            is_mended = plan.budget.may_be_mended and isinstance(error, RequestRefused)
            write_down = self._journal.release if is_mended else self._journal.mark_refused
            await write_down(intent.key, error.message)
            raise
        self._runtime.at_crash_point(CrashPoint.CREATED)
        if watched.is_followed and watched.intent.prediction_id == prediction.id:
            return watched.intent  # it was found in the list, and what became of it is better known by now
        with suppress(Exception):  # whatever an odd link does there, the id is written down
            plan.on_answer(prediction)
        row = await self._write_down(watched, prediction)
        self._runtime.at_crash_point(CrashPoint.ID_WRITTEN)
        return row

    async def _created(self, watched: Watched, plan: CreatePlan) -> Prediction:
        intent = watched.intent
        create = partial(
            self._client.create,
            intent.model,
            intent.version,
            {**intent.input, **plan.budget.secrets},
            cancel_after_s=plan.schedule.cancel_after_s(),
            intent_key=intent.key,
            image_count=intent.image_count,
            webhook=plan.webhook_of(intent),
        )
        count = intent.request.get("count") or intent.image_count
        self._runtime.on_create(count if isinstance(count, int) else 1)
        hold_s = await self._hold_s(intent, plan)
        if not (hold_s and watched.is_wanted):
            return await create()
        self._held_count += 1
        try:
            with watched.held(min(hold_s, plan.schedule.overdue_s)) as hold:
                self._on_held(watched, hold)
                return await create(prefer_wait_s=hold_s)
        finally:
            self._held_count -= 1

    async def _hold_s(self, intent: Intent, plan: CreatePlan) -> int:
        """Seconds to hold this create. Only where there is a list: a hold that breaks off is looked for there."""
        gateway = self._client.gateway
        if not (gateway.honours_prefer and gateway.has_list) or self._held_count >= _MOST_HELD:
            return 0
        left_s = plan.budget.hold_until_s - self._runtime.monotonic()
        # Well within the time in which a lost create is not called absent yet.
        hold_s = min(plan.schedule.hold_s(left_s), int(plan.stale_s))
        if hold_s <= 0:
            return 0
        with suppress(JournalError):  # the claim is written down: it is sent all the same
            if await self._journal.rates.on_their_way(intent, self._account.id) <= _MOST_HELD:
                return hold_s
        return 0

    async def _is_still_ours(self, intent: Intent, claimed_at: tuple[float, float], stale_s: float) -> bool:
        """False where this computer slept after the claim: others may have settled the row by now. It is given back."""
        if all(now - then < stale_s for now, then in zip(self._rate.now(), claimed_at, strict=True)):
            return True
        await self._journal.release(intent.key, "The claim was too old; nothing was sent.")
        return False

    async def _write_down(self, watched: Watched, prediction: Prediction) -> Intent:
        """The row with the id of what was paid, tried until it is there; until then the id is in memory and a file."""
        intent, failed_s, pause_s = watched.intent, 0.0, _FIRST_PAUSE_S / 2
        problem = CreateUnresolved(
            f"Prediction '{prediction.id}' was created and may be billed, but the journal cannot be written just now. "
            f"darkroom keeps trying. Keep this id; get_prediction with id '{prediction.id}' finds it.",
            gateway=self._client.gateway.name,
        )
        while not (row := await self._written(intent, prediction)):
            failed_s += pause_s
            watched.publish(problem=problem, settled=failed_s > _TELL_AFTER_S)
            await self._runtime.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        await self._paid_ids.drop(intent.key)
        if failed_s:
            watched.publish(settled=False)
        # The id may stand in a row of its own, or in that of an equal create.
        return row if row.key == intent.key else await self._journal.find(intent.key) or intent

    async def _written(self, intent: Intent, prediction: Prediction) -> Intent | None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_if_slow, intent, prediction.id)
            try:
                row = await self._journal.mark_known(intent.key, prediction, self._account.look(self._runtime.clock()))
                tasks.cancel_scope.cancel()
                return row
            except JournalError as error:
                log.error("prediction %s was created but could not be written down: %s", prediction.id, error)
                tasks.cancel_scope.cancel()
        await self._keep(intent, prediction.id)
        return None

    async def _keep_if_slow(self, intent: Intent, prediction_id: str) -> None:
        await self._runtime.sleep(_SLOW_JOURNAL_S)
        await self._keep(intent, prediction_id)

    async def _keep(self, intent: Intent, prediction_id: str) -> None:
        await self._paid_ids.keep(intent, prediction_id)
        self._runtime.at_crash_point(CrashPoint.ID_KEPT)
