"""How long after a prediction's end its picture is in the answer, beside a client that only holds the create.

Run: python tests/bench/lag.py [RUNS] [AT ONCE]. Ours saves the pictures and shows them, over stdio, at first as a new
installation; the official server's way (replicate-mcp 0.9.0, read 2026-11-25) is one POST with `Prefer: wait`, which
saves and shows nothing. Both meet the same gateway, which holds and answers as Replicate was recorded to.
"""

import os
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
import httpx  # noqa: E402
from contestants import commands, environ  # noqa: E402
from fault_gateway import GatewayProcess, Plan, gateway_process  # noqa: E402
from mcp import Client  # noqa: E402
from mcp.client.stdio import StdioServerParameters  # noqa: E402

_KEY = "bench-key-0123456789"
# Seconds of a job, and a model of the registry that usually takes about as long.
_JOBS = ((0.6, "black-forest-labs/flux-schnell"), (3.5, "google/nano-banana-2-lite"),
         (9.0, "recraft-ai/recraft-v3"))  # fmt: skip
_AT_ONCE_S = 3.5

Ask = Callable[[str, str], Awaitable[None]]


async def _lags_ms(gateway: GatewayProcess, ask: Ask, model: str, run_s: float, calls: int, name: str) -> list[float]:
    """One after the other, so that each has the gateway for itself."""
    lags: list[float] = []
    for number in range(calls):
        gateway.follow(Plan(run_s=run_s, holds=True))
        await ask(model, f"{name} {run_s:g} {number}")
        answered_s = time.time()
        lags.append(1000 * (answered_s - gateway.truth().predictions[-1].ends_s))
    return lags


async def _compare(gateway: GatewayProcess, ours: Ask, theirs: Ask, runs: int) -> None:
    for run_s, model in _JOBS:
        for name, ask in (("darkroom", ours), ("official", theirs)):
            before = gateway.truth()
            lags = await _lags_ms(gateway, ask, model, run_s, runs, name)
            after = gateway.truth()
            requests = (_requests(after) - _requests(before)) / runs
            print(
                f"{run_s:4g} s  {name}  first {lags[0]:6.0f} ms, median {median(lags):6.0f} ms after the end, "
                f"{requests:.1f} requests a picture",
                flush=True,
            )


def _requests(truth: object) -> int:
    return len(truth.looks) + truth.creates + truth.lists  # pyright: ignore


async def _at_once(gateway: GatewayProcess, ask: Ask, calls: int, name: str) -> float:
    gateway.follow(Plan(run_s=_AT_ONCE_S, holds=True))
    began_s = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for number in range(calls):
            tasks.start_soon(partial(ask, _JOBS[1][1], f"{name} at once {number}"))
    took_s = time.monotonic() - began_s
    print(f"{calls} at once of {_AT_ONCE_S:g} s  {name}  all answered after {took_s:.2f} s", flush=True)
    return took_s


async def main(runs: int, at_once: int) -> None:
    with tempfile.TemporaryDirectory() as folder, gateway_process(Plan(holds=True)) as gateway:
        settings = {
            "DARKROOM_GATEWAY": "replicate",
            "DARKROOM_BASE_URL": gateway.base_url,
            "DARKROOM_API_KEY": _KEY,
        }
        command = commands()["darkroom"]
        parameters = StdioServerParameters(command=command[0], args=command[1:], env=environ(folder) | settings)
        headers = {"Authorization": f"Bearer {_KEY}", "Prefer": "wait"}
        async with (
            Client(parameters) as client,
            httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=90) as http,
        ):

            async def ours(model: str, prompt: str) -> None:
                arguments = {"prompt": prompt, "model": model, "wait_seconds": 45}
                answer = await client.call_tool("generate_image", arguments)
                assert "Succeeded" in str(answer.content[0]), answer.content[0]

            async def theirs(model: str, prompt: str) -> None:
                made = await http.post(f"/v1/models/{model}/predictions", json={"input": {"prompt": prompt}})
                assert made.json()["output"]

            await _compare(gateway, ours, theirs, runs)
            took = [
                await _at_once(gateway, ask, at_once, name) for name, ask in (("darkroom", ours), ("official", theirs))
            ]
            print(f"ratio {took[0] / took[1]:.2f}x")


if __name__ == "__main__":
    given = [int(each) for each in sys.argv[1:]]
    os.environ.pop("DARKROOM_GATEWAY", None)
    anyio.run(main, *(given + [4, 20][len(given) :]))
