"""Process start to the answer of `initialize` and of `server/discover`, ours beside a one-tool server of the SDK alone.

Run: python tests/bench/startup.py [rounds]. Rounds are interleaved; the first one only writes byte-code and is left
out. Aim: at most 0.95x. On a machine that others use, compare the times of processor (Linux).
"""

import sys
import tempfile
from statistics import median
from typing import get_args

from contestants import commands, environ
from server_process import Hello, ServerProcess


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for hello in get_args(Hello):
            compare(hello, folder, rounds)


def compare(hello: Hello, folder: str, rounds: int) -> None:
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands()}
    for _ in range(rounds + 1):
        for name, command in commands().items():
            with ServerProcess(command, environ(folder), hello) as server:
                times[name].append((1000 * server.hello_s, 1000 * server.processor_s))
    columns = {name: tuple(zip(*taken[1:], strict=True)) for name, taken in times.items()}
    print(f"until {hello} is answered: ms, median (fastest)")
    for name, (clock, processor) in columns.items():
        spent = f"{median(processor):6.0f} ({min(processor):.0f}) of processor"
        print(f"  {name:<10} {median(clock):6.0f} ({min(clock):.0f}) {spent}")
    (ours, our_work), (theirs, their_work) = columns.values()
    spent = f"of processor {min(our_work) / min(their_work):.2f}x" if all(their_work) else ""
    print(f"  ratio      {median(ours) / median(theirs):6.2f}x ({min(ours) / min(theirs):.2f}x) {spent}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
