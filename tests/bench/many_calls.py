"""Many calls at once, beside what the rate of creates and the job itself take, on a gateway that holds and has a list.

Run: python tests/bench/many_calls.py [CALLS] [SECONDS OF THE JOB] [MODEL].
"""

import resource
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from statistics import median

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
from fault_plan import Plan  # noqa: E402
from gateway_process import gateway_process  # noqa: E402
from open_rooms import room_options  # noqa: E402

from darkroom.darkroom import Darkroom  # noqa: E402
from darkroom.generate_image import generate_image  # noqa: E402
from darkroom.registry import ImageRequest  # noqa: E402
from darkroom.work.create_rate import CREATES  # noqa: E402

_WAIT_S = 45


async def main(calls: int, job_s: float, model: str) -> None:
    ends: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder, gateway_process(Plan(run_s=job_s, holds=True)) as gateway:
        async with Darkroom.open(room_options(gateway, Path(folder), holds=True, sleep=anyio.sleep)) as room:
            began_s, cpu_s = time.time(), time.process_time()
            async with anyio.create_task_group() as tasks:
                for number in range(calls):
                    tasks.start_soon(partial(_call, room, model, number, ends))
            cpu_s = time.process_time() - cpu_s
        truth = gateway.truth()
    turns_s = max(0, calls - CREATES.burst) * 60 / CREATES.per_minute
    created_s = max(made.created_s for made in truth.predictions) - began_s
    answered_s = max(max(each.values()) for each in ends.values()) - began_s
    done = ends.get("succeeded", {})
    lags_s = [done[made.input["prompt"]] - made.ends_s for made in truth.predictions if made.input["prompt"] in done]
    requests = truth.creates + len(truth.looks) + truth.lists
    print(f"{calls} calls at once of a job of {job_s:g} s: " + ", ".join(f"{len(v)} {k}" for k, v in ends.items()))
    print(f"  last create    {created_s:6.1f} s; the rate alone takes {turns_s:.1f} s")
    print(
        f"  last answer    {answered_s:6.1f} s; rate and job take {turns_s + job_s:.1f} s "
        f"({answered_s / (turns_s + job_s):.2f} x)"
    )
    print(f"  lag            {median(lags_s or [0]):6.2f} s after the end, median; longest {max(lags_s or [0]):.2f} s")
    print(
        f"  requests       {truth.creates} creates, {truth.most_held} held at most, {len(truth.looks)} looks, "
        f"{truth.lists} lists ({requests / max(truth.creates, 1):.2f} a create)"
    )
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"  processor      {cpu_s:6.1f} s ({1000 * cpu_s / calls:.0f} ms a call), memory {memory:.0f} MiB at most")


async def _call(room: Darkroom, model: str, number: int, ends: dict[str, dict[str, float]]) -> None:
    wish = ImageRequest(prompt=f"fox {number}", model=model)
    report = await generate_image(room, wish, wait_s=_WAIT_S)
    ends.setdefault(report.outcome.value, {})[wish.prompt] = time.time()


if __name__ == "__main__":
    given = sys.argv[1:]
    count, run_s = int(given[0]) if given else 100, float(given[1]) if len(given) > 1 else 15.0
    anyio.run(main, count, run_s, given[2] if len(given) > 2 else "black-forest-labs/flux-1.1-pro")
