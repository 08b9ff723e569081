"""Who looks at the page: a sealed cookie says so, which any replica can read and nobody can make.

It holds who it is and until when, and no token: a browser can lose nothing that would open the authorization server.
"""

import base64
import json
import secrets
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from darkroom.errors import SettingsError
from darkroom.team_settings import TeamSettings
from darkroom.uris import scheme_of
from darkroom_server.team.tenants import Directory, Principal, principal_hash
from darkroom_server.team.vault import Vault

LIFETIME_S = 4 * 3600
_PURPOSE = "darkroom page"
_SESSION = "session"
_LONGEST_COOKIE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A person with a session. `form_token` is in each form of theirs, and in none that somebody else has made."""

    principal: Principal
    form_token: str = field(repr=False)


# None without a session, or where it is over or its person is gone. Raises: JournalError.
Who = Callable[[Request], Awaitable[Visitor | None]]


class Seals:
    """Sealed texts that go through a browser. `is_secure`: the page is reached by https."""

    def __init__(self, vault: Vault, *, is_secure: bool) -> None:
        self._vault = vault.apart(_PURPOSE)
        self._is_secure = is_secure

    def seal(self, purpose: str, values: dict[str, object], lifetime_s: float) -> str:
        """Values that can be read for so long, as a text of letters, digits, `-` and `_`."""
        text = json.dumps({**values, "until": time.time() + lifetime_s}, ensure_ascii=False)
        return base64.urlsafe_b64encode(self._vault.seal(text, purpose)).decode().rstrip("=")

    def open(self, purpose: str, text: str) -> dict[str, str]:
        """What was sealed for this purpose; {} where it is over, or was not sealed here."""
        with suppress(SettingsError, ValueError):
            if len(text) <= _LONGEST_COOKIE:
                sealed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
                values = json.loads(self._vault.open(sealed, purpose))
                if values.pop("until") > time.time():
                    return values
        return {}

    def name(self, name: str) -> str:
        """The cookie of this name. A browser takes one with the prefix from this very host alone (RFC 6265bis)."""
        return f"__Host-{name}" if self._is_secure else name

    def set(self, response: Response, name: str, value: str, lifetime_s: int) -> None:
        """Set a cookie that no script and no form of another site gets hold of."""
        response.set_cookie(
            self.name(name), value, max_age=lifetime_s, path="/", secure=self._is_secure, httponly=True, samesite="lax"
        )


class Sessions:
    """Opens and reads sessions. `directory` gives the tables, once they are there."""

    def __init__(self, team: TeamSettings, vault: Vault, directory: Callable[[], Directory]) -> None:
        self.seals = Seals(vault, is_secure=scheme_of(team.public_url) == "https")
        self._team = team
        self._directory = directory

    def begin(self, response: Response, principal: Principal) -> None:
        """Set the cookie."""
        values: dict[str, object] = {
            "tenant": principal.tenant,
            "issuer": principal.issuer,
            "subject": principal.subject,
            "form_token": secrets.token_urlsafe(24),
        }
        self.seals.set(response, "darkroom", self.seals.seal(_SESSION, values, LIFETIME_S), LIFETIME_S)

    def end(self, response: Response) -> None:
        """Take the cookie away."""
        self.seals.set(response, "darkroom", "", 0)

    async def visitor(self, request: Request) -> Visitor | None:
        """Whose session it is; None where it is over, or they are not known any more. Raises: JournalError."""
        held = self.seals.open(_SESSION, request.cookies.get(self.seals.name("darkroom"), ""))
        if not held or held["issuer"] != self._team.oauth_issuer:
            return None
        issuer, subject = held["issuer"], held["subject"]
        principal = Principal(
            tenant=held["tenant"], issuer=issuer, subject=subject, hash=principal_hash(issuer, subject)
        )
        if not await self._directory().knows(principal):
            return None
        return Visitor(principal=principal, form_token=held["form_token"])


def to_login(request: Request) -> Response:
    """Lead a browser to the log-in, and back to what it asked for."""
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?{urlencode({'return_to': wanted})}", status_code=303)


def wants_page(request: Request) -> bool:
    """Whether a browser asks for something to show, and no program for data."""
    is_html = "text/html" in request.headers.get("accept", "")
    return request.method == "GET" and is_html and "authorization" not in request.headers


def is_own_form(request: Request, origin: str) -> bool:
    """Whether nothing says that a page of another origin has sent it."""
    # "null" is what a page that tells no referrer sends.
    from_there = request.headers.get("origin", "null") in (origin, "null")
    return from_there and request.headers.get("sec-fetch-site", "same-origin") in ("same-origin", "none")
