"""The model objects and OpenAPI schemas that a gateway gives, written as cog writes them.

Choices stand in components of their own behind `allOf`, keys are sorted by their length, secrets are passwords
(replicate/cog pkg/schema/openapi_spec.go and public schemas, checked 2026-11-25).
"""

from collections.abc import Mapping
from typing import Any

from pydantic import JsonValue

from darkroom.registry import Model, ModelInput
from darkroom_server.sandbox.options import SandboxOptions

_CREATED_AT = "2026-01-01T00:00:00.000000Z"


def model_body(
    model: Model, version: Mapping[str, Any] | None, options: SandboxOptions, example: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What `GET /v1/models/{owner}/{name}` answers."""
    owner, _, name = model.name.partition("/")
    urls = {"github_url": None, "paper_url": None, "cover_image_url": None, "license_url": model.license.url or None}
    return urls | {
        "url": f"{options.origin}/{model.name}",
        "owner": owner,
        "name": name,
        "description": model.best_for,
        "visibility": "public",
        "run_count": model.provenance.run_count,
        "default_example": example,
        "is_official": model.run_by == "model",
        "latest_version": version,
    }


def version_body(model: Model, identifier: str) -> dict[str, Any]:
    version = {"id": identifier, "created_at": _CREATED_AT, "cog_version": "0.16.0"}
    return version | {"openapi_schema": openapi_schema(model)}


def example_body(model: Model, options: SandboxOptions, ending: str = "") -> dict[str, Any]:
    """An example prediction; its file does not exist, its name has the ending of what the model makes."""
    ending = ending or ("svg" if model.output.svg else next(iter(model.output.formats), "png"))
    uri = f"{options.origin}/examples/{model.name.replace('/', '-')}/output.{ending}"
    return {
        "id": "examp1e0000000000000000000",
        "model": model.name,
        "version": "hidden",
        "status": "succeeded",
        "input": {model.concepts.prompt or "prompt": "a lighthouse at dawn"},
        "output": uri if model.output.kind == "uri" else [uri],
        "error": None,
        "logs": "",
        "metrics": {"predict_time": model.typical_s or 2.5},
        "created_at": _CREATED_AT,
    }


def openapi_schema(model: Model) -> dict[str, Any]:
    """An Input and an Output schema, and one component for each choice."""
    uri = {"type": "string", "format": "uri"}
    output = uri if model.output.kind == "uri" else {"type": "array", "items": uri}
    properties = {item.name: _property(item, order) for order, item in enumerate(model.inputs)}
    by_length = dict(sorted(properties.items(), key=lambda pair: (len(pair[0]), pair[0])))
    fields: dict[str, Any] = {"type": "object", "title": "Input", "properties": by_length}
    if required := [item.name for item in model.inputs if item.required]:
        fields["required"] = required
    choices = {item.name: _choice(item) for item in model.inputs if _has_choice(item)}
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {"schemas": {"Input": fields, "Output": output | {"title": "Output"}, **choices}},
    }


def _has_choice(item: ModelInput) -> bool:
    return bool(item.enum) and item.enum_complete and item.type != "array"


def _choice(item: ModelInput) -> dict[str, Any]:
    return {"enum": list(item.enum), "type": item.type, "title": item.name, "description": "An enumeration."}


def _property(item: ModelInput, order: int) -> dict[str, Any]:
    title = item.name.replace("_", " ").title()
    kind: dict[str, JsonValue] = {} if item.type == "any" else {"type": item.type, "title": title}
    if _has_choice(item):
        kind = {"allOf": [{"$ref": f"#/components/schemas/{item.name}"}]}
    secret = {"format": "password", "writeOnly": True, "x-cog-secret": True} if item.secret else {}
    items = item.items and {"type": item.items.type, **({"format": item.items.format} if item.items.format else {})}
    described = {
        "description": _text(item),
        "default": item.default,
        "minimum": item.min,
        "maximum": item.max,
        "maxItems": item.max_items,
        "format": item.format or None,
        "nullable": item.nullable or None,
        "deprecated": item.deprecated or None,
        "items": items,
    }
    return kind | {key: value for key, value in described.items() if value is not None} | secret | {"x-order": order}


def _text(item: ModelInput) -> str:
    """A step stands only in the words of a schema."""
    step = item.multiple_of
    if not step or f"of {step}" in item.description:
        return item.description
    words = f"Will be rounded to multiples of {step}." if item.rounded else f"Must be a multiple of {step}."
    return f"{item.description} {words}".strip()
