"""`darkroom-mcp` many times over: one process that has loaded the commands forks for each run.

A fork reads its environment, works and ends as every program does; loading would take most of its time. What loads when
is the matter of the tests that start an interpreter: test_house, test_stdio_leaving, test_install_start, test_http.

Run: python tests/forking_program.py SOCKET. Each message on that socket has four files: the order as JSON (`words`,
`environ`, `folder`), stdin, stdout and stderr. The answers are two lines: the fork's process id, and its exit code.
"""

import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from signal import SIGKILL
from subprocess import DEVNULL
from typing import IO, Any

_LOADED = (
    *("anyio._backends._asyncio", "darkroom.cancelling", "darkroom.darkroom", "darkroom.dry_run"),
    *("darkroom.generate_image", "darkroom.get_prediction", "darkroom.list_models", "darkroom.list_predictions"),
    *(
        "darkroom_server.batches.batch",
        "darkroom_server.cli.commands",
        "darkroom_server.sandbox.app",
        "rich.console",
        "uvicorn.server",
    ),
)
# An interpreter reads these once, where it begins. Where modules lie was read, too, but they are loaded.
_READ_AT_THE_START = ("PYTHON", "LANG", "LC_")
_HARMLESS = ("PYTHONPATH", "PYTHON_KEYRING_BACKEND")


DARKROOM = (sys.executable, "-c", "import sys; from darkroom_server.cli import main; sys.exit(main())")


class ForkingProgram:
    """Runs `darkroom-mcp` by forks of one process, one after the other: `turn` is held by who runs one."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self._ours, theirs = socket.socketpair()
        with theirs:
            command = [sys.executable, __file__, str(theirs.fileno())]
            self._process = subprocess.Popen(command, pass_fds=[theirs.fileno()], stdin=DEVNULL, stdout=DEVNULL)

    def run(
        self, words: Sequence[str], environ: Mapping[str, str], folder: Path, stdin: IO[bytes], timeout_s: float
    ) -> subprocess.CompletedProcess[str]:
        """As `subprocess.run` with captured UTF-8. Raises: TimeoutError, after it was killed."""
        with tempfile.TemporaryFile() as order, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
            order.write(json.dumps({"words": words, "environ": dict(environ), "folder": str(folder)}).encode())
            order.seek(0)
            socket.send_fds(self._ours, [b"\n"], [each.fileno() for each in (order, stdin, out, err)])
            code = self._end(timeout_s)
            for each in (out, err):
                each.seek(0)
            return subprocess.CompletedProcess(words, code, out.read().decode(), err.read().decode())

    def _end(self, timeout_s: float) -> int:
        self._ours.settimeout(timeout_s)
        with self._ours.makefile("r") as answers:
            pid = int(answers.readline())
            try:
                return int(answers.readline())
            except TimeoutError:
                os.kill(pid, SIGKILL)
                self._ours.settimeout(None)
                self._ours.recv(64)  # its exit code, which is no answer for the next run
                raise


def run_darkroom(
    words: Sequence[str], environ: Mapping[str, str], folder: Path, *, stdin: bytes = b"", timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    """`darkroom-mcp` with these words, as `subprocess.run` with captured text: a fork, or a new interpreter."""
    with tempfile.TemporaryFile() as given:
        given.write(stdin)
        given.seek(0)
        if _can_fork(environ) and (program := _the_forking_program()).turn.acquire(blocking=False):
            try:
                return program.run(words, environ, folder, given, timeout_s)
            finally:
                program.turn.release()
        return subprocess.run(
            [*DARKROOM, *words],
            env=environ,
            cwd=folder,
            stdin=given,
            capture_output=True,
            encoding="utf-8",
            errors="backslashreplace" if "PYTHONIOENCODING" in environ else "strict",
            timeout=timeout_s,
            check=False,
        )


@cache
def _the_forking_program() -> ForkingProgram:
    """That of this process, which ends with it."""
    return ForkingProgram()


def _can_fork(environ: Mapping[str, str]) -> bool:
    """Whether a fork would be what a process of its own is."""
    names = [name for name in {*environ, *os.environ} - {*_HARMLESS} if name.startswith(_READ_AT_THE_START)]
    return hasattr(os, "fork") and all(environ.get(name) == os.environ.get(name) for name in names)


def _wait_for_orders(number: int) -> dict[str, Any]:
    """In a fork, once there is an order for it; the first process leaves with its socket."""
    from darkroom_server import cli

    for name in (*_LOADED, *(f"{cli.__name__}.{each.name}" for each in iter_modules(cli.__path__))):
        import_module(name)
    gc.freeze()
    channel = socket.socket(fileno=number)
    while True:
        message, files, _, _ = socket.recv_fds(channel, 1, 4)
        if not message:
            sys.exit()
        if not (pid := os.fork()):
            channel.close()
            return _begin(*files)
        for each in files:
            os.close(each)
        channel.sendall(f"{pid}\n".encode())
        _, status = os.waitpid(pid, 0)
        channel.sendall(f"{os.waitstatus_to_exitcode(status)}\n".encode())


def _begin(order_file: int, *streams: int) -> dict[str, Any]:
    with open(order_file, encoding="utf-8") as file:
        order: dict[str, Any] = json.load(file)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(order["environ"])
    os.chdir(order["folder"])
    return order


if __name__ == "__main__":
    sys.argv = ["-c", *_wait_for_orders(int(sys.argv[1]))["words"]]
    sys.path[0] = ""
    from darkroom_server.cli import main

    sys.exit(main())
