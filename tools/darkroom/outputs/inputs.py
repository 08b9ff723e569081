"""Image references of the assistant -> what the gateway accepts, before anything is sent to a model.

URLs are passed on unfetched. Everything else is read here, checked, freed of metadata, and sent inside the request
where it is small, through the gateway's files API where it is large.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from anyio import to_thread
from pydantic import JsonValue

from darkroom.errors import InvalidInput, OutputError
from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.outputs.input_images import (
    INLINE_LIMIT_BYTES,
    InputImage,
    Position,
    Uploader,
    check_image,
    file_name,
    inverted,
    shrunk,
    without_metadata,
)
from darkroom.outputs.local_files import quotable, read_local
from darkroom.outputs.references import EarlierImage, InlineImage, LocalImage, Reference, WebImage, parse_reference
from darkroom.registry import MappedInput
from darkroom.uris import data_uri

MAX_INPUT_BYTES = 20 * 1024 * 1024

Reader = Callable[[StoredFile], Awaitable[bytes]]
Lookup = Callable[[str, int], Awaitable[StoredImage | None]]
Fetcher = Callable[[str], Awaitable[bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The input with every image reference replaced, and what the person should know about it."""

    input: dict[str, JsonValue]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class InputResolver:
    """What may be read, and the ways to read and send it.

    `read` gives the bytes of a file that the journal holds; `lookup` output number `index` (from 0) of a prediction,
    None where it is not known. `folders` are the ones from which paths are read, none to refuse all paths.
    `upload(content, name, mime_type)` gives a URL, None where the gateway has no files API. `fetch` gets a URL through
    a guarded client; only a mask that must be inverted needs it.
    """

    read: Reader
    lookup: Lookup
    folders: Sequence[Path] = ()
    upload: Uploader | None = None
    fetch: Fetcher | None = None
    allow_loopback_http: bool = False
    keep_metadata: bool = False
    inline_limit_bytes: int = INLINE_LIMIT_BYTES
    max_bytes: int = MAX_INPUT_BYTES

    async def resolve(self, mapped: MappedInput) -> Resolved:
        """Replace the references in `mapped.file_fields`; the notes are new ones, those of `mapped` are not repeated.

        Raises: InvalidInput; GatewayError where an upload failed. Nothing was created then.
        """
        values = dict(mapped.input)
        notes: list[str] = []
        for name in mapped.file_fields:
            value = values.get(name)
            references = value if isinstance(value, list) else [value]
            sent: list[JsonValue] = []
            for number, reference in enumerate(references, 1):
                position = _position(mapped, name, number if isinstance(value, list) else 0)
                result, why = await self._send(reference, position) if isinstance(reference, str) else (reference, ())
                sent.append(result)
                notes += why
            values[name] = sent if isinstance(value, list) else sent[0]
        return Resolved(input=values, notes=tuple(dict.fromkeys(notes)))

    async def _send(self, text: str, position: Position) -> tuple[JsonValue, tuple[str, ...]]:
        """What stands in the input in place of one reference, and the notes about it."""
        found = await self._load(self._parse(text, position), text, position)
        if isinstance(found, str):
            return found, ()
        image = check_image(found, position, limit_bytes=self.max_bytes)
        if position.is_inverted:
            image = await inverted(image, position)
        elif not self.keep_metadata:
            image = await without_metadata(image, position)
        return await self._deliver(image, position)

    def _parse(self, text: str, position: Position) -> Reference:
        try:
            return parse_reference(text, limit_bytes=self.max_bytes, allow_loopback_http=self.allow_loopback_http)
        except ValueError as error:
            raise _refused(position, text, str(error)) from error

    async def _load(self, reference: Reference, text: str, position: Position) -> bytes | str:
        """The bytes that a reference means, or the URL that is passed on as it is."""
        match reference:
            case InlineImage(content):
                return content
            case LocalImage(path):
                return await to_thread.run_sync(self._read_local, path, position)
            case EarlierImage(prediction_id, index):
                return await self._earlier(prediction_id, index, text, position)
            case WebImage(url):
                return await self._fetch(url, text, position) if position.is_inverted else url

    def _read_local(self, path: str, position: Position) -> bytes:
        return read_local(path, self.folders, field=position.field, label=position.label, limit_bytes=self.max_bytes)

    async def _fetch(self, url: str, text: str, position: Position) -> bytes:
        """Only a mask whose pixels must be turned is fetched."""
        if self.fetch is None:
            raise _refused(
                position, text, "this model wants the mask inverted, so give it as a file or data URI, not as a URL."
            )
        try:
            return await self.fetch(url)
        except OutputError as error:
            raise _refused(
                position, text, f"the mask must be inverted for this model and cannot be fetched. {error}"
            ) from error

    async def _earlier(self, prediction_id: str, index: int, text: str, position: Position) -> bytes | str:
        """The saved file, which outlives its link; while it is not saved yet, the link."""
        image = await self.lookup(prediction_id, index)
        if image is None:
            raise _refused(position, text, f"no image {index + 1} of a prediction '{prediction_id}' is known here.")
        if image.file:
            try:
                return await self.read(image.file)
            except OutputError as error:
                raise _refused(position, text, error.message) from error
        if image.state is ImageState.EXPIRED:
            raise _refused(position, text, "its link died before it was saved.")
        try:
            living = parse_reference(
                image.url, limit_bytes=self.max_bytes, allow_loopback_http=self.allow_loopback_http
            )
        except ValueError:
            living = None
        if isinstance(living, WebImage | InlineImage):
            return await self._load(living, text, position)
        raise _refused(position, text, "it is not saved yet. Call get_prediction for it, then try again.")

    async def _deliver(self, image: InputImage, position: Position) -> tuple[str, tuple[str, ...]]:
        """Inside the request, through the files API, or shrunk until it fits inside."""
        if len(image.content) > self.inline_limit_bytes:
            if self.upload:
                return await self.upload(image.content, file_name(image, position), image.mime_type), image.notes
            image = await shrunk(image, position, limit_bytes=self.inline_limit_bytes)
        return data_uri(image.mime_type, image.content), image.notes


def default_input_folders(output_folder: Path | None) -> tuple[Path, ...]:
    """The output folder and the user's pictures, downloads and desktop folders."""
    from platformdirs import user_desktop_path, user_downloads_path, user_pictures_path

    folders = [user_pictures_path(), user_downloads_path(), user_desktop_path()]
    if output_folder:
        folders.insert(0, output_folder)
    # A folder that is switched off in XDG is given as the home folder, which would open everything.
    home = Path.home()
    return tuple(dict.fromkeys(folder for folder in folders if not home.is_relative_to(folder)))


def _position(mapped: MappedInput, name: str, number: int) -> Position:
    is_mask = name == mapped.mask_field
    label = "mask" if is_mask else f"{name}[{number - 1}]" if number else name
    return Position(
        field="mask" if is_mask else name,
        label=label,
        is_mask=is_mask,
        is_inverted=is_mask and mapped.invert_mask,
        must_keep_size=bool(mapped.mask_field),
    )


def _refused(position: Position, text: str, words: str) -> InvalidInput:
    return InvalidInput(f"{position.label} '{quotable(text)}': {words}", field=position.field)
