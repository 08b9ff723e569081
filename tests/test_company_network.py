"""From behind a company's proxy and its inspection of TLS: gateway, uploads and images go through, and nothing else."""

import logging
import os
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import pytest
import systems
from company_network import Authority, ConnectProxy, Habit, SecureGateway
from pictures import picture
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway

from darkroom.errors import GatewayUnreachable, OutputError, SettingsError
from darkroom.gateways import GatewayChoice, OutputFetcher, PredictionClient, choose_gateway
from darkroom.gateways.guard import is_public_name

pytestmark = pytest.mark.anyio

KEY = "sk-canary0canary0canary0"
ID = "company0company0company001"
PNG = {"content-type": "image/png"}
PLACES = ("api.example.com", "cdn.example.com")


def chosen(**environ: object) -> GatewayChoice:
    given = {name: str(text) for name, text in environ.items()}
    return choose_gateway({"DARKROOM_BASE_URL": "https://api.example.com", "DARKROOM_API_KEY": KEY, **given})


def respond(request: RecordedRequest) -> Answer:
    if request.path == "/moved.png":
        return Answer("", 302, {"location": "https://10.0.0.1/kite.png"})
    if request.path.endswith(".png"):
        return Answer(picture(), headers=PNG)
    if request.path == "/v1/files":
        return Answer({"id": "f", "urls": {"get": "https://api.example.com/v1/files/f"}}, 201)
    return Answer({"id": ID, "status": "starting"}, 201 if request.method == "POST" else 200)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def company(
    authority: Authority, credentials: str = "", habit: Habit = "open"
) -> AsyncGenerator[tuple[ConnectProxy, SecureGateway]]:
    async with SecureGateway(authority.server_context(*PLACES), respond) as far:
        places = {f"{name}:443": far.port for name in PLACES}
        async with ConnectProxy(places, credentials=credentials, habit=habit) as proxy:
            with anyio.fail_after(30):
                yield proxy, far


async def image_at(choice: GatewayChoice, url: str) -> bytes:
    async with OutputFetcher(choice.gateway) as fetcher, fetcher.open(url) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_the_gateway_uploads_and_images_go_through_the_proxy(authority: Authority) -> None:
    async with company(authority) as (proxy, far):
        choice = chosen(DARKROOM_PROXY=proxy.address, SSL_CERT_FILE=authority.file, DARKROOM_GATEWAY="replicate")
        async with PredictionClient(choice.gateway, choice.key) as client:
            assert (await client.create("acme/kite", "", {"prompt": "a kite"})).id == ID
            assert (await client.get(ID)).id == ID
            assert await client.upload(b"x", "x.png", "image/png")
        assert await image_at(choice, "https://cdn.example.com/kite.png") == picture()
    assert set(proxy.asked) == {"api.example.com:443", "cdn.example.com:443"}
    assert KEY not in "".join(proxy.heads)
    assert "authorization" not in far.requests[-1].headers


async def test_the_password_of_the_proxy_goes_to_the_proxy_alone(
    authority: Authority, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "darkroom")
    async with company(authority, credentials="ada:s3cret:w@rd") as (proxy, far):
        address = f"http://ada:s3cret%3Aw%40rd@127.0.0.1:{proxy.port}"
        choice = chosen(DARKROOM_PROXY=address, SSL_CERT_FILE=authority.file)
        async with PredictionClient(choice.gateway, choice.key) as client:
            await client.get(ID)
        assert await image_at(choice, "https://cdn.example.com/kite.png") == picture()
        wrong = chosen(DARKROOM_PROXY=address.replace("s3cret", "s4cret"), SSL_CERT_FILE=authority.file)
        async with PredictionClient(wrong.gateway, wrong.key) as client:
            with pytest.raises(GatewayUnreachable, match="the proxy refused.*password; DARKROOM_PROXY") as refused:
                await client.create("acme/kite", "", {"prompt": "a kite"})
    assert all("proxy-authorization" not in request.headers for request in far.requests)
    said = f"{caplog.text} {refused.value.message} {choice!r} {choice.gateway} {wrong.gateway.route}"
    assert not any(word in said for word in ("s3cret", "s4cret", "w@rd", "w%40rd"))


@pytest.mark.parametrize("habit", ["refuses", "hangs up", "garbage"])
async def test_a_create_that_the_proxy_did_not_let_through_is_certainly_unsent(
    authority: Authority, habit: Habit
) -> None:
    async with company(authority, habit=habit) as (proxy, far):
        choice = chosen(DARKROOM_PROXY=proxy.address, SSL_CERT_FILE=authority.file)
        async with PredictionClient(choice.gateway, choice.key) as client:
            with pytest.raises(GatewayUnreachable):
                await client.create("acme/kite", "", {"prompt": "a kite"})
        with pytest.raises(OutputError) as lost:
            await image_at(choice, "https://cdn.example.com/kite.png")
        assert lost.value.can_retry
        assert far.requests == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "2130706433",
        "0177.0.0.1",
        "127.0.0.1.",
        "10.0.0.1",
        "169.254.169.254",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "localhost",
        "a.localhost",
        "intranet",
        "printer.local",
        "metadata.google.internal",
        "router.home.arpa",
    ],
)
async def test_through_a_proxy_no_inner_address_is_asked_for(host: str, authority: Authority) -> None:
    async with company(authority) as (proxy, _):
        choice = chosen(DARKROOM_PROXY=proxy.address, SSL_CERT_FILE=authority.file)
        with pytest.raises(OutputError, match="public internet|is not an address") as refused:
            await image_at(choice, f"https://{host}/kite.png")
        assert not refused.value.can_retry
        assert proxy.asked == []


@pytest.mark.parametrize("url", ["http://cdn.example.com/kite.png", "https://cdn.example.com:8443/kite.png"])
async def test_through_a_proxy_scheme_and_port_are_held_as_without(url: str, authority: Authority) -> None:
    async with company(authority) as (proxy, _):
        choice = chosen(DARKROOM_PROXY=proxy.address, SSL_CERT_FILE=authority.file)
        with pytest.raises(OutputError, match="plain https"):
            await image_at(choice, url)
        assert proxy.asked == []


async def test_a_proxy_that_is_not_there_is_told_from_a_gateway_that_is_not() -> None:
    choice = chosen(DARKROOM_PROXY="http://127.0.0.1:9")
    async with PredictionClient(choice.gateway, choice.key) as client:
        with anyio.fail_after(20), pytest.raises(GatewayUnreachable, match="no connection to the proxy"):
            await client.create("acme/kite", "", {"prompt": "a kite"})
    choice = chosen(DARKROOM_BASE_URL="http://127.0.0.1:9", DARKROOM_PROXY="http://127.0.0.1:9")
    async with PredictionClient(choice.gateway, choice.key) as client:
        with anyio.fail_after(20), pytest.raises(GatewayUnreachable, match=r"\(no connection\)"):
            await client.create("acme/kite", "", {"prompt": "a kite"})


async def test_a_redirect_through_the_proxy_is_checked_again(authority: Authority) -> None:
    async with company(authority) as (proxy, _):
        choice = chosen(DARKROOM_PROXY=proxy.address, SSL_CERT_FILE=authority.file)
        with pytest.raises(OutputError, match="10.0.0.1' is not a host of the public internet"):
            await image_at(choice, "https://cdn.example.com/moved.png")
        assert proxy.asked == ["cdn.example.com:443"]


async def test_a_gateway_on_this_machine_and_its_images_are_reached_without_the_proxy() -> None:
    async with ConnectProxy({}) as proxy, ScriptedGateway(respond) as near:
        choice = chosen(DARKROOM_PROXY=proxy.address, DARKROOM_BASE_URL=near.base_url)
        async with PredictionClient(choice.gateway, choice.key) as client:
            await client.get(ID)
        assert await image_at(choice, f"{near.base_url}/kite.png") == picture()
        assert proxy.heads == []


async def test_the_certificates_of_the_system_are_trusted(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL takes the system's list from where this variable says; darkroom itself is not told of it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    async with company(authority) as (proxy, _):
        choice = chosen(DARKROOM_PROXY=proxy.address)
        async with PredictionClient(choice.gateway, choice.key) as client:
            assert (await client.get(ID)).id == ID
        assert await image_at(choice, "https://cdn.example.com/kite.png") == picture()


async def test_an_authority_that_nobody_trusts_is_told_as_that_and_nothing_was_sent(authority: Authority) -> None:
    async with company(authority) as (proxy, far):
        choice = chosen(DARKROOM_PROXY=proxy.address)
        async with PredictionClient(choice.gateway, choice.key) as client:
            with pytest.raises(GatewayUnreachable, match="certificate is not trusted.*SSL_CERT_FILE"):
                await client.create("acme/kite", "", {"prompt": "a kite"})
        assert far.requests == []


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
async def test_a_file_of_certificates_that_cannot_be_read_is_named_before_anything_is_sent(
    content: bytes | None, tmp_path: Path
) -> None:
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_bytes(content)
    choice = chosen(SSL_CERT_FILE=file)
    async with PredictionClient(choice.gateway, choice.key) as client:
        with anyio.fail_after(20), pytest.raises(GatewayUnreachable, match="SSL_CERT_FILE names no readable file"):
            await client.create("acme/kite", "", {"prompt": "a kite"})


@systems.own_certificates
def test_a_system_without_any_certificates_falls_back_on_a_list_of_its_own(tmp_path: Path) -> None:
    script = (
        "import ssl; from darkroom.gateways.route import Route, tls_context\n"
        "context = tls_context(Route(), is_needed=True)\n"
        "print(type(context).__module__, len(context._ctx.get_ca_certs()) > 50)"
    )
    bare = {
        "SSL_CERT_FILE": str(tmp_path / "none"),
        "SSL_CERT_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", script], env=bare, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["truststore._api", "True"], done.stderr


@pytest.mark.parametrize(
    "text",
    [
        "proxy:3128",
        "https://proxy:3128",
        "socks5://proxy:1080",
        "http://",
        "http://:3128",
        "http://proxy:port",
        "http://proxy:99999",
        "http://ada:s3cret@proxy:3128/path",
        "http://ada:s3 cret@proxy:3128",
        "http://ada:s3cret@[proxy",
    ],
)
def test_a_proxy_that_cannot_be_used_is_refused_without_showing_its_password(text: str) -> None:
    with pytest.raises(SettingsError, match="DARKROOM_PROXY must look like http://host:port") as refused:
        chosen(DARKROOM_PROXY=text)
    assert "s3" not in refused.value.message
    assert len(refused.value.message) <= 300


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://proxy.example.com:3128", "http://proxy.example.com:3128"),
        ("http://proxy.example.com/", "http://proxy.example.com:80"),
        ("http://[::1]:3128", "http://[::1]:3128"),
    ],
)
def test_a_proxy_is_read_as_people_write_it(text: str, address: str) -> None:
    proxy = chosen(DARKROOM_PROXY=text).gateway.route.proxy
    assert proxy and (proxy.address, proxy.reveal()) == (address, None)


@pytest.mark.parametrize(
    ("host", "is_public"),
    [("cdn.example.com", True), ("93.184.215.14", True), ("2606:2800:21f::1", True), ("xn--bcher-kva.example", True)]
    + [("3.example.com.", True), ("nas.lan", False), ("", False), (".", False), ("a.b.0x1", False)],
)
def test_a_name_is_judged_by_what_a_proxy_would_make_of_it(host: str, is_public: bool) -> None:
    assert is_public_name(host) is is_public
