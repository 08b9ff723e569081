"""What a model really made: the file endings of its example, the best witness of what it makes."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Literal

from darkroom.predictions import mapping_in, text_in
from darkroom.registry.live_schema.nodes import items_in
from darkroom.registry.live_schema.schema import OutputKind

Makes = Literal["image", "svg", "other", "unknown"]

_STILL = frozenset({"png", "jpg", "jpeg", "webp", "avif", "tiff", "tif", "bmp"})
_MOVES = frozenset({"gif"})  # often a film
_VECTOR = frozenset({"svg", "svg+xml"})
_ENDING = re.compile(r"\.([A-Za-z0-9]{1,8})$")
_DATA_TYPE = re.compile(r"data:[a-z]+/([a-z0-9.+-]{1,20})", re.IGNORECASE)
_MOST_FILES = 20
_LONGEST_RUN_S = 86_400


def example_endings(body: Mapping[str, object]) -> tuple[str, ...] | None:
    """Endings of the files in the example's output, "" for a file without one; None where there is no output."""
    output = (mapping_in(body.get("default_example")) or {}).get("output")
    return None if output is None else tuple(_ending(each) for each in islice(_addresses(output, 0), _MOST_FILES))


def example_s(body: Mapping[str, object]) -> float | None:
    """Seconds that the example ran."""
    metrics = mapping_in((mapping_in(body.get("default_example")) or {}).get("metrics")) or {}
    value = metrics.get("predict_time")
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < _LONGEST_RUN_S:
        return float(value)
    return None


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


def _addresses(output: object, depth: int) -> Iterator[str]:
    if depth > 3:
        return
    if isinstance(output, str):
        if output.startswith(("http", "data:")):
            yield output
        return
    fields = mapping_in(output)
    for each in (list(fields.values()) if fields else items_in(output))[:_MOST_FILES]:
        yield from _addresses(each, depth + 1)


def _ending(address: str) -> str:
    if found := _DATA_TYPE.match(address):
        return found[1].lower()
    ending = _ENDING.search(re.split(r"[?#]", address[:2000])[0])
    return text_in(ending[1]).lower() if ending else ""
