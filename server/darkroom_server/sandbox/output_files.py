"""The files behind output URLs: rendered in a worker thread at the first request, then kept for a while."""

import base64
import binascii
import io
import re
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import unquote_to_bytes, urlsplit

import anyio.to_thread
from pydantic import JsonValue

from darkroom.registry import Model
from darkroom_server.sandbox.bodies import output_names, seed_of
from darkroom_server.sandbox.output_spec import MIME_TYPES, format_of
from darkroom_server.sandbox.painter.compose import compose
from darkroom_server.sandbox.painter.raster import rasterise
from darkroom_server.sandbox.rendering import ImagePlan, render
from darkroom_server.sandbox.state import SandboxState
from darkroom_server.sandbox.stored_prediction import StoredPrediction

if TYPE_CHECKING:
    from PIL.Image import Image

_KEPT_BYTES = 48 * 1024 * 1024
_MAX_CHAIN = 8  # an edit of an edit of an edit ...
_OWN_FILE = re.compile(r"(?:/replicate)?/v1/files/([A-Za-z0-9_-]+)(?:/download)?")
_OWN_OUTPUT = re.compile(r"/delivery/([a-z0-9]{8,64})/([a-z0-9.-]+)")


class OutputFiles:
    """Renders each output once and keeps the last ones, up to 48 MB."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._kept: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = threading.Lock()  # worker threads write, too

    async def content(self, stored: StoredPrediction, name: str) -> bytes | None:
        """The bytes of the output with this name, None if there is none. Whether it has ended is not checked."""
        return await anyio.to_thread.run_sync(self._content, stored, name, 0)

    def mime_type(self, stored: StoredPrediction) -> str:
        return MIME_TYPES[format_of(self._state.model_of(stored), stored.input)]

    def _content(self, stored: StoredPrediction, name: str, depth: int) -> bytes | None:
        key = (stored.id, name)
        if (kept := self._kept.get(key)) is not None:
            return kept
        model = self._state.model_of(stored)
        weather = self._state.weather(model, stored.input)
        names = output_names(model, stored, weather)
        if name not in names:
            return None
        content = render(self._plan(model, stored, weather.caption, names.index(name), depth))
        if "truncated" in weather:
            content = content[: len(content) // 2]
        self._keep(key, content)
        return content

    def _plan(self, model: Model, stored: StoredPrediction, caption: str, index: int, depth: int) -> ImagePlan:
        given = stored.input.get(model.concepts.image)
        references = [str(item) for item in given] if isinstance(given, list) else [str(given)] if given else []
        references = references or _other_images(model, stored.input)
        mask = stored.input.get(model.concepts.mask)
        return ImagePlan(
            model=model,
            input=stored.input,
            caption=caption,
            seed=seed_of(model, stored),
            index=index,
            images=[self._image(reference, depth) for reference in references],
            mask=self._image(str(mask), depth) if mask else None,
        )

    def _image(self, reference: str, depth: int) -> "Image":
        """The image behind a reference; a painted one if it is elsewhere or unreadable, for nothing is fetched."""
        from PIL import Image, ImageOps

        content = self._bytes(reference, depth)
        if content:
            try:
                opened = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
                return opened.convert("RGBA" if opened.has_transparency_data else "RGB")
            except (OSError, ValueError, Image.DecompressionBombError):
                pass
        return rasterise(compose(reference[-200:], 0, 0, 1.0), 768, 768)

    def _bytes(self, reference: str, depth: int) -> bytes | None:
        if reference.startswith("data:"):
            return _data_bytes(reference)
        path = urlsplit(reference).path
        if found := _OWN_FILE.fullmatch(path):
            row = self._state.store.get("file", found[1])
            return row.content if row else None
        if (found := _OWN_OUTPUT.fullmatch(path)) and depth < _MAX_CHAIN:
            row = self._state.store.get("prediction", found[1])
            return self._content(StoredPrediction(**row.body), found[2], depth + 1) if row else None
        return None

    def _keep(self, key: tuple[str, str], content: bytes) -> None:
        with self._lock:
            self._kept[key] = content
            while sum(map(len, self._kept.values())) > _KEPT_BYTES and len(self._kept) > 1:
                self._kept.popitem(last=False)


def _other_images(model: Model, input: dict[str, JsonValue]) -> list[str]:
    """Images in other file inputs than the main one, such as `image_url`."""
    mask = model.concepts.mask
    files = [item.name for item in model.inputs if item.is_file and item.name != mask and "lora" not in item.name]
    return [str(input[name]) for name in files if isinstance(input.get(name), str) and input[name]]


def _data_bytes(uri: str) -> bytes | None:
    head, _, tail = uri.partition(",")
    if not head.endswith(";base64"):
        return unquote_to_bytes(tail)
    try:
        return base64.b64decode(unquote_to_bytes(tail))
    except binascii.Error:
        return None
