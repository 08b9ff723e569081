"""Asking the person on the command line before it is costly, where DARKROOM_CONFIRM_USD wants it."""

import sys

import typer
from anyio import to_thread

from darkroom.darkroom import Darkroom
from darkroom.dry_run import offer
from darkroom.errors import SpendingRefused
from darkroom.registry import ImageRequest
from darkroom.reports.amounts import counted, usd


async def agree(
    darkroom: Darkroom, request: ImageRequest, threshold_usd: float, *, request_id: str, max_usd: float
) -> None:
    """Ask where the images may cost more than `threshold_usd`, or an unknown sum.

    Raises: SpendingRefused where the person says no, or cannot be asked.
    """
    offered = await offer(darkroom, request, request_id=request_id, max_usd=max_usd)
    if offered is None or darkroom.gateway.is_sandbox:
        return
    most_usd = offered.total.most_usd
    images = f"{counted(offered.image_count, 'image')} by {offered.model.name}"
    bound = "up to" if offered.total.is_bound else "usually less than"
    cost = "an unknown sum" if most_usd is None else f"{bound} {usd(most_usd)}"
    await agree_to(images, cost, most_usd, threshold_usd)


async def agree_to(images: str, cost: str, most_usd: float | None, threshold_usd: float) -> None:
    """Ask where `most_usd` is above `threshold_usd`, or unknown.

    Raises: SpendingRefused where the person says no, or cannot be asked.
    """
    if most_usd is not None and most_usd <= threshold_usd:
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SpendingRefused(
            f"{images} would cost {cost}. Above {usd(threshold_usd)} (DARKROOM_CONFIRM_USD) that needs a yes, and "
            "there is no terminal to ask at. Nothing was sent. Repeat it with --yes to go ahead."
        )
    if not await to_thread.run_sync(lambda: typer.confirm(f"Make {images} for {cost}?", err=True)):
        raise SpendingRefused("Not confirmed. Nothing was sent.")
