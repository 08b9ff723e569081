"""Who calls: access tokens of the team's authorization server, and static ones for machines.

This is the resource server of OAuth 2.1 alone: it checks tokens and issues none. A token that cannot be checked because
the authorization server is away is no wrong token: hosts throw a log-in away at a 401, so that becomes a 503.
"""

import hashlib
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any, cast

import anyio
import anyio.to_thread
import jwt
from mcp.server.auth.provider import AccessToken

from darkroom.team_settings import TeamSettings
from darkroom_server.team.issuer import Issuer, IssuerUnreachable
from darkroom_server.team.recent import Recent
from darkroom_server.team.tenants import MACHINES, is_subject

log = logging.getLogger(__name__)

MACHINE_PREFIX = "drk_"
# Signatures by a private key alone: with a shared secret, whoever can check a token could make one.
_ALGORITHMS = ["ES256", "ES384", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "EdDSA"]
_LONGEST_TOKEN = 8_192
_LEEWAY_S = 30
_FRESH_S, _AGAIN_S, _AWAY_S = 300.0, 5.0, 2.0
_AT_ONCE, _MOST_TOLD = 8, 20
_BROKEN = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)

# The subject to whom the SHA-256 of a machine's token belongs; None where it is unknown or has expired.
Machines = Callable[[bytes], Awaitable[str | None]]


class TokenVerifier:
    """What the SDK asks about each bearer token. `machine` knows the static tokens, `version` is for `Recent`."""

    def __init__(
        self,
        team: TeamSettings,
        machine: Machines,
        version: Callable[[], int | None] = lambda: None,
        *,
        fresh_s: float = _FRESH_S,
        again_s: float = _AGAIN_S,
    ) -> None:
        self._team = team
        self._recent = Recent(version)
        self._machine = machine
        self.issuer = Issuer(team.oauth_issuer)
        self._keys = _IssuerKeys(self.issuer, fresh_s=fresh_s, again_s=again_s)
        self._limiter = anyio.CapacityLimiter(_AT_ONCE)
        self._told: set[str] = set()

    async def verify_token(self, token: str) -> AccessToken | None:
        """Whose token it is, without the token itself, so that no log or gateway can get it; None for a wrong one.

        Raises: IssuerUnreachable; DarkroomError where the database of the machines cannot be asked.
        """
        is_machine = token.startswith(MACHINE_PREFIX)
        name, check = hashlib.sha256(_bytes(token)).digest(), self._of_machine if is_machine else self.verify_person
        return await self._recent.get(name, lambda: check(token))  # the SDK looks at `expires_at` each time

    async def verify_person(self, token: str) -> AccessToken | None:
        """The same of the authorization server's tokens alone. Raises: IssuerUnreachable."""
        try:
            claims = await anyio.to_thread.run_sync(self._claims, token, limiter=self._limiter)
            return self._of_person(claims)
        except _BROKEN as error:
            self._tell(token, error)
            return None

    def _tell(self, token: str, error: Exception) -> None:
        """What the administrator can mend, once. Claims are shown only where the issuer's signature was right."""
        if isinstance(error, jwt.InvalidAudienceError | jwt.InvalidIssuerError):
            claims = jwt.decode(token, options={"verify_signature": False})
            aud, iss = repr(claims.get("aud"))[:200], repr(claims.get("iss"))[:200]
            words = (
                f"it is issued for {aud} and not for '{self._team.audience}'. Mend that at the authorization server, "
                "or set DARKROOM_OAUTH_AUDIENCE"
                if isinstance(error, jwt.InvalidAudienceError)
                else f"its issuer is {iss} and not what DARKROOM_OAUTH_ISSUER says, '{self._team.oauth_issuer}'"
            )
        elif type(error) is jwt.DecodeError:
            words = "it is no JWT. The authorization server must issue access tokens that are JWTs"
        else:
            log.info("a token was refused (%s)", type(error).__name__)
            return
        if words not in self._told and len(self._told) < _MOST_TOLD:
            self._told.add(words)
            log.warning("a token was refused: %s", words)

    async def _of_machine(self, token: str) -> AccessToken | None:
        subject = await self._machine(hashlib.sha256(_bytes(token)).digest())
        if not subject:
            return None
        return self._access("machine", [self._team.oauth_scope], None, subject, {"iss": MACHINES})

    def _of_person(self, claims: dict[str, Any]) -> AccessToken:
        """Raises: ValueError for a subject that cannot be a person's."""
        subject = str(claims["sub"])
        if not is_subject(subject):
            raise ValueError
        client = claims.get("client_id") or claims.get("azp") or ""
        kept = {name: claims[name] for name in ("iss", self._team.tenant_claim) if name in claims}
        return self._access(str(client), _scopes(claims), int(claims["exp"]), subject, kept)

    def _access(
        self, client: str, scopes: list[str], expires_at: int | None, subject: str, claims: dict[str, Any]
    ) -> AccessToken:
        return AccessToken(
            token="",
            client_id=client,
            scopes=scopes,
            expires_at=expires_at,
            resource=self._team.resource,
            subject=subject,
            claims=claims,
        )

    def _claims(self, token: str) -> dict[str, Any]:
        """The claims of a token that is signed by the issuer, for us, now. It blocks: the keys may have to be fetched.

        Raises: one of _BROKEN, IssuerUnreachable.
        """
        if len(token) > _LONGEST_TOKEN or not jwt.get_unverified_header(token).get("kid"):
            raise ValueError
        return jwt.decode(
            token,
            self._keys.get_signing_key_from_jwt(token),
            algorithms=_ALGORITHMS,
            audience=self._team.audience,
            issuer=self._team.oauth_issuer,
            leeway=_LEEWAY_S,
            options={"require": ["iss", "aud", "sub", "exp"]},
        )


class _IssuerKeys(jwt.PyJWKClient):
    """The issuer's public keys; the last ones serve while it is away."""

    def __init__(self, issuer: Issuer, *, fresh_s: float, again_s: float) -> None:
        super().__init__(issuer.url, lifespan=fresh_s, cooldown_duration=again_s)
        self._issuer = issuer
        self._last: jwt.PyJWKSet | None = None
        self._failed_s = float("-inf")

    def fetch_data(self) -> Any:
        """As the library has it, within the bounds of all that the issuer is asked. Raises: OSError, ValueError."""
        found = self._issuer.document(self.uri)
        self._last_successful_fetch = time.monotonic()
        return found

    def get_jwk_set(self, refresh: bool = False) -> jwt.PyJWKSet:
        """As the library has it. Raises: IssuerUnreachable before any key was ever had."""
        if self._last is None and time.monotonic() - self._failed_s < _AWAY_S:
            raise IssuerUnreachable
        try:
            self.uri = self._issuer.address("jwks_uri")
            self._last = super().get_jwk_set(refresh)
        except (jwt.PyJWTError, OSError, ValueError, IssuerUnreachable) as error:
            log.warning("the keys of %s cannot be had: %s", self._issuer.url, error)
            self._failed_s = time.monotonic()
            if self._last is None:
                raise IssuerUnreachable from error
            if self.jwk_set_cache:  # or each call would ask anew
                self.jwk_set_cache.put(cast("Any", self._last))
        return self._last


def _bytes(token: str) -> bytes:
    return token.encode("utf-8", "replace")


def _scopes(claims: dict[str, Any]) -> list[str]:
    """Of `scope`, or of `scp` as some write it: a text with spaces, or a list of texts."""
    given = claims.get("scope") or claims.get("scp") or ""
    return [str(each) for each in (given.split() if isinstance(given, str) else list(given))]
