"""The inputs and the kind of output of an OpenAPI schema as cog writes it.

How cog writes one: choices as `allOf` with a reference, the order in `x-order`, files as `format: uri` (replicate/cog
pkg/schema/openapi_spec.go, 2026-11-25).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Literal

from darkroom.predictions import mapping_in
from darkroom.registry.live_schema.live_input import LiveInput, live_input
from darkroom.registry.live_schema.nodes import Node, Nodes, items_in

OutputKind = Literal["uri", "uri_list", "object", "object_list", "text", "unknown", "unknown_list", "other"]

MOST_INPUTS = 120
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,99}")
_LAST = 10_000


class BadSchema(ValueError):
    """The text is not the schema of a model that can be described; says what is wrong with it."""


def schemas_of(schema: object) -> Mapping[str, object]:
    """The components of an OpenAPI document. Raises: BadSchema."""
    components = mapping_in((mapping_in(schema) or {}).get("components")) or {}
    schemas = mapping_in(components.get("schemas"))
    if schemas is None:
        raise BadSchema("it has no schema")
    return schemas


def read_inputs(schemas: Mapping[str, object]) -> tuple[tuple[LiveInput, ...], int]:
    """The inputs in the author's order, and how many were left out for their name. Raises: BadSchema."""
    nodes = Nodes(schemas)
    node = nodes.named("Input")
    properties = mapping_in(node.get("properties"))
    if properties is None:
        raise BadSchema("its schema has no inputs")
    if len(properties) > MOST_INPUTS:
        raise BadSchema(f"its schema has {len(properties)} inputs, and at most {MOST_INPUTS} are read")
    required = {each for each in items_in(node.get("required")) if isinstance(each, str)}
    found: list[tuple[float, LiveInput]] = []
    for place, (name, given) in enumerate(properties.items()):
        if _NAME.fullmatch(name):
            flat = nodes.flat(given)
            found.append((_order(flat, place), live_input(name, flat, nodes, is_required=name in required)))
    found.sort(key=lambda pair: pair[0])
    return tuple(each for _, each in found), len(properties) - len(found)


def _order(node: Node, place: int) -> float:
    order = node.get("x-order")
    if isinstance(order, int | float) and abs(order) < _LAST:
        return float(order)
    return float(_LAST + place)


def read_output(schemas: Mapping[str, object]) -> OutputKind:
    """What a succeeded prediction holds, as far as the schema says."""
    nodes = Nodes(schemas)
    node = nodes.named("Output")
    match node.get("type"):
        case "string":
            return "uri" if _is_uri(node) else "unknown"
        case "array":
            return _list_kind(node, nodes.flat(node.get("items")), nodes)
        case "object":
            return "object" if any(_holds_uris(each, nodes) for each in _fields(node, nodes)) else "other"
        case _:
            return "other" if node else "unknown"


def _list_kind(node: Node, inner: Node, nodes: Nodes) -> OutputKind:
    if _is_uri(inner):
        return "uri_list"
    if inner.get("type") == "string":
        return "text" if node.get("x-cog-array-display") else "unknown_list"
    is_object = inner.get("type") == "object" and any(_is_uri(each) for each in _fields(inner, nodes))
    return "object_list" if is_object else "other"


def _fields(node: Node, nodes: Nodes) -> Iterator[Node]:
    properties = mapping_in(node.get("properties")) or {}
    yield from (nodes.flat(each) for each in list(properties.values())[:MOST_INPUTS])


def _holds_uris(node: Node, nodes: Nodes) -> bool:
    return _is_uri(node) or (node.get("type") == "array" and _is_uri(nodes.flat(node.get("items"))))


def _is_uri(node: Node) -> bool:
    return node.get("type") == "string" and node.get("format") == "uri"
