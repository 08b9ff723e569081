"""Which model was taken where none was named, and what it cannot do of what the prompt names."""

from pathlib import Path
from typing import Any

import pytest
from fault_gateway import FaultGateway
from mcp import Client
from open_rooms import room_at
from pictures import picture
from test_costs import SCHNELL, client_of, generate, settings_of, text_of
from test_costs_odd import SANDBOX

from darkroom.dry_run import dry_run
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

PHOTO = "https://example.com/photo.jpg"
TRANSPARENT = "list_models(query='transparent background') finds models that can."


async def test_the_model_that_was_taken_is_told_without_a_limit_and_in_the_sandbox(tmp_path: Path) -> None:
    taken = f"Note: no model was named; '{SCHNELL}' was taken: the usual one for this."
    async with client_of(tmp_path) as (client, _):
        assert taken in (await generate(client, model=""))[0]
        assert "no model was named" not in (await generate(client))[0]
    async with Client(create_server(Settings.read({**settings_of(tmp_path, ""), **SANDBOX}))) as client:
        assert taken in text_of(await client.call_tool("generate_image", {"prompt": "a fox"}))


@pytest.mark.parametrize(
    ("arguments", "note"),
    [
        ({"prompt": "a fox sticker, transparent background"}, TRANSPARENT),
        ({"prompt": "remove the background", "images": [PHOTO]}, TRANSPARENT),
        ({"prompt": "enlarge this 4x", "images": [PHOTO]}, "list_models(query='upscale') finds models that can."),
        ({"prompt": "a fox as svg vector"}, "give output_format='svg'"),
        ({"prompt": "ein Fuchs, transparenter Hintergrund"}, TRANSPARENT),
    ],
)
async def test_what_the_usual_model_cannot_do_is_noted_and_blocks_nothing(
    tmp_path: Path, arguments: dict[str, Any], note: str
) -> None:
    async with client_of(tmp_path) as (client, _):
        planned, _ = await generate(client, model="", dry_run=True, **arguments)
        text, report = await generate(client, model="", **arguments)
        named, _ = await generate(client, model=report["model"], dry_run=True, **arguments)
    assert note in planned and note in text and report["outcome"] == "succeeded"
    assert note not in named


async def test_a_shape_that_is_refused_names_the_nearest_and_models_that_have_it(tmp_path: Path) -> None:
    asked = {"model": "google/imagen-4", "aspect_ratio": "21:9"}
    async with client_of(tmp_path) as (client, _):
        refused, _ = await generate(client, **asked)
        other = refused.partition("That shape is offered by '")[2].partition("'")[0]
        planned, _ = await generate(client, **(asked | {"model": other}), dry_run=True)
    assert "(nearest: 16:9)" in refused and "Nothing was sent." in refused
    assert planned.startswith("Dry run") and "21:9" in planned


@pytest.mark.parametrize(
    "arguments",
    [
        {"prompt": "a fox at dawn, enlarged pupils"},
        {"prompt": "make it night", "images": [PHOTO]},
        {"prompt": "a fox as svg vector", "output_format": "svg"},
        {"prompt": "remove the background from my life, a poem"},
    ],
)
async def test_a_plain_prompt_gets_no_such_note(tmp_path: Path, arguments: dict[str, Any]) -> None:
    async with client_of(tmp_path) as (client, _):
        text, _ = await generate(client, model="", dry_run=True, **arguments)
    assert "finds models that can" not in text and "draws no vector" not in text


async def test_a_repeat_with_a_changed_file_says_so(tmp_path: Path) -> None:
    photo = tmp_path / "photo.png"
    photo.write_bytes(picture(color=(1, 2, 3)))
    edit = ImageRequest(prompt="make it night", images=(str(photo),))
    async with FaultGateway() as gateway, room_at(gateway, tmp_path, input_dirs=(tmp_path,)) as room:
        await generate_image(room, edit, wait_s=20, request_id="night")
        same = await generate_image(room, edit, wait_s=20, request_id="night")
        assert "has changed since" not in same.text
        photo.write_bytes(picture(color=(3, 2, 1)))
        again = await generate_image(room, edit, wait_s=20, request_id="night")
        assert "photo.png' has changed since; this is of what it was then." in again.text
        photo.unlink()
        assert "Succeeded" in (await generate_image(room, edit, wait_s=20, request_id="night")).text
        assert len(gateway.truth.predictions) == 1


@pytest.mark.parametrize(
    "url",
    [
        *("http://192.168.1.5/a.png", "https://192.168.1.5/a.png", "http://127.0.0.1/a.png", "https://localhost/a.png"),
        *("http://[::1]/a.png", "https://nas.local/a.png", "https://10.0.0.1:8443/a.png", "https://nas/a.png"),
    ],
)
async def test_a_private_host_is_refused_where_the_gateway_is_remote(tmp_path: Path, url: str) -> None:
    settings = Settings.read(
        {**settings_of(tmp_path, ""), "DARKROOM_BASE_URL": "", "DARKROOM_GATEWAY": "replicate", "DARKROOM_API_KEY": "k"}
    )
    async with Client(create_server(settings)) as client:
        text, report = await generate(client, model="", prompt="make it night", images=[url])
    assert report["outcome"] == "invalid" and "where the gateway cannot fetch it" in text, text
    assert "Charged: nothing" in text


async def test_a_private_host_is_passed_on_where_the_gateway_is_near(tmp_path: Path) -> None:
    async with FaultGateway() as gateway, room_at(gateway, tmp_path) as room:
        request = ImageRequest(prompt="make it night", images=("https://192.168.1.5/a.png",))
        assert (await dry_run(room, request)).outcome == "planned"
        assert (await generate_image(room, request, wait_s=20)).outcome == "succeeded"
