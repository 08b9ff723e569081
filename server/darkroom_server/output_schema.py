"""What structured content looks like, for hosts and programs that ask for it (DARKROOM_STRUCTURED_OUTPUT).

The schemas are in output_schema.json, without references, which several hosts cannot resolve; a test holds them against
real answers.
"""

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any

from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, create_model


@cache
def answer_schemas() -> dict[str, dict[str, Any]]:
    """By what an answer is about: "prediction" and "models"."""
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


def _answer(about: str) -> type[BaseModel]:
    """Any object; what is published about it is in the file, under `about`."""

    def publish(schema: dict[str, Any]) -> None:
        schema.clear()
        schema.update(answer_schemas()[about])

    return create_model(about, __config__=ConfigDict(extra="allow", json_schema_extra=publish))


# What the tools return; the schema is published only where structured output is asked for.
PredictionResult = Annotated[CallToolResult, _answer("prediction")]
ModelResult = Annotated[CallToolResult, _answer("models")]
