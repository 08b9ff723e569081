"""Asking the person before it is costly, in the host's own dialog, where DARKROOM_CONFIRM_USD wants it.

The question is made from the arguments alone, because the newer protocol asks by letting the host repeat the call.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context, Elicit
from pydantic import BaseModel, Field, JsonValue

if TYPE_CHECKING:
    from darkroom.errors import SpendingRefused
    from darkroom.registry import ImageRequest


class Consent(BaseModel):
    """What the person fills in."""

    confirmed: bool = Field(description="Make these images at this price")


class CostQuestion:
    """Asks when an estimate passes `threshold_usd` (None: never); `estimate` gives USD, None where unknown.

    An unknown price is asked about too. A request that cannot be estimated at all is refused later, in better words.
    """

    def __init__(
        self, threshold_usd: float | None, estimate: "Callable[[ImageRequest], float | None]", *, is_free: bool
    ) -> None:
        self._threshold_usd = threshold_usd
        self._estimate = estimate
        self._is_free = is_free

    async def ask(
        self,
        ctx: Context[Any, Any],
        prompt: str,
        model: str,
        images: list[str],
        mask: str,
        width: int,
        height: int,
        aspect_ratio: str,
        count: int,
        output_format: str,
        options: dict[str, JsonValue],
    ) -> Consent | Elicit[Consent]:
        """The resolver of generate_image's `consent`; its parameters are arguments of the tool, by name."""
        if self._threshold_usd is None or self._is_free:
            return Consent(confirmed=True)
        from darkroom.errors import DarkroomError
        from darkroom.registry import ImageRequest

        request = ImageRequest(
            prompt=prompt,
            model=model,
            images=tuple(images),
            mask=mask,
            width=width,
            height=height,
            aspect_ratio=aspect_ratio,
            count=count,
            output_format=output_format,
            options=options,
        )
        try:
            price = self._estimate(request)
        except DarkroomError:
            return Consent(confirmed=True)
        if price is not None and price <= self._threshold_usd:
            return Consent(confirmed=True)
        if not can_ask(ctx):
            return Consent(confirmed=False)
        from darkroom.reports.amounts import counted, usd

        cost = "at an unknown price" if price is None else f"for about {usd(price)}"
        return Elicit(f"Make {counted(count, 'image')} with {model or 'the default model'} {cost}?", Consent)

    def refusal(self, ctx: Context[Any, Any], answer: ElicitationResult[Consent]) -> "SpendingRefused | None":
        """Why the call is not carried out; None where it may be."""
        if isinstance(answer, AcceptedElicitation) and answer.data.confirmed:
            return None
        from darkroom.errors import SpendingRefused

        if can_ask(ctx):
            return SpendingRefused(
                "the user did not confirm the cost. Nothing was sent or spent. Ask what they want instead."
            )
        from darkroom.reports.amounts import usd

        return SpendingRefused(
            f"this call would cost more than {usd(self._threshold_usd or 0)} (DARKROOM_CONFIRM_USD), or its price "
            "is unknown, and this host cannot ask the user. Nothing was sent or spent. Tell the user the price; to go "
            "ahead they raise DARKROOM_CONFIRM_USD, or run `darkroom-mcp generate` themselves."
        )


def can_ask(ctx: Context[Any, Any]) -> bool:
    """Whether the host shows forms to the person."""
    capabilities = ctx.client_capabilities
    return bool(capabilities and capabilities.elicitation and capabilities.elicitation.form is not None)
