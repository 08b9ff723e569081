"""One framework in an environment of its own: installed, started with our server, and heard to the end."""

import json
import os
import re
import sys
import tomllib
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
import anyio.abc
from anyio.streams.text import TextReceiveStream

HERE = Path(__file__).resolve().parent
_NODE_MODULES = Path(os.environ.get("DARKROOM_TEST_NODE_MODULES") or HERE.parent / "node_modules")
_SERVER = str(Path(sys.executable).with_name("darkroom-mcp"))
# What the client writes to the server is kept in the file $0, from which the protocol version is read.
_TAPPED = 'tee -a "$0" | "$@"'
_VERSION = re.compile(r'[pP]rotocolVersion"\s*:\s*"([0-9-]+)"')
_INSTALLED_WITHIN_S, _DRIVEN_WITHIN_S = 240, 180
# Frameworks send word of their use to their makers unless told not to.
_QUIET = {"DO_NOT_TRACK": "1", "OPENAI_API_KEY": "none", "OPENAI_AGENTS_DISABLE_TRACING": "1", "PYTHONUNBUFFERED": "1"}


@dataclass(frozen=True)
class Client:
    """A row of clients.toml; everything of it lies in `folder`."""

    name: str
    package: str
    timeout_s: int
    pictures: str
    before: str
    folder: Path

    @property
    def driver(self) -> Path:
        stem = HERE / "clients" / f"{self.name.replace('-', '_')}_client"
        return next(path for path in (stem.with_suffix(".py"), stem.with_suffix(".mjs")) if path.is_file())

    @property
    def is_python(self) -> bool:
        return self.driver.suffix == ".py"

    @property
    def version(self) -> str:
        if self.is_python:
            return self.package.partition("==")[2]
        return json.loads((_NODE_MODULES / self.package / "package.json").read_text(encoding="utf-8"))["version"]

    @property
    def outputs(self) -> Path:
        return self.folder / "pictures"

    async def install(self) -> None:
        """Make its environment. Raises: RuntimeError with what the installer said."""
        self.folder.mkdir()
        if not self.is_python:
            return
        python = ["--python", str(self._venv)]
        for words in (
            ["venv", "--quiet", "--python", sys.executable, str(self._venv)],
            ["pip", "install", "--quiet", *python, "--exclude-newer", self.before, self.package],
        ):
            with anyio.fail_after(_INSTALLED_WITHIN_S):
                done = await anyio.run_process(["uv", *words], check=False)
            if done.returncode:
                raise RuntimeError(f"{self.name} cannot be installed: {done.stderr.decode()[-600:]}")

    async def drive(self, address: str, long_s: int, connected: Callable[[], None]) -> "Outcome":
        """Run both jobs; `connected` is called once, when the client has its server or has ended."""
        outcome = Outcome(self)
        command = [str(self._venv / "bin" / "python")] if self.is_python else [str(_NODE_MODULES / "node/bin/node")]
        environ = self._environ(address, long_s)
        with (self.folder / "stderr").open("wb") as errors, anyio.move_on_after(_DRIVEN_WITHIN_S) as limit:
            async with await anyio.open_process([*command, str(self.driver)], env=environ, stderr=errors) as process:
                async for line in _lines(process):
                    if "connected" in line:
                        connected()
                        connected = _nothing
                    else:
                        outcome.jobs[line.pop("job")] = line
                outcome.exit_code = await process.wait()
        connected()
        if limit.cancelled_caught:
            outcome.exit_code = -1
        outcome.errors = (self.folder / "stderr").read_text(encoding="utf-8", errors="replace")
        return outcome

    def _environ(self, address: str, long_s: int) -> dict[str, str]:
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.folder)}
        server = {
            "DARKROOM_BASE_URL": address,
            "DARKROOM_DATA_DIR": str(self.folder / "data"),
            "DARKROOM_OUTPUT_DIR": str(self.outputs),
        }
        own = {
            "FRAMEWORK_NAME": self.name,
            "FRAMEWORK_LONG_S": str(long_s),
            "FRAMEWORK_MODULES": str(_NODE_MODULES),
            "FRAMEWORK_COMMAND": json.dumps(["sh", "-c", _TAPPED, str(self.folder / "wire"), _SERVER, "serve"]),
            "FRAMEWORK_ENVIRON": json.dumps(kept | server),
        }
        return kept | _QUIET | own

    @property
    def _venv(self) -> Path:
        return self.folder / "venv"


@dataclass
class Outcome:
    """What became of a client's jobs: by name, the calls, the calls that failed, and the last thing the model saw."""

    client: Client
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    exit_code: int = 0
    errors: str = ""

    @property
    def protocol(self) -> str:
        """The protocol version of the client's calls: in each call since 2026-07-28, before that agreed on once."""
        wire = self.client.folder / "wire"
        sent = wire.read_text(encoding="utf-8").splitlines() if wire.is_file() else []
        found = [match[1] for line in sent if (match := _VERSION.search(line)) and "server/discover" not in line]
        return found[-1] if found else "none"

    def prompt(self, job: str, long_s: int) -> str:
        """What the drivers ask for."""
        who = self.client.name
        return f"sandbox:slow={long_s} a lighthouse for {who}" if job == "long" else f"two boats for {who}"

    def saved(self, job: str) -> int:
        """How many pictures of the job lie on the disk."""
        word = "lighthouse" if job == "long" else "two-boats"
        return sum(word in path.name and path.suffix != ".json" for path in self.client.outputs.glob("*"))


def load_clients(folder: Path) -> list[Client]:
    """All of clients.toml, each with a folder of its own below `folder`."""
    rows = tomllib.loads((HERE / "clients.toml").read_text(encoding="utf-8"))
    before = rows.pop("before")
    return [Client(name=name, before=before, folder=folder / name, **row) for name, row in rows.items()]


@asynccontextmanager
async def sandbox() -> AsyncGenerator[str]:
    """The sandbox as people start it; gives its address."""
    async with await anyio.open_process([_SERVER, "sandbox", "--port", "0"], stderr=None) as process:
        assert process.stdout
        with anyio.fail_after(30):
            address = (await TextReceiveStream(process.stdout).receive()).split()[0]
        try:
            yield address
        finally:
            process.terminate()


async def _lines(process: anyio.abc.Process) -> AsyncGenerator[dict[str, Any]]:
    """The JSON lines that a driver prints; anything else that a framework prints is passed over."""
    assert process.stdout
    rest = ""
    async for text in TextReceiveStream(process.stdout):
        *whole, rest = (rest + text).split("\n")
        for line in whole:
            if line.startswith("{"):
                yield json.loads(line)


def _nothing() -> None:
    pass
