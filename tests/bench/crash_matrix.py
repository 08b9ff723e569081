"""The crash matrix in large: prints what was made, killed, lost and duplicated, and ends with 1 unless both are 0.

Run: PYTHONPATH=tests python tests/bench/crash_matrix.py [requests] [kills] [folder]. The default, 10 000 requests and
220 kills, takes half an hour; a folder in memory spares the disk, and the end of a process is the same there.
"""

import sys
import tempfile
from pathlib import Path

import anyio
from crash_run import CrashRun


def main(requests: int, kills: int, parent: str | None) -> int:
    with tempfile.TemporaryDirectory(dir=parent) as folder:
        figures = anyio.run(CrashRun(folder=Path(folder), requests=requests, kills=kills, batch=25).run)
    print(*figures.lines(), sep="\n")
    return 1 if figures.lost or figures.duplicated or figures.images_missing else 0


if __name__ == "__main__":
    given = sys.argv[1:]
    sys.exit(
        main(
            int(given[0]) if given else 10_000,
            int(given[1]) if len(given) > 1 else 220,
            given[2] if len(given) > 2 else None,
        )
    )
