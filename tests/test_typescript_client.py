"""The TypeScript SDK's client with its default time-out of 60 s, the base of most hosts.

Here a call waits a second and the prediction takes two; bench/typescript_slow.py has the real 25 s and 75 s.
"""

from pathlib import Path
from typing import Any

from forking_program import darkroom_command
from http_process import HttpProcess, bare_environ
from node_programs import json_of

PROMPT = "sandbox:slow=2 a fox"


def seen_by_the_client(folder: Path, *target: str, **variables: str) -> dict[str, Any]:
    return json_of("./typescript_client.mjs", PROMPT, *target, environ=bare_environ(folder, **variables))


def assert_the_client_got_its_picture(seen: dict[str, Any]) -> None:
    first, *_, last = seen["calls"]
    assert first["text"].startswith("Still ") and not first["is_error"]
    assert last["text"].startswith("Succeeded: 1 image") and seen["id"] in last["text"]
    assert "generate_image" in seen["tools"]


def test_a_prediction_that_outlasts_the_call_is_picked_up_by_its_id_over_stdio(tmp_path: Path) -> None:
    seen = seen_by_the_client(tmp_path, *darkroom_command(bare_environ(tmp_path), "serve"), DARKROOM_WAIT_SECONDS="1")
    assert_the_client_got_its_picture(seen)


def test_a_prediction_that_outlasts_the_call_is_picked_up_by_its_id_over_http(tmp_path: Path) -> None:
    with HttpProcess(tmp_path, DARKROOM_WAIT_SECONDS="1") as server:
        assert_the_client_got_its_picture(seen_by_the_client(tmp_path, server.url))
