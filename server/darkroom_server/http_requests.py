"""What arrives over HTTP: half-sent requests end after a while, and every whole one reaches the server readable.

uvicorn waits for the rest of a request without a limit, so a few hundred half-sent ones would occupy the process for
ever.
"""

from collections.abc import Callable
from typing import Any, cast

import h11
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from darkroom_server.strange_json import readable

# No byte for so long, or not whole after so long: the connection is closed. A 20 MiB image at 2 Mbit/s fits.
_QUIET_S = 8.0
_WHOLE_WITHIN_S = 120.0
_MOST_HALF_SENT = 100
_TOO_LATE = b"The request was not sent to its end in time.\n"


class PatientProtocol(H11Protocol):
    """uvicorn's protocol with limits on the time and the number of half-sent requests; the answer is 408."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.began_s: float = self.loop.time()
        self.is_half_sent = False
        self._stop_timer: Callable[[], None] = lambda: None

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._wait_for_more()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.is_half_sent:
            self.began_s = self.loop.time()
        self._stop_timer()
        self.is_half_sent = self.conn.their_state in (h11.IDLE, h11.SEND_BODY) and not self.transport.is_closing()
        if self.is_half_sent:
            self._wait_for_more()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self.is_half_sent = False
        super().connection_lost(exc)

    def give_up(self) -> None:
        """Answer by 408, unless an answer is on its way already, and close."""
        self.is_half_sent = False
        if self.transport.is_closing():
            return
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            headers = [("content-type", "text/plain"), ("content-length", str(len(_TOO_LATE))), ("connection", "close")]
            for event in (h11.Response(status_code=408, headers=headers), h11.Data(data=_TOO_LATE), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _wait_for_more(self) -> None:
        """With too many half-sent requests the oldest one goes, so that a new caller is always served."""
        self.is_half_sent = True
        left_s = self.began_s + _WHOLE_WITHIN_S - self.loop.time()
        self._stop_timer = self.loop.call_later(min(_QUIET_S, left_s), self.give_up).cancel
        everybody = cast("set[object]", self.connections)
        waiting = [each for each in everybody if isinstance(each, PatientProtocol) and each.is_half_sent]
        if len(waiting) > _MOST_HALF_SENT:
            min(waiting, key=lambda each: each.began_s).give_up()


class WholeBodies:
    """ASGI middleware: reads each body to its end, at most `most_bytes`, and hands it on readable for the SDK."""

    def __init__(self, app: ASGIApp, most_bytes: int) -> None:
        self._app = app
        self._most_bytes = most_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        body, is_whole = bytearray(), False
        while not is_whole:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            body += message.get("body", b"")
            is_whole = not message.get("more_body", False)
            if len(body) > self._most_bytes:
                await Response("The request is too large.", status_code=413)(scope, receive, send)
                return
        text = body.decode(errors="replace")
        told = readable(text)
        content = bytes(body) if told == text else told.encode()
        pending: list[Message] = [{"type": "http.request", "body": content, "more_body": False}]

        async def replay() -> Message:
            return pending.pop() if pending else await receive()

        await self._app(scope, replay, send)
