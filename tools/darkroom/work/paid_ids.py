"""A second place for the ids of paid predictions, for the moments in which the journal cannot be written.

One small file for each, beside the journal, on the disk before anything else happens; taken up at the next start.
"""

import json
import logging
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from anyio import to_thread

from darkroom.errors import UnknownPrediction
from darkroom.file_systems import write_whole
from darkroom.journal import Intent, Journal, Look, NewIntent
from darkroom.predictions import Prediction

log = logging.getLogger(__name__)

_PREFIX = "paid-"
KEPT_IDS = f"{_PREFIX}*.json"  # their names
# Beside the id, what is needed to find the prediction again, also where its row is lost.
_FACTS = ("key", "gateway", "origin", "account", "output_place", "model")


class PaidIds:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[str] = set()

    async def keep(self, intent: Intent, prediction_id: str) -> None:
        """Write it down; a disk that takes nothing at all is told in the log, with the id."""
        facts = {name: getattr(intent, name) for name in _FACTS}
        self._kept.add(intent.key)
        content = json.dumps({**facts, "prediction_id": prediction_id}).encode()
        try:
            await to_thread.run_sync(write_whole, self._path(intent.key), content)
        except OSError as error:
            log.error("the id of paid prediction %s could not be kept: %s", prediction_id, error)

    async def drop(self, key: str) -> None:
        """The journal has it now."""
        if key in self._kept:
            self._kept.discard(key)
            with suppress(OSError):
                await to_thread.run_sync(self._path(key).unlink)

    async def restore(self, journal: Journal, look: Look) -> None:
        """Write into the journal what earlier processes could not; a row that is lost is made anew."""
        found = await to_thread.run_sync(lambda: list(self._read()))
        self._kept |= {key for key, _, _ in found}
        for key, prediction, place in found:
            if await journal.find(key):
                await journal.mark_known(key, prediction, look)
            else:
                with suppress(UnknownPrediction):  # it stands in the row of somebody else of the team
                    await journal.record(prediction, look, adopting=place)
            await self.drop(key)

    def _path(self, key: str) -> Path:
        return self._folder / f"{_PREFIX}{key}.json"

    def _read(self) -> Iterator[tuple[str, Prediction, NewIntent]]:
        """The key of each, its prediction, and what its row needs to be made anew."""
        for path in sorted(self._folder.glob(KEPT_IDS)):
            try:
                facts = dict(json.loads(path.read_text(encoding="utf-8")))
                key, prediction = facts.pop("key"), Prediction(id=facts.pop("prediction_id"), model=facts["model"])
                yield key, prediction, NewIntent(input={}, **facts)
            except (OSError, ValueError, TypeError, KeyError) as error:
                log.error("'%s' names a paid prediction but cannot be read: %s", path, error)
