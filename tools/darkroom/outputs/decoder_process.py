"""One decoder process, as its parent sees it: started without any key, asked for one picture after the other, killed.

It leads a session of its own, so that killing it kills the copy that carries out a request as well.
"""

import os
import secrets
import signal
import sys
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from subprocess import DEVNULL
from typing import Any, Self

import anyio
import anyio.abc
from pydantic import JsonValue

from darkroom.decoder.frames import HEAD_SIZE, TAG_SIZE, frame, lengths, told

_PROGRAM = Path("decoder", "program.py")  # in our own package
_NEEDED = ("darkroom", "PIL", "resvg_py")
# What a process needs to start at all, on Windows and where Python's libraries lie in an unusual place.
_KEPT_VARIABLES = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_READ_BYTES = 1024 * 1024

_Answer = tuple[dict[str, Any], bytes]


class DecoderEndedError(Exception):
    """It ended without an answer: by itself before the picture reached it (`was_idle`), else because of the picture."""

    def __init__(self, *, was_idle: bool) -> None:
        super().__init__("idle" if was_idle else "killed by a picture")
        self.was_idle = was_idle


class DecoderProcess:
    """Answers one request at a time. `asked` counts them; `kill` it always, its end on its own apart."""

    def __init__(self, process: anyio.abc.Process) -> None:
        self._process = process
        self.asked = 0

    @classmethod
    async def start(cls, idle_s: float) -> Self:
        """It loads while the caller goes on. It ends by itself after `idle_s` seconds without a request.

        Raises: OSError.
        """
        environment = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        environment["MALLOC_ARENA_MAX"] = "2"  # each reserves 64 MiB of address space, which the memory limit counts
        # A picture's megabytes then come in pages of 2 MiB, also where it is smaller: in a virtual machine, 4 KiB ones
        # take longer than a resize.
        environment["GLIBC_TUNABLES"] = "glibc.malloc.hugetlb=1:glibc.malloc.mmap_threshold=33554432"
        started: Self | None = None
        with anyio.CancelScope(shield=True):  # a start that is broken off would leave a process behind
            started = cls(
                await anyio.open_process(
                    decoder_command(idle_s), stderr=DEVNULL, env=environment, start_new_session=True
                )
            )
        assert started
        return started

    @property
    def is_running(self) -> bool:
        return self._process.returncode is None

    async def ask(self, about: Mapping[str, JsonValue], content: bytes) -> _Answer:
        """The two parts of its answer. After any failure it must be killed.

        Raises: DecoderEndedError.
        """
        assert self._process.stdin
        tag = secrets.token_bytes(TAG_SIZE)
        self.asked += 1
        try:
            # It reads everything before it writes, so that sending first cannot lock.
            await self._process.stdin.send(frame(tag, about, content))
            found = lengths(await self._read(HEAD_SIZE))
            answer = told(await self._read(found.about)), await self._read(found.content)
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream) as error:
            code = await self._process.wait()
            raise DecoderEndedError(was_idle=code == 0 and self.asked > 1) from error
        except ValueError as error:
            raise DecoderEndedError(was_idle=False) from error
        if found.tag != tag:
            raise DecoderEndedError(was_idle=False)
        return answer

    async def kill(self) -> None:
        """End it and whatever it is doing."""
        with anyio.CancelScope(shield=True):
            if self.is_running:
                with suppress(ProcessLookupError, PermissionError):
                    self._send_kill()
            await self._process.aclose()

    def _send_kill(self) -> None:
        if sys.platform == "win32":
            self._process.kill()
        else:
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _read(self, size: int) -> bytes:
        assert self._process.stdout
        pieces: list[bytes] = []
        while size:
            pieces.append(await self._process.stdout.receive(min(size, _READ_BYTES)))
            size -= len(pieces[-1])
        return b"".join(pieces)


def decoder_command(idle_s: float) -> list[str]:
    """What starts the program, with nothing of this process but its libraries."""
    folders = _folders()
    flags = ["-I", "-S", *(["-B"] if sys.dont_write_bytecode else ())]
    flags += ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    program = str(Path(folders[0], "darkroom", _PROGRAM))
    return [sys.executable, *flags, program, str(idle_s), *dict.fromkeys(folders)]


@cache
def _folders() -> tuple[str, ...]:
    """The folders that hold our package and each library that the process needs; none of them is imported for that."""
    found = [(find_spec(name), name) for name in _NEEDED]
    return tuple(str(Path(spec.origin).parent.parent) for spec, _ in found if spec and spec.origin)
