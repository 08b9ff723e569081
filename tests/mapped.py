"""Requests mapped by the models that come with darkroom, for the tests of the mapping."""

from typing import Any

import pytest

from darkroom.errors import InvalidInput
from darkroom.registry import ImageRequest, MappedInput, Model, ModelRegistry, map_request

DRAWN_SEED = 20_261_120
REGISTRY = ModelRegistry.load()
PHOTO = "https://example.com/photo.jpg"
OTHER_PHOTO = "https://example.com/other.jpg"
MASK = "https://example.com/mask.png"


def every_model() -> tuple[Model, ...]:
    """All models, core first."""
    return REGISTRY.search(limit=1000)


def request_of(call: dict[str, Any]) -> ImageRequest:
    """The request of a call as a tool would receive it."""
    arguments = dict[str, Any](call)
    arguments["images"] = tuple(call.get("images", ()))
    arguments["options"] = arguments.pop("model_options", {})
    return ImageRequest(**arguments)


def mapped(name: str, **asked: Any) -> MappedInput:
    """What a model makes of these arguments; a prompt is given unless the test names one."""
    asked.setdefault("prompt", "a lighthouse")
    return map_request(REGISTRY.get(name), ImageRequest(**asked), draw_seed=lambda: DRAWN_SEED)


def refused(name: str, **asked: Any) -> InvalidInput:
    """The refusal that these arguments meet; every refusal is short and says that nothing was sent."""
    with pytest.raises(InvalidInput) as caught:
        mapped(name, **asked)
    assert len(caught.value.message) <= 300
    assert caught.value.message.endswith("Nothing was sent.")
    return caught.value
