"""Fetching finished images from wherever a gateway put them: a second client that never had the key.

Only hosts that the profile names, https on port 443, public addresses (guard.py), few redirects each checked anew, no
proxy, bytes and time capped. Two exceptions, both decided by the configured address alone: a gateway on this machine
may serve images from its own host and port, and the embedded sandbox is asked in this process. Data URIs are decoded.
"""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from types import TracebackType
from typing import TYPE_CHECKING, Self

import anyio

from darkroom.errors import OutputError, OutputExpired
from darkroom.gateways.asgi import ASGIApp
from darkroom.gateways.limits import BOUNDED_ENCODINGS
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.words import clean_words
from darkroom.uris import TooLarge, decode_data_uri, host_of, origin_of, port_of, scheme_of

if TYPE_CHECKING:
    import httpx

MAX_OUTPUT_BYTES = 64 * 1024 * 1024
TIME_LIMIT_S = 60.0
_MOST_REDIRECTS = 3
_ODD_IN_HOST = re.compile(r"[^a-z0-9.:_-]")
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Download:
    """An open image. `content_type` is the server's claim, "" where it makes none; `content_length` None likewise.

    Reading `chunks` raises OutputError when the body breaks off, is too long or too slow.
    """

    chunks: AsyncIterator[bytes]
    content_length: int | None
    content_type: str


class OutputFetcher:
    """Open it with `async with`. `max_bytes` and `time_limit_s` hold for one image, decoded, from request to last byte."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        app: ASGIApp | None = None,
        max_bytes: int = MAX_OUTPUT_BYTES,
        time_limit_s: float = TIME_LIMIT_S,
    ) -> None:
        self._gateway = gateway
        self._app = app
        self._max_bytes = max_bytes
        self._time_limit_s = time_limit_s
        self._opened: httpx.AsyncClient | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened is not None:
            await self._opened.aclose()

    @asynccontextmanager
    async def open(self, url: str, *, is_past_lifetime: bool = False) -> AsyncGenerator[Download]:
        """Open one output, given as an address or as a data URI.

        `is_past_lifetime` says that the link should have died by now, so that a 403 means just that.

        Raises: OutputExpired for a dead link; OutputError for everything else, `can_retry` where that may help.
        """
        if scheme_of(url) == "data":
            content, content_type = _decoded(url, self._max_bytes)
            yield Download(chunks=_pieces(content), content_length=len(content), content_type=content_type)
            return
        ends_at = anyio.current_time() + self._time_limit_s
        response = await self._answer(url, ends_at, is_past_lifetime=is_past_lifetime)
        try:
            length = response.headers.get("content-length", "")
            yield Download(
                chunks=self._chunks(response, ends_at),
                content_length=int(length) if length.isdecimal() else None,
                content_type=response.headers.get("content-type", "").partition(";")[0].strip().lower(),
            )
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()

    async def _answer(self, url: str, ends_at: float, *, is_past_lifetime: bool) -> "httpx.Response":
        """The response to the last hop, an image on its way."""
        import httpx

        client = self._client()
        hop = _parsed(url)
        for _ in range(_MOST_REDIRECTS + 1):
            self._check(hop)
            try:
                with anyio.fail_after(ends_at - anyio.current_time()):
                    response = await client.send(client.build_request("GET", hop), stream=True)
            except (httpx.HTTPError, TimeoutError) as error:
                raise OutputError(f"An image could not be fetched from '{_host(hop)}'.", can_retry=True) from error
            if not response.has_redirect_location:
                break
            await response.aclose()
            hop = _parsed(response.headers["location"], base=hop)
        else:
            raise OutputError(f"'{_host(hop)}' redirects an image too often; it is not fetched.")
        if problem := self._problem(response, is_past_lifetime=is_past_lifetime):
            await response.aclose()
            raise problem
        return response

    def _check(self, url: "httpx.URL") -> None:
        """Raises: OutputError for an address that no output of this gateway has."""
        if self._is_own(url):
            return
        host = url.raw_host.decode("ascii").lower()
        shown = _host(url)
        if url.userinfo or url.scheme != "https" or url.port not in (None, 443):
            raise OutputError(f"An image on '{shown}' is not served by plain https; it is not fetched.")
        if not any(fnmatchcase(host, pattern) for pattern in (*self._gateway.output_hosts, self._own_host)):
            raise OutputError(
                f"Images of gateway '{self._gateway.name}' are not fetched from '{shown}'. "
                "The user can allow that host in DARKROOM_OUTPUT_HOSTS."
            )

    def _is_own(self, url: "httpx.URL") -> bool:
        is_near = self._gateway.is_loopback or (self._gateway.is_embedded and self._app is not None)
        return is_near and not url.userinfo and origin_of(str(url)) == self._gateway.origin

    @property
    def _own_host(self) -> str:
        return host_of(self._gateway.base_url)

    def _problem(self, response: "httpx.Response", *, is_past_lifetime: bool) -> OutputError | None:
        status, host = response.status_code, _host(response.url)
        if status in (404, 410) or (status == 403 and is_past_lifetime):
            return OutputExpired(f"The link to an image on '{host}' has died (HTTP {status}).")
        if status != 200:
            can_retry = status in (403, 408, 429) or status >= 500
            return OutputError(f"An image could not be fetched from '{host}' (HTTP {status}).", can_retry=can_retry)
        length = response.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            return _too_large(self._max_bytes)
        if response.headers.get("content-encoding", "").strip().lower() not in BOUNDED_ENCODINGS:
            return OutputError(f"An image from '{host}' is packed in a way that has no bounds; it is not fetched.")
        return None

    async def _chunks(self, response: "httpx.Response", ends_at: float) -> AsyncIterator[bytes]:
        import httpx

        parts = response.aiter_bytes(_CHUNK_BYTES)
        size_bytes = 0
        try:
            while True:
                with anyio.fail_after(ends_at - anyio.current_time()):
                    part = await anext(parts, None)
                if part is None:
                    break
                size_bytes += len(part)
                if size_bytes > self._max_bytes:
                    raise _too_large(self._max_bytes)
                yield part
        except (httpx.HTTPError, TimeoutError) as error:
            raise OutputError(f"An image from '{_host(response.url)}' broke off.", can_retry=True) from error
        length = response.headers.get("content-length", "")
        if length.isdecimal() and response.num_bytes_downloaded < int(length):
            raise OutputError(f"An image from '{_host(response.url)}' came too short.", can_retry=True)

    def _client(self) -> "httpx.AsyncClient":
        """Opened at the first use, so that starting costs nothing."""
        if self._opened is None:
            self._opened = guarded_client(self._gateway, self._app)
        return self._opened


def guarded_client(gateway: Gateway, app: ASGIApp | None) -> "httpx.AsyncClient":
    """Without a key, proxies or redirects; what belongs to the embedded sandbox goes to `app`."""
    import httpx

    from darkroom.gateways.guard import GuardedBackend, GuardedTransport

    near = (host_of(gateway.base_url), port_of(gateway.base_url) or 80)
    allowed = {near} if gateway.is_loopback else set[tuple[str, int]]()
    mounts = {gateway.origin: httpx.ASGITransport(app=app, raise_app_exceptions=False)} if app else None
    return httpx.AsyncClient(
        transport=GuardedTransport(GuardedBackend(allowed=allowed)),
        mounts=mounts,
        headers={"Accept": "image/*, */*;q=0.5", "Accept-Encoding": "identity", "User-Agent": "darkroom-mcp"},
        timeout=httpx.Timeout(20.0, connect=5.0),
        follow_redirects=False,
        trust_env=False,
    )


def _host(url: "httpx.URL") -> str:
    """The host as it is spoken of: ASCII, short, and nothing in it that ends the quotation."""
    return _ODD_IN_HOST.sub("", url.raw_host.decode("ascii", "replace").lower())[:80]


def _parsed(address: str, base: "httpx.URL | None" = None) -> "httpx.URL":
    import httpx

    try:
        return base.join(address) if base else httpx.URL(address)
    except (httpx.InvalidURL, ValueError) as error:
        raise OutputError(f"An image has an address that is none: '{clean_words(address, 60)}'.") from error


def _decoded(uri: str, max_bytes: int) -> tuple[bytes, str]:
    """The bytes and the claimed type of a data URI."""
    try:
        content_type, content = decode_data_uri(uri, limit_bytes=max_bytes)
    except TooLarge as error:
        raise _too_large(max_bytes) from error
    except ValueError as error:
        raise OutputError(f"An image came as a data URI that cannot be decoded: {error}") from error
    return content, content_type


async def _pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), _CHUNK_BYTES):
        yield content[start : start + _CHUNK_BYTES]


def _too_large(max_bytes: int) -> OutputError:
    return OutputError(f"An image is larger than {max_bytes // (1024 * 1024)} MiB; it is not fetched.")
