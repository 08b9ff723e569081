"""The gateway accounts that this process has used: their clients are opened once, and anew when the key has changed."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

import anyio

from darkroom.gateways import Gateway, Key, OutputFetcher, PredictionClient
from darkroom_server.team.tenants import GatewayAccount


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountClients:
    """What talks to the gateway with the key of one account, and to the hosts of its images without it."""

    gateway: Gateway
    key: Key
    client: PredictionClient
    fetcher: OutputFetcher


class Clients(AsyncExitStack):
    """Leaving it closes them all: work that goes on may still use an older one."""

    def __init__(self) -> None:
        super().__init__()
        self._open: dict[tuple[str, str], AccountClients] = {}
        self._one_at_a_time = anyio.Lock()

    async def of(self, account: GatewayAccount) -> AccountClients:
        """Raises: SettingsError where its gateway or address cannot be used."""
        choice = account.choice
        name = (account.id, f"{choice.gateway.base_url} {account.api_key.reveal()}")
        async with self._one_at_a_time:
            if name not in self._open:
                client = await self.enter_async_context(PredictionClient(choice.gateway, choice.key))
                fetcher = await self.enter_async_context(OutputFetcher(choice.gateway))
                self._open[name] = AccountClients(
                    gateway=choice.gateway, key=choice.key, client=client, fetcher=fetcher
                )
            return self._open[name]
