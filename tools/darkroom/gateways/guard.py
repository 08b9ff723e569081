"""Connections to hosts that a gateway names: only public addresses, decided at connect time.

A name is resolved once; if any of its addresses is not public the connection is refused, else it goes to the address
that was checked, so that a second answer of the name server cannot redirect it. Host and SNI stay the name.
"""

import ipaddress
import socket
from collections.abc import AsyncIterator, Collection, Generator, Iterable
from contextlib import contextmanager, suppress
from typing import cast

import anyio
import httpcore
import httpx

from darkroom.errors import OutputError
from darkroom.gateways.wire import tls_context

_MOST_CONNECTIONS = 20
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_SocketOption = tuple[int, int, int] | tuple[int, int, bytes | bytearray] | tuple[int, int, None, int]


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
        socket_options: Iterable[_SocketOption] | None = None,
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
            raise OutputError(f"'{host[:80]}' is not a host of the public internet; it is not fetched from.")
        for address in addresses[:-1]:
            with suppress(httpcore.ConnectError, httpcore.ConnectTimeout):
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
        return await self._inner.connect_tcp(addresses[-1], port, timeout, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[_SocketOption] | None = None
    ) -> httpcore.AsyncNetworkStream:
        raise httpcore.ConnectError("unix sockets are not allowed")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)


class GuardedTransport(httpx.AsyncBaseTransport):
    """Carries requests over a guarded backend, which httpx's own transport does not take."""

    def __init__(self, backend: httpcore.AsyncNetworkBackend) -> None:
        self._backend = backend
        self._pools: dict[str, httpcore.AsyncConnectionPool] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        target = httpcore.URL(
            scheme=request.url.raw_scheme,
            host=request.url.raw_host,
            port=request.url.port,
            target=request.url.raw_path,
        )
        with _httpx_errors():
            response = await self._pool(request.url.scheme).handle_async_request(
                httpcore.Request(request.method, target, headers=request.headers.raw, extensions=request.extensions)
            )
        return httpx.Response(response.status, headers=response.headers, stream=_Body(response))

    async def aclose(self) -> None:
        for pool in self._pools.values():
            await pool.aclose()

    def _pool(self, scheme: str) -> httpcore.AsyncConnectionPool:
        """One for each scheme, opened at its first use, because the certificates for https take a while to read."""
        if scheme not in self._pools:
            self._pools[scheme] = httpcore.AsyncConnectionPool(
                ssl_context=tls_context(is_needed=scheme == "https"),
                network_backend=self._backend,
                max_connections=_MOST_CONNECTIONS,
            )
        return self._pools[scheme]


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpcore.Response) -> None:
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with _httpx_errors():
            async for part in self._response.aiter_stream():
                yield part

    async def aclose(self) -> None:
        await self._response.aclose()


@contextmanager
def _httpx_errors() -> Generator[None]:
    """Callers of a transport expect the errors of httpx."""
    try:
        yield
    except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
        raise httpx.TransportError("the connection failed") from error
