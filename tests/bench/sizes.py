"""What reaches a model and what that costs it: tools/list, the instructions, answers with one and four images, models.

A picture counts width x height / 750 tokens (Anthropic's rule, read 2026-11-25), text a token for four characters.

Run: python tests/bench/sizes.py
"""

import base64
import tempfile
from collections.abc import Sequence
from io import BytesIO

import anyio
from mcp import Client
from mcp.types import CallToolResult, ContentBlock, ImageContent, TextContent
from PIL import Image

from darkroom.settings import Settings
from darkroom_server.app import create_server

_PIXELS_A_TOKEN, _CHARACTERS_A_TOKEN = 750, 4


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.read(
            {"DARKROOM_DATA_DIR": f"{folder}/data", "DARKROOM_OUTPUT_DIR": f"{folder}/images", "HOME": folder}
        )
        async with Client(create_server(settings)) as client:
            await _tell_all(client)


async def _tell_all(client: Client) -> None:
    tools = (await client.list_tools()).model_dump_json(by_alias=True, exclude_unset=True, include={"tools"})
    _tell("tools/list", tools, limit=5_700)
    _tell("instructions", client.instructions or "", limit=2_000)
    for count in (1, 4):
        answer = await client.call_tool("generate_image", {"prompt": "a lighthouse at dawn", "count": count})
        _tell_answer(f"answer, {count} image{'s' * (count > 1)}", answer, 1_800 if count > 1 else None)
    _tell_answer("list_models", await client.call_tool("list_models", {}))
    _tell_answer("a model's card", await client.call_tool("list_models", {"model": "flux-kontext-dev"}))


def _tell_answer(what: str, answer: CallToolResult, most_tokens: int | None = None) -> None:
    text = "\n".join(block.text for block in answer.content if isinstance(block, TextContent))
    _tell(what, text, pixels=_pixels(answer.content), most_tokens=most_tokens)
    whole = len(answer.model_dump_json(by_alias=True, exclude_unset=True).encode())
    meta = len(str(answer.meta or ""))
    print(f"{'':<20} {whole:>8,} bytes on the wire, {meta:,} of them _meta")


def _pixels(blocks: Sequence[ContentBlock]) -> list[tuple[int, int]]:
    pictures = [BytesIO(base64.b64decode(block.data)) for block in blocks if isinstance(block, ImageContent)]
    return [Image.open(each).size for each in pictures]


def _tell(
    what: str,
    text: str,
    *,
    limit: int | None = None,
    pixels: Sequence[tuple[int, int]] = (),
    most_tokens: int | None = None,
) -> None:
    size_bytes = len(text.encode())
    in_text = round(len(text) / _CHARACTERS_A_TOKEN)
    in_images = round(sum(width * height for width, height in pixels) / _PIXELS_A_TOKEN)
    sizes = ", ".join(f"{width}x{height}" for width, height in pixels)
    allowed = f" of {limit:,}" if limit else ""
    tokens = f"{in_text:,} + {in_images:,} = {in_text + in_images:,} tokens" if pixels else f"{in_text:,} tokens"
    tokens += f" of {most_tokens:,}" if most_tokens else ""
    print(f"{what:<20} {size_bytes:>8,}{allowed} bytes of text; {tokens}{f' ({sizes})' if sizes else ''}")


if __name__ == "__main__":
    anyio.run(main)
