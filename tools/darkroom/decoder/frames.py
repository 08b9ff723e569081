"""How a request and its answer look on a pipe: a line of JSON, then the bytes of the image."""

import json
from collections.abc import Mapping
from typing import Any


def frame(header: Mapping[str, Any], content: bytes) -> bytes:
    """The two parts as one run of bytes."""
    return json.dumps(header).encode() + b"\n" + content


def split_frame(raw: bytes) -> tuple[dict[str, Any], bytes]:
    """The two parts of `frame` again. Raises: ValueError where there are none."""
    header, _, content = raw.partition(b"\n")
    return json.loads(header), content


class Unusable(Exception):
    """The image cannot be used; the message says why, as the end of a sentence."""
