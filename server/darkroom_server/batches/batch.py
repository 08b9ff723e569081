"""Many prompts in one command: all are checked and priced before the first is sent, then a few run at once.

Each line has a request_id of its own, so the same command again goes on where this one stopped and pays nothing twice.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from itertools import count
from typing import cast

import anyio
from pydantic import JsonValue

from darkroom.charges import NO_CHARGE, Charge, total_charge
from darkroom.darkroom import Darkroom
from darkroom.dry_run import dry_run
from darkroom.errors import DarkroomError, InvalidRequest, SpendingRefused
from darkroom.journal import Intent
from darkroom.predictions import PredictionStatus
from darkroom.reports import Outcome, PredictionReport
from darkroom.reports.amounts import counted, usd
from darkroom.reports.charge_words import charge_data, charge_line
from darkroom_server.batches.lines import Line
from darkroom_server.batches.making import Made

AT_ONCE = 4
_MOST_TOLD = 10
_ROUNDING_USD = 1e-9
_MADE_NOTHING = frozenset((PredictionStatus.FAILED, PredictionStatus.CANCELED, PredictionStatus.ABORTED))
# After one of these every other line would be refused as well.
_ENDS_ALL = frozenset(("key_refused", "credit_exhausted", "spending_limit", "journal", "closed"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A line, and what a dry run said of it. `is_there`: nothing new would be sent for it."""

    line: Line
    report: PredictionReport

    @property
    def is_there(self) -> bool:
        return self.report.outcome is Outcome.PLANNED and not self.report.data["inputs"]


@dataclass(frozen=True, slots=True)
class Bound:
    """What all lines that are to be sent cost together: `usd` None where a price is unknown."""

    image_count: int
    usd: float | None
    is_bound: bool

    @property
    def words(self) -> str:
        if self.usd is None:
            return "an unknown sum"
        if not self.usd:
            return "nothing"
        return f"{'at most' if self.is_bound else 'usually less than'} {usd(self.usd)}"


@dataclass(slots=True)
class Batch:
    """What has become of the lines, in their order; None of one that was not begun."""

    planned: Sequence[Planned]
    made: list[Made | None]
    stop: str = ""
    shown: int = 0

    @property
    def done(self) -> list[Made]:
        return [each for each in self.made if each]


async def last_attempt(darkroom: Darkroom, line: Line, *, is_retried: bool) -> Line:
    """The line under the request_id of its last attempt, or of a new one where that has failed and `is_retried`.

    Raises: JournalError.
    """
    found, rows = line, await darkroom.journal.by_request(line.request_id)
    for number in count(2):
        if not _has_failed(rows):
            break
        later = replace(line, request_id=f"{line.request_id}-try-{number}")
        rows = await darkroom.journal.by_request(later.request_id)
        if not (rows or is_retried):
            break
        found = later
    return found


async def planned(darkroom: Darkroom, lines: Sequence[Line]) -> list[Planned]:
    """Every line tried out. Raises: InvalidRequest naming those that cannot be used; nothing was sent then."""
    found = [
        Planned(
            line=line, report=await dry_run(darkroom, line.request, request_id=line.request_id, max_usd=line.max_usd)
        )
        for line in lines
    ]
    wrong = [each for each in found if each.report.outcome is not Outcome.PLANNED]
    if wrong:
        told = [f"{each.line.name}: {_why(each.report)}" for each in wrong[:_MOST_TOLD]]
        more = f"\n… and {len(wrong) - _MOST_TOLD} more" if len(wrong) > _MOST_TOLD else ""
        head = f"{len(wrong)} of {counted(len(found), 'prompt')} cannot be used. Nothing was sent."
        raise InvalidRequest("\n".join([head, *told]) + more)
    return found


async def bound_of(darkroom: Darkroom, plans: Sequence[Planned], max_usd: float) -> Bound:
    """Raises: SpendingRefused where all together may cost more than `max_usd` (0: no limit) or than the day leaves."""
    new = [each for each in plans if not each.is_there]
    prices = [cast("float | None", each.report.data["price_usd"]) for each in new]
    known = [price for price in prices if price is not None]
    bound = Bound(
        image_count=sum(max(each.line.request.count, 1) for each in new),
        usd=round(sum(known), 6) if len(known) == len(prices) else None,
        is_bound=all(each.report.data["has_bound"] for each in new),
    )
    day = await darkroom.day()
    rooms = [(max_usd, f"--max-usd is {usd(max_usd)}")] if max_usd else []
    rooms += [(day.left_usd, f"{day.words} (DARKROOM_MAX_USD_PER_DAY)")] if day else []
    for left_usd, words in rooms:
        is_allowed = bound.usd is None and left_usd != max_usd and darkroom.options.allow_unknown_price
        if not is_allowed and (bound.usd is None or bound.usd > left_usd + _ROUNDING_USD):
            images = counted(bound.image_count, "image")
            raise SpendingRefused(
                f"{images} of {counted(len(new), 'prompt')} cost {bound.words}; {words}. Nothing was sent."
            )
    return bound


async def run(
    batch: Batch, make: Callable[[Line], Awaitable[Made]], on_made: Callable[[Made], None], *, at_once: int
) -> None:
    """Make all lines, `at_once` at a time, in order as far as that goes; `on_made` gets them in order."""
    ahead = iter(list(enumerate(batch.planned)))

    async def work() -> None:
        for number, plan in ahead:
            if batch.stop:
                return
            try:
                made = batch.made[number] = await make(plan.line)
            except DarkroomError as fault:  # outside it would be one of a group
                batch.stop = f"{plan.line.name}: {fault.message}"
                return
            error = cast("dict[str, JsonValue] | None", made.report.data["error"])
            if error and error["kind"] in _ENDS_ALL:
                batch.stop = f"{plan.line.name}: {error['message']}"
            while batch.shown < len(batch.made) and (next_made := batch.made[batch.shown]):
                batch.shown += 1
                on_made(next_made)

    async with anyio.create_task_group() as tasks:
        for _ in range(at_once):
            tasks.start_soon(work)
    for made in batch.made[batch.shown :]:
        if made:
            on_made(made)


def summary(darkroom: Darkroom, batch: Batch) -> list[str]:
    """Sentences: how many there are, what failed, what it cost, and how to go on."""
    tally = _tally(batch)
    parts = [
        f"{tally['done']} of {counted(tally['prompts'], 'prompt')} done, {counted(tally['images'], 'image')} saved",
        f"{tally['made_before']} of them asked before (--fresh makes new ones)" if tally["made_before"] else "",
        f"{tally['failed']} failed or incomplete" if tally["failed"] else "",
        f"{tally['running']} not at an end" if tally["running"] else "",
        f"{tally['not_begun']} not begun" if tally["not_begun"] else "",
    ]
    goes_on = "The same command again goes on with the rest; nothing is paid twice."
    retry = "The same command with --retry-failed makes anew what has failed, and pays for that again."
    has_failures = any(_has_failed(each.report.intents) for each in batch.done)
    return [
        f"{'; '.join(filter(None, parts))}.",
        f"Stopped: {batch.stop}" if batch.stop else "",
        charge_line(_charge(darkroom, batch), is_sandbox=darkroom.gateway.is_sandbox),
        goes_on if tally["running"] or tally["not_begun"] else "",
        retry if has_failures else "",
    ]


def totals(darkroom: Darkroom, batch: Batch) -> dict[str, JsonValue]:
    """The same for programs."""
    return {**_tally(batch), "charged": charge_data(_charge(darkroom, batch))}


def _tally(batch: Batch) -> dict[str, int]:
    codes = [each.code for each in batch.done]
    return {
        "prompts": len(batch.made),
        "done": codes.count(0),
        "failed": sum(code not in (0, 4) for code in codes),
        "running": codes.count(4),
        "not_begun": len(batch.made) - len(codes),
        "made_before": sum(each.is_there for each in batch.planned),
        "images": sum(len(each.saved) for each in batch.done),
    }


def code_of(batch: Batch) -> int:
    """0 where all is done and told; the one code that all others share; 4 where something runs; else 1."""
    codes = {each.code for each in batch.done} - {0}
    if len(codes) <= 1 and (codes or (len(batch.done) == len(batch.made) and not batch.stop)):
        return next(iter(codes), 0)
    return 4 if 4 in codes else 1


def _charge(darkroom: Darkroom, batch: Batch) -> Charge:
    """Of what this command has sent, not of what was there before."""
    new = [each for each, plan in zip(batch.made, batch.planned, strict=True) if each and not plan.is_there]
    charges = [intent.charge for each in new for intent in each.report.intents]
    return total_charge(charges) if charges and not darkroom.gateway.is_sandbox else NO_CHARGE


def _why(report: PredictionReport) -> str:
    if error := cast("dict[str, JsonValue] | None", report.data["error"]):
        return str(error["message"])
    return str(cast("list[JsonValue]", report.data["notes"])[-1])


def _has_failed(rows: Sequence[Intent]) -> bool:
    """Whether all predictions of a line are at an end without an image; what may still come or exist is no failure."""
    return bool(rows) and all(row.status in _MADE_NOTHING for row in rows)
