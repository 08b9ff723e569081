"""The MCP server, put together. What a tool does is in `darkroom`; what the model sees of it, in `tools`."""

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskGroup
from mcp.server import MCPServer
from mcp.server.caching import CacheHint
from mcp.server.extension import Extension
from mcp.server.subscriptions import InMemorySubscriptionBus
from mcp.shared.subscriptions import ResourceUpdated

from darkroom.settings import Settings
from darkroom_server import __version__
from darkroom_server.gallery import image_hosts
from darkroom_server.instructions import instructions
from darkroom_server.mcp_server import DarkroomServer
from darkroom_server.opener import DarkroomOpener
from darkroom_server.prompts import add_completions, add_prompts
from darkroom_server.rooms import OneRoom, Rooms
from darkroom_server.wire import Stdio

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.journal import Intent
    from darkroom.registry import ModelRegistry
    from darkroom_server.calls import Calls


def create_server(
    settings: Settings,
    *,
    is_leaving: Callable[[], bool] = lambda: False,
    conversation: str = "",
    stdio: Stdio | None = None,
) -> MCPServer[Rooms]:
    """The server, not yet running. `is_leaving` tells whether the host has hung up (stdio); then nothing is canceled.

    `conversation` and `stdio` are given where one host talks to this process alone and by no HTTP: "latest" is then
    its own.
    """

    registry = registry_of(settings)
    stdio = stdio or Stdio()
    bus, one_at_a_time = InMemorySubscriptionBus(), anyio.Lock()

    async def tell_of_end(intent: "Intent") -> None:
        """A host that watches `prediction://ID` need not poll."""
        async with one_at_a_time:  # so that what listens can keep up
            await bus.publish(ResourceUpdated(uri=f"prediction://{intent.prediction_id}"))

    def open_darkroom(tasks: TaskGroup) -> "AbstractAsyncContextManager[Darkroom]":
        from darkroom.darkroom import Darkroom

        preview_px = settings.preview_px if settings.previews == "on" else 0
        on_ended = partial(tasks.start_soon, tell_of_end)
        return Darkroom.open(replace(settings.options(), on_ended=on_ended, preview_px=preview_px))

    def calls(opener: DarkroomOpener, tasks: TaskGroup) -> "Calls":
        from darkroom_server.answers import Host
        from darkroom_server.calls import Calls

        host = Host(is_leaving=is_leaving, conversation=conversation, stdio=stdio)
        return Calls(opener, registry, settings, tasks, host)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Rooms]) -> AsyncGenerator[Rooms]:
        async with anyio.create_task_group() as tasks:
            opener = DarkroomOpener(partial(open_darkroom, tasks))
            tasks.start_soon(opener.keep_open)
            room = OneRoom(partial(calls, opener, tasks))
            try:
                yield room
            finally:
                await room.settle()
                tasks.cancel_scope.cancel()

    hosts = ["data:"] if settings.problem else image_hosts(settings.choice.gateway)
    told = instructions(settings)
    return assemble(settings, registry, lifespan, instructions=told, image_hosts=hosts, stdio=stdio, subscriptions=bus)


def assemble(
    settings: Settings,
    registry: "Callable[[], ModelRegistry]",
    lifespan: "Callable[[MCPServer[Rooms]], AbstractAsyncContextManager[Rooms]]",
    *,
    image_hosts: Sequence[str],
    **arguments: Any,
) -> MCPServer[Rooms]:
    """Tools, resources, prompts and the gallery over the rooms that `lifespan` opens.

    The gallery may load images from `image_hosts`; `arguments` are others of the server, such as for a log-in.
    """

    def add_tools(server: DarkroomServer) -> None:
        from darkroom_server.tools import TOOLS

        server.add_tools((row.tool(settings) for row in TOOLS), {row.name: row.refusal(settings) for row in TOOLS})

    def add_resources(server: DarkroomServer) -> None:
        from darkroom_server import resources

        resources.add_gallery(server, image_hosts)
        resources.add_resources(server, registry)

    gallery = Extension()  # tells hosts of it; the SDK's Apps would build models before a host is greeted
    gallery.identifier = "io.modelcontextprotocol/ui"
    server = DarkroomServer(
        "darkroom",
        fill={"tools": add_tools, "resources": add_resources, "prompts": add_prompts},
        title="Darkroom",
        version=__version__,
        lifespan=lifespan,
        log_level="WARNING",
        extensions=[gallery],
        cache_hints={"tools/list": CacheHint(ttl_ms=300_000, scope="private")},
        **arguments,
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
