"""A command that is as fast as a fork: it hands its streams to a program that has loaded all (forking_program.py).

Run: python -I -S tests/fork_shim.py SOCKET WORDS... It lives as long as the fork, passes signals on and ends as that
does. It imports little, since each run waits for that.
"""

import _socket
import array
import os
import signal
import sys


class _Passed:
    """Signals for the fork, kept until its process id is known."""

    def __init__(self) -> None:
        self.pid = 0
        self._early: list[int] = []
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._pass_on)

    def name(self, pid: int) -> None:
        self.pid = pid
        for number in self._early:
            self._pass_on(number, None)

    def _pass_on(self, number: int, frame: object) -> None:
        if not self.pid:
            self._early.append(number)
            return
        try:
            os.kill(self.pid, number)
        except ProcessLookupError:
            return


def main(address: str, words: list[str]) -> None:
    passed = _Passed()
    channel = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    channel.connect(address)
    parts = [os.getcwd(), str(len(words)), *words, *(part for pair in os.environ.items() for part in pair)]
    order = b"\0".join(os.fsencode(part) for part in parts)
    rights = (_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", [0, 1, 2]))
    channel.sendmsg([len(order).to_bytes(4, "big")], [rights])
    channel.sendall(order)
    nothing = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(nothing, number)
    passed.name(int.from_bytes(channel.recv(4), "big"))
    code = int.from_bytes(channel.recv(4), "big", signed=True)
    if code < 0:
        signal.signal(-code, signal.SIG_DFL) if -code != signal.SIGKILL else None
        os.kill(os.getpid(), -code)
    os._exit(code)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
