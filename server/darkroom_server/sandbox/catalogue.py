"""The models of the sandbox: those of the registry, as they are or have become, and some that nobody curated."""

import hashlib
import tomllib
from dataclasses import dataclass, field
from functools import cache, cached_property
from importlib.resources import files
from typing import Any

from darkroom.registry import Model, ModelInput, ModelRegistry
from darkroom.registry.live_schema import with_usual_concepts
from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.schemas import example_body, model_body, version_body

DEPLOYMENT = ("attic/press", "attic/watercolour")
_VAST_CHARACTERS = 5_000_000
_LOOP = {"style": {"$ref": "#/components/schemas/shade"}, "shade": {"allOf": [{"$ref": "#/components/schemas/style"}]}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """A model that the registry does not have; what the file says beside the model."""

    model: Model
    oddity: str = ""
    example: str | None = None


@dataclass(eq=False)
class Catalogue:
    """Looks models up by name and by version, and gives the objects that describe them."""

    options: SandboxOptions
    registry: ModelRegistry
    _drift: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self._drift = _read("drift.toml") if self.options.has_drifted else {"gone": [], "changes": []}

    def curated_names(self) -> list[str]:
        return sorted(set(self.registry.names()) - set(self._drift["gone"]))

    def names(self) -> list[str]:
        """All, also those that only a search finds."""
        return sorted({*self.curated_names(), *_outside()})

    def find(self, name: str) -> Model | None:
        """By its full name."""
        name = name.lower()
        if "/" not in name or name in self._drift["gone"]:
            return None
        outside = _outside().get(name)
        found = outside.model if outside else self.registry.find(name)
        return self._drifted(found) if found else None

    def by_version(self, identifier: str) -> Model | None:
        """A community model; official ones have no versions that anybody may ask for."""
        name = self._names_by_version.get(identifier)
        return self.find(name) if name else None

    def body(self, model: Model) -> dict[str, Any]:
        """The model as the gateway describes it."""
        outside = _outside().get(model.name, Outside(model=model))
        version = None if outside.oddity == "no_version" else version_body(model, version_id(model))
        example = None if outside.example == "" else example_body(model, self.options, outside.example or "")
        if outside.oddity == "vast" and example:
            example["input"]["image"] = f"data:image/png;base64,{'A' * _VAST_CHARACTERS}"
        if outside.oddity == "loop" and version:
            version["openapi_schema"]["components"]["schemas"] |= _LOOP
        return model_body(model, version, self.options, example)

    def search(self, query: str, limit: int) -> list[Model]:
        """Those whose texts hold most of the words, most run first."""
        words = query.lower().split()
        models = [model for name in self.names() if (model := self.find(name))]
        scores = {model.name: sum(word in _text(model) for word in words) for model in models}
        found = [model for model in models if scores[model.name] or not words]
        found.sort(key=lambda model: (-scores[model.name], -model.provenance.run_count, model.name))
        return found[:limit]

    @cached_property
    def _names_by_version(self) -> dict[str, str]:
        models = (self.find(name) for name in self.names())
        return {version_id(model): model.name for model in models if model and model.run_by == "version"}

    def _drifted(self, model: Model) -> Model:
        changes = [each for each in self._drift["changes"] if each["model"] == model.name]
        if not changes:
            return model
        inputs = dict(model.inputs_by_name)
        for each in changes:
            if "new" in each:
                inputs[each["new"]["name"]] = ModelInput.model_validate(each["new"])
            elif each.get("gone"):
                inputs.pop(each["input"], None)
            elif each["input"] in inputs:
                before = inputs[each["input"]].model_dump(exclude_defaults=True)
                inputs[each["input"]] = ModelInput.model_validate(before | each["set"])
        facts = {name: getattr(model, name) for name in Model.model_fields}
        return Model.model_validate({**facts, "inputs": tuple(inputs.values())})


@cache
def _outside() -> dict[str, Outside]:
    found: dict[str, Outside] = {}
    for row in _read("outside.toml")["models"]:
        oddity, example = row.pop("oddity", ""), row.pop("example", None)
        model = with_usual_concepts(Model.model_validate(row))
        found[row["name"]] = Outside(model=model, oddity=oddity, example=example)
    return found


def version_id(model: Model) -> str:
    """The registry's version, else one of our own making: 64 hexadecimal digits either way."""
    return model.version or hashlib.sha256(f"sandbox {model.name}".encode()).hexdigest()


def _text(model: Model) -> str:
    return f"{model.name} {model.title} {model.best_for} {' '.join(model.tasks)}".lower()


def _read(name: str) -> dict[str, Any]:
    return tomllib.loads(files("darkroom_server.sandbox").joinpath(name).read_text(encoding="utf-8"))
