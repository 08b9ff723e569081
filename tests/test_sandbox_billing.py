"""What the sandbox counts of a run, what its resellers take for it, and that the client comes to the same sum."""

import base64
import io
from typing import Any, cast

import httpx
import pytest
from PIL import Image
from pydantic import JsonValue
from sandbox_server import HandClock, sandbox_client

from darkroom.charges import Basis
from darkroom.predictions import parse_prediction
from darkroom.pricing import receipt
from darkroom.registry import ImageRequest, Model, ModelRegistry, example_call, map_request
from darkroom_server.sandbox import SandboxOptions
from darkroom_server.sandbox.billing import is_by_size

pytestmark = pytest.mark.anyio

REGISTRY = ModelRegistry.load()
NAMES = [name for name in REGISTRY.names() if not REGISTRY.get(name).required_secrets]
OFFICIAL = [name for name in NAMES if REGISTRY.get(name).run_by == "model"]
SCHNELL, PRO, BANANA = "black-forest-labs/flux-schnell", "black-forest-labs/flux-2-pro", "google/nano-banana-pro"
SECONDS = {"predict_time", "total_time"}
LOG, USAGE = "/api/log/token", "/api/usage/token/"


def png(width: int, height: int) -> str:
    buffer = io.BytesIO()
    Image.new("RGB", (width, height), "teal").save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


def example_input(model: Model, **more: Any) -> dict[str, JsonValue]:
    """What the model's example call sends; `more` are further arguments of it."""
    call = example_call(model) | more
    request = ImageRequest(
        prompt=str(call.get("prompt", "")),
        model=model.name,
        images=tuple(cast("list[str]", call.get("images", []))),
        mask=str(call.get("mask", "")),
        options=cast("dict[str, JsonValue]", call.get("model_options", {})),
    )
    return dict(map_request(model, request, draw_seed=lambda: 7).input)


class Played:
    """A sandbox whose clock is moved by hand; every run ends at once when it is looked at."""

    def __init__(self, client: httpx.AsyncClient, clock: HandClock, base: str = "/v1") -> None:
        self.client, self.clock, self.base = client, clock, base

    async def created(self, model: str, **input: Any) -> httpx.Response:
        path = f"{self.base}/models/{model}/predictions"
        return await self.client.post(path, json={"input": {"prompt": "a fox", **input}})

    async def ended(self, model: str, **input: Any) -> dict[str, Any]:
        response = await self.created(model, **input)
        assert response.status_code in (200, 201), response.text
        self.clock.move(120)
        return (await self.client.get(f"{self.base}/predictions/{response.json()['id']}")).json()

    async def metrics(self, model: str, **input: Any) -> dict[str, Any]:
        found = (await self.ended(model, **input)).get("metrics", {})
        return {name: value for name, value in found.items() if name not in SECONDS | {"image_count"}}

    async def told(self, path: str) -> Any:
        return (await self.client.get(path)).json()["data"]


@pytest.fixture
async def sandbox() -> Any:
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        yield Played(client, clock)


@pytest.fixture
async def reseller() -> Any:
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock, profile="deerapi")) as client:
        yield Played(client, clock, "/replicate/v1")


async def test_an_official_model_counts_its_outputs(sandbox: Played) -> None:
    assert await sandbox.metrics(SCHNELL, num_outputs=3) == {"image_output_count": 3}
    assert await sandbox.metrics(SCHNELL, num_outputs=3, prompt="sandbox:partial a fox") == {"image_output_count": 2}


@pytest.mark.parametrize("weather", ["nsfw", "oom", "cancel", "abort", "empty"])
async def test_a_run_without_output_counts_none(sandbox: Played, weather: str) -> None:
    assert await sandbox.metrics(PRO, prompt=f"sandbox:{weather} a fox") == {}


async def test_a_run_that_has_not_ended_counts_nothing(sandbox: Played) -> None:
    response = await sandbox.created(SCHNELL)
    assert response.json()["metrics"] == {}


async def test_a_model_on_a_gpu_only_tells_its_seconds(sandbox: Played) -> None:
    name = next(each for each in REGISTRY.names() if REGISTRY.get(each).run_by == "version")
    model = REGISTRY.get(name)
    body: dict[str, Any] = {"version": model.version, "input": example_input(model)}
    made = (await sandbox.client.post("/v1/predictions", json=body)).json()
    sandbox.clock.move(120)
    ended = (await sandbox.client.get(f"/v1/predictions/{made['id']}")).json()
    assert ended["status"] == "succeeded" and set(ended["metrics"]) == {*SECONDS, "image_count"}


async def test_megapixels_are_those_of_the_image_that_is_delivered_and_each_part_counts_whole(sandbox: Played) -> None:
    body = await sandbox.ended(PRO, resolution="2 MP", aspect_ratio="16:9")
    content = (await sandbox.client.get(body["output"])).content
    width, height = Image.open(io.BytesIO(content)).size
    assert body["metrics"]["image_output_megapixel_count"] == -(-width * height // 1024**2) > 1
    assert body["metrics"]["image_input_megapixel_count"] == 0


async def test_each_input_image_counts_with_its_own_megapixels(sandbox: Played) -> None:
    images = [png(1536, 1536), png(64, 64)]
    assert (await sandbox.metrics(PRO, input_images=images))["image_input_megapixel_count"] == 3 + 1


@pytest.mark.parametrize(("asked", "said"), [({}, "2K"), ({"resolution": "4K"}, "4K")])
async def test_what_the_price_depends_on_is_said_with_the_model_s_own_default(
    sandbox: Played, asked: dict[str, Any], said: str
) -> None:
    assert await sandbox.metrics(BANANA, **asked) == {"image_output_count": 1, "resolution_target": said}


@pytest.mark.parametrize("name", [name for name in OFFICIAL if REGISTRY.get(name).price])
async def test_the_client_s_receipt_of_a_run_is_what_a_reseller_with_the_same_prices_takes(
    reseller: Played, name: str
) -> None:
    model = REGISTRY.get(name)
    input = example_input(model)
    response = await reseller.client.post(f"{reseller.base}/models/{name}/predictions", json={"input": input})
    reseller.clock.move(120)
    body = (await reseller.client.get(f"{reseller.base}/predictions/{response.json()['id']}")).json()
    assert body["status"] == "succeeded"
    (row,) = await reseller.told(LOG)
    made = receipt(model, input, parse_prediction(body))
    assert made.basis is Basis.COMPUTED and round((made.usd or 0) * 500_000) == row["quota"], made


@pytest.mark.parametrize("name", [name for name in OFFICIAL if is_by_size(REGISTRY.get(name))])
async def test_a_size_that_is_billed_is_the_one_that_is_painted(sandbox: Played, name: str) -> None:
    model = REGISTRY.get(name)
    input = example_input(model, **({"images": [png(700, 900)]} if model.edits else {}))
    response = await sandbox.client.post(f"/v1/models/{name}/predictions", json={"input": input})
    assert response.status_code == 201, response.text
    sandbox.clock.move(120)
    body = (await sandbox.client.get(f"/v1/predictions/{response.json()['id']}")).json()
    urls = body["output"] if isinstance(body["output"], list) else [body["output"]]
    content = (await sandbox.client.get(urls[0])).content
    width, height = Image.open(io.BytesIO(content)).size
    if "image_output_megapixel_count" in body["metrics"]:
        assert body["metrics"]["image_output_megapixel_count"] == len(urls) * -(-width * height // 1024**2)
    else:
        assert body["metrics"]["unspecified_billing_metric"] == 1  # up to 24 megapixels


async def test_a_create_is_a_row_of_the_log_by_the_name_in_its_answer(reseller: Played) -> None:
    response = await reseller.created(SCHNELL, num_outputs=2)
    (row,) = await reseller.told(LOG)
    assert row["request_id"] == response.headers["x-oneapi-request-id"]
    assert (row["type"], row["model_name"], row["quota"]) == (2, SCHNELL, 3000)
    assert row["created_at"] == int(reseller.clock.now)


async def test_the_newest_hundred_are_told_first(reseller: Played) -> None:
    for _ in range(102):
        await reseller.created(SCHNELL)
        reseller.clock.move(1)
    rows = await reseller.told(LOG)
    assert len(rows) == 100 and rows[0]["created_at"] == reseller.clock.now - 1 > rows[-1]["created_at"]


async def test_a_create_whose_answer_is_lost_is_in_the_log_and_its_answer_has_no_name(reseller: Played) -> None:
    response = await reseller.created(SCHNELL, prompt="sandbox:504 a fox")
    assert response.status_code == 504 and "x-oneapi-request-id" not in response.headers
    assert len(await reseller.told(LOG)) == 1


@pytest.mark.parametrize("weather", ["402", "429", "500", "html"])
async def test_what_was_never_created_is_not_in_the_log(reseller: Played, weather: str) -> None:
    await reseller.created(SCHNELL, prompt=f"sandbox:{weather} a fox")
    assert await reseller.told(LOG) == []


async def test_what_a_failed_run_gets_back_shows_in_the_balance_only(reseller: Played) -> None:
    await reseller.created(SCHNELL, prompt="sandbox:nsfw a fox")
    assert (await reseller.told(USAGE))["total_used"] == 1500
    reseller.clock.move(60)
    usage = await reseller.told(USAGE)
    assert (usage["total_used"], usage["total_available"]) == (0, usage["total_granted"])
    assert [row["type"] for row in await reseller.told(LOG)] == [2]


async def test_without_its_slash_the_balance_is_a_redirect(reseller: Played) -> None:
    response = await reseller.client.get(USAGE.rstrip("/"))
    assert (response.status_code, response.headers["location"]) == (301, USAGE)


@pytest.mark.parametrize("path", [LOG, USAGE])
async def test_log_and_balance_want_the_key(path: str) -> None:
    async with sandbox_client(SandboxOptions(profile="key4u", key="secret")) as client:
        assert (await client.get(path)).status_code == 401
        assert (await client.get(path, headers={"Authorization": "Bearer secret"})).status_code == 200
        assert (await client.get(f"{path}?key=secret")).status_code == 401


@pytest.mark.parametrize("profile", ["replicate", "cometapi", "openai-hk", "aimanyi"])
async def test_the_other_gateways_have_neither(profile: str) -> None:
    async with sandbox_client(SandboxOptions(profile=profile)) as client:
        for path in (LOG, USAGE):
            response = await client.get(path)
            assert response.status_code == 404 or "html" in response.headers["content-type"]
