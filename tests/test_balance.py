"""What the key may still spend, as `doctor` and `history` say it: told by the gateway, or left out."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from anyio import to_thread
from forking_program import run_darkroom
from sandbox_server import sandbox_server
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway

from darkroom_server.sandbox import SandboxOptions

pytestmark = pytest.mark.anyio

KEY = "sk-balance0balance0balance0"


async def told(folder: Path, base_url: str, *words: str, gateway: str = "deerapi") -> str:
    """What the command prints, with this gateway in use."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith("DARKROOM_")}
    environ = kept | {
        "HOME": str(folder),
        "DARKROOM_DATA_DIR": str(folder / "data"),
        "DARKROOM_OUTPUT_DIR": str(folder / "images"),
        "DARKROOM_GATEWAY": gateway,
        "DARKROOM_BASE_URL": base_url,
        "DARKROOM_API_KEY": KEY,
    }
    done = await to_thread.run_sync(lambda: run_darkroom(words, environ, folder))
    assert "Traceback" not in done.stderr and KEY not in done.stdout + done.stderr
    return done.stdout


def key_with(**changes: Any) -> Callable[[RecordedRequest], Answer]:
    """A gateway that knows no prediction, and whose key has this balance in quota units."""
    data = {"total_granted": 5_000_000, "total_used": 2_900_000, "total_available": 2_100_000, **changes}

    def answer(request: RecordedRequest) -> Answer:
        if request.path == "/api/usage/token/":
            return Answer({"code": True, "data": data})
        return Answer({"error": {"message": "not found"}}, 404)

    return answer


async def test_doctor_says_what_is_left_and_of_how_much(tmp_path: Path) -> None:
    async with ScriptedGateway(key_with()) as server:
        assert "ok  Key: balance $4.20 of $10.00." in await told(tmp_path, server.base_url, "doctor")


async def test_doctor_says_that_a_key_has_no_limit_and_when_it_ends(tmp_path: Path) -> None:
    async with ScriptedGateway(key_with(unlimited_quota=True, expires_at=1_800_000_000)) as server:
        said = await told(tmp_path, server.base_url, "doctor")
    assert "Key: the key has no limit of its own until 2027-01-15, $5.80 used." in said


@pytest.mark.parametrize("gateway", ["deerapi", "custom"])
async def test_history_ends_with_the_balance(tmp_path: Path, gateway: str) -> None:
    async with ScriptedGateway(key_with(total_available=-5)) as server:
        said = await told(tmp_path, server.base_url, "history", gateway=gateway)
    assert said.splitlines()[-1].endswith("; balance $0.00 of $10.00.")


@pytest.mark.parametrize("answer", [Answer("", 404), Answer({"success": False, "message": "x"}, 401), Answer("", 500)])
async def test_without_an_answer_the_balance_is_left_out(tmp_path: Path, answer: Answer) -> None:
    async with ScriptedGateway(answer) as server:
        said = await told(tmp_path, server.base_url, "history")
    assert "0 predictions" in said and "balance" not in said and "limit of its own" not in said


async def test_a_gateway_that_does_not_answer_at_all_fails_no_history(tmp_path: Path) -> None:
    assert "0 predictions" in await told(tmp_path, "http://127.0.0.1:9", "history")


async def test_replicate_is_not_asked(tmp_path: Path) -> None:
    async with ScriptedGateway(key_with()) as server:
        await told(tmp_path, server.base_url, "history", gateway="replicate")
    assert "/api/usage/token/" not in [request.path for request in server.requests]


async def test_what_was_spent_at_a_reseller_is_gone_from_the_balance_and_in_the_history(tmp_path: Path) -> None:
    """All of it at the sandbox in the part of such a gateway: the next command picks the bill up."""
    async with sandbox_server(SandboxOptions(profile="deerapi", speed=20, painted_px=40_000)) as origin:
        base_url = f"{origin}/replicate"
        model = "black-forest-labs/flux-schnell"
        await told(tmp_path, base_url, "generate", "a fox", "--model", model, "--count", "2", "--wait", "30")
        assert "balance $9.994 of $10.00" in await told(tmp_path, base_url, "doctor")
        said = await told(tmp_path, base_url, "history")
        (noted,) = json.loads(await told(tmp_path, base_url, "history", "--json"))["predictions"]
    assert noted["charged"] == {"verdict": "yes", "usd": 0.006, "basis": "billed"}
    assert "$0.006" in said and said.splitlines()[-1].endswith("; balance $9.994 of $10.00.")
