"""A call of generate_image up to the point where money would move: nothing is sent, uploaded or written down."""

import anyio

from darkroom.darkroom import CALL_GRACE_S, Darkroom
from darkroom.errors import DarkroomError, SpendingRefused
from darkroom.quotes import Quote, check_limits, quote
from darkroom.registry import ImageRequest
from darkroom.repeats import refuse_other_arguments
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
                refuse_other_arguments(darkroom, request, earlier)
            quoted = await quote(darkroom, request)
            await darkroom.sizes(quoted.parts[0])  # an image that cannot be read is said now
            problem = await _problem(darkroom, quoted, max_usd)
            plan = Plan(
                gateway=darkroom.gateway,
                model=quoted.model.name,
                why=quoted.why,
                inputs=tuple(part.input for part in quoted.parts),
                image_count=quoted.image_count,
                estimate=quoted.total,
                problem=problem,
                notes=(
                    *quoted.notes,
                    *_notes(quoted, request),
                    *(_repeat_notes(earlier[0].request_id) if earlier else ()),
                ),
                day=await darkroom.day(),
                sandbox_hint=darkroom.sandbox_hint,
            )
    except TimeoutError:
        return refusal_report(SpendingRefused("The images could not be read in time. Nothing was sent."))
    except DarkroomError as error:
        return refusal_report(error)
    return plan_report(plan)


async def _problem(darkroom: Darkroom, quoted: Quote, max_usd: float) -> str:
    wanted = [(part.image_count, each) for part, each in quoted.priced_parts]
    try:
        await check_limits(darkroom, wanted, max_usd=max_usd)
    except SpendingRefused as error:
        return error.message
    return ""


def _notes(quoted: Quote, request: ImageRequest) -> tuple[str, ...]:
    drawn = (
        ("the seed is drawn anew by the call itself.",) if request.seed < 0 and quoted.parts[0].seed is not None else ()
    )
    return (*quoted.parts[0].notes, *drawn)


def _repeat_notes(request_id: str) -> tuple[str, ...]:
    return (f"request_id '{request_id}' was used before: a call with it sends only what was never created.",)
