"""Previews begun when an image's bytes are there, beside its way to the disk, and kept until an answer shows them."""

import logging
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from darkroom.images import StoredFile
from darkroom.outputs.decoders import decoders

if TYPE_CHECKING:
    from darkroom.outputs.decoding import Rendered

log = logging.getLogger(__name__)

_MOST_KEPT = 12  # a few answers; what nobody shows is dropped, oldest first


class _Begun:
    """One picture; `uses` counts the images that have these very bytes."""

    def __init__(self) -> None:
        self.uses = 0
        self.is_made = anyio.Event()
        self.made: Rendered | str | None = None


class EarlyPreviews:
    """`longest_px` is that of the answers; 0, or no tasks, where they show nothing, and then nothing is begun."""

    def __init__(self, longest_px: int = 0, tasks: anyio.abc.TaskGroup | None = None) -> None:
        self._longest_px = longest_px if tasks else 0
        self._tasks = tasks
        self._begun: dict[tuple[str, bool], _Begun] = {}

    def expect(self, count: int) -> None:
        """So many pictures will come at once: have decoders ready."""
        if self._tasks and self._longest_px:
            self._tasks.start_soon(decoders().warm, count)

    def begin(self, content: bytes, sha256: str, *, is_alone: bool) -> None:
        """Begin with all bytes of an image, which is shown alone or as one of several."""
        if not self._tasks or not self._longest_px:
            return
        key = (sha256, is_alone)
        if (begun := self._begun.get(key)) is None:
            begun = self._begun[key] = _Begun()
            self._tasks.start_soon(self._make, begun, content, is_alone)
        begun.uses += 1
        while len(self._begun) > _MOST_KEPT:
            del self._begun[next(iter(self._begun))]

    async def taken(self, file: StoredFile, longest_px: int, is_alone: bool) -> "Rendered | str | None":
        """What was begun for this file, alone or for a sheet, or why it cannot be shown; None where nothing was.

        It is given away once for each image.
        """
        key = (file.sha256, is_alone)
        begun = self._begun.get(key) if longest_px == self._longest_px else None
        if begun is None:
            return None
        begun.uses -= 1
        if begun.uses <= 0:
            del self._begun[key]
        await begun.is_made.wait()
        return begun.made

    async def _make(self, begun: _Begun, content: bytes, is_alone: bool) -> None:
        from darkroom.outputs.preview import shown_alone, shown_in_cell

        try:
            show = shown_alone if is_alone else shown_in_cell
            begun.made = await show(content, self._longest_px)
        except Exception:  # a fence: the answer makes its own preview then
            log.exception("a preview could not be begun")
        finally:
            begun.is_made.set()
