"""The streamable HTTP transport: `/mcp` for hosts of both protocol eras, `/health` for whoever watches the process.

There is no log-in: everybody who reaches the port can spend the owner's money. Hence loopback by default, only Host and
Origin headers that are expected (a web page could reach the port through a rebound name otherwise), and no file of this
computer as input.
"""

import logging
import socket
from collections.abc import Callable, Iterable
from types import FrameType

import uvicorn
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse

from darkroom_server import __version__
from darkroom_server.app import create_server
from darkroom_server.http_requests import PatientProtocol, WholeBodies
from darkroom_server.settings import Settings

LOCAL_HOSTS = ("127.0.0.1", "localhost", "[::1]")
_LEAVE_WITHIN_S = 2
# The largest input image is 20 MiB, and comes as base64 with a third more.
_MAX_REQUEST_BYTES = 32 * 1024 * 1024


def serve_http(
    settings: Settings,
    listener: socket.socket,
    *,
    allowed_hosts: Iterable[str] = (),
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Serve on `listener` until SIGTERM or SIGINT. Calls get 2 s more; what they wait for goes on at the gateway."""
    app = http_app(settings, allowed_hosts=allowed_hosts, is_leaving=lambda: server.should_exit)
    # No access log, and no logging of uvicorn's own: what there is to say goes to stderr with everything else.
    config = uvicorn.Config(
        app, http=PatientProtocol, log_config=None, access_log=False, timeout_graceful_shutdown=_LEAVE_WITHIN_S
    )
    server = _Server(config, on_ready)
    server.run(sockets=[listener])


def http_app(
    settings: Settings, *, allowed_hosts: Iterable[str] = (), is_leaving: Callable[[], bool] = lambda: False
) -> Starlette:
    """The ASGI app. `allowed_hosts` are names by which it may be reached besides the local ones, without a port."""
    server = create_server(settings.without_local_files(), is_leaving=is_leaving)

    async def health(request: Request) -> JSONResponse:
        return JSONResponse({"name": "darkroom", "version": __version__, "ok": settings.problem is None})

    server.custom_route("/health", methods=["GET"])(health)
    app = server.streamable_http_app(
        transport_security=_security([*LOCAL_HOSTS, *allowed_hosts]), max_request_body_size=_MAX_REQUEST_BYTES
    )
    app.add_middleware(WholeBodies, most_bytes=_MAX_REQUEST_BYTES)
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
