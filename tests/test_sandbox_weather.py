"""The bad weather of the sandbox: what a prompt may ask for, and what then happens."""

from typing import Any

import httpx
import pytest
from sandbox_server import HandClock, sandbox_client

from darkroom_server.cli.serve import sandbox
from darkroom_server.sandbox import WEATHER, SandboxOptions
from darkroom_server.sandbox.life import ODD_STATUS
from darkroom_server.sandbox.weather import read_weather

pytestmark = pytest.mark.anyio

SCHNELL = "/v1/models/black-forest-labs/flux-schnell/predictions"


async def ask(client: httpx.AsyncClient, prompt: str, **more: object) -> httpx.Response:
    return await client.post(SCHNELL, json={"input": {"prompt": prompt, **more}})


async def end_of(prompt: str, after_s: float = 10.0, **more: object) -> dict[str, Any]:
    """The prediction `after_s` seconds after its create."""
    clock = HandClock()
    async with sandbox_client(SandboxOptions(clock=clock, new_id=lambda: "a" * 26)) as client:
        created = (await ask(client, prompt, **more)).json()
        clock.move(after_s)
        return (await client.get(f"/v1/predictions/{created['id']}")).json()


@pytest.mark.parametrize(
    ("prompt", "conditions", "caption"),
    [
        ("a lighthouse", {}, "a lighthouse"),
        ("sandbox:nsfw a lighthouse", {"nsfw": 0.0}, "a lighthouse"),
        ("  Sandbox:NSFW, a lighthouse", {"nsfw": 0.0}, "a lighthouse"),
        ("sandbox:cold=20,slow=7.5 a cat", {"cold": 20.0, "slow": 7.5}, "a cat"),
        ("sandbox: partial truncated a cat", {"partial": 0.0, "truncated": 0.0}, "a cat"),
        ("sandbox:429=3 sandbox:nsfw a cat", {"429": 3.0, "nsfw": 0.0}, "a cat"),
        ("sandbox:slow", {"slow": 75.0}, ""),
        ("sandbox: a cat in a box", {}, "a cat in a box"),
        ("sandbox:500 coins on a table", {"500": 0.0}, "coins on a table"),
        ("a sandbox:nsfw cat", {}, "a sandbox:nsfw cat"),
    ],
)
async def test_conditions_are_read_off_the_front_of_a_prompt(prompt: str, conditions: dict[str, float], caption: str):
    weather = read_weather(prompt)
    assert dict(weather.conditions) == conditions
    assert weather.caption == caption
    assert weather.unknown == ""


@pytest.mark.parametrize("word", ["nsfv", "slow=soon"])
async def test_a_misspelt_condition_is_refused_by_name_and_not_taken_for_moderation(word: str):
    async with sandbox_client() as client:
        response = await ask(client, f"sandbox:{word} a lighthouse")
    assert response.status_code == 422
    assert f"no weather is named '{word}'" in response.json()["detail"]
    assert "nsfw" not in response.json()["detail"]


async def test_the_help_of_the_command_names_every_condition():
    assert all(name in (sandbox.__doc__ or "") for name in WEATHER)


async def test_every_condition_has_its_line_of_meaning():
    assert all(meaning.endswith(".") and "\n" not in meaning for meaning in WEATHER.values())


@pytest.mark.parametrize(
    ("name", "words"),
    [("nsfw", "(E005)"), ("interrupted", "(code: PA)"), ("director", "(E9828)"), ("oom", "out of memory")],
)
async def test_a_failure_carries_its_error(name: str, words: str):
    body = await end_of(f"sandbox:{name} a lighthouse")
    assert body["status"] == "failed"
    assert words in body["error"]
    assert body["output"] is None


@pytest.mark.parametrize(
    ("prompt", "after_s", "status"),
    [
        ("sandbox:cold=20 a", 19, "starting"),
        ("sandbox:cold=20 a", 22, "succeeded"),
        ("sandbox:slow=75 a", 74, "processing"),
        ("sandbox:slow=75 a", 76, "succeeded"),
        ("sandbox:cold=20,slow=75 a", 94, "processing"),
        ("sandbox:stall a", 1700, "processing"),
        ("sandbox:stall a", 1900, "failed"),
        ("sandbox:unknown=3 a", 2, ODD_STATUS),
        ("sandbox:unknown=3 a", 6, "succeeded"),
        ("sandbox:cancel a", 10, "canceled"),
        ("sandbox:abort a", 10, "aborted"),
    ],
)
async def test_the_status_follows_the_weather(prompt: str, after_s: float, status: str):
    assert (await end_of(prompt, after_s))["status"] == status


async def test_a_stall_shows_the_same_logs_for_ever():
    assert (await end_of("sandbox:stall a", 60))["logs"] == (await end_of("sandbox:stall a", 900))["logs"]


async def test_an_aborted_one_never_started():
    body = await end_of("sandbox:abort a")
    assert body["started_at"] is None
    assert "metrics" not in body


async def test_empty_succeeds_without_output():
    body = await end_of("sandbox:empty a")
    assert body["status"] == "succeeded"
    assert body["output"] is None


@pytest.mark.parametrize(("asked", "given"), [(4, 3), (1, 1)])
async def test_partial_gives_one_image_fewer(asked: int, given: int):
    body = await end_of("sandbox:partial a", num_outputs=asked)
    assert len(body["output"]) == body["metrics"]["image_count"] == given


async def test_expired_removes_the_data_at_once():
    body = await end_of("sandbox:expired a")
    assert body["status"] == "succeeded"
    assert body["data_removed"] is True
    assert body["output"] is None


async def test_truncated_files_break_off_half_way():
    clock = HandClock()
    sizes: list[int] = []
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        for prompt in ("a lighthouse", "sandbox:truncated a lighthouse"):
            created = (await ask(client, prompt, seed=1, megapixels="0.25")).json()
            clock.move(5)
            sizes.append(len((await client.get(f"/delivery/{created['id']}/out-0.webp")).content))
    assert sizes[1] == sizes[0] // 2


@pytest.mark.parametrize(("name", "status"), [("429", 429), ("503", 503)])
async def test_a_refusal_for_load_ends_after_its_seconds_and_then_begins_anew(name: str, status: int):
    clock = HandClock()
    statuses: list[int] = []
    async with sandbox_client(SandboxOptions(clock=clock)) as client:
        for wait_s in (0, 4, 2, 0):
            clock.move(wait_s)
            statuses.append((await ask(client, f"sandbox:{name}=5 a")).status_code)
        listed = (await client.get("/v1/predictions")).json()["results"]
    assert statuses == [status, status, 201, status]
    assert len(listed) == 1


async def test_429_tells_its_seconds_in_the_body_and_503_in_the_header():
    async with sandbox_client() as client:
        throttled = await ask(client, "sandbox:429=7 a")
        overloaded = await ask(client, "sandbox:503=7 a")
    assert throttled.json()["retry_after"] == 7
    assert "resets in ~7s" in throttled.json()["detail"]
    assert "retry-after" not in throttled.headers
    assert overloaded.headers["retry-after"] == "7"


@pytest.mark.parametrize(("name", "status", "created"), [("402", 402, 0), ("500", 500, 0), ("504", 504, 1)])
async def test_an_error_at_the_create_leaves_behind_only_what_it_says(name: str, status: int, created: int):
    async with sandbox_client() as client:
        response = await ask(client, f"sandbox:{name} a")
        listed = (await client.get("/v1/predictions")).json()["results"]
    assert response.status_code == status
    assert len(listed) == created


async def test_html_is_a_page_with_status_200_and_creates_nothing():
    async with sandbox_client() as client:
        response = await ask(client, "sandbox:html a")
        listed = (await client.get("/v1/predictions")).json()["results"]
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/html")
    assert listed == []
