"""Connections to hosts that a gateway names: only public addresses, decided at connect time.

A name is resolved once; if any of its addresses is not public the connection is refused, else it goes to the address
that was checked, so that a second answer of the name server cannot redirect it. Host and SNI stay the name. Through a
proxy it is the proxy that resolves, so there a name is judged by its look: what can only be an inner one is refused.
"""

import ipaddress
import re
import socket
from collections.abc import Collection, Iterable
from contextlib import suppress
from typing import cast

import anyio
import httpcore
import httpx

from darkroom.errors import OutputError
from darkroom.gateways.route import Proxy, Route, tls_context

# The library looks at each idle one with every request, which takes longer than most images need for all else.
_MOST_CONNECTIONS, _MOST_IDLE = 20, 4
# Names that no public name server answers (RFC 6761, 6762, 8375, and .internal), and those of routers at home.
_INNER_NAMES = ("localhost", "local", "internal", "home.arpa", "lan", "intranet", "corp", "home", "localdomain")
_NUMBER = re.compile(r"0x[0-9a-f]*|[0-9]+")  # as a last label it makes a name an address: 127.1, 0x7f000001
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def is_public(address: str) -> bool:
    """True for an address of the public internet, also when it is wrapped in one of the IPv6 transition forms."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        wrapped = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if ip in _NAT64:
            wrapped = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
        if wrapped is not None:
            return is_public(str(wrapped))
        if int(ip) >> 32 == 0:  # ::/96, the old IPv4-compatible form
            return False
    return ip.is_global and not ip.is_multicast


def is_public_name(host: str) -> bool:
    """True for a public address, and for a name that can belong to the public internet."""
    name = host.strip("[]").rstrip(".").lower()
    with suppress(ValueError):
        return is_public(name)
    last = name.rpartition(".")[2]
    if last == name or _NUMBER.fullmatch(last) or ":" in name:
        return False
    return not any(name.endswith(f".{inner}") for inner in _INNER_NAMES)


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to public addresses on `ports`, and to the (host, port) pairs of `allowed`, public or not.

    Everything else raises OutputError, for good.
    """

    def __init__(
        self,
        *,
        ports: Collection[int] = (443,),
        allowed: Collection[tuple[str, int]] = (),
        inner: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._ports = ports
        self._allowed = allowed
        self._inner = inner or cast("httpcore.AsyncNetworkBackend", httpcore.AnyIOBackend())

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        is_allowed = (host, port) in self._allowed
        if not is_allowed and port not in self._ports:
            raise OutputError(f"Port {port} of '{host[:80]}' is not fetched from.")
        try:
            with anyio.fail_after(timeout):
                found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError("the name cannot be resolved") from error
        addresses = [str(entry[4][0]) for entry in found]
        if not is_allowed and not all(is_public(address) for address in addresses):
            raise _not_public(host)
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)


class GuardedTransport(httpx.AsyncHTTPTransport):
    """Carries requests over a guarded backend. httpx gives its transport none, so this one has a pool of ours."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend, *, route: Route, is_for_https: bool = True) -> None:
        trusted = tls_context(route, is_needed=is_for_https)
        self._pool = httpcore.AsyncConnectionPool(
            trusted,
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=_MOST_IDLE,
            network_backend=backend,
        )


class ProxiedTransport(httpx.AsyncHTTPTransport):
    """Carries https requests for port 443 through tunnels of the proxy; any other raises OutputError, for good."""

    def __init__(self, proxy: Proxy, *, route: Route) -> None:
        user, password = proxy.reveal() or ("", "")
        self._pool = httpcore.AsyncHTTPProxy(
            proxy.address,
            proxy_auth=(user.encode(), password.encode()) if proxy.reveal() else None,
            ssl_context=tls_context(route, is_needed=True),
            max_connections=_MOST_CONNECTIONS,
            max_keepalive_connections=_MOST_IDLE,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        host = request.url.raw_host.decode("ascii", "replace")
        if request.url.scheme != "https" or request.url.port not in (None, 443):
            raise OutputError(f"'{host[:80]}' is only fetched from by plain https.")
        if not is_public_name(host):
            raise _not_public(host)
        return await super().handle_async_request(request)


def _not_public(host: str) -> OutputError:
    return OutputError(f"'{host[:80]}' is not a host of the public internet; it is not fetched from.")
