"""The curated models, and how a request in our words becomes the input of one of them.

Importing this package and `ModelRegistry.load` read no file; a model's file is read when the model is first asked for.
"""

from darkroom.registry.checks import FieldFault, check_input
from darkroom.registry.model import Model
from darkroom.registry.model_input import ModelInput
from darkroom.registry.reference import ModelRef
from darkroom.registry.request import ImageRequest, MappedInput

__all__ = ["FieldFault", "ImageRequest", "MappedInput", "Model", "ModelInput", "ModelRef", "check_input"]
