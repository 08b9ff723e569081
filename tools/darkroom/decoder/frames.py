"""How requests and answers look on a pipe: a head of fixed size, then JSON, then the bytes of an image.

The head tells both lengths, so that nobody reads more than was announced, and the tag of the request. Nobody who has
not read a request knows its tag, so that no picture can leave behind an answer for the next one.
"""

import json
from collections.abc import Mapping
from struct import Struct
from typing import Any, NamedTuple, cast

# Tag, bytes of JSON, bytes of the image.
_HEAD = Struct("!8sII")
HEAD_SIZE = _HEAD.size
TAG_SIZE = 8
_MOST_ABOUT = 64 * 1024
# 50 million pixels of noise as PNG.
_MOST_CONTENT = 256 * 1024 * 1024


class Lengths(NamedTuple):
    """What a head announces, in bytes."""

    tag: bytes
    about: int
    content: int


def frame(tag: bytes, about: Mapping[str, Any], content: bytes) -> bytes:
    """Head, JSON and image as one run of bytes. `tag` has TAG_SIZE bytes."""
    text = json.dumps(about).encode()
    return b"".join((_HEAD.pack(tag, len(text), len(content)), text, content))


def lengths(head: bytes) -> Lengths:
    """What `head` announces. Raises: ValueError where it is no head, or announces more than anybody sends."""
    if len(head) != HEAD_SIZE:
        raise ValueError("cut off")
    found = Lengths(*_HEAD.unpack(head))
    if found.about > _MOST_ABOUT or found.content > _MOST_CONTENT:
        raise ValueError("too long")
    return found


def told(text: bytes) -> dict[str, Any]:
    """The JSON that stands between head and image. Raises: ValueError where it is none."""
    try:
        about: Any = json.loads(text)
    except RecursionError as error:
        raise ValueError("too deep") from error
    if not isinstance(about, dict):
        raise ValueError("no object")
    return cast("dict[str, Any]", about)


class Unusable(Exception):
    """The image cannot be used; the message says why, as the end of a sentence."""
