"""Image references of the assistant -> what the gateway accepts, before anything is sent to a model.

    https://...                     passed on unfetched
    data:image/png;base64,...       checked by content, as the next two are
    prediction:ID  prediction:ID/2  an earlier output, numbered from 1
    upload:ID                       a picture that the person has put in by hand
    /path  ~/path  file:///path     a file of this machine

What is read here is freed of metadata, and sent inside the request where it is small, through the gateway's files API
where it is large.
"""

import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from anyio import CapacityLimiter, create_task_group, to_thread
from pydantic import JsonValue

from darkroom.errors import OutputError
from darkroom.gateways.guard import is_public_name
from darkroom.images import ImageState, ReadImage, StoredFile, StoredImage
from darkroom.outputs.input_images import (
    INLINE_LIMIT_BYTES,
    MAX_INPUT_BYTES,
    InputImage,
    Position,
    check_image,
    check_mask_size,
    file_name,
    prepared,
    shrunk,
)
from darkroom.outputs.local_files import quotable, read_local
from darkroom.registry import MappedInput
from darkroom.uris import data_uri, decode_data_uri, host_of, is_loopback_url, scheme_of

_AT_ONCE = 4
_EARLIER = re.compile(r"prediction:([A-Za-z0-9_~-]{1,70})(?:/([1-9]\d{0,2}))?")


class _Unusable(Exception):
    """A reference cannot be used; the message says what is allowed, in one or two sentences."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The input with every image reference replaced, what was read for that, and what the person should know."""

    input: dict[str, JsonValue]
    notes: tuple[str, ...] = ()
    read: tuple[ReadImage, ...] = ()


class _Sent(NamedTuple):
    """What stands in the input in place of one reference, the notes about it, and what was read for it, if anything."""

    value: JsonValue
    notes: tuple[str, ...] = ()
    read: tuple[ReadImage, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InputResolver:
    """What may be read, and the ways to read and send it.

    `read` gives the bytes of a file that the journal holds; `lookup` output number `index` (from 0) of a prediction,
    None where it is not known; `uploaded` what the person has put in under an id, blocking on the disk. `folders` are
    the ones from which paths are read, none to refuse all paths. `upload(content, name, mime_type)` gives a
    URL, None where the gateway has no files API. `fetch` gets a URL through a guarded client; only a mask that must be
    inverted needs it. `meant` gives 'prediction:ID/N' for an own link to it, else the reference as it is. `is_far`: the
    gateway is on the internet, so that it reaches no host of a private network.
    """

    read: Callable[[StoredFile], Awaitable[bytes]]
    lookup: Callable[[str, int], Awaitable[StoredImage | None]]
    uploaded: Callable[[str], bytes | None] = lambda id: None
    meant: Callable[[str], str] = str
    folders: Sequence[Path] = ()
    upload: Callable[[bytes, str, str], Awaitable[str]] | None = None
    fetch: Callable[[str], Awaitable[bytes]] | None = None
    allow_loopback_http: bool = False
    is_far: bool = False
    keep_metadata: bool = False
    max_bytes: int = MAX_INPUT_BYTES

    async def resolve(self, mapped: MappedInput) -> Resolved:
        """Replace the references in `mapped.file_fields`; the notes are new ones, those of `mapped` are not repeated.

        Raises: InvalidInput; GatewayError where an upload failed. Nothing was created then.
        """
        given = {name: mapped.input[name] for name in mapped.file_fields if name in mapped.input}
        sent = {key: _Sent(reference) for key, reference in _references(mapped).items()}
        limiter = CapacityLimiter(_AT_ONCE)

        async def send(name: str, number: int, reference: str) -> None:
            async with limiter:
                sent[name, number] = await self._send(reference, _position(mapped, name, number))

        try:
            async with create_task_group() as tasks:
                for key, each in sent.items():
                    if isinstance(each.value, str):
                        tasks.start_soon(send, *key, each.value)
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        values = {
            name: [sent[name, number].value for number in range(len(value))]
            if isinstance(value, list)
            else sent[name, 0].value
            for name, value in given.items()
        }
        notes = dict.fromkeys(note for each in sent.values() for note in each.notes)
        read = (image for each in sent.values() for image in each.read)
        return Resolved(input={**mapped.input, **values}, notes=tuple(notes), read=tuple(dict.fromkeys(read)))

    async def look_at(self, mapped: MappedInput) -> tuple[ReadImage, ...]:
        """What can be read here, in order; nothing is sent. Raises: InvalidInput."""
        return tuple([self._read_image(*each) async for each in self._readable(mapped)])

    def check_mask(self, mapped: MappedInput, sizes: Mapping[str, tuple[int, int]]) -> None:
        """`sizes`: pixels by reference. Raises: InvalidInput for a mask whose shape is not `mapped.mask_size`."""
        for (name, number), reference in _references(mapped).items():
            if name == mapped.mask_field and isinstance(reference, str) and reference in sizes:
                check_mask_size(sizes[reference], _position(mapped, name, number))

    async def try_out(self, mapped: MappedInput) -> tuple[str, ...]:
        """Do all that `resolve` does with what can be read here, up to the sending; the notes. Raises: InvalidInput."""
        notes: list[str] = []
        async for _, content, position in self._readable(mapped):
            limit_bytes, keep_metadata = self.max_bytes, self.keep_metadata
            notes += (await prepared(content, position, limit_bytes=limit_bytes, keep_metadata=keep_metadata)).notes
        return tuple(dict.fromkeys(notes))

    def _read_image(self, reference: str, content: bytes, position: Position) -> ReadImage:
        image = check_image(content, position, limit_bytes=self.max_bytes)
        return ReadImage(
            given=reference,
            sha256=hashlib.sha256(content).hexdigest(),
            width_px=image.width_px,
            height_px=image.height_px,
        )

    async def _readable(self, mapped: MappedInput) -> AsyncIterator[tuple[str, bytes, Position]]:
        """The content of each reference that is no URL. Raises: InvalidInput, also for a URL that would not be sent."""
        for (name, number), reference in _references(mapped).items():
            if isinstance(reference, str):
                position = _position(mapped, name, number)
                if scheme_of(self.meant(reference)) in ("http", "https"):
                    position = replace(position, is_inverted=False)  # else it would be fetched
                content = await self._loaded(reference, position)
                if not isinstance(content, str):
                    yield reference, content, position

    async def _send(self, text: str, position: Position) -> "_Sent":
        found = await self._loaded(text, position)
        if isinstance(found, str):
            return _Sent(found)
        read = self._read_image(text, found, position)
        image = await prepared(found, position, limit_bytes=self.max_bytes, keep_metadata=self.keep_metadata)
        return _Sent(*await self._deliver(image, position), (read,))

    async def _loaded(self, text: str, position: Position) -> bytes | str:
        """As `_load`. Raises: InvalidInput."""
        try:
            return await self._load(self.meant(text), position)
        except (_Unusable, OutputError) as error:
            raise position.refused(f"'{quotable(text)}': {error}") from error

    async def _load(self, text: str, position: Position) -> bytes | str:
        """The bytes that a reference means, or the URL that is passed on as it is.

        Raises: _Unusable or OutputError, in this method and those that it calls.
        """
        match scheme_of(text):
            case "data" | "http" | "https":
                found = self._from_uri(text)
            case "prediction":
                found = await self._earlier(text)
            case "upload":
                found = await to_thread.run_sync(self._from_person, text)
            case "" | "file":
                found = await to_thread.run_sync(self._read_local, text, position)
            case scheme:
                allowed = "Give an https URL, a data URI, a path, 'prediction:ID' or 'upload:ID'."
                raise _Unusable(f"'{scheme}:' is not taken. {allowed}")
        return await self._fetch(found) if isinstance(found, str) and position.is_inverted else found

    def _from_uri(self, uri: str) -> bytes | str:
        """The content of a data URI, or the URL that was checked."""
        if scheme_of(uri) == "data":
            try:
                return decode_data_uri(uri, limit_bytes=self.max_bytes)[1]
            except ValueError as error:
                raise _Unusable(str(error)) from error
        if not uri.isprintable() or " " in uri:
            raise _Unusable("a URL cannot hold spaces or control characters.")
        if not host_of(uri):
            raise _Unusable("the URL has no host, or one that cannot be read.")
        if self.is_far and not is_public_name(host_of(uri)):
            words = f"'{quotable(host_of(uri), 60)}' is this computer or lies in a private network, where the gateway"
            raise _Unusable(f"{words} cannot fetch it. Give the path of the file, or an https URL of the internet.")
        if scheme_of(uri) == "http" and not (self.allow_loopback_http and is_loopback_url(uri)):
            raise _Unusable("only https URLs are taken, not http.")
        return uri

    def _read_local(self, path: str, position: Position) -> bytes:
        return read_local(path, self.folders, field=position.field, label=position.label, limit_bytes=self.max_bytes)

    def _from_person(self, text: str) -> bytes:
        content = self.uploaded(text.partition(":")[2].strip())
        if content is None:
            raise _Unusable("no such picture is kept; one that is added lives for a day. Ask the user to add it again.")
        return content

    async def _fetch(self, url: str) -> bytes:
        """Only a mask whose pixels must be turned is fetched."""
        if self.fetch is None:
            raise _Unusable("this model wants the mask inverted, so give it as a file or data URI, not as a URL.")
        try:
            return await self.fetch(url)
        except OutputError as error:
            raise _Unusable(f"the mask must be inverted for this model and cannot be fetched. {error}") from error

    async def _earlier(self, text: str) -> bytes | str:
        """The saved file, which outlives its link; while it is not saved yet, the link."""
        named = _EARLIER.fullmatch(text)
        if not named:
            raise _Unusable("an earlier image is given as 'prediction:ID', or 'prediction:ID/2' for its second image.")
        if named[1].lower() == "latest":
            words = "'latest' could be another picture by the time of a retry, or one of another conversation."
            raise _Unusable(f"{words} Give the id: get_prediction(id='latest') shows it.")
        number = int(named[2] or 1)
        image = await self.lookup(named[1], number - 1)
        if image is None:
            raise _Unusable(f"no image {number} of a prediction '{named[1]}' is known here.")
        if image.file:
            return await self.read(image.file)
        if image.state is ImageState.EXPIRED:
            raise _Unusable("its link died before it was saved.")
        if scheme_of(image.url) in ("data", "http", "https"):
            with suppress(_Unusable):
                return self._from_uri(image.url)
        raise _Unusable("it is not saved yet. Call get_prediction for it, then try again.")

    async def _deliver(self, image: InputImage, position: Position) -> tuple[str, tuple[str, ...]]:
        """Inside the request, through the files API, or shrunk until it fits inside."""
        if len(image.content) > INLINE_LIMIT_BYTES:
            if self.upload:
                return await self.upload(image.content, file_name(image, position), image.mime_type), image.notes
            image = await shrunk(image, position)
        return data_uri(image.mime_type, image.content), image.notes


def _references(mapped: MappedInput) -> dict[tuple[str, int], JsonValue]:
    """Every image reference by the input that holds it and its place there, from 0."""
    given = {name: mapped.input[name] for name in mapped.file_fields if name in mapped.input}
    return {
        (name, number): reference
        for name, value in given.items()
        for number, reference in enumerate(value if isinstance(value, list) else [value])
    }


def _position(mapped: MappedInput, name: str, number: int) -> Position:
    is_mask = name == mapped.mask_field
    label = f"{name}[{number}]" if isinstance(mapped.input[name], list) else name
    return Position(
        field="mask" if is_mask else name,
        label="mask" if is_mask else label,
        is_mask=is_mask,
        is_inverted=is_mask and mapped.invert_mask,
        must_keep_size=bool(mapped.mask_field),
        image_size=mapped.mask_size if is_mask else (0, 0),
    )
