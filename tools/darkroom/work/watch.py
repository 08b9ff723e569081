"""Watching one prediction to its end: poll, note, fetch the images, and wake whoever waits.

A watcher belongs to the open Darkroom, never to a tool call. What it learns is in the journal first and in its
`Watched` second, so a waiter that goes away loses nothing.
"""

import logging
import random
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import anyio

from darkroom.errors import DarkroomError, GatewayError, JournalError, UnknownPrediction
from darkroom.gateways import PollSchedule
from darkroom.journal import Intent, IntentState, Journal
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.progress import Progress, ProgressTracker
from darkroom.work.accounts import Account
from darkroom.work.image_fetching import ImageFetching
from darkroom.work.looks import Looks
from darkroom.work.polling import Polling
from darkroom.work.runtime import CrashPoint, Runtime

log = logging.getLogger(__name__)

# Replicate ends a run after 30 min and cold starts were seen up to 17 min (timings, 2026-11-20); then it is not coming.
GIVE_UP_AFTER_S = 2 * 3600.0
_NO_OUTPUT_YET = "the gateway calls it succeeded but shows no output yet; darkroom asks again."


class Hold:
    """A create whose answer the gateway was asked to hold; for `quiet_s` seconds nobody asks for its id."""

    def __init__(self, quiet_s: float) -> None:
        self.quiet_s = quiet_s
        self.is_over = False
        self._wakened = anyio.Event()

    def hurry(self) -> None:
        """Its id is wanted now: it is looked for in the gateway's list."""
        self._wakened.set()

    def end(self) -> None:
        """The answer is there, or will not come."""
        self.is_over = True
        self._wakened.set()

    async def wakened(self, within_s: float) -> None:
        """Return when it is over, when its id is wanted, or after so many seconds."""
        with anyio.move_on_after(within_s):
            await self._wakened.wait()


class Watched:
    """One intent as this process sees it now; `started_s` is on the monotonic clock.

    `is_settled`: no further change is expected soon. `is_queued`: its turn to be sent has not come. `problem` is the
    last fault, `note` what else there is to say. `hold` is there while the gateway holds the answer to its create.
    """

    def __init__(self, intent: Intent, *, typical_s: float | None, started_s: float) -> None:
        self.intent = intent
        self.started_s = started_s
        self.problem: DarkroomError | None = None
        self.note = ""
        self.is_settled = False
        self.is_queued = False
        self.has_been_looked_up = False
        self.is_wanted = True
        self.is_followed = False
        self.hold: Hold | None = None
        self._tracker = ProgressTracker(typical_s)
        self._waiters: set[anyio.Event] = set()

    @property
    def is_being_sent(self) -> bool:
        """True until the gateway has answered the create, or it has failed."""
        return not self.is_settled and self.intent.state is not IntentState.KNOWN

    @property
    def is_on_its_way(self) -> bool:
        """True while the answer to its create may come at any moment."""
        return self.is_being_sent and not self.is_queued

    @property
    def is_awaited(self) -> bool:
        """Whether anybody waits for a change at this moment."""
        return bool(self._waiters)

    @property
    def has_images_on_their_way(self) -> bool:
        """True between the end of the prediction and the first try at its images."""
        return not self.is_settled and self.intent.has_ended

    def publish(
        self,
        intent: Intent | None = None,
        *,
        problem: DarkroomError | None = None,
        note: str = "",
        settled: bool | None = None,
    ) -> None:
        """Take over what is new and wake every waiter."""
        self.intent = intent or self.intent
        self.problem, self.note = problem, note
        self.is_settled = self.is_settled if settled is None else settled
        self._wake()

    def _wake(self) -> None:
        for waiter in self._waiters:
            waiter.set()

    @contextmanager
    def queued(self) -> Generator[None]:
        """Its turn has not come while the block runs."""
        self.is_queued = True
        self._wake()
        try:
            yield
        finally:
            self.is_queued = False

    @contextmanager
    def held(self, quiet_s: float) -> Generator["Hold"]:
        """The gateway has been asked to hold its answer while the block runs."""
        self.hold = hold = Hold(quiet_s)
        self._wake()
        try:
            yield hold
        finally:
            self.hold = None
            hold.end()

    @contextmanager
    def waking(self, waiter: anyio.Event) -> Generator[None]:
        """Set the event at each change while the block runs."""
        self._waiters.add(waiter)
        try:
            yield
        finally:
            self._waiters.discard(waiter)

    def progress(self, now_s: float) -> Progress:
        """How far it is; `now_s` is on the same monotonic clock as `started_s`."""
        # A hold is asked for where runs begin at once.
        unseen = PredictionStatus.PROCESSING if self.hold else PredictionStatus.STARTING
        prediction = self.intent.prediction or Prediction(id=self.intent.key[:64], status=unseen)
        return self._tracker.update(prediction, now_s - self.started_s)


@dataclass(eq=False)
class Watcher:
    """Polls by the schedule of its model and ends when the prediction and its images have.

    `settle_s`: for how long a gateway has to say that it does not know a prediction before that is believed.
    """

    _account: Account
    _journal: Journal
    _fetching: ImageFetching
    _runtime: Runtime
    _settle_s: float

    def __post_init__(self) -> None:
        self._rng = random.Random()
        self._looks = Looks(self._account, self._journal, self._runtime)

    async def watch(self, watched: Watched, schedule: PollSchedule, *, look_first: bool) -> bool:
        """Watch until all is settled; False where the prediction is given up instead.

        `look_first`: ask the gateway at once (a row of an earlier process).
        """
        polling = Polling(schedule=schedule, started_s=watched.started_s, settle_s=self._settle_s)
        while not watched.intent.has_ended:
            now_s = self._runtime.monotonic()
            if not look_first:
                if now_s - watched.started_s > GIVE_UP_AFTER_S:
                    watched.publish(problem=watched.problem, settled=True)
                    return False
                await self._runtime.sleep(polling.pause_s(now_s, self._rng))
            look_first = False
            if not await self._look(watched, polling):
                return False
        self._runtime.at_crash_point(CrashPoint.ENDED)
        intent, is_looked_at = watched.intent, _lacks_figures(watched.intent)
        async with anyio.create_task_group() as tasks:
            if is_looked_at:
                tasks.start_soon(self._look, watched, polling)
            intent = await self._fetching.first_round(intent)
        watched.publish(await self._fetching.row(intent) if is_looked_at else intent, settled=True)
        watched.publish(await self._fetching.remaining_rounds(watched.intent), settled=True)
        return True

    async def _look(self, watched: Watched, polling: Polling) -> bool:
        """One look at the gateway; False where the prediction is gone, or not to be seen with this key."""
        intent = watched.intent
        try:
            if (prediction := await self._looks.look(intent.prediction_id, intent.image_count)) is None:
                return True
            self._runtime.at_crash_point(CrashPoint.SEEN)
            prediction = polling.saw(prediction, self._runtime.monotonic(), intent.image_count)
            if not intent.has_ended:
                self._fetching.begin(prediction)
            look = self._account.look(self._runtime.clock(), is_final=polling.is_output_overdue)
            row = intent if _is_as_before(intent, prediction) else await self._journal.record(prediction, look)
            watched.has_been_looked_up = True
            watched.publish(row, note=_NO_OUTPUT_YET if polling.is_without_output else "")
        except UnknownPrediction as error:
            watched.has_been_looked_up = True
            watched.publish(problem=error)
            if polling.missed(self._runtime.monotonic()):
                await self._end_missing(watched, error)
                return False
        except (GatewayError, JournalError) as error:  # passing, as far as anybody can tell
            log.warning("look at %s failed: %s", watched.intent.prediction_id, error)
            watched.has_been_looked_up = True
            watched.publish(problem=error)
        return True

    async def _end_missing(self, watched: Watched, error: UnknownPrediction) -> None:
        """Record it as failed so that polling stops; another account's prediction is only let alone."""
        if not await self._account.owns(watched.intent):
            watched.publish(problem=error, settled=True)
            return
        last = watched.intent.prediction or Prediction(id=watched.intent.prediction_id)
        gone = replace(last, status=PredictionStatus.FAILED, error="The gateway no longer knows this prediction.")
        watched.publish(await self._journal.record(gone), problem=error, settled=True)


def _is_as_before(intent: Intent, seen: Prediction) -> bool:
    """Whether a look has brought nothing that would be written down."""
    before = intent.prediction
    return (
        before is not None
        and not seen.status.is_terminal
        and (before.status, before.output, before.logs) == (seen.status, seen.output, seen.logs)
    )


def _lacks_figures(intent: Intent) -> bool:
    """Whether a held answer has ended it that brought no figures, and its price cannot do without them."""
    seen = intent.prediction
    if seen is None or seen.status is not PredictionStatus.SUCCEEDED:
        return False
    return seen.completed_at is None and seen.metrics.predict_s is None and intent.cost_usd is None
