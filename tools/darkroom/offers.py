"""What a call would send and cost at most, for asking the person first. Nothing is sent or written down."""

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidRequest, SpendingRefused
from darkroom.like import whole
from darkroom.quotes import Quote, quote, quote_again
from darkroom.registry import ImageRequest
from darkroom.repeats import refuse_other_arguments
from darkroom.reports.amounts import counted, usd
from darkroom.spending_limits import check_limits


async def offer(darkroom: Darkroom, request: ImageRequest, *, request_id: str, max_usd: float) -> Quote | None:
    """None where nothing would be sent, or the call will be refused in better words.

    Of a request_id that was used before: what a repeat may send, with its first arguments.
    """
    rows = await darkroom.journal.by_request(request_id) if request_id else ()
    try:
        wish = await whole(darkroom, request)
        if rows:
            refuse_other_arguments(darkroom, wish.request, rows)
        quoted = quote_again(darkroom, rows) if rows else await quote(darkroom, wish)
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
