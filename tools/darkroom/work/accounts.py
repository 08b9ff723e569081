"""Whose predictions the rows of the journal are, as far as the key in use can tell."""

import logging

from darkroom.errors import DarkroomError
from darkroom.gateways import Key, PredictionClient
from darkroom.journal import Intent, Journal

log = logging.getLogger(__name__)

AWAY_S = 24 * 3600.0


class Account:
    """The key in use at its gateway; `id` is a keyed hash of the key, empty where no key is needed."""

    def __init__(self, client: PredictionClient, journal: Journal, key: Key, id: str) -> None:
        self.client = client
        self.id = id
        self.journal = journal
        self._key = key
        self._is_asked = False

    @classmethod
    async def open(cls, client: PredictionClient, journal: Journal, key: Key) -> "Account":
        """Raises: JournalError."""
        return cls(client, journal, key, await journal.account(client.gateway.origin, key.reveal()))

    @property
    def origin(self) -> str:
        """The gateway's own, the only place that ever sees the key."""
        return self.client.gateway.origin

    async def is_here(self) -> None:
        """Note in the journal that this key is in use now."""
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
