"""The deadline of a call: it holds for work that cannot be interrupted, and for a gateway that never answers."""

import json
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
import pytest
from mcp import Client
from mcp.types import CallToolResult, TextContent

from darkroom.settings import Settings
from darkroom_server.app import create_server
from darkroom_server.deadline import within

pytestmark = pytest.mark.anyio


async def test_work_that_cannot_be_interrupted_is_left_behind_at_its_deadline() -> None:
    may_end, has_ended = anyio.Event(), anyio.Event()

    async def work() -> str:
        with anyio.CancelScope(shield=True):
            await may_end.wait()
        has_ended.set()
        return "too late"

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            assert await within(tasks, 0.01, work) is None
            assert not has_ended.is_set()
            may_end.set()
            await has_ended.wait()


async def test_work_in_time_gives_its_result_and_a_fault_its_error() -> None:
    async def fail() -> str:
        raise LookupError("nothing there")

    async def succeed() -> str:
        return "an answer"

    async with anyio.create_task_group() as tasks:
        assert await within(tasks, 20, succeed) == "an answer"
        with pytest.raises(LookupError, match="nothing there"):
            await within(tasks, 20, fail)


async def _say_nothing(stream: anyio.abc.SocketStream) -> None:
    async with stream:
        await anyio.sleep_forever()


async def test_a_gateway_that_never_answers_does_not_keep_the_host_waiting(tmp_path: Path) -> None:
    """Well before hosts give up at 60 s, and where something was sent with the name under which it is found."""
    wishes: dict[str, dict[str, Any]] = {
        "generate_image": {"prompt": "a fox", "request_id": "mine0prediction0id", "wait_seconds": 0},
        "get_prediction": {"id": "foreign0prediction0id"},
    }
    results: dict[str, CallToolResult] = {}

    async def call(client: Client, tool: str) -> None:
        results[tool] = await client.call_tool(tool, wishes[tool])

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        port = listener.extra(anyio.abc.SocketAttribute.local_port)
        tasks.start_soon(listener.serve, _say_nothing)
        settings = Settings.read(
            {
                "DARKROOM_GATEWAY": "replicate",
                "DARKROOM_BASE_URL": f"http://127.0.0.1:{port}",
                "DARKROOM_API_KEY": "r8_nobody",
                "DARKROOM_DATA_DIR": str(tmp_path / "data"),
                "DARKROOM_OUTPUT_DIR": str(tmp_path / "images"),
            }
        )
        async with Client(create_server(settings)) as client:
            with anyio.fail_after(20):
                async with anyio.create_task_group() as calls:
                    for tool in wishes:
                        calls.start_soon(call, client, tool)
        tasks.cancel_scope.cancel()
    for tool, name in (("generate_image", "mine0prediction0id"), ("get_prediction", "foreign0prediction0id")):
        block, meta = results[tool].content[0], results[tool].meta
        assert isinstance(block, TextContent) and meta
        assert results[tool].is_error or name in block.text + json.dumps(meta)
        assert meta["darkroom/report"]["outcome"] in ("running", "unresolved", "refused")
