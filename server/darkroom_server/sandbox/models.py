"""The endpoints of models and of the account; the bodies are made from the registry."""

from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from darkroom.registry import Model, ModelInput
from darkroom_server.sandbox import faults
from darkroom_server.sandbox.options import SandboxOptions
from darkroom_server.sandbox.state import SandboxState, version_id

_MODELS_A_PAGE = 25


class ModelEndpoints:
    """The endpoints of models and of the account."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def account(self, request: Request) -> Response:
        return JSONResponse(
            {"type": "user", "username": "sandbox", "name": "Sandbox", "github_url": None, "avatar_url": None}
        )

    async def list_page(self, request: Request) -> Response:
        registry, options = self._state.registry, self._state.options
        names = registry.names()
        cursor = request.query_params.get("cursor")
        start = names.index(cursor) if cursor in names else 0
        rest = names[start + _MODELS_A_PAGE :]
        next_url = f"{options.origin}{request.url.path}?cursor={rest[0]}" if rest else None
        models = [_model_body(registry.get(name), options) for name in names[start : start + _MODELS_A_PAGE]]
        return JSONResponse({"next": next_url, "previous": None, "results": models})

    async def get(self, request: Request) -> Response:
        return JSONResponse(self._find(request))

    async def versions(self, request: Request) -> Response:
        return JSONResponse({"next": None, "previous": None, "results": [self._find(request)["latest_version"]]})

    async def version(self, request: Request) -> Response:
        latest = self._find(request)["latest_version"]
        if request.path_params["id"] != latest["id"]:
            raise faults.not_found("Version not found")
        return JSONResponse(latest)

    def _find(self, request: Request) -> dict[str, Any]:
        name = f"{request.path_params['owner']}/{request.path_params['name']}"
        if model := self._state.model(name):
            return _model_body(model, self._state.options)
        raise faults.not_found(f"Model not found: {name}")


def _model_body(model: Model, options: SandboxOptions) -> dict[str, Any]:
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
