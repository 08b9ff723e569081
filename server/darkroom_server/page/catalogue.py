"""All pictures, newest first, and what was spent: read from the journal, and from the folder what it does not know."""

import hashlib
import json
import os
import re
import stat
from pathlib import Path
from typing import cast

from anyio import to_thread
from pydantic import JsonValue

from darkroom.file_systems import BINARY, NO_FOLLOW, NO_WAIT
from darkroom.journal import Journal
from darkroom.reports.amounts import local
from darkroom.uris import is_url
from darkroom_server.page.pictures import Picture, picture_of, pictures_of

_MOST_AT_ONCE = 1_000
_MOST_STRAYS, _MOST_SIDECAR_BYTES = 20_000, 1_000_000
_ROW = re.compile(r"([0-9a-z]{26})-([1-9][0-9]{0,5})")


class Catalogue:
    """Every method raises JournalError where the journal cannot be read.

    `place` is a folder, or a bucket's URL, or "" where only the journal says what is there.
    """

    def __init__(self, journal: Journal, place: str = "") -> None:
        self._journal = journal
        self._folder = None if not place or is_url(place) else Path(place)
        self._strays: dict[str, Picture] = {}
        self._read: dict[tuple[str, int, int], Picture | None] = {}

    async def version(self) -> tuple[str, int]:
        """Another text where a picture or a sum has changed; how many pictures the journal knows."""
        totals = await self._journal.totals()
        return hashlib.sha256(repr(totals).encode()).hexdigest()[:16], totals.stored_count

    async def page(self, after: str, limit: int) -> tuple[list[Picture], str]:
        """The pictures of the next `limit` rows after the row of that key, and the key to go on with, "" at the end."""
        limit = min(max(limit, 1), _MOST_AT_ONCE)
        rows = await self._journal.history(limit, after)
        pictures = [picture for row in rows for picture in pictures_of(row)]
        return pictures, rows[-1].key if len(rows) == limit else ""

    async def strays(self) -> list[Picture]:
        """Images of the output folder with a sidecar that the journal does not know: another one made them."""
        if self._folder is None:
            return []
        known = await self._journal.lists.locations()
        folder = self._folder
        found = await to_thread.run_sync(lambda: self._scan(folder, known))
        self._strays = {picture.id: picture for picture in found}
        return found

    async def find(self, id: str) -> Picture | None:
        """The picture of that id, which one of the lists gave."""
        if stray := self._strays.get(id):
            return stray
        if not (row := _ROW.fullmatch(id)):
            return None
        intent = await self._journal.find(row[1])
        return next((each for each in pictures_of(intent) if each.id == id), None) if intent else None

    async def spending(self) -> list[list[JsonValue]]:
        """Day (YYYY-MM-DD, the person's), model, creates, US dollars charged, US dollars that may still be charged."""
        spent = await self._journal.lists.spent()
        day_of = {at: local(at).date().isoformat() for at in {part.at for part in spent}}
        days: dict[tuple[str, str], list[float]] = {}
        for part in spent:
            sums = days.setdefault((day_of[part.at], part.model), [0, 0.0, 0.0])
            for place, value in enumerate((part.creates, part.known_usd, part.open_usd)):
                sums[place] += value
        return [[day, model, int(count), known, may] for (day, model), (count, known, may) in sorted(days.items())]

    def _scan(self, folder: Path, known: frozenset[str]) -> list[Picture]:
        try:
            names = {entry.name: entry for entry in os.scandir(folder)}
        except OSError:
            return []
        paths = {str(folder / name) for name in names} & known
        stems = {Path(path).stem for path in paths}
        sidecars = [name for name in names if name.endswith(".json") and not name.startswith(".")]
        unknown = sorted(name for name in sidecars if name[:-5] not in stems)[:_MOST_STRAYS]
        found = [self._stray(folder, names[name]) for name in unknown]
        there = [each for each in found if each and Path(each.file.location).name in names]
        return [each for each in there if each.file.location not in known]

    def _stray(self, folder: Path, entry: "os.DirEntry[str]") -> Picture | None:
        """Read once, as long as the file stays as it is."""
        try:
            about = entry.stat(follow_symlinks=False)
            seen = (entry.name, about.st_mtime_ns, about.st_size)
            if seen not in self._read:
                self._read[seen] = _read_sidecar(folder, entry.name)
            return self._read[seen]
        except OSError:
            return None


def _read_sidecar(folder: Path, name: str) -> Picture | None:
    """Raises: OSError where it is a link or cannot be read."""
    with os.fdopen(os.open(folder / name, os.O_RDONLY | NO_FOLLOW | NO_WAIT | BINARY), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            return None
        content = file.read(_MOST_SIDECAR_BYTES + 1)
    try:
        told = json.loads(content) if len(content) <= _MOST_SIDECAR_BYTES else None
    except (ValueError, RecursionError):
        return None
    id = f"file-{hashlib.sha256(name.encode('utf-8', 'surrogateescape')).hexdigest()[:24]}"
    return picture_of(cast("dict[str, JsonValue]", told), folder, id) if isinstance(told, dict) else None
