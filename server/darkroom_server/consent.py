"""Asking the person before it is costly, in the host's own dialog, where DARKROOM_CONFIRM_USD wants it.

The question depends on nothing but the arguments and the journal, because the newer protocol asks by letting the host
repeat the call, and an answer counts only for the very same question.
"""

from typing import TYPE_CHECKING, Any

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, Elicit
from pydantic import BaseModel, Field

from darkroom.errors import SpendingRefused

if TYPE_CHECKING:
    from darkroom.reports import Quote


class Consent(BaseModel):
    """What the person fills in."""

    confirmed: bool = Field(description="Make these images at this price")


def ask(ctx: Context[Any, Any], offer: "Quote | None", threshold_usd: float) -> Consent | Elicit[Consent]:
    """The question about an offer above the threshold or of unknown price; None where nothing is offered."""
    if offer is None:
        return Consent(confirmed=True)
    from darkroom.dry_run import needs_consent, question

    if not needs_consent(offer, threshold_usd):
        return Consent(confirmed=True)
    return Elicit(question(offer), Consent) if _can_ask(ctx) else Consent(confirmed=False)


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
