"""Process start to the answer of `initialize` and of `server/discover`, ours beside a one-tool server of the SDK alone.

Run: python tests/bench/startup.py [rounds]. Rounds are interleaved; the first one only writes byte-code and is left
out. Aim: at most 0.95x, told by the medians of processor, for each way in which we are started. Linux only; the clock
says something where nobody else uses the machine.
"""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import get_args

from contestants import commands, environ
from server_process import Hello, ServerProcess

_AIM = 0.95
_FLOOR = "sdk alone"
_OTHERS = {
    "console script": [str(Path(sys.executable).with_name("darkroom-mcp")), "serve"],
    "python -m": [sys.executable, "-m", "darkroom_server", "serve"],
}


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for hello in get_args(Hello):
            compare(hello, folder, rounds)


def compare(hello: Hello, folder: str, rounds: int) -> None:
    started = commands() | _OTHERS
    clock: dict[str, list[float]] = {name: [] for name in started}
    processor: dict[str, list[float]] = {name: [] for name in started}
    for _ in range(rounds + 1):
        for name, command in started.items():
            with ServerProcess(command, environ(folder), hello) as server:
                clock[name].append(1000 * server.hello_s)
                processor[name].append(1000 * server.processor_s)
    print(f"until {hello} is answered: ms, median (fastest); beside {_FLOOR}")
    for name in started:
        taken, spent = clock[name][1:], processor[name][1:]
        print(
            f"  {name:<15}{_figures(taken, clock[_FLOOR][1:])}   of processor{_figures(spent, processor[_FLOOR][1:])}"
        )
        if name != _FLOOR and all(processor[_FLOOR]):
            is_met = median(spent) <= _AIM * median(processor[_FLOOR][1:])
            print(f"  {'':<15}{'met' if is_met else 'MISSED'}: at most {_AIM}x of processor")


def _figures(taken: Sequence[float], floor: Sequence[float]) -> str:
    if not all(floor):
        return " not known"
    ratios = f"{median(taken) / median(floor):.2f}x ({min(taken) / min(floor):.2f}x)"
    return f"{median(taken):7.0f} ({min(taken):.0f}) {ratios}"


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
