"""A 75 s prediction for the TypeScript SDK's client with its default time-out of 60 s: what it gets, and when.

Run: .venv/bin/python tests/bench/typescript_slow.py [seconds]. Needs `npm install --prefix tests`; takes about 90 s.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from http_process import DARKROOM, bare_environ
from node_programs import NODE_MODULES, node_command


def main(seconds: str = "75") -> None:
    with tempfile.TemporaryDirectory() as folder:
        prompt = f"sandbox:slow={seconds} a fox"
        command = node_command("./typescript_client.mjs", str(NODE_MODULES), prompt, *DARKROOM, "serve")
        done = subprocess.run(command, env=bare_environ(Path(folder)), capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    for call in json.loads(done.stdout)["calls"]:
        print(f"{call['name']} answered after {call['seconds']:.1f} s:\n{call['text']}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
