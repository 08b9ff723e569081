"""The rows of the journal as whoever asks may see them."""

from collections.abc import Sequence
from dataclasses import replace

from darkroom.darkroom import Darkroom
from darkroom.journal import Intent


async def with_links(darkroom: Darkroom, rows: Sequence[Intent]) -> tuple[Intent, ...]:
    """With links to the images where the caller cannot reach their locations, as in a team; else as they are."""
    if (links := darkroom.options.links) is None:
        return tuple(rows)
    return tuple([replace(row, images=await links.added(row.images, darkroom.stores)) for row in rows])
