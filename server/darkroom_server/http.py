"""The streamable HTTP transport: `/mcp` for hosts of both protocol eras, `/health` for whoever watches the process.

There is no log-in: everybody who reaches the port can spend the owner's money. Hence loopback by default, only Host and
Origin headers that are expected (a web page could reach the port through a rebound name otherwise), and no file of this
computer as input. uvicorn waits for the rest of a request without a limit, so a few hundred half-sent ones would occupy
the process for ever; here they end after a while.
"""

import logging
import socket
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, cast

import h11
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from darkroom.settings import Settings
from darkroom_server import __version__
from darkroom_server.app import create_server
from darkroom_server.strange_json import readable
from darkroom_server.wire import Exchanges

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_LEAVE_WITHIN_S = 2
# The largest input image is 20 MiB, and comes as base64 with a third more.
_MAX_REQUEST_BYTES = 32 * 1024 * 1024
# No byte for so long, or not whole after so long: the connection is closed. A 20 MiB image at 2 Mbit/s fits.
_QUIET_S = 8.0
_WHOLE_WITHIN_S = 120.0
_MOST_HALF_SENT = 100
_TOO_LATE = b"The request was not sent to its end in time.\n"


def serve_http(
    settings: Settings, listener: socket.socket, *, allowed_hosts: Iterable[str], on_ready: Callable[[], None]
) -> None:
    """Serve on `listener` until SIGTERM or SIGINT. Calls get 2 s more; what they wait for goes on at the gateway."""
    app = _app(settings, allowed_hosts, is_leaving=lambda: server.should_exit)
    # No access log, and no logging of uvicorn's own: what there is to say goes to stderr with everything else.
    config = uvicorn.Config(
        app, http=_PatientProtocol, log_config=None, access_log=False, timeout_graceful_shutdown=_LEAVE_WITHIN_S
    )
    server = _Server(config, on_ready)
    server.run(sockets=[listener])


def _app(settings: Settings, allowed_hosts: Iterable[str], is_leaving: Callable[[], bool]) -> Starlette:
    """The ASGI app. `allowed_hosts` are names by which it may be reached besides the local ones, without a port."""
    server = create_server(settings.without_local_files(), is_leaving=is_leaving)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"name": "darkroom", "version": __version__, "ok": settings.problem is None})

    server.custom_route("/health", methods=["GET"])(health)
    app = server.streamable_http_app(
        transport_security=_security([*_LOCAL_HOSTS, *allowed_hosts]), max_request_body_size=_MAX_REQUEST_BYTES
    )
    app.add_middleware(_WholeBodies, most_bytes=_MAX_REQUEST_BYTES)
    app.add_middleware(Exchanges)
    return app


def _security(hosts: Iterable[str]) -> TransportSecuritySettings:
    """Each host on any port, and pages that come from it."""
    names = tuple(dict.fromkeys(host.lower() for host in hosts))
    origins = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    return TransportSecuritySettings(
        allowed_hosts=[*names, *(f"{name}:*" for name in names)],
        allowed_origins=[*origins, *(f"{origin}:*" for origin in origins)],
    )


class _Server(uvicorn.Server):
    """A signal is an orderly end with exit code 0; uvicorn would raise it once more after it has left."""

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called in the main thread at SIGTERM and SIGINT; a second one waits for nothing."""
        # From here on it reports each call that it ends as a fault, with a traceback.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self.force_exit = self.should_exit
        self.should_exit = True


class _PatientProtocol(H11Protocol):
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
        waiting = [each for each in everybody if isinstance(each, _PatientProtocol) and each.is_half_sent]
        if len(waiting) > _MOST_HALF_SENT:
            min(waiting, key=lambda each: each.began_s).give_up()


class _WholeBodies:
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
