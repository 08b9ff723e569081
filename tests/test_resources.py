"""What a host reads without a tool call: predictions, their images, models, prompts, completions, the gallery."""

import base64
import json
from collections.abc import AsyncGenerator, Awaitable, Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from mcp import Client, MCPError
from mcp.shared.subscriptions import ResourceUpdated
from mcp.types import (
    BlobResourceContents,
    PromptReference,
    ReadResourceResult,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)
from PIL import Image

from darkroom.registry import ModelRegistry
from darkroom.settings import Settings
from darkroom_server.app import create_server
from darkroom_server.gallery import GALLERY_URI, gallery_html

pytestmark = pytest.mark.anyio

EXPECTED_TYPES = {"png": "image/png", "jpg": "image/jpeg", "webp": "image/webp", "svg": "image/svg+xml"}


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Of all servers of this file, so that each reads the pictures that were made once."""
    folder = tmp_path_factory.mktemp("resources")
    return Settings.read({"DARKROOM_DATA_DIR": str(folder / "data"), "DARKROOM_OUTPUT_DIR": str(folder / "pictures")})


Made = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture(scope="module")
async def made(settings: Settings) -> AsyncGenerator[Made]:
    """The report of a picture that is made with these arguments where there is none yet."""
    reports: dict[str, dict[str, Any]] = {}
    async with Client(create_server(settings)) as client:

        async def once(**arguments: Any) -> dict[str, Any]:
            name = json.dumps(arguments)
            if name not in reports:
                result = await client.call_tool("generate_image", {"prompt": "a lighthouse", **arguments})
                assert result.meta
                reports[name] = result.meta["darkroom/report"]
            return reports[name]

        yield once


@pytest.fixture(scope="module", params=["auto", "legacy"])
async def kept_client(request: pytest.FixtureRequest, settings: Settings, made: Made) -> AsyncGenerator[Client]:
    """Opened after what makes pictures, which stays open for both eras."""
    async with Client(create_server(settings), mode=request.param) as client:
        yield client


@pytest.fixture
async def client(kept_client: Client) -> AsyncGenerator[Client]:
    with anyio.fail_after(60):
        yield kept_client


def text(result: ReadResourceResult) -> str:
    assert isinstance(result.contents[0], TextResourceContents)
    return result.contents[0].text


async def test_a_prediction_is_read_as_the_report(client: Client, made: Made) -> None:
    report = await made()
    read = json.loads(text(await client.read_resource(f"prediction://{report['id']}")))
    assert read["status"] == "succeeded" and read["images"][0]["sha256"] == report["images"][0]["sha256"]


async def test_each_image_has_a_small_preview_under_the_number_of_the_answer(client: Client, made: Made) -> None:
    id = (await made(count=2))["request_id"]
    for number in (1, 2):
        [read] = (await client.read_resource(f"prediction://{id}/images/{number}/preview")).contents
        assert isinstance(read, BlobResourceContents)
        assert read.mime_type in ("image/jpeg", "image/webp", "image/png")
        with Image.open(BytesIO(base64.b64decode(read.blob))) as image:
            assert max(image.size) <= 1536
    with pytest.raises(MCPError, match="has no saved image '3'"):
        await client.read_resource(f"prediction://{id}/images/3/preview")


async def test_an_image_is_read_as_its_saved_bytes(client: Client, made: Made) -> None:
    report = await made()
    result = await client.read_resource(f"prediction://{report['id']}/images/1")
    assert isinstance(result.contents[0], BlobResourceContents)
    assert base64.b64decode(result.contents[0].blob) == Path(report["images"][0]["path"]).read_bytes()


@pytest.mark.parametrize("format", ["png", "jpg", "webp", "svg"])
async def test_an_image_is_read_under_its_own_type(client: Client, made: Made, format: str) -> None:
    [image] = (await made(prompt="a leaf", output_format=format))["images"]
    result = await client.read_resource(f"prediction://{image['prediction_id']}/images/1")
    assert result.contents[0].mime_type == image["mime_type"] == EXPECTED_TYPES[format]


@pytest.mark.parametrize("uri", ["prediction://nosuchprediction00", "models://acme/painter"])
async def test_what_does_not_exist_is_not_found(client: Client, uri: str) -> None:
    with pytest.raises(MCPError) as caught:
        await client.read_resource(uri)
    assert caught.value.error.code == -32602


async def test_an_image_number_that_does_not_exist_is_not_found(client: Client, made: Made) -> None:
    report = await made()
    for number in ("2", "0", "x"):
        with pytest.raises(MCPError):
            await client.read_resource(f"prediction://{report['id']}/images/{number}")


async def test_the_registry_is_read_whole_and_one_by_one(client: Client) -> None:
    whole = json.loads(text(await client.read_resource("models://registry")))
    assert len(whole["models"]) == len(ModelRegistry.load(None))
    one = json.loads(text(await client.read_resource("models://black-forest-labs/flux-schnell")))
    assert one["models"][0]["inputs"]


async def test_the_prompts_name_our_tools(client: Client) -> None:
    prompts = (await client.list_prompts()).prompts
    assert [prompt.name for prompt in prompts] == ["compare_models", "edit_photo", "product_shot", "poster", "icon"]
    result = await client.get_prompt("poster", {"text": "BLUE HOUR"})
    assert isinstance(result.messages[0].content, TextContent)
    assert '"BLUE HOUR"' in result.messages[0].content.text


@pytest.mark.parametrize("name", ["compare_models", "edit_photo", "product_shot", "poster", "icon"])
async def test_every_prompt_has_the_price_said_before_it_is_paid(client: Client, name: str) -> None:
    arguments = {"subject": "a", "photo": "/a.png", "changes": "b", "product": "c", "text": "d", "idea": "e"}
    [prompt] = [each for each in (await client.list_prompts()).prompts if each.name == name]
    wanted = {each.name for each in prompt.arguments or []}
    result = await client.get_prompt(name, {key: value for key, value in arguments.items() if key in wanted})
    content = result.messages[0].content
    assert isinstance(content, TextContent)
    assert ("price" in content.text or "cost" in content.text) and "wait for my yes" in content.text


async def test_model_names_are_completed_after_a_comma(client: Client) -> None:
    reference = PromptReference(name="compare_models")
    done = await client.complete(reference, {"name": "models", "value": "black-forest-labs/flux-schnell, ideo"})
    assert done.completion.values[0].startswith("black-forest-labs/flux-schnell, ideogram-ai/")


async def test_tasks_are_completed(client: Client) -> None:
    done = await client.complete(PromptReference(name="compare_models"), {"name": "task", "value": "text"})
    assert done.completion.values == ["text_to_image", "text_to_svg"]


async def test_the_owner_narrows_the_names(client: Client) -> None:
    reference = ResourceTemplateReference(uri="models://{owner}/{name}")
    done = await client.complete(reference, {"name": "name", "value": ""}, context_arguments={"owner": "luma"})
    assert done.completion.values == ["photon", "photon-flash", "reframe-image"]


async def test_picture_tools_are_bound_to_the_gallery_and_list_models_is_not(client: Client) -> None:
    bound = {tool.name: (tool.meta or {}).get("ui") for tool in (await client.list_tools()).tools}
    view = {"resourceUri": GALLERY_URI}
    assert bound == {"generate_image": view, "get_prediction": view, "list_models": None}


async def test_the_gallery_comes_with_the_hosts_it_may_load_images_from(client: Client) -> None:
    result = await client.read_resource(GALLERY_URI)
    content = result.contents[0]
    assert text(result) == gallery_html() and content.mime_type == "text/html;profile=mcp-app"
    [listed] = [each for each in (await client.list_resources()).resources if each.uri == GALLERY_URI]
    for meta in (content.meta, listed.meta):
        assert meta and "data:" in meta["ui"]["csp"]["resourceDomains"]


async def test_the_person_narrows_the_hosts_that_the_gallery_may_load_images_from(tmp_path: Path) -> None:
    hosts = "replicate.delivery, *.replicate.delivery"
    settings = Settings.read(
        {
            "REPLICATE_API_TOKEN": "r8_nobody",
            "DARKROOM_DATA_DIR": str(tmp_path),
            "DARKROOM_OUTPUT_HOSTS": hosts,
        }
    )
    async with Client(create_server(settings)) as client:
        meta = (await client.read_resource(GALLERY_URI)).contents[0].meta
    assert meta and meta["ui"]["csp"]["resourceDomains"] == [
        "data:",
        "https://api.replicate.com",
        "https://replicate.delivery",
        "https://*.replicate.delivery",
    ]


async def test_a_host_that_watches_a_prediction_hears_of_its_end(tmp_path: Path) -> None:
    variables = {"DARKROOM_DATA_DIR": str(tmp_path / "data"), "DARKROOM_OUTPUT_DIR": str(tmp_path / "pictures")}
    variables |= {"DARKROOM_GATEWAY": "replicate", "DARKROOM_API_KEY": "r8_nobody"}
    with anyio.fail_after(30):
        async with (
            FaultGateway(Plan(run_s=600)) as gateway,
            Client(create_server(Settings.read({**variables, "DARKROOM_BASE_URL": gateway.base_url}))) as client,
        ):
            started = await client.call_tool("generate_image", {"prompt": "a lighthouse", "wait_seconds": 0})
            assert started.meta
            uri = f"prediction://{started.meta['darkroom/report']['id']}"
            async with client.listen(resource_subscriptions=[uri]) as events:
                gateway.end_all()
                event = await anext(aiter(events))
            assert event == ResourceUpdated(uri=uri)
            assert json.loads(text(await client.read_resource(uri)))["status"] == "succeeded"
