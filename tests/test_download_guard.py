"""No address that a gateway names can reach this machine or its network."""

import ipaddress
import socket
from collections.abc import Iterable
from typing import Any

import anyio
import httpcore
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted_gateway import Answer, ScriptedGateway, gateway_at

from darkroom.errors import OutputError
from darkroom.gateways import OutputFetcher, load_gateways
from darkroom.gateways.guard import GuardedBackend, GuardedTransport, is_public
from darkroom.gateways.route import Route

pytestmark = pytest.mark.anyio

PUBLIC = "93.184.215.14"
HOSTS = [
    "127.0.0.1",
    "localhost",
    "[::1]",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.1",
    "0.0.0.0",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[::127.0.0.1]",
    "100.64.0.1",
    "169.254.169.254",
    "rebind.test",
    "multi.test",
    "multi2.test",
    "inner.test",
    "meta.test",
    "foo@127.0.0.1",
    "127.0.0.1%2f@93.184.215.14",
    "foo@localhost",
]
NAMES = {
    "rebind.test": [[PUBLIC], ["127.0.0.1"]],
    "multi.test": [[PUBLIC, "127.0.0.1"]],
    "multi2.test": [["127.0.0.1", PUBLIC]],
    "inner.test": [["10.0.0.1"]],
    "meta.test": [["169.254.169.254"]],
}


class NameServer:
    """The system's resolver with a few names of its own; a name with several answers gives the next each time."""

    def __init__(self) -> None:
        self._resolve = socket.getaddrinfo
        self._asked: dict[str, int] = {}

    def __call__(self, host: str | bytes | None, port: Any, *rest: Any, **options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else str(host)
        if name not in NAMES:
            return self._resolve(host, port, *rest, **options)
        asked = self._asked[name] = self._asked.get(name, -1) + 1
        answers = NAMES[name][min(asked, len(NAMES[name]) - 1)]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in answers]


class NoNetwork(httpcore.AsyncNetworkBackend):
    """Stands where the wire begins: notes the address of each connection and opens none."""

    def __init__(self) -> None:
        self.addresses: list[str] = []

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.addresses.append(host)
        raise httpcore.ConnectError("no network here")


@pytest.fixture(autouse=True)
def name_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", NameServer())


@pytest.mark.parametrize("host", HOSTS)
async def test_a_connection_goes_to_a_checked_public_address_or_nowhere(host: str) -> None:
    network = NoNetwork()
    async with ScriptedGateway() as server:
        transport = GuardedTransport(GuardedBackend(ports=(server.port,), inner=network), route=Route())
        async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
            for _ in range(2):  # the second time a rebinding name answers with a private address
                with anyio.fail_after(20), pytest.raises((OutputError, httpx.HTTPError, httpx.InvalidURL)):
                    await client.get(f"http://{host}:{server.port}/latest/meta-data")
        assert server.connections == 0
    assert set(network.addresses) <= {PUBLIC}


@pytest.mark.parametrize("host", HOSTS)
async def test_no_output_address_reaches_this_machine_even_where_any_host_is_allowed(host: str) -> None:
    async with ScriptedGateway(Answer(b"secret")) as server:
        gateway = gateway_at("https://images.example.com", "custom")
        for url in (f"https://{host}:{server.port}/", f"http://{host}:{server.port}/"):
            with anyio.fail_after(20):
                async with OutputFetcher(gateway) as fetcher:
                    with pytest.raises(OutputError):
                        async with fetcher.open(url):
                            pass
        assert server.connections == 0


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("host", HOSTS)
async def test_a_redirect_of_an_output_leads_to_no_private_address(host: str, scheme: str) -> None:
    async with ScriptedGateway(Answer(b"secret")) as inner:
        hop = Answer("", 302, {"location": f"{scheme}://{host}:{inner.port}/latest/meta-data"})
        async with ScriptedGateway(hop) as server:
            with anyio.fail_after(20):
                async with OutputFetcher(gateway_at(server.base_url, "custom")) as fetcher:
                    with pytest.raises(OutputError):
                        async with fetcher.open(server.base_url + "/kite.png"):
                            pass
            assert len(server.requests) == 1
        assert inner.connections == 0


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "[::1]", "inner.test", "meta.test", "multi2.test"])
async def test_a_private_host_on_the_https_port_is_refused_for_good(host: str) -> None:
    with anyio.fail_after(20):
        async with OutputFetcher(gateway_at("https://images.example.com", "custom")) as fetcher:
            with pytest.raises(OutputError, match="public internet") as caught:
                async with fetcher.open(f"https://{host}/kite.png"):
                    pass
    assert not caught.value.can_retry


async def test_the_own_name_of_a_far_gateway_leads_to_no_private_address_either() -> None:
    with anyio.fail_after(20):
        async with OutputFetcher(gateway_at("https://inner.test", "custom")) as fetcher:
            with pytest.raises(OutputError, match="public internet"):
                async with fetcher.open("https://inner.test/kite.png"):
                    pass


async def test_any_public_host_is_fetched_from_by_default_without_a_key() -> None:
    network = NoNetwork()
    guard = GuardedBackend(inner=network)
    for gateway in load_gateways().values():
        if not gateway.is_sandbox:
            assert gateway.output_hosts == ("*",)
    with pytest.raises(httpcore.ConnectError):
        await guard.connect_tcp(PUBLIC, 443)
    assert network.addresses == [PUBLIC]


async def test_a_name_that_cannot_be_resolved_is_worth_another_try() -> None:
    async with OutputFetcher(load_gateways()["custom"]) as fetcher:
        with anyio.fail_after(20), pytest.raises(OutputError) as caught:
            async with fetcher.open("https://nowhere.invalid/kite.png"):
                pass
    assert caught.value.can_retry


@pytest.mark.parametrize("port", [22, 80, 8443])
async def test_only_the_https_port_is_connected_to(port: int) -> None:
    network = NoNetwork()
    with pytest.raises(OutputError, match="Port"):
        await GuardedBackend(inner=network).connect_tcp(PUBLIC, port)
    assert network.addresses == []


async def test_a_configured_pair_is_let_through_and_no_neighbour_of_it() -> None:
    network = NoNetwork()
    guard = GuardedBackend(allowed={("127.0.0.1", 8000)}, inner=network)
    with pytest.raises(httpcore.ConnectError):
        await guard.connect_tcp("127.0.0.1", 8000)
    for host, port in (("127.0.0.1", 443), ("localhost", 8000), ("127.0.0.1", 8001)):
        with pytest.raises(OutputError):
            await guard.connect_tcp(host, port)
    assert network.addresses == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (PUBLIC, True),
        ("2606:2800:21f:cb07:6820:80da:af6b:8b2c", True),
        ("::ffff:93.184.215.14", True),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("192.168.0.1", False),
        ("fe80::1%eth0", False),
        ("fd00::1", False),
        ("64:ff9b::a00:1", False),
        ("2001:0:7f00:1::", False),
        ("::", False),
    ],
)
async def test_an_address_counts_as_public_only_if_every_form_of_it_is(address: str, expected: bool) -> None:
    assert is_public(address) is expected


@given(st.ip_addresses(v=4))
def test_no_wrapping_makes_a_private_address_public(address: ipaddress.IPv4Address) -> None:
    wrapped = [
        f"::ffff:{address}",
        f"64:ff9b::{address}",
        str(ipaddress.IPv6Address((0x2002 << 112) | (int(address) << 80))),
    ]
    if not is_public(str(address)):
        assert not any(is_public(form) for form in wrapped)
