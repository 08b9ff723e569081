"""One level of a JSON schema at a time: references, `allOf` and null branches resolved, within bounds.

A JSON Schema library resolves references of documents that one trusts; this reads those of strangers.
"""

from collections.abc import Mapping

from darkroom.predictions import items_in, mapping_in

Node = dict[str, object]

_MOST_REFERENCES = 400
_MOST_DEPTH = 12
_MOST_BRANCHES = 16
_COMBINED = ("$ref", "allOf", "anyOf", "oneOf")
# Says of a node that its type is a union, a circle or out of bounds, so that any value is passed on unchecked.
ANY = "x-any"
_MOST_STEPS = 20_000


class Nodes:
    """The components of one schema."""

    def __init__(self, schemas: Mapping[str, object]) -> None:
        self._schemas = schemas
        self._references = 0
        self._steps = 0

    def named(self, name: str) -> Node:
        return self.flat(self._schemas.get(name))

    def flat(self, node: object, depth: int = 0, seen: frozenset[str] = frozenset()) -> Node:
        """Its keywords with those of what it refers to; `{}` for what is no schema, ANY where it cannot be told."""
        given = mapping_in(node)
        self._steps += 1
        if given is None or depth > _MOST_DEPTH or self._steps > _MOST_STEPS:
            return {} if given is None else {ANY: True}
        found = self._referred(given.get("$ref"), depth, seen)
        for part in items_in(given.get("allOf"))[:_MOST_BRANCHES]:
            found = self.flat(part, depth + 1, seen) | found
        branches = [
            self.flat(each, depth + 1, seen)
            for key in ("anyOf", "oneOf")
            for each in items_in(given.get(key))[:_MOST_BRANCHES]
        ]
        found |= _joined(branches)
        own = {key: value for key, value in given.items() if key not in _COMBINED}
        return found | _with_one_type(own, bool(found.get("nullable")))

    def _referred(self, reference: object, depth: int, seen: frozenset[str]) -> Node:
        if not isinstance(reference, str):
            return {}
        self._references += 1
        name = reference.rpartition("/")[2]
        if self._references > _MOST_REFERENCES or name in seen or not reference.startswith("#/"):
            return {ANY: True}
        return self.flat(self._schemas.get(name), depth + 1, seen | {name})


def _joined(branches: list[Node]) -> Node:
    """What `anyOf` or `oneOf` say together: null beside one type makes it nullable, enums of one type are joined."""
    if not branches:
        return {}
    solid = [each for each in branches if each.get("type") != "null"]
    is_nullable = len(solid) < len(branches) or any(each.get("nullable") is True for each in branches)
    found: Node = {"nullable": True} if is_nullable else {}
    if len(solid) == 1:
        return found | solid[0] | found
    types = {str(each.get("type")) for each in solid}
    if solid and len(types) == 1 and all(items_in(each.get("enum")) for each in solid):
        values = [value for each in solid for value in items_in(each.get("enum"))]
        return solid[0] | {"enum": values} | found
    return found | {ANY: True}


def _with_one_type(own: Node, is_nullable: bool) -> Node:
    """OpenAPI 3.1 writes `"type": ["string", "null"]`."""
    if not isinstance(own.get("type"), list):
        return own
    kinds = items_in(own["type"])
    solid = [each for each in kinds if each != "null"]
    one = {"type": solid[0]} if len(solid) == 1 else {"type": None, ANY: True}
    return own | one | {"nullable": is_nullable or len(solid) < len(kinds)}
