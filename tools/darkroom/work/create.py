"""The one place that spends money: an intent is written down, sent once, and what became of it is written down again.

Between any two lines here the process may end. The order is therefore: claim (committed as `sent`) -> POST -> mark. A
row that stayed `sent` or became `unknown` is never sent again until reconciliation has shown it absent; a row that was
certainly not carried out (`refused` for load, or no connection) may be.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass

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
)
from darkroom.journal import Intent, Journal, SpendingLimit
from darkroom.predictions import Prediction
from darkroom.secrets_in_inputs import is_masked
from darkroom.work.accounts import Account
from darkroom.work.crash_points import CrashPoint
from darkroom.work.create_rate import CreateRate, Turns
from darkroom.work.paid_ids import PaidIds
from darkroom.work.runtime import Runtime
from darkroom.work.watch import Watched

log = logging.getLogger(__name__)

_ATTEMPTS = 5
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
# A gateway that holds so many answers back may not take more of that kind.
_MOST_HELD = 32
# A journal that takes longer than this may not take the id at all; a caller is told the id after so many seconds of it.
_SLOW_JOURNAL_S = 0.5
_TELL_AFTER_S = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePlan:
    """How to send one intent: seconds that the gateway may hold the answer, and after which it must give up.

    `secrets` are inputs that are never written down; `stale_s` is the age at which a claim is not used any more.
    """

    prefer_wait_s: int
    cancel_after_s: int
    retry_budget_s: float
    stale_s: float
    spending: SpendingLimit | None
    secrets: Mapping[str, JsonValue]


class Creator:
    """Sends intents with the key of one account, at the rate that it allows."""

    def __init__(self, account: Account, journal: Journal, paid_ids: PaidIds, runtime: Runtime, turns: Turns) -> None:
        self._account = account
        self._client = account.client
        self._rate = CreateRate(account, journal, runtime, turns)
        self._journal = journal
        self._paid_ids = paid_ids
        self._runtime = runtime
        self._held_count = 0

    async def create(self, watched: Watched, plan: CreatePlan) -> Intent:
        """Send the intent unless that was done already, and return its row as it then stands.

        Nothing more is sent once the create is not wanted any more.

        Raises: GatewayError of the last attempt; CreateUnresolved where it may have been carried out; SpendingRefused.
        """
        intent, budget_s = watched.intent, plan.retry_budget_s
        for attempt in range(_ATTEMPTS):
            await self._turn(watched)
            claimed_at = self._now()
            self._runtime.at_crash_point(CrashPoint.BEFORE_CLAIM)
            if not watched.is_wanted or not await self._claim(intent, plan):
                break
            try:
                self._runtime.at_crash_point(CrashPoint.CLAIMED)
                if not await self._is_still_ours(intent, claimed_at, plan.stale_s):
                    continue
                await self._send(watched, plan)
                break
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

    async def _turn(self, watched: Watched) -> None:
        """Wait for it. Raises: GatewayBusy where it is too far off; the create is given up then and holds no money."""
        try:
            await self._rate.turn(watched)
        except GatewayBusy as error:
            await self._journal.answers.stopped(watched.intent.key, error.message)
            raise

    async def _claim(self, intent: Intent, plan: CreatePlan) -> bool:
        """Raises: SpendingRefused; InvalidInput where a secret is missing that is not written down."""
        lacking = (name for name, value in intent.input.items() if name not in plan.secrets and is_masked(name, value))
        if missing := next(lacking, ""):
            raise InvalidInput(
                f"{missing} is a secret and is not kept. Nothing was sent. Give it again.", field=missing
            )
        return await self._journal.claim(intent.key, account=self._account.id, spending=plan.spending)

    async def _send(self, watched: Watched, plan: CreatePlan) -> None:
        intent = watched.intent
        try:
            prediction = await self._created(intent, plan)
        except CreateUnresolved as error:
            self._runtime.at_crash_point(CrashPoint.AMBIGUOUS)
            await self._journal.mark_unknown(intent.key, error.message, error.request_id)
            raise
        except (GatewayBusy, GatewayUnreachable):
            self._runtime.at_crash_point(CrashPoint.REFUSED)
            raise  # what it means for the row depends on whether it is tried again
        except (GatewayError, InvalidRequest) as error:
            self._runtime.at_crash_point(CrashPoint.REFUSED)
            await self._journal.mark_refused(intent.key, error.message)
            raise
        self._runtime.at_crash_point(CrashPoint.CREATED)
        await self._write_down(watched, prediction)
        self._runtime.at_crash_point(CrashPoint.ID_WRITTEN)

    async def _created(self, intent: Intent, plan: CreatePlan) -> Prediction:
        hold_s = plan.prefer_wait_s if self._held_count < _MOST_HELD else 0
        self._held_count += hold_s > 0
        try:
            return await self._client.create(
                intent.model,
                intent.version,
                {**intent.input, **plan.secrets},
                prefer_wait_s=hold_s,
                cancel_after_s=plan.cancel_after_s,
                intent_key=intent.key,
            )
        finally:
            self._held_count -= hold_s > 0

    async def _is_still_ours(self, intent: Intent, claimed_at: tuple[float, float], stale_s: float) -> bool:
        """False where this computer slept after the claim: others may have settled the row by now. It is given back."""
        if all(now - then < stale_s for now, then in zip(self._now(), claimed_at, strict=True)):
            return True
        await self._journal.release(intent.key, "The claim was too old; nothing was sent.")
        return False

    def _now(self) -> tuple[float, float]:
        """On both clocks: one may be set, the other may stand still while the computer sleeps."""
        return self._runtime.clock(), self._runtime.monotonic()

    async def _write_down(self, watched: Watched, prediction: Prediction) -> None:
        """Write down the id of what was paid, until that succeeds; meanwhile it is in memory and in a file."""
        intent, failed_s, pause_s = watched.intent, 0.0, _FIRST_PAUSE_S / 2
        problem = CreateUnresolved(
            f"Prediction '{prediction.id}' was created and may be billed, but the journal cannot be written just now. "
            f"darkroom keeps trying. Keep this id; get_prediction with id '{prediction.id}' finds it.",
            gateway=self._client.gateway.name,
        )
        while not await self._is_written(intent, prediction):
            failed_s += pause_s
            watched.publish(problem=problem, settled=failed_s > _TELL_AFTER_S)
            await self._runtime.sleep(pause_s)
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        await self._paid_ids.drop(intent.key)
        watched.publish(settled=False)

    async def _is_written(self, intent: Intent, prediction: Prediction) -> bool:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._keep_if_slow, intent, prediction.id)
            try:
                await self._journal.mark_known(intent.key, prediction, self._account.look(self._runtime.clock()))
                tasks.cancel_scope.cancel()
                return True
            except JournalError as error:
                log.error("prediction %s was created but could not be written down: %s", prediction.id, error)
                tasks.cancel_scope.cancel()
        await self._keep(intent, prediction.id)
        return False

    async def _keep_if_slow(self, intent: Intent, prediction_id: str) -> None:
        await self._runtime.sleep(_SLOW_JOURNAL_S)
        await self._keep(intent, prediction_id)

    async def _keep(self, intent: Intent, prediction_id: str) -> None:
        await self._paid_ids.keep(intent, prediction_id)
        self._runtime.at_crash_point(CrashPoint.ID_KEPT)
