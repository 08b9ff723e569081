"""Webhooks of a gateway: only what is signed for the account and names one of its intents is taken in."""

import base64
import hmac
import json
import time
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fault_plan import Made, Plan
from gateway_process import gateway_process
from postgres_server import PostgresServer
from starlette.applications import Starlette
from team_rooms import SECRET, open_directory
from team_workers import MODEL, Team, seen

from darkroom.gateways import load_gateways
from darkroom.gateways.creates import create_request
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest, ModelRegistry
from darkroom_server.team.hooks import Hooks, hook_route, verified

pytestmark = pytest.mark.anyio
OTHER = "whsec_" + base64.b64encode(b"another secret of 24 byte").decode()
NOW = 1_800_000_000.0


def signed(body: bytes, secret: str = SECRET, *, id: str = "msg_1", at: float | None = None) -> dict[str, str]:
    stamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(hmac.digest(key, f"{id}.{stamp}.".encode() + body, "sha256")).decode()
    return {"webhook-id": id, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


GOOD = signed(b"{}", at=NOW)
RIGHT = GOOD["webhook-signature"]


@pytest.mark.parametrize(
    ("headers", "body", "is_good"),
    [
        (GOOD, b"{}", True),
        (GOOD | {"webhook-signature": f"v1,AAAA {RIGHT}"}, b"{}", True),
        (GOOD, b"{} ", False),
        (signed(b"{}", OTHER, at=NOW), b"{}", False),
        (signed(b"{}", at=NOW - 301), b"{}", False),
        (signed(b"{}", at=NOW + 301), b"{}", False),
        (signed(b"{}", at=NOW - 299), b"{}", True),
        (GOOD | {"webhook-id": "msg_2"}, b"{}", False),
        (GOOD | {"webhook-id": ""}, b"{}", False),
        (GOOD | {"webhook-signature": RIGHT.replace("v1,", "v2,")}, b"{}", False),
        (GOOD | {"webhook-signature": ""}, b"{}", False),
        (GOOD | {"webhook-signature": "v1,\u00e9"}, b"{}", False),
        (GOOD | {"webhook-signature": RIGHT[3:]}, b"{}", False),
        (GOOD | {"webhook-timestamp": "\u0661\u0662"}, b"{}", False),
        (GOOD | {"webhook-timestamp": "-1"}, b"{}", False),
        (GOOD | {"webhook-timestamp": "9" * 400}, b"{}", False),
        ({}, b"{}", False),
    ],
)
def test_only_a_fresh_signature_over_these_very_bytes_is_believed(
    headers: dict[str, str], body: bytes, is_good: bool
) -> None:
    assert verified(body, headers, [OTHER, SECRET], NOW) is (is_good or headers == signed(b"{}", OTHER, at=NOW))
    assert verified(body, headers, [SECRET], NOW) is is_good
    assert not verified(body, headers, [], NOW) and not verified(body, headers, ["", "whsec_", "whsec_!"], NOW)


def test_an_address_is_only_sent_to_a_gateway_that_signs() -> None:
    for name, gateway in load_gateways().items():
        sent = create_request(
            gateway, "a/b", "v" * 64 if name == "custom" else "", {}, 0, 0, "key", "https://x.example"
        )
        assert (b"https://x.example" in (sent.body or b"")) is (name == "replicate")


@pytest.fixture
def team(postgres: PostgresServer, tmp_path: Path) -> Generator[Team]:
    with gateway_process(Plan(run_s=0.0, script=("500 after",))) as gateway:
        team = Team(postgres, gateway, tmp_path, secret=SECRET)
        team.found()
        try:
            yield team
        finally:
            team.end()


@asynccontextmanager
async def door(team: Team) -> AsyncGenerator[httpx.AsyncClient]:
    async with open_directory(team.postgres) as (directory, postgres):
        hooks = Hooks(postgres=postgres, directory=directory, registry=ModelRegistry.load(None))
        app = Starlette(routes=[hook_route(lambda: hooks)])
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://replica") as client:
            yield client


def told(made: Made, **other: Any) -> bytes:
    """What the gateway posts at its end."""
    output = [f"https://files.example/{made.id}-0.png"]
    body = {"id": made.id, "model": MODEL, "input": made.input, "status": "succeeded", "output": output}
    return json.dumps(body | other).encode()


async def lost_create(team: Team) -> tuple[str, str, Made]:
    """A create whose answer the gateway has lost, while its list shows nothing: its account, its key, the truth."""
    team.gateway.follow(Plan(run_s=0.0, script=("500 after",), lag_s=1e6))
    async with team.replica() as room_of:
        room = await room_of("ada")
        await generate_image(room, ImageRequest(prompt="a fox", model=MODEL), wait_s=1)
    ((account, key, state),) = team.postgres.execute("SELECT account, key, state FROM intents")
    assert state == "unknown"
    return account, key, team.gateway.truth().predictions[0]


async def test_a_signed_webhook_settles_a_lost_create_and_has_its_images_brought_home(team: Team) -> None:
    account, key, made = await lost_create(team)
    body = told(made)
    async with door(team) as client:
        for _ in range(2):  # a replay changes nothing
            answer = await client.post(f"/hooks/{account}/{key}", content=body, headers=signed(body))
            assert answer.status_code == 204
        earlier = told(made, status="processing", output=None)
        answer = await client.post(f"/hooks/{account}/{key}", content=earlier, headers=signed(earlier))
        assert answer.status_code == 204
    rows = team.postgres.execute("SELECT state, status, prediction_id, principal FROM intents")
    ((_, _, _, principal),) = rows
    assert rows == [("known", "succeeded", made.id, principal)] and principal != "*"
    assert team.count("procrastinate_jobs WHERE task_name = 'bring_home'") == 1
    assert team.postgres.execute("SELECT state, principal FROM images") == [("wanted", principal)]


async def test_what_is_forged_or_meant_for_another_account_changes_nothing(team: Team) -> None:
    account, key, made = await lost_create(team)
    body = told(made)
    another = Team(team.postgres, team.gateway, team.folder, secret=OTHER)
    with_own_secret = another.found("globex")
    same_secret = Team(team.postgres, team.gateway, team.folder, secret=SECRET).found("initech")
    async with door(team) as client:

        async def status(account: str, key: str, body: bytes, headers: dict[str, str]) -> int:
            return (await client.post(f"/hooks/{account}/{key}", content=body, headers=headers)).status_code

        assert await status(account, key, body, signed(body, OTHER)) == 401
        assert await status(account, key, body, {}) == 401
        assert await status(account, key, b"no JSON", signed(body)) == 401
        assert await status(with_own_secret, key, body, signed(body)) == 401
        assert await status(with_own_secret, key, body, signed(body, OTHER)) == 404
        assert await status(same_secret, key, body, signed(body)) == 404
        assert await status("nobody", key, body, signed(body)) == 401
        assert await status(account, "nothing", body, signed(body)) == 404
        assert await status(account, "%00", body, signed(body)) == 404
        assert await status(account, key, b"no JSON", signed(b"no JSON")) == 400
        assert await status(account, key, b" " * 2_000_000, signed(b"")) == 413
    assert team.postgres.execute("SELECT state, prediction_id FROM intents") == [("unknown", None)]


async def test_with_every_webhook_lost_a_worker_still_brings_all_home(team: Team) -> None:
    team.gateway.follow(Plan(run_s=0.2))
    team.start("worker")
    async with team.replica() as room_of:
        room = await room_of("ada")
        await generate_image(room, ImageRequest(prompt="a fox", model=MODEL), wait_s=0)
        await seen(lambda: team.states() == {"home": 1})
    assert team.lost_and_twice() == (set(), [])
