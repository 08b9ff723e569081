"""Bringing one output in: what is read, what is refused, what may be tried again."""

import base64
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import replace

import anyio
import pytest
from scripted_gateway import Answer, ScriptedGateway, gateway_at
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from wire_fault_server import WireFaultServer

from darkroom.errors import OutputError, OutputExpired
from darkroom.gateways import Gateway, OutputFetcher, load_gateways

pytestmark = pytest.mark.anyio

PICTURE = b"\x89PNG kite" * 50_000
PNG = {"content-type": "image/png"}


@asynccontextmanager
async def fetcher_for(
    server: ScriptedGateway | WireFaultServer, *, max_bytes: int = 1_000_000, time_limit_s: float = 10
) -> AsyncGenerator[OutputFetcher]:
    with anyio.fail_after(20):
        async with OutputFetcher(
            gateway_at(server.base_url), max_bytes=max_bytes, time_limit_s=time_limit_s
        ) as fetcher:
            yield fetcher


async def content_of(fetcher: OutputFetcher, url: str) -> bytes:
    async with fetcher.open(url) as download:
        return b"".join([chunk async for chunk in download.chunks])


async def refusal_of(gateway: Gateway, url: str) -> OutputError:
    with anyio.fail_after(20):
        async with OutputFetcher(gateway) as fetcher:
            with pytest.raises(OutputError) as caught:
                await content_of(fetcher, url)
    return caught.value


async def test_an_image_is_streamed_with_its_length_and_type_and_without_a_key() -> None:
    async with ScriptedGateway(Answer(PICTURE, headers=PNG)) as server, fetcher_for(server) as fetcher:
        async with fetcher.open(f"{server.base_url}/out/kite.png") as download:
            chunks = [chunk async for chunk in download.chunks]
        assert (download.content_length, download.content_type) == (len(PICTURE), "image/png")
    assert b"".join(chunks) == PICTURE
    assert len(chunks) > 1
    headers = server.requests[0].headers
    assert "authorization" not in headers
    assert headers["accept-encoding"] == "identity"


async def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with ScriptedGateway() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.base_url)
        async with ScriptedGateway(Answer(b"kite", headers=PNG)) as server, fetcher_for(server) as fetcher:
            assert await content_of(fetcher, server.base_url + "/kite.png") == b"kite"
        assert proxy.connections == 0


@pytest.mark.parametrize("status", [404, 410])
async def test_a_dead_link_is_expired(status: int) -> None:
    async with ScriptedGateway(Answer({}, status)) as server, fetcher_for(server) as fetcher:
        with pytest.raises(OutputExpired, match=f"HTTP {status}"):
            await content_of(fetcher, server.base_url + "/kite.png")


async def test_a_403_means_a_dead_link_only_after_its_lifetime() -> None:
    async with ScriptedGateway(Answer({}, 403)) as server, fetcher_for(server) as fetcher:
        with pytest.raises(OutputError) as early:
            await content_of(fetcher, server.base_url + "/kite.png")
        with pytest.raises(OutputExpired):
            async with fetcher.open(server.base_url + "/kite.png", is_past_lifetime=True):
                pass
    assert not isinstance(early.value, OutputExpired)
    assert early.value.can_retry


@pytest.mark.parametrize(("status", "can_retry"), [(500, True), (503, True), (429, True), (400, False), (204, False)])
async def test_only_a_passing_refusal_is_worth_another_try(status: int, can_retry: bool) -> None:
    async with ScriptedGateway(Answer({}, status)) as server, fetcher_for(server) as fetcher:
        with pytest.raises(OutputError) as caught:
            await content_of(fetcher, server.base_url + "/kite.png")
    assert caught.value.can_retry is can_retry


async def test_an_image_that_breaks_off_is_worth_another_try() -> None:
    short = Answer(b"half a kite", headers={"content-length": "20"})
    async with ScriptedGateway(short) as server, fetcher_for(server, time_limit_s=0.3) as fetcher:
        with pytest.raises(OutputError, match="broke off") as caught:
            await content_of(fetcher, server.base_url + "/kite.png")
    assert caught.value.can_retry


async def test_an_image_that_drips_for_ever_ends_with_the_time_limit() -> None:
    async with WireFaultServer("dripping_headers") as server, fetcher_for(server, time_limit_s=0.2) as fetcher:
        with pytest.raises(OutputError) as caught:
            await content_of(fetcher, server.base_url + "/kite.png")
    assert caught.value.can_retry


@pytest.mark.parametrize("headers", [PNG, {"transfer-encoding": "chunked"}])
async def test_an_image_that_is_too_large_is_not_fetched(headers: dict[str, str]) -> None:
    body = PICTURE if headers is PNG else b"%x\r\n" % len(PICTURE) + PICTURE + b"\r\n0\r\n\r\n"
    answer = Answer(body, headers=headers)
    async with ScriptedGateway(answer) as server, fetcher_for(server, max_bytes=100_000) as fetcher:
        with pytest.raises(OutputError, match="larger than") as caught:
            await content_of(fetcher, server.base_url + "/kite.png")
    assert not caught.value.can_retry


async def test_redirects_are_followed_three_times_and_not_more() -> None:
    async with ScriptedGateway() as server, fetcher_for(server) as fetcher:
        hops = [Answer("", 302, {"location": f"/hop{number}"}) for number in range(1, 5)]
        server.answer(*hops[:3], Answer(b"kite", headers=PNG))
        assert await content_of(fetcher, server.base_url + "/kite.png") == b"kite"
        server.answer(*hops, Answer(b"kite", headers=PNG))
        with pytest.raises(OutputError, match="too often"):
            await content_of(fetcher, server.base_url + "/kite.png")


async def test_a_redirect_to_another_host_is_checked_anew_and_not_followed() -> None:
    async with ScriptedGateway() as evil:
        answer = Answer("", 302, {"location": f"{evil.base_url}/latest/meta-data"})
        async with ScriptedGateway(answer) as server, fetcher_for(server) as fetcher:
            with pytest.raises(OutputError, match="https"):
                await content_of(fetcher, server.base_url + "/kite.png")
        assert evil.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "http://replicate.delivery/kite.png",
        "https://replicate.delivery:8443/kite.png",
        "https://me@replicate.delivery/kite.png",
        "https://replicate.delivery.evil.example/kite.png",
        "https://evil.example/replicate.delivery/kite.png",
        "https://evilreplicate.delivery/kite.png",
        "https://replicate.delivery@evil.example/kite.png",
        "ftp://replicate.delivery/kite.png",
        "file:///etc/passwd",
        "https:///kite.png",
        "https://[::1/kite.png",
        "gopher",
        "",
    ],
)
async def test_an_address_that_no_output_has_is_refused_for_good(url: str) -> None:
    assert not (await refusal_of(load_gateways()["replicate"], url)).can_retry


async def test_a_refused_host_is_named_with_the_setting_that_allows_it() -> None:
    error = await refusal_of(load_gateways()["cometapi"], "https://cdn.example.com/kite.png?secret=1")
    assert "cdn.example.com" in error.message
    assert "DARKROOM_OUTPUT_HOSTS" in error.message
    assert "secret" not in error.message


async def test_loopback_is_fetched_only_from_the_own_port_of_a_gateway_on_this_machine() -> None:
    async with ScriptedGateway(Answer(b"kite", headers=PNG)) as other, ScriptedGateway() as server:
        near = gateway_at(server.base_url, "custom")
        far = replace(near, base_url="https://images.example.com")
        for gateway in (near, far):
            await refusal_of(gateway, other.base_url + "/kite.png")
            await refusal_of(gateway, f"https://127.0.0.1:{other.port}/kite.png")
        await refusal_of(far, server.base_url + "/kite.png")
        assert (other.connections, server.connections) == (0, 0)


@pytest.mark.parametrize(
    ("uri", "content", "content_type"),
    [
        ("data:image/png;base64," + base64.b64encode(PICTURE).decode(), PICTURE, "image/png"),
        ("data:image/svg+xml;utf8,%3Csvg/%3E", b"<svg/>", "image/svg+xml"),
        ("DATA:;base64,a2l0ZQ%3D%3D", b"kite", ""),
    ],
)
async def test_a_data_uri_is_decoded(uri: str, content: bytes, content_type: str) -> None:
    async with OutputFetcher(load_gateways()["replicate"]) as fetcher, fetcher.open(uri) as download:
        assert b"".join([chunk async for chunk in download.chunks]) == content
        assert (download.content_length, download.content_type) == (len(content), content_type)


@pytest.mark.parametrize(
    "uri", ["data:image/png;base64", "data:image/png;base64,a", "data:image/png;base64," + "AAAA" * 50_000]
)
async def test_a_data_uri_that_is_broken_or_too_large_is_refused(uri: str) -> None:
    async with OutputFetcher(load_gateways()["replicate"], max_bytes=100_000) as fetcher:
        with pytest.raises(OutputError):
            await content_of(fetcher, uri)


async def test_outputs_of_the_embedded_sandbox_are_asked_in_this_process() -> None:
    async def picture(request: Request) -> Response:
        is_known = request.path_params["name"] == "kite.png"
        return Response(PICTURE if is_known else b"", 200 if is_known else 404, media_type="image/png")

    app = Starlette(routes=[Route("/out/{name}", picture)])
    sandbox = load_gateways()["sandbox"]
    async with OutputFetcher(sandbox, app=app) as fetcher:
        assert await content_of(fetcher, f"{sandbox.origin}/out/kite.png") == PICTURE
        with pytest.raises(OutputExpired):
            await content_of(fetcher, f"{sandbox.origin}/out/gone.png")
        with pytest.raises(OutputError, match="not fetched"):
            await content_of(fetcher, "https://replicate.delivery/kite.png")
