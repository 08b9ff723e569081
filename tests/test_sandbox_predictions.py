"""Creating, reading, listing and cancelling predictions on the sandbox, as Replicate documents it."""

from typing import Any

import anyio
import httpx
import pytest
from sandbox_server import BASE_URL, HandClock, sandbox_client

from darkroom.registry import ModelRegistry
from darkroom_server.sandbox import SandboxOptions

pytestmark = pytest.mark.anyio

SCHNELL = "/v1/models/black-forest-labs/flux-schnell/predictions"
LIGHTNING = "bytedance/sdxl-lightning-4step"
LIGHTNING_VERSION = "6f7a773af6fc3e8de9d5a3c00be77c17308914bf67772726aff83496ba1e3bbe"


async def create(client: httpx.AsyncClient, prompt: str = "a lighthouse", **more: object) -> dict[str, Any]:
    response = await client.post(SCHNELL, json={"input": {"prompt": prompt, **more}})
    assert response.status_code == 201, response.text
    return response.json()


async def look(client: httpx.AsyncClient, body: dict[str, Any]) -> dict[str, Any]:
    response = await client.get(f"/v1/predictions/{body['id']}")
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_prediction_goes_from_starting_over_processing_to_succeeded():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        created = await create(client)
        clock.move(0.2)
        running = await look(client, created)
        clock.move(2)
        done = await look(client, created)
    assert [created["status"], running["status"], done["status"]] == ["starting", "processing", "succeeded"]
    assert created["output"] is None
    assert done["output"] == [f"{BASE_URL}/delivery/{created['id']}/out-0.webp"]
    assert done["metrics"]["image_count"] == 1


async def test_logs_grow_while_it_runs_and_end_with_a_full_bar():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        created = await create(client)
        clock.move(0.35)
        running = await look(client, created)
        clock.move(2)
        done = await look(client, created)
    assert "0/4 [00:00<?, ?it/s]" in running["logs"]
    assert "4/4" not in running["logs"]
    assert "100%|██████████| 4/4" in done["logs"]


async def test_two_looks_at_the_same_moment_are_equal():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        created = await create(client)
        clock.move(0.3)
        assert await look(client, created) == await look(client, created)


async def test_predictions_survive_the_process_in_a_file(tmp_path: Any):
    clock = HandClock()
    options = SandboxOptions(clock=clock, store_path=tmp_path / "box" / "sandbox.db")
    async with sandbox_client(options) as client:
        created = await create(client)
    clock.move(5)
    async with sandbox_client(options) as client:
        done = await look(client, created)
        listed = (await client.get("/v1/predictions")).json()["results"]
        image = await client.get(done["output"][0])
    assert done["status"] == "succeeded"
    assert [body["id"] for body in listed] == [created["id"]]
    assert image.headers["content-type"] == "image/webp"


async def test_output_and_input_are_gone_an_hour_after_the_end():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        created = await create(client)
        clock.move(3600)
        before = await look(client, created)
        url = before["output"][0]
        assert (await client.get(url)).status_code == 200
        clock.move(5)
        after = await look(client, created)
        assert (await client.get(url)).status_code == 404
    assert after["data_removed"] is True
    assert after["output"] is None
    assert after["input"] == {}


@pytest.mark.parametrize("is_stored", [False, True])
async def test_a_prediction_is_forgotten_after_two_weeks(tmp_path: Any, is_stored: bool):
    clock = HandClock()
    options = SandboxOptions(clock=clock, store_path=tmp_path / "sandbox.db" if is_stored else None)
    async with sandbox_client(options) as client:
        old = await create(client)
        clock.move(15 * 24 * 3600)
        await create(client)
        response = await client.get(f"/v1/predictions/{old['id']}")
    assert response.status_code == 404


async def test_no_file_is_delivered_before_the_end():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        created = await create(client)
        response = await client.get(f"/delivery/{created['id']}/out-0.webp")
    assert response.status_code == 404


async def test_a_community_model_runs_by_its_version_in_both_spellings():
    async with sandbox_client() as client:
        for version in (LIGHTNING_VERSION, f"{LIGHTNING}:{LIGHTNING_VERSION}"):
            response = await client.post("/v1/predictions", json={"version": version, "input": {"prompt": "a fox"}})
            assert response.status_code == 201
            assert response.json()["version"] == LIGHTNING_VERSION
            assert response.json()["model"] == LIGHTNING


async def test_an_official_model_runs_by_its_name_as_version():
    async with sandbox_client() as client:
        body = {"version": "black-forest-labs/flux-schnell", "input": {"prompt": "a fox"}}
        response = await client.post("/v1/predictions", json=body)
    assert response.status_code == 201
    assert response.json()["version"] == "hidden"


async def test_an_unknown_version_is_refused_as_not_permitted():
    async with sandbox_client() as client:
        response = await client.post("/v1/predictions", json={"version": "0" * 64, "input": {}})
    assert response.status_code == 422
    assert response.json()["title"] == "Invalid version or not permitted"


async def test_model_instead_of_version_is_refused_naming_both_faults():
    async with sandbox_client() as client:
        response = await client.post("/v1/predictions", json={"model": "a/b", "input": {}})
    kinds = [fault["type"] for fault in response.json()["invalid_fields"]]
    assert response.status_code == 422
    assert kinds == ["required", "additional_property_not_allowed"]


async def test_the_model_path_is_for_official_models_only():
    async with sandbox_client() as client:
        community = await client.post(f"/v1/models/{LIGHTNING}/predictions", json={"input": {"prompt": "a fox"}})
        unknown = await client.post("/v1/models/foo/bar/predictions", json={"input": {}})
    assert community.status_code == unknown.status_code == 404
    assert unknown.json() == {"title": "Not Found", "detail": "Model not found: foo/bar", "status": 404}


async def test_a_bad_input_is_refused_with_its_fields():
    async with sandbox_client() as client:
        response = await client.post(SCHNELL, json={"input": {"num_inference_steps": 9, "colour": "red"}})
    body = response.json()
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    assert body["title"] == "Input validation failed"
    assert {(fault["type"], fault["field"]) for fault in body["invalid_fields"]} == {
        ("required", "input"),
        ("number_lte", "input.num_inference_steps"),
        ("additional_property_not_allowed", "input"),
    }


@pytest.mark.parametrize("content", [b"", b"[]", b"{"])
async def test_a_body_that_is_no_object_is_refused(content: bytes):
    async with sandbox_client() as client:
        response = await client.post(SCHNELL, content=content)
    assert response.status_code == 400


async def test_prefer_wait_is_held_until_the_end_and_answered_as_processing_with_output():
    async with sandbox_client(SandboxOptions(speed=20)) as client:
        with anyio.fail_after(10):
            response = await client.post(SCHNELL, json={"input": {"prompt": "a"}}, headers={"Prefer": "wait=5"})
    body = response.json()
    assert response.headers["preference-applied"] == "wait=5"
    assert body["status"] == "processing"
    assert len(body["output"]) == 1
    assert "completed_at" not in body
    assert "metrics" not in body


async def test_a_hold_that_is_too_short_answers_starting_without_output():
    async with sandbox_client() as client:
        with anyio.fail_after(10):
            request = {"input": {"prompt": "sandbox:slow=30 a"}}
            response = await client.post(SCHNELL, json=request, headers={"Prefer": "wait=1"})
    assert response.json()["status"] == "starting"
    assert response.json()["output"] is None


async def test_a_held_create_that_fails_says_failed():
    async with sandbox_client(SandboxOptions(speed=50)) as client:
        with anyio.fail_after(10):
            request = {"input": {"prompt": "sandbox:nsfw a"}}
            response = await client.post(SCHNELL, json=request, headers={"Prefer": "wait"})
    assert response.json()["status"] == "failed"


async def test_a_cancel_wakes_the_create_that_is_held():
    identifier = "held000000000000000000000a"
    answers: list[httpx.Response] = []

    async with sandbox_client(SandboxOptions(new_id=lambda: identifier)) as client:

        async def held() -> None:
            request = {"input": {"prompt": "sandbox:slow=50 a"}}
            answers.append(await client.post(SCHNELL, json=request, headers={"Prefer": "wait=50"}))

        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(held)
                while (await client.get(f"/v1/predictions/{identifier}")).status_code != 200:
                    await anyio.lowlevel.checkpoint()
                await client.post(f"/v1/predictions/{identifier}/cancel")
    assert answers[0].json()["status"] == "canceled"


async def test_without_prefer_there_is_no_preference_applied():
    async with sandbox_client() as client:
        response = await client.post(SCHNELL, json={"input": {"prompt": "a"}})
    assert "preference-applied" not in response.headers


async def test_a_cancel_while_running_stops_it_for_good():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        created = await create(client)
        clock.move(0.2)
        canceled = (await client.post(f"/v1/predictions/{created['id']}/cancel")).json()
        clock.move(60)
        later = await look(client, created)
    assert canceled["status"] == later["status"] == "canceled"
    assert canceled["logs"] is None
    assert later["output"] is None


async def test_a_cancel_before_the_start_has_almost_no_predict_time():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        created = await create(client, "sandbox:cold=20 a")
        clock.move(1)
        canceled = (await client.post(f"/v1/predictions/{created['id']}/cancel")).json()
    assert canceled["status"] == "canceled"
    assert canceled["metrics"]["predict_time"] < 0.001


async def test_a_cancel_after_the_end_changes_nothing():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        created = await create(client)
        clock.move(10)
        before = await look(client, created)
        answer = (await client.post(f"/v1/predictions/{created['id']}/cancel")).json()
    assert answer == before


@pytest.mark.parametrize(("weather", "end"), [("cold=60", "aborted"), ("slow=60", "canceled")])
async def test_cancel_after_aborts_what_has_not_started_and_cancels_what_runs(weather: str, end: str):
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        request = {"input": {"prompt": f"sandbox:{weather} a"}}
        created = (await client.post(SCHNELL, json=request, headers={"Cancel-After": "10s"})).json()
        clock.move(9)
        before = await look(client, created)
        clock.move(2)
        after = await look(client, created)
    assert created["deadline"] > created["created_at"]
    assert before["status"] in ("starting", "processing")
    assert after["status"] == end


async def test_the_list_is_newest_first_and_pages_by_an_absolute_next():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        for number in range(103):
            clock.move(1)
            await create(client, f"number {number}")
        first = (await client.get("/v1/predictions")).json()
        second = (await client.get(first["next"])).json()
    prompts = [body["input"]["prompt"] for body in (*first["results"], *second["results"])]
    assert prompts == [f"number {number}" for number in range(102, -1, -1)]
    assert len(first["results"]) == 100
    assert first["next"].startswith(f"{BASE_URL}/v1/predictions?cursor=")
    assert second["next"] is None


async def test_a_broken_cursor_is_refused():
    async with sandbox_client() as client:
        response = await client.get("/v1/predictions?cursor=nonsense")
    assert response.status_code == 400


async def test_an_unknown_prediction_is_not_found():
    async with sandbox_client() as client:
        assert (await client.get("/v1/predictions/doesnotexist")).status_code == 404
        assert (await client.post("/v1/predictions/doesnotexist/cancel")).status_code == 404


async def test_the_key_is_asked_for_on_the_api_but_not_for_outputs():
    clock = HandClock()
    async with sandbox_client(SandboxOptions(key="secret", clock=clock)) as client:
        missing = await client.post(SCHNELL, json={"input": {"prompt": "a"}})
        wrong = await client.get("/v1/account", headers={"Authorization": "Bearer other"})
        headers = {"Authorization": "Token secret"}
        created = (await client.post(SCHNELL, json={"input": {"prompt": "a"}}, headers=headers)).json()
        clock.move(5)
        image = await client.get(f"/delivery/{created['id']}/out-0.webp")
    assert missing.status_code == wrong.status_code == 401
    assert missing.json()["detail"] != wrong.json()["detail"]
    assert image.status_code == 200


async def test_every_path_works_under_replicate_too():
    async with sandbox_client() as client:
        created = (await client.post(f"/replicate{SCHNELL}", json={"input": {"prompt": "a"}})).json()
        response = await client.get(f"/replicate/v1/predictions/{created['id']}")
    assert response.json()["id"] == created["id"]


async def test_answers_carry_the_rate_limit_headers():
    async with sandbox_client() as client:
        response = await client.post(SCHNELL, json={"input": {"prompt": "a"}})
    assert response.headers["ratelimit-remaining"] == "599"
    assert response.headers["ratelimit-reset"] == "1"


async def test_a_model_tells_its_schema_and_its_version():
    async with sandbox_client() as client:
        model = (await client.get("/v1/models/lucataco/flux-schnell-lora")).json()
        version = model["latest_version"]["id"]
        same = (await client.get(f"/v1/models/lucataco/flux-schnell-lora/versions/{version}")).json()
        listed = (await client.get("/v1/models/lucataco/flux-schnell-lora/versions")).json()
        missing = await client.get(f"/v1/models/lucataco/flux-schnell-lora/versions/{'0' * 64}")
    fields = model["latest_version"]["openapi_schema"]["components"]["schemas"]["Input"]
    assert fields["required"] == ["prompt"]
    assert fields["properties"]["num_outputs"]["maximum"] == 4
    assert same == model["latest_version"]
    assert listed["results"] == [same]
    assert missing.status_code == 404


async def test_all_models_are_listed_page_by_page():
    names: list[str] = []
    async with sandbox_client() as client:
        url: str | None = "/v1/models"
        while url:
            page = (await client.get(url)).json()
            names += [f"{model['owner']}/{model['name']}" for model in page["results"]]
            url = page["next"]
    assert sorted(names) == list(ModelRegistry.load().names())


async def test_the_account_is_the_sandbox():
    async with sandbox_client() as client:
        assert (await client.get("/v1/account")).json()["username"] == "sandbox"
