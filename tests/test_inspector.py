"""The MCP Inspector's command line as a host over stdio: schemas that every client takes, a call, the gallery."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from forking_program import darkroom_command
from http_process import bare_environ
from node_programs import node_command, node_environ

INSPECTOR = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
ERAS = ("legacy", "modern")
_PATIENT = ("--connect-timeout", "100000")  # milliseconds; a busy machine takes long to start a program


class Inspector:
    """Starts one server for each question. The code's own variables reach it through `-e`, as for any host."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        variables = bare_environ(folder)
        handed_on = ("DARKROOM_DATA_DIR", "DARKROOM_OUTPUT_DIR", "PYTHONPATH", "HOME")
        self._set = [word for name in handed_on for word in ("-e", f"{name}={variables[name]}")]
        self._environ = node_environ(variables)
        self._served = darkroom_command(variables, "serve")

    def ask(self, era: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            node_command(INSPECTOR, "--cli", *_PATIENT, *self._set, "--protocol-era", era, *words, "--", *self._served),
            cwd=self._folder,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=120,
            check=False,
        )


@pytest.fixture
def inspector(tmp_path: Path) -> Inspector:
    return Inspector(tmp_path)


def answer_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("era", ERAS)
def test_its_strict_check_finds_nothing_in_the_tools(inspector: Inspector, era: str) -> None:
    listed = answer_of(inspector.ask(era, "--method", "tools/list", "--strict"))
    assert [tool["name"] for tool in listed["tools"]][:3] == ["generate_image", "get_prediction", "list_models"]


@pytest.mark.parametrize("era", ERAS)
def test_a_call_makes_a_picture(inspector: Inspector, era: str) -> None:
    call = ("--method", "tools/call", "--tool-name", "generate_image")
    result = answer_of(inspector.ask(era, *call, "--tool-args-json", '{"prompt": "a lighthouse at dawn"}'))
    assert result["content"][0]["text"].startswith("Succeeded: 1 image")
    assert {block["type"] for block in result["content"]} == {"text", "image"}


def test_a_refused_call_is_seen_as_an_error(inspector: Inspector) -> None:
    done = inspector.ask(
        "legacy", "--method", "tools/call", "--tool-name", "get_prediction", "--tool-arg", "id=nothing0"
    )
    assert done.returncode == 5, done.stdout + done.stderr


@pytest.mark.parametrize("tool", ["generate_image", "get_prediction"])
def test_it_finds_the_gallery_bound_to_the_picture_tools(inspector: Inspector, tool: str) -> None:
    shown = answer_of(inspector.ask("legacy", "--method", "tools/call", "--tool-name", tool, "--app-info"))
    assert "ui://darkroom/gallery.html" in json.dumps(shown)
