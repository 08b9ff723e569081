"""Every model of the registry runs on the sandbox: its example call ends with the images and the shape it asked for."""

from typing import cast

import pytest
from pydantic import JsonValue
from sandbox_server import HandClock, sandbox_client

from darkroom.registry import ImageRequest, Model, ModelRegistry, example_call, map_request
from darkroom_server.sandbox import SandboxOptions
from darkroom_server.sandbox.output_spec import size_of

pytestmark = pytest.mark.anyio

REGISTRY = ModelRegistry.load()
NAMES = REGISTRY.names()
RUNNABLE = [name for name in NAMES if not REGISTRY.get(name).required_secrets]


def request_of(call: dict[str, JsonValue]) -> ImageRequest:
    """The arguments of an example call as a request."""
    return ImageRequest(
        prompt=str(call.get("prompt", "")),
        model=str(call["model"]),
        images=tuple(cast("list[str]", call.get("images", []))),
        mask=str(call.get("mask", "")),
        options=cast("dict[str, JsonValue]", call.get("model_options", {})),
    )


def address(model: Model) -> tuple[str, dict[str, JsonValue]]:
    """Path and further members of a create."""
    if model.run_by == "model":
        return f"/v1/models/{model.name}/predictions", {}
    return "/v1/predictions", {"version": model.version}


def wide_ratio(model: Model) -> str:
    """An aspect ratio that the model offers and that is not square, if there is one."""
    item = model.inputs_by_name.get(model.concepts.aspect_ratio)
    offered = [str(value) for value in item.enum] if item else []
    return next((ratio for ratio in ("16:9", "3:2", "4:3", "2:3") if ratio in offered), "")


@pytest.mark.parametrize("name", RUNNABLE)
async def test_the_example_call_succeeds_with_the_images_it_asks_for(name: str):
    model = REGISTRY.get(name)
    mapped = map_request(model, request_of(example_call(model)), draw_seed=lambda: 7)
    path, more = address(model)
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock, registry=REGISTRY)) as client:
        created = await client.post(path, json={"input": mapped.input, **more})
        assert created.status_code == 201, created.text
        clock.move(10)
        body = (await client.get(f"/v1/predictions/{created.json()['id']}")).json()
    output = body["output"]
    assert body["status"] == "succeeded"
    assert isinstance(output, str) == (model.output.kind == "uri")
    assert len([output] if isinstance(output, str) else output) == mapped.image_count


@pytest.mark.parametrize("name", [name for name in RUNNABLE if wide_ratio(REGISTRY.get(name))])
async def test_the_aspect_ratio_asked_for_is_the_one_painted(name: str):
    model = REGISTRY.get(name)
    ratio = wide_ratio(model)
    call = example_call(model)
    base = request_of(call)
    request = ImageRequest(
        prompt=base.prompt, images=base.images, mask=base.mask, options=base.options, aspect_ratio=ratio
    )
    mapped = map_request(model, request, draw_seed=lambda: 7)
    width, height = size_of(model, mapped.input, (768, 768) if base.images else None)
    across, down = ratio.split(":")
    assert width / height == pytest.approx(int(across) / int(down), rel=0.02)


@pytest.mark.parametrize("name", [name for name in RUNNABLE if REGISTRY.get(name).max_count > 1])
async def test_as_many_images_as_asked_for_can_be_fetched(name: str):
    model = REGISTRY.get(name)
    base = request_of(example_call(model))
    request = ImageRequest(
        prompt=base.prompt, images=base.images, mask=base.mask, options=base.options, count=model.max_count
    )
    mapped = map_request(model, request, draw_seed=lambda: 7)
    path, more = address(model)
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock, registry=REGISTRY)) as client:
        created = await client.post(path, json={"input": mapped.input, **more})
        assert created.status_code == 201, created.text
        clock.move(10)
        body = (await client.get(f"/v1/predictions/{created.json()['id']}")).json()
    assert len(body["output"]) == body["metrics"]["image_count"] == mapped.image_count


async def test_a_model_that_wants_a_foreign_key_is_refused_without_it():
    async with sandbox_client(SandboxOptions(registry=REGISTRY)) as client:
        response = await client.post("/v1/models/openai/gpt-image-1/predictions", json={"input": {"prompt": "a"}})
    assert response.status_code == 422
    assert "openai_api_key is required" in response.text
