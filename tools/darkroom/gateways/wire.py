"""The gateway's address over HTTP: the only place that puts the key into a header.

Every exchange is one attempt. What went wrong comes out as a `WireFault` that says if the request can have reached the
gateway, or as a `Reply` that was cut short. Creates travel on a fresh connection, because a kept one may be dead and
would leave the create in doubt; look-ups share a pool. HTTP/1.1 only, for the same reason. No redirect is followed.
The HTTP library is loaded at the first exchange: it takes a while, and a server must start at once.
"""

import json
import logging
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING

import anyio

from darkroom.gateways.handshakes import Handshakes
from darkroom.gateways.keys import Key
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.replies import BOUNDED_ENCODINGS, Reply, Request, read_json
from darkroom.gateways.route import Proxy, Timeouts, tls_context
from darkroom.uris import scheme_of

if TYPE_CHECKING:
    from ssl import SSLContext

    import httpx
    from starlette.types import ASGIApp

_SHORTEST_SECRET = 8
_CLOSE_WITHIN_S = 1.0
_MOST_CONNECTIONS = 500  # nine creates a second that are each answered within 50 s
_BODY_IN_READS = 4  # with 30 s for each read the longest body may come at 5 Mbit/s
_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError", "UnsupportedProtocol"})
_ESCAPE_BYTES = re.compile(rb"\\(?:u00|/)")
_ESCAPE = re.compile(r"\\u00([0-7][0-9a-fA-F])")
# Our own words for a fault; the library's may hold addresses and parts of the request.
_FAULT_WORDS = {
    "ConnectError": "no connection",
    "ConnectTimeout": "no connection in time",
    "PoolTimeout": "too many requests at once",
    "ProxyError": "the proxy refused the connection",
}

logger = logging.getLogger(__name__)


class WireFault(Exception):
    """No status came back. `is_unsent` only where no byte of the request can have left."""

    def __init__(self, words: str, *, is_unsent: bool) -> None:
        super().__init__(words)
        self.is_unsent = is_unsent


class Wire:
    """Call `aclose` at the end; with an `app` nothing touches the network.

    `has_given_json` says that a reply of this address has been JSON before, so that it is no wrong address;
    `is_simulated` that the gateway calls itself darkroom's sandbox, which only one on this machine is believed.
    """

    def __init__(self, gateway: Gateway, key: Key, *, app: "ASGIApp | None", timeouts: Timeouts) -> None:
        self._gateway, self._key, self._app, self._timeouts = gateway, key, app, timeouts
        self._tls: SSLContext | None = None
        self._clients: dict[int, httpx.AsyncClient] = {}
        self.has_given_json = False
        self.is_simulated = gateway.is_sandbox

    async def aclose(self) -> None:
        for client in self._clients.values():
            await client.aclose()

    async def exchange(self, request: Request, ends_at: float) -> Reply:
        """Send the request once and read the reply; `ends_at` (anyio's clock) is the end of it in any case.

        Raises: WireFault where no status came back.
        """
        limits = self._timeouts
        read_s = limits.read_s + request.hold_s
        course = _Course(is_told=self._app is None)
        try:
            client = self._client(kept_connections=0 if request.is_create else 10)
            left_s = ends_at - anyio.current_time()
            # A connection that is not made in time is then told as one.
            connect_s = min(limits.connect_s, 0.9 * left_s)
            built = client.build_request(
                request.method,
                (self._gateway.origin if request.is_at_root else self._gateway.base_url) + request.path,
                content=request.body,
                files={"content": request.file} if request.file else None,
                headers=self._headers(request),
                timeout=(connect_s, read_s, limits.write_s, limits.pool_s),
                extensions={"trace": course.reach},
            )
            # Headers may drip without end, each within `read_s`.
            with anyio.fail_after(min(limits.connect_s + limits.write_s + read_s, left_s)):
                response = await client.send(built, stream=True)
            logger.debug("%s %s: %s", request.method, request.path, response.status_code)
            body_s = min(_BODY_IN_READS * limits.read_s, ends_at - anyio.current_time())
            reply = await self._reply(response, body_s, request.most_bytes)
            self.has_given_json |= reply.decoded is not None and not request.is_at_root
            self.is_simulated |= self._gateway.is_loopback and "darkroom-sandbox" in reply.headers
            return reply
        except WireFault:
            raise
        except Exception as error:  # whatever the library makes of an odd answer
            is_unsent = course.is_unsent or type(error).__name__ in _NEVER_SENT
            is_proxy_gone = course.is_connecting and self._proxy is not None
            words = _fault_words(error) + (" to the proxy" if is_proxy_gone else "")
            raise WireFault(words, is_unsent=is_unsent) from error

    async def _reply(self, response: "httpx.Response", limit_s: float, most_bytes: int) -> Reply:
        try:
            content, is_cut = await _read(response, limit_s, most_bytes)
        finally:
            with anyio.move_on_after(_CLOSE_WITHIN_S, shield=True):
                await response.aclose()
        is_too_long = is_cut and len(content) >= most_bytes
        encoding = json.detect_encoding(content)  # JSON may also come in UTF-16 or UTF-32, and with a byte order mark
        body = without_key(content if encoding == "utf-8" else content.decode(encoding, "replace").encode(), self._key)
        decoded = None if is_too_long else read_json(body)
        return Reply(
            status=response.status_code,
            headers={name.lower(): value for name, value in response.headers.items()},
            body=body,
            decoded=decoded,
            is_cut=is_cut,
            is_too_long=is_too_long,
            origin=self._gateway.origin,
        )

    def _client(self, *, kept_connections: int) -> "httpx.AsyncClient":
        import httpx

        if kept_connections not in self._clients:
            tls, proxy = self._trusted(), self._proxy
            limits = httpx.Limits(
                max_connections=_MOST_CONNECTIONS, max_keepalive_connections=kept_connections, keepalive_expiry=5.0
            )
            self._clients[kept_connections] = httpx.AsyncClient(
                transport=httpx.ASGITransport(app=self._app, raise_app_exceptions=False) if self._app else None,
                verify=tls,
                limits=limits,
                follow_redirects=False,
                proxy=httpx.Proxy(proxy.address, auth=proxy.reveal()) if proxy else None,
                # Without a proxy of our own, a company's is wanted on the way to the gateway (HTTPS_PROXY).
                trust_env=not (proxy or self._is_near),
            )
        return self._clients[kept_connections]

    @property
    def _is_near(self) -> bool:
        return bool(self._app) or self._gateway.is_loopback

    @property
    def _proxy(self) -> Proxy | None:
        return None if self._is_near else self._gateway.route.proxy

    def _trusted(self) -> "SSLContext":
        is_needed = not self._app and scheme_of(self._gateway.base_url) == "https"
        try:
            self._tls = self._tls or tls_context(self._gateway.route, is_needed=is_needed)
        except OSError as error:
            raise WireFault("SSL_CERT_FILE names no readable file of certificates", is_unsent=True) from error
        return self._tls

    def _headers(self, request: Request) -> dict[str, str]:
        headers = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "darkroom-mcp"}
        if request.body is not None:
            headers["Content-Type"] = "application/json"
        if self._key:
            headers["Authorization"] = f"Bearer {self._key.reveal()}"
        return headers | dict(request.headers)


class _Course(Handshakes):
    """How far one exchange came, as the library reports it; `is_told`: it does, which it does not of an app."""

    def __init__(self, *, is_told: bool) -> None:
        super().__init__()
        # Until the first stage is told, nothing has even connected.
        self._stage, self._is_tunnelling = "connection." if is_told else "", False

    async def reach(self, stage: str, info: Mapping[str, object]) -> None:
        if "request" in info:
            self._is_tunnelling = getattr(info["request"], "method", b"") == b"CONNECT"
        self._stage = stage
        await super().reach(stage, info)

    @property
    def is_connecting(self) -> bool:
        """The first connection, which is the proxy's where there is one, is not made yet."""
        return self._stage.startswith("connection.connect_tcp")

    @property
    def is_unsent(self) -> bool:
        """Nothing is sent before it has connected, and a proxy is only asked for a tunnel.

        Any other stage, known or not, may have sent a byte.
        """
        return self._is_tunnelling or self._stage.startswith(("connection.", "proxy."))


def without_key(body: bytes, key: Key) -> bytes:
    """The body with "[key]" where it held the key, so that no report and no log shows it.

    The key is also found where it is escaped, or broken off at the end.
    """
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
    with suppress(RecursionError):
        if (decoded := read_json(body)) is not None:
            return json.dumps(decoded, ensure_ascii=False)
    return _ESCAPE.sub(lambda found: chr(int(found[1], 16)), body.decode("utf-8", "replace")).replace("\\/", "/")


async def _read(response: "httpx.Response", limit_s: float, most_bytes: int) -> tuple[bytes, bool]:
    """The body as far as it came, and if it is cut. A status has arrived, so also a broken body is an answer."""
    if response.headers.get("content-encoding", "").strip().lower() not in BOUNDED_ENCODINGS:
        return b"", True
    parts: list[bytes] = []
    size_bytes = 0
    with anyio.move_on_after(limit_s):
        try:
            async for chunk in response.aiter_bytes():
                parts.append(chunk)
                size_bytes += len(chunk)
                if size_bytes > most_bytes:
                    break
            else:
                return b"".join(parts), False
        except Exception as error:  # not only the library's own: a decompressor has others
            logger.debug("a reply was cut short: %s", type(error).__name__)
    return b"".join(parts)[:most_bytes], True


def _fault_words(error: Exception) -> str:
    kind = type(error).__name__
    if kind == "ConnectError" and _is_distrust(error):
        return "its certificate is not trusted; SSL_CERT_FILE can name a company's own"
    if kind == "ProxyError" and str(error).startswith("407"):
        return "the proxy refused the connection without a user name and a password; DARKROOM_PROXY can give them"
    return _FAULT_WORDS.get(kind, "no answer in time" if "Timeout" in kind else "the connection broke")


def _is_distrust(error: BaseException) -> bool:
    """Whether a certificate was refused; each system words it differently, so the cause is looked for."""
    cause: BaseException | None = error
    while cause and type(cause).__name__ != "SSLCertVerificationError":
        cause = cause.__cause__ or cause.__context__
    return cause is not None
