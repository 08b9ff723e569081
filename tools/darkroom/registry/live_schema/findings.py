"""What has been found so far while the concepts of one schema are looked for."""

import tomllib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from darkroom.registry.live_schema.schema import LiveInput, OutputKind

_MOST_NAMED = 6


@dataclass(slots=True, kw_only=True)
class Findings:
    """The inputs that are not deprecated by their key, and what became of each of our words.

    `about`: name and description of the model. `unmapped`: concept -> why nothing was guessed.
    """

    by_key: Mapping[str, LiveInput]
    output: OutputKind
    about: str
    concepts: dict[str, Any] = field(default_factory=dict[str, Any])
    unmapped: dict[str, str] = field(default_factory=dict[str, str])
    notes: list[str] = field(default_factory=list[str])
    taken: set[str] = field(default_factory=set[str])

    @property
    def inputs(self) -> Iterable[LiveInput]:
        return self.by_key.values()

    def of(self, concept: str) -> LiveInput | None:
        """The input that carries it."""
        name = self.concepts.get(concept)
        return next((each for each in self.inputs if each.name == name), None) if name else None

    def put(self, concept: str, found: LiveInput | None) -> bool:
        """Note it, unless the input carries another concept already."""
        if found is None or found.name in self.taken:
            return False
        self.concepts[concept] = found.name
        self.taken.add(found.name)
        return True

    def put_only(self, concept: str, could: list[LiveInput]) -> None:
        """Note it where one input alone could carry it; else say which ones could."""
        self.put(concept, only(could))
        if len(could) > 1:
            names = ", ".join(each.name for each in could[:_MOST_NAMED])
            self.unmapped[concept] = f"several inputs could carry it: {names}"

    def give_up(self, concept: str, why: str) -> None:
        """Take back what was noted."""
        self.taken.discard(self.concepts.pop(concept, ""))
        self.unmapped[concept] = why

    def put_named(self, row: Mapping[str, Any]) -> None:
        """One row of the table of names."""
        if "after" not in row or row["after"] in self.concepts:
            there = (self.by_key[name] for name in row["names"] if name in self.by_key)
            self.put(row["concept"], next(filter(_FITS[row["must"]], there), None))


def only(found: list[LiveInput]) -> LiveInput | None:
    return found[0] if len(found) == 1 else None


@cache
def rules() -> dict[str, Any]:
    return tomllib.loads(Path(__file__).with_name("rules.toml").read_text(encoding="utf-8"))


_FITS: dict[str, Callable[[LiveInput], bool]] = {
    "text": lambda each: each.is_text,
    "whole": lambda each: each.item.type == "integer" and not each.item.enum,
    "number": lambda each: each.is_number,
    "percent": lambda each: each.is_number and each.item.max in (None, 95, 99, 100) and not each.item.enum,
    "switch": lambda each: each.item.type == "boolean",
    "choice": lambda each: each.item.type == "string" and bool(each.item.enum),
    "toggle": lambda each: each.item.type in ("boolean", "string"),
    "weights": lambda each: each.item.type in ("string", "array") and not each.item.enum,
    "scales": lambda each: each.item.type in ("number", "array", "string"),
    "any": lambda each: True,
}
