"""Reading a key without showing it: from the terminal, or a line of stdin."""

import getpass
import os
import select
import sys

_LONGEST = 10_000


def read_hidden(question: str, within_s: float | None = None) -> str:
    """What the person types, or the next line of stdin where that is no terminal; empty where nothing comes.

    `within_s` bounds the wait for each byte of a stdin that is no terminal; Windows cannot bound it.
    """
    try:
        if sys.stdin.isatty():
            return getpass.getpass(question, stream=sys.stderr).strip()
        return _next_line(within_s).strip()
    except (OSError, EOFError, ValueError, AttributeError):  # stdin is closed, or is none
        return ""


def _next_line(within_s: float | None) -> str:
    """Byte by byte, so that the lines behind it are still there for the next question."""
    descriptor, line = sys.stdin.fileno(), b""
    while len(line) < _LONGEST and not line.endswith(b"\n"):
        if within_s is not None and sys.platform != "win32" and not select.select([descriptor], [], [], within_s)[0]:
            return ""
        byte = os.read(descriptor, 1)
        if not byte:
            break
        line += byte
    return line.decode("utf-8", "replace")
