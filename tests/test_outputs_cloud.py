"""Saving images in a bucket: a real S3 server, and ones that ignore or refuse preconditions."""

import json
import sys
from collections.abc import Generator

import anyio
import httpx
import pytest
from pictures import SVG, in_chunks, noise, picture
from s3_server import BUCKET, PREFIX, S3Server, running_s3

from darkroom.errors import OutputError, SettingsError
from darkroom.images import StoredFile
from darkroom.outputs import ImageName, OutputStore, Saved, open_target
from darkroom.outputs.cloud import CloudTarget

pytestmark = pytest.mark.anyio

ID = "rrr4z55ocneqzikepnug6xezpe"
IMAGE = ImageName(prediction_id=ID, index=1, prompt="A lighthouse at dawn", model="owner/model")
NAME = f"{ID}-2"
PLACE = f"s3://{BUCKET}/{PREFIX}"


async def saved(store: OutputStore, content: bytes, image: ImageName = IMAGE) -> StoredFile:
    """The whole image and its sidecar."""
    made = await store.save(image, in_chunks(content))
    assert made.is_whole
    await store.write_sidecar(made.file, {"seed": 7})
    return made.file


@pytest.fixture(scope="module")
def running() -> Generator[S3Server]:
    with running_s3() as server:
        yield server


@pytest.fixture
def s3(running: S3Server) -> S3Server:
    """The server in its good mood, with an empty bucket."""
    running.preconditions, running.hides_objects = "kept", False
    httpx.post(f"{running.address}/moto-api/reset")
    httpx.put(f"{running.address}/{BUCKET}")
    running.puts.clear()
    return running


@pytest.fixture
def store(s3: S3Server) -> OutputStore:
    return OutputStore(CloudTarget(PLACE, s3.store()))


async def test_an_image_and_its_sidecar_are_saved_into_the_bucket(s3: S3Server, store: OutputStore) -> None:
    content = noise()
    file = await saved(store, content)
    assert file.location == f"{PLACE}/{NAME}.png"
    objects = s3.objects()
    assert objects[f"{NAME}.png"] == content
    assert json.loads(objects[f"{NAME}.json"])["file"]["sha256"] == file.sha256
    assert await store.read(file) == content


async def test_a_place_is_cleared_of_all_below_it_and_of_nothing_beside_it(s3: S3Server, store: OutputStore) -> None:
    await saved(store, noise())
    beside = s3.store(prefix=f"{PREFIX}-beside")
    await beside.put_async("1.png", b"png")
    await s3.store().put_async("uploads/1.png", b"png")
    target = CloudTarget(PLACE, s3.store())
    assert await target.clear() == 3 and await target.clear() == 0
    assert s3.objects() == {} and (await beside.head_async("1.png"))["size"] == 3


async def test_the_content_type_is_told_by_the_content(s3: S3Server, store: OutputStore) -> None:
    await saved(store, picture("WEBP"))
    assert s3.headers(f"{NAME}.webp")["Content-Type"] == "image/webp"


async def test_an_svg_is_stored_as_an_attachment(s3: S3Server, store: OutputStore) -> None:
    await saved(store, SVG)
    assert s3.headers(f"{NAME}.svg")["Content-Disposition"] == "attachment"


@pytest.mark.parametrize("preconditions", ["kept", "ignored", "refused"])
async def test_the_same_image_twice_is_put_once_whatever_the_store_makes_of_preconditions(
    s3: S3Server, store: OutputStore, preconditions: str
) -> None:
    s3.preconditions = preconditions
    first = await saved(store, picture())
    attempts = len(s3.puts)
    assert await saved(store, picture()) == first
    assert len(s3.puts) == attempts
    assert sorted(s3.objects()) == [f"{NAME}.json", f"{NAME}.png"]


@pytest.mark.parametrize("preconditions", ["kept", "ignored", "refused"])
async def test_another_image_of_the_same_name_never_replaces_the_first(
    s3: S3Server, store: OutputStore, preconditions: str
) -> None:
    s3.preconditions = preconditions
    await saved(store, picture(color=(1, 2, 3)))
    second = await saved(store, picture(color=(9, 8, 7)))
    objects = s3.objects()
    assert objects[f"{NAME}.png"] == picture(color=(1, 2, 3))
    assert objects[f"{NAME}-{second.sha256[:8]}.png"] == picture(color=(9, 8, 7))


async def test_a_row_that_knows_no_prompt_finds_the_image_again(s3: S3Server, store: OutputStore) -> None:
    first = await saved(store, picture())
    assert await saved(store, picture(), ImageName(prediction_id=ID, index=1)) == first
    assert sorted(s3.objects()) == [f"{NAME}.json", f"{NAME}.png"]


async def test_an_image_without_its_end_is_kept_until_the_whole_one_comes(s3: S3Server, store: OutputStore) -> None:
    content = noise()
    assert not (await store.save(IMAGE, in_chunks(content[:-9]))).is_whole
    assert s3.objects() == {f"{NAME}.png": content[:-9]}
    file = await saved(store, content)
    assert await store.found(IMAGE) == Saved(file, True)
    assert sorted(s3.objects()) == [f"{NAME}.json", f"{NAME}.png"]


async def test_a_check_puts_one_object_and_takes_it_away(s3: S3Server, store: OutputStore) -> None:
    await store.check()
    await store.check()
    assert len(s3.puts) == 1 and s3.objects() == {}


async def test_a_bucket_that_cannot_be_written_is_told_before(s3: S3Server) -> None:
    for target in (s3.store("no-such-bucket"), S3Server(address="http://127.0.0.1:9").store()):
        with pytest.raises(OutputError, match="DARKROOM_OUTPUT_DIR") as caught:
            await OutputStore(CloudTarget(PLACE, target)).check()
        assert caught.value.can_retry


async def test_a_race_for_a_name_is_settled_by_the_precondition(s3: S3Server, store: OutputStore) -> None:
    await saved(store, picture(color=(1, 2, 3)))
    s3.hides_objects = True
    second = await saved(store, picture(color=(9, 8, 7)))
    s3.hides_objects = False
    assert s3.objects()[f"{NAME}.png"] == picture(color=(1, 2, 3))
    assert second.location == f"{PLACE}/{NAME}-{second.sha256[:8]}.png"


async def test_many_at_once_save_the_same_image_as_one_object(s3: S3Server, store: OutputStore) -> None:
    content = noise()

    async def save() -> None:
        await saved(store, content)

    async with anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(save)
    assert sorted(s3.objects()) == [f"{NAME}.json", f"{NAME}.png"]


async def test_a_missing_bucket_is_told_in_words(s3: S3Server) -> None:
    with pytest.raises(OutputError, match=PLACE) as caught:
        await saved(OutputStore(CloudTarget(PLACE, s3.store("no-such-bucket"))), picture())
    assert "DARKROOM_OUTPUT_DIR" in caught.value.message
    assert len(caught.value.message) <= 300


async def test_a_store_that_does_not_answer_is_told_in_words(s3: S3Server) -> None:
    nowhere = S3Server(address="http://127.0.0.1:9")
    with pytest.raises(OutputError, match="credentials"):
        await saved(OutputStore(CloudTarget(PLACE, nowhere.store())), picture())


@pytest.mark.parametrize(
    "location", [f"{PLACE}/../secret", f"{PLACE}/a/b", f"s3://other/{PREFIX}/x.png", f"{PLACE}/", "/etc/passwd"]
)
async def test_nothing_outside_the_prefix_is_read(store: OutputStore, location: str) -> None:
    with pytest.raises(OutputError, match="does not lie in the output folder"):
        await store.read(StoredFile(location=location, mime_type="", width_px=0, height_px=0, size_bytes=0, sha256=""))


async def test_the_setting_alone_opens_a_bucket(s3: S3Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": s3.address,
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    store = OutputStore(open_target(f"{PLACE}/"))
    file = await saved(store, picture())
    assert file.location == f"{PLACE}/{NAME}.png"
    assert f"{NAME}.png" in s3.objects()


@pytest.mark.parametrize("spec", ["gs://bucket/prefix", "az://container/prefix"])
def test_the_other_clouds_are_opened_by_their_scheme(spec: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    assert open_target(spec).location("a.png") == f"{spec}/a.png"


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    with pytest.raises(SettingsError, match=r"DARKROOM_OUTPUT_DIR .* 'darkroom-mcp\[cloud\]'"):
        open_target("s3://bucket/prefix")


def test_a_bucket_without_a_name_is_refused_by_the_setting() -> None:
    with pytest.raises(SettingsError, match="DARKROOM_OUTPUT_DIR"):
        open_target("s3://")
