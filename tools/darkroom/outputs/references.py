"""Reading an image reference as the assistant gives it: which kind it is, and what it holds.

https://...                     passed on, never fetched here
data:image/png;base64,...       checked by content
prediction:ID  prediction:ID/2  an earlier output, numbered from 1
/path  ~/path  file:///path     a file of this machine
"""

import re
from dataclasses import dataclass

from darkroom.uris import decode_data_uri, host_of, is_loopback_url, scheme_of

_EARLIER = re.compile(r"prediction:([A-Za-z0-9_-]{1,64})(?:/([1-9]\d{0,2}))?")


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
    scheme = scheme_of(text)
    if scheme == "data":
        return InlineImage(decode_data_uri(text, limit_bytes=limit_bytes)[1])
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
    if not host_of(url):
        raise ValueError("the URL has no host, or one that cannot be read.")
    if scheme_of(url) == "http" and not (allow_loopback_http and is_loopback_url(url)):
        raise ValueError("only https URLs are taken, not http.")
    return WebImage(url)


def _earlier(text: str) -> EarlierImage:
    found = _EARLIER.fullmatch(text)
    if not found:
        raise ValueError("an earlier image is given as 'prediction:ID', or 'prediction:ID/2' for its second image.")
    return EarlierImage(found[1], int(found[2] or 1) - 1)
