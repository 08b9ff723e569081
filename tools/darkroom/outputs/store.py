"""The place in which images are kept: a folder or a bucket, each image with a sidecar that says how it was made.

An image is looked for before it gets its name, and a name is never given twice. So saving it again, or after a crash at
any line, or for a row that knows less of it, ends with the same one file.
"""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import asdict, replace
from functools import partial
from itertools import chain
from typing import NamedTuple

import anyio

from darkroom.errors import OutputError
from darkroom.images import MAX_IMAGE_BYTES, StoredFile
from darkroom.outputs.cloud import CloudDraft, CloudTarget
from darkroom.outputs.formats import EXTENSIONS
from darkroom.outputs.incoming import Facts, Incoming
from darkroom.outputs.local import LocalDraft, LocalTarget
from darkroom.outputs.naming import ImageName
from darkroom.outputs.whole import is_whole

# As much of an image is held in memory; more goes to its draft piece by piece.
_MOST_HELD = 8 * 1024 * 1024

# A flat place for files, and a file in it that has no name yet. Where the place refuses, their methods raise an
# OutputError that is worth another try. Both are asked within a `step` of the target.
Target = LocalTarget | CloudTarget
Draft = LocalDraft | CloudDraft


class Saved(NamedTuple):
    """A file that lies in its place. One that is not whole is replaced by the next that has more of the image.

    `has_sidecar`: it was written along with it, and is as safe.
    """

    file: StoredFile
    is_whole: bool
    has_sidecar: bool = False


class OutputStore:
    """Saves images in one place and reads them back; `place` is the folder's absolute path, or the bucket's URL."""

    def __init__(self, target: Target) -> None:
        self.place = target.place
        self._target = target
        self._checked_bytes, self._checked_until_s = 0, 0.0

    async def check(self, *, expected_bytes: int = MAX_IMAGE_BYTES) -> None:
        """Find out if that much can be saved now, leaving nothing behind. A good answer holds for a few seconds.

        Raises: OutputError that says why not, and what the person can do.
        """
        if anyio.current_time() < self._checked_until_s and expected_bytes <= self._checked_bytes:
            return
        await self._target.step(lambda: self._target.check(expected_bytes))
        self._checked_bytes = expected_bytes
        self._checked_until_s = anyio.current_time() + self._target.check_lasts_s

    async def save(
        self,
        image: ImageName,
        chunks: AsyncIterator[bytes],
        facts: Callable[[], Facts] | None = None,
        on_content: Callable[[bytes, str], None] = lambda content, sha256: None,
    ) -> Saved:
        """Stream one output into the place; with `facts` its sidecar too, where the header says all about the pixels.

        The type is told by the content. An image beyond any pixel limit is saved all the same (it gets no preview).
        `on_content` is told all of its bytes, and their SHA-256 in hex, before they are written, unless they are too
        many to be held. What `chunks` raises passes through; nothing is left behind then.

        Raises: OutputError where the bytes are no image (for good), or cannot be written.
        """
        incoming, step = Incoming(image, facts), self._target.step
        draft: Draft | None = None
        try:
            async for chunk in chunks:
                incoming.take(chunk)
                if incoming.held_bytes >= _MOST_HELD:
                    draft = draft or await step(self._target.draft)
                    await step(partial(draft.write, incoming.given()))
            incoming.end()
            if draft is None:
                on_content(incoming.held(), incoming.sha256)
            return await step(partial(self._saved, incoming, draft))
        finally:
            if draft:
                with anyio.CancelScope(shield=True):
                    await step(draft.aclose)

    async def found(self, image: ImageName) -> Saved | None:
        """What was saved of this image before, whether or not anybody noted it."""
        return await self._target.step(lambda: self._found(image))

    async def write_sidecar(self, file: StoredFile, facts: Facts) -> None:
        """Write `facts` and those of the file beside it, readable for its owner alone, unless that was done before.

        Raises: OutputError where it cannot be written; the image is safe all the same.
        """

        async def record() -> None:
            async with aclosing(await self._target.draft(is_private=True)) as draft:
                await draft.write(self._sidecar(file, facts))
                await self._name_sidecar(draft, file)
                await draft.sync()

        await self._target.step(record)

    async def sidecar_of(self, file: StoredFile) -> str:
        """Where the sidecar of this very image lies, "" where there is none that can be read."""
        stem = self._stem(file)
        for name in (stem, f"{stem}-{file.sha256[:8]}") if stem else ():
            if await self._target.step(partial(self._is_of, name, file)):
                return self._target.location(f"{name}.json")
        return ""

    async def save_beside(self, file: StoredFile, ending: str, content: bytes, mime_type: str) -> str:
        """Save what was made of an image beside it, unless that was done before; gives its location.

        Raises: OutputError where it cannot be written; the image is safe all the same.
        """
        name = self._stem(file) + ending

        async def put() -> None:
            async with aclosing(await self._target.draft()) as draft:
                await draft.write(content)
                await draft.publish(name, mime_type)
                await draft.sync()

        await self._target.step(put)
        return self._target.location(name)

    async def read(self, file: StoredFile) -> bytes:
        """The bytes of an image that lies directly in this place.

        Raises: OutputError where it lies elsewhere, is gone, is a link or is larger than MAX_IMAGE_BYTES.
        """
        name = self._target.name_at(file.location)
        if name is None:
            raise OutputError(f"'{file.location}' does not lie in the output folder '{self.place}', so it is not read.")
        return await self._target.step(lambda: self._target.read(name))

    async def link(self, location: str, lifetime_s: int) -> str:
        """A link by which everybody reaches a file of this place for so long; "" where the place gives none."""
        name = self._target.name_at(location)
        return await self._target.link(name, lifetime_s) if name else ""

    # From here on: within a step of the target.

    async def _saved(self, incoming: Incoming, draft: Draft | None) -> Saved:
        """With its rest, and with its sidecar where all that belongs into that is known."""
        async with AsyncExitStack() as opened:
            draft = draft or await opened.enter_async_context(aclosing(await self._target.draft()))
            await draft.write(incoming.given())
            has_end = await draft.examine(lambda content: is_whole(content, incoming.mime_type))
            saved = await self._publish(draft, incoming, Saved(incoming.file(""), has_end))
            await draft.sync()
            return saved

    async def _found(self, image: ImageName) -> Saved | None:
        names = [self._target.file_name(image, f".{extension}") for extension in EXTENSIONS.values()]
        for name in await self._target.names_of(image) or names:
            if there := await self._there(name):
                return there
        return None

    async def _publish(self, draft: Draft, incoming: Incoming, new: Saved) -> Saved:
        """Under a name, unless the same image is there already, or more of one that is not whole either."""
        image, ending, sha256 = incoming.name, f".{EXTENSIONS[new.file.mime_type]}", new.file.sha256
        suffixes = ("", f"-{sha256[:8]}", f"-{sha256[:16]}")  # where another image has the plain name
        # Each twice: another process may be putting the same there in this moment.
        names = (self._target.file_name(image, suffix + ending) for suffix in suffixes for _ in range(2))
        for name in chain(await self._target.names_of(image), names):
            there = await self._there(name)
            if there and (there.file.sha256 == sha256 or _is_more(there, new)):
                return there
            if there and not there.is_whole:
                await self._target.remove(name)
            named = Saved(replace(new.file, location=self._target.location(name)), new.is_whole)
            if name.endswith(ending) and (saved := await self._named(draft, name, named, incoming.facts)):
                return saved
        plain = self._target.file_name(image, ending)
        raise OutputError(f"Every name for '{plain}' in '{self.place}' is taken by another file.", can_retry=True)

    async def _named(self, draft: Draft, name: str, new: Saved, facts: Callable[[], Facts] | None) -> Saved | None:
        """With its sidecar, as far as that can be written; None where the name is taken."""
        sidecar: Draft | None = None
        async with AsyncExitStack() as opened:
            # An image is safe whatever is wrong with its sidecar; who writes that later is told.
            with suppress(Exception):
                if facts is not None and new.is_whole and new.file.is_transparent is not None:
                    beside = await opened.enter_async_context(aclosing(await draft.beside()))
                    await beside.write(self._sidecar(new.file, facts()))
                    sidecar = beside
            if not await draft.publish(name, new.file.mime_type):
                return None
            with suppress(OutputError, OSError):
                if sidecar:
                    await self._name_sidecar(sidecar, new.file)
                    return new._replace(has_sidecar=True)
            return new

    def _sidecar(self, file: StoredFile, facts: Facts) -> bytes:
        about = {"name": self._target.name_at(file.location) or "", **asdict(file)}
        for unwritten in ("location", "link", "raster_link"):
            del about[unwritten]
        text = json.dumps({**facts, "file": about}, indent=2, ensure_ascii=False)
        return f"{text}\n".encode("utf-8", "replace")

    async def _name_sidecar(self, draft: Draft, file: StoredFile) -> None:
        stem = self._stem(file)
        if not await draft.publish(f"{stem}.json", "application/json") and not await self._is_of(stem, file):
            await draft.publish(f"{stem}-{file.sha256[:8]}.json", "application/json")

    def _stem(self, file: StoredFile) -> str:
        """Its name without its ending, "" where it lies elsewhere."""
        return (self._target.name_at(file.location) or "").rpartition(".")[0]

    async def _there(self, name: str) -> Saved | None:
        """The image under this name, None where there is none."""
        found = Incoming(ImageName(prediction_id="", index=0))
        try:
            content = await self._target.read(name)
            found.take(content)
            found.end()
        except (OutputError, OSError):
            return None
        has_end = await self._target.computed(lambda: is_whole(content, found.mime_type))
        return Saved(found.file(self._target.location(name)), has_end)

    async def _is_of(self, stem: str, file: StoredFile) -> bool:
        """Whether the sidecar that is there already describes this very image."""
        try:
            found = await self._target.read(f"{stem}.json")
        except (OutputError, OSError):
            return False
        return file.sha256.encode() in found


def _is_more(there: Saved, new: Saved) -> bool:
    """Whether a new file without its end has no more of the image than what is there."""
    return not new.is_whole and (there.is_whole or there.file.size_bytes >= new.file.size_bytes)
