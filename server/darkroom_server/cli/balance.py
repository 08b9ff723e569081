"""What the gateway says that the key may still spend, in words. It fails no command, and delays it by 3 s at most."""

from contextlib import suppress
from datetime import datetime

import anyio

from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError, GatewayError
from darkroom.gateways import PredictionClient, TokenUsage
from darkroom.reports.amounts import usd

BALANCE_WITHIN_S = 3.0


async def balance_words(client: PredictionClient) -> str:
    """`balance $4.20 of $10.00`; empty where the gateway does not tell in time."""
    if client.gateway.has_token_log is not False:
        with anyio.move_on_after(BALANCE_WITHIN_S), suppress(GatewayError):
            usage = await client.token_usage(within_s=BALANCE_WITHIN_S)
            return _words(usage) if usage else ""
    return ""


async def read_the_bill(darkroom: Darkroom) -> None:
    """Ask the gateway's own log once, for the next command; this process ends now."""
    with suppress(DarkroomError):
        await darkroom.work.look_for_bills(BALANCE_WITHIN_S)


def _words(usage: TokenUsage) -> str:
    until = f" until {datetime.fromtimestamp(usage.expires_at):%Y-%m-%d}" if usage.expires_at else ""
    if usage.is_unlimited:
        return f"the key has no limit of its own{until}, {usd(usage.used_usd)} used"
    return f"balance {usd(max(0.0, usage.available_usd))} of {usd(usage.granted_usd)}{until}"
