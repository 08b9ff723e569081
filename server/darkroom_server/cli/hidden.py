"""Reading a key without showing it: from the terminal, or a line of stdin."""

import getpass
import sys

_LONGEST = 10_000


def read_hidden(question: str) -> str:
    """What the person types, or the next line of stdin where that is no terminal; empty where nothing comes."""
    try:
        if sys.stdin.isatty():
            return getpass.getpass(question, stream=sys.stderr).strip()
        return sys.stdin.readline(_LONGEST).strip()
    except (OSError, EOFError, ValueError, AttributeError):  # stdin is closed, or is none
        return ""
