"""Links to stored images: a bucket's own, which expire, else the server's; and added pictures in a bucket."""

from collections.abc import Generator
from pathlib import Path

import anyio
import httpx
import obstore
import pytest
from pictures import in_chunks, noise
from s3_server import BUCKET, PREFIX, S3Server, running_s3
from sandbox_server import HandClock

from darkroom.errors import InvalidRequest
from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.outputs import ImageName, OutputStore, OutputStores
from darkroom.outputs.cloud import CloudTarget
from darkroom.outputs.links import Links
from darkroom.outputs.uploads import LIFETIME_S, MOST_PICTURES, BucketUploads

pytestmark = pytest.mark.anyio
ORIGIN = "https://darkroom.example.com"
LINKS = Links(origin=ORIGIN, lifetime_s=900)


@pytest.fixture(scope="module")
def s3() -> Generator[S3Server]:
    with running_s3() as server:
        httpx.put(f"{server.address}/{BUCKET}", timeout=60)
        yield server


def image_of(file: StoredFile, problem: str = "") -> StoredImage:
    return StoredImage(
        prediction_id="abc", index=1, url="https://x.example/1", state=ImageState.STORED, file=file, problem=problem
    )


async def test_an_image_in_a_bucket_has_a_signed_link_that_expires(s3: S3Server, tmp_path: Path) -> None:
    store = OutputStore(CloudTarget(f"s3://{BUCKET}/{PREFIX}", s3.store()))
    name = ImageName(prediction_id="abc", index=1, prompt="", model="owner/model")
    content = noise()
    file = (await store.save(name, in_chunks(content))).file
    link = await store.link(file.location, 900)
    assert "X-Amz-Expires=900" in link and "X-Amz-Signature=" in link
    fetched = await anyio.to_thread.run_sync(httpx.get, link)
    assert (fetched.status_code, fetched.content) == (200, content)
    assert await store.link("s3://another/place.png", 900) == ""
    assert "may die after 15 min" in LINKS.words(f"s3://{BUCKET}/{PREFIX}")


async def test_an_image_in_a_folder_has_the_address_of_the_server(tmp_path: Path) -> None:
    stores = OutputStores(str(tmp_path / "images"), spare=tmp_path / "spare")
    file = StoredFile(
        location=str(tmp_path / "images" / "a.svg"),
        mime_type="image/svg+xml",
        width_px=0,
        height_px=0,
        size_bytes=1,
        sha256="",
        raster_location=str(tmp_path / "images" / "a.png"),
    )
    (linked,) = await LINKS.added([image_of(file, f"It lies in '{tmp_path}/spare': no room.")], stores)
    assert linked.file and linked.file.shown == f"{ORIGIN}/images/abc/2"
    assert linked.file.raster_shown == f"{ORIGIN}/images/abc/2?as=png"
    assert linked.problem == "It lies in 'the server': no room."
    assert linked.file.location == file.location


def test_added_pictures_live_in_a_bucket_for_a_day(s3: S3Server) -> None:
    clock = HandClock(0.0)
    store = s3.store()
    uploads = BucketUploads(store, clock)
    id = uploads.add(b"one")
    assert uploads.read(id) == b"one"
    assert uploads.read("0" * 24) is None and uploads.read("../x") is None
    for number in range(MOST_PICTURES - len(s3.objects())):  # not by `add`, which lists them all each time
        obstore.put(store, f"{number:024x}", b"more")
    with pytest.raises(InvalidRequest, match="were added within a day"):
        uploads.add(b"too much")
    clock.now = 4e9 + LIFETIME_S
    uploads.sweep()
    assert uploads.read(id) is None
