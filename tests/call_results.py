"""What a tool call has answered."""

from typing import Any

from mcp.types import CallToolResult, TextContent


def text(result: CallToolResult) -> str:
    """The first block: what the assistant reads."""
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text


def report(result: CallToolResult) -> dict[str, Any]:
    assert result.meta
    return result.meta["darkroom/report"]
