"""A host that starts a stdio server and makes one call; it is there to be killed. Its stdout tells how far it is.

Run: python tests/outside_client.py FOLDER COMMAND WORDS..., with the environment and the folder of the server.
"""

import os
import sys

import anyio
from mcp import Client
from mcp.client.stdio import StdioServerParameters


async def main(folder: str, command: list[str]) -> None:
    async def tell(progress: float, total: float | None, message: str | None) -> None:
        print(message, flush=True)

    server = StdioServerParameters(command=command[0], args=command[1:], env=dict(os.environ), cwd=folder)
    async with Client(server) as client:
        await client.call_tool("generate_image", {"prompt": "a fox"}, progress_callback=tell)


if __name__ == "__main__":
    anyio.run(main, sys.argv[1], sys.argv[2:])
