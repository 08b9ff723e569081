"""The way to a gateway and to the hosts of its images: through which proxy, whose certificates count, how long."""

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from darkroom.errors import SettingsError

if TYPE_CHECKING:
    from ssl import SSLContext


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that opens tunnels (CONNECT): `address` is http://host:port; what it asks for stays hidden."""

    address: str
    _credentials: tuple[str, str] | None = field(default=None, repr=False)

    def reveal(self) -> tuple[str, str] | None:
        """User name and password, for the proxy alone; None where it needs none."""
        return self._credentials


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """How connections leave this computer. Addresses of this computer are always connected to directly."""

    proxy: Proxy | None = None
    """For the gateway, uploads and the hosts of images alike."""
    certificates_file: str = ""
    """PEM file that replaces the certificates which the system trusts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds. `read_s` holds for each read; the time for which the gateway may hold its answer comes on top."""

    connect_s: float = 5.0
    write_s: float = 30.0
    read_s: float = 30.0
    pool_s: float = 10.0


def proxy_at(text: str) -> Proxy:
    """The proxy of DARKROOM_PROXY. Raises: SettingsError, without the text, because that may hold a password."""
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port or 80
    except ValueError:
        host, port, parts = "", 0, urlsplit("")
    is_whole = parts.scheme == "http" and host and text.isprintable() and " " not in text
    if not is_whole or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise SettingsError(
            "DARKROOM_PROXY must look like http://host:port, or http://user:password@host:port with %40 for an '@'."
        )
    shown = f"[{host}]" if ":" in host else host
    has_user = parts.username is not None
    credentials = (unquote(parts.username or ""), unquote(parts.password or "")) if has_user else None
    return Proxy(f"http://{shown}:{port}", credentials)


def tls_context(route: Route, *, is_needed: bool) -> "SSLContext":
    """The trusted certificates: the system's, so that a company's own count too; without https, one that trusts nobody.

    Raises: OSError where the file of the route cannot be read.
    """
    import ssl

    if not is_needed:
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if route.certificates_file:
        return ssl.create_default_context(cafile=route.certificates_file)
    if sys.platform not in ("darwin", "win32"):
        # OpenSSL's list is the system's here; truststore would read it anew at every connection, for 35 ms.
        context = ssl.create_default_context()
        if context.cert_store_stats()["x509_ca"]:
            return context
    import truststore

    context = truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if sys.platform not in ("darwin", "win32"):
        import certifi

        context.load_verify_locations(certifi.where())  # a small container has no list at all
    return context
