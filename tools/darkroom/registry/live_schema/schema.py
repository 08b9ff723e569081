"""The inputs and the kind of output of an OpenAPI schema as cog writes it, and what an author wrote made harmless.

How cog writes one: choices as `allOf` with a reference, the order in `x-order`, files as `format: uri` (replicate/cog
pkg/schema/openapi_spec.go, 2026-11-25).
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import JsonValue

from darkroom.predictions import items_in, mapping_in, text_in
from darkroom.registry.checks import check_value
from darkroom.registry.live_schema.nodes import ANY, Node, Nodes
from darkroom.registry.model_input import ModelInput

OutputKind = Literal["uri", "uri_list", "object", "object_list", "text", "unknown", "unknown_list", "other"]

MOST_INPUTS = 120
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\- ]{0,99}")
_LAST = 10_000
_MOST_VALUES = 512
_LONGEST_VALUE = 200
_LONGEST_DEFAULT = 2000
_LONGEST_TEXT = 1500
_LARGEST = 2**63
_SECRET = re.compile(
    r"(^|_)(api_?key|api_?token|hf_token|token|secret|password|access_key)$|(_api_key|_token)$", re.IGNORECASE
)
_STEP = re.compile(r"(?i)(?:multiples?|divisible|increments?)\s+(?:of|by)\s+(\d{1,3})")
_ROUNDED = re.compile(r"(?i)will be rounded|rounded to")
_TYPES = ("string", "integer", "number", "boolean", "array")
_NUMBERS = ("integer", "number")


class BadSchema(ValueError):
    """The text is not the schema of a model that can be described; says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class LiveInput:
    """`key` is the name in lower case with underscores; `text` up to 1,500 characters of its description."""

    item: ModelInput
    key: str
    text: str

    @property
    def name(self) -> str:
        return self.item.name

    @property
    def words(self) -> str:
        """Name and description, in lower case."""
        return f"{self.name.replace('_', ' ')} {self.text}".lower()

    @property
    def is_text(self) -> bool:
        """Whether it takes free text."""
        item = self.item
        return item.type == "string" and item.format in ("", "text") and not item.enum and not item.secret

    @property
    def is_number(self) -> bool:
        return self.item.type in _NUMBERS

    @property
    def is_whole(self) -> bool:
        is_whole = all(float(value).is_integer() for value in self.numbers)
        return self.item.type == "integer" or (self.item.type == "number" and is_whole)

    @property
    def is_uri(self) -> bool:
        item = self.item
        return item.format == "uri" or (item.items is not None and item.items.format == "uri")

    @property
    def strings(self) -> list[str]:
        return [value for value in self.item.enum if isinstance(value, str)]

    @property
    def numbers(self) -> list[int | float]:
        return [value for value in self.item.enum if isinstance(value, int | float) and not isinstance(value, bool)]


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
    flat = {name: nodes.flat(given) for name, given in properties.items() if _NAME.fullmatch(name)}
    required = {name for name in items_in(node.get("required")) if isinstance(name, str)}
    inputs = [_live_input(name, each, nodes, is_required=name in required) for name, each in flat.items()]
    inputs.sort(key=lambda each: _order(flat[each.name]))
    return tuple(inputs), len(properties) - len(inputs)


def _order(node: Node) -> float:
    order = node.get("x-order")
    return order if isinstance(order, int | float) and abs(order) < _LAST else _LAST


def read_output(schemas: Mapping[str, object]) -> OutputKind:
    """What a succeeded prediction holds, as far as the schema says."""
    nodes = Nodes(schemas)
    node = nodes.named("Output")
    inner = nodes.flat(node.get("items"))
    match node.get("type"), inner.get("type"):
        case "string", _:
            return "uri" if _is_uri(node) else "unknown"
        case "array", "string":
            other = "text" if node.get("x-cog-array-display") else "unknown_list"
            return "uri_list" if _is_uri(inner) else other
        case "array", "object":
            return "object_list" if any(map(_is_uri, _fields(inner, nodes))) else "other"
        case "object", _:
            fields = [each for field in _fields(node, nodes) for each in (field, nodes.flat(field.get("items")))]
            return "object" if any(map(_is_uri, fields)) else "other"
        case _:
            return "other" if node else "unknown"


def _fields(node: Node, nodes: Nodes) -> Iterator[Node]:
    properties = mapping_in(node.get("properties")) or {}
    yield from (nodes.flat(each) for each in list(properties.values())[:MOST_INPUTS])


def _is_uri(node: Node) -> bool:
    return node.get("type") == "string" and node.get("format") == "uri"


def _live_input(name: str, node: Node, nodes: Nodes, *, is_required: bool) -> LiveInput:
    """From one property of a schema, its references resolved."""
    text = one_line(node.get("description"), _LONGEST_TEXT)
    facts: dict[str, Any] = {"name": name, "type": _type(node), "description": one_line(text)}
    is_secret = node.get("x-cog-secret") is True or node.get("writeOnly") is True or node.get("format") == "password"
    facts["secret"] = is_secret or bool(_SECRET.search(name))
    facts["nullable"] = node.get("nullable") is True or None in items_in(node.get("enum"))
    facts["deprecated"] = node.get("deprecated") is True
    facts |= _values(facts["type"], node)
    if facts["type"] in _NUMBERS:
        facts |= _limits(facts["type"], node)
        if (step := _STEP.search(text)) and int(step[1]) > 1:
            facts |= {"multiple_of": int(step[1]), "rounded": bool(_ROUNDED.search(text))}
    elif facts["type"] == "array":
        facts |= _elements(node, nodes)
    elif facts["type"] == "string":
        facts["format"] = one_line(node.get("format"), 40)
    default: Any = node.get("default")
    item = ModelInput.model_validate(facts | {"required": is_required and default is None})
    if default is not None and not item.secret and len(str(default)) <= _LONGEST_DEFAULT:
        item = item if check_value(item, default) else item.model_copy(update={"default": default})
    return LiveInput(item, key_of(name), text)


def key_of(name: str) -> str:
    return name.lower().replace("-", "_").replace(" ", "_")


def _type(node: Node) -> str:
    """ "any" for objects, unions and what has no type; also for numbers listed as text, as old models have them."""
    kind = text_in(node.get("type"))
    if node.get(ANY) or kind not in _TYPES:
        return "any"
    is_odd = kind in _NUMBERS and any(isinstance(value, str) for value in items_in(node.get("enum"))[:_MOST_VALUES])
    return "any" if is_odd else kind


def _values(kind: str, node: Node) -> dict[str, Any]:
    if kind in ("any", "array") or not isinstance(node.get("enum"), list):
        return {}
    listed = items_in(node["enum"])
    given = [value for value in listed[: _MOST_VALUES + 1] if value is not None]
    usable: list[JsonValue] = [
        value
        for value in given
        if isinstance(value, str | int | float) and len(str(value)) <= _LONGEST_VALUE and str(value).isprintable()
    ]
    is_whole = len(usable) == len(given) <= _MOST_VALUES and len(listed) <= _MOST_VALUES + 1
    return {"enum": tuple(usable[:_MOST_VALUES]), "enum_complete": is_whole}


def _limits(kind: str, node: Node) -> dict[str, Any]:
    """The lowest and highest value; none of the two where they contradict each other."""
    low, high = _number(node, "minimum", "ge"), _number(node, "maximum", "le")
    if kind == "integer":
        above, below = _number(node, "exclusiveMinimum", "gt"), _number(node, "exclusiveMaximum", "lt")
        low = above + 1 if low is None and above is not None else low
        high = below - 1 if high is None and below is not None else high
    if low is not None and high is not None and low > high:
        return {}
    return {"min": low, "max": high}


def _number(node: Node, *keys: str) -> int | float | None:
    """The first of these that is a number of a sane size."""
    for value in map(node.get, keys):
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _LARGEST:
            return value
    return None


def _elements(node: Node, nodes: Nodes) -> dict[str, Any]:
    inner = nodes.flat(node.get("items"))
    kind = _type(inner)
    most = _number(node, "maxItems")
    facts: dict[str, Any] = {"max_items": int(most)} if most is not None and most >= 1 else {}
    if kind not in ("any", "array"):
        facts["items"] = {"type": kind, "format": one_line(inner.get("format"), 40)}
    return facts


def one_line(text: object, limit: int = 300) -> str:
    """At most `limit` characters; characters of the Unicode categories C* become spaces. "" for what is no text."""
    if not isinstance(text, str):
        return ""
    seen = text[: limit * 4]
    if not (seen.isascii() and seen.isprintable()):
        seen = "".join(" " if unicodedata.category(each)[0] == "C" else each for each in seen)
    line = " ".join(seen.split())
    return line if len(line) <= limit else line[: limit - 1].rstrip() + "…"
