"""How long after a prediction's end its picture is in the answer, beside a client that only holds the create.

Run: python tests/bench/lag.py [RUNS] [AT ONCE]. Ours saves the pictures over stdio, with and without showing them, at
first as a new installation; the official server's way (replicate-mcp 0.9.0, read 2026-11-25) is one POST with
`Prefer: wait`, which saves and shows nothing. Both meet one gateway, which answers as Replicate was recorded to.
"""

import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
import httpx  # noqa: E402
from contestants import commands, environ  # noqa: E402
from fault_plan import Plan, Truth  # noqa: E402
from gateway_process import GatewayProcess, gateway_process  # noqa: E402
from mcp import Client  # noqa: E402
from mcp.client.stdio import StdioServerParameters  # noqa: E402

_KEY = "bench-key-0123456789"
# Seconds of a job, and a model of the registry that usually takes about as long.
_JOBS = ((0.6, "black-forest-labs/flux-schnell"), (3.5, "google/nano-banana-2-lite"),
         (9.0, "recraft-ai/recraft-v3"))  # fmt: skip
_AT_ONCE_S = 3.5

Ask = Callable[[str, str], Coroutine[None, None, None]]


async def _lags_ms(gateway: GatewayProcess, ask: Ask, model: str, run_s: float, calls: int, name: str) -> list[float]:
    """One after the other, so that each has the gateway for itself."""
    lags: list[float] = []
    for number in range(calls):
        gateway.follow(Plan(run_s=run_s, holds=True))
        await ask(model, f"{name} {run_s:g} {number}")
        answered_s = time.time()
        lags.append(1000 * (answered_s - gateway.truth().predictions[-1].ends_s))
    return lags


async def _compare(gateway: GatewayProcess, contestants: Mapping[str, Ask], runs: int) -> None:
    for run_s, model in _JOBS:
        for name, ask in contestants.items():
            before = gateway.truth()
            lags = await _lags_ms(gateway, ask, model, run_s, runs, name)
            requests = (_requests(gateway.truth()) - _requests(before)) / runs
            print(
                f"{run_s:4g} s  {name:16}  first {lags[0]:6.0f} ms, median {median(lags):6.0f} ms after the end, "
                f"{requests:.1f} requests a picture",
                flush=True,
            )


def _requests(truth: Truth) -> int:
    return len(truth.looks) + truth.creates + truth.lists


async def _at_once(gateway: GatewayProcess, ask: Ask, calls: int, name: str) -> float:
    gateway.follow(Plan(run_s=_AT_ONCE_S, holds=True))
    began_s = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for number in range(calls):
            tasks.start_soon(partial(ask, _JOBS[1][1], f"{name} at once {number}"))
    took_s = time.monotonic() - began_s
    print(f"{calls} at once of {_AT_ONCE_S:g} s  {name:16}  all answered after {took_s:.2f} s", flush=True)
    return took_s


@asynccontextmanager
async def _ours(gateway: GatewayProcess, previews: str) -> AsyncGenerator[Ask]:
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "DARKROOM_GATEWAY": "replicate",
            "DARKROOM_BASE_URL": gateway.base_url,
            "DARKROOM_API_KEY": _KEY,
            "DARKROOM_PREVIEWS": previews,
        }
        command = commands()["darkroom"]
        parameters = StdioServerParameters(command=command[0], args=command[1:], env=environ(folder) | settings)
        async with Client(parameters) as client:

            async def ask(model: str, prompt: str) -> None:
                arguments = {"prompt": prompt, "model": model, "wait_seconds": 45}
                answer = await client.call_tool("generate_image", arguments)
                assert "Succeeded" in str(answer.content[0]), answer.content[0]

            yield ask


async def main(runs: int, at_once: int) -> None:
    headers = {"Authorization": f"Bearer {_KEY}", "Prefer": "wait"}
    with gateway_process() as gateway:
        async with (
            _ours(gateway, "on") as shown,
            _ours(gateway, "off") as saved,
            httpx.AsyncClient(base_url=gateway.base_url, headers=headers, timeout=90) as http,
        ):

            async def theirs(model: str, prompt: str) -> None:
                made = await http.post(f"/v1/models/{model}/predictions", json={"input": {"prompt": prompt}})
                assert made.json()["output"]

            contestants = {"official": theirs, "saved": saved, "saved and shown": shown}
            await _compare(gateway, contestants, runs)
            took_s = [await _at_once(gateway, ask, at_once, name) for name, ask in contestants.items()]
            print(f"at once, beside the official: {took_s[1] / took_s[0]:.2f}x, shown {took_s[2] / took_s[0]:.2f}x")


if __name__ == "__main__":
    runs_given, at_once_given, *_ = [*map(int, sys.argv[1:]), *(4, 20)[len(sys.argv) - 1 :]]
    anyio.run(main, runs_given, at_once_given)
