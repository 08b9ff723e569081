"""Thumbnails beside the images of their owner, in `thumbnails` of their folder or bucket: any replica finds them there,
and whoever forgets the person deletes them with the images.
"""

import os
from dataclasses import replace

from darkroom.errors import OutputError
from darkroom.images import StoredFile
from darkroom.outputs import OutputStore, OutputStores
from darkroom.outputs.formats import sniff
from darkroom.uris import is_url
from darkroom_server.page.thumbnails import LONGEST_PX

_FOLDER = "thumbnails"
_ENDING = f".{LONGEST_PX}"


class KeptBesideImages:
    """`stores` are those of the images."""

    def __init__(self, stores: OutputStores) -> None:
        self._stores = stores

    async def get(self, file: StoredFile) -> bytes:
        try:
            store, thumbnail = self._place(file)
            return await store.read(thumbnail)
        except OutputError:
            return b""

    async def put(self, file: StoredFile, content: bytes) -> None:
        try:
            store, thumbnail = self._place(file)
            await store.save_beside(thumbnail, _ENDING, content, sniff(content) or "image/png")
        except OutputError:
            return  # it is made anew the next time

    def _place(self, file: StoredFile) -> tuple[OutputStore, StoredFile]:
        """Raises: OutputError where it cannot be opened."""
        separator = "/" if is_url(file.location) else os.sep
        place = f"{file.location.rpartition(separator)[0]}{separator}{_FOLDER}"
        return self._stores.at(place), replace(file, location=f"{place}{separator}{file.sha256}{_ENDING}")
