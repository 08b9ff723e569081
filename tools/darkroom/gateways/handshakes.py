"""TLS handshakes that are broken off: the HTTP library closes one that is late, but not one that is cancelled.

Its connection would stay open for as long as the process lives.
"""

from collections.abc import Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, cast

import anyio

if TYPE_CHECKING:
    import httpcore

_CLOSE_WITHIN_S = 1.0


class Handshakes:
    """`reach` is told each stage of one request, as its extension "trace"; a handshake that fails is closed there."""

    def __init__(self) -> None:
        self._connection: httpcore.AsyncNetworkStream | None = None

    async def reach(self, stage: str, info: Mapping[str, object]) -> None:
        if stage.endswith("connect_tcp.complete"):
            self._connection = cast("httpcore.AsyncNetworkStream", info["return_value"])
        if stage.endswith("start_tls.failed") and self._connection:
            with anyio.move_on_after(_CLOSE_WITHIN_S, shield=True), suppress(Exception):
                await self._connection.aclose()
