"""The attempts at one line of a batch: each has a request_id of its own, and the last one counts."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from darkroom.darkroom import Darkroom
from darkroom.journal import Intent
from darkroom.predictions import PredictionStatus
from darkroom_server.batches.lines import Line

_MADE_NOTHING = frozenset((PredictionStatus.FAILED, PredictionStatus.CANCELED, PredictionStatus.ABORTED))


def has_failed(rows: Sequence[Intent]) -> bool:
    """Whether all predictions of a line are at an end without an image; what may still come or exist is no failure."""
    return bool(rows) and all(row.status in _MADE_NOTHING for row in rows)


async def last_attempt(darkroom: Darkroom, line: Line, *, is_retried: bool) -> Line:
    """The line under the request_id of its last attempt, or of a new one where that has failed and `is_retried`.

    Raises: JournalError.
    """
    found, rows = line, await darkroom.journal.by_request(line.request_id)
    for number in count(2):
        if not has_failed(rows):
            break
        later = replace(line, request_id=f"{line.request_id}-try-{number}")
        rows = await darkroom.journal.by_request(later.request_id)
        if not (rows or is_retried):
            break
        found = later
    return found
