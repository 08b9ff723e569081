"""Settles creates whose answer was lost, by looking for them in the gateway's own list.

Asked at start, after each ambiguous answer and then after 5, 30 and 120 s, and on while the list cannot be read. Where a
gateway has no list nothing can be settled: the rows stay `unknown` and the person is told so.
"""

import logging
import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import anyio

from darkroom.errors import GatewayError
from darkroom.gateways import Gateway, PredictionClient
from darkroom.journal import Intent, IntentState, Journal, match
from darkroom.predictions import Prediction
from darkroom.work.crash_points import CrashPoint

log = logging.getLogger(__name__)

SETTLE_S = 120.0
# When to look, in settle times after the doubt arose: at once, after 5, 30, 120 and 150 s.
_LOOKS = (0.0, 1 / 24, 1 / 4, 1.0, 5 / 4)
_MARGIN_S = 120.0
_MOST_PAGES = 50


class Reconciler:
    """Asks the list and tells the journal; `on_found` hears of every intent that got its prediction back."""

    def __init__(
        self,
        client: PredictionClient,
        journal: Journal,
        gateway: Gateway,
        *,
        clock: Callable[[], float],
        on_found: Callable[[Intent], None],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        settle_s: float = SETTLE_S,
        at_crash_point: Callable[[CrashPoint], None] = lambda moment: None,
    ) -> None:
        self._client = client
        self._journal = journal
        self._gateway = gateway
        self._clock = clock
        self._on_found = on_found
        self._sleep = sleep
        self._settle_s = settle_s
        self._at_crash_point = at_crash_point
        self._one_at_a_time = anyio.Lock()
        self._is_put_off = False

    async def until_settled(self) -> None:
        """Look at once and then at the set times, as long as anything is open; on while the list cannot be read."""
        slept = 0.0
        for look in _LOOKS:
            await self._sleep((look - slept) * self._settle_s)
            slept = look
            if not await self.once():
                return
        while self._is_put_off:
            await self._sleep(self._settle_s)
            await self.once()

    async def once(self) -> int:
        """One look; gives how many intents are still open. A list that cannot be read changes nothing."""
        if not self._gateway.has_list:
            return 0
        async with self._one_at_a_time:
            open_intents = await self._journal.unresolved(self._gateway.origin)
            if not open_intents:
                return 0
            try:
                await self._settle(open_intents)
                self._is_put_off = False
            except GatewayError as error:
                self._is_put_off = True
                log.warning("reconciliation put off: %s", error)
            return len(await self._journal.unresolved(self._gateway.origin))

    async def _settle(self, open_intents: tuple[Intent, ...]) -> None:
        oldest_s = min(intent.sent_at or intent.intended_at for intent in open_intents)
        # The list is as old as its first page; the pages after that may take their time.
        asked_at = self._clock()
        listed = await self._read_list(oldest_s)
        self._at_crash_point(CrashPoint.LISTED)
        verdicts = match(
            open_intents,
            listed.predictions,
            await self._journal.known_ids(self._gateway.origin),
            now=asked_at,
            skew_s=listed.skew_s,
            settle_s=self._settle_s,
            margin_s=_MARGIN_S,
        )
        sure = [each for each in verdicts if listed.is_complete or each.state is not IntentState.ABSENT]
        settled = await self._journal.settle(sure)
        self._at_crash_point(CrashPoint.SETTLED)
        for intent in settled:
            if intent.state is IntentState.KNOWN:
                self._on_found(intent)

    async def _read_list(self, oldest_s: float) -> "_Listed":
        """Newest first, back to the oldest open intent, as far as the number of pages allows."""
        page = await self._client.list_page()
        now = datetime.fromtimestamp(self._clock(), UTC)
        skew_s = (page.server_time - now).total_seconds() if page.server_time else 0.0
        found = list(page.predictions)
        for _ in range(_MOST_PAGES):
            # A list without times has to be read to its end.
            reached_s = min((p.created_at.timestamp() for p in page.predictions if p.created_at), default=math.inf)
            if not page.next_cursor or reached_s < oldest_s + skew_s - _MARGIN_S:
                return _Listed(predictions=found, skew_s=skew_s, is_complete=True)
            page = await self._client.list_page(page.next_cursor)
            found += page.predictions
        return _Listed(predictions=found, skew_s=skew_s, is_complete=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Listed:
    """What was read; `skew_s` is the gateway's clock less ours. An incomplete list cannot show that something is absent."""

    predictions: list[Prediction]
    skew_s: float
    is_complete: bool
