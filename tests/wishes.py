"""The wishes of queries.toml, each with what list_models answers."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, cast

from darkroom.list_models import list_models
from darkroom.registry import ModelRegistry

_FILE = Path(__file__).with_name("queries.toml")
_REGISTRY = ModelRegistry.load()


@dataclass(frozen=True)
class Wish:
    """What somebody types, and the models that are a right answer."""

    query: str
    right: frozenset[str]

    @cached_property
    def found(self) -> list[str]:
        """Names in the order of the answer, eight at most."""
        rows = cast("list[dict[str, Any]]", list_models(_REGISTRY, query=self.query, limit=8).data["models"])
        return [row["name"] for row in rows]

    def is_served(self, depth: int) -> bool:
        """Whether one of the first `depth` is right."""
        return bool(self.right & set(self.found[:depth]))


def wishes() -> list[Wish]:
    """All of them, in the order of the file."""
    table = tomllib.loads(_FILE.read_text(encoding="utf-8"))
    return [Wish(row["query"], _right(row, table["groups"])) for row in table["wishes"]]


def recall(asked: Sequence[Wish], depth: int) -> float:
    """The share that is served by the first `depth` models."""
    return sum(wish.is_served(depth) for wish in asked) / len(asked)


def _right(row: dict[str, Any], groups: dict[str, list[str]]) -> frozenset[str]:
    named = [row["group"]] if "group" in row else []
    inside = [model for group in [*named, *row.get("also", [])] for model in groups[group]]
    return frozenset([*row.get("models", []), *inside])
