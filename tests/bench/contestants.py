"""The two servers that are compared: ours, and a server of the SDK alone with one tool."""

import os
import sys
from pathlib import Path

_MAIN = Path(__file__).resolve().parents[2] / "server" / "main.py"
_ONE_TOOL = """
from mcp.server import MCPServer
server = MCPServer("one", version="1")
@server.tool()
async def echo(text: str) -> str:
    return text
server.run("stdio")
"""


def commands() -> dict[str, list[str]]:
    """Command line by name, ours first."""
    return {"darkroom": [sys.executable, str(_MAIN), "serve"], "sdk alone": [sys.executable, "-c", _ONE_TOOL]}


def environ(folder: str) -> dict[str, str]:
    """The environment of this process without settings, with data and images in `folder`."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DARKROOM_")}
    return kept | {"DARKROOM_DATA_DIR": f"{folder}/data", "DARKROOM_OUTPUT_DIR": f"{folder}/images", "HOME": folder}
