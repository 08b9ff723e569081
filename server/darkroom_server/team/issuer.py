"""The team's authorization server as darkroom talks to it: its metadata (RFC 8414, OpenID), and its token endpoint.

Every method blocks, so that it is called in a thread. An answer that is long, or comes by drops, is none.
"""

import json
import time
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import urlsplit

from darkroom.gateways.bounded import exchange
from darkroom.gateways.route import Route, tls_context
from darkroom.uris import host_of, is_loopback_url, scheme_of

_FETCH_S = 5.0
_AWAY_S = 2.0
_MOST_BYTES = 262_144

_Answer = tuple[int, dict[str, Any]]


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

    def exchange(self, form: Mapping[str, str]) -> _Answer:
        """What its token endpoint answers to a form: the status, and the JSON object.

        Raises: IssuerUnreachable where it does not answer, or with something else.
        """
        if not (endpoint := self.address("token_endpoint")):
            raise IssuerUnreachable("its metadata names no token_endpoint")
        try:
            return self._send(endpoint, form)
        except (OSError, ValueError) as error:
            raise IssuerUnreachable(f"its token endpoint does not answer ({type(error).__name__})") from error

    def document(self, address: str) -> dict[str, Any]:
        """The JSON object that lies at an https address of its metadata. Raises: OSError, ValueError."""
        status, found = self._send(address)
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
            status, metadata = self._send(address, may_move=True)
            if status >= 500:
                raise IssuerUnreachable(f"its metadata is answered by HTTP {status}")
            if status != 200:
                continue
            if (named := metadata.get("issuer")) != self.url:
                raise IssuerUnreachable(f"its metadata names {str(named)[:200]!r}, not what DARKROOM_OAUTH_ISSUER says")
            return metadata
        raise IssuerUnreachable("it has no metadata, neither of OAuth nor of OpenID")

    def _send(self, address: str, form: Mapping[str, str] | None = None, *, may_move: bool = False) -> _Answer:
        """The status and the JSON object of an answer to a GET, or to a form; {} where that is an error without one.

        What may not have moved goes to the address in the metadata and nowhere else.

        Raises: OSError, ValueError.
        """
        status, content = exchange(
            address, form, trusted=self._trusted, within_s=self._within_s, most_bytes=_MOST_BYTES, may_move=may_move
        )
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        if isinstance(found, dict):
            return status, cast("dict[str, Any]", found)
        if status < 300:
            raise ValueError("it answers with no JSON object")
        return status, {}


def _metadata_addresses(issuer: str) -> tuple[str, ...]:
    """Where its metadata may lie: RFC 8414 §3.1, then OpenID Connect Discovery §4."""
    parts = urlsplit(issuer)
    origin, path = f"{parts.scheme}://{parts.netloc}", parts.path.rstrip("/")
    return (
        f"{origin}/.well-known/oauth-authorization-server{path}",
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/openid-configuration{path}",
    )
