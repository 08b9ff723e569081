"""The routes for people: the log-in, and the pages behind it.

    /login /callback     to the authorization server and back; one that fails is a page, so that nothing goes in circles
    /logout              POST from a form of the page: the session ends here, then at the authorization server
    / /page/...          pictures and spending: `views` and `data_routes`
    /connect /uploads    `connecting`

Every answer has the headers of the gallery's page.
"""

import re
import secrets
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from darkroom.errors import AccessRefused, DarkroomError
from darkroom.settings import Settings
from darkroom.team_settings import TeamSettings
from darkroom_server.bodies import HeldBodies, whole_body
from darkroom_server.page.guard import ALWAYS, UNLESS_SAID
from darkroom_server.page.routes import Endpoint
from darkroom_server.team.opened import Opened
from darkroom_server.team.people import connecting, log_in
from darkroom_server.team.people.data_routes import NotYours, people_routes, told
from darkroom_server.team.people.log_in import LogIn, LogInFailed
from darkroom_server.team.people.shell import words_page
from darkroom_server.team.people.views import pictures_page
from darkroom_server.team.people.visitor import Sessions, Visitor, is_own_form, to_login
from darkroom_server.team.tokens import TokenVerifier
from darkroom_server.team.vault import Vault

_BROWSER = "darkroom-log-in"
_MADE_HERE = re.compile(r"[A-Za-z0-9_-]{32}")
_MOST_FORM_BYTES = 4096
_AGAIN = {"Log in": "/login"}
_AS_OTHER = {"Try again": "/login", "Log in as somebody else": "/login?as=other"}


class People:
    """`opened` gives what is open once the server has started, and raises DarkroomClosed before."""

    def __init__(
        self,
        team: TeamSettings,
        vault: Vault,
        verifier: TokenVerifier,
        opened: Callable[[], Opened],
        bodies: HeldBodies,
    ) -> None:
        self._team = team
        self._bodies = bodies
        self._opened = opened
        self._sessions = Sessions(team, vault, lambda: opened().directory)
        self._log_in = LogIn(team, self._sessions.seals, verifier)

    async def who(self, request: Request) -> Visitor | None:
        """Whose session a request belongs to. Raises: DarkroomError."""
        return await self._sessions.visitor(request)

    def routes(self, settings: Settings) -> list[Route]:
        """They need nothing around them but the server. Raises: SettingsError."""
        pages = {"/": self._start, "/connect": self._connect, "/login": self._to_issuer, "/callback": self._from_issuer}
        return [
            *(Route(path, _page(endpoint), methods=["GET"]) for path, endpoint in pages.items()),
            Route("/logout", _page(self._log_out), methods=["POST"]),
            Route("/uploads", told(self._add), methods=["POST"]),
            *people_routes(self.who, lambda: self._opened().postgres, settings),
        ]

    async def _start(self, request: Request) -> Response:
        if await self.who(request) is None:
            return to_login(request)
        html, policy = pictures_page()
        return HTMLResponse(html, headers={"Content-Security-Policy": policy})

    async def _connect(self, request: Request) -> Response:
        visitor = await self.who(request)
        return connecting.connect_page(self._team, visitor) if visitor else to_login(request)

    async def _add(self, request: Request) -> Response:
        if (visitor := await self.who(request)) is None:
            raise NotYours(401)
        if not self._is_from(visitor, request, request.headers.get("x-form-token", "")):
            raise NotYours(403)
        calls = await self._opened().rooms.of(visitor.principal)
        with self._bodies.by(visitor.principal.hash) as take:
            return await connecting.add_picture(request, calls, take)

    async def _to_issuer(self, request: Request) -> Response:
        seals, given = self._sessions.seals, request.query_params
        # Kept where it is there already, so that two tabs can log in at once.
        browser = request.cookies.get(seals.name(_BROWSER), "")
        browser = browser if _MADE_HERE.fullmatch(browser) else secrets.token_urlsafe(24)
        as_other = given.get("as") == "other"
        address = await self._log_in.begin(browser, given.get("return_to", "/"), as_other=as_other)
        answer = RedirectResponse(address, 303)
        seals.set(answer, _BROWSER, browser, log_in.LIFETIME_S)
        return answer

    async def _from_issuer(self, request: Request) -> Response:
        browser = request.cookies.get(self._sessions.seals.name(_BROWSER), "")
        access, return_to = await self._log_in.finish(browser, request.query_params)
        principal = await self._opened().rooms.principal(access)
        answer = RedirectResponse(return_to, 303)
        self._sessions.begin(answer, principal)
        return answer

    async def _log_out(self, request: Request) -> Response:
        visitor, token = await self.who(request), await _form_token(request)
        # A form of another site comes without the cookie, and the answer would take it away all the same.
        if not (self._is_from(visitor, request, token) if visitor else is_own_form(request, self._team.public_url)):
            words = "This page is too old, or the request came from another one. You are still logged in."
            return words_page("You were not logged out", words, {"Go back": "/connect"}, status_code=403)
        answer = words_page("You are logged out", "Your hosts stay connected: each has a log-in of its own.", _AGAIN)
        self._sessions.end(answer)
        if visitor and (end := await self._log_in.end_address()):
            answer.headers["Refresh"] = f"0; url={end}"
        return answer

    def _is_from(self, visitor: Visitor, request: Request, token: str) -> bool:
        """Whether a page of this session has sent it."""
        is_same = secrets.compare_digest(token.encode(), visitor.form_token.encode())
        return is_same and is_own_form(request, self._team.public_url)


async def _form_token(request: Request) -> str:
    body = await whole_body(request.stream(), _MOST_FORM_BYTES) or b""
    return parse_qs(body.decode(errors="replace")).get("form_token", [""])[0]


def _page(endpoint: Endpoint) -> Endpoint:
    """With the headers of a page, and with what cannot be done told on one."""

    async def answer(request: Request) -> Response:
        try:
            found = await endpoint(request)
        except LogInFailed as failed:
            found = words_page(failed.title, failed.words, _AS_OTHER, status_code=failed.status)
        except AccessRefused as error:
            found = words_page("You may not use this darkroom", error.message, _AS_OTHER, status_code=403)
        except DarkroomError:
            words = "The database does not answer at the moment. Try again in a minute."
            found = words_page("Nothing can be shown at the moment", words, {"Try again": "/"}, status_code=503)
        except ClientDisconnect:
            return Response(status_code=400)
        found.headers.update(ALWAYS)
        for name, value in UNLESS_SAID.items():
            found.headers.setdefault(name, value)
        return found

    return answer
