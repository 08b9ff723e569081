"""Which conversation a call belongs to: over stdio the process, over handshake HTTP its session, else nobody knows."""

import hashlib
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS


def session_of(ctx: ServerRequestContext[Any, Any]) -> str:
    """The id of the session over handshake HTTP, which the SDK has checked; empty elsewhere."""
    if ctx.request is None or ctx.protocol_version not in HANDSHAKE_PROTOCOL_VERSIONS:
        return ""
    return ctx.request.headers.get("mcp-session-id", "")


def conversation_of(ctx: ServerRequestContext[Any, Any], of_process: str) -> str:
    """A name for it, empty where it is unknown; `of_process` is that of all calls that come by no HTTP.

    Whoever holds the id of a session may act in it, so only its hash is written down.
    """
    if ctx.request is None:
        return of_process
    session = session_of(ctx)
    return hashlib.sha256(session.encode()).hexdigest()[:16] if session else ""
