"""Descriptions on the disk, one small file each; a disk that takes none costs only questions."""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread

from darkroom.file_systems import write_whole
from darkroom.predictions import mapping_in, text_in

log = logging.getLogger(__name__)

_LARGEST_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was answered, and when (seconds since 1970)."""

    at: float
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one gateway. `whose` names its address and the account: another one's are not read."""

    folder: Path
    whose: str

    async def read(self, name: str) -> Kept | None:
        return await to_thread.run_sync(self._read, self.folder / f"{name}.json")

    async def write(self, name: str, kept: Kept) -> None:
        """Atomic; what is larger than 256 kB is not kept."""
        text = json.dumps({"at": kept.at, "whose": self.whose, "body": kept.body}, separators=(",", ":"))
        if len(text) > _LARGEST_BYTES:
            return
        try:
            await to_thread.run_sync(write_whole, self.folder / f"{name}.json", text.encode())
        except OSError as error:
            log.warning("the description '%s' could not be kept: %s", name, error)

    async def has_descriptions(self) -> bool:
        """Whether there is a file of any model."""
        return await to_thread.run_sync(lambda: any(self.folder.glob("*--*.json")))

    async def drop(self, name: str) -> None:
        await to_thread.run_sync(lambda: (self.folder / f"{name}.json").unlink(missing_ok=True))

    def _read(self, path: Path) -> Kept | None:
        try:
            if path.stat().st_size > _LARGEST_BYTES:
                return None
            facts = mapping_in(json.loads(path.read_text(encoding="utf-8"))) or {}
        except (OSError, ValueError, RecursionError):
            return None
        at, body = facts.get("at"), mapping_in(facts.get("body"))
        if text_in(facts.get("whose")) != self.whose or not isinstance(at, int | float) or body is None:
            return None
        return Kept(at=float(at), body=body)
