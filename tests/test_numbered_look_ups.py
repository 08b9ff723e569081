"""A look-up of one picture among several: "ID/2", as generate_image takes it among its images."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from call_results import text
from mcp import Client
from mcp.types import CallToolResult, ImageContent

from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio


@pytest.fixture
async def client(tmp_path: Path) -> AsyncGenerator[Client]:
    settings = Settings.read({"DARKROOM_DATA_DIR": str(tmp_path / "data"), "DARKROOM_OUTPUT_DIR": str(tmp_path / "p")})
    with anyio.fail_after(90):
        async with Client(create_server(settings, conversation="one")) as client:
            yield client


def pictures(result: CallToolResult) -> list[dict[str, Any]]:
    return [block.meta or {} for block in result.content if isinstance(block, ImageContent)]


async def test_one_picture_of_several_is_shown_alone_and_its_path_named(client: Client) -> None:
    made = await client.call_tool("generate_image", {"prompt": "foxes", "count": 3, "request_id": "foxes"})
    assert made.meta
    report = made.meta["darkroom/report"]
    id, path = report["id"], report["images"][1]["path"]
    for name in (f"{id}/2", f"prediction:{id}/2", "latest/2", "foxes/2"):
        found = await client.call_tool("get_prediction", {"id": name, "previews": True})
        assert pictures(found) == [{"darkroom/n": 2}], name
        assert f"Note: image 2 is {path}" in text(found).splitlines() and "Preview: image 2." in text(found)
    plain = await client.call_tool("get_prediction", {"id": id})
    assert "image 2 is" not in text(plain)


async def test_a_number_beyond_the_pictures_is_said_and_a_cancel_takes_none(client: Client) -> None:
    made = await client.call_tool("generate_image", {"prompt": "a fox"})
    assert made.meta
    id = made.meta["darkroom/report"]["id"]
    found = await client.call_tool("get_prediction", {"id": f"{id}/4"})
    assert not found.is_error and "Note: there is no image 4: it has 1 image." in text(found)
    refused = await client.call_tool("get_prediction", {"id": f"{id}/1", "cancel": True})
    assert refused.is_error and f"A cancel stops a whole prediction: give '{id}' alone." in text(refused)


async def test_a_request_id_that_ends_like_a_number_is_still_itself(client: Client) -> None:
    await client.call_tool("generate_image", {"prompt": "a fox", "count": 2, "request_id": "foxes/2"})
    found = await client.call_tool("get_prediction", {"id": "foxes/2"})
    assert text(found).startswith("Succeeded: 2 images") and "image 2 is" not in text(found)
    both = await client.call_tool("get_prediction", {"id": "foxes/2/1", "previews": True})
    assert pictures(both) == [{"darkroom/n": 1}]
