"""Who serves a call: the one Darkroom of a person's own process, or in a team that of whoever is logged in."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from mcp.server.context import ServerRequestContext
from mcp.server.mcpserver import Context

if TYPE_CHECKING:
    from darkroom_server.calls import Calls


class Rooms(Protocol):
    """What the tools get from the server while it runs."""

    async def calls(self) -> "Calls":
        """Those of the caller in whose context this is asked. Raises: DarkroomError where they may not call."""
        ...

    def hear_cancel(self, ctx: ServerRequestContext["Rooms", Any]) -> None:
        """Take in a `notifications/cancelled`."""
        ...


class OneRoom:
    """For the one person to whom this process belongs; what serves the calls is made for the first one."""

    def __init__(self, make: "Callable[[], Calls]") -> None:
        self._make = make
        self._calls: Calls | None = None

    async def calls(self) -> "Calls":
        self._calls = self._calls or self._make()
        return self._calls

    def hear_cancel(self, ctx: ServerRequestContext[Rooms, Any]) -> None:
        if self._calls:
            self._calls.hear_cancel(ctx)

    async def settle(self) -> None:
        """Return when what was answered is marked, as far as there is time."""
        if self._calls:
            await self._calls.answers.settle()


Ctx = Context[Rooms, Any]


async def calls_of(ctx: Ctx) -> "Calls":
    """The calls of whoever makes this one. Raises: DarkroomError."""
    return await ctx.request_context.lifespan_context.calls()
