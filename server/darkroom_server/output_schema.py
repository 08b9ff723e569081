"""What structured content looks like, for hosts and programs that ask for it (DARKROOM_STRUCTURED_OUTPUT).

The schemas are in output_schema.json, without references, which several hosts cannot resolve; a test holds them against
real answers.
"""

import json
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar

from mcp.types import CallToolResult
from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema


@cache
def answer_schemas() -> dict[str, dict[str, Any]]:
    """By what an answer is about: "prediction" and "models"."""
    return json.loads(Path(__file__).with_suffix(".json").read_text(encoding="utf-8"))


class _Answer(BaseModel):
    """Any object; what is published about it is in the file, under `about`."""

    model_config = ConfigDict(extra="allow")
    about: ClassVar[str]

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return answer_schemas()[cls.about]


class _PredictionAnswer(_Answer):
    about = "prediction"


class _ModelsAnswer(_Answer):
    about = "models"


# What the tools return; the schema is published only where structured output is asked for.
PredictionResult = Annotated[CallToolResult, _PredictionAnswer]
ModelResult = Annotated[CallToolResult, _ModelsAnswer]
