"""What structured content looks like, for hosts and programs that ask for it (DARKROOM_STRUCTURED_OUTPUT).

Written out by hand without references, which several hosts cannot resolve; a test holds it against real answers.
"""

from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

_TEXT = {"type": "string"}
_NUMBER = {"type": "number"}
_WHOLE = {"type": "integer"}
_MAYBE_TEXT = {"type": ["string", "null"]}
_MAYBE_NUMBER = {"type": ["number", "null"]}
_MAYBE_WHOLE = {"type": ["integer", "null"]}
_TRUTH = {"type": "boolean"}
_TEXTS = {"type": "array", "items": _TEXT}


def _record(required: str, **properties: object) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": required.split()}


def _about(schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}


_PREDICTION = _record(
    "id status",
    id=_TEXT,
    key=_about(_TEXT, "Darkroom's own name for it, known before the gateway gives an id"),
    status=_about(_TEXT, "starting, processing, succeeded, failed, canceled, aborted, refused, unresolved and others"),
    seed=_MAYBE_WHOLE,
    error=_TEXT,
    percent=_MAYBE_NUMBER,
    created_at=_about(_MAYBE_TEXT, "RFC 3339"),
    price_usd=_about(_MAYBE_NUMBER, "Estimate; null where unknown"),
    metrics=_record(
        "", predict_s=_MAYBE_NUMBER, queue_s=_MAYBE_NUMBER, total_s=_MAYBE_NUMBER, image_count=_MAYBE_WHOLE
    ),
)
_IMAGE = _record(
    "n path url",
    n=_about(_WHOLE, "From 1; prediction://ID/images/n reads it"),
    prediction_id=_TEXT,
    index=_WHOLE,
    url=_about(_TEXT, "The gateway's link; empty for inline data"),
    expires_at=_about(_MAYBE_TEXT, "When the link dies, RFC 3339"),
    state=_about(_TEXT, "wanted, stored, expired or refused"),
    problem=_TEXT,
    path=_about(_TEXT, "Where it is saved; empty while it is not"),
    mime_type=_TEXT,
    width=_about(_WHOLE, "Pixels"),
    height=_about(_WHOLE, "Pixels"),
    size_bytes=_WHOLE,
    sha256=_TEXT,
)
_ERROR = _record(
    "kind message billed",
    kind=_TEXT,
    message=_TEXT,
    billed=_about({"type": "string", "enum": ["no", "maybe"]}, "Whether money may have been spent"),
    retry_after_s=_MAYBE_NUMBER,
) | {"type": ["object", "null"]}

PREDICTION_ANSWER = _record(
    "outcome status id predictions images notes next error",
    outcome={"type": "string", "enum": ["succeeded", "running", "failed", "unresolved", "invalid", "refused"]},
    status=_TEXT,
    id=_about(_TEXT, "What get_prediction takes; empty where nothing was sent"),
    request_id=_TEXT,
    gateway=_record("name", name=_TEXT, title=_TEXT, is_sandbox=_TRUTH),
    model=_TEXT,
    prompt=_TEXT,
    request=_about({"type": "object"}, "The call's arguments"),
    seed=_MAYBE_WHOLE,
    price_usd=_about(_MAYBE_NUMBER, "Estimate of all; null where unknown"),
    waited_s=_NUMBER,
    predictions={"type": "array", "items": _PREDICTION},
    images={"type": "array", "items": _IMAGE},
    notes=_TEXTS,
    next=_about(_TEXT, "What to do now; empty where nothing is left to do"),
    error=_ERROR,
    can_cancel=_TRUTH,
)
MODELS_ANSWER = _record(
    "models problems",
    models={
        "type": "array",
        "items": _record(
            "name title tasks",
            name=_TEXT,
            title=_TEXT,
            tier=_TEXT,
            tasks=_TEXTS,
            best_for=_TEXT,
            prices_usd={"type": "array", "items": _NUMBER},
            typical_s=_MAYBE_NUMBER,
            max_count=_WHOLE,
            takes_images=_TRUTH,
            inputs=_about({"type": "array", "items": {"type": "object"}}, "Only with model="),
            example=_about({"type": "object"}, "Arguments of generate_image; only with model="),
        ),
    },
    shown=_WHOLE,
    known=_WHOLE,
    problems=_TEXTS,
)


class _Answer(BaseModel):
    """Any object; what is published is written by hand."""

    model_config = ConfigDict(extra="allow")


class _PredictionAnswer(_Answer):
    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return PREDICTION_ANSWER


class _ModelsAnswer(_Answer):
    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return MODELS_ANSWER


# What the tools return; the schema is published only where structured output is asked for.
PredictionResult = Annotated[CallToolResult, _PredictionAnswer]
ModelResult = Annotated[CallToolResult, _ModelsAnswer]
