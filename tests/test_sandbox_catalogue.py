"""The sandbox describes its models as Replicate does, so that the whole of it can be tried without a key."""

from typing import Any

import pytest
from sandbox_server import sandbox_client

from darkroom.registry import ModelInput, ModelRegistry
from darkroom.registry.live_schema import BadSchema, describe
from darkroom_server.sandbox import SandboxOptions

pytestmark = pytest.mark.anyio

REGISTRY = ModelRegistry.load()
OFFICIAL, COMMUNITY = "black-forest-labs/flux-schnell", "bytedance/sdxl-lightning-4step"
DRIFTED = SandboxOptions(has_drifted=True)


async def body_of(name: str, options: SandboxOptions | None = None) -> dict[str, Any]:
    async with sandbox_client(options) as client:
        return (await client.get(f"/v1/models/{name}")).raise_for_status().json()


def facts(item: ModelInput) -> dict[str, Any]:
    """What a schema can say of an input."""
    named = ("name", "type", "required", "default", "min", "max", "max_items", "nullable", "secret", "deprecated")
    said = {name: getattr(item, name) for name in named}
    said["multiple_of"] = item.multiple_of if item.type in ("integer", "number") else None
    said["enum"] = item.enum if item.enum_complete else ()
    return said | {
        "format": "password" if item.secret else item.format,
        "default": None if item.secret else item.default,
    }


async def test_every_model_describes_the_inputs_that_the_registry_has():
    async with sandbox_client() as client:
        for name in REGISTRY.names():
            model = REGISTRY.get(name)
            found = describe((await client.get(f"/v1/models/{name}")).json()).model
            assert [facts(each) for each in found.inputs] == [facts(each) for each in model.inputs], name
            assert (found.output.kind, found.output.svg) == (model.output.kind, model.output.svg), name


async def test_concepts_that_are_read_are_those_that_people_have_curated():
    """A ratchet: the figures of 2026-11-26, on choices that are wholly known."""
    right = wrong = missed = 0
    async with sandbox_client() as client:
        for name in REGISTRY.names():
            model = REGISTRY.get(name)
            found = describe((await client.get(f"/v1/models/{name}")).json()).model.concepts
            ours, theirs = model.concepts.input_names(), found.input_names()
            right += sum(theirs.get(each) == value for each, value in ours.items())
            wrong += sum(ours.get(each) != value for each, value in theirs.items() if each != "image_max")
            missed += sum(theirs.get(each) != value for each, value in ours.items())
            if found.mask:
                assert found.mask_polarity == model.concepts.mask_polarity, name
    assert right / (right + wrong) >= 0.99
    assert right / (right + missed) >= 0.95


async def test_choices_stand_in_components_and_keys_are_sorted_by_length():
    schemas = (await body_of(OFFICIAL))["latest_version"]["openapi_schema"]["components"]["schemas"]
    properties = schemas["Input"]["properties"]
    assert properties["aspect_ratio"]["allOf"] == [{"$ref": "#/components/schemas/aspect_ratio"}]
    assert "16:9" in schemas["aspect_ratio"]["enum"]
    assert [len(name) for name in properties] == sorted(map(len, properties))


async def test_a_secret_is_written_as_one():
    schemas = (await body_of("openai/gpt-image-1"))["latest_version"]["openapi_schema"]["components"]["schemas"]
    key = schemas["Input"]["properties"]["openai_api_key"]
    assert (key["format"], key["x-cog-secret"]) == ("password", True)


async def test_an_official_model_has_no_versions_that_could_be_run():
    body = await body_of(OFFICIAL)
    async with sandbox_client() as client:
        assert (await client.get(f"/v1/models/{OFFICIAL}/versions")).status_code == 404
        version = body["latest_version"]["id"]
        assert (await client.get(f"/v1/models/{OFFICIAL}/versions/{version}")).status_code == 404
        created = await client.post("/v1/predictions", json={"version": version, "input": {"prompt": "a"}})
        assert (created.status_code, created.json()["title"]) == (422, "Invalid version or not permitted")


async def test_a_community_model_has_one_version_with_its_schema():
    async with sandbox_client() as client:
        listed = (await client.get(f"/v1/models/{COMMUNITY}/versions")).json()["results"]
        assert [each["id"] for each in listed] == [REGISTRY.get(COMMUNITY).version]


async def test_the_search_finds_models_that_nobody_curated():
    async with sandbox_client() as client:
        found = (await client.get("/v1/search", params={"query": "soft watercolours", "limit": 3})).json()
        assert found["models"][0]["model"]["name"] == "watercolour"
        assert len(found["models"]) <= 3
        queried = await client.request("QUERY", "/v1/models", content=b"watercolour")
        assert "watercolour" in [each["name"] for each in queried.json()["results"]]
        assert (await client.get("/v1/search", params={"query": "a", "limit": "0"})).status_code == 400


async def test_collections_list_models():
    async with sandbox_client() as client:
        official = (await client.get("/v1/collections/official")).json()
        assert all(each["is_official"] for each in official["models"])
        assert (await client.get("/v1/collections/nothing")).status_code == 404


async def test_a_deployment_names_the_version_that_it_runs_and_runs_it():
    async with sandbox_client() as client:
        release = (await client.get("/v1/deployments/attic/press")).json()["current_release"]
        assert release["model"] == "attic/watercolour"
        created = await client.post("/v1/deployments/attic/press/predictions", json={"input": {"prompt": "a"}})
        assert created.json()["version"] == release["version"]
        assert (await client.get("/v1/deployments/attic/none")).status_code == 404


async def test_the_odd_models_are_odd():
    assert describe(await body_of("attic/short-film")).makes == "other"
    assert describe(await body_of("attic/face-swap")).model.unmapped["image"].startswith("takes several images")
    assert describe(await body_of("attic/plain-mask")).model.unmapped["mask"]
    assert describe(await body_of("attic/count-in-words")).model.unmapped["count"]
    assert describe(await body_of("attic/mirror-maze")).model.inputs_by_name["style"].type == "any"
    assert len(str(await body_of("attic/vast"))) > 4 * 1024**2
    loud = describe(await body_of("attic/loudmouth")).model
    assert loud.best_for.isprintable() and "\n" not in loud.best_for
    with pytest.raises(BadSchema):
        describe(await body_of("attic/unfinished"))


async def test_models_have_drifted_when_that_is_asked_for():
    before = describe(await body_of(OFFICIAL)).model.inputs_by_name["num_inference_steps"].max
    after = describe(await body_of(OFFICIAL, DRIFTED)).model.inputs_by_name["num_inference_steps"].max
    assert (before, after) == (4, 8)
    async with sandbox_client(DRIFTED) as client:
        assert (await client.get("/v1/models/google/imagen-3")).status_code == 404
        refused = await client.post(
            "/v1/models/black-forest-labs/flux-kontext-pro/predictions", json={"input": {"prompt": "a", "seed": 1}}
        )
        assert refused.json()["invalid_fields"][0]["type"] == "additional_property_not_allowed"


@pytest.mark.parametrize("profile", ["cometapi", "deerapi", "openai-hk"])
async def test_a_reseller_tells_nothing_about_models(profile: str):
    async with sandbox_client(SandboxOptions(profile=profile)) as client:
        answer = await client.get(f"/replicate/v1/models/{OFFICIAL}")
        assert answer.status_code == 404 or "html" in answer.headers["content-type"]
