"""The wire under the client: proxies, size, hostile bodies, and what stays unloaded until it is needed."""

import subprocess
import sys

import anyio
import pytest
from scripted_gateway import Answer, ScriptedGateway, gateway_at

from darkroom.errors import CreateUnresolved, GatewayError, GatewayUnreachable
from darkroom.gateways import Key, PredictionClient
from darkroom.gateways.replies import MAX_REPLY_BYTES
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
    body = b'{"id": "%s", "logs": "%s"}' % (ID.encode(), b"x" * MAX_REPLY_BYTES)
    async with ScriptedGateway(Answer(body, 201)) as server:
        assert (await created_at(server.base_url)).id == ID


@pytest.mark.parametrize(
    "body", ["[" * 100_000, f'{{"id": "{ID}", "output": {"[" * 900 + "]" * 900}}}', "\x00", '{"id": 7.5}']
)
async def test_a_hostile_body_leaves_a_create_unresolved_and_nothing_worse(body: str) -> None:
    async with ScriptedGateway(Answer(body, 201)) as server:
        try:
            assert (await created_at(server.base_url)).id == ID
        except GatewayError as error:
            assert isinstance(error, CreateUnresolved)


@pytest.mark.parametrize(
    "program", ["import darkroom.gateways", "from darkroom.gateways import choose_gateway as c; c({})"]
)
def test_choosing_a_gateway_loads_no_http_library(program: str) -> None:
    check = (
        f"import sys; sys.path[:0] = {sys.path!r}; {program}; print({{'httpx', 'httpcore', 'ssl'}} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.strip() == "set()"
