"""A call of generate_image up to the point where money would move: nothing is sent, uploaded or written down."""

from functools import partial

import anyio

from darkroom.alike import cheaper_way
from darkroom.darkroom import CALL_GRACE_S, Darkroom
from darkroom.errors import DarkroomError, InvalidRequest, SpendingRefused
from darkroom.journal import DOUBTFUL, Intent
from darkroom.like import Wish, whole
from darkroom.quotes import quote, quote_again
from darkroom.registry import ImageRequest
from darkroom.repeats import refuse_other_arguments
from darkroom.reports import PredictionReport, Quote, plan_report, refusal_report
from darkroom.reports.amounts import counted, usd
from darkroom.spending_limits import check_limits


async def dry_run(
    darkroom: Darkroom, request: ImageRequest, *, request_id: str = "", max_usd: float = 0.0
) -> PredictionReport:
    """The model and why, the input as it would be sent, the price, and what is left of the limits.

    A DarkroomError becomes a report; a limit that would refuse the call is said in the plan.
    """
    try:
        with anyio.fail_after(CALL_GRACE_S):
            wish, quoted, earlier = await _quoted(darkroom, request, request_id)
            tried = [note for first in quoted.parts[:1] for note in await darkroom.try_images(first)]
            is_reserved = any(row.state in DOUBTFUL for row in earlier)
            return plan_report(
                quoted,
                darkroom.gateway,
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


async def offer(darkroom: Darkroom, request: ImageRequest, *, request_id: str, max_usd: float) -> Quote | None:
    """What to ask the person about; None where nothing would be sent, or the call will be refused in better words."""
    try:
        _, quoted, _ = await _quoted(darkroom, request, request_id)
        # What is left of the day may grow until it is sent.
        await check_limits(darkroom, quoted.wanted, max_usd=max_usd, with_day=False)
    except (InvalidRequest, SpendingRefused):
        return None
    return quoted if quoted.parts else None


def needs_consent(offered: Quote, threshold_usd: float) -> bool:
    """Whether it may cost more than `threshold_usd` US dollars, or nobody knows how much."""
    most_usd = offered.total.most_usd
    return most_usd is None or most_usd > threshold_usd


def question(offered: Quote) -> str:
    """`Make 3 images with owner/model for at most $0.09?`"""
    most_usd = offered.total.most_usd
    bound = "at most" if offered.total.is_bound else "usually less than"
    cost = "at an unknown price" if most_usd is None else f"for {bound} {usd(most_usd)}"
    return f"Make {counted(offered.image_count, 'image')} with {offered.model.name} {cost}?"


async def _quoted(darkroom: Darkroom, request: ImageRequest, request_id: str) -> tuple[Wish, Quote, tuple[Intent, ...]]:
    """Also the rows of a request_id that was used before: then it is what a repeat may send, with its arguments."""
    wish = await whole(darkroom, request)
    if not (earlier := await darkroom.journal.by_request(request_id) if request_id else ()):
        return wish, await quote(darkroom, wish), ()
    refuse_other_arguments(darkroom, wish.request, earlier)
    return wish, quote_again(darkroom, earlier), earlier


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
