"""What a reseller tells about a key, over a real socket: read leniently, asked once, the key in one header only."""

import json
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import anyio
import pytest
from scripted_gateway import Answer, ScriptedGateway, gateway_at

from darkroom.errors import CreateUnresolved, GatewayBusy, GatewayError, GatewayUnreachable, KeyRefused
from darkroom.gateways import Key, LogKind, LogRow, PredictionClient, Timeouts, TokenLog, TokenUsage, load_gateways

pytestmark = pytest.mark.anyio

KEY = Key("sk-canary0canary0canary0", "DEERAPI_KEY")
AT = 1_790_000_000
PAGE = Answer("<!doctype html><html>Welcome</html>", 200, {"content-type": "text/html"})
MISSING = Answer({"error": {"message": "Invalid URL (GET /api/log/token)", "type": "invalid_request_error"}}, 404)
USAGE = {
    "object": "token_usage",
    "name": "my key",
    "total_granted": 5_000_000,
    "total_used": 2_900_000,
    "total_available": 2_100_000,
    "unlimited_quota": False,
    "expires_at": 0,
}


@asynccontextmanager
async def client_of(server: ScriptedGateway, path: str = "/replicate") -> AsyncGenerator[PredictionClient]:
    gateway = gateway_at(server.base_url + path, "deerapi")
    with anyio.fail_after(30):
        async with PredictionClient(gateway, KEY, timeouts=Timeouts(connect_s=2, write_s=2, read_s=2)) as client:
            yield client


def row(**changes: Any) -> dict[str, Any]:
    """One row in new-api's shape."""
    usual = {"id": 1, "created_at": AT, "type": 2, "model_name": "black-forest-labs/flux-schnell", "quota": 1500}
    more = {"token_name": "my key", "use_time": 3, "content": "", "other": '{"task_id":"x"}', "request_id": "r-1"}
    return {**usual, **more, **changes}


def log_of(*rows: Any) -> Answer:
    return Answer({"success": True, "message": "", "data": list(rows)})


async def read_log(answer: Answer) -> TokenLog | None:
    async with ScriptedGateway(answer) as server, client_of(server) as client:
        return await client.token_log()


async def read_usage(answer: Answer) -> TokenUsage | None:
    async with ScriptedGateway(answer) as server, client_of(server) as client:
        return await client.token_usage()


async def test_both_are_asked_at_the_root_of_the_host_with_the_key_in_its_header_only() -> None:
    async with ScriptedGateway(log_of(), Answer({"code": True, "data": USAGE})) as server, client_of(server) as client:
        await client.token_log()
        await client.token_usage()
    assert [(each.method, each.path) for each in server.requests] == [
        ("GET", "/api/log/token"),
        ("GET", "/api/usage/token/"),
    ]
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {KEY.reveal()}"
        assert [name for name, text in request.headers.items() if KEY.reveal() in text] == ["authorization"]
        assert request.body == b""


async def test_a_row_is_read_with_its_quota_in_dollars() -> None:
    found = await read_log(log_of(row(), row(type=6, quota=500, request_id=""), row(type=5, quota=0)))
    assert found == TokenLog(
        rows=(
            LogRow(at=AT, kind=LogKind.CONSUME, model="black-forest-labs/flux-schnell", usd=0.003, request_id="r-1"),
            LogRow(at=AT, kind=LogKind.REFUND, model="black-forest-labs/flux-schnell", usd=0.001, request_id=""),
            LogRow(at=AT, kind=LogKind.OTHER, model="black-forest-labs/flux-schnell", usd=0.0, request_id="r-1"),
        ),
        server_time=None,
        is_whole=True,
    )


@pytest.mark.parametrize(
    "odd",
    [
        row(quota=10**18),
        row(quota="1500"),
        row(quota=-1),
        row(quota=True),
        row(created_at=None),
        row(created_at="yesterday"),
        row(created_at=1e300),
        row(created_at=AT * 1000),
        None,
        [],
        "row",
    ],
)
async def test_a_row_that_makes_no_sense_is_left_out_and_the_log_is_not_whole(odd: object) -> None:
    found = await read_log(log_of(odd, row()))
    assert found and [each.usd for each in found.rows] == [0.003]
    assert not found.is_whole and not found.reaches_back_to(AT - 10)


async def test_odd_names_in_a_row_are_no_names() -> None:
    found = await read_log(log_of(row(model_name={"a": 1}, request_id="<b>x</b> y", type="2"), row(request_id=7)))
    assert found and [(each.model, each.request_id) for each in found.rows][0] == ("", "")
    assert found.rows[0].kind is LogKind.OTHER and found.rows[1].request_id == ""


@pytest.mark.parametrize("nothing", [None, []])
async def test_a_log_without_rows_is_a_log(nothing: object) -> None:
    found = await read_log(Answer({"success": True, "message": "", "data": nothing}))
    assert found and not found.rows and found.is_whole


async def test_of_a_very_long_log_the_newest_rows_are_read() -> None:
    rows = [row(created_at=AT - number, request_id=f"r-{number}") for number in range(100_000)]
    found = await read_log(log_of(*rows))
    assert found and [each.request_id for each in found.rows[:2]] == ["r-0", "r-1"]
    assert len(found.rows) == 2_000 and not found.is_whole
    assert found.reaches_back_to(AT - 1_000) and not found.reaches_back_to(AT - 50_000)


async def test_the_rows_of_a_log_that_broke_off_are_read_as_far_as_they_came() -> None:
    whole = json.dumps({"success": True, "data": [row(), row(request_id="r-2"), row(request_id="r-3")]})
    cut = Answer(whole[:-50], 200, {"content-length": str(len(whole)), "connection": "close"})
    found = await read_log(cut)
    assert found and [each.request_id for each in found.rows] == ["r-1", "r-2"]
    assert not found.is_whole


async def test_an_answer_that_broke_off_before_any_row_is_no_answer() -> None:
    with pytest.raises(GatewayUnreachable, match="broke off"):
        await read_log(Answer('{"succ', 200, {"content-length": "500", "connection": "close"}))


async def test_a_full_log_reaches_back_as_far_as_its_last_row() -> None:
    found = await read_log(log_of(*[row(created_at=AT - number) for number in range(100)]))
    assert found and found.reaches_back_to(AT - 98) and not found.reaches_back_to(AT - 99)


async def test_the_gateway_s_clock_is_that_of_its_answer() -> None:
    dated = replace(log_of(), headers={"date": "Sat, 21 Nov 2026 12:00:00 GMT"})
    found = await read_log(dated)
    assert found and found.server_time == time.mktime((2026, 11, 21, 12, 0, 0, 0, 0, 0)) - time.timezone


@pytest.mark.parametrize(
    "answer",
    [
        MISSING,
        PAGE,
        Answer("", 405),
        Answer("", 302, {"location": "/login"}),
        Answer({"success": False, "message": "record not found"}),
        Answer({"detail": "Hello."}),
        Answer([1, 2]),
        Answer("", 200),
    ],
)
async def test_a_gateway_that_serves_nothing_of_the_kind_has_no_log_and_no_usage(answer: Answer) -> None:
    assert await read_log(answer) is None
    assert await read_usage(answer) is None


async def test_no_redirect_is_followed() -> None:
    async with ScriptedGateway() as other:
        away = Answer("", 301, {"location": f"{other.base_url}/api/log/token"})
        async with ScriptedGateway(away) as server, client_of(server) as client:
            assert await client.token_log() is None
        assert (len(server.requests), other.connections) == (1, 0)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer({"success": False, "message": "no"}, 401), KeyRefused),
        (Answer({"error": {"message": "slow down"}}, 429), GatewayBusy),
        (Answer("", 502), GatewayUnreachable),
        (Answer({"success": False, "message": "database is locked"}), GatewayError),
    ],
)
async def test_a_refusal_is_an_error_and_is_not_asked_again(answer: Answer, kind: type[GatewayError]) -> None:
    async with ScriptedGateway(answer) as server, client_of(server) as client:
        for ask in (client.token_log, client.token_usage):
            with pytest.raises(kind) as caught:
                await ask()
            assert KEY.reveal() not in caught.value.message and len(caught.value.message) <= 300
    assert len(server.requests) == 2


async def test_what_lies_at_the_root_says_nothing_about_the_address_of_the_predictions() -> None:
    page = Answer("<html>no</html>", 404, {"content-type": "text/html"})
    async with ScriptedGateway(log_of(), page) as server, client_of(server, "/wrong") as client:
        await client.token_log()
        with pytest.raises(GatewayError, match="web page"):
            await client.create("acme/kite", "", {})


async def test_usage_is_told_in_dollars() -> None:
    assert await read_usage(Answer({"code": True, "message": "ok", "data": USAGE})) == TokenUsage(
        granted_usd=10.0, used_usd=5.8, available_usd=4.2, is_unlimited=False, expires_at=0
    )


async def test_an_unlimited_key_may_be_below_zero() -> None:
    data = {**USAGE, "unlimited_quota": True, "total_available": -500_000, "expires_at": AT}
    found = await read_usage(Answer({"code": True, "data": data}))
    assert found and (found.is_unlimited, found.available_usd, found.expires_at) == (True, -1.0, AT)


@pytest.mark.parametrize("available", [None, "much", 10**30, [], {}])
async def test_a_balance_that_is_no_number_is_not_told(available: object) -> None:
    assert await read_usage(Answer({"code": True, "data": {**USAGE, "total_available": available}})) is None


async def test_a_create_has_the_gateway_s_own_name_whatever_becomes_of_it() -> None:
    named = {"x-oneapi-request-id": "20261125-abc"}
    made = Answer({"id": "kite0000kite0000kite000001", "status": "starting"}, 200, named)
    async with ScriptedGateway(made, Answer("", 504, named)) as server, client_of(server) as client:
        assert (await client.create("acme/kite", "", {})).request_id == "20261125-abc"
        with pytest.raises(CreateUnresolved) as caught:
            await client.create("acme/kite", "", {})
    assert caught.value.request_id == "20261125-abc"


async def test_a_held_create_that_is_looked_at_again_keeps_its_name() -> None:
    body = {"id": "kite0000kite0000kite000001", "status": "processing", "output": ["https://x.example/a.png"]}
    held = Answer(body, 200, {"x-oneapi-request-id": "abc"})
    async with ScriptedGateway(held, Answer({**body, "status": "succeeded"})) as server, client_of(server) as client:
        assert (await client.create("acme/kite", "", {}, prefer_wait_s=5)).request_id == "abc"
    assert len(server.requests) == 2


async def test_an_odd_name_of_a_create_is_none() -> None:
    odd = Answer({"id": "kite0000kite0000kite000001"}, 200, {"x-oneapi-request-id": "a b<script>"})
    async with ScriptedGateway(odd) as server, client_of(server) as client:
        assert (await client.create("acme/kite", "", {})).request_id == ""


def test_replicate_and_the_sandbox_are_never_asked_and_deerapi_always_may_be() -> None:
    told = {name: gateway.has_token_log for name, gateway in load_gateways().items()}
    assert [name for name, has_log in told.items() if has_log is False] == ["replicate", "sandbox"]
    assert [name for name, has_log in told.items() if has_log] == ["deerapi"]
