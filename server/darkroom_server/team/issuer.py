"""The team's authorization server as darkroom talks to it: its metadata (RFC 8414, OpenID), and its token endpoint.

Every method blocks, so that it is called in a thread. An answer that is long, or comes by drops, is none.
"""

import http.client
import io
import json
import socket
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from darkroom.gateways.route import Route, tls_context
from darkroom.uris import host_of, is_loopback_url, scheme_of

_FETCH_S = 5.0
_AWAY_S = 2.0
_MOST_BYTES = 262_144
_GARBLED = (ValueError, RecursionError, http.client.HTTPException)


class IssuerUnreachable(Exception):
    """The authorization server, or what is needed of it, cannot be had, so that nothing is known about a log-in."""


class Issuer:
    """`url` is its identifier, exactly as its metadata names it; each answer must have come after `within_s`."""

    def __init__(self, url: str, within_s: float = _FETCH_S) -> None:
        self.url = url
        self._within_s = within_s
        self._trusted = tls_context(Route(), is_needed=scheme_of(url) == "https")
        self._metadata: dict[str, Any] | None = None
        self._failed_s = float("-inf")

    def address(self, name: str) -> str:
        """The endpoint of this name in the metadata, "" where it has none. Raises: IssuerUnreachable."""
        found = str(self._known().get(name) or "")
        is_secure = scheme_of(found) == "https" or (scheme_of(found) == "http" and is_loopback_url(found))
        # Anything else would break the header in which a browser is told of it.
        if found and not (is_secure and host_of(found) and found.isascii() and found.isprintable()):
            raise IssuerUnreachable(f"its metadata names no https address as {name}")
        return found

    def says(self, name: str) -> bool:
        """Whether its metadata says that it does this. Raises: IssuerUnreachable."""
        return self._known().get(name) is True

    def exchange(self, form: Mapping[str, str]) -> tuple[int, dict[str, Any]]:
        """What its token endpoint answers to a form: the status, and the JSON object.

        Raises: IssuerUnreachable where it does not answer, or with something else.
        """
        if not (endpoint := self.address("token_endpoint")):
            raise IssuerUnreachable("its metadata names no token_endpoint")
        body = urllib.parse.urlencode(form).encode()
        try:
            return self._send(urllib.request.Request(endpoint, body, {"Accept": "application/json"}))
        except (OSError, ValueError) as error:
            raise IssuerUnreachable(f"its token endpoint does not answer ({type(error).__name__})") from error

    def document(self, address: str) -> dict[str, Any]:
        """The JSON object that lies at an https address of its metadata. Raises: OSError, ValueError."""
        status, found = self._send(urllib.request.Request(address))
        if status != 200:
            raise OSError(f"HTTP {status}")
        return found

    def _known(self) -> dict[str, Any]:
        """Its metadata, read once. Raises: IssuerUnreachable."""
        if self._metadata is None:
            if time.monotonic() - self._failed_s < _AWAY_S:
                raise IssuerUnreachable("its metadata could not be read a moment ago")
            try:
                self._metadata = self._read()
            except (OSError, ValueError, IssuerUnreachable) as error:
                self._failed_s = time.monotonic()
                raise IssuerUnreachable(str(error)) from error
        return self._metadata

    def _read(self) -> dict[str, Any]:
        """Raises: OSError, ValueError, IssuerUnreachable."""
        for address in _metadata_addresses(self.url):
            status, metadata = self._send(urllib.request.Request(address), may_move=True)
            if status >= 500:
                raise IssuerUnreachable(f"its metadata is answered by HTTP {status}")
            if status != 200:
                continue
            if (named := metadata.get("issuer")) != self.url:
                raise IssuerUnreachable(f"its metadata names {str(named)[:200]!r}, not what DARKROOM_OAUTH_ISSUER says")
            return metadata
        raise IssuerUnreachable("it has no metadata, neither of OAuth nor of OpenID")

    def _send(self, request: urllib.request.Request, *, may_move: bool = False) -> tuple[int, dict[str, Any]]:
        """The status and the JSON object of an answer; {} where that is an error without one.

        What may not have moved goes to the address in the metadata and nowhere else.

        Raises: OSError, ValueError.
        """
        opener = urllib.request.build_opener(_Bounded(self._trusted), *([] if may_move else [_Stays]))
        try:
            with opener.open(request, timeout=self._within_s) as answer:
                return answer.status, _object(answer.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            with error:
                try:
                    return error.code, _object(error.read(_MOST_BYTES))
                except _GARBLED:
                    return error.code, {}
        except _GARBLED as error:
            raise ValueError(f"it answers with no JSON, or not in HTTP ({type(error).__name__})") from error


class _InTime(io.RawIOBase):
    """What comes from a connection within its time limit in all, however slowly it drips."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection, self._raw = connection, connection.makefile("rb", buffering=0)
        self._ends_s = time.monotonic() + (connection.gettimeout() or 0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        if (left_s := self._ends_s - time.monotonic()) <= 0:
            raise TimeoutError
        self._connection.settimeout(left_s)
        return self._raw.readinto(buffer)

    def close(self) -> None:
        self._raw.close()
        super().close()


class _Answer(http.client.HTTPResponse):
    def __init__(self, sock: socket.socket, *others: Any, **named: Any) -> None:
        super().__init__(sock, *others, **named)
        self.fp.close()
        self.fp = io.BufferedReader(_InTime(sock))


class _Plain(http.client.HTTPConnection):
    response_class = _Answer


class _Encrypted(http.client.HTTPSConnection):
    response_class = _Answer


class _Bounded(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    def __init__(self, trusted: ssl.SSLContext) -> None:
        super().__init__(context=trusted)
        self._trusted = trusted

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Plain, req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(_Encrypted, req, context=self._trusted)


class _Stays(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *request: Any, **named: Any) -> None:
        return None


def _object(content: bytes) -> dict[str, Any]:
    """Raises: ValueError where it is no JSON object."""
    found = json.loads(content)
    if not isinstance(found, dict):
        raise ValueError("no JSON object")
    return cast("dict[str, Any]", found)


def _metadata_addresses(issuer: str) -> tuple[str, ...]:
    """Where its metadata may lie: RFC 8414 §3.1, then OpenID Connect Discovery §4."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/openid-configuration{path}",
    )
