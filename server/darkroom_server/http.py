"""The streamable HTTP transport: `/mcp` for hosts of both protocol eras, `/health` for whoever watches the process.

One person's server has no log-in: everybody who reaches the port can spend the owner's money. Hence loopback by
default, only Host and Origin headers that are expected (a web page could reach the port through a rebound name
otherwise), and no file of this computer as input. With DARKROOM_DATABASE_URL it is a team's, put together in `team`.

uvicorn waits for the rest of a request without a limit, so a few hundred half-sent ones would occupy
the process for ever; here they end after a while.
"""

import gc
import logging
import socket
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Any, cast

import h11
import sniffio
import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from darkroom.settings import Settings
from darkroom.uris import host_of
from darkroom_server import __version__
from darkroom_server.app import create_server
from darkroom_server.bodies import AGAIN_S, Take, TooMuchAtOnce, whole_body
from darkroom_server.strange_json import readable
from darkroom_server.wire import Exchanges

if TYPE_CHECKING:
    from darkroom.team_settings import TeamSettings

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_LEAVE_WITHIN_S = 2
# A team's balancer hears first that no more calls should come, then those that wait are waited for.
_NOTICE_S, _TEAM_LEAVES_WITHIN_S = 5.0, 55
# The largest input image is 20 MiB, and comes as base64 with a third more.
_MAX_REQUEST_BYTES = 32 * 1024 * 1024
# No byte for so long, or not whole after so long: the connection is closed. A 20 MiB image at 2 Mbit/s fits.
_QUIET_S = 8.0
_WHOLE_WITHIN_S = 120.0
_MOST_HALF_SENT = 100
_JUST_NOW_S = 2.0
_Holding = AbstractContextManager[Take]
_TOO_LATE = b"The request was not sent to its end in time.\n"


def serve_http(
    settings: Settings,
    listener: socket.socket,
    *,
    allowed_hosts: Iterable[str],
    on_ready: Callable[[], None],
    notice_s: float = _NOTICE_S,
) -> None:
    """Serve on `listener` until SIGTERM or SIGINT. Calls get 2 s more; what they wait for goes on at the gateway.

    In a team new calls come for `notice_s`, and those that wait get 55 s. Raises: SettingsError for a team's settings.
    """
    team = served_team(settings)
    if team and team.metrics_port:
        from darkroom_server.team.metrics import serve_metrics

        serve_metrics(team.metrics_port, listener.getsockname()[0])
    app = _app(settings, allowed_hosts, is_leaving=lambda: server.is_leaving)
    # No access log, and no logging of uvicorn's own: what there is to say goes to stderr with everything else.
    config = uvicorn.Config(
        app,
        http=_PatientProtocol,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=_TEAM_LEAVES_WITHIN_S if team else _LEAVE_WITHIN_S,
    )
    server = _Server(config, on_ready, notice_s=notice_s if team else 0.0)
    server.run(sockets=[listener])


def _app(settings: Settings, allowed_hosts: Iterable[str], is_leaving: Callable[[], bool]) -> Starlette:
    """The ASGI app. `allowed_hosts` are names by which it may be reached besides the local ones, without a port."""
    if team := served_team(settings):
        return _team_app(settings, team, allowed_hosts, is_leaving)
    server = create_server(settings.without_local_files(), is_leaving=is_leaving)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"name": "darkroom", "version": __version__, "ok": settings.problem is None})

    server.custom_route("/health", methods=["GET"])(health)
    app = server.streamable_http_app(
        transport_security=_security([*_LOCAL_HOSTS, *allowed_hosts]), max_request_body_size=_MAX_REQUEST_BYTES
    )
    app.add_middleware(_WholeBodies, most_bytes=_MAX_REQUEST_BYTES, held=_uncounted)
    app.add_middleware(Exchanges)
    return app


def served_team(settings: Settings) -> "TeamSettings | None":
    """The settings of the team that is served here; None where it is one person. Raises: SettingsError."""
    team = settings.team
    return team if team and team.database_url else None


def _team_app(
    settings: Settings, team: "TeamSettings", allowed_hosts: Iterable[str], is_leaving: Callable[[], bool]
) -> Starlette:
    """The ASGI app of one replica. Raises: SettingsError."""
    from darkroom_server.team.middleware import person_of, surround
    from darkroom_server.team.serving import team_app

    security = _security([*_LOCAL_HOSTS, host_of(team.public_url), *allowed_hosts], team.allowed_origins)
    app = team_app(settings, team, security, is_leaving, most_bytes=_MAX_REQUEST_BYTES)
    # Innermost: nothing is read of who has no token.
    bodies = app.state.held_bodies

    def held(scope: Scope) -> _Holding | None:
        return bodies.by(person_of(scope)) if scope["path"] == "/mcp" and scope["user"].is_authenticated else None

    app.user_middleware.append(Middleware(_WholeBodies, most_bytes=_MAX_REQUEST_BYTES, held=held))
    app.add_middleware(Exchanges)
    surround(app, team, is_leaving)
    return app


def _security(hosts: Iterable[str], origins: Iterable[str] = ()) -> TransportSecuritySettings:
    """Each host on any port, and pages that come from it, or from `origins`."""
    names = tuple(dict.fromkeys(host.lower() for host in hosts))
    of_hosts = [f"{scheme}://{name}" for scheme in ("http", "https") for name in names]
    return TransportSecuritySettings(
        allowed_hosts=[*names, *(f"{name}:*" for name in names)],
        allowed_origins=[*of_hosts, *(f"{origin}:*" for origin in of_hosts), *origins],
    )


class _Server(uvicorn.Server):
    """A signal is an orderly end with exit code 0; uvicorn would raise it once more after it has left.

    `is_leaving` from the signal on; it still serves for `notice_s` seconds then.
    """

    def __init__(self, config: uvicorn.Config, on_ready: Callable[[], None], *, notice_s: float) -> None:
        super().__init__(config)
        self.is_leaving = False
        self._on_ready = on_ready
        self._notice_s = notice_s
        self._stops_s = float("inf")

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        # What all tasks begin with. Else each step of anyio and httpx looks for the loop that it runs in.
        sniffio.current_async_library_cvar.set("asyncio")
        await super().startup(sockets)
        gc.freeze()  # all that is there by now stays, so no garbage is looked for in it
        if self.started:
            self._on_ready()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called in the main thread at SIGTERM and SIGINT; a second one waits for nothing."""
        # From here on it reports each call that it ends as a fault, with a traceback.
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        self.force_exit = self.is_leaving
        self.should_exit = self.force_exit or not self._notice_s
        self.is_leaving, self._stops_s = True, time.monotonic() + self._notice_s

    async def on_tick(self, counter: int) -> bool:
        self.should_exit = self.should_exit or time.monotonic() >= self._stops_s
        return await super().on_tick(counter)


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
        """With too many half-sent requests the oldest go, so that a new caller is always served.

        Not those that came just now: in a rush of callers, what they have sent may not have been read yet.
        """
        self.is_half_sent = True
        left_s = self.began_s + _WHOLE_WITHIN_S - self.loop.time()
        self._stop_timer = self.loop.call_later(min(_QUIET_S, left_s), self.give_up).cancel
        everybody = cast("set[object]", self.connections)
        waiting = [each for each in everybody if isinstance(each, _PatientProtocol) and each.is_half_sent]
        for each in sorted(waiting, key=lambda each: each.began_s)[:-_MOST_HALF_SENT]:
            if each.began_s < self.loop.time() - _JUST_NOW_S:
                each.give_up()


class _WholeBodies:
    """ASGI middleware: reads each body to its end, at most `most_bytes`, and hands it on readable for the SDK.

    `held` counts what is held of a request to the end of its answer; what it gives None for goes on untouched.
    """

    def __init__(self, app: ASGIApp, most_bytes: int, held: Callable[[Scope], _Holding | None]) -> None:
        self._app = app
        self._most_bytes = most_bytes
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        is_posted = scope["type"] == "http" and scope["method"] == "POST"
        if not is_posted or (holding := self._held(scope)) is None:
            await self._app(scope, receive, send)
            return
        with holding as take:
            try:
                body = await whole_body(Request(scope, receive).stream(), self._most_bytes, take)
            except ClientDisconnect:
                return
            except TooMuchAtOnce as error:
                words = {"error": "too_much_at_once", "error_description": error.words}
                await JSONResponse(words, error.status, {"Retry-After": str(AGAIN_S)})(scope, receive, send)
                return
            if body is None:
                await Response("The request is too large.", status_code=413)(scope, receive, send)
                return
            pending: list[Message] = [{"type": "http.request", "body": _readable(body), "more_body": False}]
            del body

            async def replay() -> Message:
                return pending.pop() if pending else await receive()

            await self._app(scope, replay, send)


def _readable(body: bytes) -> bytes:
    text = body.decode(errors="replace")
    told = readable(text)
    return body if told == text else told.encode()


def _uncounted(scope: Scope) -> _Holding:
    return nullcontext(lambda _: None)
