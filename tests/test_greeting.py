"""What is loaded, and what is not, by the time at which a host is greeted over stdio."""

import json
import os
import subprocess
import sys
from pathlib import Path


def test_a_greeting_is_answered_before_tools_are_loaded_and_without_plugins(tmp_path: Path) -> None:
    metadata = tmp_path / "installed" / "somebody-1.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: somebody\nVersion: 1\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text("[pydantic]\nsomebody = somebodys_plugin:NONE\n", encoding="utf-8")
    (metadata.parent / "somebodys_plugin.py").write_text("NONE = None\n", encoding="utf-8")
    script = (
        "import sys; sys.path.append(sys.argv[1]); from darkroom_server.cli import main\n"
        "main(['serve']); print(*sys.modules, file=sys.stderr)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script, str(metadata.parent)],
        env={**os.environ, "HOME": str(tmp_path), "DARKROOM_DATA_DIR": str(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin and process.stdout
    params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}}
    process.stdin.write(json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}) + "\n")
    process.stdin.flush()
    assert "serverInfo" in process.stdout.readline()
    loaded = set(process.communicate()[1].split())
    later = [
        "tools",
        "calls",
        "content",
        "consent",
        "answers",
        "open_calls",
        "resources",
        "output_schema",
        "tool_arguments",
        "model_calls",
    ]
    unwanted = {f"darkroom_server.{name}" for name in later} | {"mcp.server.apps", "rich.logging", "somebodys_plugin"}
    assert "darkroom_server.mcp_server" in loaded and unwanted & loaded == set()
