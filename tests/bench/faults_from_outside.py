"""The table of faults from outside, at the product's own pace: a job of 75 s, calls that wait 25 s.

Run: PYTHONPATH=tests python tests/bench/faults_from_outside.py [quick]. It takes about a quarter of an hour, or one
minute.
"""

import sys
import tempfile
from pathlib import Path

import anyio
from gateway_process import gateway_process
from outside_cases import CASES, HEADER, QUICK, REAL, Scene, played


def main(pace_name: str) -> None:
    pace = QUICK if pace_name == "quick" else REAL
    print(HEADER)
    for name in CASES:
        with gateway_process() as gateway, tempfile.TemporaryDirectory() as folder:
            row = anyio.run(played, name, Scene(gateway=gateway, folder=Path(folder), pace=pace))
        print(row.line(name), flush=True)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "real")
