"""Models that describe themselves: the OpenAPI schema and the example that a gateway gives for a model -> our Model."""

from darkroom.registry.live_schema.description import Description, describe, is_official, run_count, with_usual_concepts
from darkroom.registry.live_schema.schema import BadSchema, one_line

__all__ = ["BadSchema", "Description", "describe", "is_official", "one_line", "run_count", "with_usual_concepts"]
