"""The curated models, and how a request in our words becomes the input of one of them.

`ModelRegistry.load` reads no file; a model's file is read when the model is first asked for.
"""

from darkroom.model_tasks import TASKS
from darkroom.registry.catalogue import ModelRegistry
from darkroom.registry.checks import FieldFault, check_input
from darkroom.registry.defaults import DEFAULT_MODEL, EDIT_DEFAULT_MODEL, default_model_for
from darkroom.registry.example import example_call
from darkroom.registry.mapping import map_request
from darkroom.registry.model import Model
from darkroom.registry.model_input import ModelInput
from darkroom.registry.reference import ModelRef
from darkroom.registry.request import ImageRequest, MappedInput
from darkroom.registry.unlisted import unlisted_model

__all__ = [
    "DEFAULT_MODEL",
    "EDIT_DEFAULT_MODEL",
    "TASKS",
    "FieldFault",
    "ImageRequest",
    "MappedInput",
    "Model",
    "ModelInput",
    "ModelRef",
    "ModelRegistry",
    "check_input",
    "default_model_for",
    "example_call",
    "map_request",
    "unlisted_model",
]
