"""The two Pillow calls whose published types are incomplete, once, with the types that we use."""

from collections.abc import Sequence

from PIL import Image


def resized(
    image: Image.Image,
    size: tuple[int, int],
    how: Image.Resampling = Image.Resampling.BICUBIC,
    box: tuple[float, float, float, float] | None = None,
) -> Image.Image:
    """Scaled to `size`, from the part within `box` alone."""
    return image.resize(size, how, box)  # pyright: ignore[reportUnknownMemberType]  # its union names numpy


def mapped(image: Image.Image, table: Sequence[int]) -> Image.Image:
    """Each value of a one-channel image replaced by the table's."""
    return image.point(list(table))  # pyright: ignore[reportUnknownMemberType]  # its union names untyped callables
