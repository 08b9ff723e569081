"""Real clients whose time is up and that ask again, as frameworks do: one prediction, whatever stands between."""

import sqlite3
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from call_results import text
from fault_plan import Plan
from forking_program import darkroom_command
from gateway_process import GatewayProcess, gateway_process
from http_process import HttpProcess, bare_environ
from mcp import Client, MCPError
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult, ImageContent
from node_programs import json_of
from stdio_host import Host

FOX = {"prompt": "a fox", "wait_seconds": 40}
RUNS = Plan(run_s=600)
DONE = Plan(born_done=1.0)


@pytest.fixture
def gateway() -> Generator[GatewayProcess]:
    with gateway_process(RUNS) as gateway:
        yield gateway


@asynccontextmanager
async def client_of(way: str, gateway: GatewayProcess, folder: Path) -> AsyncGenerator[Client]:
    """A client of the SDK over stdio, or over HTTP in one of both eras; its server has this folder."""
    with anyio.fail_after(90):
        if way == "stdio":
            environ = bare_environ(folder, **gateway.settings)
            command, *words = darkroom_command(environ, "serve")
            async with Client(StdioServerParameters(command=command, args=words, env=environ)) as client:
                yield client
        else:
            mode: Any = "legacy" if way == "handshake http" else "auto"
            with HttpProcess(folder, **gateway.settings) as server:
                async with Client(server.url, mode=mode) as client:
                    yield client


async def give_up(client: Client, limit_s: float) -> None:
    """A call that ends by the client's own time-out."""
    with pytest.raises(MCPError, match="timed out"):
        await client.call_tool("generate_image", FOX, read_timeout_seconds=limit_s)


async def abandon(client: Client, gateway: GatewayProcess) -> None:
    """A call whose task is cancelled once its prediction runs."""
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(client.call_tool, "generate_image", FOX)
        await anyio.to_thread.run_sync(gateway.until, "predictions")
        tasks.cancel_scope.cancel()


async def marked(folder: Path) -> None:
    """Return once each answer is marked as delivered; a process that ends before is one whose answer may be lost."""
    (journal,) = folder.rglob("journal.sqlite3")
    with closing(sqlite3.connect(journal)) as connection, anyio.fail_after(60):
        unmarked = "SELECT 1 FROM intents WHERE answered_at IS NULL"
        while connection.execute(unmarked).fetchone():  # noqa: ASYNC110 - the server is another process
            await anyio.sleep(0.02)


WAYS = pytest.mark.parametrize("way", ["stdio", "handshake http", "modern http"])


@pytest.mark.anyio
@WAYS
async def test_a_framework_that_calls_three_times_gets_one_prediction(
    gateway: GatewayProcess, tmp_path: Path, way: str
) -> None:
    async with client_of(way, gateway, tmp_path) as client:
        await abandon(client, gateway)
        await give_up(client, 0.5)
        last = text(await client.call_tool("generate_image", {**FOX, "wait_seconds": 0}))
        assert "joined the call of" in last and last.startswith("Still processing")
        assert gateway.truth().creates == 1 and not gateway.truth().cancels


@pytest.mark.anyio
@WAYS
async def test_two_equal_wishes_in_a_row_are_two_pictures(gateway: GatewayProcess, tmp_path: Path, way: str) -> None:
    gateway.follow(DONE)
    async with client_of(way, gateway, tmp_path) as client:
        for number in (1, 2):
            answer = text(await client.call_tool("generate_image", FOX))
            assert answer.startswith("Succeeded") and "joined" not in answer
            assert gateway.truth().creates == number
        await marked(tmp_path)
    async with client_of(way, gateway, tmp_path) as client:
        assert "joined" not in text(await client.call_tool("generate_image", FOX))
    assert gateway.truth().creates == 3


@pytest.mark.anyio
@WAYS
async def test_equal_calls_side_by_side_are_two_wishes(gateway: GatewayProcess, tmp_path: Path, way: str) -> None:
    gateway.follow(DONE)
    async with client_of(way, gateway, tmp_path) as client, anyio.create_task_group() as tasks:
        for _ in range(2):
            tasks.start_soon(client.call_tool, "generate_image", FOX)
    assert gateway.truth().creates == 2


@pytest.mark.anyio
async def test_a_result_that_was_looked_up_is_answered(gateway: GatewayProcess, tmp_path: Path) -> None:
    async with client_of("stdio", gateway, tmp_path) as client:
        await abandon(client, gateway)
        gateway.end_all()
        look = {"id": "latest", "wait_seconds": 40}
        assert text(await client.call_tool("get_prediction", look)).startswith("Succeeded")
        assert "joined" not in text(await client.call_tool("generate_image", {**FOX, "wait_seconds": 0}))
    assert gateway.truth().creates == 2


@pytest.mark.anyio
async def test_a_preview_is_shown_once_in_a_conversation_and_again_when_asked(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway.follow(DONE)
    async with client_of("stdio", gateway, tmp_path) as client:
        first = await client.call_tool("generate_image", FOX)
        look = {"id": gateway.truth().predictions[0].id}
        second = await client.call_tool("get_prediction", look)
        third = await client.call_tool("get_prediction", look | {"previews": True})
    assert [pictures(each) for each in (first, second, third)] == [1, 0, 1]
    assert "shown before; get_prediction with previews=true shows it again" in text(second)


@pytest.mark.anyio
async def test_each_look_up_of_a_conversation_that_nobody_knows_shows_its_preview(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    gateway.follow(DONE)
    async with client_of("modern http", gateway, tmp_path) as client:
        await client.call_tool("generate_image", FOX)
        for _ in range(2):
            found = await client.call_tool("get_prediction", {"id": gateway.truth().predictions[0].id})
            assert pictures(found) == 1


@pytest.mark.anyio
async def test_latest_is_of_the_session_over_handshake_http(gateway: GatewayProcess, tmp_path: Path) -> None:
    gateway.follow(DONE)
    with anyio.fail_after(90), HttpProcess(tmp_path, **gateway.settings) as server:
        async with Client(server.url, mode="legacy") as one, Client(server.url, mode="legacy") as two:
            await one.call_tool("generate_image", {"prompt": "a fox"})
            await two.call_tool("generate_image", {"prompt": "a hen"})
            ids = [each.id for each in gateway.truth().predictions]
            found = [text(await each.call_tool("get_prediction", {"id": "latest"})) for each in (one, two)]
    assert [id in said for id, said in zip(ids, found, strict=True)] == [True, True]


def pictures(result: CallToolResult) -> int:
    return sum(isinstance(block, ImageContent) for block in result.content)


# Line by line: what a host that dies leaves behind


def call(host: Host, number: int, **more: Any) -> None:
    host.send("tools/call", {"name": "generate_image", "arguments": FOX | more}, number)


def answer(host: Host, number: int) -> str:
    while (message := host.receive()).get("id") != number:
        pass
    return message["result"]["content"][0]["text"]


def begun(host: Host, gateway: GatewayProcess) -> None:
    host.greet()
    call(host, 2)
    gateway.until("predictions")


@pytest.mark.parametrize("end", ["kill", "terminate", "stdin"])
def test_the_next_process_joins_what_the_last_one_did_not_answer(
    gateway: GatewayProcess, tmp_path: Path, end: str
) -> None:
    first = Host(tmp_path, **gateway.settings)
    begun(first, gateway)
    first.stdin.close() if end == "stdin" else getattr(first.process, end)()
    first.process.wait(timeout=20)
    first.close()
    second = Host(tmp_path, **gateway.settings)
    try:
        second.greet()
        call(second, 2, wait_seconds=0)
        assert "joined the call" in answer(second, 2)
        assert gateway.truth().creates == 1
    finally:
        second.close()


def test_what_a_person_has_stopped_is_not_joined(gateway: GatewayProcess, tmp_path: Path) -> None:
    host = Host(tmp_path, **gateway.settings)
    try:
        begun(host, gateway)
        host.send("notifications/cancelled", {"requestId": 2, "reason": "user pressed stop"})
        gateway.until("cancels")
        call(host, 3, wait_seconds=0)
        assert "joined" not in answer(host, 3)
        assert gateway.truth().creates == 2
    finally:
        host.close()


# The client of the TypeScript SDK


def retried(folder: Path, gateway: GatewayProcess, *target: str) -> dict[str, Any]:
    return json_of("./typescript_retry.mjs", "a fox", *target, environ=bare_environ(folder, **gateway.settings))


def test_the_typescript_client_joins_its_own_call_over_stdio(gateway: GatewayProcess, tmp_path: Path) -> None:
    environ = bare_environ(tmp_path, **gateway.settings)
    seen = retried(tmp_path, gateway, *darkroom_command(environ, "serve"))
    assert "timed out" in seen["first"] and "joined the call" in seen["second"]
    assert gateway.truth().creates == 1 and not gateway.truth().cancels


def test_the_typescript_client_joins_its_own_call_over_http(gateway: GatewayProcess, tmp_path: Path) -> None:
    with HttpProcess(tmp_path, **gateway.settings) as server:
        seen = retried(tmp_path, gateway, server.url)
    assert "timed out" in seen["first"] and "joined the call" in seen["second"]
    assert gateway.truth().creates == 1 and not gateway.truth().cancels
