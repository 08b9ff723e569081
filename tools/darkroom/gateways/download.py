"""Fetching finished images from wherever a gateway put them: a second client that never had the key.

https on port 443 of any public host (guard.py), or of those that the person names; few redirects, each checked anew; no
proxy but the one that the person sets for darkroom; bytes and time bounded. Exceptions, all decided by the settings: a
gateway on this machine may serve images itself and from the stores on this machine that the person names, and the
embedded sandbox is asked in this process. Data URIs are decoded.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Self

import anyio

from darkroom.errors import OutputError, OutputExpired
from darkroom.gateways.handshakes import Handshakes
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.replies import BOUNDED_ENCODINGS
from darkroom.images import MAX_IMAGE_BYTES
from darkroom.uris import TooLarge, decode_data_uri, host_of, is_loopback, port_of, scheme_of

if TYPE_CHECKING:
    import httpx
    from starlette.types import ASGIApp

TIME_LIMIT_S = 60.0
_MOST_REDIRECTS = 3
_CLOSING_S = 2.0
_HEADERS = {"Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity", "User-Agent": "darkroom-mcp"}
_NAME_OR_IP = re.compile(r"(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}\.?|[0-9a-f:.]+")
_ODD_IN_ADDRESS = re.compile(r"[^A-Za-z0-9.:/_-]")
_ODD_IN_HOST = re.compile(r"[^a-z0-9.:_-]")


class OutputFetcher:
    """Open it with `async with`. For one image: `max_bytes` decoded, `time_limit_s` from request to last byte."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        app: "ASGIApp | None" = None,
        max_bytes: int = MAX_IMAGE_BYTES,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self.gateway, self._app = gateway, app
        self._max_bytes, self._time_limit_s = max_bytes, time_limit_s
        self._near = _near_places(gateway)
        self._opened: dict[tuple[str, bool], httpx.AsyncBaseTransport] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for way in self._opened.values():
            await way.aclose()

    @asynccontextmanager
    async def open(self, url: str) -> AsyncGenerator[AsyncIterator[bytes]]:
        """The bytes of one output, given as an address or as a data URI, as they come.

        Opening and reading raise OutputExpired where the link looks dead now, and OutputError for everything else that
        a gateway or a host can say or do, with `can_retry` where another try may bring the image.
        """
        if scheme_of(url) == "data":
            yield _decoded(url, self._max_bytes)
            return
        ends_at = anyio.current_time() + self._time_limit_s
        response = await self._answer(url, ends_at)
        try:
            yield self._chunks(response, ends_at)
        finally:
            await _close(response)

    async def _answer(self, url: str, ends_at: float) -> "httpx.Response":
        """The response to the last hop, an image on its way."""
        hop = _parsed(url)
        for _ in range(_MOST_REDIRECTS + 1):
            self._check(hop)
            with _faults_in_words(f"An image could not be fetched from '{_host(hop)}'.", ends_at):
                response = await self._send(hop)
            if not response.has_redirect_location:
                break
            await _close(response)
            hop = _parsed(response.headers["location"], base=hop)
        else:
            raise OutputError(f"'{_host(hop)}' redirects an image too often; it is not fetched.")
        if problem := self._problem(response):
            await _close(response)
            raise problem
        return response

    def _check(self, url: "httpx.URL") -> None:
        """Raises: OutputError for an address from which no image is fetched."""
        host, port, shown = url.raw_host.decode("ascii").lower(), _port(url), _host(url)
        if not url.userinfo and self._is_near(url):
            return
        if url.userinfo or url.scheme != "https" or port != 443:
            place = f"{f'[{shown}]' if ':' in shown else shown}:{port}"
            hint = f" If it is a store on this machine, the user adds '{place}' to DARKROOM_OUTPUT_HOSTS."
            is_near = self.gateway.is_loopback and is_loopback(host)
            raise OutputError(
                f"An image on '{shown}' is not served by plain https, so it is not fetched.{hint if is_near else ''}"
            )
        allowed = (*self.gateway.output_hosts, host_of(self.gateway.base_url))
        if not any(fnmatchcase(host, pattern) for pattern in allowed):
            raise OutputError(
                f"Images are not fetched from '{shown}': it is not among DARKROOM_OUTPUT_HOSTS. The user can add it "
                "there, then get_prediction fetches the image while its link lives."
            )

    def _problem(self, response: "httpx.Response") -> OutputError | None:
        status, host = response.status_code, _host(response.url)
        if status in (404, 410):
            return OutputExpired(f"'{host}' has no image under its link any more (HTTP {status}).", can_retry=True)
        if status != 200:
            return OutputError(f"An image could not be fetched from '{host}' (HTTP {status}).", can_retry=True)
        if (_length(response) or 0) > self._max_bytes:
            return _too_large(self._max_bytes)
        if response.headers.get("content-encoding", "").strip().lower() not in BOUNDED_ENCODINGS:
            return OutputError(f"An image from '{host}' is packed in a way that has no bounds; it is not fetched.")
        return None

    async def _chunks(self, response: "httpx.Response", ends_at: float) -> AsyncIterator[bytes]:
        parts = response.aiter_bytes()
        size_bytes, host = 0, _host(response.url)
        while True:
            with _faults_in_words(f"An image from '{host}' broke off.", ends_at):
                part = await anext(parts, None)
            if part is None:
                break
            size_bytes += len(part)
            if size_bytes > self._max_bytes:
                raise _too_large(self._max_bytes)
            yield part
        if response.num_bytes_downloaded < (_length(response) or 0):
            raise OutputError(f"An image from '{host}' came too short.", can_retry=True)

    async def _send(self, url: "httpx.URL") -> "httpx.Response":
        """One request without a key, cookies or redirects; each way is opened at its first."""
        import httpx

        way = (url.scheme, self._is_near(url))
        if way not in self._opened:
            self._opened[way] = self._transport(*way)
        limits = httpx.Timeout(20.0, connect=5.0).as_dict()
        extensions = {"timeout": limits, "trace": Handshakes().reach}
        request = httpx.Request("GET", url, headers=_HEADERS, extensions=extensions)
        response = await self._opened[way].handle_async_request(request)
        response.request = request
        return response

    def _transport(self, scheme: str, is_near: bool) -> "httpx.AsyncBaseTransport":
        import httpx

        from darkroom.gateways.guard import GuardedBackend, GuardedTransport, ProxiedTransport

        route = self.gateway.route
        if self._app:
            return httpx.ASGITransport(app=self._app, raise_app_exceptions=False)
        if route.proxy and not is_near:
            return ProxiedTransport(route.proxy, route=route)
        return GuardedTransport(GuardedBackend(allowed=self._near), route=route, is_for_https=scheme == "https")

    def _is_near(self, url: "httpx.URL") -> bool:
        return url.scheme in ("http", "https") and (url.raw_host.decode("ascii").lower(), _port(url)) in self._near


def _near_places(gateway: Gateway) -> frozenset[tuple[str, int]]:
    """Host and port of what is on this machine, where the gateway itself is, or in this process."""
    if not (gateway.is_loopback or gateway.is_embedded):
        return frozenset()
    stores = [f"http://{store}" for store in gateway.local_stores if gateway.is_loopback]
    return frozenset((host_of(url), port_of(url) or 0) for url in (gateway.base_url, *stores))


def _port(url: "httpx.URL") -> int | None:
    return url.port or {"https": 443, "http": 80}.get(url.scheme)


def _host(url: "httpx.URL") -> str:
    """The host as it is spoken of: ASCII, short, and nothing in it that ends the quotation."""
    return _ODD_IN_HOST.sub("", url.raw_host.decode("ascii", "replace").lower())[:80]


def _parsed(address: str, base: "httpx.URL | None" = None) -> "httpx.URL":
    """Raises: OutputError for what is no address: an impossible port, a host that no name server could know, 70 kB."""
    import httpx

    error: Exception | None = None
    try:
        url = base.join(address) if base else httpx.URL(address)
        name = url.raw_host.decode("ascii").lower() if url.host else ""  # reading `host` decodes Punycode
        if _NAME_OR_IP.fullmatch(name) and len(name) < 254 and (url.port is None or 0 < url.port < 65536):
            return url
    except Exception as fault:  # the border to addresses that nobody vouches for: they break the library in many ways
        error = fault
    shown = _ODD_IN_ADDRESS.sub("", address[:300].partition("?")[0])[:60]
    raise OutputError(f"'{shown}' is not an address from which an image can be fetched.") from error


@contextmanager
def _faults_in_words(words: str, ends_at: float) -> Generator[None]:
    try:
        with anyio.fail_after(ends_at - anyio.current_time()):
            yield
    except OutputError:
        raise
    except Exception as error:  # the border to hosts that nobody vouches for: they break the libraries in many ways
        refused = " The proxy refused the connection." if type(error).__name__ == "ProxyError" else ""
        raise OutputError(words + refused, can_retry=True) from error


async def _close(response: "httpx.Response") -> None:
    with anyio.move_on_after(_CLOSING_S, shield=True), suppress(Exception):
        await response.aclose()


def _length(response: "httpx.Response") -> int | None:
    """The length that the host announces; None where that is no number of a usual length."""
    length = response.headers.get("content-length", "")
    return int(length) if length.isdecimal() and len(length) < 20 else None


async def _decoded(uri: str, max_bytes: int) -> AsyncIterator[bytes]:
    """The content of a data URI."""
    try:
        yield decode_data_uri(uri, limit_bytes=max_bytes)[1]
    except TooLarge as error:
        raise _too_large(max_bytes) from error
    except ValueError as error:
        raise OutputError(f"An image came as a data URI that cannot be decoded: {error}") from error


def _too_large(max_bytes: int) -> OutputError:
    return OutputError(f"An image is larger than {max_bytes // (1024 * 1024)} MiB; it is not fetched.")
