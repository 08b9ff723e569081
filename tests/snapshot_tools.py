"""Write the snapshot of tools/list anew, after a wanted change of the tools: python tests/snapshot_tools.py"""

import json
from pathlib import Path

import anyio
from mcp import Client

from darkroom.settings import Settings
from darkroom_server.app import create_server

SNAPSHOT = Path(__file__).parent / "snapshots" / "tools.json"


async def write() -> None:
    """Ask a server with default settings, as the test does."""
    async with Client(create_server(Settings.read({}))) as client:
        tools = (await client.list_tools()).tools
    shown = [tool.model_dump(mode="json", by_alias=True, exclude_none=True) for tool in tools]
    SNAPSHOT.write_text(json.dumps(shown, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    anyio.run(write)
