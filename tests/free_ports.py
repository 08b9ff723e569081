"""Ports for servers that must be told theirs before they start."""

import secrets
import socket
from contextlib import suppress


def free_port() -> int:
    """One of loopback that nobody has.

    It lies below those that the system gives to connections and to servers that ask for any, or one of them could have
    it by the time it is bound.
    """
    for _ in range(1000):
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no port is free")
