"""The arguments of generate_image, and the input that a model is sent for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

from pydantic import JsonValue

from darkroom.uris import shorten_data_uris

DEFAULT_MODEL = "black-forest-labs/flux-schnell"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """The arguments of generate_image that describe an image.

    Not given is `""`, `()`, `0`, a seed of -1 and the output format "auto". Images and mask are references as the
    caller wrote them: a path, an http(s) URL, a data URI or an earlier prediction.
    """

    prompt: str = ""
    model: str = ""
    images: tuple[str, ...] = ()
    mask: str = ""
    aspect_ratio: str = ""
    width: int = 0
    height: int = 0
    count: int = 1
    seed: int = -1
    negative_prompt: str = ""
    output_format: str = "auto"
    options: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    def to_json(self) -> dict[str, JsonValue]:
        """The request for the journal and for the files beside the images; data URIs are shortened to type and size."""
        return {item.name: shorten_data_uris(getattr(self, item.name)) for item in fields(self)}


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedInput:
    """A request in one model's own names, checked and ready to send once its files are resolved.

    `file_fields` names the inputs that hold an image reference or a list of them, still as the caller gave them.
    `invert_mask`: this model edits where the mask is black, so the pixels of `mask_field` must be turned first.
    `seed` is the one that is sent, `image_count` how many images this one prediction should give. `implied` are inputs
    that nobody asked for: our own additions.
    """

    input: dict[str, JsonValue]
    file_fields: tuple[str, ...] = ()
    mask_field: str = ""
    invert_mask: bool = False
    notes: tuple[str, ...] = ()
    seed: int | None = None
    image_count: int = 1
    implied: frozenset[str] = frozenset()


def default_model_for(request: ImageRequest) -> str:
    """A model that can do what was asked: vectors, masked edits, edits of several or one image, or drawing."""
    if request.output_format == "svg":
        return "recraft-ai/recraft-v4-svg"
    if request.mask:
        return "black-forest-labs/flux-fill-pro"
    if len(request.images) > 1:
        return "google/nano-banana"
    # One image: the cheapest editor with a published price that follows instructions and takes a seed.
    return "black-forest-labs/flux-kontext-dev" if request.images else DEFAULT_MODEL
