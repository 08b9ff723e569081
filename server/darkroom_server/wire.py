"""The moment at which an answer has left: its last byte is in stdout, or in a connection that was still open then.

Over stdio the SDK's writer takes one message at a time and flushes it before it takes the next, so a writer that waits
again has written. Over HTTP the middleware sees the end of each response, and a client that has gone before it.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCResponse

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EXCHANGE = "darkroom.exchange"
_LOOK_EVERY_S = 0.005


def _nothing() -> None:
    return


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One answer on its way.

    `leave` is called when nothing keeps it any more, `written` once its last byte is out, `lost` if it never will be.
    """

    leave: Callable[[], None]
    written: Callable[[], Coroutine[Any, Any, None]]
    lost: Callable[[], None] = _nothing


class Stdout:
    """What is written to the one host of this process; it stands between the SDK's dispatcher and its writer."""

    def __init__(self) -> None:
        self.is_served = False
        self._expected: dict[str, Departure] = {}

    def expect(self, request_id: object, departure: Departure) -> None:
        """The answer to this request comes now."""
        self._expected[str(request_id)] = departure

    def lose(self, request_id: object) -> None:
        """The host has cancelled this request: an answer that is not on its way yet will not be written."""
        if departure := self._expected.pop(str(request_id), None):
            departure.lost()

    async def pass_on(self, messages: "MemoryObjectReceiveStream[SessionMessage]", writer: Any) -> None:
        """Hand every message on to the SDK's writer, which stays open until all that is expected was written."""
        self.is_served = True
        async with messages, writer, anyio.create_task_group() as tasks:
            async for item in messages:
                await writer.send(item)
                answered = item.message.id if isinstance(item.message, JSONRPCResponse) else None
                if departure := self._expected.pop(str(answered), None):
                    departure.leave()
                    tasks.start_soon(_tell_when_written, writer, departure)


async def _tell_when_written(writer: Any, departure: Departure) -> None:
    # The SDK's stream (2.3.0) has no statistics of its own, and no other sign of a finished write.
    while not writer._inner.statistics().tasks_waiting_receive:  # noqa: ASYNC110 - for the same reason
        await anyio.sleep(_LOOK_EVERY_S)
    await departure.written()


class Exchange:
    """One request over HTTP with its response: open until that has ended, or the client has gone first."""

    def __init__(self) -> None:
        self._is_open, self._is_lost = True, False
        self._ends: list[Callable[[], object]] = []
        self._losses: list[Callable[[], object]] = []

    def expect(self, departure: Departure, tasks: anyio.abc.TaskGroup) -> None:
        """The answer comes now."""

        def leave() -> None:
            departure.leave()
            tasks.start_soon(departure.written)

        self._ends.append(leave)
        self.when_lost(departure.lost)

    def when_lost(self, tell: Callable[[], object]) -> None:
        """Call `tell` if the client goes before the response has ended, at once where it has gone."""
        if self._is_lost:
            tell()
        else:
            self._losses.append(tell)

    def close(self) -> None:
        """The response has ended."""
        self._end(self._ends)

    def lose(self) -> None:
        """The client has gone; nothing happens after the end of the response."""
        self._is_lost = self._is_lost or self._is_open
        self._end(self._losses)

    def _end(self, told: list[Callable[[], object]]) -> None:
        if self._is_open:
            self._is_open = False
            for tell in told:
                tell()


def exchange_of(request: Any) -> Exchange | None:
    """The exchange of a request over HTTP; None for any other."""
    return request.scope.get(_EXCHANGE) if request is not None else None


class Exchanges:
    """ASGI middleware: gives each POST its exchange, and tells it how the response ended."""

    def __init__(self, app: "ASGIApp") -> None:
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        scope[_EXCHANGE] = exchange = Exchange()

        async def hear() -> "Message":
            message = await receive()
            if message["type"] == "http.disconnect":
                exchange.lose()
            return message

        async def tell(message: "Message") -> None:
            await send(message)
            if message["type"] == "http.response.body" and not message.get("more_body"):
                exchange.close()

        try:
            await self._app(scope, hear, tell)
        finally:
            exchange.lose()
