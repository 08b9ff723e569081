"""The one place that spends money: an intent is written down, sent once, and what became of it is written down again.

Between any two lines here the process may end. The order is therefore: claim (committed as `sent`) -> POST -> mark. A row
that stayed `sent` or became `unknown` is never sent again until reconciliation has shown it absent; a row that was
certainly not executed (`refused` for load, or no connection) may be.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio

from darkroom.errors import (
    CreateUnresolved,
    GatewayBusy,
    GatewayError,
    GatewayUnreachable,
    InvalidRequest,
    JournalError,
)
from darkroom.gateways import PredictionClient
from darkroom.journal import Intent, Journal, SpendingLimit
from darkroom.predictions import Prediction
from darkroom.work.crash_points import CrashPoint

log = logging.getLogger(__name__)

_ATTEMPTS = 5
_FIRST_PAUSE_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePlan:
    """How to send one intent: seconds that the gateway may hold the answer, and after which it must give up."""

    prefer_wait_s: int = 0
    cancel_after_s: int = 0
    retry_budget_s: float = 40.0


class Creator:
    """Sends intents. `at_crash_point` hears every moment at which a crash would matter (tests end the process there)."""

    def __init__(
        self,
        client: PredictionClient,
        journal: Journal,
        *,
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        clock: Callable[[], float] = time.time,
        stale_s: float = 60.0,
        at_crash_point: Callable[[CrashPoint], None] = lambda moment: None,
    ) -> None:
        self._client = client
        self._journal = journal
        self._sleep = sleep
        self._clock = clock
        self._stale_s = stale_s
        self._at_crash_point = at_crash_point

    async def create(
        self,
        intent: Intent,
        plan: CreatePlan,
        *,
        spending: SpendingLimit | None = None,
        is_wanted: Callable[[], bool] = lambda: True,
    ) -> Intent:
        """Send the intent unless that was done already, and return its row as it then stands.

        Nothing more is sent once `is_wanted` says no.

        Raises: GatewayError of the last attempt; CreateUnresolved where it may have been carried out; SpendingRefused.
        """
        budget_s = plan.retry_budget_s
        for attempt in range(_ATTEMPTS):
            claimed_at = self._clock()
            self._at_crash_point(CrashPoint.BEFORE_CLAIM)
            if not is_wanted() or not await self._journal.claim(intent.key, spending=spending):
                break
            try:
                self._at_crash_point(CrashPoint.CLAIMED)
                if await self._is_still_ours(intent, claimed_at):
                    await self._send(intent, plan)
                    break
            except (GatewayBusy, GatewayUnreachable) as error:
                pause_s = _pause(error, attempt)
                if attempt + 1 == _ATTEMPTS or pause_s > budget_s:
                    raise
                log.info("create of %s not carried out, again in %.1f s", intent.key, pause_s)
                budget_s -= pause_s
                await self._sleep(pause_s)
        return await self._journal.find(intent.key) or intent

    async def _send(self, intent: Intent, plan: CreatePlan) -> None:
        try:
            prediction = await self._client.create(
                intent.model,
                intent.version,
                intent.input,
                prefer_wait_s=plan.prefer_wait_s,
                cancel_after_s=plan.cancel_after_s,
                intent_key=intent.key,
            )
        except CreateUnresolved as error:
            self._at_crash_point(CrashPoint.AMBIGUOUS)
            await self._journal.mark_unknown(intent.key, error.message)
            raise
        except (GatewayError, InvalidRequest) as error:
            self._at_crash_point(CrashPoint.REFUSED)
            await self._journal.mark_refused(intent.key, error.message)
            raise
        self._at_crash_point(CrashPoint.CREATED)
        await self._write_down(intent, prediction)
        self._at_crash_point(CrashPoint.ID_WRITTEN)

    async def _is_still_ours(self, intent: Intent, claimed_at: float) -> bool:
        """False where this computer slept after the claim: others may have settled the row by now. It is given back."""
        if self._clock() - claimed_at < self._stale_s:
            return True
        await self._journal.mark_refused(intent.key, "The claim was too old; nothing was sent.")
        return False

    async def _write_down(self, intent: Intent, prediction: Prediction) -> None:
        """The one moment in which a paid prediction is known in memory only: its id must not get lost with the journal."""
        try:
            await self._journal.mark_known(intent.key, prediction)
        except JournalError as error:
            log.error("prediction %s was created but could not be written down: %s", prediction.id, error)
            raise CreateUnresolved(
                f"Prediction '{prediction.id}' was created and may be billed, but the journal could not be written: {error} "
                f"Keep this id; get_prediction with id '{prediction.id}' finds it.",
                gateway=self._client.gateway.name,
            ) from error


def _pause(error: GatewayError, attempt: int) -> float:
    """The gateway's own time where it gave one, else half a second, doubling."""
    if error.retry_after_s is not None:
        return error.retry_after_s
    return _FIRST_PAUSE_S * 2**attempt
