"""What a model really made: the file endings of its example, the best witness of what it makes."""

import re
from collections.abc import Mapping
from typing import Literal

from darkroom.predictions import mapping_in, output_uris
from darkroom.registry.live_schema.schema import OutputKind

Makes = Literal["image", "svg", "other", "unknown"]

_STILL = frozenset({"png", "jpg", "jpeg", "webp", "avif", "tiff", "tif", "bmp"})
_MOVES = frozenset({"gif"})  # often a film
_VECTOR = frozenset({"svg", "svg+xml"})
_ENDING = re.compile(r"data:[a-z]+/([a-z0-9.+-]{1,20})|[^?#]*\.([a-z0-9]{1,8})(?:[?#]|$)", re.IGNORECASE)
_LONGEST_RUN_S = 86_400


def example_endings(body: Mapping[str, object]) -> tuple[str, ...] | None:
    """Endings of the files in the example's output, "" for a file without one; None where there is no output."""
    output = (mapping_in(body.get("default_example")) or {}).get("output")
    return None if output is None else tuple(map(_ending, output_uris(output)))


def example_s(body: Mapping[str, object]) -> float | None:
    """Seconds that the example ran."""
    metrics = mapping_in((mapping_in(body.get("default_example")) or {}).get("metrics")) or {}
    value = metrics.get("predict_time")
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value < _LONGEST_RUN_S:
        return None
    return float(value)


def what_it_makes(endings: tuple[str, ...] | None, output: OutputKind) -> Makes:
    """Without an example no schema tells an image from a film; it tells text from files."""
    if endings is None:
        return "other" if output == "text" else "unknown"
    files = set(endings) - {""}
    if not files:
        return "unknown" if endings else "other"
    if files <= _VECTOR:
        return "svg"
    if files <= _STILL | _VECTOR and "" not in endings:
        return "image"
    return "unknown" if files & (_STILL | _VECTOR | _MOVES) or "" in endings else "other"


def _ending(address: str) -> str:
    found = _ENDING.match(address)
    return (found[1] or found[2]).lower() if found else ""
