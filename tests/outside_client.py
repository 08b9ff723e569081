"""A host that starts the stdio server and makes one call; it is there to be killed. Its stdout tells how far it is.

Run: python tests/outside_client.py FOLDER BASE_URL PACE
"""

import sys

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from outside_hosts import server_parameters


async def main(parameters: StdioServerParameters) -> None:
    async def tell(progress: float, total: float | None, message: str | None) -> None:
        print(message, flush=True)

    async with Client(parameters) as client:
        await client.call_tool("generate_image", {"prompt": "a fox"}, progress_callback=tell)


if __name__ == "__main__":
    anyio.run(main, server_parameters(*sys.argv[1:]))
