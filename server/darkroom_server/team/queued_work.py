"""`Work` of a replica: it sends the creates of its calls itself, and leaves it to the workers to follow them.

What a worker writes into the journal rings a bell here; while a call waits, a look at the row every few seconds shows
what no bell told, less often where many calls wait. What nobody waits for any more is let go after a minute: the
workers follow it, and whoever asks again begins anew. A replica that dies loses nothing: each claim has woken the
workers in its own commit.
"""

from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import anyio
import anyio.abc

from darkroom.darkroom import Darkroom
from darkroom.errors import GatewayError, JournalError, UnknownPrediction
from darkroom.gateways import PollSchedule
from darkroom.images import ImageState
from darkroom.journal import Intent, IntentState
from darkroom.work.create import Budget, WebhookOf
from darkroom.work.create_rate import Turns
from darkroom.work.image_fetching import ImageFetching
from darkroom.work.watch import GIVE_UP_AFTER_S, Watched
from darkroom.work.work import Work
from darkroom_server.team.news import Bell, News

_LOOK_EVERY_S, _LONGEST_PAUSE_S = 5.0, 30.0
_LOOKS_A_SECOND = 20  # of one replica together
_UNASKED_S = 60.0
_KEPT_IDS_EVERY_S = 60.0
_LOOK_WITHIN_S = 20.0


class QueuedWork(Work):
    """Creates as `Work` does, at the rate of `turns`; `news` tells what has become of them.

    `webhook_of` says where the gateway is to tell their ends. Nothing foreign is adopted in a team.
    """

    is_open_to_foreign_ids = False

    def __init__(
        self, room: Darkroom, tasks: anyio.abc.TaskGroup, news: News, turns: Turns, webhook_of: WebhookOf
    ) -> None:
        fetching = ImageFetching(room.journal, room.stores, room.fetcher, room.runtime)
        rules = replace(room.work_rules(), turns=turns, webhook_of=webhook_of)
        super().__init__(room.account, room.journal, fetching, tasks, room.runtime, rules)
        self._news = news
        self._asked_s: dict[str, float] = {}
        self._bells: dict[str, Bell] = {}
        self._unattended = room.options.unattended
        self._webhook_of = webhook_of

    def start(self, intent: Intent, budget: Budget) -> Watched:
        return self._asked_for(super().start(intent, budget))

    def watch(self, intent: Intent) -> Watched:
        return self._asked_for(super().watch(intent))

    def _begin(self, intent: Intent, run: Callable[[Watched], Coroutine[Any, Any, None]]) -> Watched:
        # From before the create, so that what a worker writes right after it is heard of.
        self._bells[intent.key] = self._news.bell(intent.key)
        return super()._begin(intent, run)

    def _let_go(self, key: str) -> None:
        super()._let_go(key)
        self._asked_s.pop(key, None)
        if bell := self._bells.pop(key, None):
            self._news.take_off(bell)

    def _asked_for(self, watched: Watched) -> Watched:
        key = watched.intent.key
        self._asked_s[key] = self._runtime.monotonic()
        if watched.is_followed and not watched.is_awaited:
            self._bells[key].ring()  # nobody has looked at its row while nobody waited
        return watched

    async def take_up_unfinished(self) -> None:
        """Runs for ever: writes down the ids that could not be written before. The workers do all else."""
        while True:
            async with self._fence("taking up kept ids"):
                await self._paid_ids.restore(self._journal, self._look)
            await anyio.sleep(_KEPT_IDS_EVERY_S)

    async def look_for_bills(self, within_s: float) -> None:
        """The workers do."""

    def _seek_lost(self) -> None:
        """The claim has woken a worker, which looks for what is not answered."""

    def _seek_bills(self) -> None:
        """The workers do, too."""

    async def _watch(self, watched: Watched, schedule: PollSchedule, *, look_first: bool) -> None:
        key, watched.is_followed = watched.intent.key, True
        if not watched.is_wanted:
            await self._cancel_quietly(watched.intent)
        try:
            bell = self._bells[key]
            async with self._fence(f"following {watched.intent.handle}", watched):
                if look_first:
                    if watched.intent.ended_at is None:
                        await self._look_once(watched)
                    await self._read(watched, is_alone=False)
                else:
                    _show(watched, watched.intent, is_alone=False)  # it was written down just now
                await self._follow(watched, bell)
        finally:
            self._let_go(key)

    async def _look_once(self, watched: Watched) -> None:
        """For a person who asks now; what it shows is in the journal then, and the images come as always."""
        try:
            prediction = await self._client.get(watched.intent.handle, attempts=1, within_s=_LOOK_WITHIN_S)
            row = await self._journal.record(prediction, self._look)
            watched.has_been_looked_up = True
            watched.publish(row)
        except (GatewayError, UnknownPrediction, JournalError) as error:
            watched.has_been_looked_up = True
            watched.publish(problem=error)

    async def _follow(self, watched: Watched, bell: Bell) -> None:
        """Until nothing more is expected soon, it is given up, or nobody waits for it.

        Where no worker runs, nothing but a webhook would tell an end, so one look of this replica at the gateway is all
        that is waited for; images are not waited for then.
        """
        is_alone = False  # at first, since a worker may be about to start
        while True:
            if is_alone and not watched.is_settled and self._is_told_by_nobody(watched.intent):
                await self._look_once(watched)
                watched.publish(problem=watched.problem, settled=True)
            is_given_up = self._runtime.monotonic() - watched.started_s > GIVE_UP_AFTER_S
            if watched.is_settled or is_given_up:
                watched.publish(problem=watched.problem, settled=True)
                return
            if watched.is_awaited:
                self._asked_for(watched)
            pause_s = min(max(self._news.bell_count / _LOOKS_A_SECOND, _LOOK_EVERY_S), _LONGEST_PAUSE_S)
            has_rung = await bell.wait(pause_s)
            if not has_rung and not watched.is_awaited:
                if self._runtime.monotonic() - self._asked_s[bell.key] > _UNASKED_S:
                    return
                continue
            is_alone = bool(await self._unattended())
            await self._read(watched, is_alone=is_alone)

    async def _read(self, watched: Watched, *, is_alone: bool) -> None:
        try:
            row = await self._journal.find(watched.intent.key) or watched.intent
            _show(watched, row, is_alone=is_alone)
        except JournalError as error:
            watched.publish(problem=error)

    def _is_told_by_nobody(self, intent: Intent) -> bool:
        is_running = intent.state is IntentState.KNOWN and intent.ended_at is None
        return is_running and not self._webhook_of(intent)


def _show(watched: Watched, row: Intent, *, is_alone: bool) -> None:
    watched.publish(row, settled=row.ended_at is not None and (is_alone or not _wants(row)))


def _wants(intent: Intent) -> bool:
    """Whether an image of it was not tried once."""
    return any(image.state is ImageState.WANTED and not image.problem for image in intent.images)
