"""What is kept of a model object: its schema as far as it counts, and the endings of its example's files."""

import re
from collections.abc import Iterator, Mapping
from typing import cast

from darkroom.predictions import mapping_in, text_in
from darkroom.registry.live_schema.examples import example_endings, example_s

_KEPT = ("owner", "name", "is_official", "run_count")
_LONGEST_TEXT = 1500
_DROPPED = frozenset({"title", "example", "examples"})
_MOST_DEPTH = 40
_NAME = re.compile(r"#/.*/([^/]+)")


def pruned(body: Mapping[str, object]) -> dict[str, object]:
    """The same to the rules that describe it, without addresses, pictures and other operations."""
    version = mapping_in(body.get("latest_version"))
    kept: dict[str, object] = {name: body[name] for name in _KEPT if name in body}
    kept["description"] = text_in(body.get("description"))[:_LONGEST_TEXT]
    kept["default_example"] = _example(body)
    if version is not None:
        kept["latest_version"] = {"id": version.get("id"), "openapi_schema": _schema(version.get("openapi_schema"))}
    return kept


def _example(body: Mapping[str, object]) -> dict[str, object] | None:
    endings = example_endings(body)
    if endings is None:
        return None
    files = [f"data:image/{ending}," if ending else "https://without" for ending in endings]
    return {"output": files or "", "metrics": {"predict_time": example_s(body)}}


def _schema(schema: object) -> object:
    components = mapping_in((mapping_in(schema) or {}).get("components")) or {}
    schemas = mapping_in(components.get("schemas"))
    if schemas is None:
        return None
    names, kept = ["Input", "Output"], dict[str, object]()
    while names:
        name = names.pop()
        if name in schemas and name not in kept:
            kept[name] = _shortened(schemas[name], 0)
            names += _references(kept[name])
    return {"components": {"schemas": kept}}


def _shortened(node: object, depth: int) -> object:
    """Long texts cut, and what no rule reads left out."""
    if depth > _MOST_DEPTH:
        return None
    if isinstance(node, str):
        return node[: 4 * _LONGEST_TEXT]
    if isinstance(node, list):
        return [_shortened(each, depth + 1) for each in cast("list[object]", node)]
    fields = mapping_in(node)
    if fields is None:
        return node
    # What lies directly in `properties` are names of inputs, which may be those of keywords.
    return {
        key: _properties(value, depth + 1) if key == "properties" else _shortened(value, depth + 1)
        for key, value in fields.items()
        if key not in _DROPPED
    }


def _properties(node: object, depth: int) -> object:
    fields = mapping_in(node)
    return node if fields is None else {name: _shortened(value, depth + 1) for name, value in fields.items()}


def _references(node: object) -> Iterator[str]:
    if isinstance(node, list):
        for each in cast("list[object]", node):
            yield from _references(each)
    elif (fields := mapping_in(node)) is not None:
        for key, value in fields.items():
            found = _NAME.fullmatch(value) if key == "$ref" and isinstance(value, str) else None
            if found:
                yield found[1]
            else:
                yield from _references(value)
