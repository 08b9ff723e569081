"""Images that `like` takes over: read again, and refused by name where they are others by now."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from likes import EDITOR, FOX, ask, inputs, like, made, photo, refused
from open_rooms import room_at
from pictures import picture

from darkroom.darkroom import Darkroom
from darkroom.dry_run import dry_run
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


@pytest.fixture
async def room(gateway: FaultGateway, tmp_path: Path) -> AsyncGenerator[Darkroom]:
    async with room_at(gateway, tmp_path, input_dirs=(tmp_path,)) as room:
        yield room


async def test_an_image_of_this_computer_is_read_again(room: Darkroom, gateway: FaultGateway, tmp_path: Path) -> None:
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(photo(tmp_path),)))
    await made(room, like(id, prompt="a scarf"))
    first, second = inputs(gateway)
    assert first["input_image"] == second["input_image"] and second["prompt"] == "a scarf"


async def test_an_image_that_has_changed_is_refused_by_name_unless_it_is_given_again(
    room: Darkroom, gateway: FaultGateway, tmp_path: Path
) -> None:
    path = photo(tmp_path)
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(path,)))
    photo(tmp_path, (9, 9, 9))
    text = await refused(room, gateway, like(id, prompt="a scarf"))
    assert path[-60:] in text and "has changed since" in text and "give images" in text
    assert "has changed since" in (await dry_run(room, like(id, prompt="a scarf"))).text
    await made(room, like(id, images=(path,)))
    assert inputs(gateway)[0]["input_image"] != inputs(gateway)[1]["input_image"]


async def test_an_image_that_is_gone_is_refused_by_name(room: Darkroom, gateway: FaultGateway, tmp_path: Path) -> None:
    path = photo(tmp_path)
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(path,)))
    Path(path).unlink()
    text = await refused(room, gateway, like(id, prompt="a scarf"))
    assert path[:40] in text and "Give images" in text


async def test_like_alone_looks_at_the_file_before_it_says_that_it_is_the_same(
    room: Darkroom, gateway: FaultGateway, tmp_path: Path
) -> None:
    path = photo(tmp_path)
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(path,)))
    assert "the same image again" in await refused(room, gateway, like(id))
    photo(tmp_path, (9, 9, 9))
    text = await refused(room, gateway, like(id))
    assert path[-60:] in text and "has changed since" in text and "the same image" not in text
    Path(path).unlink()
    assert "made with an image that cannot be used now" in await refused(room, gateway, like(id))


async def test_the_very_same_image_given_again_is_no_change(
    room: Darkroom, gateway: FaultGateway, tmp_path: Path
) -> None:
    path = photo(tmp_path)
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(path,)))
    assert "the same image again" in await refused(room, gateway, like(id, images=(path,)))


async def test_a_data_uri_is_not_kept_so_it_has_to_be_given_again(room: Darkroom, gateway: FaultGateway) -> None:
    from darkroom.uris import data_uri

    uri = data_uri("image/png", picture())
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(uri,)))
    text = await refused(room, gateway, like(id, prompt="a scarf"))
    assert "images[0] of" in text and "was a data URI, whose content is not kept" in text
    await made(room, like(id, prompt="a scarf", images=(uri,)))
    assert inputs(gateway)[1]["prompt"] == "a scarf"
    assert "the same image again" in await refused(room, gateway, like(id, images=(uri,)))


async def test_an_earlier_image_is_taken_over(room: Darkroom, gateway: FaultGateway) -> None:
    first = await made(room, FOX)
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(f"prediction:{first}",)))
    await made(room, like(id, prompt="a scarf"))
    assert inputs(gateway)[1]["input_image"] == inputs(gateway)[2]["input_image"]


async def test_the_record_beside_the_image_has_the_hash_of_what_was_read(room: Darkroom, tmp_path: Path) -> None:
    import hashlib
    import json

    path = photo(tmp_path)
    report = await ask(room, ImageRequest(prompt="a hat", model=EDITOR, images=(path,)))
    file = report.intents[0].images[0].file
    assert file
    record = json.loads(Path(file.location).with_suffix(".json").read_text())
    sha256 = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    assert record["images_read"] == [{"given": path, "sha256": sha256, "width_px": 64, "height_px": 48}]
    assert "images_read" not in record["request"] and "_images_read" not in record["request"]


async def test_images_are_taken_away_by_their_name(room: Darkroom, gateway: FaultGateway, tmp_path: Path) -> None:
    id = await made(room, ImageRequest(prompt="a hat", model=EDITOR, images=(photo(tmp_path),)))
    assert "takes no images" in await refused(room, gateway, like(id, model=FOX.model))
    await made(room, like(id, model=FOX.model, options={"images": None}))
    assert inputs(gateway)[1]["prompt"] == "a hat"
