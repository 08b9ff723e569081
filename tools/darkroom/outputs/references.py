"""Reading an image reference as the assistant gives it: which kind it is, and what it holds.

https://...                     passed on, never fetched here
data:image/png;base64,...       checked by content
prediction:ID  prediction:ID/2  an earlier output, numbered from 1
/path  ~/path  file:///path     a file of this machine
"""

import base64
import binascii
import ipaddress
import re
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urlsplit

_EARLIER = re.compile(r"prediction:([A-Za-z0-9_-]{1,64})(?:/([1-9]\d{0,2}))?")
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):")


@dataclass(frozen=True, slots=True)
class WebImage:
    """A URL that the gateway fetches itself."""

    url: str


@dataclass(frozen=True, slots=True)
class InlineImage:
    """The decoded bytes of a data URI."""

    content: bytes


@dataclass(frozen=True, slots=True)
class EarlierImage:
    """Output number `index` (from 0) of an earlier prediction."""

    prediction_id: str
    index: int


@dataclass(frozen=True, slots=True)
class LocalImage:
    """A path or file URI, not yet looked at."""

    path: str


Reference = WebImage | InlineImage | EarlierImage | LocalImage


def parse_reference(text: str, *, limit_bytes: int, allow_loopback_http: bool = False) -> Reference:
    """Tell the kind by the scheme.

    Raises: ValueError with one or two sentences that say what is allowed.
    """
    found = _SCHEME.match(text)
    scheme = found[1].lower() if found else ""
    if scheme == "data":
        return InlineImage(_data_bytes(text, limit_bytes))
    if scheme == "prediction":
        return _earlier(text)
    if scheme in ("http", "https"):
        return _web(text, allow_loopback_http)
    if scheme not in ("", "file"):
        raise ValueError(f"'{scheme}:' is not taken. Give an https URL, a data URI, a file path or 'prediction:ID'.")
    return LocalImage(text)


def _web(url: str, allow_loopback_http: bool) -> WebImage:
    if not url.isprintable() or " " in url:
        raise ValueError("a URL cannot hold spaces or control characters.")
    parts = urlsplit(url)
    if not parts.hostname:
        raise ValueError("the URL has no host.")
    if parts.scheme.lower() == "http" and not (allow_loopback_http and _is_loopback(parts.hostname)):
        raise ValueError("only https URLs are taken, not http.")
    return WebImage(url)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _earlier(text: str) -> EarlierImage:
    found = _EARLIER.fullmatch(text)
    if not found:
        raise ValueError("an earlier image is given as 'prediction:ID', or 'prediction:ID/2' for its second image.")
    return EarlierImage(found[1], int(found[2] or 1) - 1)


def _data_bytes(uri: str, limit_bytes: int) -> bytes:
    header, comma, payload = uri.partition(",")
    if not comma:
        raise ValueError("the data URI has no comma, so no content.")
    # Percent-encoding triples, base64 adds a third, and lines may be broken.
    if len(payload) > limit_bytes * 3:
        raise ValueError(f"it is larger than {limit_bytes // 2**20} MiB, the most that is taken.")
    raw = unquote_to_bytes(payload)
    if not header.lower().endswith(";base64"):
        return raw
    compact = b"".join(raw.split()).rstrip(b"=")
    try:
        return base64.b64decode(compact + b"=" * (-len(compact) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError("its base64 is broken.") from error
