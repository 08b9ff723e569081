"""Looks at running predictions: one by one while they are few, in the gateway's list when they are many.

The list is believed that something still runs, and a success that it shows whole. Any other end is read from the
prediction itself, since a list may leave out what was made. Together the looks stay below what Replicate documents for
everything but creates, 3,000 a minute (https://replicate.com/docs/topics/predictions/rate-limits, 2026-11-25).
"""

import logging
from collections import deque
from dataclasses import dataclass, field

import anyio

from darkroom.errors import GatewayError
from darkroom.journal import Journal, Rate
from darkroom.predictions import RUNNING, Prediction, PredictionStatus
from darkroom.work.accounts import Account
from darkroom.work.runtime import Runtime

log = logging.getLogger(__name__)

LOOKS = Rate(per_minute=2400, burst=200)
_FEW_IN_A_SECOND = 10
_BETWEEN_LISTS_S = 0.25
_MOST_PAGES = 20
_PATIENCE_S = 10.0
_LOOK_WITHIN_S = 120.0  # an answer of four images inside it has 64 MiB


@dataclass(eq=False)
class _Round:
    """One reading of the list, for all who ask until it begins."""

    wanted: set[str] = field(default_factory=set[str])
    seen: dict[str, Prediction] = field(default_factory=dict[str, Prediction])
    is_over: anyio.Event = field(default_factory=anyio.Event)


class Looks:
    """Shared by everybody in this process who follows a prediction of the account."""

    def __init__(self, account: Account, journal: Journal, runtime: Runtime) -> None:
        self._client = account.client
        self._name = f"looks {account.origin} {account.id}"
        self._journal = journal
        self._runtime = runtime
        self._asked_at: deque[float] = deque(maxlen=_FEW_IN_A_SECOND)
        self._next: _Round | None = None
        self._listed_at = float("-inf")

    async def look(self, prediction_id: str, image_count: int) -> Prediction | None:
        """What has become of it; None where so many are asked for that this one has to be asked for again later.

        `image_count` outputs with the gateway's figures are a whole success.

        Raises: as `PredictionClient.get`; JournalError.
        """
        if not self._are_many():
            return await self._client.get(prediction_id, within_s=_LOOK_WITHIN_S)
        if self._client.gateway.has_list:
            listed = await self._listed(prediction_id)
            if listed and (listed.status in RUNNING or is_whole(listed, image_count)):
                return listed
        pause_s = await self._journal.rates.reserve(self._name, LOOKS, _PATIENCE_S)
        if pause_s is None:
            return None
        if pause_s:
            await self._runtime.sleep(pause_s)
        return await self._client.get(prediction_id, within_s=_LOOK_WITHIN_S)

    def _are_many(self) -> bool:
        now_s = self._runtime.monotonic()
        oldest_s = self._asked_at[0] if len(self._asked_at) == _FEW_IN_A_SECOND else float("-inf")
        self._asked_at.append(now_s)
        return now_s - oldest_s < 1.0

    async def _listed(self, prediction_id: str) -> Prediction | None:
        """As the list shows it. Who asks first reads it for all who ask before it begins."""
        if joined := self._next:
            joined.wanted.add(prediction_id)
            await joined.is_over.wait()
            return joined.seen.get(prediction_id)
        begun = self._next = _Round(wanted={prediction_id})
        try:
            await self._runtime.sleep(max(0.0, self._listed_at + _BETWEEN_LISTS_S - self._runtime.monotonic()))
            self._listed_at, self._next = self._runtime.monotonic(), None
            await self._read_list(begun)
        except GatewayError as error:
            log.warning("the list could not be read: %s", error)
        finally:  # also where the one who reads is cancelled: the others then look for themselves
            self._next = None if self._next is begun else self._next
            begun.is_over.set()
        return begun.seen.get(prediction_id)

    async def _read_list(self, asked: _Round) -> None:
        """Newest first, on as long as the last page showed one of those that are wanted."""
        cursor, cursors = "", {""}
        for _ in range(_MOST_PAGES):
            page = await self._client.list_page(cursor)
            found = {each.id: each for each in page.predictions if each.id in asked.wanted}
            asked.seen.update(found)
            cursor = page.next_cursor
            if not found or len(asked.seen) == len(asked.wanted) or not cursor or cursor in cursors:
                break
            cursors.add(cursor)


def is_whole(listed: Prediction, image_count: int) -> bool:
    """Whether the list shows a success with its figures and as many outputs as were asked for."""
    has_figures = listed.completed_at is not None and listed.metrics.predict_s is not None
    return listed.status is PredictionStatus.SUCCEEDED and has_figures and len(listed.output) == image_count
