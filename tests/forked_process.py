"""Python in a process of its own, as quickly as can be: a fork of the program that has loaded everything."""

import os
import selectors
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any
from weakref import finalize

from forking_program import can_fork, number_on, ordered


class ForkedProcess(subprocess.Popen[Any]):
    """Python with these words, as `subprocess.Popen`: once it has ended, nothing of it is left."""

    def __init__(self, words: Sequence[str], *, env: Mapping[str, str], **more: Any) -> None:
        self._is_fork = can_fork(env)
        self._told, self._one_reads = -1, threading.Lock()
        super().__init__([sys.executable, *words], env=env, **more)

    def _execute_child(self, *given: Any) -> None:
        """What Popen does once it has made the pipes: here the program that forks is asked for one."""
        if not self._is_fork:
            super()._execute_child(*given)  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
            return
        (_, *words), folder, environ = given[0], given[5], given[6]
        read, wrote, told, tell, said, say = given[10:16]  # a pipe has both of its ends, a file of the caller's one
        streams = [file if file >= 0 else number for file, number in ((read, 0), (tell, 1), (say, 2))]
        channel = ordered(words, environ, Path(folder or "."), streams)
        self.pid = number_on(channel)
        self._told = channel.detach()
        os.set_blocking(self._told, False)
        finalize(self, os.close, self._told)
        kept = getattr(self, "_devnull", None)
        for ours, theirs in ((wrote, read), (told, tell), (said, say)):
            if min(ours, theirs) >= 0 and theirs != kept:
                os.close(theirs)
        if kept is not None:
            os.close(kept)
        self._child_created = self._closed_child_pipe_fds = True

    def _internal_poll(self, *given: Any, **named: Any) -> int | None:
        if not self._is_fork:
            return super()._internal_poll(*given, **named)  # pyright: ignore
        with self._one_reads:
            if self.returncode is None:
                with suppress(BlockingIOError):
                    told = os.read(self._told, 4)  # nothing where the program above was killed, and its forks with it
                    self.returncode = int.from_bytes(told, "big", signed=True) if told else -9
        return self.returncode

    def _wait(self, timeout: float | None) -> int:
        if not self._is_fork:
            return super()._wait(timeout=timeout)  # pyright: ignore
        with selectors.DefaultSelector() as selector:
            selector.register(self._told, selectors.EVENT_READ)
            while (code := self._internal_poll()) is None:
                if not selector.select(timeout):
                    raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return code
