"""Which row of a gateway's log belongs to which create of ours; pure functions.

The gateway's own name of a call decides, where both have one. Else a row fits by model, time and price, and only where
nothing else fits: what could be two things is called ambiguous, never guessed. A row is used once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from darkroom.charges import Basis
from darkroom.gateways import LogKind, LogRow, TokenLog
from darkroom.journal import Intent, IntentState
from darkroom.predictions import PredictionStatus
from darkroom.reports.amounts import clock, usd

_EARLIER_S, _LATER_S = 5.0, 120.0
# A log that has shown nothing of a lost create for so long will show nothing.
UNBILLED_AFTER_S = 20 * 60.0
_ANSWERED_WITHIN_S = 120.0  # what a create may take, see PredictionClient.create
_PRICE_FACTOR = 5.0
_AMBIGUOUS = "several rows of the gateway's log fit, so the bill is not known"
_OUT_OF_SIGHT = "the gateway's log does not reach back to it"
_ABSENT = f"no row in the gateway's log after {UNBILLED_AFTER_S / 60:.0f} min: most likely not billed"
_BY_FIT = "matched by model, time and price"
_NO_PICTURE = "the image cannot be fetched"
_NO_REFUNDS = "a refund would not show in the log"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What the log says of one create: its bill in US dollars, None where it says none; `note` is for the person.

    `is_absent`: no bill is to be expected any more, so it reserves nothing.
    """

    key: str
    usd: float | None
    note: str
    is_absent: bool = False


def is_open(create: Intent, now: float) -> bool:
    """Whether its bill is wanted: it has ended, or its answer was lost, and no bill is known."""
    if create.cost_basis is Basis.BILLED:
        return False
    return create.ended_at is not None or _is_lost(create, now)


def appears_until(create: Intent) -> float:
    """When its row is in the log at the latest, in seconds since the epoch."""
    answered_at = create.at + _ANSWERED_WITHIN_S if create.known_at is None else create.known_at
    return max(answered_at, create.ended_at or 0.0) + _LATER_S


def looked_for_until(create: Intent) -> float:
    """When the last look for its row is due, in seconds since the epoch."""
    if create.state is IntentState.KNOWN:
        return appears_until(create)
    return max(appears_until(create), create.at + UNBILLED_AFTER_S)


def findings(creates: Sequence[Intent], log: TokenLog, now: float, *, has_list: bool) -> Iterator[Finding]:
    """What the log says of those creates that are open. `creates` are all that may have a row in it, oldest first."""
    skew_s = 0.0 if log.server_time is None else log.server_time - now
    rows = [replace(row, at=row.at - skew_s) for row in _summed(log.rows)]
    names = Counter(create.gateway_request_id for create in creates if create.gateway_request_id)
    by_name = {row.request_id: row for row in rows if names[row.request_id] == 1}
    free = [row for row in rows if row.request_id not in names]
    unnamed = [create for create in creates if create.gateway_request_id not in by_name]
    _use_up_billed(unnamed, free, now)
    fitting = {each.key: [row for row in free if _fits(each, row, now)] for each in unnamed if not _is_billed(each)}
    claims = Counter(row for found in fitting.values() for row in found)
    for create in (each for each in creates if is_open(each, now)):
        if named := by_name.get(create.gateway_request_id):
            yield _bill(create, named, now, has_list=has_list)
        elif len(found := fitting[create.key]) == 1 and claims[found[0]] == 1:
            yield _bill(create, found[0], now, has_list=has_list, doubt=_BY_FIT)
        elif found:
            yield Finding(key=create.key, usd=None, note=_added(create, _AMBIGUOUS))
        elif _is_lost(create, now):
            is_in_sight = log.reaches_back_to(create.at - _EARLIER_S + skew_s)
            is_absent = is_in_sight and now >= looked_for_until(create)
            words = _ABSENT if is_absent else f"no row in the gateway's log so far, at {_clock(now)}"
            note = words if is_in_sight else _OUT_OF_SIGHT
            yield Finding(key=create.key, usd=None, note=note, is_absent=is_absent)


def _summed(rows: Sequence[LogRow]) -> Iterator[LogRow]:
    """One row for each call that was paid for: rows of the same name added up, refunds taken off."""
    sums = defaultdict[str, float](float)
    for row in rows:
        sums[row.request_id] += {LogKind.CONSUME: row.usd, LogKind.REFUND: -row.usd}.get(row.kind, 0.0)
    seen: set[str] = set()
    for row in rows:
        if row.kind is LogKind.CONSUME and row.request_id not in seen:
            seen |= {row.request_id} - {""}
            yield replace(row, usd=max(0.0, round(sums[row.request_id], 9))) if row.request_id else row


def _use_up_billed(creates: Sequence[Intent], free: list[LogRow], now: float) -> None:
    """Take away the rows by which creates were billed before that the log does not name."""
    for create in filter(_is_billed, creates):
        if fitting := [row for row in free if row.usd == create.cost_usd and _fits(create, row, now)]:
            free.remove(min(fitting, key=lambda row: row.at))


def _fits(create: Intent, row: LogRow, now: float) -> bool:
    if create.gateway_request_id and row.request_id:
        return False  # both have names, and they differ
    is_running = create.state is IntentState.KNOWN and create.ended_at is None
    until = max(appears_until(create), now + _LATER_S if is_running else 0.0)
    is_in_time = create.at - _EARLIER_S <= row.at <= until
    return is_in_time and _is_of_model(create, row) and _is_near_estimate(create, row)


def _is_of_model(create: Intent, row: LogRow) -> bool:
    whole = create.model.casefold()
    return row.model.casefold() in (whole, whole.rpartition("/")[2])


def _is_near_estimate(create: Intent, row: LogRow) -> bool:
    estimate_usd = create.estimate_usd
    return not estimate_usd or estimate_usd / _PRICE_FACTOR <= row.usd <= estimate_usd * _PRICE_FACTOR


def _bill(create: Intent, row: LogRow, now: float, *, has_list: bool, doubt: str = "") -> Finding:
    notes = [doubt]
    if _is_lost(create, now):
        notes = [f"billed at {_clock(row.at)}", doubt, "" if has_list else _NO_PICTURE]
    elif create.status is not PredictionStatus.SUCCEEDED and row.usd:
        notes.append(_NO_REFUNDS)
    if create.has_bound and not _is_near_estimate(create, row):
        notes.append(f"far from the {usd(create.estimate_usd or 0.0)} of the price list, perhaps in another unit")
    return Finding(key=create.key, usd=row.usd, note="; ".join(filter(None, notes)))


def _added(create: Intent, words: str) -> str:
    """What was in doubt about the cost of one that has ended stays said."""
    before = create.cost_note if create.ended_at is not None else ""
    return before if words in before else "; ".join(filter(None, (before, words)))


def _is_billed(create: Intent) -> bool:
    return create.cost_basis is Basis.BILLED


def _is_lost(create: Intent, now: float) -> bool:
    """Whether its answer cannot come any more."""
    is_in_flight = create.state is IntentState.SENT and now < appears_until(create)
    return create.state is not IntentState.KNOWN and not is_in_flight


def _clock(at: float) -> str:
    return clock(datetime.fromtimestamp(at, UTC))
