"""The gateway's address over HTTP: the only place that puts the key into a header.

Every exchange is one attempt. What went wrong comes out as a `WireFault` that says if the request can have reached the
gateway, or as a `Reply` that was cut short. Creates travel on a fresh connection, because a kept one may be dead and
would make the create ambiguous; look-ups share a pool. HTTP/1.1 only, for the same reason. Redirects are never followed.
"""

import json
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Literal

import anyio
import httpx

from darkroom.gateways.asgi import ASGIApp
from darkroom.gateways.keys import Key
from darkroom.gateways.limits import BOUNDED_ENCODINGS, MAX_REPLY_BYTES, Timeouts
from darkroom.gateways.profiles import Gateway
from darkroom.uris import scheme_of

_SHORTEST_SECRET = 8
_ESCAPE_BYTES = re.compile(rb"\\(?:u00|/)")
_ESCAPE = re.compile(r"\\u00([0-7][0-9a-fA-F])")
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError, httpx.UnsupportedProtocol)

logger = logging.getLogger(__name__)


class WireFault(Exception):
    """No status came back. `sent` is "no" only where no byte of the request can have left."""

    def __init__(self, words: str, *, sent: Literal["no", "maybe"]) -> None:
        super().__init__(words)
        self.sent = sent


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A status with its headers (lower-case names) and body; `is_cut` where the body broke off or was too long."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    is_cut: bool = False


class Wire:
    """Call `aclose` at the end; with an `app` nothing touches the network."""

    def __init__(self, gateway: Gateway, key: Key, *, app: ASGIApp | None, timeouts: Timeouts) -> None:
        self._base_url = gateway.base_url
        self._is_loopback = gateway.is_loopback
        self._key = key
        self._app = app
        self._timeouts = timeouts
        tls = tls_context(is_needed=not app and scheme_of(gateway.base_url) == "https")
        self._fresh = self._client(tls, kept_connections=0)
        self._pooled = self._client(tls, kept_connections=10)

    async def aclose(self) -> None:
        await self._fresh.aclose()
        await self._pooled.aclose()

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        file: tuple[str, bytes, str] | None = None,
        headers: Mapping[str, str] | None = None,
        is_create: bool = False,
        hold_s: float = 0.0,
    ) -> Reply:
        """Send one request to base + `path` once and read the reply; `hold_s` is how long the gateway may hold it.

        Raises: WireFault where no status came back.
        """
        limits = self._timeouts
        client = self._fresh if is_create else self._pooled
        request = client.build_request(
            method,
            self._base_url + path,
            content=body,
            files={"content": file} if file else None,
            headers=self._headers(headers or {}, has_json=body is not None),
            timeout=httpx.Timeout(
                connect=limits.connect_s, read=limits.read_s + hold_s, write=limits.write_s, pool=limits.pool_s
            ),
        )
        response = await self._send(client, request, limits.until_headers_s + hold_s)
        try:
            content, is_cut = await _read(response, limits.read_s)
        finally:
            with anyio.CancelScope(shield=True):
                await response.aclose()
        logger.debug("%s %s: %s", method, path, response.status_code)
        names = {name.lower(): value for name, value in response.headers.items()}
        return Reply(status=response.status_code, headers=names, body=without_key(content, self._key), is_cut=is_cut)

    async def _send(self, client: httpx.AsyncClient, request: httpx.Request, limit_s: float) -> httpx.Response:
        """The response as far as its headers."""
        try:
            with anyio.fail_after(limit_s):  # headers that drip pass every single read time-out
                return await client.send(request, stream=True)
        except _NOT_SENT as error:
            raise WireFault(_fault_words(error), sent="no") from error
        except (httpx.HTTPError, TimeoutError) as error:
            raise WireFault(_fault_words(error), sent="maybe") from error

    def _client(self, tls: SSLContext, *, kept_connections: int) -> httpx.AsyncClient:
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self._app, raise_app_exceptions=False) if self._app else None,
            verify=tls,
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=kept_connections, keepalive_expiry=5.0),
            follow_redirects=False,
            trust_env=not self._is_loopback,  # a company's proxy is wanted on the way to the gateway
        )

    def _headers(self, extra: Mapping[str, str], *, has_json: bool) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "darkroom-mcp", **extra}
        if has_json:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        return headers


def without_key(body: bytes, key: Key) -> bytes:
    """A gateway that echoes the key must not bring it into a report or a log: not escaped either, nor broken off."""
    secret = key.reveal()
    if len(secret) < _SHORTEST_SECRET:
        return body
    body = body.replace(secret.encode(), b"[key]")
    if _ESCAPE_BYTES.search(body) and secret in (plain := _unescaped(body)):
        body = plain.replace(secret, "[key]").encode("utf-8", "replace")
    ends = (secret[:length].encode() for length in range(len(secret) - 1, _SHORTEST_SECRET - 1, -1))
    cut = next((end for end in ends if body.endswith(end)), b"")
    return body.removesuffix(cut) + b"[key]" if cut else body


def _unescaped(body: bytes) -> str:
    """JSON written anew, so that each character of a text stands there as itself."""
    try:
        return json.dumps(json.loads(body), ensure_ascii=False)
    except (ValueError, RecursionError):
        return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), body.decode("utf-8", "replace")).replace("\\/", "/")


def tls_context(*, is_needed: bool) -> SSLContext:
    """The trusted certificates, which take a while to read; where no https is spoken a context that trusts nobody."""
    return httpx.create_ssl_context() if is_needed else SSLContext(PROTOCOL_TLS_CLIENT)


async def _read(response: httpx.Response, limit_s: float) -> tuple[bytes, bool]:
    """The body as far as it came, and if it is cut. A status has arrived, so a broken body is an answer all the same."""
    parts: list[bytes] = []
    size_bytes = 0
    if response.headers.get("content-encoding", "").strip().lower() not in BOUNDED_ENCODINGS:
        return b"", True
    with anyio.move_on_after(limit_s):
        try:
            async for chunk in response.aiter_bytes():
                parts.append(chunk)
                size_bytes += len(chunk)
                if size_bytes > MAX_REPLY_BYTES:
                    break
            else:
                return b"".join(parts), False
        except httpx.HTTPError as error:
            logger.debug("a reply was cut short: %s", type(error).__name__)
    return b"".join(parts)[:MAX_REPLY_BYTES], True


def _fault_words(error: Exception) -> str:
    """Our own words for a fault; the library's may hold addresses and parts of the request."""
    words: dict[type[Exception], str] = {
        httpx.ConnectError: "no connection",
        httpx.ConnectTimeout: "no connection in time",
        httpx.PoolTimeout: "too many requests at once",
        httpx.ProxyError: "the proxy refused the connection",
        httpx.ReadTimeout: "no answer in time",
        httpx.WriteTimeout: "the request could not be sent in time",
        TimeoutError: "no complete answer in time",
    }
    if isinstance(error, httpx.ConnectError) and "CERTIFICATE" in str(error):
        return "its certificate is not trusted; SSL_CERT_FILE can name a company's own"
    return words.get(type(error), "the connection broke")
