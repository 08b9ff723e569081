"""Asking the person before it is costly, in the host's own dialog, where DARKROOM_CONFIRM_USD wants it.

The question depends on nothing but the arguments and the journal, because the newer protocol asks by letting the host
repeat the call, and an answer counts only for the very same question.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, Elicit
from pydantic import BaseModel, Field

from darkroom.errors import InvalidRequest, SpendingRefused

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.registry import ImageRequest


class Consent(BaseModel):
    """What the person fills in."""

    confirmed: bool = Field(description="Make these images at this price")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a call would send, and what it costs at most in US dollars, None where that is unknown."""

    image_count: int
    model: str
    price_usd: float | None


async def offers(darkroom: "Darkroom", request: "ImageRequest", request_id: str) -> list[Offer]:
    """One offer, or none.

    Of a request_id that was used before: its rows that a repeat may send, with no id yet and nobody here at work on
    them. A row in doubt is among these, because a repeat sends it once the gateway turns out not to have it.
    """
    from darkroom.quotes import quote

    rows = await darkroom.journal.by_request(request_id) if request_id else ()
    unsent = [row for row in rows if not row.prediction_id and darkroom.work.watched(row) is None]
    if rows:
        prices = [row.estimate_usd for row in unsent]
        known = [price for price in prices if price is not None]
        total = sum(known) if len(known) == len(prices) else None
        count = sum(row.image_count for row in unsent)
        return [Offer(image_count=count, model=rows[0].model, price_usd=total)] if unsent else []
    try:
        quoted = await quote(darkroom, request)
    except InvalidRequest:  # it will be refused in better words
        return []
    return [Offer(image_count=quoted.image_count, model=quoted.model.name, price_usd=quoted.total.most_usd)]


def ask(ctx: Context[Any, Any], offer: Offer | None, threshold_usd: float) -> Consent | Elicit[Consent]:
    """The question about an offer above the threshold or of unknown price; None where nothing is offered."""
    if offer is None or (offer.price_usd is not None and offer.price_usd <= threshold_usd):
        return Consent(confirmed=True)
    if not _can_ask(ctx):
        return Consent(confirmed=False)
    from darkroom.reports.amounts import counted, usd

    cost = "at an unknown price" if offer.price_usd is None else f"for at most {usd(offer.price_usd)}"
    return Elicit(f"Make {counted(offer.image_count, 'image')} with {offer.model} {cost}?", Consent)


def require(ctx: Context[Any, Any], answer: ElicitationResult[Consent], threshold_usd: float | None) -> None:
    """Raises: SpendingRefused unless the person agreed."""
    if isinstance(answer, AcceptedElicitation) and answer.data.confirmed:
        return
    if _can_ask(ctx):
        raise SpendingRefused(
            "the user did not confirm the cost. Nothing was sent or spent. Ask what they want instead."
        )
    from darkroom.reports.amounts import usd

    raise SpendingRefused(
        f"this call may cost more than {usd(threshold_usd or 0)} (DARKROOM_CONFIRM_USD), or its price is unknown, "
        "and this host cannot ask the user. Nothing was sent or spent. Tell the user the price; to go ahead they raise "
        "DARKROOM_CONFIRM_USD, or run `darkroom-mcp generate` themselves."
    )


def _can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether the host shows forms to the person."""
    capabilities = ctx.client_capabilities
    return bool(capabilities and capabilities.elicitation and capabilities.elicitation.form is not None)
