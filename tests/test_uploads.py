"""Input images are uploaded several at once, and never longer than the call may take."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from fault_plan import picture
from open_rooms import room_options
from scripted_gateway import Answer, ScriptedGateway, read_request

from darkroom.darkroom import CALL_GRACE_S, Darkroom
from darkroom.gateways import Timeouts
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest

pytestmark = pytest.mark.anyio
NEEDED_AT_ONCE = 4


@asynccontextmanager
async def slow_files() -> AsyncGenerator[tuple[str, list[str]]]:
    """A gateway that answers an upload only once four are open; gives its address and the paths that were asked for."""
    paths: list[str] = []
    open_uploads = asyncio.Barrier(NEEDED_AT_ONCE)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await read_request(reader)
        paths.append(request.path)
        if request.path == "/v1/files":
            await open_uploads.wait()
            writer.write(Answer({"urls": {"get": f"https://files.invalid/{len(paths)}.png"}}, 201).encoded())
        else:
            writer.write(Answer({"detail": "no"}, 402).encoded())
        await writer.drain()
        writer.close()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.append((asyncio.ensure_future(serve(reader, writer)), writer))

    serving: list[tuple[asyncio.Task[None], asyncio.StreamWriter]] = []
    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", paths
    finally:
        server.close()
        for task, writer in serving:
            task.cancel()
            writer.close()
        await asyncio.gather(*(task for task, _ in serving), return_exceptions=True)


def large_image(folder: Path, number: int) -> Path:
    """A PNG that is too large to be sent inside the request; what stands behind its end does not matter."""
    path = folder / f"{number}.png"
    path.write_bytes(picture(str(number)) + bytes(400_000))
    return path


async def test_four_images_are_uploaded_at_once(tmp_path: Path) -> None:
    images = tuple(str(large_image(tmp_path, number)) for number in range(NEEDED_AT_ONCE))
    gateway = ScriptedGateway()
    with anyio.fail_after(60):
        async with slow_files() as (gateway.base_url, paths):
            options = replace(room_options(gateway, tmp_path), input_dirs=(tmp_path,), keep_metadata=True)
            async with Darkroom.open(replace(options, timeouts=Timeouts())) as room:
                request = ImageRequest(prompt="a kite", model="google/nano-banana", images=images)
                report = await generate_image(room, request, wait_s=20)
    assert paths.count("/v1/files") == NEEDED_AT_ONCE
    assert report.outcome == "refused" and "402" in report.text


async def test_an_upload_that_never_ends_is_given_up_and_nothing_was_created(
    tmp_path: Path,
) -> None:
    gateway = ScriptedGateway()
    with anyio.fail_after(60):
        async with slow_files() as (gateway.base_url, paths):
            options = replace(room_options(gateway, tmp_path), input_dirs=(tmp_path,), keep_metadata=True)
            async with Darkroom.open(replace(options, timeouts=Timeouts())) as room:
                images = (str(large_image(tmp_path, 1)),)
                request = ImageRequest(prompt="a kite", model="google/nano-banana", images=images)
                report = await generate_image(room, request, wait_s=1 - CALL_GRACE_S)  # a second before its end
    assert paths == ["/v1/files"]
    assert "Nothing was created" in report.text and "took too long" in report.text
