"""What only hosts with MCP Apps are offered, where they find the gallery, and a ping in every era."""

from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any, Literal

import anyio
import httpx
import pytest
from apps_host import CAPABILITIES, HasApps
from http_process import HttpProcess
from mcp import Client
from mcp.types import TextContent
from stdio_host import HELLO, Host

from darkroom.settings import Settings
from darkroom_server.app import create_server
from darkroom_server.gallery import GALLERY_URI

pytestmark = pytest.mark.anyio

THREE = ["generate_image", "get_prediction", "list_models"]
PICTURE = "data:image/png;base64,AAAA"
MODERN = "2026-07-28"
ENVELOPE = {
    "io.modelcontextprotocol/protocolVersion": MODERN,
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read({"DARKROOM_DATA_DIR": str(tmp_path / "data"), "DARKROOM_OUTPUT_DIR": str(tmp_path / "out")})


@pytest.fixture(params=["auto", "legacy"])
async def plain(request: pytest.FixtureRequest, settings: Settings) -> AsyncGenerator[Client]:
    with anyio.fail_after(60):
        async with Client(create_server(settings), mode=request.param) as client:
            yield client


@pytest.fixture(params=["auto", "legacy"])
async def with_apps(request: pytest.FixtureRequest, settings: Settings) -> AsyncGenerator[Client]:
    with anyio.fail_after(60):
        async with Client(create_server(settings), mode=request.param, extensions=[HasApps()]) as client:
            yield client


async def test_a_host_without_apps_has_three_tools_and_no_other(plain: Client) -> None:
    assert [tool.name for tool in (await plain.list_tools()).tools] == THREE
    refused = await plain.call_tool("add_picture", {"picture": PICTURE})
    assert refused.is_error and isinstance(refused.content[0], TextContent)
    assert refused.content[0].text.endswith(f"There is no tool 'add_picture'. There are: {', '.join(THREE)}.")


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_host_is_greeted_before_any_tool_is_built(settings: Settings, mode: Literal["auto", "legacy"]) -> None:
    server = create_server(settings)
    async with Client(server, mode=mode) as client:
        assert client.instructions and client.server_capabilities.prompts
        assert not await server.list_tools() and not await server.list_prompts()
        assert (await client.list_prompts()).prompts and not await server.list_tools()
        assert len((await client.list_tools()).tools) == 3 and len(await server.list_tools()) == 4


async def test_a_host_with_apps_is_told_which_tool_to_hide_from_its_model(with_apps: Client) -> None:
    tools = (await with_apps.list_tools()).tools
    assert [tool.name for tool in tools] == [*THREE, "add_picture"]
    assert tools[-1].meta == {"ui": {"visibility": ["app"]}}
    assert [tool.name for tool in tools if "visibility" not in (tool.meta or {}).get("ui", {})] == THREE


async def test_the_gallery_is_named_under_every_key_that_hosts_look_for(plain: Client) -> None:
    metas = {tool.name: tool.meta for tool in (await plain.list_tools()).tools}
    named = {
        "ui": {"resourceUri": GALLERY_URI},
        "ui/resourceUri": GALLERY_URI,
        "openai/outputTemplate": GALLERY_URI,
    }
    assert metas["generate_image"] == metas["get_prediction"] == named
    assert not metas["list_models"]


@pytest.mark.parametrize("capabilities", [{}, CAPABILITIES])
def test_over_stdio_the_list_depends_on_what_the_host_declares(tmp_path: Path, capabilities: dict[str, Any]) -> None:
    host = Host(tmp_path)
    try:
        host.send("initialize", HELLO | {"capabilities": capabilities}, 1)
        host.receive()
        host.send("notifications/initialized", {})
        host.send("tools/list", {}, 2)
        names = [tool["name"] for tool in host.receive()["result"]["tools"]]
    finally:
        host.close()
    assert names == ([*THREE, "add_picture"] if capabilities else THREE)


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_ping_is_answered_over_stdio(tmp_path: Path, era: str) -> None:
    host = Host(tmp_path)
    try:
        if era == "legacy":
            host.greet()
        host.send("ping", {} if era == "legacy" else {"_meta": ENVELOPE}, 7)
        answer = host.receive()
    finally:
        host.close()
    assert answer["id"] == 7 and "result" in answer


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_a_ping_is_answered_over_http(tmp_path: Path, era: str) -> None:
    headers = {"Accept": "application/json, text/event-stream"}
    with HttpProcess(tmp_path) as server:
        if era == "legacy":
            hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": HELLO}
            session = httpx.post(server.url, json=hello, headers=headers).headers["mcp-session-id"]
            headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-11-25"}
        else:
            headers |= {"MCP-Protocol-Version": MODERN, "Mcp-Method": "ping"}
        params = {} if era == "legacy" else {"_meta": ENVELOPE}
        ping = {"jsonrpc": "2.0", "id": 7, "method": "ping", "params": params}
        answer = httpx.post(server.url, json=ping, headers=headers)
    assert answer.status_code == 200
    assert '"result"' in answer.text and '"error"' not in answer.text
