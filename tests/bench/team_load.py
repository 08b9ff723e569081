"""How many creates one replica makes in a second, and what 500 calls take that wait in it.

Run: python tests/bench/team_load.py [--seconds S] [--waiting N]. One replica, a worker, PostgreSQL (which writes
through to the disk) and the gateway are processes of their own beside the caller, on the cores that there are. It exits
with 1 where a limit is passed.
"""

import itertools
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
import httpx  # noqa: E402
from busy_gateway import BusyGateway, busy_gateway  # noqa: E402
from free_ports import free_port  # noqa: E402
from gateway_process import GatewayProcess  # noqa: E402
from http_caller import call, outcome  # noqa: E402
from postgres_server import PostgresServer, postgres_server  # noqa: E402
from processor import peak_mib, processor_s, resident_mib  # noqa: E402
from team_workers import MODEL, Team  # noqa: E402

from darkroom_server.team.administration import administering  # noqa: E402

_CLI = "import sys; from darkroom_server.cli import main; sys.exit(main())"
_RUN_S = 3600.0
_WARM_S, _AT_ONCE = 5.0, 32
_PEOPLE = 50
_ALL_WAIT_WITHIN_S, _WATCHED_S, _WAIT_S = 25.0, 20.0, 60
_FEWEST_A_SECOND, _MOST_MIB = 50.0, 160.0


@dataclass(frozen=True, slots=True)
class Spent:
    """Seconds of processor of each side so far."""

    at: float
    replica_s: float
    postgres_s: float
    gateway_s: float
    caller_s: float
    creates: int


class Bench:
    """One replica that serves; `pid` is its process."""

    def __init__(self, postgres: PostgresServer, gateway: BusyGateway, folder: Path, tokens: list[str]) -> None:
        self._postgres, self._gateway, self._tokens = postgres, gateway, tokens
        port = free_port()
        self._origin = f"http://127.0.0.1:{port}"
        environ = Team(postgres, GatewayProcess(gateway.base_url), folder).environ(postgres.app)
        environ |= {"DARKROOM_OAUTH_ISSUER": "http://127.0.0.1:9/none", "HOME": str(folder)}
        words = ["serve", "--transport", "http", "--port", str(port)]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _CLI, *words], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._numbers = itertools.count()
        self._has_told = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    async def until_ready(self) -> None:
        async with httpx.AsyncClient() as client:
            for _ in range(300):
                try:
                    if (await client.get(f"{self._origin}/ready")).status_code == 200:
                        return
                except httpx.HTTPError:
                    pass
                await anyio.sleep(0.2)
        raise TimeoutError("the replica never was ready")

    async def call(self, wait_s: int) -> str:
        """One create of the next person; what became of it."""
        number = next(self._numbers)
        wish = {"prompt": f"fox {number}", "model": MODEL, "wait_seconds": wait_s, "request_id": f"fox-{number}"}
        answer = await call(self._origin, self._tokens[number % len(self._tokens)], "generate_image", wish)
        if not outcome(answer) and not self._has_told:
            self._has_told = True
            print(f"  without an outcome: {answer[:600]!r}")
        return outcome(answer)

    async def calls_until(self, end_s: float, ends: dict[str, int]) -> None:
        async def one_after_the_other() -> None:
            while time.monotonic() < end_s:
                said = await self.call(0)
                ends[said] = ends.get(said, 0) + 1

        async with anyio.create_task_group() as tasks:
            for _ in range(_AT_ONCE):
                tasks.start_soon(one_after_the_other)

    def spent(self) -> Spent:
        postmaster = int((self._postgres.data / "postmaster.pid").read_text().split()[0])
        asked = self._gateway.asked()
        return Spent(
            at=time.monotonic(),
            replica_s=processor_s(self.pid),
            postgres_s=processor_s(postmaster),
            gateway_s=asked.processor_s,
            caller_s=time.process_time(),
            creates=asked.creates,
        )


async def creates(bench: Bench, seconds: float) -> bool:
    await bench.calls_until(time.monotonic() + _WARM_S, {})
    ends: dict[str, int] = {}
    before = bench.spent()
    await bench.calls_until(before.at + seconds, ends)
    after = bench.spent()
    made, took_s = after.creates - before.creates, after.at - before.at
    replica_s, postgres_s = after.replica_s - before.replica_s, after.postgres_s - before.postgres_s
    gateway_s, caller_s = after.gateway_s - before.gateway_s, after.caller_s - before.caller_s
    print(f"{made} creates in {took_s:.0f} s by {_AT_ONCE} calls at once; answers {ends}")
    print(f"  a second       {made / took_s:.1f}")
    print(
        f"  for one        {1000 * replica_s / made:.1f} ms of the replica's processor, "
        f"{1000 * postgres_s / made:.1f} of PostgreSQL's, {1000 * gateway_s / made:.2f} of the gateway's, "
        f"{1000 * caller_s / made:.1f} of the caller's"
    )
    is_met = made / replica_s >= _FEWEST_A_SECOND
    print(f"  {_verdict(is_met)}: {made / replica_s:.0f} creates for a second of the replica's processor (50 wanted)")
    return is_met and set(ends) <= {"running"}


async def waits(bench: Bench, count: int) -> bool:
    ends: dict[str, int] = {}

    async def wait() -> None:
        said = await bench.call(_WAIT_S)
        ends[said] = ends.get(said, 0) + 1

    idle_mib = resident_mib(bench.pid)
    before = after = bench.spent()
    mib, answered = idle_mib, 0
    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(wait)
        await anyio.sleep(_ALL_WAIT_WITHIN_S)
        before = bench.spent()
        await anyio.sleep(_WATCHED_S)
        after, mib, answered = bench.spent(), resident_mib(bench.pid), sum(ends.values())
    took_s = after.at - before.at
    replica, postgres = after.replica_s - before.replica_s, after.postgres_s - before.postgres_s
    most_mib = peak_mib(bench.pid)
    print(f"{count} calls of {_PEOPLE} people that wait {_WAIT_S} s; answers {ends}")
    print(f"  memory         {mib:.0f} MiB of the replica while {count - answered} wait, at most {most_mib:.0f}")
    print(f"                 ({idle_mib:.0f} before, so {1024 * (mib - idle_mib) / count:.0f} KiB a call)")
    print(f"  of a core      replica {replica / took_s:.1%}, PostgreSQL {postgres / took_s:.1%}, while all only wait")
    is_met = most_mib <= _MOST_MIB and not answered
    print(f"  {_verdict(is_met)}: at most {_MOST_MIB:.0f} MiB")
    return is_met and set(ends) <= {"running"}


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


async def main(seconds: float, waiting: int) -> int:
    verdicts: list[bool] = []
    with ExitStack() as stack:
        postgres = stack.enter_context(postgres_server(is_durable=True))
        gateway = stack.enter_context(busy_gateway())
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        Path(folder).chmod(0o755)
        gateway.run_creates_for(_RUN_S)
        team = Team(postgres, GatewayProcess(gateway.base_url), Path(folder))
        team.found()
        team.set_rate(creates_per_minute=100_000)
        stack.callback(team.end)
        team.start("worker")  # without one, each replica looks at the gateway itself
        with administering(postgres.owner) as administration:
            tokens = [administration.new_token("acme", f"person-{number}", None) for number in range(_PEOPLE)]
        measured: list[Callable[[Bench], Awaitable[bool]]] = []
        if seconds:
            measured.append(partial(creates, seconds=seconds))
        if waiting:
            measured.append(partial(waits, count=waiting))
        for measure in measured:
            bench = Bench(postgres, gateway, Path(folder), tokens)
            try:
                await bench.until_ready()
                verdicts.append(await measure(bench))
            finally:
                bench.end()
    return 0 if all(verdicts) else 1


if __name__ == "__main__":
    parser = ArgumentParser()
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--waiting", type=int, default=500)
    given = parser.parse_args()
    sys.exit(anyio.run(main, given.seconds, given.waiting))
