"""What a worker needs for one gateway account: its client, the journal of everyone in its tenant, and what follows it."""

import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.abc
from pydantic import JsonValue

from darkroom.errors import SettingsError
from darkroom.images import ImageState
from darkroom.journal.database import EVERYONE
from darkroom.journal.postgres import Postgres
from darkroom.outputs import OutputStores
from darkroom.registry import ModelRegistry
from darkroom.settings import Settings
from darkroom.work.bills import Bills
from darkroom.work.image_fetching import ImageFetching
from darkroom.work.receipts import receipts
from darkroom.work.reconcile import ReconcileRules
from darkroom.work.runtime import Runtime
from darkroom_server.team import outbox
from darkroom_server.team.account_rows import AccountRows, what_follows
from darkroom_server.team.account_watch import AccountWatch
from darkroom_server.team.clients import AccountClients, Clients
from darkroom_server.team.team_account import TeamAccount
from darkroom_server.team.team_journal import TeamJournal
from darkroom_server.team.tenants import Directory, GatewayAccount

log = logging.getLogger(__name__)

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRoom:
    """`watch` follows the account; `journal` is everyone's in its tenant."""

    clients: AccountClients
    journal: TeamJournal
    watch: AccountWatch
    fetching: ImageFetching
    bills: Bills

    async def bring_home(self, prediction_id: str) -> None:
        """Try its images, again with growing pauses, until each is stored, lost or refused.

        Raises: JournalError.
        """
        intent = await self.journal.find(prediction_id)
        pause_s = _FIRST_PAUSE_S
        while intent and any(image.state is ImageState.WANTED for image in intent.images):
            intent = await self.fetching.first_round(intent)
            await self.journal.tell(intent.key)
            if any(image.state is ImageState.WANTED for image in intent.images):
                await anyio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
