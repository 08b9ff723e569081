"""Fetching one output: what is read, what is refused, what may be tried again."""

import asyncio
import base64
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from types import TracebackType
from typing import Self

import anyio
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st
from rounds import rounds
from scripted_gateway import Answer, ScriptedGateway, gateway_at, read_request
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from wire_fault_server import WireFaultServer, WireScript

from darkroom.errors import OutputError, OutputExpired
from darkroom.gateways import Gateway, OutputFetcher, load_gateways

pytestmark = pytest.mark.anyio

PICTURE = b"\x89PNG kite" * 50_000
PNG = {"content-type": "image/png"}
NARROW = replace(load_gateways()["replicate"], output_hosts=("replicate.delivery", "*.replicate.delivery"))
ODD_ADDRESSES = [
    "https://replicate.delivery:99999/",
    "https://replicate.delivery:-1/",
    "https://replicate.delivery:0/",
    "https:///kite.png",
    "https://[::1/kite.png",
    "https://[zz]/kite.png",
    "https://xn--a.replicate.delivery/",
    "https://\u2603\u0332\u200b.delivery\u3002/",
    "https://" + "a" * 64 + ".replicate.delivery/",
    "https://" + "a." * 200 + "replicate.delivery/",
    "https://..replicate.delivery/",
    "https://replicate.delivery/a\nb",
    "https://replicate.delivery/\0",
    "https://user:pass@replicate.delivery/",
    "https://replicate.delivery/" + "a" * 70_000,
    "https://" + "a" * 70_000,
    "https://%zz/",
]


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
    async with fetcher.open(url) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def refusal_of(gateway: Gateway, url: str) -> OutputError:
    with anyio.fail_after(20):
        async with OutputFetcher(gateway) as fetcher:
            with pytest.raises(OutputError) as caught:
                await content_of(fetcher, url)
    return caught.value


async def test_an_image_is_streamed_without_a_key() -> None:
    async with (
        ScriptedGateway(Answer(PICTURE, headers=PNG)) as server,
        fetcher_for(server) as fetcher,
        fetcher.open(f"{server.base_url}/out/kite.png") as chunks,
    ):
        parts = [chunk async for chunk in chunks]
    assert b"".join(parts) == PICTURE
    assert len(parts) > 1
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
async def test_a_link_that_looks_dead_is_told_from_every_other_fault(status: int) -> None:
    async with ScriptedGateway(Answer({}, status)) as server, fetcher_for(server) as fetcher:
        with pytest.raises(OutputExpired, match=f"HTTP {status}") as caught:
            await content_of(fetcher, server.base_url + "/kite.png")
    assert caught.value.can_retry, "whether it is dead is for the caller to say, who knows its age"


@pytest.mark.parametrize("status", [202, 204, 206, 302, 304, 400, 401, 403, 408, 416, 429, 451, 500, 503, 599])
async def test_no_status_that_a_host_gives_once_is_final(status: int) -> None:
    async with ScriptedGateway(Answer("", status)) as server, fetcher_for(server) as fetcher:
        with pytest.raises(OutputError, match=f"HTTP {status}") as caught:
            await content_of(fetcher, server.base_url + "/kite.png")
    assert caught.value.can_retry and not isinstance(caught.value, OutputExpired)


async def test_an_image_that_breaks_off_is_worth_another_try() -> None:
    short = Answer(b"half a kite", headers={"content-length": "20"})
    async with ScriptedGateway(short) as server, fetcher_for(server, time_limit_s=0.3) as fetcher:
        with pytest.raises(OutputError, match="broke off") as caught:
            await content_of(fetcher, server.base_url + "/kite.png")
    assert caught.value.can_retry


@pytest.mark.parametrize(
    "script",
    [
        "rst_on_accept",
        "rst_mid_request",
        "rst_after_request",
        "fin_after_request",
        "half_headers",
        "garbage",
        "silence",
    ],
)
async def test_a_broken_wire_is_worth_another_try(script: WireScript) -> None:
    async with WireFaultServer(script) as server, fetcher_for(server, time_limit_s=0.3) as fetcher:
        with pytest.raises(OutputError) as caught:
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
        "javascript:alert(1)",
        "gopher",
        "",
        *ODD_ADDRESSES,
    ],
)
async def test_an_address_that_no_output_has_is_refused_for_good(url: str) -> None:
    assert not (await refusal_of(NARROW, url)).can_retry


@pytest.mark.parametrize("address", [*ODD_ADDRESSES, "http://[::ffff:127.0.0.1]:1/", "//me@[::1]:99999/x"])
async def test_a_redirect_to_an_odd_address_is_refused_for_good(address: str) -> None:
    hop = Answer("", 302, {"location": address.replace("\n", "").replace("\0", "")})
    async with ScriptedGateway(hop) as server:
        error = await refusal_of(near_only(server.base_url), server.base_url + "/kite.png")
    assert not error.can_retry
    assert len(error.message) <= 300


@pytest.mark.parametrize("port", ["99999", "-1", "0", "8x", "70000", "1e3"])
async def test_an_odd_port_of_the_own_host_is_refused_for_good(port: str) -> None:
    async with ScriptedGateway() as server:
        gateway = gateway_at(server.base_url, "custom")
        assert not (await refusal_of(gateway, f"http://127.0.0.1:{port}/kite.png")).can_retry
        assert server.connections == 0


async def test_a_host_outside_the_named_ones_is_refused_with_the_setting_that_allows_it() -> None:
    error = await refusal_of(NARROW, "https://cdn.example.com/kite.png?secret=1")
    assert "cdn.example.com" in error.message
    assert "DARKROOM_OUTPUT_HOSTS" in error.message
    assert "secret" not in error.message


async def test_a_store_on_this_machine_is_fetched_from_where_the_person_names_it_and_the_gateway_is_here_too() -> None:
    async with ScriptedGateway(Answer(b"kite", headers=PNG)) as store, ScriptedGateway() as server:
        place, url = f"127.0.0.1:{store.port}", store.base_url + "/kite.png"
        near = gateway_at(server.base_url, "custom")
        assert place in (await refusal_of(near, url)).message, "it says what to set"
        assert store.connections == 0
        async with OutputFetcher(replace(near, local_stores=(place,))) as fetcher:
            assert await content_of(fetcher, url) == b"kite"
        far = replace(near, base_url="https://images.example.com", local_stores=(place,))
        await refusal_of(far, url)
        assert store.connections == 1


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
    ("uri", "content"),
    [
        ("data:image/png;base64," + base64.b64encode(PICTURE).decode(), PICTURE),
        ("data:image/svg+xml;utf8,%3Csvg/%3E", b"<svg/>"),
        ("DATA:;base64,a2l0ZQ%3D%3D", b"kite"),
    ],
)
async def test_a_data_uri_is_decoded(uri: str, content: bytes) -> None:
    async with OutputFetcher(load_gateways()["replicate"]) as fetcher:
        assert await content_of(fetcher, uri) == content


@pytest.mark.parametrize(
    "uri", ["data:image/png;base64", "data:image/png;base64,a", "data:image/png;base64," + "AAAA" * 50_000]
)
async def test_a_data_uri_that_is_broken_or_too_large_is_refused(uri: str) -> None:
    async with OutputFetcher(load_gateways()["replicate"], max_bytes=100_000) as fetcher:
        with pytest.raises(OutputError) as caught:
            await content_of(fetcher, uri)
    assert not caught.value.can_retry


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


class OddHost:
    """A host on loopback that answers each request with the very bytes that it was told."""

    def __init__(self) -> None:
        self.answer = b""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.base_url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            await read_request(reader)
            writer.write(self.answer)
            await writer.drain()
        writer.close()


HEADERS = st.lists(
    st.tuples(
        st.sampled_from(
            [
                b"content-length",
                b"content-encoding",
                b"transfer-encoding",
                b"location",
                b"content-type",
                b"connection",
                b"x y",
            ]
        ),
        st.one_of(
            st.sampled_from(
                [b"gzip", b"deflate", b"chunked", b"-1", b"1" * 5000, b"0x10", b"1e9", b"\xff\xfe", b"5, 5"]
            ),
            st.sampled_from([address.encode(errors="replace")[:9000] for address in ODD_ADDRESSES]),
            st.binary(max_size=30),
        ),
    ),
    max_size=4,
)


@settings(max_examples=rounds(30), deadline=None)
@given(
    status=st.one_of(st.sampled_from([b"200", b"302", b"307", b"404", b"101", b"103"]), st.binary(max_size=5)),
    headers=HEADERS,
    body=st.binary(max_size=200),
    url=st.one_of(st.just("/kite.png"), st.text(max_size=60), st.sampled_from(ODD_ADDRESSES)),
)
def test_nothing_that_a_host_says_raises_anything_but_an_output_error(
    status: bytes, headers: list[tuple[bytes, bytes]], body: bytes, url: str
) -> None:
    async def fetch() -> None:
        async with OddHost() as host, OutputFetcher(near_only(host.base_url), time_limit_s=0.3) as fetcher:
            lines = b"".join(b"%s: %s\r\n" % header for header in headers)
            host.answer = b"HTTP/1.1 %s Odd\r\n%s\r\n%s" % (status, lines, body)
            with suppress(OutputError):
                await content_of(fetcher, host.base_url + url if url.startswith("/") else url)

    asyncio.run(fetch())


def near_only(base_url: str) -> Gateway:
    """A gateway whose outputs lead to no host of the internet, so that no name is looked up."""
    return replace(gateway_at(base_url, "custom"), output_hosts=())


async def test_after_many_images_at_once_few_connections_are_kept() -> None:
    async with (
        ScriptedGateway(Answer(PICTURE, headers=PNG)) as server,
        OutputFetcher(gateway_at(server.base_url, "custom")) as fetcher,
        AsyncExitStack() as open_images,
    ):
        for _ in range(12):
            await open_images.enter_async_context(fetcher.open(f"{server.base_url}/kite.png"))
        assert server.open_connections == 12
        await open_images.aclose()
        with anyio.fail_after(5):
            while server.open_connections > 4:  # the library closes them in the background
                await checkpoint()
