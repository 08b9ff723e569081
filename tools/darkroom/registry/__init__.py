"""The curated models, and how a request in our words becomes the input of one of them.

`ModelRegistry.load` reads no file; a model's file is read when the model is first asked for.
"""

from darkroom.model_tasks import TASKS
from darkroom.registry.catalogue import ModelRegistry
from darkroom.registry.checks import FieldFault, check_input
from darkroom.registry.example import example_call
from darkroom.registry.mapping import map_request, unlisted_model
from darkroom.registry.mapping.shape import offers_shape
from darkroom.registry.model import Model, ModelRef, is_version
from darkroom.registry.model_input import ModelInput
from darkroom.registry.price import PriceTable, Tier
from darkroom.registry.request import ARGUMENTS, DEFAULT_MODEL, ImageRequest, MappedInput, default_model_for
from darkroom.registry.search import Found, Ranked, has_all, prompt_wish, wanted_of
from darkroom.registry.wishes import Sort

# fmt: off
__all__ = [
    "ARGUMENTS", "DEFAULT_MODEL", "TASKS", "FieldFault", "Found", "ImageRequest", "MappedInput", "Model",
    "ModelInput", "ModelRef", "ModelRegistry", "PriceTable", "Ranked", "Sort", "Tier", "check_input",
    "default_model_for", "example_call", "has_all", "is_version", "map_request", "offers_shape", "prompt_wish",
    "unlisted_model", "wanted_of",
]
# fmt: on
