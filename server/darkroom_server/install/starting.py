"""Starting an entry as a host would, with next to no environment, and a first conversation with it.

What a person's terminal has (PATH, a virtual environment) a host does not; so an entry counts only once it has started
without any of that.
"""

import json
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import anyio
import anyio.abc
from anyio.streams.buffered import BufferedByteReceiveStream

from darkroom_server.install.entries import Launch

_START_WITHIN_S = 60.0
_LEAVE_WITHIN_S = 3.0
_LONGEST_ANSWER_BYTES = 1_000_000
_KEPT_LINES = 8
_KEPT_BYTES = 4_000
_HELLO = {
    "protocolVersion": "2025-11-25",
    "capabilities": {},
    "clientInfo": {"name": "darkroom-install", "version": "1"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a started entry said of itself; `seconds` from the start to the list of tools."""

    name: str
    version: str
    tools: tuple[str, ...]
    seconds: float


class StartFailed(Exception):
    """The entry does not start, or speaks no MCP; `said` is the end of what it wrote to stderr, with no key in it."""

    def __init__(self, message: str, said: Sequence[str]) -> None:
        super().__init__(message)
        self.said = tuple(said)


def _bare_environment(home: Path) -> dict[str, str]:
    """What the meanest host gives a server: where the system's programs are, and whose home it is."""
    if sys.platform != "win32":
        return {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    root, local = "C:\\Windows", home / "AppData"
    folders = {"USERPROFILE": home, "APPDATA": local / "Roaming", "LOCALAPPDATA": local / "Local"}
    system = {"SYSTEMROOT": root, "PATH": f"{root}\\System32;{root}", "TEMP": str(local / "Local" / "Temp")}
    return system | {name: str(folder) for name, folder in folders.items()}


def seen_at_start(launch: Launch, given: Mapping[str, str], home: Path) -> Seen:
    """Start it with no more than these variables and whose home it is, greet it, ask for its tools, and let it go.

    Where it is not told where to keep its data, that is a folder that goes with it. Raises: StartFailed.
    """
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as data:
        return _seen(launch, _bare_environment(home) | {"DARKROOM_DATA_DIR": data} | dict(given), home)


def _seen(launch: Launch, environ: Mapping[str, str], home: Path) -> Seen:
    shown = launch.command[-120:]

    async def see(said: IO[bytes]) -> Seen:
        began, command = time.monotonic(), [launch.command, *launch.args]
        process = await anyio.open_process(command, env=environ, cwd=home.anchor, stderr=said)
        try:
            with anyio.fail_after(_START_WITHIN_S):
                return await _conversation(process, began)
        finally:
            with anyio.move_on_after(_LEAVE_WITHIN_S, shield=True):  # then it is killed
                await process.aclose()

    with tempfile.TemporaryFile() as said:
        try:
            return anyio.run(see, said)
        except TimeoutError:
            problem = f"gave no answer within {_START_WITHIN_S:g} s"
        except FileNotFoundError:
            problem = "is not found where a host looks for it"
        except OSError as error:
            problem = f"cannot be started ({error.strerror or type(error).__name__})"
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError):
            problem = "ended before it answered"
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError, anyio.DelimiterNotFound):
            problem = "answered something that is not MCP"
        said.seek(max(said.seek(0, os.SEEK_END) - _KEPT_BYTES, 0))
        raise StartFailed(f"'{shown}' {problem}, started as a host would.", _last_lines(said.read(), environ))


async def _conversation(process: anyio.abc.Process, began: float) -> Seen:
    assert process.stdin and process.stdout
    answers = BufferedByteReceiveStream(process.stdout)

    async def ask(number: int, method: str, params: Mapping[str, Any]) -> dict[str, Any]:
        assert process.stdin
        await process.stdin.send(_line({"jsonrpc": "2.0", "id": number, "method": method, "params": params}))
        while True:
            answer = json.loads(await answers.receive_until(b"\n", _LONGEST_ANSWER_BYTES))
            if answer.get("id") == number:
                return answer["result"]

    about = (await ask(1, "initialize", _HELLO))["serverInfo"]
    await process.stdin.send(_line({"jsonrpc": "2.0", "method": "notifications/initialized"}))
    tools = tuple(str(tool["name"]) for tool in (await ask(2, "tools/list", {}))["tools"])
    seconds = time.monotonic() - began
    return Seen(name=str(about["name"]), version=str(about["version"]), tools=tools, seconds=seconds)


def _line(message: Mapping[str, Any]) -> bytes:
    return json.dumps(message).encode() + b"\n"


def _last_lines(said: bytes, environ: Mapping[str, str]) -> list[str]:
    """The last lines that are worth reading; a value that only this entry was given is not shown."""
    from darkroom.gateways import clean_words

    text = said.decode("utf-8", "replace")
    for name, value in environ.items():
        if len(value) >= 8 and name.upper().endswith(("KEY", "TOKEN", "SECRET", "PASSWORD", "PROXY")):
            text = text.replace(value, "[key]")
    lines = [line for line in text.splitlines() if line.strip()]
    return [clean_words(line, 200) for line in lines[-_KEPT_LINES:]]
