"""What stands around every request of a replica, as plain ASGI."""

import logging
from collections.abc import Callable

from mcp.server.auth.provider import principal_components
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from darkroom.errors import DarkroomError
from darkroom.team_settings import TeamSettings
from darkroom_server.team.issuer import IssuerUnreachable
from darkroom_server.team.metrics import CountedRequests
from darkroom_server.team.sparing_log import SparingLog
from darkroom_server.team.tenants import principal_hash

log = logging.getLogger(__name__)

_AGAIN_S = "5"
_ASKED = "Authorization Content-Type Accept Mcp-Protocol-Version Mcp-Method Mcp-Name Mcp-Session-Id Last-Event-ID"
_WHO_ASKS = ("Authorization", "Cookie")
_SHOWN = ["WWW-Authenticate", "Mcp-Protocol-Version", "Retry-After"]


def surround(app: Starlette, team: TeamSettings, is_leaving: Callable[[], bool]) -> None:
    """Add it; the last one that is added sees a request first."""
    app.add_middleware(TokenFaults)
    app.add_middleware(NoStreams)
    app.add_middleware(AnswerHeaders, is_leaving=is_leaving)
    app.add_middleware(
        CORSMiddleware,  # before any token is asked for: what a browser asks before brings no token
        allow_origins=[team.public_url, *team.allowed_origins],
        allow_methods=["GET", "POST", "DELETE", "OPTIONS"],
        allow_headers=_ASKED.split(),
        expose_headers=_SHOWN,
        max_age=600,
    )
    app.add_middleware(CountedRequests, rooms=app.state.open_rooms)


def person_of(scope: Scope) -> str:
    """The hash of the person whose token came with a request."""
    _, issuer, subject = principal_components(scope["user"].access_token)
    return principal_hash(issuer or "", subject or "")


class TokenFaults:
    """Answers 503 where a token could not be checked: at a 401 a host would throw its log-in away."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._log = SparingLog(log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._app(scope, receive, send)
        except (IssuerUnreachable, DarkroomError) as error:
            self._log.warning("a token could not be checked: %s", str(error) or type(error).__name__)
            words = "The token cannot be checked at the moment. Nothing was sent. Try again soon."
            answer = JSONResponse({"error": "temporarily_unavailable", "error_description": words}, status_code=503)
            answer.headers["Retry-After"] = _AGAIN_S
            await answer(scope, receive, send)


class NoStreams:
    """Refuses GET and DELETE of /mcp: there is no session, and a stream on which nothing comes holds an end up.

    Who writes /mcp/ is sent on by its path alone: the router would name the scheme and the host that it was asked by.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == "/mcp" and scope["method"] not in ("POST", "OPTIONS"):
            await Response(status_code=405, headers={"Allow": "POST"})(scope, receive, send)
        elif scope["type"] == "http" and scope["path"] == "/mcp/":
            await Response(status_code=308, headers={"Location": "/mcp"})(scope, receive, send)
        else:
            await self._app(scope, receive, send)


class AnswerHeaders:
    """Keeps what somebody was told from everybody else's caches.

    Once the process was asked to stop, it closes each connection with its next answer: the next goes to another.
    """

    def __init__(self, app: ASGIApp, is_leaving: Callable[[], bool]) -> None:
        self._app = app
        self._is_leaving = is_leaving

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        is_for_everybody = scope["path"].startswith("/.well-known/")

        async def tell(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if self._is_leaving():
                    headers["Connection"] = "close"
                if not is_for_everybody:
                    headers.setdefault("Cache-Control", "no-store")
                    said = headers.get("Vary", "")
                    headers["Vary"] = ", ".join(filter(None, (said, *(each for each in _WHO_ASKS if each not in said))))
            await send(message)

        await self._app(scope, receive, tell)
