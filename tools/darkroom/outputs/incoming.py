"""One output while its bytes come in: refused as soon as it can be no image, and described by what has come."""

import hashlib
from collections.abc import Mapping

from pydantic import JsonValue

from darkroom.errors import OutputError
from darkroom.images import StoredFile
from darkroom.outputs.formats import HEAD_BYTES, describe, may_be_transparent, may_become_image, pixel_size, sniff
from darkroom.outputs.naming import ImageName

_NOT_SAVED = "not an image; nothing was saved. get_prediction asks the link again."


class Incoming:
    """`facts` are what its sidecar says of how it was made. `held_bytes` have come and were not `given` away yet."""

    def __init__(self, name: ImageName, facts: Mapping[str, JsonValue] | None = None) -> None:
        self.name, self.facts = name, facts
        self.mime_type = ""
        self.held_bytes = self._size_bytes = self._look_from_bytes = 0
        self._held: list[bytes] = []
        self._head = bytearray()  # at most HEAD_BYTES
        self._digest = hashlib.sha256()

    def take(self, chunk: bytes) -> None:
        """Raises: OutputError as soon as it can be no image."""
        self._digest.update(chunk)
        self._size_bytes += len(chunk)
        self.held_bytes += len(chunk)
        self._held.append(chunk)
        self._head += chunk[: HEAD_BYTES - len(self._head)]
        if not self.mime_type and self._size_bytes >= self._look_from_bytes:
            self._look()

    def end(self) -> None:
        """Raises: OutputError where this is no image, worth another try where it may be the beginning of one."""
        if not self.mime_type:
            self._look()
        if not self.mime_type:
            raise OutputError(f"The link gave {describe(bytes(self._head))}, no whole image.", can_retry=True)

    def held(self) -> bytes:
        """What has come and was not given away."""
        self._held = [b"".join(self._held)]
        return self._held[0]

    def given(self) -> bytes:
        """The same, which is let go of."""
        content, self._held, self.held_bytes = self.held(), [], 0
        return content

    @property
    def sha256(self) -> str:
        """Of all that has come, in hex."""
        return self._digest.hexdigest()

    def file(self, location: str) -> StoredFile:
        """It as a file that lies there."""
        head = bytes(self._head)
        width_px, height_px = pixel_size(head, self.mime_type).shown
        return StoredFile(
            location=location,
            mime_type=self.mime_type,
            width_px=width_px,
            height_px=height_px,
            size_bytes=self._size_bytes,
            sha256=self.sha256,
            is_transparent=None if may_be_transparent(head, self.mime_type) else False,
        )

    def _look(self) -> None:
        """Tell the type. Where that takes more bytes, look again at twice as many: each look reads all of them."""
        head = bytes(self._head)
        self.mime_type = sniff(head) or ""
        if not self.mime_type and not may_become_image(head):
            raise OutputError(f"The link gave {describe(head)}, {_NOT_SAVED}")
        self._look_from_bytes = max(64, 2 * self._size_bytes)
