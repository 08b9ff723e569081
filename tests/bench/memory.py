"""Resident memory after `initialize` and `tools/list`, ours beside a one-tool server of the SDK alone. Linux only.

Run: python tests/bench/memory.py
"""

import re
import tempfile
from pathlib import Path
from statistics import median

from contestants import commands, environ
from server_process import ServerProcess

_ROUNDS = 5


def main() -> None:
    resident: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, command in commands().items():
            resident[name] = median(_resident_mb(command, environ(folder)) for _ in range(_ROUNDS))
            print(f"{name:<10} {resident[name]:6.1f} MB")
    ours, theirs = resident.values()
    print(f"ratio      {ours / theirs:6.2f}x")


def _resident_mb(command: list[str], environ: dict[str, str]) -> float:
    with ServerProcess(command, environ) as server:
        server.ask("tools/list", {})
        status = Path(f"/proc/{server.pid}/status").read_text(encoding="ascii")
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found, "this benchmark needs Linux"
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()
