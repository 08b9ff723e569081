"""Asking the person on the command line before it is costly, where DARKROOM_CONFIRM_USD wants it."""

import sys

import typer
from anyio import to_thread

from darkroom.darkroom import Darkroom
from darkroom.errors import SpendingRefused
from darkroom.quotes import quote
from darkroom.registry import ImageRequest
from darkroom.reports.amounts import counted, usd


async def agree(darkroom: Darkroom, request: ImageRequest, threshold_usd: float) -> None:
    """Ask where the images may cost more than `threshold_usd`, or an unknown sum.

    Raises: SpendingRefused where the person says no, or cannot be asked. InvalidInput, UnknownModel.
    """
    quoted = await quote(darkroom, request)
    most_usd = quoted.total.most_usd
    if darkroom.gateway.is_sandbox or (most_usd is not None and most_usd <= threshold_usd):
        return
    images = f"{counted(quoted.image_count, 'image')} by {quoted.model.name}"
    cost = "an unknown sum" if most_usd is None else f"up to {usd(most_usd)}"
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SpendingRefused(
            f"{images} may cost {cost}, more than {usd(threshold_usd)} (DARKROOM_CONFIRM_USD), and there is no "
            "terminal to ask at. Nothing was sent. Repeat it with --yes to go ahead."
        )
    if not await to_thread.run_sync(lambda: typer.confirm(f"Make {images} for {cost}?", err=True)):
        raise SpendingRefused("Not confirmed. Nothing was sent.")
