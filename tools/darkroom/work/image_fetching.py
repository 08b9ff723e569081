"""Saves the outputs of a finished prediction before their links die.

Each image is fetched, saved and noted by itself; a fault of one never touches the others. Saving one twice ends with
the same file, so two processes, or a crash between saving and noting, do no harm.
"""

import logging
import random
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from functools import partial

import anyio
import anyio.abc
from pydantic import JsonValue

from darkroom.errors import DarkroomError, JournalError, OutputError, OutputExpired
from darkroom.gateways import Gateway, OutputFetcher
from darkroom.images import DAMAGED, ImageState, StoredFile, StoredImage
from darkroom.journal import Intent, Journal
from darkroom.outputs import ImageName, OutputStores, Saved
from darkroom.outputs.early_previews import EarlyPreviews
from darkroom.predictions import Prediction, PredictionStatus
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import scheme_of
from darkroom.work.fetched_ahead import FetchedAhead
from darkroom.work.runtime import CrashPoint, Runtime

log = logging.getLogger(__name__)

_AT_ONCE = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0
# A link that looks dead may have been looked for too early; so many looks over so long are believed.
_DEAD_LOOKS, _DEAD_FOR_S = 3, 60.0
_LAST_CHANCE_S = 600.0
_NO_SIDECAR = "Its sidecar is not written yet"
_NO_PNG = "No PNG was made of it"
_Tried = tuple[bool, Intent | None]
"""Whether an image is stored, and the row with it where the journal gave that."""


class ImageFetching:
    """Fetches what is wanted and writes down what came of it."""

    def __init__(
        self,
        journal: Journal,
        stores: OutputStores,
        fetcher: OutputFetcher,
        runtime: Runtime,
        previews: EarlyPreviews | None = None,
        tasks: anyio.abc.TaskGroup | None = None,
    ) -> None:
        self._journal = journal
        self._stores = stores
        self._ahead = FetchedAhead(fetcher, tasks)
        self._gateway = fetcher.gateway
        self._runtime = runtime
        self._previews = previews or EarlyPreviews()
        self._dead_looks: dict[tuple[str, int], list[float]] = {}

    def begin(self, ended: Prediction) -> None:
        """Ask for its outputs while its end is written down; they are stored once it is."""
        self._ahead.begin(ended.output if ended.status is PredictionStatus.SUCCEEDED else ())

    async def first_round(self, intent: Intent) -> Intent:
        """Try each wanted image once, and return the row as it then stands."""
        rows = [row for _, row in await self._tried([intent])]
        if not rows or None in rows:
            return await self.row(intent)
        # Each was read in the commit that notes an image: the last one has them all.
        return max(filter(None, rows), key=lambda row: sum(image.state is ImageState.STORED for image in row.images))

    async def try_once(self, intents: Sequence[Intent]) -> bool:
        """Each of their wanted images, independently of each other. True where all are stored."""
        return all(is_stored for is_stored, _ in await self._tried(intents))

    async def _tried(self, intents: Sequence[Intent]) -> list[_Tried]:
        limiter = anyio.CapacityLimiter(max(_AT_ONCE, len(intents)))
        tried: list[_Tried] = []

        async def attempt(intent: Intent, image: StoredImage) -> None:
            async with limiter:
                tried.append(await self._attempt(intent, image))

        wanted = [(row, image) for row in intents for image in row.images if image.state is ImageState.WANTED]
        if len(wanted) == 1:
            return [await self._attempt(*wanted[0])]
        async with anyio.create_task_group() as tasks:
            for intent, image in wanted:
                tasks.start_soon(attempt, intent, image)
        return tried

    async def remaining_rounds(self, intent: Intent) -> Intent:
        """Try again, with growing pauses, until every image is saved, lost or refused."""
        pause_s = _FIRST_PAUSE_S
        while any(image.state is ImageState.WANTED for image in intent.images):
            await self._runtime.sleep(pause_s * random.uniform(0.8, 1.2))
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
            intent = await self.first_round(await self.row(intent))
        return intent

    async def write_missing_sidecars(self, rows: Sequence[Intent]) -> None:
        """Once for each image that was saved where there was no room for its sidecar any more, and lies there yet."""
        for intent, image in [(row, image) for row in rows for image in row.images if _NO_SIDECAR in image.problem]:
            with suppress(OutputError):
                if image.file and await self._stores.read(image.file):
                    problem = image.problem.partition(_NO_SIDECAR)[0].partition(_NO_PNG)[0].strip()
                    await self._note_saved(intent, image, Saved(image.file, is_whole=True), problem)

    async def row(self, intent: Intent) -> Intent:
        """As it stands now, or as it was last seen while the journal cannot be read."""
        try:
            return await self._journal.find(intent.prediction_id) or intent
        except JournalError as error:
            log.warning("row of %s not read: %s", intent.prediction_id, error)
            return intent

    async def _attempt(self, intent: Intent, image: StoredImage) -> _Tried:
        """Whatever goes wrong is noted, and never ends the rounds or the other images."""
        try:
            return True, await self._save(intent, image)
        except Exception as error:  # the fence: a fault of ours must not cost the other images
            try:
                await self._note(intent, image, _in_words(error))
            except Exception as second:
                log.warning("image %d of %s not noted: %s", image.index + 1, image.prediction_id, second)
        return False, None

    async def _save(self, intent: Intent, image: StoredImage) -> Intent | None:
        store, problem = await self._stores.usable(intent.output_place, is_last_chance=self._is_last_chance(image))
        is_alone = len(intent.images) == 1 and intent.request.get("count") in (None, 0, 1)
        begin, facts = partial(self._previews.begin, is_alone=is_alone), partial(sidecar, intent, self._gateway)
        async with self._ahead.open(image.url) as chunks:
            saved = await store.save(_name(intent, image), chunks, facts, begin)
        if not saved.is_whole and scheme_of(image.url) != "data":  # which will never be any other
            raise OutputError(f"{DAMAGED} ({saved.file.size_bytes:,} bytes came).", can_retry=True)
        damage = "" if saved.is_whole else f"{DAMAGED}."
        return await self._note_saved(intent, image, saved, f"{damage} {problem}".strip())

    async def _note_saved(self, intent: Intent, image: StoredImage, saved: Saved, problem: str) -> Intent | None:
        self._runtime.at_crash_point(CrashPoint.IMAGE_STORED)
        file = saved.file
        if not saved.has_sidecar:
            file, flaw = await self._examined(file)
            problem = f"{problem} {flaw}".strip()
            try:
                await self._stores.holding(file).write_sidecar(file, sidecar(intent, self._gateway))
            except Exception as error:  # the image is safe, and that must be noted whatever is wrong with its sidecar
                problem = f"{problem} {_NO_SIDECAR}: {_in_words(error).message}".lstrip()
        row = await self._journal.image_stored(replace(image, state=ImageState.STORED, file=file, problem=problem))
        self._runtime.at_crash_point(CrashPoint.IMAGE_NOTED)
        return row

    async def _examined(self, file: StoredFile) -> tuple[StoredFile, str]:
        """With what its pixels say. The image is safe, whatever goes wrong here."""
        from darkroom.outputs.appearance import examined

        try:
            return await examined(file, self._stores.holding(file))
        except Exception as error:
            is_drawing = file.mime_type == "image/svg+xml"
            return file, f"{_NO_PNG}: {_in_words(error).message}" if is_drawing else ""

    async def _note(self, intent: Intent, image: StoredImage, error: OutputError) -> None:
        """Note a passing fault while the link lives; with any other the image is refused or lost."""
        level = logging.DEBUG if image.problem == error.message else logging.WARNING  # what is new, once
        log.log(level, "image %d of %s: %s", image.index + 1, image.prediction_id, error)
        looks_dead = self._looks_dead(image, error)
        state = ImageState.EXPIRED if error.can_retry else ImageState.REFUSED
        if error.can_retry and not looks_dead and not self._is_past_lifetime(intent, image):
            state = ImageState.WANTED
        elif saved := await self._stores.found(_name(intent, image), intent.output_place):
            why = "" if error.message.startswith(DAMAGED) else f" {error.message}"
            words = f"{DAMAGED} ({saved.file.size_bytes:,} bytes came), and no more is to be had.{why}"
            await self._note_saved(intent, image, saved, "" if saved.is_whole else words)
            return
        await self._journal.image_problem(image.prediction_id, image.index, state, error.message)

    def _looks_dead(self, image: StoredImage, error: OutputError) -> bool:
        """Whether the link was looked for often enough, one look after the other, over long enough."""
        key = (image.prediction_id, image.index)
        if not isinstance(error, OutputExpired):
            self._dead_looks.pop(key, None)
            return False
        looks = [*self._dead_looks.pop(key, ()), self._runtime.monotonic()]
        if len(looks) >= _DEAD_LOOKS and looks[-1] - looks[0] >= _DEAD_FOR_S:
            return True
        self._dead_looks[key] = looks
        return False

    def _is_past_lifetime(self, intent: Intent, image: StoredImage) -> bool:
        """By the gateway's time, and by ours since the prediction was seen to end: our clock may be hours ahead."""
        now = self._runtime.clock()
        is_past = image.expires_at is None or now > image.expires_at.timestamp()
        return is_past and now - (intent.ended_at or 0.0) > self._gateway.link_lifetime_s

    def _is_last_chance(self, image: StoredImage) -> bool:
        return image.expires_at is not None and image.expires_at.timestamp() - self._runtime.clock() < _LAST_CHANCE_S


def sidecar(intent: Intent, gateway: Gateway) -> dict[str, JsonValue]:
    """What is written beside each image: how to make it again, and what it took. Times RFC 3339, durations seconds."""
    prediction = intent.prediction
    metrics = prediction.metrics if prediction else None
    return {
        "prompt": intent.request.get("prompt", ""),
        "model": intent.model,
        "version": intent.version,
        "seed": intent.seed,
        "request": masked_secrets(intent.request),
        "input": masked_secrets(intent.input),
        "images_read": [asdict(each) for each in intent.images_read],
        "prediction_id": intent.prediction_id,
        "gateway": gateway.name,
        "is_sandbox": gateway.is_sandbox,
        "created_at": prediction.created_at.isoformat() if prediction and prediction.created_at else None,
        "predict_s": metrics.predict_s if metrics else None,
        "total_s": metrics.total_s if metrics else None,
        "price_usd": 0.0 if gateway.is_sandbox else intent.estimate_usd,
        "cost_usd": intent.cost_usd,
        "cost_basis": intent.charge.basis.value,
        "cost_doubt": intent.cost_note,
    }


def _name(intent: Intent, image: StoredImage) -> ImageName:
    """Of a row that was looked up by its id, the prediction's own input tells the prompt."""
    echoed = intent.prediction.input if intent.prediction else {}
    prompt = intent.request.get("prompt") or echoed.get("prompt") or ""
    return ImageName(prediction_id=image.prediction_id, index=image.index, prompt=str(prompt)[:400], model=intent.model)


def _in_words(error: Exception) -> OutputError:
    if isinstance(error, OutputError):
        return error
    if isinstance(error, DarkroomError):
        return OutputError(error.message, can_retry=True)
    log.error("while an image was saved", exc_info=error)
    return OutputError(f"Darkroom itself broke while it was saved ({type(error).__name__}).", can_retry=True)
