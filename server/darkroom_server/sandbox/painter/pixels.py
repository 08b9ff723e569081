"""The two Pillow calls whose published types are incomplete, once, with the types that we use."""

from collections.abc import Sequence

from PIL import Image


def resized(image: Image.Image, size: tuple[int, int], *, is_smooth: bool = True) -> Image.Image:
    """Scaled to `size`, bicubic or (for plain columns and masks) by the nearest pixel."""
    how = Image.Resampling.BICUBIC if is_smooth else Image.Resampling.NEAREST
    return image.resize(size, how)  # pyright: ignore[reportUnknownMemberType]  # its union names numpy


def mapped(image: Image.Image, table: Sequence[int]) -> Image.Image:
    """Each value of a one-channel image replaced by the table's."""
    return image.point(list(table))  # pyright: ignore[reportUnknownMemberType]  # its union names untyped callables
