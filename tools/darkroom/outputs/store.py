"""The output folder: where pictures come home to, each with a sidecar that says how it was made.

The name of a picture depends only on its prediction, so bringing it home twice, or again after a crash at any line, ends
with the same one file.
"""

import hashlib
import json
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import anyio
from pydantic import JsonValue

from darkroom.errors import OutputError, SettingsError
from darkroom.images import StoredFile
from darkroom.outputs.cloud import SCHEMES, CloudTarget
from darkroom.outputs.formats import EXTENSIONS, HEAD_BYTES, describe, pixel_size, sniff
from darkroom.outputs.local import LocalTarget
from darkroom.outputs.naming import picture_stem
from darkroom.uris import is_url

if TYPE_CHECKING:
    from hashlib import _Hash as HASH  # pyright: ignore[reportPrivateUsage]  # the type has no public name

log = logging.getLogger(__name__)

MAX_IMAGE_BYTES = 64 * 1024 * 1024
_WRITE_BYTES = 1024 * 1024


class Draft(Protocol):
    """A file that has no name yet. `publish` gives it one, and says False where that is taken."""

    async def write(self, data: bytes) -> None: ...
    async def publish(self, name: str, mime_type: str) -> bool: ...
    async def close(self) -> None: ...


class Target(Protocol):
    """A flat place for files. Every method raises OutputError, in words, where the place refuses."""

    @property
    def place(self) -> str: ...
    def location(self, name: str) -> str: ...
    def name_at(self, location: str) -> str | None: ...
    async def draft(self) -> Draft: ...
    async def read(self, name: str, limit_bytes: int) -> bytes: ...
    async def sha256(self, name: str, limit_bytes: int) -> str: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class BringHome:
    """Which output it is: number `index` (from 0) of a prediction; the prompt only lends words to the name."""

    prediction_id: str
    index: int
    prompt: str = ""


@dataclass(slots=True)
class _Arrival:
    """What is known of a stream so far; `head` is its beginning, at most HEAD_BYTES."""

    digest: "HASH"
    head: bytearray
    size_bytes: int = 0


class OutputStore:
    """Stores pictures in one target and reads them back."""

    def __init__(self, target: Target, *, max_bytes: int = MAX_IMAGE_BYTES) -> None:
        self._target = target
        self._max_bytes = max_bytes

    @property
    def place(self) -> str:
        """The folder's absolute path, or the URL of the bucket and prefix."""
        return self._target.place

    @property
    def folder(self) -> Path | None:
        """The folder on this machine, None for an object store."""
        return self._target.root if isinstance(self._target, LocalTarget) else None

    async def bring_home(
        self, job: BringHome, chunks: AsyncIterator[bytes], sidecar: Mapping[str, JsonValue]
    ) -> StoredFile:
        """Stream one output into the folder and write the sidecar, `sidecar` plus the facts of the file, beside it.

        The type is told by the content. A picture beyond any pixel limit is stored all the same (it gets no preview).
        What `chunks` raises passes through; nothing is left behind then.

        Raises: OutputError where the bytes are no picture, are too many, or cannot be written.
        """
        async with self._draft() as draft:
            arrival = await self._receive(draft, chunks)
            head = bytes(arrival.head)
            mime_type = sniff(head)
            if mime_type is None:
                raise OutputError(
                    f"Output {job.index + 1} of prediction '{job.prediction_id}' is not an image: the link gave "
                    f"{describe(head)} ({arrival.size_bytes:,} bytes). Nothing was saved for it."
                )
            sha256 = arrival.digest.hexdigest()
            stem = picture_stem(job.prompt, job.prediction_id, job.index)
            name = await self._publish(draft, stem, EXTENSIONS[mime_type], mime_type, sha256)
        width_px, height_px = pixel_size(head, mime_type).shown
        file = StoredFile(
            location=self._target.location(name),
            mime_type=mime_type,
            width_px=width_px,
            height_px=height_px,
            size_bytes=arrival.size_bytes,
            sha256=sha256,
        )
        await self._write_sidecar(name, file, sidecar)
        return file

    async def read(self, location: str, *, limit_bytes: int = MAX_IMAGE_BYTES) -> bytes:
        """The bytes of a picture that lies in this folder.

        Raises: OutputError where it lies elsewhere, is gone, is a link or is larger than the limit.
        """
        name = self._target.name_at(location)
        if name is None:
            raise OutputError(f"'{location}' does not lie in the output folder '{self.place}', so it is not read.")
        return await self._target.read(name, limit_bytes)

    async def check(self) -> None:
        """Find out if the folder can be written, leaving nothing in it (in an object store nothing is asked).

        Raises: OutputError that says why not.
        """
        async with self._draft() as draft:
            await draft.write(b"darkroom")

    @asynccontextmanager
    async def _draft(self) -> AsyncGenerator[Draft]:
        draft = await self._target.draft()
        try:
            yield draft
        finally:
            with anyio.CancelScope(shield=True):
                await draft.close()

    async def _receive(self, draft: Draft, chunks: AsyncIterator[bytes]) -> _Arrival:
        """Write the stream in pieces of a size that is worth a thread, hashing on the way."""
        arrival = _Arrival(hashlib.sha256(), bytearray())
        waiting = bytearray()
        async for chunk in chunks:
            arrival.size_bytes += len(chunk)
            if arrival.size_bytes > self._max_bytes:
                raise OutputError(f"The output is larger than {self._max_bytes:,} bytes; it was not saved.")
            arrival.head += chunk[: HEAD_BYTES - len(arrival.head)]
            waiting += chunk
            if len(waiting) >= _WRITE_BYTES:
                await _write(draft, arrival, waiting)
        await _write(draft, arrival, waiting)
        return arrival

    async def _publish(self, draft: Draft, stem: str, extension: str, mime_type: str, sha256: str) -> str:
        """The name under which the content now lies; the hash is added where another file has the plain name."""
        for suffix in ("", f"-{sha256[:8]}", f"-{sha256}"):
            name = f"{stem}{suffix}.{extension}"
            if await draft.publish(name, mime_type) or await self._target.sha256(name, self._max_bytes) == sha256:
                return name
        raise OutputError(f"Every name for '{stem}.{extension}' in '{self.place}' is taken by another file.")

    async def _write_sidecar(self, name: str, file: StoredFile, sidecar: Mapping[str, JsonValue]) -> None:
        """The picture is home already, so a sidecar that cannot be written is only told in the log."""
        content = _sidecar_bytes(name, file, sidecar)
        stem = name.rpartition(".")[0]
        try:
            async with self._draft() as draft:
                await draft.write(content)
                if not await draft.publish(f"{stem}.json", "application/json") and not await self._is_of(stem, file):
                    await draft.publish(f"{stem}-{file.sha256[:8]}.json", "application/json")
        except OutputError as error:
            log.warning("The sidecar of '%s' was not written: %s", name, error)

    async def _is_of(self, stem: str, file: StoredFile) -> bool:
        """Whether the sidecar that is there already describes this very picture."""
        try:
            found = await self._target.read(f"{stem}.json", self._max_bytes)
        except OutputError:
            return False
        return file.sha256.encode() in found


def open_target(spec: str) -> LocalTarget | CloudTarget:
    """The target that a value of DARKROOM_OUTPUT_DIR names; empty is `darkroom` in the user's pictures folder.

    Nothing is touched yet; a local folder is made at the first write.

    Raises: SettingsError naming the variable.
    """
    spec = spec.strip()
    if spec.startswith(SCHEMES):
        return CloudTarget.open(spec)
    if is_url(spec) or "\0" in spec:
        raise SettingsError(
            f"DARKROOM_OUTPUT_DIR '{spec[:100]}' is not a folder, s3://, gs:// or az:// address. Ask the user to mend it."
        )
    if spec:
        return LocalTarget(_home_expanded(spec))
    from platformdirs import user_pictures_path

    return LocalTarget(user_pictures_path() / "darkroom")


def _home_expanded(spec: str) -> Path:
    try:
        return Path(spec).expanduser()
    except RuntimeError as error:
        raise SettingsError(f"DARKROOM_OUTPUT_DIR '{spec}' names a home folder that is not known here.") from error


async def _write(draft: Draft, arrival: _Arrival, waiting: bytearray) -> None:
    if not waiting:
        return
    piece = bytes(waiting)
    waiting.clear()
    arrival.digest.update(piece)
    await draft.write(piece)


def _sidecar_bytes(name: str, file: StoredFile, sidecar: Mapping[str, JsonValue]) -> bytes:
    facts: dict[str, JsonValue] = {
        "name": name,
        "mime_type": file.mime_type,
        "width_px": file.width_px,
        "height_px": file.height_px,
        "size_bytes": file.size_bytes,
        "sha256": file.sha256,
    }
    text = json.dumps({**sidecar, "file": facts}, indent=2, ensure_ascii=False)
    return (text + "\n").encode("utf-8", "replace")
