"""The wire under the client: proxies, size, hostile bodies, and what stays unloaded until it is needed."""

import json
import subprocess
import sys
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_gateway import Answer, ScriptedGateway, gateway_at

from darkroom.errors import CreateUnresolved, GatewayError, GatewayUnreachable
from darkroom.gateways import Key, PredictionClient
from darkroom.gateways.envelopes import (
    id_in_fragment,
    listed_predictions,
    next_query,
    prediction_in,
    read_json,
    read_refusal,
)
from darkroom.gateways.faults import classify
from darkroom.gateways.limits import MAX_REPLY_BYTES
from darkroom.gateways.wire import Reply
from darkroom.predictions import Prediction

pytestmark = pytest.mark.anyio

ID = "wire0000wire0000wire000001"
KEY = Key("sk-canary0canary0canary0")


async def created_at(base_url: str) -> Prediction:
    with anyio.fail_after(20):
        async with PredictionClient(gateway_at(base_url, "custom"), KEY) as client:
            return await client.create("acme/kite", "", {"prompt": "a kite"})


async def test_a_proxy_is_used_on_the_way_to_a_gateway_and_never_sees_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedGateway(Answer("", 407)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.base_url)
        with pytest.raises(GatewayUnreachable, match="proxy refused"):
            await created_at("https://images.example.com")
    (request,) = proxy.requests
    assert (request.method, request.path) == ("CONNECT", "images.example.com:443")
    assert KEY.reveal() not in str(request.headers)


async def test_a_gateway_on_this_machine_is_never_asked_through_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedGateway() as proxy, ScriptedGateway(Answer({"id": ID}, 201)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base_url)
        await created_at(server.base_url)
        assert (proxy.connections, len(server.requests)) == (0, 1)


async def test_an_answer_without_measure_is_cut_and_its_id_kept() -> None:
    body = json.dumps({"id": ID, "logs": "x" * MAX_REPLY_BYTES})
    async with ScriptedGateway(Answer(body, 201)) as server:
        assert (await created_at(server.base_url)).id == ID


@pytest.mark.parametrize(
    "body", ["[" * 100_000, f'{{"id": "{ID}", "output": {"[" * 900 + "]" * 900}}}', "\x00", '{"id": 7}']
)
async def test_a_hostile_body_leaves_a_create_unresolved_and_nothing_worse(body: str) -> None:
    async with ScriptedGateway(Answer(body, 201)) as server:
        try:
            assert (await created_at(server.base_url)).id == ID
        except GatewayError as error:
            assert isinstance(error, CreateUnresolved)


def test_half_a_character_does_not_come_in() -> None:
    body = b'{"id": "wire0000wire", "logs": "whole \\ud83d\\ude00 half \\ud83d", "error": "\\udc00"}'
    prediction = prediction_in(read_json(body))
    assert prediction is not None
    assert prediction.logs == "whole \N{GRINNING FACE} half \N{REPLACEMENT CHARACTER}"
    assert prediction.error.encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.just(10**400),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["id", "task_id", "status", "error", "code", "param", "data", "result", "retry_after", "detail", "next"]
            )
            | st.text(max_size=5),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
statuses = st.sampled_from([200, 201, 301, 400, 401, 404, 422, 429, 500, 503, 524])


@given(json_values, statuses, st.text(max_size=20))
def test_no_json_breaks_the_readers(body: Any, status: int, header: str) -> None:
    content = json.dumps(body).encode()
    decoded = read_json(content)
    prediction_in(decoded)
    prediction_in(decoded, ID)
    listed_predictions(decoded)
    next_query(decoded)
    refusal = read_refusal(Reply(status=status, headers={"retry-after": header, "date": header}, body=content))
    classify(refusal)
    assert refusal.retry_after_s is None or 0 <= refusal.retry_after_s <= 3600
    assert len(refusal.reason) <= 300


@given(st.binary(max_size=200), statuses)
def test_no_bytes_break_the_readers(body: bytes, status: int) -> None:
    prediction_in(read_json(body))
    id_in_fragment(body)
    classify(read_refusal(Reply(status=status, headers={}, body=body)))


@pytest.mark.parametrize(
    "program", ["import darkroom.gateways", "from darkroom.gateways import choose_gateway as c; c({})"]
)
def test_choosing_a_gateway_loads_no_http_library(program: str) -> None:
    check = (
        f"import sys; sys.path[:0] = {sys.path!r}; {program}; print({{'httpx', 'httpcore', 'ssl'}} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "set()"
