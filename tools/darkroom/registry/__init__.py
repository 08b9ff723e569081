"""The curated models, and how a request in our words becomes the input of one of them.

Importing this package and `ModelRegistry.load` read no file; a model's file is read when the model is first asked for. The
names below are imported when they are first used, so that a server starts without the types it has no use for yet.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from darkroom.registry.catalogue import ModelRegistry
    from darkroom.registry.checks import FieldFault, check_input
    from darkroom.registry.defaults import DEFAULT_MODEL, EDIT_DEFAULT_MODEL, default_model_for
    from darkroom.registry.model import Model
    from darkroom.registry.model_input import ModelInput
    from darkroom.registry.reference import ModelRef
    from darkroom.registry.request import ImageRequest, MappedInput
    from darkroom.registry.tasks import TASKS
    from darkroom.registry.unlisted import unlisted_model

_HOMES = {
    "DEFAULT_MODEL": "defaults",
    "EDIT_DEFAULT_MODEL": "defaults",
    "TASKS": "tasks",
    "FieldFault": "checks",
    "ImageRequest": "request",
    "MappedInput": "request",
    "Model": "model",
    "ModelInput": "model_input",
    "ModelRef": "reference",
    "ModelRegistry": "catalogue",
    "check_input": "checks",
    "default_model_for": "defaults",
    "unlisted_model": "unlisted",
}

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
    "unlisted_model",
]


def __getattr__(name: str) -> object:
    """Import an exported name from its module (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
