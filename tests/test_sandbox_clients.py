"""The official clients, unchanged, against the sandbox on a socket: PyPI replicate 1.0.7 and npm replicate 1.4.0."""

import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import pytest
from PIL import Image
from replicate.client import Client
from replicate.exceptions import ModelError, ReplicateError
from replicate.pagination import paginate
from sandbox_server import sandbox_server

from darkroom_server.sandbox import SandboxOptions

pytestmark = pytest.mark.anyio

SCHNELL = "black-forest-labs/flux-schnell"
LIGHTNING = "bytedance/sdxl-lightning-4step:6f7a773af6fc3e8de9d5a3c00be77c17308914bf67772726aff83496ba1e3bbe"
INPUT = {"prompt": "a lighthouse at dawn", "megapixels": "0.25", "output_format": "png"}
HERE = Path(__file__).parent
OPTIONS = SandboxOptions(speed=4, key="sandbox-key")


async def with_client(work: Callable[[Client], Any], options: SandboxOptions = OPTIONS) -> Any:
    """Run blocking `work` with the official Python client in a thread, while the sandbox serves in this loop."""
    with anyio.fail_after(30):
        async with sandbox_server(options) as origin:
            return await anyio.to_thread.run_sync(_worked, origin, work)


def _worked(origin: str, work: Callable[[Client], Any]) -> Any:
    client = Client(api_token="sandbox-key", base_url=origin)
    try:
        return work(client)
    finally:
        client._client.close()  # pyright: ignore[reportPrivateUsage]  # it has no public way to be closed


async def test_python_run_gives_files_that_can_be_read():
    def work(client: Client) -> list[bytes]:
        files: Any = client.run(SCHNELL, input={**INPUT, "num_outputs": 2})
        return [file.read() for file in files]

    images = [Image.open(io.BytesIO(content)) for content in await with_client(work)]
    assert [image.size for image in images] == [(512, 512)] * 2


async def test_python_run_by_version_looks_the_version_up_and_polls():
    def work(client: Client) -> Any:
        return client.run(LIGHTNING, input={"prompt": "a fox"}, wait=False, use_file_output=False)

    urls = await with_client(work)
    assert len(urls) == 1
    assert urls[0].endswith("/out-0.png")


async def test_python_create_wait_reload_get_list_and_cancel():
    def work(client: Client) -> dict[str, Any]:
        prediction = client.models.predictions.create(SCHNELL, input=INPUT)
        started = prediction.status
        prediction.wait()
        prediction.reload()
        slow = client.models.predictions.create(SCHNELL, input={"prompt": "sandbox:slow=600 a"})
        slow.cancel()
        page = client.predictions.list()
        return {
            "statuses": [started, prediction.status, slow.status, client.predictions.get(slow.id).status],
            "progress": prediction.progress and prediction.progress.percentage,
            "listed": [item.id for item in page] == [slow.id, prediction.id],
        }

    found = await with_client(work)
    assert found["statuses"] == ["starting", "succeeded", "canceled", "canceled"]
    assert found["progress"] == 1.0
    assert found["listed"]


async def test_python_pages_through_the_list():
    def work(client: Client) -> int:
        for _ in range(101):
            client.models.predictions.create(SCHNELL, input=INPUT)
        pages = [len(page.results) for page in paginate(client.predictions.list)]
        return pages[0] * 1000 + pages[1]

    assert await with_client(work) == 100_001


async def test_python_uploads_a_file_given_as_input():
    buffer = io.BytesIO()
    Image.new("RGB", (90, 60), (200, 60, 40)).save(buffer, "PNG")

    def work(client: Client) -> bytes:
        buffer.seek(0)
        file = client.files.create(buffer, filename="photo.png", content_type="image/png")
        assert client.files.get(file.id).size == len(buffer.getvalue())
        assert [item.id for item in client.files.list()] == [file.id]
        enlarged: Any = client.run(
            "nightmareai/real-esrgan:f121d640bd286e1fdc67f9799164c1d5be36ff74576ee11c803ae5b665dd46aa",
            input={"image": buffer, "scale": 2},
        )
        assert client.files.delete(file.id)
        return enlarged.read()

    assert Image.open(io.BytesIO(await with_client(work))).size == (180, 120)


async def test_python_sees_failures_and_refusals_as_its_own_errors():
    def work(client: Client) -> tuple[Any, int | None, str | None]:
        with pytest.raises(ModelError) as failed:
            client.run(SCHNELL, input={"prompt": "sandbox:nsfw a"})
        with pytest.raises(ReplicateError) as refused:
            client.run(SCHNELL, input={"promt": "a"})
        return str(failed.value), refused.value.status, refused.value.title

    error, status, title = await with_client(work)
    assert "E005" in error
    assert (status, title) == (422, "Input validation failed")


async def test_python_does_not_repeat_a_throttled_create():
    def work(client: Client) -> int:
        with pytest.raises(ReplicateError) as refused:
            client.models.predictions.create(SCHNELL, input={"prompt": "sandbox:429=1 a"})
        return refused.value.status or 0

    assert await with_client(work) == 429


async def test_python_reads_a_models_schema():
    def work(client: Client) -> tuple[str, list[str], int]:
        model: Any = client.models.get("lucataco/flux-schnell-lora")
        fields: dict[str, Any] = model.latest_version.openapi_schema["components"]["schemas"]["Input"]["properties"]
        return model.owner, list(fields), len(model.versions.list().results)

    owner, fields, versions = await with_client(work)
    assert owner == "lucataco"
    assert "num_outputs" in fields
    assert versions == 1


async def test_python_asks_for_its_key():
    def work(client: Client) -> None:
        with pytest.raises(ReplicateError, match="Unauthenticated"):
            client.predictions.get("abcdefgh")

    await with_client(work, SandboxOptions(key="another"))


def npm_modules() -> Path | None:
    """The folder that holds the npm client, if it is installed."""
    folder = Path(os.environ.get("DARKROOM_TEST_NODE_MODULES") or HERE / "node_modules")
    return folder if (folder / "replicate" / "package.json").is_file() else None


NODE_MODULES = npm_modules()  # at import, before the clean environment of the tests


async def test_npm_client_runs_waits_lists_cancels_and_uploads():
    node = shutil.which("node")
    if not node or NODE_MODULES is None:
        if os.environ.get("CI"):
            pytest.fail("CI has to install tests/package.json and name its node_modules in DARKROOM_TEST_NODE_MODULES")
        pytest.skip("the npm client is not installed: npm install --prefix tests")
    with anyio.fail_after(60):
        async with sandbox_server(OPTIONS) as origin:
            command = [node, str(HERE / "npm_replicate_client.mjs"), str(NODE_MODULES), origin, "sandbox-key"]
            finished = await anyio.run_process(command, check=False)
    assert finished.returncode == 0, finished.stderr.decode()
    assert json.loads(finished.stdout) == {
        "run": ["89504e47", "89504e47"],
        "mime": "image/png",
        "progress": [True],
        "statuses": ["starting", "succeeded", "canceled"],
        "listed": 3,
        "files": 1,
        "enlarged": "180x120",
        "failed": True,
        "refused": 422,
        "model": "black-forest-labs/flux-schnell",
        "account": "sandbox",
    }
