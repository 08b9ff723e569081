"""Bytes that reach a host: tools/list, the instructions, and an answer with four images from the sandbox.

Run: python tests/bench/sizes.py
"""

import tempfile

import anyio
from mcp import Client
from mcp.types import ImageContent, TextContent

from darkroom_server.app import create_server
from darkroom_server.settings import Settings


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.read(
            {"DARKROOM_DATA_DIR": f"{folder}/data", "DARKROOM_OUTPUT_DIR": f"{folder}/images", "HOME": folder}
        )
        async with Client(create_server(settings)) as client:
            tools = await client.list_tools()
            _tell("tools/list", len(tools.model_dump_json(by_alias=True, exclude_unset=True).encode()), 6000)
            _tell("instructions", len((client.instructions or "").encode()), 2000)
            arguments = {"prompt": "a lighthouse at dawn", "count": 4}
            answer = await client.call_tool("generate_image", arguments)
    text = "\n".join(block.text for block in answer.content if isinstance(block, TextContent))
    previews = [block.data for block in answer.content if isinstance(block, ImageContent)]
    _tell("text of four images", len(text.encode()), 1024)
    _tell(f"{len(previews)} previews, base64", sum(map(len, previews)), 700_000)
    _tell("whole answer", len(answer.model_dump_json(by_alias=True, exclude_unset=True).encode()), 1_048_576)


def _tell(what: str, size_bytes: int, limit: int) -> None:
    print(f"{what:<22} {size_bytes:>9} bytes  {size_bytes / limit:5.2f}x of the {limit} allowed")


if __name__ == "__main__":
    anyio.run(main)
