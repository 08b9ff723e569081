"""How often a wish has failed of late: the same prompt, whatever the model, so that the advice to repeat has an end."""

import unicodedata
from collections.abc import Sequence

from darkroom.charges import NO_CHARGE, total_charge
from darkroom.darkroom import Darkroom
from darkroom.errors import JournalError
from darkroom.journal import Intent
from darkroom.predictions import PredictionStatus
from darkroom.reports import RepeatedFailure

_WITHIN_S = 600.0
_FEWEST = 2


async def repeated_failure(darkroom: Darkroom, rows: Sequence[Intent]) -> RepeatedFailure | None:
    """What the newest failures of this prompt come to, where these rows are among them and it is not the first time.

    Counted in the journal for the account in use, so other processes and earlier ones count as well.
    """
    if not any(_has_failed(row) for row in rows):
        return None
    wanted = _normal(rows[0])
    try:
        found = await darkroom.journal.answers.failed(darkroom.gateway.origin, darkroom.account.id, _WITHIN_S)
    except JournalError:
        return None
    same = [row for row in found if wanted and _normal(row) == wanted]
    calls = {row.request_id or row.key for row in same}
    if len(calls) < _FEWEST or not {row.key for row in rows} & {row.key for row in same}:
        return None
    ends = [row.ended_at for row in same if row.ended_at is not None]
    charge = NO_CHARGE if darkroom.gateway.is_sandbox else total_charge([row.charge for row in same])
    return RepeatedFailure(count=len(calls), within_s=max(ends) - min(row.intended_at for row in same), charge=charge)


def _has_failed(row: Intent) -> bool:
    return row.status is PredictionStatus.FAILED or (row.status is PredictionStatus.SUCCEEDED and not row.images)


def _normal(row: Intent) -> str:
    """The prompt without differences that make no other wish; empty where there is none."""
    return " ".join(unicodedata.normalize("NFKC", str(row.request.get("prompt", ""))).casefold().split())
