"""The place in which images are kept: a folder or a bucket, each image with a sidecar that says how it was made.

An image is looked for before it gets its name, and a name is never given twice. So saving it again, or after a crash at
any line, or for a row that knows less of it, ends with the same one file.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, suppress
from dataclasses import asdict, replace
from functools import partial
from typing import NamedTuple

import anyio
from pydantic import JsonValue

from darkroom.errors import OutputError
from darkroom.images import MAX_IMAGE_BYTES, StoredFile
from darkroom.outputs.cloud import CloudDraft, CloudTarget
from darkroom.outputs.formats import (
    EXTENSIONS,
    HEAD_BYTES,
    describe,
    may_be_transparent,
    may_become_image,
    pixel_size,
    sniff,
)
from darkroom.outputs.local import LocalDraft, LocalTarget
from darkroom.outputs.naming import ImageName
from darkroom.outputs.whole import is_whole

# As much of an image is held in memory; more goes to its draft piece by piece.
_MOST_HELD = 8 * 1024 * 1024

# A flat place for files, and a file in it that has no name yet. Where the place refuses, their methods raise an
# OutputError that is worth another try. Both are asked within a `step` of the target.
Target = LocalTarget | CloudTarget
Draft = LocalDraft | CloudDraft


OnContent = Callable[[bytes, str], None]


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
        *,
        facts: Mapping[str, JsonValue] | None = None,
        on_content: OnContent = lambda content, sha256: None,
    ) -> Saved:
        """Stream one output into the place; with `facts` also its sidecar, where the header says all about the pixels.

        The type is told by the content. An image beyond any pixel limit is saved all the same (it gets no preview).
        `on_content` is told of all of its bytes, and their SHA-256 in hex, before they are written, unless they are
        too many to be held. What `chunks` raises passes through; nothing is left behind then.

        Raises: OutputError where the bytes are no image (for good), or cannot be written.
        """
        stream, step = _Stream(), self._target.step
        draft: Draft | None = None
        try:
            async for chunk in chunks:
                stream.take(chunk)
                if stream.held_bytes >= _MOST_HELD:
                    draft = draft or await step(self._target.draft)
                    await step(partial(draft.write, stream.given()))
            stream.end()
            content = stream.given()
            if draft:
                return await step(partial(self._saved, draft, content, stream, image, facts))
            on_content(content, stream.digest.hexdigest())
            return await step(partial(self._saved_at_once, content, stream, image, facts))
        finally:
            if draft:
                with anyio.CancelScope(shield=True):
                    await step(draft.aclose)

    async def found(self, image: ImageName) -> Saved | None:
        """What was saved of this image before, whether or not anybody noted it."""
        return await self._target.step(lambda: self._found(image))

    async def write_sidecar(self, file: StoredFile, facts: Mapping[str, JsonValue]) -> None:
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

    async def _saved_at_once(
        self, content: bytes, stream: "_Stream", image: ImageName, facts: Mapping[str, JsonValue] | None
    ) -> Saved:
        async with aclosing(await self._target.draft()) as draft:
            return await self._saved(draft, content, stream, image, facts)

    async def _saved(
        self,
        draft: Draft,
        content: bytes,
        stream: "_Stream",
        image: ImageName,
        facts: Mapping[str, JsonValue] | None,
    ) -> Saved:
        """With `content`, which ends it, and with its sidecar where all that belongs into that is known."""
        await draft.write(content)
        has_end = await draft.examine(lambda content: is_whole(content, stream.mime_type))
        new = Saved(self._file("", stream), has_end)
        is_known = has_end and new.file.is_transparent is not None
        saved = await self._publish(draft, image, new, facts if is_known else None)
        await draft.sync()
        return saved

    async def _found(self, image: ImageName) -> Saved | None:
        names = [self._target.file_name(image, f".{extension}") for extension in EXTENSIONS.values()]
        for name in await self._target.names_of(image) or names:
            if there := await self._there(name):
                return there
        return None

    async def _publish(
        self, draft: Draft, image: ImageName, new: Saved, facts: Mapping[str, JsonValue] | None
    ) -> Saved:
        """Under a name, unless the same image is there already, or more of one that is not whole either."""
        ending, sha256 = f".{EXTENSIONS[new.file.mime_type]}", new.file.sha256
        suffixes = ("", f"-{sha256[:8]}", f"-{sha256[:16]}")  # where another image has the plain name
        # Each twice: another process may be putting the same there in this moment.
        names = [self._target.file_name(image, suffix + ending) for suffix in suffixes for _ in range(2)]
        for name in (*await self._target.names_of(image), *names):
            there = await self._there(name)
            if there and (there.file.sha256 == sha256 or _is_more(there, new)):
                return there
            if there and not there.is_whole:
                await self._target.remove(name)
            if name.endswith(ending):
                file = replace(new.file, location=self._target.location(name))
                if saved := await self._named(draft, name, Saved(file, new.is_whole), facts):
                    return saved
        raise OutputError(f"Every name for '{names[0]}' in '{self.place}' is taken by another file.", can_retry=True)

    async def _named(self, draft: Draft, name: str, new: Saved, facts: Mapping[str, JsonValue] | None) -> Saved | None:
        """With its sidecar, as far as that can be written; None where the name is taken."""
        async with AsyncExitStack() as open_drafts:
            sidecar: Draft | None = None
            with suppress(OutputError, OSError):  # it is written anew by itself then, and whoever does so is told
                if facts is not None:
                    written = await open_drafts.enter_async_context(aclosing(await draft.beside()))
                    await written.write(self._sidecar(new.file, facts))
                    sidecar = written
            if not await draft.publish(name, new.file.mime_type):
                return None
            with suppress(OutputError, OSError):
                if sidecar:
                    await self._name_sidecar(sidecar, new.file)
                    return new._replace(has_sidecar=True)
            return new

    def _sidecar(self, file: StoredFile, facts: Mapping[str, JsonValue]) -> bytes:
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
        stream = _Stream()
        try:
            content = await self._target.read(name)
            stream.take(content)
            stream.end()
        except (OutputError, OSError):
            return None
        has_end = await self._target.computed(partial(is_whole, content, stream.mime_type))
        return Saved(self._file(name, stream), has_end)

    def _file(self, name: str, stream: "_Stream") -> StoredFile:
        width_px, height_px = pixel_size(bytes(stream.head), stream.mime_type).shown
        return StoredFile(
            location=self._target.location(name),
            mime_type=stream.mime_type,
            width_px=width_px,
            height_px=height_px,
            size_bytes=stream.size_bytes,
            sha256=stream.digest.hexdigest(),
            is_transparent=None if may_be_transparent(bytes(stream.head), stream.mime_type) else False,
        )

    async def _is_of(self, stem: str, file: StoredFile) -> bool:
        """Whether the sidecar that is there already describes this very image."""
        try:
            found = await self._target.read(f"{stem}.json")
        except (OutputError, OSError):
            return False
        return file.sha256.encode() in found


class _Stream:
    """What is known of an output while its bytes pass; `head` is its beginning, at most HEAD_BYTES."""

    def __init__(self) -> None:
        self.head = bytearray()
        self.size_bytes = self.held_bytes = 0
        self.mime_type = ""
        self.digest = hashlib.sha256()
        self._held: list[bytes] = []
        self._look_from_bytes = 0

    def take(self, chunk: bytes) -> None:
        """Raises: OutputError as soon as it can be no image."""
        self.digest.update(chunk)
        self.size_bytes += len(chunk)
        self.held_bytes += len(chunk)
        self._held.append(chunk)
        self.head += chunk[: HEAD_BYTES - len(self.head)]
        if not self.mime_type and self.size_bytes >= self._look_from_bytes:
            self._look()

    def given(self) -> bytes:
        """The bytes held by now, which are let go of."""
        held, self._held, self.held_bytes = self._held, [], 0
        return b"".join(held)

    def end(self) -> None:
        """Raises: OutputError where this is no image, worth another try where it may be the beginning of one."""
        if not self.mime_type:
            self._look()
        if not self.mime_type:
            raise OutputError(f"The link gave {describe(bytes(self.head))}, no whole image.", can_retry=True)

    def _look(self) -> None:
        """Tell the type. Where that takes more bytes, look again at twice as many: each look reads all of them."""
        head = bytes(self.head)
        self.mime_type = sniff(head) or ""
        if not self.mime_type and not may_become_image(head):
            raise OutputError(
                f"The link gave {describe(head)}, not an image; nothing was saved. get_prediction asks the link again."
            )
        self._look_from_bytes = max(64, 2 * self.size_bytes)


def _is_more(there: Saved, new: Saved) -> bool:
    """Whether a new file without its end has no more of the image than what is there."""
    return not new.is_whole and (there.is_whole or there.file.size_bytes >= new.file.size_bytes)
