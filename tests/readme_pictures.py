"""Take README's picture anew: PYTHONPATH=tests python tests/readme_pictures.py

A real server over stdio makes four pictures at the sandbox, and Chromium draws the conversation around the gallery as a
host does. The person's and the assistant's words are those of a conversation that was held.
"""

import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import anyio
from gallery_browser import Stage, open_browser, open_stage, wait_painted
from mcp import Client, StdioServerParameters
from mcp.types import BlobResourceContents
from pages import ROOT
from PIL import Image
from sandbox_server import sandbox_server

from darkroom_server.sandbox import SandboxOptions

ASSET = ROOT / "server" / "assets" / "conversation.png"
ASKED = "Four lighthouses at dawn, wide, for our guest book. Cheap, please."
SAID = "Here they are: about $0.012 for all four, saved in your pictures folder. Shall I take one of them further?"
CALL: dict[str, Any] = {
    "prompt": "a lighthouse on a cliff above a calm sea, at dawn",
    "aspect_ratio": "3:2",
    "count": 4,
    "seed": 7,
}
WIDTH_PX = 660  # so narrow that what stands below the pictures fits into the gallery's 500 px
FRAME = """
<style>
  body { font: 15px/1.5 system-ui, sans-serif; color: #1f1f1f; background: #fff; padding: 20px 28px 22px; }
  .asked { margin: 0 0 14px auto; width: fit-content; background: #f0eee9; border-radius: 14px; padding: 8px 14px; }
  .tool { color: #6b6b6b; font-size: 13px; margin-bottom: 8px; }
  .said { margin-top: 12px; }
  iframe { border: 1px solid #e4e2dc; border-radius: 10px; box-sizing: border-box; }
</style>
"""
AROUND = """([asked, tool, said]) => {
  const frame = document.querySelector('iframe');
  const line = (name, text) => Object.assign(document.createElement('div'), {className: name, textContent: text});
  frame.before(line('asked', asked), line('tool', tool));
  frame.after(line('said', said));
}"""


async def made(home: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answer of a real call as hosts get it, and the small pictures that the gallery reads, by address."""
    async with sandbox_server(SandboxOptions(profile="replicate", key="test")) as origin:
        environ = {"HOME": str(home), "DARKROOM_GATEWAY": "replicate"}
        environ |= {"DARKROOM_BASE_URL": origin, "DARKROOM_API_KEY": "test"}
        server = StdioServerParameters(command=sys.executable, args=["-m", "darkroom_server"], env=environ)
        async with Client(server) as client:
            answer = await client.call_tool("generate_image", CALL)
            report = (answer.meta or {})["darkroom/report"]
            resources: dict[str, Any] = {}
            for name in (report["request_id"], report["id"]):
                for number in range(1, CALL["count"] + 1):
                    uri = f"prediction://{name}/images/{number}/preview"
                    [content] = (await client.read_resource(uri)).contents
                    assert isinstance(content, BlobResourceContents)
                    resources[uri] = content.model_dump(mode="json", by_alias=True)
    return answer.model_dump(mode="json", by_alias=True, exclude_none=True), resources


def drawn(stage: Stage, answer: dict[str, Any], resources: dict[str, Any]) -> bytes:
    """PNG bytes of the whole conversation."""
    stage.page.evaluate("html => document.head.insertAdjacentHTML('beforeend', html)", FRAME)
    stage.page.evaluate(AROUND, [ASKED, "darkroom · generate_image", SAID])
    able: dict[str, Any] = {"serverResources": {}, "serverTools": {}, "message": {}, "openLinks": {}}
    stage.begin(capabilities=able, resources=resources)
    stage.show(answer)
    wait_painted(stage, CALL["count"])
    return stage.page.locator("body").screenshot()


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        answer, resources = anyio.run(made, Path(home))
    with open_browser() as browser, open_stage(browser, width_px=WIDTH_PX) as stage:
        content = drawn(stage, answer, resources)
    Image.open(io.BytesIO(content)).convert("P", palette=Image.Palette.ADAPTIVE, colors=256).save(ASSET, optimize=True)


if __name__ == "__main__":
    main()
