"""The TypeScript SDK's client with its default time-out of 60 s, the base of most hosts.

Here a call waits 2 s and the prediction takes 5 s; bench/typescript_slow.py has the real 25 s and 75 s.
"""

import json
import subprocess
from pathlib import Path
from typing import Any

from http_process import DARKROOM, HttpProcess, bare_environ
from node_programs import NODE_MODULES, node_command

PROMPT = "sandbox:slow=5 a fox"


def seen_by_the_client(folder: Path, *target: str, **variables: str) -> dict[str, Any]:
    done = subprocess.run(
        node_command("./typescript_client.mjs", str(NODE_MODULES), PROMPT, *target),
        env=bare_environ(folder, **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def assert_the_client_got_its_picture(seen: dict[str, Any]) -> None:
    first, *_, last = seen["calls"]
    assert first["text"].startswith("Still ") and not first["is_error"]
    assert last["text"].startswith("Succeeded: 1 image") and seen["id"] in last["text"]
    assert "generate_image" in seen["tools"]


def test_a_prediction_that_outlasts_the_call_is_picked_up_by_its_id_over_stdio(tmp_path: Path) -> None:
    seen = seen_by_the_client(tmp_path, *DARKROOM, "serve", DARKROOM_WAIT_SECONDS="2")
    assert_the_client_got_its_picture(seen)


def test_a_prediction_that_outlasts_the_call_is_picked_up_by_its_id_over_http(tmp_path: Path) -> None:
    with HttpProcess(tmp_path, DARKROOM_WAIT_SECONDS="2") as server:
        assert_the_client_got_its_picture(seen_by_the_client(tmp_path, server.url))
