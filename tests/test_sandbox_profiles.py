"""The sandbox as other gateways: what they lack, how they word it, and which fields their bodies have."""

from typing import Any

import httpx
import pytest
from sandbox_server import HandClock, sandbox_client

from darkroom_server.sandbox import SandboxOptions, create_sandbox
from darkroom_server.sandbox.profiles import sandbox_profiles

pytestmark = pytest.mark.anyio

SCHNELL = "/replicate/v1/models/black-forest-labs/flux-schnell/predictions"
RESELLERS = sorted(set(sandbox_profiles()) - {"replicate"})
LORA_VERSION = "2a6b576af31790b470f0a8442e1e9791213fa13799cbb65a9fc1436e96389574"
LACKING = [
    ("POST", "/replicate/v1/predictions/abcdefgh/cancel"),
    ("GET", "/replicate/v1/predictions"),
    ("POST", "/replicate/v1/files"),
    ("GET", "/replicate/v1/models"),
    ("GET", "/replicate/v1/account"),
]


async def create(client: httpx.AsyncClient, input: dict[str, Any] | None = None, **more: Any) -> httpx.Response:
    return await client.post(SCHNELL, json={"input": input or {"prompt": "a lighthouse"}}, **more)


async def test_an_unknown_profile_is_refused_with_all_the_names():
    with pytest.raises(ValueError, match="'elsewhere'.*replicate, cometapi"):
        create_sandbox(SandboxOptions(profile="elsewhere"))


@pytest.mark.parametrize("profile", RESELLERS)
async def test_a_reseller_creates_by_model_path_with_200_and_names_the_upstream_host(profile: str):
    async with sandbox_client(SandboxOptions(profile=profile)) as client:
        response = await create(client)
        body = response.json()
        again = await client.get(f"/replicate/v1/predictions/{body['id']}")
    assert response.status_code == again.status_code == 200
    assert body["urls"]["get"].startswith("https://api.replicate.com/v1/predictions/")


@pytest.mark.parametrize("profile", RESELLERS)
@pytest.mark.parametrize(("method", "path"), LACKING)
async def test_a_reseller_has_no_such_endpoint_and_never_says_so_as_replicate_does(
    profile: str, method: str, path: str
):
    async with sandbox_client(SandboxOptions(profile=profile)) as client:
        response = await client.request(method, path)
    is_json = response.headers.get("content-type", "").startswith("application/json")
    assert response.status_code in (301, 404) or not is_json
    assert "title" not in (response.json() if is_json else {})


async def test_cometapi_redirects_a_post_and_shows_a_page_for_a_get():
    async with sandbox_client(SandboxOptions(profile="cometapi")) as client:
        post = await client.post("/replicate/v1/nothing")
        get = await client.get("/replicate/v1/nothing")
    assert post.status_code == 301
    assert get.status_code == 200
    assert get.headers["content-type"].startswith("text/html")


async def test_cometapi_blames_the_caller_with_500_and_invalid_request():
    async with sandbox_client(SandboxOptions(profile="cometapi")) as client:
        response = await create(client, {"promt": "a"})
    error = response.json()["error"]
    assert response.status_code == 500
    assert error["code"] == "invalid_request"
    assert error["type"] == "comet_api_error"
    assert "prompt is required" in error["message"]
    assert "(request id: " in error["message"]


@pytest.mark.parametrize("profile", ["deerapi", "openai-hk", "key4u", "aimanyi"])
async def test_new_api_gateways_pass_on_a_refusal_as_an_upstream_error(profile: str):
    async with sandbox_client(SandboxOptions(profile=profile)) as client:
        response = await create(client, {"promt": "a"})
    error = response.json()["error"]
    assert response.status_code == 422
    assert (error["type"], error["code"], error["param"]) == ("upstream_error", "bad_response_status_code", "422")
    assert "prompt is required" in error["message"]


@pytest.mark.parametrize("profile", ["deerapi", "openai-hk", "key4u", "aimanyi"])
async def test_new_api_gateways_refuse_a_key_in_their_own_name(profile: str):
    async with sandbox_client(SandboxOptions(profile=profile, key="secret")) as client:
        response = await create(client)
    assert response.status_code == 401
    assert response.json()["error"]["type"] == "new_api_error"
    assert "(request id: " in response.json()["error"]["message"]


@pytest.mark.parametrize("profile", ["cometapi", "deerapi", "aimanyi"])
async def test_some_create_from_model_and_input(profile: str):
    body = {"model": "black-forest-labs/flux-schnell", "input": {"prompt": "a"}}
    async with sandbox_client(SandboxOptions(profile=profile)) as client:
        response = await client.post("/replicate/v1/predictions", json=body)
    assert response.status_code == 200
    assert response.json()["model"] == "black-forest-labs/flux-schnell"


@pytest.mark.parametrize("profile", ["openai-hk", "key4u"])
async def test_some_run_community_models_by_version_id_only(profile: str):
    async with sandbox_client(SandboxOptions(profile=profile)) as client:
        by_id = await client.post(
            "/replicate/v1/predictions", json={"version": LORA_VERSION, "input": {"prompt": "a", "hf_lora": "x/y"}}
        )
        by_name = await client.post(
            "/replicate/v1/predictions", json={"version": "black-forest-labs/flux-schnell", "input": {"prompt": "a"}}
        )
    assert by_id.status_code == 200
    assert by_id.json()["version"] == LORA_VERSION
    assert by_name.status_code == 422


@pytest.mark.parametrize("profile", ["cometapi", "key4u", "aimanyi"])
async def test_some_ignore_prefer(profile: str):
    async with sandbox_client(SandboxOptions(profile=profile, clock=HandClock())) as client:
        response = await create(client, headers={"Prefer": "wait=10"})
    assert "preference-applied" not in response.headers
    assert response.json()["status"] == "starting"


async def test_deerapi_answers_a_hold_as_processing_with_output():
    async with sandbox_client(SandboxOptions(profile="deerapi", speed=50)) as client:
        response = await create(client, headers={"Prefer": "wait=10"})
    assert response.json()["status"] == "processing"
    assert response.json()["output"]


async def test_openai_hk_tells_times_and_metrics_only_at_the_end():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(profile="openai-hk", clock=clock)) as client:
        created = (await create(client)).json()
        clock.move(10)
        done = (await client.get(f"/replicate/v1/predictions/{created['id']}")).json()
    late = {"started_at", "completed_at", "metrics"}
    assert not late & set(created)
    assert late <= set(done)
    assert created["version"].startswith("dp-")
    assert "web" not in created["urls"]
    assert set(done["metrics"]) == {"predict_time", "image_count"}


async def test_replicate_links_to_itself():
    async with sandbox_client() as client:
        urls = (await client.post(SCHNELL, json={"input": {"prompt": "a"}})).json()["urls"]
        response = await client.get(urls["get"])
    assert set(urls) == {"get", "cancel", "web"}
    assert response.status_code == 200
