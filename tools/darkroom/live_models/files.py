"""Descriptions on the disk, one small file each; a disk that takes none costs only questions.

Of a model object its schema is kept and the endings of its example's files: the same to the rules that describe it,
without pictures, addresses and long texts.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from anyio import to_thread

from darkroom.file_systems import write_whole
from darkroom.predictions import mapping_in, text_in
from darkroom.registry.live_schema.examples import example_endings, example_s

log = logging.getLogger(__name__)

_LARGEST_BYTES = 256 * 1024
_KEPT = ("owner", "name", "description", "is_official", "run_count", "id", "model", "version")
_LONGEST_TEXT = 6000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What was answered, and when (seconds since 1970)."""

    at: float
    body: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one gateway. `whose` names its address and the account: another one's are not read."""

    folder: Path
    whose: str

    async def read(self, name: str) -> Kept | None:
        return await to_thread.run_sync(self._read, self.folder / f"{name}.json")

    async def write(self, name: str, kept: Kept) -> None:
        """Atomic; what is larger than 256 kB is not kept."""
        text = json.dumps({"at": kept.at, "whose": self.whose, "body": kept.body}, separators=(",", ":"))
        if len(text) > _LARGEST_BYTES:
            return
        try:
            await to_thread.run_sync(write_whole, self.folder / f"{name}.json", text.encode())
        except OSError as error:
            log.warning("the description '%s' could not be kept: %s", name, error)

    async def has_descriptions(self) -> bool:
        """Whether there is a file of any model."""
        return await to_thread.run_sync(lambda: any(self.folder.glob("*--*.json")))

    async def drop(self, name: str) -> None:
        await to_thread.run_sync(lambda: (self.folder / f"{name}.json").unlink(missing_ok=True))

    def _read(self, path: Path) -> Kept | None:
        try:
            if path.stat().st_size > _LARGEST_BYTES:
                return None
            facts = mapping_in(json.loads(path.read_text(encoding="utf-8"))) or {}
        except (OSError, ValueError, RecursionError):
            return None
        at, body = facts.get("at"), mapping_in(facts.get("body"))
        if text_in(facts.get("whose")) != self.whose or not isinstance(at, int | float) or body is None:
            return None
        return Kept(at=float(at), body=body)


def pruned(body: Mapping[str, object]) -> dict[str, object]:
    """What is kept of the object of a model, of a version of one, or of a deployment."""
    kept = {name: _shortened(body[name]) for name in _KEPT if name in body}
    for name in ("latest_version", "current_release"):
        if (inner := mapping_in(body.get(name))) is not None:
            kept[name] = pruned(inner)
    if (endings := example_endings(body)) is not None:
        files = [f"data:image/{ending}," if ending else "https://without" for ending in endings]
        kept["default_example"] = {"output": files, "metrics": {"predict_time": example_s(body)}}
    schema = mapping_in(body.get("openapi_schema")) or {}
    if (components := mapping_in(schema.get("components"))) is not None:
        kept["openapi_schema"] = {"components": {"schemas": _shortened(components.get("schemas"))}}
    return kept


def _shortened(node: object) -> object:
    """The same with long texts cut, such as a picture that is a default."""
    if isinstance(node, str):
        return node[:_LONGEST_TEXT]
    if isinstance(node, list):
        return [_shortened(each) for each in cast("list[object]", node)]
    fields = mapping_in(node)
    return node if fields is None else {name: _shortened(value) for name, value in fields.items()}
