"""The models as the format lists them, with an OpenAPI schema made from the registry."""

import hashlib
from typing import Any

from darkroom.registry import Model, ModelInput
from darkroom_server.sandbox.options import SandboxOptions


def version_id(model: Model) -> str:
    """The registry's version, else one of our own making: 64 hexadecimal digits either way."""
    return model.version or hashlib.sha256(f"sandbox {model.name}".encode()).hexdigest()


def model_body(model: Model, options: SandboxOptions) -> dict[str, Any]:
    owner, _, name = model.name.partition("/")
    return {
        "url": f"{options.origin}/{model.name}",
        "owner": owner,
        "name": name,
        "description": model.best_for,
        "visibility": "public",
        "github_url": None,
        "paper_url": None,
        "license_url": model.license.url or None,
        "run_count": 0,
        "cover_image_url": None,
        "default_example": None,
        "is_official": model.run_by == "model",
        "latest_version": {
            "id": version_id(model),
            "created_at": "2026-01-01T00:00:00.000000Z",
            "cog_version": "0.16.0",
            "openapi_schema": _openapi_schema(model),
        },
    }


def _openapi_schema(model: Model) -> dict[str, Any]:
    """What cog would publish for this model: an Input and an Output schema."""
    uri = {"type": "string", "format": "uri"}
    output = uri if model.output.kind == "uri" else {"type": "array", "items": uri}
    properties = {item.name: _property(item, order) for order, item in enumerate(model.inputs)}
    fields: dict[str, Any] = {"type": "object", "title": "Input", "properties": properties}
    if required := [item.name for item in model.inputs if item.required]:
        fields["required"] = required
    return {
        "openapi": "3.0.2",
        "info": {"title": "Cog", "version": "0.1.0"},
        "paths": {},
        "components": {"schemas": {"Input": fields, "Output": output | {"title": "Output"}}},
    }


def _property(item: ModelInput, order: int) -> dict[str, Any]:
    described = {
        "type": item.type,
        "title": item.name.replace("_", " ").title(),
        "description": item.description,
        "default": item.default,
        "minimum": item.min,
        "maximum": item.max,
        "maxItems": item.max_items,
        "format": item.format or None,
        "enum": list(item.enum) if item.enum and item.enum_complete else None,
        "nullable": item.nullable or None,
        "items": {"type": item.items.type, **({"format": item.items.format} if item.items.format else {})}
        if item.items
        else None,
    }
    return {key: value for key, value in described.items() if value is not None} | {"x-order": order}
