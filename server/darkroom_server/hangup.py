"""The one way to leave a stdio server, whoever wants that and however.

A signal, a closed stdout and the end of stdin all become the end of the server's input. The SDK reads stdin in a
thread that nothing can interrupt: a server that is cancelled by a signal would hang until the host closes stdin, and
without a handler SIGTERM ends it with no clean-up at all. So a relay stands between:

    host -> real stdin -> relay thread -> pipe -> the SDK's reader

The relay closes the pipe when stdin ends, when nobody can read stdout any more, or when a signal arrives. The server
then does what it does at the end of input: calls are cancelled, the lifespan is closed, the journal is written. A
process that is still there _LEAVE_WITHIN_S later is ended (hosts send SIGKILL soon after 2 s). Windows has neither poll
nor such signals: there the end of stdin ends the SDK's reader, and nothing stands between.
"""

import contextlib
import logging
import os
import select
import signal
import sys
import threading
import time
from collections import deque
from types import FrameType

log = logging.getLogger(__name__)

_LEAVE_WITHIN_S = 1.9
_STDIN, _STDOUT = 0, 1
# Once poll says that a pipe takes data, this much of it never blocks (POSIX PIPE_BUF is at least 512, on Linux 4096).
_SLICE_BYTES = 512 if sys.platform != "linux" else 4096
_READ_BYTES = 65_536


if sys.platform == "win32":

    class Hangup:
        """Nothing but the end of stdin, which the SDK sees by itself."""

        def __init__(self) -> None:
            self.has_begun = threading.Event()
            self.exit_code = 0
            self.lines = deque[float]()

        def watch(self) -> None:
            """There is nothing to do."""

else:

    class Hangup:
        """Why the process leaves, once it does."""

        def __init__(self) -> None:
            self._signal_number = 0
            self.has_begun = threading.Event()  # set when the server's input was ended
            # When each line of stdin arrived, by the monotonic clock; its reader takes them.
            self.lines = deque[float]()

        @property
        def exit_code(self) -> int:
            """128 + n after signal n, as shells count it; 0 when the host left."""
            return 128 + self._signal_number if self._signal_number else 0

        def watch(self) -> None:
            """Put the relay before stdin and take SIGTERM and SIGINT. Once per process, in its main thread."""
            source, stdout = os.dup(_STDIN), os.dup(_STDOUT)
            pipe_out, pipe_in = os.pipe()
            wake_out, wake_in = os.pipe()
            os.dup2(pipe_out, _STDIN)
            os.close(pipe_out)

            def leave(number: int, frame: FrameType | None) -> None:
                if self._signal_number:
                    os._exit(128 + number)
                self._signal_number = number
                os.write(wake_in, b"!")

            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, leave)
            ends = select.poll()
            ends.register(wake_out, select.POLLIN)
            ends.register(stdout, 0)  # poll reports a closed reader (POLLERR, POLLHUP) without being asked
            if (stdout, select.POLLNVAL) in ends.poll(0):  # on macOS for a terminal, which nobody closes
                ends.unregister(stdout)
            threading.Thread(target=self._relay, args=(source, pipe_in, ends), name="stdin relay", daemon=True).start()

        def _relay(self, source: int, sink: int, ends: select.poll) -> None:
            with contextlib.suppress(OSError):
                _copy(source, sink, ends, self.lines)
            self.has_begun.set()
            os.close(sink)
            time.sleep(_LEAVE_WITHIN_S)
            log.warning(
                "Not finished %s s after the host left; ending. The journal knows what is open.", _LEAVE_WITHIN_S
            )
            os._exit(self.exit_code)

    def _copy(source: int, sink: int, ends: select.poll, lines: deque[float]) -> None:
        """Copy bytes between two file descriptors until the end of input, a closed stdout or a signal."""
        while _is_ready(source, select.POLLIN, ends):
            read = os.read(source, _READ_BYTES)
            if not read:
                return
            lines.extend([time.monotonic()] * read.count(b"\n"))
            chunk = memoryview(read)
            while chunk and _is_ready(sink, select.POLLOUT, ends):
                chunk = chunk[os.write(sink, chunk[:_SLICE_BYTES]) :]
            if chunk:
                return

    def _is_ready(descriptor: int, event: int, ends: select.poll) -> bool:
        """Wait until `descriptor` can be read or written; False where an end came first."""
        ends.register(descriptor, event)
        try:
            ready = [number for number, _ in ends.poll()]
        finally:
            ends.unregister(descriptor)
        return ready == [descriptor]
