"""The MCP server, put together. What a tool does is in `darkroom`; what the model sees of it, in `tools`."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import anyio
from mcp.server import MCPServer
from mcp.server.apps import APP_MIME_TYPE, Apps, ResourceCsp
from mcp.server.caching import CacheHint
from mcp.server.mcpserver.resources import FileResource
from mcp.server.subscriptions import InMemorySubscriptionBus

from darkroom.settings import Settings
from darkroom_server import __version__
from darkroom_server.answers import Host
from darkroom_server.calls import Calls
from darkroom_server.gallery import GALLERY_FILE, GALLERY_URI, image_hosts
from darkroom_server.instructions import instructions
from darkroom_server.mcp_server import DarkroomServer
from darkroom_server.opener import DarkroomOpener
from darkroom_server.prompts import add_prompts
from darkroom_server.resources import EndNotices, add_resources
from darkroom_server.tools import TOOLS

if TYPE_CHECKING:
    from darkroom.darkroom import Darkroom
    from darkroom.registry import ModelRegistry


def create_server(
    settings: Settings, *, is_leaving: Callable[[], bool] = lambda: False, conversation: str = ""
) -> MCPServer[Calls]:
    """The server, not yet running. `is_leaving` tells whether the host has hung up (stdio); then nothing is canceled.

    `conversation` is given where one host talks to this process alone and by no HTTP: "latest" is then its own.
    """

    def open_darkroom() -> "AbstractAsyncContextManager[Darkroom]":
        from darkroom.darkroom import Darkroom

        preview_px = settings.preview_px if settings.previews == "on" else 0
        return Darkroom.open(replace(settings.options(), on_ended=notices.announce, preview_px=preview_px))

    @cache
    def registry() -> "ModelRegistry":
        from darkroom.registry import ModelRegistry

        return ModelRegistry.load(settings.models_dir)

    host = Host(is_leaving=is_leaving, conversation=conversation)
    bus = InMemorySubscriptionBus()
    notices = EndNotices(bus)
    opener = DarkroomOpener(open_darkroom)

    @asynccontextmanager
    async def lifespan(_: MCPServer[Calls]) -> AsyncGenerator[Calls]:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notices.publish)
            tasks.start_soon(opener.keep_open)
            calls = Calls(opener, registry, settings, tasks, host)
            try:
                yield calls
            finally:
                await calls.answers.settle()
                tasks.cancel_scope.cancel()

    server = DarkroomServer(
        "darkroom",
        tools=[row.tool(settings) for row in TOOLS],
        refusals={row.name: row.refusal(settings) for row in TOOLS},
        stdout=host.stdout,
        title="Darkroom",
        version=__version__,
        instructions=instructions(settings),
        lifespan=lifespan,
        log_level="WARNING",
        subscriptions=bus,
        extensions=[_gallery(settings)],
        cache_hints={"tools/list": CacheHint(ttl_ms=300_000, scope="private")},
    )
    add_resources(server, registry)
    add_prompts(server, registry)
    return server


def _gallery(settings: Settings) -> Apps:
    """The view of image answers; its frame may load images from the gateway's file hosts and from nowhere else."""
    hosts = ["data:"] if settings.problem else image_hosts(settings.choice.gateway)
    csp = ResourceCsp(resource_domains=hosts).model_dump(by_alias=True, exclude_none=True)
    apps = Apps()
    apps.add_resource(
        FileResource(
            uri=GALLERY_URI,
            name="gallery",
            title="Gallery",
            mime_type=APP_MIME_TYPE,
            path=GALLERY_FILE,
            meta={"ui": {"csp": csp, "permissions": {"clipboardWrite": {}}, "prefersBorder": True}},
        )
    )
    return apps
