"""`like` as a host calls it: what counts as given, and the person's consent."""

from pathlib import Path
from typing import Any

import anyio
import pytest
from call_results import text
from fault_gateway import FaultGateway
from fault_plan import Plan
from mcp import Client
from mcp.types import CallToolResult

from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

FOX = {"prompt": "a fox", "model": "black-forest-labs/flux-schnell", "count": 3}


def settings_for(gateway: FaultGateway, folder: Path, **more: str) -> Settings:
    return Settings.read(
        {
            "DARKROOM_GATEWAY": "replicate",
            "DARKROOM_BASE_URL": gateway.base_url,
            "DARKROOM_API_KEY": "r8_nobody",
            "DARKROOM_DATA_DIR": str(folder / "data"),
            "DARKROOM_OUTPUT_DIR": str(folder / "images"),
            "DARKROOM_PREVIEWS": "off",
            **more,
        }
    )


async def say(client: Client, **arguments: Any) -> CallToolResult:
    return await client.call_tool("generate_image", arguments)


async def test_what_a_host_gives_and_leaves_out_is_told_apart(tmp_path: Path) -> None:
    with anyio.fail_after(60):
        async with (
            FaultGateway(Plan(born_done=1.0)) as gateway,
            Client(create_server(settings_for(gateway, tmp_path))) as client,
        ):
            await say(client, **FOX, model_options={"megapixels": "0.25"}, request_id="foxes")
            for arguments in (
                {"like": "foxes", "prompt": "a badger"},
                {"like": "foxes", "prompt": "an owl", "count": 1},
                {"like": "foxes", "prompt": "an elk", "model_options": {"megapixels": None}, "count": None},
                {"like": "foxes/1", "prompt": "a cow", "model_options": '{"megapixels": null}'},
            ):
                assert text(await say(client, **arguments)).startswith("Succeeded")
            assert "the same image again" in text(await say(client, like=" foxes ", seed=-1, prompt=""))
        sent = [each.input for each in gateway.truth.predictions]
    assert [each.get("num_outputs", 1) for each in sent] == [3, 3, 1, 3, 1]
    assert ["megapixels" in each for each in sent] == [True, True, True, False, False]
    assert len({each["seed"] for each in sent}) == 1


async def test_null_options_are_left_out_without_like(tmp_path: Path) -> None:
    with anyio.fail_after(60):
        async with (
            FaultGateway(Plan(born_done=1.0)) as gateway,
            Client(create_server(settings_for(gateway, tmp_path))) as client,
        ):
            assert text(await say(client, **FOX, like=None, model_options={"megapixels": None})).startswith("Succeeded")


async def test_consent_is_asked_for_what_is_taken_over(tmp_path: Path) -> None:
    with anyio.fail_after(60):
        async with FaultGateway(Plan(born_done=1.0)) as gateway:
            async with Client(create_server(settings_for(gateway, tmp_path))) as client:
                await say(client, **FOX, request_id="foxes")
            settings = settings_for(gateway, tmp_path, DARKROOM_CONFIRM_USD="0.005")  # three cost $0.009
            async with Client(create_server(settings)) as client:
                answer = text(await say(client, like="foxes", prompt="a badger"))
                assert "this call may cost more than $0.005" in answer
                assert text(await say(client, like="foxes/1", prompt="a badger")).startswith("Succeeded")
        assert len(gateway.truth.predictions) == 2
