"""A call of generate_image up to the point where money would move: nothing is sent, uploaded or written down."""

from functools import partial

import anyio

from darkroom.cheaper import cheaper_way
from darkroom.darkroom import CALL_GRACE_S, Darkroom
from darkroom.errors import DarkroomError, SpendingRefused
from darkroom.journal import DOUBTFUL
from darkroom.like import Wish, whole
from darkroom.quotes import Quote, quote, quote_again
from darkroom.registry import ImageRequest
from darkroom.repeats import refuse_other_arguments
from darkroom.reports import Plan, PredictionReport, plan_report, refusal_report
from darkroom.spending_limits import check_limits


async def dry_run(
    darkroom: Darkroom, request: ImageRequest, *, request_id: str = "", max_usd: float = 0.0
) -> PredictionReport:
    """The model and why, the input as it would be sent, the price, and what is left of the limits.

    A DarkroomError becomes a report; a limit that would refuse the call is said in the plan.
    """
    try:
        with anyio.fail_after(CALL_GRACE_S):
            wish = await whole(darkroom, request)
            earlier = await darkroom.journal.by_request(request_id) if request_id else ()
            if earlier:
                refuse_other_arguments(darkroom, wish.request, earlier)
            quoted = quote_again(darkroom, earlier) if earlier else await quote(darkroom, wish)
            tried = [note for first in quoted.parts[:1] for note in await darkroom.try_images(first)]
            is_reserved = any(row.state in DOUBTFUL for row in earlier)
            plan = Plan(
                gateway=darkroom.gateway,
                model=quoted.model.name,
                why=quoted.why,
                inputs=tuple(part.input for part in quoted.parts),
                image_count=quoted.image_count,
                estimate=quoted.total,
                problem=await _problem(darkroom, quoted, wish.request, max_usd, with_day=not is_reserved),
                notes=(
                    *filter(None, [quoted.closest]),
                    *quoted.price_notes,
                    *_notes(quoted, wish),
                    *tried,
                    *darkroom.take_notices(),
                ),
                day=await darkroom.day(),
                sandbox_hint=darkroom.sandbox_hint,
            )
    except TimeoutError:
        return refusal_report(SpendingRefused("The images could not be read in time. Nothing was sent."))
    except DarkroomError as error:
        return refusal_report(error)
    return plan_report(plan)


async def _problem(darkroom: Darkroom, quoted: Quote, request: ImageRequest, max_usd: float, *, with_day: bool) -> str:
    cheaper = partial(cheaper_way, darkroom, quoted.model, request)
    try:
        await check_limits(
            darkroom, quoted.wanted, max_usd=max_usd, with_day=with_day, cheaper=cheaper, closest=quoted.closest
        )
    except SpendingRefused as error:
        return error.message
    return ""


def _notes(quoted: Quote, wish: Wish) -> tuple[str, ...]:
    is_drawn = wish.request.seed < 0 and any(part.seed is not None for part in quoted.parts)
    drawn = ("the seed is drawn anew by the call itself.",) if is_drawn else ()
    return (*(quoted.notes or wish.notes), *(note for first in quoted.parts[:1] for note in first.notes), *drawn)
