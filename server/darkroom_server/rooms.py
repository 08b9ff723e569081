"""Who serves a call: the one Darkroom of a person's own process, or in a team that of whoever is logged in."""

from typing import Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context

from darkroom_server.calls import Calls


class Rooms(Protocol):
    """What the tools get from the server while it runs."""

    async def calls(self) -> Calls:
        """Those of the caller in whose context this is asked. Raises: DarkroomError where they may not call."""
        ...

    def hear_cancel(self, ctx: ServerRequestContext["Rooms", Any]) -> None:
        """Take in a `notifications/cancelled`."""
        ...


class OneRoom:
    """For the one person to whom this process belongs."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def calls(self) -> Calls:
        return self._calls

    def hear_cancel(self, ctx: ServerRequestContext[Rooms, Any]) -> None:
        self._calls.hear_cancel(ctx)


Ctx = Context[Rooms, Any]


async def calls_of(ctx: Ctx) -> Calls:
    """The calls of whoever makes this one. Raises: DarkroomError."""
    return await ctx.request_context.lifespan_context.calls()
