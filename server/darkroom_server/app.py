"""The MCP server, put together. What a tool does is in `darkroom`; what the model sees of it, in `tools`."""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import anyio
from anyio.abc import TaskGroup
from mcp.server import MCPServer
from mcp.server.caching import CacheHint
from mcp.server.extension import Extension
from mcp.server.subscriptions import InMemorySubscriptionBus, SubscriptionBus

from darkroom.settings import Settings
from darkroom_server import __version__
from darkroom_server.end_notices import EndNotices
from darkroom_server.gallery import image_hosts
from darkroom_server.instructions import instructions
from darkroom_server.mcp_server import DarkroomServer
from darkroom_server.opener import DarkroomOpener
from darkroom_server.prompts import add_completions, add_prompts
from darkroom_server.rooms import OneRoom, Rooms
from darkroom_server.wire import Stdout

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.registry import ModelRegistry
    from darkroom_server.calls import Calls


def create_server(
    settings: Settings, *, is_leaving: Callable[[], bool] = lambda: False, conversation: str = ""
) -> MCPServer[Rooms]:
    """The server, not yet running. `is_leaving` tells whether the host has hung up (stdio); then nothing is canceled.

    `conversation` is given where one host talks to this process alone and by no HTTP: "latest" is then its own.
    """

    def open_darkroom() -> "AbstractAsyncContextManager[Darkroom]":
        from darkroom.darkroom import Darkroom

        preview_px = settings.preview_px if settings.previews == "on" else 0
        return Darkroom.open(replace(settings.options(), on_ended=notices.announce, preview_px=preview_px))

    registry = registry_of(settings)
    stdout = Stdout()
    bus = InMemorySubscriptionBus()
    notices = EndNotices(bus)
    opener = DarkroomOpener(open_darkroom)

    def calls(tasks: TaskGroup) -> "Calls":
        from darkroom_server.answers import Host
        from darkroom_server.calls import Calls

        host = Host(is_leaving=is_leaving, conversation=conversation, stdout=stdout)
        return Calls(opener, registry, settings, tasks, host)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Rooms]) -> AsyncGenerator[Rooms]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notices.publish)
            tasks.start_soon(opener.keep_open)
            room = OneRoom(lambda: calls(tasks))
            try:
                yield room
            finally:
                await room.settle()
                tasks.cancel_scope.cancel()

    hosts = ["data:"] if settings.problem else image_hosts(settings.choice.gateway)
    exposure = Exposure(instructions=instructions(settings), image_hosts=hosts, stdout=stdout, subscriptions=bus)
    return assemble(settings, registry, lifespan, exposure)


class _Apps(Extension):
    """Tells hosts that there is a gallery; `fill` adds it. The SDK's own class would build models before a greeting."""

    identifier = "io.modelcontextprotocol/ui"


@dataclass(frozen=True, kw_only=True)
class Exposure:
    """How the server shows itself: what the model is told first, and the hosts whose images the gallery may load.

    `stdout` hears of what is written over stdio, `subscriptions` tells who watches a prediction; `security` are the
    SDK's arguments for a log-in, `hidden` folders of this computer that no answer may name.
    """

    instructions: str
    image_hosts: Sequence[str]
    stdout: Stdout | None = None
    subscriptions: "SubscriptionBus | Literal[False]" = False
    hidden: Sequence[str] = ()
    security: Mapping[str, Any] = field(default_factory=dict[str, Any])


def assemble(
    settings: Settings,
    registry: "Callable[[], ModelRegistry]",
    lifespan: "Callable[[MCPServer[Rooms]], AbstractAsyncContextManager[Rooms]]",
    exposure: Exposure,
) -> MCPServer[Rooms]:
    """Tools, resources, prompts and the gallery over the rooms that `lifespan` opens."""

    def fill(server: DarkroomServer) -> None:
        from darkroom_server.resources import add_gallery, add_resources
        from darkroom_server.tools import TOOLS

        server.add_tools((row.tool(settings) for row in TOOLS), {row.name: row.refusal(settings) for row in TOOLS})
        add_gallery(server, exposure.image_hosts)
        add_resources(server, registry)
        add_prompts(server)

    server = DarkroomServer(
        "darkroom",
        fill=fill,
        stdout=exposure.stdout,
        hidden=exposure.hidden,
        title="Darkroom",
        version=__version__,
        instructions=exposure.instructions,
        lifespan=lifespan,
        log_level="WARNING",
        subscriptions=exposure.subscriptions,
        extensions=[_Apps()],
        cache_hints={"tools/list": CacheHint(ttl_ms=300_000, scope="private")},
        **exposure.security,
    )
    add_completions(server, registry)
    return server


def registry_of(settings: Settings) -> "Callable[[], ModelRegistry]":
    """Gives the models, read at the first call."""

    @cache
    def registry() -> "ModelRegistry":
        from darkroom.registry import ModelRegistry

        return ModelRegistry.load(settings.models_dir)

    return registry
