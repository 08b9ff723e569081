"""When a request has arrived, and when its answer has left: its last byte is in stdout, or in a connection still open.

Over stdio the SDK's writer takes one message at a time and flushes it before it takes the next, so a writer that waits
again has written. Over HTTP the middleware sees the end of each response, and a client that has gone before it.
"""

import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import anyio.abc
from mcp.shared.message import SessionMessage
from mcp.types import JSONRPCRequest, JSONRPCResponse

if TYPE_CHECKING:
    from anyio.streams.memory import MemoryObjectReceiveStream
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

_EXCHANGE = "darkroom.exchange"
_LOOK_EVERY_S = 0.005
_MOST_ARRIVALS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """One answer on its way.

    `leave` is called when nothing keeps it any more, `written` once its last byte is out, `lost` if it never will be.
    """

    leave: Callable[[], None]
    written: Callable[[], Coroutine[Any, Any, None]]
    lost: Callable[[], None] = lambda: None


class Stdio:
    """What the one host of this process writes and reads; it stands on both sides of the SDK's dispatcher.

    `lines` holds when each line of stdin that is still to be read arrived, on the monotonic clock: this process may be
    busy then, above all with its first call. Where it is empty, a message arrives as it is read.
    """

    def __init__(self, lines: deque[float] | None = None) -> None:
        self.is_served = False
        self._expected: dict[str, Departure] = {}
        self._lines = deque[float]() if lines is None else lines
        self._arrivals: dict[str, float] = {}

    def read(self, item: SessionMessage | Exception) -> None:
        """This is what the next line of stdin says."""
        arrived_s = self._lines.popleft() if self._lines else time.monotonic()
        if isinstance(item, SessionMessage) and isinstance(item.message, JSONRPCRequest):
            self._arrivals[str(item.message.id)] = arrived_s
            for oldest in list(self._arrivals)[:-_MOST_ARRIVALS]:
                del self._arrivals[oldest]

    def arrival_s(self, request_id: object) -> float:
        """When this request arrived, now where nobody saw it come."""
        return self._arrivals.get(str(request_id), time.monotonic())

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
        self.begun_s = time.monotonic()
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
