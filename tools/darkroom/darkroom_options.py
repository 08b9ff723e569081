"""What a Darkroom is opened with."""

import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import anyio

from darkroom.gateways import Gateway, Key, Timeouts
from darkroom.journal import Intent, Journal, Limit, ReceiptOf, open_journal
from darkroom.work.leases import LEASE_S
from darkroom.work.reconcile import SETTLE_S
from darkroom.work.runtime import CrashPoint

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from darkroom.outputs.links import Links


async def _attended() -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class DarkroomOptions:
    """How to open a Darkroom.

    `keep_metadata` leaves EXIF data in input images. `app` is the embedded sandbox where that is the gateway.
    `output_dir` is a folder or an object URL (`s3://…`). `at_crash_point` hears every moment at which a crash would
    matter; `settle_s` is how long a lost create may take to show up in the gateway's list; `lease_s` for how long a
    process that says nothing more keeps others from following its predictions; `wait_s` is how long a call waits where
    it does not say, which the next steps name; `preview_px` is the longer side of the previews that answers show, 0 for
    none; `on_ended` hears of every prediction that has ended and whose images are home or lost; `open_journal` opens
    the journal, given where its file would lie. `team_limit` is what a team allows, in place of `max_usd_per_day`;
    `links` gives links to images in place of their locations, `uploads_place` (a folder or object URL) keeps pictures
    that were added by hand; `unattended` gives what answers must say of work that nobody follows at this moment, or "".
    `zone` is the person's time zone where that is not this computer's; `sleep` passes the pauses of the work.
    """

    gateway: Gateway
    key: Key
    app: "ASGIApp | None" = None
    data_dir: Path
    output_dir: str
    models_dir: Path | None = None
    input_dirs: tuple[Path, ...] = ()
    keep_metadata: bool = False
    default_model: str = ""
    max_usd_per_call: float | None = None
    max_usd_per_day: float | None = None
    team_limit: Limit | None = None
    links: "Links | None" = None
    unattended: Callable[[], Awaitable[str]] = _attended
    uploads_place: str = ""
    allow_unknown_price: bool = False
    clock: Callable[[], float] = time.time
    zone: tzinfo | None = None
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = anyio.sleep
    timeouts: Timeouts = field(default_factory=Timeouts)
    settle_s: float = SETTLE_S
    lease_s: float = LEASE_S
    wait_s: float = 25.0
    preview_px: int = 0
    on_ended: Callable[[Intent], None] = lambda intent: None
    open_journal: Callable[[Path, Callable[[], float], ReceiptOf], AbstractAsyncContextManager[Journal]] = open_journal
    at_crash_point: Callable[[CrashPoint], None] = lambda moment: None
