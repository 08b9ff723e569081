"""The arguments of generate_image, and the input that a model is sent for them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace

from pydantic import JsonValue

from darkroom.model_tasks import DRAW, DRAW_SVG, EDIT, EDIT_MASKED, EDIT_SEVERAL
from darkroom.uris import shorten_data_uris

DEFAULT_MODEL = DRAW.name


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageRequest:
    """The arguments of generate_image that describe an image.

    Not given is `""`, `()`, `0`, a seed of -1 and the output format "auto". Images and mask are references as the
    caller wrote them: a path, an http(s) URL, a data URI or an earlier prediction. `like` names an earlier prediction
    whose request this one changes: what is given wins, `has_count` says that a count of 1 is given, and an option that
    is None is taken away.
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
    like: str = ""
    has_count: bool = field(default=False, compare=False)

    def to_json(self) -> dict[str, JsonValue]:
        """The request for the journal and for the files beside the images; data URIs are shortened to type and size.

        A count of 0 is "as many as the earlier one had".
        """
        told = {name: shorten_data_uris(getattr(self, name)) for name in ARGUMENTS}
        is_as_before = self.like and self.count == 1 and not self.has_count
        return told | {"count": 0} if is_as_before else told

    @classmethod
    def from_json(cls, told: Mapping[str, JsonValue]) -> "ImageRequest":
        """What `to_json` has written; what is missing, or of another type, is not given."""
        given = {name: tuple(map(str, value)) if isinstance(value, list) else value for name, value in told.items()}
        blank = cls()
        fitting = {name: given[name] for name in ARGUMENTS if isinstance(given.get(name), type(getattr(blank, name)))}
        return replace(blank, **fitting)


ARGUMENTS = tuple(each.name for each in fields(ImageRequest) if each.compare)


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedInput:
    """A request in one model's own names, checked and ready to send once its files are resolved.

    `file_fields` names the inputs that hold an image reference or a list of them, still as the caller gave them.
    `invert_mask`: this model edits where the mask is black, so the pixels of `mask_field` must be turned first.
    `mask_size` is width and height in pixels of the image that the mask belongs to, 0 x 0 where that is not known.
    `seed` is the one that is sent, `image_count` how many images this one prediction should give. `implied` are inputs
    that nobody asked for: our own additions.
    """

    input: dict[str, JsonValue]
    file_fields: tuple[str, ...] = ()
    mask_field: str = ""
    invert_mask: bool = False
    mask_size: tuple[int, int] = (0, 0)
    notes: tuple[str, ...] = ()
    seed: int | None = None
    image_count: int = 1
    implied: frozenset[str] = frozenset()


def default_model_for(request: ImageRequest) -> str:
    """A model that can do what was asked: vectors, masked edits, edits of several or one image, or drawing."""
    if request.output_format == "svg":
        return DRAW_SVG.name
    if request.mask:
        return EDIT_MASKED.name
    if len(request.images) > 1:
        return EDIT_SEVERAL.name
    return EDIT.name if request.images else DRAW.name
