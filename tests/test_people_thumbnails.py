"""Thumbnails of a team lie beside the images of their owner, in a folder or a bucket, and go with them."""

from collections.abc import Generator
from pathlib import Path

import httpx
import pytest
from pictures import picture
from s3_server import BUCKET, PREFIX, S3Server, running_s3

from darkroom.images import StoredFile
from darkroom.outputs import OutputStores, open_target
from darkroom_server.team.people.thumbnails import KeptBesideImages

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
def s3() -> Generator[S3Server]:
    with running_s3() as server:
        httpx.put(f"{server.address}/{BUCKET}", timeout=60)
        yield server


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "folder":
        return str(tmp_path / "images")
    server: S3Server = request.getfixturevalue("s3")
    own = {"ENDPOINT": server.address, "ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "REGION": "us-east-1"}
    for name, value in {**own, "ALLOW_HTTP": "true", "VIRTUAL_HOSTED_STYLE_REQUEST": "false"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return f"s3://{BUCKET}/{PREFIX}"


def file_at(location: str) -> StoredFile:
    about = {"mime_type": "image/png", "width_px": 9, "height_px": 9, "size_bytes": 9, "sha256": "a" * 64}
    return StoredFile(location=location, **about)  # pyright: ignore[reportArgumentType]  # each fits its field


async def test_a_thumbnail_is_kept_beside_its_image_and_deleted_with_it(place: str, tmp_path: Path) -> None:
    kept, small = KeptBesideImages(OutputStores(place, spare=tmp_path / "spare")), picture("PNG", size=(9, 9))
    ada, bob = file_at(f"{place}/acme/ada/one.png"), file_at(f"{place}/acme/bob/two.png")
    assert await kept.get(ada) == b""
    await kept.put(ada, small)
    await kept.put(ada, small)
    another_replica = KeptBesideImages(OutputStores(place, spare=tmp_path / "other"))
    assert await another_replica.get(ada) == small and await kept.get(bob) == b""
    assert await open_target(f"{place}/acme/ada").clear() == 1
    assert await kept.get(ada) == b""


async def test_what_cannot_be_kept_is_no_fault(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be")
    kept = KeptBesideImages(OutputStores(str(tmp_path), spare=tmp_path / "spare"))
    file = file_at(str(tmp_path / "taken" / "one.png"))
    await kept.put(file, b"x")
    assert await kept.get(file) == b""
