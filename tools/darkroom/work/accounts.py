"""Whose predictions the rows of the journal are, as far as the key in use can tell."""

import hashlib
import hmac
import logging
import math
import secrets

from darkroom.errors import DarkroomError
from darkroom.gateways import Key, PredictionClient
from darkroom.journal import Intent, Journal, Look

log = logging.getLogger(__name__)

AWAY_S = 24 * 3600.0
_NOTED_EVERY_S = 3600.0


class Account:
    """The key in use at its gateway, whose `origin` alone ever sees it; `id` is a keyed hash, empty without a key."""

    def __init__(self, client: PredictionClient, journal: Journal, key: Key, id: str) -> None:
        self.client = client
        self.origin = client.gateway.origin
        self.id = id
        self.journal = journal
        self._key = key
        self._is_asked = False
        self._seal = (key.reveal() or secrets.token_hex(32)).encode(errors="replace")

    @classmethod
    async def open(cls, client: PredictionClient, journal: Journal, key: Key) -> "Account":
        """Raises: JournalError."""
        given = (client.gateway.origin, key.reveal())
        account = await journal.known_account(*given, within_s=math.inf)
        return cls(client, journal, key, await journal.account(*given) if account is None else account)

    def look(self, now: float, *, is_final: bool = False) -> Look:
        """A look at this gateway now (seconds since the epoch)."""
        return Look(now=now, link_lifetime_s=self.client.gateway.link_lifetime_s, is_final=is_final)

    def sealed(self, secret: str) -> str:
        """A hash of a secret, keyed with the key in use; without one it is only good in this process."""
        return hmac.new(self._seal, secret.encode(errors="replace"), hashlib.sha256).hexdigest()

    async def is_here(self) -> None:
        """Note in the journal, once in an hour, that this key is in use now."""
        if await self.journal.known_account(self.origin, self._key.reveal(), within_s=_NOTED_EVERY_S) is None:
            await self.journal.account(self.origin, self._key.reveal())

    async def owns(self, intent: Intent) -> bool:
        """True where this key may say that the prediction is not there; rows without an account are everybody's."""
        return intent.account in await self.journal.same_accounts(self.id)

    async def away(self) -> frozenset[str]:
        """Other accounts of this gateway whose keys were not here for a day."""
        away = await self.journal.accounts_away(self.origin, AWAY_S)
        return away - await self.journal.same_accounts(self.id)

    async def learn_name(self) -> None:
        """Ask the gateway once whose key this is, so that another key of the same account is known as such."""
        if self._is_asked or not self.id or not self.client.gateway.has_account:
            return
        self._is_asked = True
        try:
            if not await self.journal.account_name(self.id) and (name := await self.client.account_name()):
                await self.journal.name_account(self.id, name)
        except DarkroomError as error:
            log.info("the gateway did not say whose key it is: %s", error)
