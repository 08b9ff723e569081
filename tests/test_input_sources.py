"""Input images through an open Darkroom: what its options let through."""

import base64
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from darkroom.darkroom import Darkroom
from darkroom.registry import MappedInput
from darkroom.settings import Settings

pytestmark = pytest.mark.anyio


def photo_with_a_place(folder: Path) -> Path:
    """A JPEG whose EXIF data says where it was taken."""
    exif = Image.Exif()
    exif.get_ifd(0x8825)[1] = "N"
    exif[0x010E] = "at home"
    path = folder / "photo.jpg"
    Image.new("RGB", (64, 48), "teal").save(path, exif=exif)
    return path


async def sent(folder: Path, **settings: str) -> bytes:
    """The bytes that would go to the gateway for that photo."""
    photo = photo_with_a_place(folder)
    read = Settings.read(
        {
            "DARKROOM_DATA_DIR": str(folder / "data"),
            "DARKROOM_OUTPUT_DIR": str(folder / "pictures"),
            "DARKROOM_INPUT_DIRS": str(folder),
            **settings,
        }
    )
    async with Darkroom.open(read.options()) as room:
        mapped = MappedInput(input={"image": str(photo)}, file_fields=("image",))
        uri: Any = (await room.resolve(mapped)).input["image"]
    return base64.b64decode(uri.partition(",")[2])


async def test_the_place_of_a_photo_does_not_leave_the_computer(tmp_path: Path) -> None:
    content = await sent(tmp_path)
    assert b"at home" not in content
    with Image.open(BytesIO(content)) as image:
        assert image.size == (64, 48) and not image.getexif()


async def test_metadata_stays_where_the_person_wants_it(tmp_path: Path) -> None:
    assert b"at home" in await sent(tmp_path, DARKROOM_KEEP_METADATA="true")
