"""Model objects as a gateway gives them, small and of our own making."""

from collections.abc import Mapping
from typing import Any

VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
URI: dict[str, Any] = {"type": "string", "format": "uri"}
URI_LIST: dict[str, Any] = {"type": "array", "items": URI}


def text(words: object = "", **more: Any) -> dict[str, Any]:
    return {"type": "string", "description": words, **more}


def whole(words: str = "", **more: Any) -> dict[str, Any]:
    return {"type": "integer", "description": words, **more}


def picture(words: str = "", **more: Any) -> dict[str, Any]:
    return {**URI, "description": words, **more}


def live_body(
    inputs: Mapping[str, object],
    *,
    output: object = None,
    required: tuple[str, ...] = (),
    example: object = "https://example.com/out.png",
    schemas: Mapping[str, object] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """The answer to `GET /v1/models/ada/painter`; `example` None: it has none."""
    fields: dict[str, object] = {"type": "object", "properties": inputs, "required": list(required)}
    components = {"Input": fields, "Output": URI if output is None else output, **(schemas or {})}
    return {
        "owner": "ada",
        "name": "painter",
        "description": "Paints.",
        "default_example": None if example is None else {"output": example},
        "latest_version": {"id": VERSION, "openapi_schema": {"components": {"schemas": components}}},
        **more,
    }
