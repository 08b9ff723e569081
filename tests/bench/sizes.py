"""Bytes that reach a host and tokens that reach a model: tools/list, instructions, answers with one and four images.

Run: python tests/bench/sizes.py. Tokens of text are bytes / 3.5, those of an image its width times height / 750.
"""

import base64
import io
import json
import tempfile

import anyio
from mcp import Client
from mcp.types import CallToolResult, ImageContent, TextContent
from PIL import Image

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
            for count in (1, 4):
                arguments = {"prompt": "a lighthouse at dawn", "count": count, "seed": 7}
                _tell_answer(count, await client.call_tool("generate_image", arguments))


def _tell_answer(count: int, answer: CallToolResult) -> None:
    print(f"\nanswer with {count} image(s)")
    text = "\n".join(block.text for block in answer.content if isinstance(block, TextContent))
    pictures = [block.data for block in answer.content if isinstance(block, ImageContent)]
    shapes = [Image.open(io.BytesIO(base64.b64decode(data))) for data in pictures]
    words, seen = len(text.encode()) / 3.5, sum(shape.width * shape.height for shape in shapes) / 750
    _tell("text", len(text.encode()), 1024)
    _tell(f"{len(pictures)} picture(s), base64", sum(map(len, pictures)), 500_000)
    _tell("_meta", len(json.dumps(answer.meta).encode()), 4096)
    _tell("whole answer", len(answer.model_dump_json(by_alias=True, exclude_unset=True).encode()), 1_048_576)
    kinds = ", ".join(f"{shape.format} {shape.width}x{shape.height}" for shape in shapes)
    print(f"tokens                 {words + seen:>9.0f} = {words:.0f} text + {seen:.0f} image ({kinds})")


def _tell(what: str, size_bytes: int, limit: int) -> None:
    print(f"{what:<22} {size_bytes:>9} bytes  {size_bytes / limit:5.2f}x of the {limit} allowed")


if __name__ == "__main__":
    anyio.run(main)
