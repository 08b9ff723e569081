"""The files behind output URLs: rendered in a worker thread at the first request, then kept for a while."""

import re
import threading
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import urlopen

import anyio.to_thread

from darkroom_server.sandbox.billing import image_references, whole_megapixels
from darkroom_server.sandbox.life import Prediction, StoredPrediction
from darkroom_server.sandbox.state import SandboxState

if TYPE_CHECKING:
    from darkroom_server.sandbox.rendering import ImagePlan

_KEPT_BYTES = 48 * 1024 * 1024
_MAX_CHAIN = 8  # an edit of an edit of an edit ...
_OWN_FILE = re.compile(r"(?:/replicate)?/v1/files/([A-Za-z0-9_-]+)(?:/download)?")
_OWN_OUTPUT = re.compile(r"/delivery/([a-z0-9]{8,64})/([a-z0-9.-]+)")


class OutputFiles:
    """Renders each output once and keeps the last ones, up to 48 MB."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state
        self._kept: dict[tuple[str, str], bytes] = {}
        self._lock = threading.Lock()  # worker threads write, too

    async def content(self, prediction: Prediction, name: str) -> bytes | None:
        """The bytes of the output with this name, None if there is none. Whether it has ended is not checked."""
        return await anyio.to_thread.run_sync(self._content, prediction, name, 0)

    async def counted(self, prediction: Prediction) -> StoredPrediction:
        """With the pixels of each output and the megapixels of its input images."""
        return await anyio.to_thread.run_sync(self._counted, prediction)

    def _counted(self, prediction: Prediction) -> StoredPrediction:
        from darkroom_server.sandbox.rendering import decoded, painted_size  # loads Pillow

        stored = prediction.stored
        sides = [decoded(each, self._bytes(each, 0)).size for each in image_references(prediction.model, stored.input)]
        width, height = painted_size(self._plan(prediction, 0, 0))
        return replace(
            stored,
            output_px=width * height,
            input_megapixels=sum(whole_megapixels(wide * high) for wide, high in sides),
        )

    def _content(self, prediction: Prediction, name: str, depth: int) -> bytes | None:
        from darkroom_server.sandbox.rendering import render  # loads Pillow

        key = (prediction.stored.id, name)
        if (kept := self._kept.get(key)) is not None:
            return kept
        if name not in prediction.output_names:
            return None
        content = render(self._plan(prediction, prediction.output_names.index(name), depth))
        if "truncated" in prediction.weather:
            content = content[: len(content) // 2]
        with self._lock:
            self._kept[key] = content
            while sum(map(len, self._kept.values())) > _KEPT_BYTES and len(self._kept) > 1:
                del self._kept[next(iter(self._kept))]
        return content

    def _plan(self, prediction: Prediction, index: int, depth: int) -> "ImagePlan":
        from darkroom_server.sandbox.rendering import ImagePlan, decoded

        model, input = prediction.model, prediction.stored.input
        mask = str(input.get(model.concepts.mask) or "")
        # The images in the main input, else those in others, such as `image_url`.
        image = model.concepts.image
        names = {image} if input.get(image) else input.keys() - {model.concepts.mask}
        images = image_references(model, {name: input[name] for name in names})
        return ImagePlan(
            prediction=prediction,
            index=index,
            images=[decoded(each, self._bytes(each, depth)) for each in images],
            mask=decoded(mask, self._bytes(mask, depth)) if mask else None,
            painted_px=self._state.options.painted_px,
        )

    def _bytes(self, reference: str, depth: int) -> bytes | None:
        """What a reference holds; None if it is elsewhere, for nothing is fetched."""
        if reference.startswith("data:"):
            with suppress(ValueError), urlopen(reference) as content:
                return content.read()
            return None
        path = urlsplit(reference).path
        if found := _OWN_FILE.fullmatch(path):
            row = self._state.store.get("file", found[1])
            return row.content if row else None
        if (found := _OWN_OUTPUT.fullmatch(path)) and depth < _MAX_CHAIN:
            prediction = self._state.find(found[1])
            return self._content(prediction, found[2], depth + 1) if prediction else None
        return None
