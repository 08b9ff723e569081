"""How many units of each metric an input may lead to: images, megapixels, units by size."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from pydantic import JsonValue

from darkroom.registry import Model, PriceTable, Tier

# A megapixel is 1024 x 1024 pixels, and a part of one counts as a whole (an image of 2.25 was billed as 3, 2026-04-13).
MEGAPIXEL = 2**20
_USUAL_MP = 1

Sizes = Mapping[str, tuple[int, int]]
"""Width and height in pixels by image reference, for the input images whose size is known."""


@dataclass(frozen=True, kw_only=True)
class Units:
    """Counts units of an input with the model's defaults filled in; `at_most` decides what is taken for the unknown."""

    model: Model
    table: PriceTable
    input: Mapping[str, JsonValue]
    sizes: Sizes
    at_most: bool

    def of(self, tier: Tier) -> float:
        """How many units of this tier's metric, before the run."""
        if tier.is_by_time:
            return (2.5 if self.at_most else 1.0) * (self.table.typical_s or self.model.typical_s or 0.0)
        if tier.units:
            return self.outputs * _units_by_size(tier, self._output_pixels / 1e6)
        match tier.metric:
            case "run":
                return 1
            case "image_output_megapixel":
                return self.outputs * _whole_megapixels(self._output_pixels)
            case "image_input_megapixel":
                return self._input_megapixels
            case "image_input_count":
                # One of two sources counts megapixels instead (grok-imagine-image-2, 2026-10-03).
                return self._input_megapixels if self.at_most else len(self._images)
            case _:
                return self.outputs

    @cached_property
    def outputs(self) -> int:
        """How many images are asked for."""
        name = self.table.count_input or self.model.concepts.count
        wanted = self.table.count_when or self.model.concepts.count_requires
        count = self.input.get(name)
        is_several = type(count) is int and all(self.input.get(key) == value for key, value in wanted.items())
        return max(count, 1) if is_several and isinstance(count, int) else 1

    @cached_property
    def _images(self) -> tuple[str, ...]:
        return tuple(_image_references(self.model, self.input))

    @cached_property
    def _input_megapixels(self) -> int:
        return sum(_whole_megapixels(self._pixels_of(image)) for image in self._images)

    def _pixels_of(self, image: str) -> float:
        if size := self.sizes.get(image):
            return size[0] * size[1]
        return (self.table.most_input_mp if self.at_most else _USUAL_MP) * MEGAPIXEL

    @cached_property
    def _output_pixels(self) -> float:
        """Pixels of one output: of an exact size, of a class, or of what the largest input image becomes."""
        if size := self._exact_size():
            return size[0] * size[1]
        named = self.input.get(self.table.output_mp_input)
        if named is not None and (megapixels := _megapixels_in(named)):
            return megapixels * MEGAPIXEL
        most = self.table.most_output_mp * MEGAPIXEL
        follows_input = named is not None or bool(self.model.concepts.upscale_factor)
        if follows_input and self._images and all(image in self.sizes for image in self._images):
            return min(max(map(self._pixels_of, self._images)) * self._upscale_factor() ** 2, most)
        return most if self.at_most else min(_USUAL_MP * MEGAPIXEL, most)

    def _exact_size(self) -> tuple[int, int] | None:
        concepts = self.model.concepts
        width, height = self.input.get(concepts.width), self.input.get(concepts.height)
        is_custom = all(self.input.get(name) == value for name, value in concepts.custom_size_requires.items())
        if is_custom and type(width) is int and type(height) is int:
            return width, height
        return None

    def _upscale_factor(self) -> float:
        text = str(self.input.get(self.model.concepts.upscale_factor, "")).lower().removesuffix("x")
        try:
            return max(float(text), 1.0)
        except ValueError:
            return 1.0


def needs_sizes(model: Model) -> bool:
    """Whether the megapixels of an input image change the price."""
    tiers = model.price.tiers if model.price else ()
    return any(tier.units or "megapixel" in tier.metric or tier.metric == "image_input_count" for tier in tiers)


def _image_references(model: Model, input: Mapping[str, JsonValue]) -> Iterator[str]:
    """Every image that this input holds, masks too."""
    for item in model.inputs:
        value = input.get(item.name)
        if model.holds_image(item):
            yield from (
                each for each in (value if isinstance(value, list) else [value]) if isinstance(each, str) and each
            )


def _whole_megapixels(pixels: float) -> int:
    return max(1, math.ceil(pixels / MEGAPIXEL))


def _megapixels_in(value: JsonValue) -> float | None:
    """`"2 MP"`, `"0.25"` or 2 as megapixels; None for words."""
    try:
        return float(str(value).upper().removesuffix("MP").strip())
    except ValueError:
        return None


def _units_by_size(tier: Tier, megapixels: float) -> int:
    return next((count for limit, count in tier.units if megapixels <= limit), tier.units[-1][1])
