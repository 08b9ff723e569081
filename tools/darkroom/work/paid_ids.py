"""A second place for the ids of paid predictions, for the moments in which the journal cannot be written.

One small file for each, beside the journal, on the disk before anything else happens; taken up at the next start.
"""

import json
import logging
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from anyio import to_thread

from darkroom.journal import Intent

log = logging.getLogger(__name__)

_PREFIX = "paid-"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaidId:
    """What is needed to find a prediction again, also where its row is lost."""

    key: str
    prediction_id: str
    gateway: str
    origin: str
    account: str
    output_place: str
    model: str


class PaidIds:
    """The files of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: set[str] = set()

    async def keep(self, intent: Intent, prediction_id: str) -> None:
        """Write it down; a disk that takes nothing at all is told in the log, with the id."""
        paid = PaidId(
            key=intent.key,
            prediction_id=prediction_id,
            gateway=intent.gateway,
            origin=intent.origin,
            account=intent.account,
            output_place=intent.output_place,
            model=intent.model,
        )
        self._kept.add(intent.key)
        try:
            await to_thread.run_sync(self._write, paid)
        except OSError as error:
            log.error("the id of paid prediction %s could not be kept: %s", prediction_id, error)

    async def drop(self, key: str) -> None:
        """The journal has it now."""
        if key in self._kept:
            self._kept.discard(key)
            with suppress(OSError):
                await to_thread.run_sync(self._path(key).unlink)

    async def kept(self) -> list[PaidId]:
        """What earlier processes could not write into the journal."""
        found = await to_thread.run_sync(lambda: list(self._read()))
        self._kept |= {paid.key for paid in found}
        return found

    def _path(self, key: str) -> Path:
        return self._folder / f"{_PREFIX}{key}.json"

    def _write(self, paid: PaidId) -> None:
        path = self._path(paid.key)
        part = path.with_suffix(".part")
        with open(part, "w", encoding="utf-8", opener=_private) as file:
            json.dump(asdict(paid), file)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        if os.name == "posix":
            folder_fd = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(folder_fd)
            finally:
                os.close(folder_fd)

    def _read(self) -> Iterator[PaidId]:
        for path in sorted(self._folder.glob(f"{_PREFIX}*.json")):
            try:
                yield PaidId(**json.loads(path.read_text(encoding="utf-8")))
            except (OSError, ValueError, TypeError) as error:
                log.error("'%s' names a paid prediction but cannot be read: %s", path, error)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
