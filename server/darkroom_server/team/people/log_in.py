"""The log-in of the page: authorization code with PKCE (RFC 7636), as a public client of the team's issuer.

    begin     a state, sealed, with the verifier and the way back in it; bound to the browser by a cookie
    finish    state and issuer (RFC 9207) checked, the code exchanged, the access token checked like that of any host

The access token is for this server (RFC 8707) and says who it is, so no identity token is asked for. It is not kept.
"""

import base64
import hashlib
import logging
import re
import secrets
from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar
from urllib.parse import urlencode, urlsplit

import anyio
import anyio.to_thread
from mcp.server.auth.provider import AccessToken

from darkroom.team_settings import TeamSettings
from darkroom_server.team.issuer import IssuerUnreachable
from darkroom_server.team.people.visitor import Seals
from darkroom_server.team.tokens import TokenVerifier

log = logging.getLogger(__name__)

T = TypeVar("T")

LIFETIME_S = 600
_STATE = "state of a log-in"
_AT_ONCE = 8
_LONGEST_PATH = 500
_OWN_PATH = re.compile(r"/(?![/\\])[!-\[\]-~]*")
_OF_THE_LOG_IN = ("/login", "/callback", "/logout")


class LogInFailed(Exception):
    """What the person should know: an HTTP status, what happened, and what to do."""

    def __init__(self, status: int, title: str, words: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.words = words


class LogIn:
    """`verifier` knows the issuer and checks its tokens."""

    def __init__(self, team: TeamSettings, seals: Seals, verifier: TokenVerifier) -> None:
        self._team = team
        self._seals = seals
        self._verifier = verifier
        self._issuer = verifier.issuer
        self._redirect = f"{team.public_url}/callback"
        # Apart, as anybody can begin a log-in and bring a code: slow answers to codes must keep no page waiting.
        self._reading, self._exchanging = (anyio.CapacityLimiter(_AT_ONCE) for _ in range(2))

    async def begin(self, browser: str, return_to: str, *, as_other: bool) -> str:
        """The address at the issuer where this browser logs in. `as_other`: with an account that can be chosen anew.

        Raises: LogInFailed.
        """
        endpoint = await self._address("authorization_endpoint")
        verifier = secrets.token_urlsafe(48)
        held: dict[str, object] = {"browser": browser, "verifier": verifier, "return_to": own_path(return_to)}
        asked = {
            "response_type": "code",
            "client_id": self._team.oauth_client_id,
            "redirect_uri": self._redirect,
            "scope": self._team.oauth_scope,
            "resource": self._team.resource,
            "state": self._seals.seal(_STATE, held, LIFETIME_S),
            "code_challenge": base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("="),
            "code_challenge_method": "S256",
        } | ({"prompt": "login"} if as_other else {})
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(asked)}"

    async def finish(self, browser: str, came: Mapping[str, str]) -> tuple[AccessToken, str]:
        """Who has logged in, by what came back, and the path to which they wanted. Raises: LogInFailed."""
        held = self._seals.open(_STATE, came.get("state", ""))
        if not held or not browser or not secrets.compare_digest(held["browser"].encode(), browser.encode()):
            raise LogInFailed(
                *(400, "This log-in cannot be finished"),
                "It was begun more than ten minutes ago, in another browser, or this browser keeps no cookies.",
            )
        await self._check_issuer(came)
        if error := came.get("error"):
            raise _refused(error)
        token = await self._token(came.get("code", ""), held["verifier"])
        if (access := await self._verified(token)) is None:
            raise LogInFailed(
                *(403, "Your log-in is not for this server"),
                "The authorization server gave a token that cannot be taken here. An administrator finds the reason "
                "in the log of the server.",
            )
        if self._team.oauth_scope not in access.scopes:
            raise LogInFailed(
                *(403, "You may not use this darkroom"),
                f"Your log-in came without the scope '{self._team.oauth_scope}'. Ask an administrator for it.",
            )
        return access, own_path(held["return_to"])

    async def end_address(self) -> str:
        """Where the session at the issuer ends, "" where it has no such place (OpenID RP-Initiated Logout 1.0)."""
        try:
            endpoint = await self._address("end_session_endpoint")
        except LogInFailed:
            return ""
        asked = urlencode({"client_id": self._team.oauth_client_id})
        return endpoint and f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{asked}"

    async def _check_issuer(self, came: Mapping[str, str]) -> None:
        """Raises: LogInFailed where another issuer has answered."""
        is_told = await self._asked(
            partial(self._issuer.says, "authorization_response_iss_parameter_supported"), self._reading
        )
        named = came.get("iss", "" if is_told else self._team.oauth_issuer)
        if named != self._team.oauth_issuer:
            raise LogInFailed(400, "This log-in cannot be finished", "Another server than the one asked has answered.")

    async def _token(self, code: str, verifier: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect,
            "client_id": self._team.oauth_client_id,
            "code_verifier": verifier,
            "resource": self._team.resource,
        }
        status, answer = await self._asked(partial(self._issuer.exchange, form), self._exchanging)
        if status >= 500 or status == 429:
            log.warning("%s answers HTTP %d to a code", self._team.oauth_issuer, status)
            raise _away()
        if status != 200:
            log.warning("%s refuses a code: HTTP %d, %.80r", self._team.oauth_issuer, status, answer.get("error"))
            words = "The authorization server did not take it. It may have been used already: each works once."
            raise LogInFailed(400, "This log-in cannot be finished", words)
        return str(answer.get("access_token", ""))

    async def _verified(self, token: str) -> AccessToken | None:
        try:
            return await self._verifier.verify_person(token)
        except IssuerUnreachable as error:
            raise _away() from error

    async def _address(self, name: str) -> str:
        found = await self._asked(partial(self._issuer.address, name), self._reading)
        if not found and name == "authorization_endpoint":
            log.warning("the metadata of %s names no authorization_endpoint", self._team.oauth_issuer)
            raise _away()
        return found

    async def _asked(self, ask: Callable[[], T], limiter: anyio.CapacityLimiter) -> T:
        """What the issuer answers, in a thread. Raises: LogInFailed."""
        try:
            return await anyio.to_thread.run_sync(ask, limiter=limiter)
        except IssuerUnreachable as error:
            log.warning("nobody can log in at %s: %s", self._team.oauth_issuer, error)
            raise _away() from error


def own_path(text: str) -> str:
    """A path of this server, as it is; "/" for everything else, and for what would begin a log-in anew."""
    if len(text) > _LONGEST_PATH or not _OWN_PATH.fullmatch(text) or urlsplit(text).path in _OF_THE_LOG_IN:
        return "/"
    return text


def _refused(error: str) -> LogInFailed:
    """What the issuer's own refusal means (RFC 6749, section 4.1.2.1)."""
    if error == "access_denied":
        return LogInFailed(403, "You were not logged in", "The log-in was canceled, or you may not use darkroom.")
    if error in ("temporarily_unavailable", "server_error"):
        return _away()
    log.warning("the authorization server refuses a log-in: %.80r", error)
    words = "The authorization server refused it. An administrator finds the reason in the log of the server."
    return LogInFailed(502, "You were not logged in", words)


def _away() -> LogInFailed:
    words = "The authorization server does not answer at the moment. Try again in a minute."
    return LogInFailed(503, "Nobody can log in at the moment", words)
