"""Arguments as hosts write them: what is read in spite of its form, and what is refused before anything is sent."""

from collections.abc import AsyncGenerator
from typing import Any

import anyio
import pytest
from call_results import text
from fault_gateway import FaultGateway
from fault_plan import Plan, Truth
from mcp import Client
from mcp.types import CallToolResult

from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

TOOLS = ("generate_image", "get_prediction", "list_models")
PHOTO = "https://example.com/photo.jpg"


@pytest.fixture(scope="module")
async def kept_gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(born_done=1.0)) as gateway:
        yield gateway


@pytest.fixture(scope="module", params=["auto", "legacy"])
async def kept_client(
    request: pytest.FixtureRequest, kept_gateway: FaultGateway, tmp_path_factory: pytest.TempPathFactory
) -> AsyncGenerator[Client]:
    folder = tmp_path_factory.mktemp("tool_arguments")
    settings = Settings.read(
        {
            "DARKROOM_GATEWAY": "replicate",
            "DARKROOM_BASE_URL": kept_gateway.base_url,
            "DARKROOM_API_KEY": "r8_nobody",
            "DARKROOM_DATA_DIR": str(folder / "data"),
            "DARKROOM_OUTPUT_DIR": str(folder / "images"),
            "DARKROOM_PREVIEWS": "off",
        }
    )
    async with Client(create_server(settings), mode=request.param) as client:
        yield client


@pytest.fixture
def gateway(kept_gateway: FaultGateway) -> FaultGateway:
    """The same for all tests, and each has its own truth."""
    kept_gateway.truth = Truth()
    return kept_gateway


@pytest.fixture
async def client(kept_client: Client) -> AsyncGenerator[Client]:
    with anyio.fail_after(60):
        yield kept_client


async def say(client: Client, tool: str = "generate_image", **arguments: Any) -> CallToolResult:
    return await client.call_tool(tool, arguments)


async def sent(client: Client, gateway: FaultGateway, **arguments: Any) -> dict[str, Any]:
    """The input that the gateway got for these arguments."""
    result = await say(client, **arguments)
    assert text(result).startswith("Succeeded"), text(result)
    return gateway.truth.predictions[-1].input


# Null


async def test_null_is_not_given_in_every_argument(client: Client, gateway: FaultGateway) -> None:
    [tool, *_] = (await client.list_tools()).tools
    nothing: dict[str, Any] = dict.fromkeys(tool.input_schema["properties"])
    assert (await sent(client, gateway, **(nothing | {"prompt": "a fox"})))["prompt"] == "a fox"


async def test_null_for_what_is_required_is_refused_as_missing(client: Client) -> None:
    assert text(await say(client, "get_prediction", id=None)).startswith("Refused: id is required.")


async def test_null_inside_an_argument_is_not_given_either(client: Client, gateway: FaultGateway) -> None:
    wish = {"model": "black-forest-labs/flux-schnell", "seed": None, "images": [None]}
    given = await sent(client, gateway, prompt="a fox", model_options={"go_fast": None, "megapixels": "0.25"}, **wish)
    assert "go_fast" not in given and given["megapixels"] == "0.25"


async def test_null_for_an_unknown_argument_changes_nothing(client: Client) -> None:
    assert not (await say(client, "list_models", limit=1, sorting=None)).is_error


# Other forms


@pytest.mark.parametrize("images", [PHOTO, [PHOTO], [PHOTO, None], f'["{PHOTO}"]'])
async def test_one_image_may_be_given_without_its_list(client: Client, images: Any) -> None:
    said = text(await say(client, prompt="make it night", images=images, dry_run=True))
    assert PHOTO in said and "Refused" not in said


@pytest.mark.parametrize("images", ["", " ", [], "[]"])
async def test_no_image_may_be_given_as_an_empty_text(client: Client, gateway: FaultGateway, images: Any) -> None:
    assert (await sent(client, gateway, prompt="a fox", images=images))["prompt"] == "a fox"


async def test_numbers_and_truths_may_be_texts(client: Client, gateway: FaultGateway) -> None:
    given = await sent(client, gateway, prompt="a fox", seed="4", max_usd="0.5", dry_run="false", wait_seconds="30")
    assert given["seed"] == 4


# Unknown arguments


@pytest.mark.parametrize("tool", TOOLS)
async def test_an_unknown_argument_is_refused_by_every_tool(client: Client, gateway: FaultGateway, tool: str) -> None:
    result = await say(client, tool, id="latest", prompt="a fox", zzz=1)
    assert result.is_error and "Unknown argument 'zzz'." in text(result)
    assert "Nothing was sent or spent." in text(result) and f"{tool} takes: " in text(result)
    assert gateway.truth.creates == 0


@pytest.mark.parametrize(
    ("tool", "wrong", "right"),
    [
        ("generate_image", "aspect", "aspect_ratio"),
        ("generate_image", "image", "images"),
        ("generate_image", "option", "model_options"),
        ("generate_image", "n", "count"),
        ("generate_image", "num_images", "count"),
        ("generate_image", "numImages", "count"),
        ("generate_image", "size", "aspect_ratio"),
        ("generate_image", "init_image", "images"),
        ("generate_image", "MODEL", "model"),
        ("generate_image", "quality", "model_options"),
        ("list_models", "search", "query"),
        ("get_prediction", "wait", "wait_seconds"),
        ("list_models", "search_query", "query"),
        ("list_models", "tasks", "task"),
    ],
)
async def test_an_unknown_argument_is_refused_with_the_closest_name(
    client: Client, gateway: FaultGateway, tool: str, wrong: str, right: str
) -> None:
    said = text(await say(client, tool, **{wrong: "x"}))
    assert f"Unknown argument '{wrong}': did you mean '{right}'?" in said
    assert gateway.truth.creates == 0


@pytest.mark.parametrize(
    ("tool", "charged"), [("generate_image", "nothing"), ("get_prediction", "not known from here; asking is free")]
)
async def test_the_refusal_of_an_unknown_argument_is_a_whole_one(client: Client, tool: str, charged: str) -> None:
    result = await say(client, tool, zzz=1)
    assert text(result).startswith("Refused: ") and text(result).endswith(f"\nCharged: {charged}.")
    assert result.meta and result.meta["darkroom/report"]["error"]["kind"] == "invalid_request"


# The earlier name


async def test_options_is_still_taken_and_not_listed(client: Client, gateway: FaultGateway) -> None:
    wish = {"prompt": "a fox", "model": "black-forest-labs/flux-schnell"}
    assert (await sent(client, gateway, options={"megapixels": "0.25"}, **wish))["megapixels"] == "0.25"
    [tool, *_] = (await client.list_tools()).tools
    names = tool.input_schema["properties"]
    assert "model_options" in names and "options" not in names


async def test_both_names_at_once_are_refused(client: Client, gateway: FaultGateway) -> None:
    said = text(await say(client, prompt="a fox", options={"a": 1}, model_options={"a": 1}))
    assert said.startswith("Refused: options and model_options are the same argument.")
    assert gateway.truth.creates == 0
    assert (await sent(client, gateway, prompt="a fox", options=None, model_options={}))["prompt"] == "a fox"


async def test_an_option_outside_of_the_model_options_is_sent_there(client: Client) -> None:
    said = text(await say(client, prompt="a fox", num_inference_steps=4))
    assert "An input that only the model has goes into model_options." in said
