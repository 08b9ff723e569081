"""`darkroom-mcp serve --transport http` as a process of its own, on a free loopback port."""

import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from forked_process import ForkedProcess
from forking_program import DARKROOM


def bare_environ(folder: Path, **variables: str) -> dict[str, str]:
    """The environment of this process without any setting, key or home of the person who runs the tests."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DARKROOM_")}
    sources = os.pathsep.join(str(Path(__file__).resolve().parent.parent / root) for root in ("server", "tools"))
    folders = {"DARKROOM_DATA_DIR": str(folder / "data"), "DARKROOM_OUTPUT_DIR": str(folder / "images")}
    return kept | folders | {"HOME": str(folder), "PYTHONPATH": sources} | variables


class ServingProcess:
    """`darkroom-mcp` with these words while the block runs. `url` is its first line, `origin` the server's root."""

    program: Sequence[str] = DARKROOM

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        self.folder = folder
        self._words = words
        self._environ = bare_environ(folder, **variables)

    def __enter__(self) -> Self:
        self._process = ForkedProcess(
            [*self.program, *self._words],
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout
        self.url = self._process.stdout.readline().strip()
        if not self.url:
            raise AssertionError(self.end()[1])
        self.origin = "/".join(self.url.split("/")[:3])
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
        self._process.communicate(timeout=20)

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def end(self) -> tuple[int, str]:
        """Exit code and stderr, once it has left."""
        _, said = self._process.communicate(timeout=20)
        return self._process.returncode, said


class HttpProcess(ServingProcess):
    """Serves MCP while the block runs; `url` is its address."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        super().__init__(folder, "serve", "--transport", "http", "--port", "0", *words, **variables)

    def terminate(self) -> tuple[int, str]:
        """Send SIGTERM; exit code and stderr once it has left."""
        self._process.send_signal(signal.SIGTERM)
        return self.end()
