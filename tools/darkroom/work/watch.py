"""Following one prediction to its end: poll, note, bring the images home, and wake whoever waits.

A follower belongs to the open Darkroom, never to a tool call. What it learns is in the journal first and in its
`Following` second, so a waiter that goes away loses nothing.
"""

import logging
import random
from collections.abc import Awaitable, Callable
from dataclasses import replace

import anyio

from darkroom.errors import DarkroomError, GatewayError, UnknownPrediction
from darkroom.gateways import PollSchedule, PredictionClient
from darkroom.journal import Intent, IntentState, Journal
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.progress import Progress, ProgressTracker
from darkroom.work.crash_points import CrashPoint
from darkroom.work.image_fetching import ImageFetching

log = logging.getLogger(__name__)

# Replicate ends a run after 30 min and cold starts were seen up to 17 min (timings, 2026-11-20); then it is not coming.
GIVE_UP_AFTER_S = 2 * 3600.0
# A gateway may need a moment until a new prediction can be looked up everywhere.
_APPEARS_WITHIN_S = 60.0


class Pulse:
    """Wakes everybody who waits for any change, then starts anew."""

    def __init__(self) -> None:
        self._event = anyio.Event()

    def beat(self) -> None:
        woken, self._event = self._event, anyio.Event()
        woken.set()

    async def next(self) -> None:
        """Return at the next beat."""
        await self._event.wait()


class Following:
    """One intent as this process sees it now. `is_settled` means that nothing more is near; `problem` is the last fault."""

    def __init__(self, intent: Intent, *, typical_s: float | None, started_s: float, pulse: Pulse) -> None:
        self.intent = intent
        self.started_s = started_s
        self.problem: DarkroomError | None = None
        self.is_settled = False
        self.has_been_looked_up = False
        self.is_cancel_wanted = False
        self._tracker = ProgressTracker(typical_s)
        self._pulse = pulse

    @property
    def handle(self) -> str:
        """The prediction's id, or the intent's key while there is none."""
        return self.intent.prediction_id or self.intent.key

    @property
    def is_being_sent(self) -> bool:
        """True until the gateway has answered the create, or it has failed."""
        return not self.is_settled and self.intent.state is not IntentState.KNOWN

    @property
    def is_coming_home(self) -> bool:
        """True between the end of the prediction and the first try at its images."""
        return not self.is_settled and _is_ended(self.intent)

    def publish(
        self, intent: Intent | None = None, *, problem: DarkroomError | None = None, settled: bool = False
    ) -> None:
        """Take over what is new and wake every waiter."""
        self.intent = intent or self.intent
        self.problem = problem
        self.is_settled = self.is_settled or settled
        self._pulse.beat()

    def progress(self, now_s: float) -> Progress:
        """How far it is; `now_s` is on the same monotonic clock as `started_s`."""
        prediction = self.intent.prediction or Prediction(id=self.intent.key[:64], status=PredictionStatus.STARTING)
        return self._tracker.update(prediction, now_s - self.started_s)


class Follower:
    """Polls by the schedule of its model and ends when the prediction and its images have."""

    def __init__(
        self,
        client: PredictionClient,
        journal: Journal,
        image_fetching: ImageFetching,
        *,
        monotonic: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        at_crash_point: Callable[[CrashPoint], None] = lambda moment: None,
    ) -> None:
        self._client = client
        self._journal = journal
        self._homecoming = image_fetching
        self._monotonic = monotonic
        self._sleep = sleep
        self._at_crash_point = at_crash_point
        self._rng = random.Random()

    async def follow(self, following: Following, schedule: PollSchedule, *, look_first: bool) -> bool:
        """Follow until all is settled; False where the prediction is given up instead.

        `look_first`: ask the gateway at once (a row of an earlier process).
        """
        if not await self._poll_to_the_end(following, schedule, look_first):
            return False
        self._at_crash_point(CrashPoint.ENDED)
        intent = await self._homecoming.first_round(following.intent)
        following.publish(intent, settled=True)
        following.publish(await self._homecoming.remaining_rounds(intent), settled=True)
        return True

    async def _poll_to_the_end(self, following: Following, schedule: PollSchedule, look_first: bool) -> bool:
        """True once the status is terminal; False where following was given up."""
        is_first = look_first
        while not _is_ended(following.intent):
            elapsed_s = self._monotonic() - following.started_s
            if not is_first:
                if elapsed_s > GIVE_UP_AFTER_S:
                    following.publish(problem=following.problem, settled=True)
                    return False
                await self._sleep(schedule.next_delay(elapsed_s, self._rng))
            is_first = False
            if not await self._look(following):
                return False
        return True

    async def _look(self, following: Following) -> bool:
        """One look at the gateway; False where the prediction is gone for good."""
        prediction_id = following.intent.prediction_id or ""
        try:
            prediction = await self._client.get(prediction_id)
        except UnknownPrediction as error:
            following.has_been_looked_up = True
            following.publish(problem=error)
            if self._monotonic() - following.started_s < _APPEARS_WITHIN_S:
                return True
            await self._note_gone(following, error)
            return False
        except GatewayError as error:
            log.warning("look at %s failed: %s", prediction_id, error)
            following.has_been_looked_up = True
            following.publish(problem=error)
            return True
        self._at_crash_point(CrashPoint.SEEN)
        row = await self._journal.record(prediction)
        following.has_been_looked_up = True
        following.publish(row)
        return True

    async def _note_gone(self, following: Following, error: UnknownPrediction) -> None:
        """The gateway has dropped it: an end of its own kind, so that nobody asks for ever."""
        last = following.intent.prediction or Prediction(id=following.intent.prediction_id)
        gone = replace(last, status=PredictionStatus.FAILED, error="The gateway no longer knows this prediction.")
        following.publish(await self._journal.record(gone), problem=error, settled=True)


def _is_ended(intent: Intent) -> bool:
    return intent.prediction is not None and intent.prediction.status.is_terminal
