"""Brings the outputs of a finished prediction home before their links die.

Each image is fetched, stored and written into the journal by itself; a fault of one never touches the others. Names are
deterministic and storing twice is harmless, so two processes, or a crash between storing and noting it, do no harm.
"""

import logging
import random
from collections.abc import Awaitable, Callable

import anyio
from pydantic import JsonValue

from darkroom.errors import OutputError, OutputExpired
from darkroom.gateways import Gateway, OutputFetcher
from darkroom.images import ImageState, StoredImage
from darkroom.journal import Intent, Journal
from darkroom.outputs import BringHome, OutputStore
from darkroom.work.crash_points import CrashPoint

log = logging.getLogger(__name__)

_AT_ONCE = 4
_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class ImageFetching:
    """Fetches and stores; `clock` gives epoch seconds, `at_crash_point` hears every moment at which a crash would matter."""

    def __init__(
        self,
        journal: Journal,
        store: OutputStore,
        fetcher: OutputFetcher,
        gateway: Gateway,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], Awaitable[None]] = anyio.sleep,
        at_crash_point: Callable[[CrashPoint], None] = lambda moment: None,
    ) -> None:
        self._journal = journal
        self._store = store
        self._fetcher = fetcher
        self._gateway = gateway
        self._clock = clock
        self._sleep = sleep
        self._at_crash_point = at_crash_point

    async def first_round(self, intent: Intent) -> Intent:
        """Try each wanted image once, and return the row as it then stands."""
        return await self._round(intent)

    async def remaining_rounds(self, intent: Intent) -> Intent:
        """Try again, with growing pauses, until every image is home or its link has died."""
        pause_s = _FIRST_PAUSE_S
        while any(image.state is ImageState.WANTED for image in intent.images):
            await self._sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            intent = await self._round(await self._journal.find(intent.prediction_id) or intent)
        return intent

    async def _round(self, row: Intent) -> Intent:
        limiter = anyio.CapacityLimiter(_AT_ONCE)
        async with anyio.create_task_group() as tasks:
            for image in row.images:
                if image.state is ImageState.WANTED:
                    tasks.start_soon(self._bring_one, row, image, limiter)
        return await self._journal.find(row.prediction_id) or row

    async def _bring_one(self, intent: Intent, image: StoredImage, limiter: anyio.CapacityLimiter) -> None:
        async with limiter:
            try:
                await self._fetch(intent, image)
            except OutputExpired as error:
                await self._journal.image_expired(image.prediction_id, image.index, error.message)
            except OutputError as error:
                await self._give_up_or_note(intent, image, error)

    async def _fetch(self, intent: Intent, image: StoredImage) -> None:
        async with self._fetcher.open(image.url) as download:
            file = await self._store.bring_home(_job(intent, image), download.chunks, sidecar(intent, self._gateway))
        self._at_crash_point(CrashPoint.IMAGE_STORED)
        await self._journal.image_stored(
            StoredImage(
                prediction_id=image.prediction_id,
                index=image.index,
                url=image.url,
                state=ImageState.STORED,
                expires_at=image.expires_at,
                file=file,
            )
        )
        self._at_crash_point(CrashPoint.IMAGE_NOTED)

    async def _give_up_or_note(self, intent: Intent, image: StoredImage, error: OutputError) -> None:
        """Past the death of its link an image is lost; before that the fault is noted and it is tried again.

        The death is told by the gateway's clock. Ours may be hours ahead, so it must have passed there as well.
        """
        log.warning("image %d of %s: %s", image.index + 1, image.prediction_id, error)
        seen_s = self._clock() - (intent.ended_at or 0.0)
        is_dead = image.expires_at is not None and self._clock() > image.expires_at.timestamp()
        if is_dead and seen_s > self._gateway.link_lifetime_s:
            await self._journal.image_expired(image.prediction_id, image.index, error.message)
        else:
            await self._journal.image_failed(image.prediction_id, image.index, error.message)


def sidecar(intent: Intent, gateway: Gateway) -> dict[str, JsonValue]:
    """What is written beside each image: how to make it again, and what it took. Times RFC 3339, durations seconds."""
    prediction = intent.prediction
    metrics = prediction.metrics if prediction else None
    return {
        "prompt": intent.request.get("prompt", ""),
        "model": intent.model,
        "version": intent.version,
        "seed": intent.seed,
        "request": dict(intent.request),
        "input": dict(intent.input),
        "prediction_id": intent.prediction_id,
        "gateway": gateway.name,
        "is_sandbox": gateway.is_sandbox,
        "created_at": prediction.created_at.isoformat() if prediction and prediction.created_at else None,
        "predict_s": metrics.predict_s if metrics else None,
        "total_s": metrics.total_s if metrics else None,
        "price_usd": 0.0 if gateway.is_sandbox else intent.estimate_usd,
    }


def _job(intent: Intent, image: StoredImage) -> BringHome:
    return BringHome(
        prediction_id=image.prediction_id,
        index=image.index,
        prompt=str(intent.request.get("prompt", "")) or intent.model.partition("/")[2],
    )
