"""The Darkrooms of a team: one for each person and gateway account that calls, closed when it was quiet for long.

Everything that a call can reach hangs on its own room: the journal that sees this person's rows alone, the client with
the key that pays for them, their pictures, the calls that wait. Who calls is read from the context of each call.
"""

import hashlib
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import anyio
import anyio.abc
from mcp.server.auth.middleware.auth_context import get_access_token
from mcp.server.auth.provider import AccessToken, principal_components
from mcp.server.context import ServerRequestContext

from darkroom.darkroom import Darkroom
from darkroom.errors import AccessRefused
from darkroom.registry import ModelRegistry
from darkroom.settings import Settings
from darkroom_server.answers import Host
from darkroom_server.calls import Calls
from darkroom_server.opener import DarkroomOpener
from darkroom_server.rooms import Rooms
from darkroom_server.team.recent import Recent
from darkroom_server.team.tenants import Directory, GatewayAccount, Principal

_QUIET_S = 900.0
_LOOK_EVERY_S = 60.0

OpenDarkroom = Callable[[Principal, GatewayAccount], AbstractAsyncContextManager[Darkroom]]


@dataclass(kw_only=True)
class _Room:
    calls: Calls
    used_s: float
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)


class TeamRooms:
    """`Rooms` of whoever is logged in. `tasks` outlive every call; `open_darkroom` opens one for a person."""

    def __init__(
        self,
        directory: Directory,
        open_darkroom: OpenDarkroom,
        registry: Callable[[], ModelRegistry],
        settings: Settings,
        tasks: anyio.abc.TaskGroup,
        recent: Recent,
    ) -> None:
        self._directory = directory
        self._open_darkroom = open_darkroom
        self._registry = registry
        self._settings = settings
        self._tasks = tasks
        self._recent = recent
        self._rooms: dict[tuple[str, str, str, str], _Room] = {}

    async def calls(self) -> Calls:
        """Raises: AccessRefused, SettingsError (no key of a gateway), JournalError."""
        access = get_access_token()

        async def found() -> _Room:
            return self._at(*await self._directory.caller_of(*_named_in(access)))

        room = await self._recent.get(access and repr((principal_components(access), access.claims)), found)
        room.used_s = anyio.current_time()
        return room.calls

    async def of(self, principal: Principal) -> Calls:
        """The calls of this person. Raises: SettingsError (no key of a gateway), JournalError."""
        return self._at(principal, await self._directory.account_of(principal)).calls

    def _at(self, principal: Principal, account: GatewayAccount) -> _Room:
        # A new key makes a new room; the calls that wait in the old one end there.
        key = hashlib.sha256(f"{account.base_url} {account.api_key.reveal()}".encode()).hexdigest()
        place = (principal.tenant, principal.hash, account.id, key)
        if (room := self._rooms.get(place)) is None:
            room = self._rooms[place] = self._made(principal, account)
        room.used_s = anyio.current_time()
        return room

    async def principal(self, access: AccessToken | None) -> Principal:
        """Who is logged in. Raises: AccessRefused, JournalError."""
        return await self._directory.principal_of(*_named_in(access))

    def hear_cancel(self, ctx: ServerRequestContext[Rooms, Any]) -> None:
        """Nothing: a dropped line looks like a person's cancel here, so only get_prediction(cancel=true) cancels."""

    async def close_quiet_ones(self) -> None:
        """Runs for ever."""
        while True:
            await anyio.sleep(_LOOK_EVERY_S)
            oldest_s = anyio.current_time() - _QUIET_S
            for place, room in list(self._rooms.items()):
                if room.used_s < oldest_s and not room.calls.open_calls.are_there:
                    del self._rooms[place]
                    room.scope.cancel()

    @property
    def open_count(self) -> int:
        """How many are open."""
        return len(self._rooms)

    async def settle(self) -> None:
        """Return when every answer that has left is marked in the journal, or hardly any time to leave is left."""
        async with anyio.create_task_group() as tasks:
            for room in self._rooms.values():
                tasks.start_soon(room.calls.answers.settle)

    def _made(self, principal: Principal, account: GatewayAccount) -> _Room:
        opener = DarkroomOpener(lambda: self._open_darkroom(principal, account))
        # As if the host were always leaving: no end of a call cancels anything at the gateway.
        host = Host(is_leaving=lambda: True)
        settings = self._settings.at(account.choice)
        calls = Calls(opener, self._registry, settings, self._tasks, host)
        room = _Room(calls=calls, used_s=anyio.current_time())
        self._tasks.start_soon(_keep_open, opener, room.scope)
        return room


async def _keep_open(opener: DarkroomOpener, scope: anyio.CancelScope) -> None:
    with scope:
        await opener.keep_open()


def _named_in(access: AccessToken | None) -> tuple[str, str, dict[str, Any]]:
    """The issuer, the subject and the claims of a token."""
    if access is None:
        raise AccessRefused("Nobody is logged in. Nothing was sent. Connect again to log in.")
    _, issuer, subject = principal_components(access)
    return issuer or "", subject or "", access.claims or {}
