"""Output schemas and structured content, which come only where they are asked for, and then with every answer.

The client of the SDK checks each answer against the schema itself, and fails where structured content is missing.
"""

import logging
from collections.abc import AsyncGenerator
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import anyio
import pytest
from jsonschema import Draft202012Validator
from mcp import Client
from mcp.types import CallToolResult, TextContent
from pydantic import JsonValue

from darkroom.settings import Settings
from darkroom_server.app import create_server
from darkroom_server.content import refusal
from darkroom_server.mcp_server import DarkroomServer
from darkroom_server.output_schema import PredictionResult, answer_schemas

pytestmark = pytest.mark.anyio

PREDICTION_ANSWER, MODELS_ANSWER = answer_schemas().values()


def settings_in(folder: Path, **more: str) -> Settings:
    return Settings.read(
        {
            "DARKROOM_DATA_DIR": str(folder / "data"),
            "DARKROOM_OUTPUT_DIR": str(folder / "pictures"),
            "DARKROOM_STRUCTURED_OUTPUT": "true",
            **more,
        }
    )


@pytest.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Client]:
    mode: Literal["auto", "legacy"] = request.param
    with anyio.fail_after(60):
        async with Client(create_server(settings_in(tmp_path)), mode=mode) as client:
            yield client


def data(result: CallToolResult) -> dict[str, Any]:
    content = cast("dict[str, Any] | None", result.structured_content)
    assert content is not None
    return content


def closed(schema: JsonValue) -> JsonValue:
    """The schema with every object that names its properties closed to others."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    inner = {name: closed(each) for name, each in schema.items()}
    return {**inner, "additionalProperties": False} if "properties" in inner else inner


def faults(answer: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    found = cast("Any", Draft202012Validator(cast("dict[str, Any]", closed(schema)))).iter_errors(answer)
    return [str(each.message) for each in found]


async def test_every_tool_has_an_output_schema_without_references(client: Client) -> None:
    tools = (await client.list_tools()).tools
    assert len(tools) == 3
    for tool in tools:
        assert tool.output_schema == (MODELS_ANSWER if tool.name == "list_models" else PREDICTION_ANSWER)
        assert "$ref" not in str(tool.output_schema)


async def test_without_the_setting_no_tool_has_an_output_schema(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, DARKROOM_STRUCTURED_OUTPUT="false")
    async with Client(create_server(settings)) as client:
        assert [tool.output_schema for tool in (await client.list_tools()).tools] == [None] * 3


async def test_the_schema_names_all_that_an_answer_holds(client: Client) -> None:
    made = await client.call_tool("generate_image", {"prompt": "a lighthouse", "count": 2})
    assert faults(data(made), PREDICTION_ANSWER) == []
    table = await client.call_tool("list_models", {"limit": 100})
    assert faults(data(table), MODELS_ANSWER) == []


async def test_structured_content_repeats_the_report(client: Client) -> None:
    result = await client.call_tool("generate_image", {"prompt": "a lighthouse"})
    assert result.meta and data(result) == result.meta["darkroom/report"]
    assert {block.type for block in result.content} == {"text", "image"}
    again = await client.call_tool("get_prediction", {"id": data(result)["id"]})
    assert [image["path"] for image in data(again)["images"]] == [image["path"] for image in data(result)["images"]]
    assert faults(data(again), PREDICTION_ANSWER) == []
    listed = await client.call_tool("get_prediction", {"id": "today"})
    assert data(listed)["status"] == "listed" and faults(data(listed), PREDICTION_ANSWER) == []


@pytest.mark.parametrize(
    ("tool", "arguments", "kind"),
    [
        pytest.param("generate_image", {"promt": "a fox"}, "invalid_request", id="misspelt"),
        pytest.param("generate_image", {"prompt": "a fox", "count": 99}, "invalid_request", id="out of range"),
        pytest.param("generate_image", {"prompt": "a fox", "model": "flux-schnel"}, "unknown_model", id="model"),
        pytest.param("generate_image", {"prompt": "sandbox:402 a fox"}, "credit_exhausted", id="no credit"),
        pytest.param("get_prediction", {}, "invalid_request", id="missing"),
        pytest.param("get_prediction", {"id": "nothing"}, "unknown_prediction", id="unknown id"),
        pytest.param("get_prediction", {"id": "nothing", "cancel": True}, "unknown_prediction", id="unknown to cancel"),
        pytest.param("get_prediction", {"id": "today", "cancel": True}, "invalid_input", id="a list to cancel"),
    ],
)
async def test_a_refusal_is_structured_too(client: Client, tool: str, arguments: dict[str, Any], kind: str) -> None:
    result = await client.call_tool(tool, arguments)
    assert result.is_error and data(result)["error"]["kind"] == kind


async def test_a_failed_prediction_and_one_that_goes_on_are_structured_too(client: Client) -> None:
    failed = await client.call_tool("generate_image", {"prompt": "sandbox:nsfw a fox"})
    assert failed.is_error and data(failed)["outcome"] == "failed"
    running = await client.call_tool("generate_image", {"prompt": "sandbox:slow=30 a fox", "wait_seconds": 0})
    assert data(running)["outcome"] == "running"


@pytest.mark.parametrize("arguments", [{"models": "x"}, {"task": "paint"}, {"model": "no-such-model"}])
async def test_a_refusal_of_list_models_is_structured_too(client: Client, arguments: dict[str, Any]) -> None:
    result = await client.call_tool("list_models", arguments)
    assert result.is_error and data(result)["models"] == [] and len(data(result)["problems"]) == 1


async def test_a_host_that_cannot_ask_gets_its_refusal_structured(tmp_path: Path) -> None:
    paid = {"DARKROOM_GATEWAY": "replicate", "DARKROOM_API_KEY": "r8_nobody", "DARKROOM_CONFIRM_USD": "0.001"}
    async with Client(create_server(settings_in(tmp_path, **paid))) as client:
        result = await client.call_tool("generate_image", {"prompt": "a fox"})
    assert result.is_error and data(result)["error"]["kind"] == "spending_limit"


async def test_a_fault_of_darkroom_itself_is_said_in_words_with_the_reason_only_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    server = DarkroomServer("broken", fill={})
    server.add_tools([], {"get_prediction": partial(refusal, is_structured=True)})

    @server.tool(structured_output=True)
    async def get_prediction() -> PredictionResult:  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
        raise RuntimeError("a pipe in room 7")

    with caplog.at_level(logging.ERROR):
        async with Client(server) as client:
            result = await client.call_tool("get_prediction", {})
    block = result.content[0]
    assert isinstance(block, TextContent) and "internal fault" in block.text and "room 7" not in block.text
    assert data(result)["error"]["billed"] == "maybe" and "room 7" in caplog.text
