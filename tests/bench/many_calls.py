"""Many calls at once, beside what the rate of creates and the job itself take.

Run: python tests/bench/many_calls.py [CALLS] [SECONDS OF THE JOB] [MODEL].
"""

import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
from fault_gateway import Plan, gateway_process  # noqa: E402
from open_rooms import room_options  # noqa: E402

from darkroom.darkroom import Darkroom  # noqa: E402
from darkroom.generate_image import generate_image  # noqa: E402
from darkroom.registry import ImageRequest  # noqa: E402
from darkroom.work.create_rate import CREATES  # noqa: E402

_WAIT_S = 45


async def main(calls: int, job_s: float, model: str) -> None:
    ends: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder, gateway_process(Plan(run_s=job_s)) as gateway:
        async with Darkroom.open(room_options(gateway, Path(folder))) as room:
            began_s, cpu_s = time.time(), time.process_time()
            async with anyio.create_task_group() as tasks:
                for number in range(calls):
                    tasks.start_soon(partial(_call, room, model, number, ends))
            cpu_s = time.process_time() - cpu_s
        truth = gateway.truth()
    turns_s = max(0, calls - CREATES.burst) * 60 / CREATES.per_minute
    created_s = max(made.created_s for made in truth.predictions) - began_s
    answered_s = max(max(each) for each in ends.values()) - began_s
    print(f"{calls} calls at once of a job of {job_s:g} s: " + ", ".join(f"{len(v)} {k}" for k, v in ends.items()))
    print(f"  last create    {created_s:6.1f} s; the rate alone takes {turns_s:.1f} s")
    print(
        f"  last answer    {answered_s:6.1f} s; rate and job take {turns_s + job_s:.1f} s "
        f"({answered_s / (turns_s + job_s):.2f} x)"
    )
    print(
        f"  requests       {truth.creates} creates, {len(truth.looks)} looks "
        f"({(truth.creates + len(truth.looks)) / calls:.2f} a call, lists not counted)"
    )
    print(f"  processor      {cpu_s:6.1f} s ({1000 * cpu_s / calls:.0f} ms a call)")


async def _call(room: Darkroom, model: str, number: int, ends: dict[str, list[float]]) -> None:
    report = await generate_image(room, ImageRequest(prompt=f"fox {number}", model=model), wait_s=_WAIT_S)
    ends.setdefault(report.outcome.value, []).append(time.time())


if __name__ == "__main__":
    given = sys.argv[1:]
    count, run_s = int(given[0]) if given else 100, float(given[1]) if len(given) > 1 else 15.0
    anyio.run(main, count, run_s, given[2] if len(given) > 2 else "black-forest-labs/flux-1.1-pro")
