"""What stands around every request of a replica, as plain ASGI."""

import logging
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom.errors import DarkroomError
from darkroom.team_settings import TeamSettings
from darkroom_server.team.issuer import IssuerUnreachable
from darkroom_server.team.metrics import CountedRequests
from darkroom_server.team.sparing_log import SparingLog

log = logging.getLogger(__name__)

_AGAIN_S = "5"
_ASKED = "Authorization Content-Type Accept Mcp-Protocol-Version Mcp-Method Mcp-Name Mcp-Session-Id Last-Event-ID"
_SHOWN = ["WWW-Authenticate", "Mcp-Protocol-Version", "Retry-After"]


def surround(app: Starlette, team: TeamSettings, is_leaving: Callable[[], bool]) -> None:
    """Add it; the last one that is added sees a request first."""
    app.add_middleware(TokenFaults)
    app.add_middleware(NoStreams)
    app.add_middleware(LeavingConnections, is_leaving=is_leaving)
    app.add_middleware(
        CORSMiddleware,  # before any token is asked for: what a browser asks before brings no token
        allow_origins=[team.public_url, *team.allowed_origins],
        allow_methods=["GET", "POST", "DELETE", "OPTIONS"],
        allow_headers=_ASKED.split(),
        expose_headers=_SHOWN,
        max_age=600,
    )
    app.add_middleware(CountedRequests, rooms=app.state.open_rooms)


class TokenFaults:
    """Answers 503 where a token could not be checked: at a 401 a host would throw its log-in away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = SparingLog(log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (IssuerUnreachable, DarkroomError) as error:
            self._log.warning("a token could not be checked (%s)", type(error).__name__)
            words = "The token cannot be checked at the moment. Nothing was sent. Try again soon."
            answer = JSONResponse({"error": "temporarily_unavailable", "error_description": words}, status_code=503)
            answer.headers["Retry-After"] = _AGAIN_S
            await answer(scope, receive, send)


class NoStreams:
    """Refuses GET and DELETE of /mcp: there is no session, and a stream on which nothing comes holds an end up."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/mcp" and scope["method"] not in ("POST", "OPTIONS"):
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
            return
        await self._app(scope, receive, send)


class LeavingConnections:
    """Closes each connection with its next answer once the process was asked to stop: the next goes to another."""

    def __init__(self, app: ASGIApp, is_leaving: Callable[[], bool]) -> None:
        self._app = app
        self._is_leaving = is_leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start" and self._is_leaving():
                message = {**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]}
            await send(message)

        await self._app(scope, receive, tell if scope["type"] == "http" else send)
