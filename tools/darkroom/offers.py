"""What a call would send and cost at most, for asking the person first. Nothing is sent or written down."""

from dataclasses import dataclass

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidRequest, SpendingRefused
from darkroom.pricing import total_estimate
from darkroom.quotes import check_limits, quote
from darkroom.registry import ImageRequest
from darkroom.repeats import noted_estimate, refuse_other_arguments, unsent


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a call would send, and what it costs at most in US dollars, None where that is unknown.

    `is_bound` False: it is billed by run time, and that is only what it costs at most as a rule.
    """

    image_count: int
    model: str
    price_usd: float | None
    is_bound: bool = True


async def offer(darkroom: Darkroom, request: ImageRequest, *, request_id: str, max_usd: float) -> Offer | None:
    """None where nothing would be sent, or the call will be refused in better words.

    Of a request_id that was used before: what a repeat may send, with its first arguments.
    """
    rows = await darkroom.journal.by_request(request_id) if request_id else ()
    try:
        if rows:
            refuse_other_arguments(darkroom, request, rows)
            model, wanted = rows[0].model, [(row.image_count, noted_estimate(row)) for row in unsent(darkroom, rows)]
        else:
            quoted = await quote(darkroom, request)
            model, wanted = quoted.model.name, [(part.image_count, each) for part, each in quoted.priced_parts]
        # What is left of the day may grow until it is sent.
        await check_limits(darkroom, wanted, max_usd=max_usd, with_day=False)
    except (InvalidRequest, SpendingRefused):
        return None
    if not wanted:
        return None
    total = total_estimate([each for _, each in wanted])
    images = sum(count for count, _ in wanted)
    return Offer(image_count=images, model=model, price_usd=total.most_usd, is_bound=total.is_bound)
