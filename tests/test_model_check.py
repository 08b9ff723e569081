"""The registry held beside its gateway: what has drifted, what that does, and files made from what the gateway says."""

from pathlib import Path
from typing import Any

import pytest
from described_gateway import Described
from forking_program import run_darkroom
from live_bodies import VERSION, live_body, text, whole
from open_rooms import room_at
from sandbox_server import sandbox_server
from scripted_gateway import Answer

from darkroom.model_check import check_models, model_file_text
from darkroom.registry import ModelRegistry
from darkroom.registry.model_file import read_model_file
from darkroom_server.sandbox import SandboxOptions

pytestmark = pytest.mark.anyio

SCHNELL = "black-forest-labs/flux-schnell"


async def changes(tmp_path: Path, body: Any, name: str = SCHNELL) -> list[tuple[str, str, str]]:
    async with Described(**{name: body}) as gateway, room_at(gateway, tmp_path) as room:
        (row,) = (await check_models(room, [name])).rows
    return [(each.input, each.words, each.effect) for each in row.changes]


async def test_a_model_that_is_gone_has_drifted(tmp_path: Path):
    missing = Answer({"detail": "Model not found: x"}, 404)
    assert await changes(tmp_path, missing) == [("", "is gone", "422")]


async def test_every_kind_of_change_is_named_with_its_effect(tmp_path: Path):
    inputs = {
        "prompt": text(),
        "aspect_ratio": text(enum=["1:1", "7:5"], default="1:1"),
        "num_outputs": whole("Number of images", minimum=1, maximum=2, default=1),
        "num_inference_steps": text(default="4"),
        "licence_key": text(),
    }
    output = {"type": "array", "items": {"type": "string", "format": "uri"}}
    body = live_body(inputs, required=("prompt", "licence_key"), output=output, is_official=False)
    found = await changes(tmp_path, body)
    assert ("", "is run by version now", "422") in found
    assert ("seed", "is gone", "422") in found
    assert ("aspect_ratio", "also takes 7:5", "wrongly refuses") in found
    assert ("num_outputs", "has max 2 instead of 4", "422") in found
    assert ("num_inference_steps", "is of type string instead of integer", "422") in found
    assert ("licence_key", "is new and required", "422") in found


async def test_a_newer_version_of_a_community_model_is_no_drift(tmp_path: Path):
    name = "bytedance/sdxl-lightning-4step"
    async with sandbox_server() as origin, Described() as gateway, room_at(gateway, tmp_path) as room:
        import httpx

        async with httpx.AsyncClient() as client:
            body = (await client.get(f"{origin}/v1/models/{name}")).json()
        body["latest_version"]["id"] = VERSION
        gateway.bodies[name] = body
        found = await check_models(room, [name])
    assert (found.rows[0].changes, found.rows[0].note, found.exit_code) == ((), "a newer version is 5c7d5dc6", 0)


async def test_a_file_made_from_the_gateway_is_one_that_can_be_read(tmp_path: Path):
    path = tmp_path / "own.toml"
    odd = text("Quotes \"' and \\ and {braces}", default="a\nb", enum=["a\nb", "c"])
    body = live_body({"prompt": text(), "odd": odd, "seed": whole(minimum=0)}, is_official=False)
    async with Described(**{"ada/painter": body}) as gateway, room_at(gateway, tmp_path) as room:
        path.write_text(await model_file_text(room, "ada/painter"), encoding="utf-8")
    model = read_model_file(path)
    assert (model.name, model.run_by, model.version) == ("ada/painter", "version", VERSION)
    assert model.concepts.seed == "seed"


async def test_the_file_of_a_curated_model_keeps_its_words_and_no_price_that_does_not_fit(tmp_path: Path):
    ours = ModelRegistry.load().get(SCHNELL)
    path = tmp_path / "own.toml"
    body = live_body({"prompt": text(), "tone": text(enum=["warm", "cold"])}, is_official=True)
    async with Described(**{SCHNELL: body}) as gateway, room_at(gateway, tmp_path) as room:
        path.write_text(await model_file_text(room, SCHNELL), encoding="utf-8")
    model = read_model_file(path)
    assert (model.best_for, list(model.inputs_by_name)) == (ours.best_for, ["prompt", "tone"])
    assert model.price is None  # it goes by the number of outputs, which the gateway has no input for any more


@pytest.mark.parametrize(("has_drifted", "code", "said"), [(False, 0, ""), (True, 1, "go_fast is gone [422]")])
async def test_the_command_says_what_has_drifted_by_its_exit_code(
    has_drifted: bool, code: int, said: str, tmp_path: Path
):
    import anyio.to_thread

    async with sandbox_server(SandboxOptions(has_drifted=has_drifted)) as origin:
        environ = {"DARKROOM_GATEWAY": "sandbox", "DARKROOM_BASE_URL": origin, "DARKROOM_DATA_DIR": str(tmp_path)}
        words = ["models", "--check", "black-forest-labs/flux-dev"]
        done = await anyio.to_thread.run_sync(run_darkroom, words, environ, tmp_path)
    assert (done.returncode, said in done.stdout) == (code, True), done.stderr


async def test_a_gateway_that_cannot_be_asked_ends_the_check_with_2(tmp_path: Path):
    page = Answer("<p>", headers={"content-type": "text/html"})
    async with Described(**{SCHNELL: page}) as gateway, room_at(gateway, tmp_path) as room:
        found = await check_models(room, [SCHNELL])
    assert (found.exit_code, found.rows[0].problem) == (2, "it answered with no JSON")
