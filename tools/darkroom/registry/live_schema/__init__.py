"""Models that describe themselves: the OpenAPI schema and the example that a gateway gives for a model -> our Model."""

from darkroom.registry.live_schema.concept_rules import with_usual_concepts
from darkroom.registry.live_schema.description import Description, describe
from darkroom.registry.live_schema.examples import Makes
from darkroom.registry.live_schema.schema import BadSchema
from darkroom.registry.live_schema.text import one_line

__all__ = ["BadSchema", "Description", "Makes", "describe", "one_line", "with_usual_concepts"]
