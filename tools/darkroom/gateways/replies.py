"""One request and its reply, as bytes and as JSON. Reading never raises, whatever the body holds."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from darkroom.predictions import MOST_LEVELS

# One layer grows a block 1000-fold at most; layers multiply, and brotli and zstd know no such bound.
BOUNDED_ENCODINGS = frozenset({"", "identity", "gzip", "x-gzip", "deflate"})
MAX_REPLY_BYTES = 64 * 1024 * 1024  # images may come as data URIs: four PNGs of 9 MB take 48 MB
# What an address answers where nothing of the kind is served; redirects lead to a web site.
UNSERVED = frozenset({301, 302, 303, 307, 308, 404, 405, 410, 501})
_MARKS, _MOST_MARKS = b'",[]{}', 1_000_000  # a list page of 100 predictions with long logs has about 200,000
_FRAGMENT_BYTES = 256 * 1024  # the id stands before the output wherever it was seen
_LONGEST_NUMBER = 19
# A string without escapes, also one that never ends, or a bracket. Possessive: no body costs more than one pass.
_TOKEN = re.compile(r'"[^"]*+"?|[{}\[\]]')
_FIELD = re.compile(r'"(?<!\\")(id|status)"\s*:\s*"([A-Za-z0-9_-]{1,64})"')


@dataclass(frozen=True, slots=True)
class Request:
    """What goes to base + `path`: a JSON `body`, or a `file` (name, content, MIME type).

    `hold_s` is how long the gateway may hold its answer back. A create goes out on a connection of its own. With
    `is_at_root` the path begins at the root of the host instead, outside of the format. Of the reply no more than
    `most_bytes` are read.
    """

    method: str
    path: str
    body: bytes | None = None
    file: tuple[str, bytes, str] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hold_s: int = 0
    is_create: bool = False
    is_at_root: bool = False
    most_bytes: int = MAX_REPLY_BYTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """A status with its headers (lower-case names) and its body in UTF-8, and the JSON in it, None where it is none.

    `origin` is the gateway's, for what it says of its own paths.

    `is_cut` says that the body did not come to its end, `is_too_long` that this was for its length.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    decoded: object
    is_cut: bool = False
    is_too_long: bool = False
    origin: str = ""


def read_json(body: bytes) -> object:
    """The decoded body, None where it is not JSON or has more than a million parts.

    What lies more than 100 levels deep may come as null. Of a key that comes twice the last one counts.
    """
    text = "" if _is_crowded(body) else body.decode("utf-8", "replace")
    try:
        try:
            return _DECODER.decode(text)
        except RecursionError:
            return _DECODER.decode(cut_below(MOST_LEVELS, text))
    except (ValueError, RecursionError):
        return None


def fields_in_fragment(body: bytes) -> dict[str, str]:
    """`id` and `status` at the top level of a JSON object that broke off, as far as they are whole.

    An empty `output` says that it broke off inside the list of outputs.
    """
    text = (body[:_FRAGMENT_BYTES] if _is_crowded(body) else body).decode("utf-8", "replace")
    flat = cut_below(1, text)
    return dict(_FIELD.findall(flat)) | ({"output": ""} if flat.rstrip().endswith('"output":') else {})


def cut_below(levels: int, text: str) -> str:
    """The same JSON with null for what lies deeper."""
    kept: list[str] = []
    depth = begin = 0
    unescaped = text.replace(r"\\", "--").replace(r"\"", "--") if "\\" in text else text  # as long as it was
    for token in _TOKEN.finditer(unescaped):
        mark = text[token.start()]
        if mark in "{[":
            depth += 1
            if depth == levels + 1:
                kept.append(text[begin : token.start()])
        elif mark in "}]":
            if depth == levels + 1:
                kept.append("null")
                begin = token.end()
            depth -= 1
    return "".join([*kept, text[begin:]] if depth <= levels else kept)


def _is_crowded(body: bytes) -> bool:
    """True for a body that would take seconds and gigabytes to read as JSON, which no prediction does."""
    return len(body) > _MOST_MARKS and sum(body.count(mark) for mark in _MARKS) > _MOST_MARKS


_DECODER = json.JSONDecoder(
    parse_int=lambda text: int(text) if len(text) <= _LONGEST_NUMBER else None,
    parse_float=lambda text: number if math.isfinite(number := float(text)) else None,
    parse_constant=lambda name: None,
)
