"""A call of generate_image up to the point where money would move: nothing is sent, uploaded or written down."""

from collections.abc import Sequence

import anyio

from darkroom.darkroom import CALL_GRACE_S, Darkroom
from darkroom.errors import DarkroomError, SpendingRefused
from darkroom.journal import Intent
from darkroom.pricing import Estimate, total_estimate
from darkroom.quotes import Quote, check_limits, quote
from darkroom.registry import ImageRequest
from darkroom.repeats import noted_estimate, refuse_other_arguments, unsent
from darkroom.reports import Plan, PredictionReport, plan_report, refusal_report


async def dry_run(
    darkroom: Darkroom, request: ImageRequest, *, request_id: str = "", max_usd: float = 0.0
) -> PredictionReport:
    """The model and why, the input as it would be sent, the price, and what is left of the limits.

    A DarkroomError becomes a report; a limit that would refuse the call is said in the plan.
    """
    try:
        with anyio.fail_after(CALL_GRACE_S):
            earlier = await darkroom.journal.by_request(request_id) if request_id else ()
            if earlier:
                plan = await _repeat_plan(darkroom, request, earlier, max_usd)
            else:
                plan = await _plan(darkroom, request, max_usd)
    except TimeoutError:
        return refusal_report(SpendingRefused("The images could not be read in time. Nothing was sent."))
    except DarkroomError as error:
        return refusal_report(error)
    return plan_report(plan)


async def _plan(darkroom: Darkroom, request: ImageRequest, max_usd: float) -> Plan:
    quoted = await quote(darkroom, request)
    await darkroom.try_images(quoted.parts[0])
    wanted = [(part.image_count, each) for part, each in quoted.priced_parts]
    return Plan(
        gateway=darkroom.gateway,
        model=quoted.model.name,
        why=quoted.why,
        inputs=tuple(part.input for part in quoted.parts),
        image_count=quoted.image_count,
        estimate=quoted.total,
        problem=await _problem(darkroom, wanted, max_usd),
        notes=(*quoted.price_notes, *_notes(quoted, request), *darkroom.take_notices()),
        day=await darkroom.day(),
        sandbox_hint=darkroom.sandbox_hint,
    )


async def _repeat_plan(darkroom: Darkroom, request: ImageRequest, earlier: Sequence[Intent], max_usd: float) -> Plan:
    """Of a request_id that was used before: what a repeat may send, with its first input and seed."""
    refuse_other_arguments(darkroom, request, earlier)
    rows = unsent(darkroom, earlier)
    wanted = [(row.image_count, noted_estimate(row)) for row in rows]
    is_reserved = not all(row.may_be_sent for row in rows)
    return Plan(
        gateway=darkroom.gateway,
        model=earlier[0].model,
        why=f"request_id '{earlier[0].request_id}' was used before",
        inputs=tuple(row.input for row in rows or earlier),
        image_count=sum(count for count, _ in wanted),
        estimate=total_estimate([each for _, each in wanted]),
        problem=await _problem(darkroom, wanted, max_usd, with_day=not is_reserved),
        notes=("only what was never created would be sent." if rows else "nothing new would be started.",),
        day=await darkroom.day(),
        sandbox_hint=darkroom.sandbox_hint,
    )


async def _problem(
    darkroom: Darkroom, wanted: Sequence[tuple[int, Estimate]], max_usd: float, *, with_day: bool = True
) -> str:
    try:
        await check_limits(darkroom, wanted, max_usd=max_usd, with_day=with_day)
    except SpendingRefused as error:
        return error.message
    return ""


def _notes(quoted: Quote, request: ImageRequest) -> tuple[str, ...]:
    drawn = (
        ("the seed is drawn anew by the call itself.",) if request.seed < 0 and quoted.parts[0].seed is not None else ()
    )
    return (*quoted.parts[0].notes, *drawn)
