"""One input as a schema of a stranger states it: our ModelInput, and the whole text that its author wrote."""

import re
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from darkroom.predictions import text_in
from darkroom.registry.checks import check_value
from darkroom.registry.live_schema.nodes import ANY, Node, Nodes, items_in
from darkroom.registry.live_schema.text import one_line
from darkroom.registry.model_input import ModelInput

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
    def is_uri(self) -> bool:
        item = self.item
        return item.format == "uri" or (item.items is not None and item.items.format == "uri")

    @property
    def strings(self) -> list[str]:
        return [value for value in self.item.enum if isinstance(value, str)]

    @property
    def numbers(self) -> list[int | float]:
        return [value for value in self.item.enum if isinstance(value, int | float) and not isinstance(value, bool)]


def live_input(name: str, node: Node, nodes: Nodes, *, is_required: bool) -> LiveInput:
    """From one property of a schema, its references resolved."""
    text = one_line(node.get("description"), _LONGEST_TEXT)
    facts: dict[str, Any] = {"name": name, "type": _type(node), "description": one_line(text)}
    is_secret = node.get("x-cog-secret") is True or node.get("writeOnly") is True or node.get("format") == "password"
    facts["secret"] = is_secret or bool(_SECRET.search(name))
    facts["nullable"] = node.get("nullable") is True or None in items_in(node.get("enum"))
    facts["deprecated"] = node.get("deprecated") is True
    facts |= _values(facts["type"], node)
    if facts["type"] in _NUMBERS:
        facts |= _limits(facts["type"], node) | _steps(text)
    if facts["type"] == "array":
        facts |= _elements(node, nodes)
    if facts["type"] == "string" and isinstance(node.get("format"), str):
        facts["format"] = one_line(node["format"], 40)
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


def _steps(text: str) -> dict[str, Any]:
    found = _STEP.search(text)
    if found is None or int(found[1]) < 2:
        return {}
    return {"multiple_of": int(found[1]), "rounded": bool(_ROUNDED.search(text))}


def _elements(node: Node, nodes: Nodes) -> dict[str, Any]:
    inner = nodes.flat(node.get("items"))
    kind = _type(inner)
    most = _number(node, "maxItems")
    facts: dict[str, Any] = {"max_items": int(most)} if most is not None and most >= 1 else {}
    if kind not in ("any", "array"):
        facts["items"] = {"type": kind, "format": one_line(inner.get("format"), 40)}
    return facts
