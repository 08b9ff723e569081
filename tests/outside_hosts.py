"""Hosts around a real stdio server: what they ask, what they get, and the server's process itself."""

import os
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
from forking_program import DECODERS, python_command
from http_process import bare_environ
from mcp import Client
from mcp.client.stdio import StdioServerParameters
from mcp.types import CallToolResult, TextContent

_PROGRAM = str(Path(__file__).with_name("outside_server.py"))
# What a server runs, be it a fork or an interpreter of its own.
_SERVING = {str(Path(__file__).with_name("forking_program.py")), _PROGRAM}


def server_parameters(folder: Path, base_url: str, pace: str) -> StdioServerParameters:
    """By its working folder a server is found again."""
    environ = bare_environ(folder)
    command, *words = python_command(environ, _PROGRAM, str(folder), base_url, pace)
    return StdioServerParameters(command=command, args=words, env=environ, cwd=folder)


def server_processes(folder: Path) -> list[int]:
    """Ids of the stdio servers that work in `folder`."""
    found: list[int] = []
    for each in Path("/proc").iterdir():
        if each.name.isdecimal():
            try:
                is_here = (each / "cwd").readlink() == folder
                words = (each / "cmdline").read_bytes().decode(errors="replace").split("\0") if is_here else []
            except OSError:
                continue
            if _SERVING.intersection(words[1:2]) and words[3:4] != [DECODERS]:
                found.append(int(each.name))
    return sorted(found)


async def servers_gone(folder: Path) -> None:
    """Return when no server works in `folder` any more."""
    while server_processes(folder):  # noqa: ASYNC110 - the process of another process gives no event
        await anyio.sleep(0.05)


class Host:
    """One host with its server; `stop`, `go_on` and `kill` are signals to the server."""

    def __init__(self, client: Client, process_id: int) -> None:
        self._client = client
        self._process_id = process_id
        self.told: list[str] = []
        self._has_told = anyio.Event()

    async def generate(
        self, *, wait_s: int, request_id: str = "fox", prompt: str = "a fox", limit_s: float | None = None
    ) -> CallToolResult:
        """After `limit_s` the client gives up, and the SDK cancels the call."""
        arguments = {"prompt": prompt, "wait_seconds": wait_s, "request_id": request_id}
        return await self._client.call_tool(
            "generate_image", arguments, progress_callback=self._hear, read_timeout_seconds=limit_s
        )

    async def get(self, id: str = "fox", *, wait_s: int = 0) -> CallToolResult:
        return await self._client.call_tool("get_prediction", {"id": id, "wait_seconds": wait_s})

    async def told_id(self) -> None:
        """Return when a progress message has named a prediction: its create is answered."""
        while not any("processing" in message for message in self.told):
            await self._has_told.wait()

    def stop(self) -> None:
        os.kill(self._process_id, signal.SIGSTOP)

    def go_on(self) -> None:
        os.kill(self._process_id, signal.SIGCONT)

    def kill(self) -> None:
        os.kill(self._process_id, signal.SIGKILL)

    async def _hear(self, progress: float, total: float | None, message: str | None) -> None:
        self.told.append(message or "")
        self._has_told.set()
        self._has_told = anyio.Event()


@asynccontextmanager
async def host(folder: Path, base_url: str, pace: str) -> AsyncGenerator[Host]:
    before = server_processes(folder)
    async with Client(server_parameters(folder, base_url, pace)) as client:
        [process_id] = set(server_processes(folder)) - set(before)
        yield Host(client, process_id)


def text(result: CallToolResult) -> str:
    assert isinstance(result.content[0], TextContent)
    return result.content[0].text
