"""The three tools through a real MCP client in both protocol eras, on the embedded sandbox."""

import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any, cast

import anyio
import pytest
from call_results import report, text
from fault_gateway import FaultGateway
from fault_plan import Plan
from mcp import Client
from mcp.types import CallToolResult, ImageContent
from PIL import Image
from snapshot_tools import SNAPSHOT

from darkroom.registry import ModelRegistry, example_call
from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio


Call = Callable[..., Awaitable[CallToolResult]]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.read(
        {"DARKROOM_DATA_DIR": str(tmp_path / "data"), "DARKROOM_OUTPUT_DIR": str(tmp_path / "pictures")}
    )


@pytest.fixture(scope="module", params=["auto", "legacy"])
def mode(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(scope="module")
async def kept_client(tmp_path_factory: pytest.TempPathFactory, mode: Any) -> AsyncGenerator[Client]:
    folder = tmp_path_factory.mktemp("tools")
    variables = {"DARKROOM_DATA_DIR": str(folder / "data"), "DARKROOM_OUTPUT_DIR": str(folder / "pictures")}
    async with Client(create_server(Settings.read(variables | {"DARKROOM_PREVIEWS": "off"})), mode=mode) as client:
        yield client


@pytest.fixture
async def client(kept_client: Client) -> AsyncGenerator[Client]:
    """One for all tests of an era, without previews, which take a third of a call's time."""
    with anyio.fail_after(60):
        yield kept_client


@pytest.fixture
async def fresh(settings: Settings, mode: Any) -> AsyncGenerator[Client]:
    """One for this test, with previews."""
    with anyio.fail_after(60):
        async with Client(create_server(settings), mode=mode) as client:
            yield client


def at(gateway: FaultGateway, folder: Path) -> Settings:
    """Settings for a gateway whose predictions run until they are ended."""
    return Settings.read(
        {
            "DARKROOM_GATEWAY": "replicate",
            "DARKROOM_BASE_URL": gateway.base_url,
            "DARKROOM_API_KEY": "r8_nobody",
            "DARKROOM_DATA_DIR": str(folder / "data"),
            "DARKROOM_OUTPUT_DIR": str(folder / "pictures"),
        }
    )


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    with anyio.fail_after(60):
        async with FaultGateway(Plan(run_s=600)) as gateway:
            yield gateway


async def generate(client: Client, **arguments: Any) -> CallToolResult:
    return await client.call_tool("generate_image", {"prompt": "a lighthouse at dawn", **arguments})


# tools/list


async def test_exactly_three_tools_are_offered(client: Client) -> None:
    tools = (await client.list_tools()).tools
    assert [tool.name for tool in tools] == ["generate_image", "get_prediction", "list_models"]


async def test_the_list_of_tools_stays_small_and_private(client: Client) -> None:
    listed = await client.list_tools()
    assert len(json.dumps([tool.model_dump(by_alias=True, exclude_none=True) for tool in listed.tools])) <= 5_700
    assert client.protocol_version < "2026" or listed.cache_scope == "private", "it holds the person's settings"


async def test_a_description_is_running_text_and_no_argument_has_a_made_up_title(client: Client) -> None:
    for tool in (await client.list_tools()).tools:
        assert tool.description and "  " not in tool.description
        assert all(len(paragraph.splitlines()) == 1 for paragraph in tool.description.split("\n\n"))
        assert "title" not in tool.input_schema
        assert not [name for name, schema in tool.input_schema["properties"].items() if "title" in schema]


async def test_no_news_of_changed_lists_is_offered_as_none_is_ever_sent(client: Client) -> None:
    offered = client.server_capabilities
    assert offered.tools and offered.prompts and offered.resources
    assert not (offered.tools.list_changed or offered.prompts.list_changed or offered.resources.list_changed)


async def test_the_tools_are_as_the_snapshot_says(client: Client) -> None:
    tools = (await client.list_tools()).tools
    shown = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    assert shown == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


async def test_schemas_hold_nothing_that_a_host_refuses(client: Client) -> None:
    words = {"anyOf", "oneOf", "allOf", "$ref", "$defs", "const", "format", "exclusiveMinimum", "exclusiveMaximum"}
    words |= {"additionalProperties", "prefixItems", "patternProperties", "propertyNames"}

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found = cast("dict[str, Any]", value)
            assert not words & found.keys()
            assert isinstance(found.get("type", ""), str | dict), "no lists of types, no nulls"
            for each in found.values():
                walk(each)

    for tool in (await client.list_tools()).tools:
        walk(tool.input_schema)
        assert tool.input_schema["type"] == "object"


async def test_every_tool_states_all_hints_and_a_title(client: Client) -> None:
    for tool in (await client.list_tools()).tools:
        hints = tool.annotations
        assert tool.title and hints
        assert None not in (hints.read_only_hint, hints.destructive_hint, hints.idempotent_hint, hints.open_world_hint)
        assert len(tool.description or "") < 2_000


# generate_image


async def test_a_prompt_gives_a_saved_picture_and_a_preview(fresh: Client, settings: Settings) -> None:
    result = await generate(fresh)
    assert not result.is_error
    assert text(result).startswith("Succeeded: 1 image by black-forest-labs/flux-schnell (prediction '")
    [image] = report(result)["images"]
    saved = Path(image["path"])
    assert saved.parent == Path(settings.output_location) and saved.name.startswith("a-lighthouse-at-dawn-")
    with Image.open(saved) as picture:
        assert picture.size == (image["width"], image["height"]) == (1024, 1024)
    [preview] = [block for block in result.content if isinstance(block, ImageContent)]
    with Image.open(BytesIO(base64.b64decode(preview.data))) as small:
        assert small.format == "JPEG" and max(small.size) == 768
    assert {block.type for block in result.content} == {"text", "image"}


async def test_an_image_that_cannot_be_decoded_is_said_to_be_without_a_preview(fresh: Client) -> None:
    made = await generate(fresh)
    path = Path(report(made)["images"][0]["path"])
    path.write_bytes(path.read_bytes()[:200])
    found = await fresh.call_tool("get_prediction", {"id": report(made)["id"]})
    note = "image 1 cannot be shown: it is damaged and cannot be decoded."
    assert f"Note: {note}" in text(found) and note in report(found)["notes"]


async def test_an_image_that_comes_without_its_end_is_kept_and_not_called_saved(fresh: Client, tmp_path: Path) -> None:
    result = await generate(fresh, prompt="sandbox:truncated a lighthouse")
    assert "Image 1 is not saved yet: The file is damaged: its end is missing" in text(result)
    assert text(result).startswith("Damaged: 1 image by ") and text(result).count("is damaged") == 1
    assert report(result)["images"][0]["state"] == "wanted"
    assert len([path for path in (tmp_path / "pictures").iterdir() if path.stat().st_size]) == 1


async def test_a_sidecar_says_how_the_picture_was_made(client: Client) -> None:
    result = await generate(client, seed=7)
    [image] = report(result)["images"]
    sidecar = json.loads(Path(image["path"]).with_suffix(".json").read_text(encoding="utf-8"))
    assert sidecar["prompt"] == "a lighthouse at dawn"
    assert sidecar["model"] == "black-forest-labs/flux-schnell"
    assert sidecar["seed"] == 7 and sidecar["input"]["seed"] == 7
    assert sidecar["file"]["sha256"] == image["sha256"]
    assert sidecar["prediction_id"] == report(result)["id"]


async def test_the_answer_carries_no_structured_content(client: Client) -> None:
    assert (await generate(client)).structured_content is None


async def test_four_images_come_from_one_prediction_in_a_kilobyte_of_text(fresh: Client) -> None:
    result = await generate(fresh, count=4, aspect_ratio="16:9")
    assert text(result).startswith("Succeeded: 4 images")
    assert len(report(result)["predictions"]) == 1 and len(report(result)["images"]) == 4
    assert all(image["width"] > image["height"] for image in report(result)["images"])
    [sheet] = [block.data for block in result.content if isinstance(block, ImageContent)]
    assert len(sheet) <= 500_000


async def test_more_images_than_a_model_makes_at_once_become_several_predictions(client: Client) -> None:
    result = await generate(client, count=3, model="black-forest-labs/flux-1.1-pro", seed=5)
    assert text(result).startswith("Succeeded: 3 images")
    assert [part["seed"] for part in report(result)["predictions"]] == [5, 6, 7]
    assert "3 predictions" in text(result)


async def test_every_answer_of_the_sandbox_says_so(client: Client) -> None:
    answer = text(await generate(client))
    assert "sandbox" in answer and "REPLICATE_API_TOKEN" in answer


async def test_a_misspelt_argument_is_refused_by_name_and_nothing_is_made(fresh: Client) -> None:
    result = await generate(fresh, aspectratio="16:9")
    assert result.is_error
    assert text(result).startswith("Refused: Unknown argument 'aspectratio': did you mean 'aspect_ratio'?")
    assert "There is no prediction yet" in text(await fresh.call_tool("get_prediction", {"id": "latest"}))


async def test_a_value_that_does_not_fit_is_refused_in_plain_words(client: Client) -> None:
    result = await generate(client, count=99, seed="abc")
    assert text(result).startswith("Refused: count 99: Input should be less than or equal to 10. seed 'abc': ")
    assert text(result).endswith("Nothing was sent or spent.\nCharged: nothing.") and "pydantic" not in text(result)
    assert report(result)["error"]["kind"] == "invalid_request"
    assert text(await client.call_tool("get_prediction", {})).startswith("Refused: id is required.")


async def test_an_unknown_model_names_the_closest(client: Client) -> None:
    result = await generate(client, model="flux-schnel")
    assert result.is_error and "black-forest-labs/flux-schnell" in text(result)
    assert report(result)["error"]["kind"] == "unknown_model"


async def test_a_bad_option_is_refused_before_anything_is_sent(client: Client) -> None:
    result = await generate(client, model_options={"num_inference_step": 4})
    assert result.is_error and "num_inference_steps" in text(result) and "othing was sent" in text(result)


async def test_a_ratio_that_is_nearly_offered_is_replaced_and_noted(client: Client) -> None:
    answer = text(await generate(client, aspect_ratio="1.35:1"))
    assert answer.startswith("Succeeded") and "Note: aspect_ratio" in answer


async def test_a_ratio_that_is_not_offered_is_refused_with_those_that_are(client: Client) -> None:
    answer = text(await generate(client, aspect_ratio="5:7"))
    assert answer.startswith("Refused: aspect_ratio '5:7'") and "Allowed: 1:1, 16:9" in answer


async def test_the_same_request_id_gives_the_same_prediction(client: Client) -> None:
    first = await generate(client, request_id="lighthouse")
    again = await generate(client, request_id="lighthouse")
    assert report(first)["id"] == report(again)["id"]
    assert "nothing new was started" in text(again)


async def test_a_spent_budget_hands_out_the_id_and_the_work_goes_on(
    gateway: FaultGateway, tmp_path: Path, mode: Any
) -> None:
    async with Client(create_server(at(gateway, tmp_path)), mode=mode) as client:
        result = await generate(client, wait_seconds=0)
        assert not result.is_error and text(result).startswith("Still ")
        gateway.end_all()
        later = await client.call_tool("get_prediction", {"id": report(result)["id"], "wait_seconds": 30})
        assert text(later).startswith("Succeeded: 1 image")


async def test_a_moderated_prompt_is_an_error_that_asks_for_another_prompt(client: Client) -> None:
    result = await generate(client, prompt="sandbox:nsfw a lighthouse")
    assert result.is_error and text(result).startswith("Failed:") and "change the prompt" in text(result)


async def test_an_image_is_edited_by_the_id_of_an_earlier_prediction(client: Client) -> None:
    first = await generate(client)
    edited = await generate(client, prompt="make it night", images=[f"prediction:{report(first)['id']}"])
    assert text(edited).startswith("Succeeded: 1 image by black-forest-labs/flux-kontext-dev")
    assert report(edited)["images"][0]["sha256"] != report(first)["images"][0]["sha256"]


async def test_latest_among_images_is_refused_before_anything_is_paid(client: Client) -> None:
    await generate(client)
    for reference in ("prediction:latest", "prediction:latest/1", "prediction:LATEST"):
        edited = await generate(client, prompt="make it night", images=[reference])
        said = text(edited)
        assert edited.is_error and "or one of another conversation. Give the id: get_prediction(id='latest')" in said
        assert "Charged: nothing" in said


async def test_progress_begins_at_once_only_rises_and_soon_names_the_id(gateway: FaultGateway, tmp_path: Path) -> None:
    seen: list[tuple[float, str]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        seen.append((progress, message or ""))
        if any(each.id in seen[-1][1] for each in gateway.truth.predictions):
            gateway.end_all()

    async with Client(create_server(at(gateway, tmp_path))) as client:
        wish = {"prompt": "a lighthouse", "wait_seconds": 40}
        result = await client.call_tool("generate_image", wish, progress_callback=on_progress)
    values = [value for value, _ in seen]
    assert values == sorted(set(values)) and values[0] == 0
    assert any(message.startswith(report(result)["id"]) for _, message in seen)
    assert text(result).startswith("Succeeded")
    assert all(len(message) <= 100 for _, message in seen)


# get_prediction


async def test_the_latest_prediction_is_found(client: Client) -> None:
    made = await generate(client)
    found = await client.call_tool("get_prediction", {"id": "latest"})
    assert report(found)["id"] == report(made)["id"] and not found.is_error


async def test_an_unknown_id_is_said_in_words(client: Client) -> None:
    result = await client.call_tool("get_prediction", {"id": "nosuchprediction0000"})
    assert result.is_error and "nosuchprediction0000" in text(result)


async def test_a_prediction_is_found_after_a_restart(settings: Settings) -> None:
    async with Client(create_server(settings)) as client:
        made = await generate(client)
    async with Client(create_server(settings)) as client:
        found = await client.call_tool("get_prediction", {"id": report(made)["id"]})
    assert text(found).startswith("Succeeded") and report(found)["images"][0]["state"] == "stored"


async def test_a_prediction_that_a_closed_server_left_running_comes_home_at_the_next_start(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with Client(create_server(at(gateway, tmp_path))) as client:
        made = await generate(client, wait_seconds=0)
        assert text(made).startswith("Still ")
    gateway.end_all()
    async with Client(create_server(at(gateway, tmp_path))) as client:
        found = await client.call_tool("get_prediction", {"id": report(made)["id"], "wait_seconds": 30})
    assert Path(report(found)["images"][0]["path"]).is_file()


# list_models


async def test_models_are_found_by_words_and_task(client: Client) -> None:
    result = await client.call_tool("list_models", {"query": "text", "task": "text_to_image", "limit": 5})
    assert not result.is_error and text(result).startswith(f"5 of {len(ModelRegistry.load(None))} models")
    assert text(result).count(" | ") == 3 * 6 and " more can do it" in text(result)
    assert result.structured_content is None


async def test_one_model_comes_with_its_inputs_and_an_example_that_works(client: Client) -> None:
    result = await client.call_tool("list_models", {"model": "flux-schnell"})
    assert "num_inference_steps: integer 1..4" in text(result)
    example = example_call(ModelRegistry.load(None).get("flux-schnell"))
    assert f'prompt="{example["prompt"]}", model_options=' in text(result) and result.structured_content is None
    assert text(await client.call_tool("generate_image", example)).startswith("Succeeded")


async def test_an_unknown_task_lists_the_tasks(client: Client) -> None:
    result = await client.call_tool("list_models", {"task": "paint"})
    assert result.is_error


# settings


async def test_a_wrong_setting_is_the_answer_to_each_call_not_the_end_of_the_server(mode: Any) -> None:
    settings = Settings.read_or_problem({"DARKROOM_GATEWAY": "replicat"})
    async with Client(create_server(settings), mode=mode) as client:
        result = await client.call_tool("generate_image", {"prompt": "a lighthouse"})
        assert result.is_error and "DARKROOM_GATEWAY" in text(result)
        assert not (await client.call_tool("list_models", {})).is_error


# How long a call waits


@pytest.mark.parametrize(("variable", "most"), [("20", 50), ("100", 100)])
async def test_a_wait_beyond_the_limit_of_hosts_is_cut_and_noted(tmp_path: Path, variable: str, most: int) -> None:
    environ = {"DARKROOM_DATA_DIR": str(tmp_path), "DARKROOM_OUTPUT_DIR": str(tmp_path)}
    settings = Settings.read({**environ, "DARKROOM_WAIT_SECONDS": variable})
    async with Client(create_server(settings)) as client:
        listed = (await client.list_tools()).tools[0].input_schema["properties"]["wait_seconds"]
        assert listed["default"] == int(variable)
        for result in (
            await generate(client, wait_seconds=most + 1),
            await client.call_tool("get_prediction", {"id": "latest", "wait_seconds": 600}),
        ):
            assert f"was cut to {most}" in text(result) and "DARKROOM_WAIT_SECONDS" in text(result)
            assert sum("was cut" in note for note in report(result)["notes"]) == 1
        assert "was cut" not in text(await generate(client, wait_seconds=most))


# The journal's warnings


async def test_a_journal_that_was_set_aside_is_told_once_by_each_tool(settings: Settings, mode: Any) -> None:
    settings.data_path.mkdir()
    (settings.data_path / "journal.sqlite3").write_bytes(b"no journal at all" * 100)
    calls: list[tuple[str, dict[str, Any]]] = [
        ("generate_image", {"prompt": "a lighthouse", "request_id": "lighthouse"}),
        ("get_prediction", {"id": "lighthouse"}),
        ("list_models", {"limit": 1}),
    ]
    async with Client(create_server(settings), mode=mode) as client:
        first = [text(await client.call_tool(tool, arguments)) for tool, arguments in calls]
        second = [text(await client.call_tool(tool, arguments)) for tool, arguments in calls]
    aside = next(settings.data_path.glob("journal.sqlite3.corrupt-*")).name
    assert all(aside in answer for answer in first)
    assert not any(aside in answer for answer in second)
