"""Where the pictures of a contact sheet stand: equal cells in rows, as large as the sheet allows."""

from collections.abc import Mapping
from statistics import median
from typing import NamedTuple

_GAP_PX = 6
_SMALLEST_CELL_PX = 96  # below that its number would hide the picture
_LONGEST_SHAPE = 3.0


class Cell(NamedTuple):
    """The box of picture `number` on the sheet, in pixels from its upper left corner."""

    number: int
    x: int
    y: int
    width: int
    height: int


class Layout(NamedTuple):
    """A sheet of width x height pixels and its cells, in the order of their numbers."""

    width: int
    height: int
    cells: tuple[Cell, ...]


def largest_cell_px(longest_px: int) -> int:
    """The longest side that a cell of any sheet of this size has."""
    return longest_px // 2 - 2 * _GAP_PX


def layout(sizes: Mapping[int, tuple[int, int]], longest_px: int) -> Layout:
    """Place pictures of these sizes (width, height in px; 0 x 0 where not known) by their numbers.

    All cells have the shape in the middle of theirs. No side of one is longer than half a sheet, or than any picture's.
    """
    known = [size for size in sizes.values() if all(size)]
    shape = median(width / height for width, height in known) if known else 1.0
    shape = min(max(shape, 1 / _LONGEST_SHAPE), _LONGEST_SHAPE)
    most = largest_cell_px(longest_px)
    if len(known) == len(sizes):
        most = min(most, max(_SMALLEST_CELL_PX, *(max(size) for size in known)))
    widest = max(1, min(most, round(most * shape)))
    width, columns = max(
        (min(widest, _width(len(sizes), columns, shape, longest_px)), columns) for columns in range(1, len(sizes) + 1)
    )
    height = max(1, round(width / shape))
    across, down = width + _GAP_PX, height + _GAP_PX
    cells = tuple(
        Cell(number, _GAP_PX + place % columns * across, _GAP_PX + place // columns * down, width, height)
        for place, number in enumerate(sorted(sizes))
    )
    rows = -(-len(sizes) // columns)
    return Layout(_GAP_PX + columns * across, _GAP_PX + rows * down, cells)


def _width(count: int, columns: int, shape: float, longest_px: int) -> int:
    """The most pixels that a cell can be wide in so many columns."""
    rows = -(-count // columns)
    by_width = (longest_px - _GAP_PX) // columns - _GAP_PX
    by_height = (longest_px - _GAP_PX) // rows - _GAP_PX
    return max(1, min(by_width, int(by_height * shape)))
