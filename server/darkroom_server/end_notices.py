"""A host that watches `prediction://ID` is told when it has ended, so that it need not poll."""

from contextlib import suppress
from typing import TYPE_CHECKING

import anyio
from mcp.server.subscriptions import SubscriptionBus
from mcp.shared.subscriptions import ResourceUpdated

if TYPE_CHECKING:
    from darkroom.journal import Intent

_MOST_WAITING = 1_000


class EndNotices:
    """`announce` is called from the Darkroom and never waits; `publish` runs in the server's own task group."""

    def __init__(self, bus: SubscriptionBus) -> None:
        self._bus = bus
        self._inlet, self._outlet = anyio.create_memory_object_stream[str](_MOST_WAITING)

    def announce(self, intent: "Intent") -> None:
        """Note an ended prediction; with a thousand unpublished ones the newest is left out."""
        with suppress(anyio.WouldBlock):
            self._inlet.send_nowait(f"prediction://{intent.prediction_id}")

    async def publish(self) -> None:
        """Runs until cancelled."""
        async with self._inlet, self._outlet:
            async for uri in self._outlet:
                await self._bus.publish(ResourceUpdated(uri=uri))
