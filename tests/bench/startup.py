"""Process start to the `initialize` answer, ours beside a one-tool server of the SDK alone. Aim: at most 1.0x.

Run: python tests/bench/startup.py [rounds]. Rounds are interleaved; the first one only writes byte-code and is left
out.
"""

import sys
import tempfile
from statistics import median

from contestants import commands, environ
from server_process import ServerProcess


def main(rounds: int) -> None:
    times: dict[str, list[float]] = {name: [] for name in commands()}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(rounds + 1):
            for name, command in commands().items():
                with ServerProcess(command, environ(folder)) as server:
                    times[name].append(server.initialize_s)
    medians = {name: median(values[1:]) for name, values in times.items()}
    for name, value in medians.items():
        print(f"{name:<10} {value * 1000:6.0f} ms (fastest {min(times[name][1:]) * 1000:.0f})")
    ours, theirs = medians.values()
    print(f"ratio      {ours / theirs:6.2f}x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 15)
