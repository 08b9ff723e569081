"""What an answer shows beside its words: one small picture, no links unless asked, and what each host needs of it."""

import base64
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import Any

import anyio
import pytest
from call_results import text
from mcp import Client
from mcp.types import CallToolResult, ImageContent, Implementation, ResourceLink
from PIL import Image
from rows import facts, succeeded

from darkroom.reports import prediction_report, with_preview
from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio
Opened = Callable[..., AbstractAsyncContextManager[Callable[..., Awaitable[CallToolResult]]]]


@asynccontextmanager
async def host_at(folder: Path, mode: Any, name: str, place: str = "pictures", **given: str) -> AsyncGenerator[Client]:
    """A host of that name; all of them share the journal in the folder."""
    environ = {"DARKROOM_DATA_DIR": str(folder / "data"), "DARKROOM_OUTPUT_DIR": str(folder / place)}
    settings = Settings.read(environ | {f"DARKROOM_{key.upper()}": value for key, value in given.items()})
    with anyio.fail_after(90):
        me = Implementation(name=name, version="1")
        async with Client(create_server(settings), mode=mode, client_info=me) as client:
            yield client


async def made(client: Client, **arguments: Any) -> CallToolResult:
    return await client.call_tool("generate_image", {"prompt": "a lighthouse", **arguments})


@pytest.fixture(params=["auto", "legacy"])
def host(request: pytest.FixtureRequest, tmp_path: Path) -> Opened:
    """Opens a host with settings (`preview_px="500"`) and its own name, and gives its call of generate_image."""

    @asynccontextmanager
    async def opened(
        name: str = "a host", folder: str = "pictures", **given: str
    ) -> AsyncGenerator[Callable[..., Awaitable[CallToolResult]]]:
        async with host_at(tmp_path, request.param, name, folder, **given) as client:
            yield partial(made, client)

    return opened


def pictures(result: CallToolResult) -> list[Image.Image]:
    blocks = [block for block in result.content if isinstance(block, ImageContent)]
    return [Image.open(BytesIO(base64.b64decode(block.data))) for block in blocks]


def images(result: CallToolResult) -> list[dict[str, Any]]:
    assert result.meta
    return result.meta["darkroom/report"]["images"]


async def test_one_image_is_shown_small_and_named_in_the_block(host: Opened) -> None:
    async with host() as generate:
        result = await generate()
    assert [max(shown.size) for shown in pictures(result)] == [768]
    assert result.content[1].meta == {"darkroom/n": 1}
    assert "Preview:" not in text(result)


async def test_the_images_of_several_predictions_come_on_one_sheet(host: Opened) -> None:
    async with host() as generate:
        result = await generate(count=3, model="black-forest-labs/flux-1.1-pro")
    [sheet] = pictures(result)
    assert max(sheet.size) <= 1024
    assert "Preview: one sheet, numbered as above." in text(result).splitlines()
    assert not result.content[1].meta


async def test_four_images_and_their_words_take_no_more_than_1800_tokens(host: Opened) -> None:
    async with host() as generate:
        result = await generate(count=4)
    [sheet] = pictures(result)
    assert sheet.width * sheet.height / 750 + len(text(result).encode()) / 3.5 <= 1800


async def test_the_person_sets_the_size(host: Opened) -> None:
    async with host(preview_px="300") as generate:
        assert [max(shown.size) for shown in pictures(await generate())] == [300]
        [sheet] = pictures(await generate(count=2))
        assert max(sheet.size) <= 400


async def test_previews_can_be_switched_off(host: Opened) -> None:
    async with host(previews="off") as generate:
        result = await generate(count=2)
    assert not pictures(result) and "Preview" not in text(result)


async def test_links_to_the_files_come_only_where_they_are_wanted(host: Opened) -> None:
    async with host() as generate:
        assert {block.type for block in (await generate()).content} == {"text", "image"}
    async with host(resource_links="true") as generate:
        result = await generate()
    [link] = [block for block in result.content if isinstance(block, ResourceLink)]
    [image] = images(result)
    saved = Path(image["path"])
    assert (link.uri, link.mime_type, link.size) == (saved.as_uri(), image["mime_type"], saved.stat().st_size)


async def test_a_drawing_is_shown_and_its_png_is_named_and_is_what_codex_gets(tmp_path: Path) -> None:
    """A drawing takes a second of processor, so the older era gets what the newer one has made."""
    async with host_at(tmp_path, "auto", "codex-mcp-client") as client:
        drawn = await made(client, prompt="a leaf", output_format="svg")
    id = images(drawn)[0]["prediction_id"]
    async with host_at(tmp_path, "legacy", "codex-mcp-client") as client:
        found = await client.call_tool("get_prediction", {"id": id, "previews": True})
    for result in (drawn, found):
        [image] = images(result)
        assert image["mime_type"] == "image/svg+xml" and image["path"].endswith(".svg")
        png = Path(image["png_path"])
        with Image.open(png) as seen:
            assert max(seen.size) == 2048
        assert png.parent == Path(image["path"]).parent
        assert f"; as PNG: {png.name})" in text(result)
        assert text(result).splitlines()[-1] == f"![]({png})"
        assert [max(shown.size) for shown in pictures(result)] == [768]
    async with host_at(tmp_path, "auto", "not-codex") as client:
        assert "![](" not in text(await client.call_tool("get_prediction", {"id": id}))
    async with host_at(tmp_path, "legacy", "not-codex") as client:
        edited = await made(client, images=[f"prediction:{id}"])
    assert text(edited).startswith("Succeeded: 1 image")
    assert "is an SVG: it was sent as PNG of 2048 x 2048 px" in text(edited)
    assert "![](" not in text(edited)


async def test_a_cut_out_is_called_transparent(host: Opened) -> None:
    async with host() as generate:
        plain = await generate()
        cut = await generate(
            prompt="", model="bria/remove-background", images=[f"prediction:{images(plain)[0]['prediction_id']}"]
        )
    assert ", transparent, " in text(cut) and images(cut)[0]["is_transparent"] is True
    assert "transparent" not in text(plain) and images(plain)[0]["is_transparent"] is False


async def test_codex_gets_each_image_as_markdown(host: Opened) -> None:
    async with host("codex-mcp-client", folder="my <best> pictures") as generate:
        result = await generate(count=2)
    paths = [image["path"].replace("<", "\\<").replace(">", "\\>") for image in images(result)]
    assert text(result).splitlines()[-2:] == [f"![](<{path}>)" for path in paths]


async def test_the_report_beside_an_answer_tells_nothing_empty_twice(host: Opened) -> None:
    async with host() as generate:
        result = await generate()
    assert result.meta
    told = result.meta["darkroom/report"]
    assert told["request"] == {"prompt": "a lighthouse"} | {
        name: value for name, value in told["request"].items() if value not in ("", [], {}, None)
    }
    assert None not in told["images"][0].values() and None not in told["predictions"][0].values()


@pytest.mark.parametrize(
    ("count", "numbers", "words"),
    [
        (1, (1,), ""),
        (3, (2,), "Preview: image 2."),
        (3, (1, 2, 3), "Preview: one sheet, numbered as above."),
        (3, (), ""),
    ],
)
def test_an_answer_says_what_its_picture_shows_where_that_is_not_plain(
    count: int, numbers: tuple[int, ...], words: str
) -> None:
    report = prediction_report([succeeded(count)], facts())
    assert with_preview(report, numbers).text.removeprefix(report.text).strip() == words
