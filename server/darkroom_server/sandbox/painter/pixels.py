"""The two Pillow calls whose published types are incomplete, once, with the types that we use."""

from collections.abc import Sequence

from PIL.Image import Image, Resampling

Box = tuple[float, float, float, float]


def resized(image: Image, size: tuple[int, int], how: Resampling = Resampling.BICUBIC, box: Box | None = None) -> Image:
    """Scaled to `size`, from the part within `box` alone."""
    return image.resize(size, how, box)  # pyright: ignore[reportUnknownMemberType]  # its union names numpy


def mapped(image: Image, table: Sequence[int]) -> Image:
    """Each value of a one-channel image replaced by the table's."""
    return image.point(list(table))  # pyright: ignore[reportUnknownMemberType]  # its union names untyped callables
