"""What only the gallery needs of the server: a tool that no model sees, and an answer to `ping` in every era.

A tool whose `_meta.ui.visibility` is ["app"] is listed for a host with MCP Apps, which keeps it from its model; for
any other host there is no such tool.
"""

from collections.abc import Mapping
from typing import Annotated, Any, cast

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.types import CallToolResult, TextContent
from pydantic import Field

from darkroom.errors import OutputError
from darkroom_server.rooms import Ctx, calls_of

FOR_APPS_ONLY = {"visibility": ["app"]}
_MODERN = "2026-07-28"


async def add_picture(ctx: Ctx, picture: Annotated[str, Field(description="A data URI")]) -> CallToolResult:
    """Keep a picture of the person's for a day, to be given to generate_image as one of its images. Costs nothing."""
    from darkroom_server.calls import ANSWER_WITHIN_S

    calls = await calls_of(ctx)
    added = await calls.in_darkroom(ANSWER_WITHIN_S, lambda darkroom: darkroom.add_picture(picture))
    if added is None:
        raise OutputError("The picture was not written down in time. Try again.")
    reference, shape = added
    words = f"The person added a picture: {reference} ({shape}). generate_image takes it in images for a day."
    return CallToolResult(content=[TextContent(text=words)])


def shows_apps(ctx: Ctx | ServerRequestContext[Any, Any]) -> bool:
    """Whether the host has MCP Apps."""
    from mcp.server.apps import client_supports_apps

    return client_supports_apps(ctx)


def is_for_apps_only(meta: Mapping[str, Any] | None) -> bool:
    """Whether a tool with this `_meta` is hidden from the model."""
    return (meta or {}).get("ui") == FOR_APPS_ONLY


async def for_its_apps(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """Leave the gallery's own tool out of the list of a host that has no MCP Apps."""
    result = await call_next(ctx)
    if ctx.method != "tools/list" or shows_apps(ctx):
        return result
    listed = cast("dict[str, Any]", result)
    return {**listed, "tools": [each for each in listed["tools"] if not is_for_apps_only(each.get("_meta"))]}


async def answer_ping(ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
    """The protocol has no `ping` from 2026-07-28 on, but hosts that take a silent server for dead still send it."""
    if ctx.method == "ping" and ctx.protocol_version >= _MODERN:
        return {"resultType": "complete"}
    return await call_next(ctx)
