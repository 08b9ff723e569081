"""FastMCP's own client, with its defaults."""

from typing import Any

from fastmcp import Client
from fastmcp.client.transports import StdioTransport
from script import COMMAND, ENVIRON, Seen, connected, fulfil, run


async def main() -> None:
    async with Client(StdioTransport(COMMAND[0], COMMAND[1:], env=ENVIRON)) as client:
        connected()

        async def call(tool: str, arguments: dict[str, Any]) -> Seen:
            result = await client.call_tool(tool, arguments)
            text = "\n".join(block.text for block in result.content if block.type == "text")
            return Seen(text, sum(block.type == "image" for block in result.content))

        await fulfil(call)


run(main)
