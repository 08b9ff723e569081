"""A gateway's key as an administrator gives it, checked before it is kept."""

import re
from dataclasses import dataclass

from darkroom.errors import InvalidRequest, SettingsError
from darkroom.gateways import GatewayChoice, checked_key, named_gateway
from darkroom.gateways.choice import BASE_URL_VARIABLE, KEY_VARIABLE
from darkroom_server.team.tenants import chosen

_MOST_CREATES = 1_000_000
# https://replicate.com/docs/topics/webhooks/verify-webhook, 2026-11-25: base64 behind the prefix
_WEBHOOK_SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{16,}={0,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class NewKey:
    """A key to be kept; `creates_per_minute` None and an empty secret leave those of before as they are."""

    gateway: str
    base_url: str
    key: str
    secret: str
    creates_per_minute: int | None = None

    def choice(self) -> GatewayChoice:
        """What is kept. Raises: InvalidRequest, SettingsError for what cannot be; no key is shown."""
        profile = named_gateway(self.gateway)
        if profile.is_sandbox and not self.base_url:
            raise InvalidRequest(
                "The sandbox inside one process cannot serve a team. Start one by itself with `darkroom-mcp sandbox`, "
                "and give its address with --base-url."
            )
        if not (self.base_url or profile.base_url):
            raise InvalidRequest(
                f"Gateway {profile.name!r} has no address of its own: give it with --base-url https://…"
            )
        if self.creates_per_minute is not None and not 0 < self.creates_per_minute <= _MOST_CREATES:
            raise InvalidRequest(
                f"--creates-per-minute {self.creates_per_minute} is not possible. Allowed: 1 to {_MOST_CREATES}."
            )
        checked_key(self.key, "The key")
        if self.secret and not _WEBHOOK_SECRET.fullmatch(self.secret):
            raise InvalidRequest(
                "The second line is no secret of webhooks: it begins with whsec_, as the gateway gives it."
            )
        try:
            return chosen(profile.name, self.base_url, self.key)
        except SettingsError as error:
            words = error.message.replace(BASE_URL_VARIABLE, "--base-url").replace(
                f"set {KEY_VARIABLE}", "give the key"
            )
            raise InvalidRequest(words) from error
