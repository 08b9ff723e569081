"""Three replicas and two workers behind a balancer, one of the five killed every few seconds, while calls come in.

Run: python tests/bench/team_kills.py [SECONDS] [CALLS A SECOND] [SECONDS BETWEEN KILLS] [SECONDS OF THE JOB]. The
limit of money lets nine in ten through. It exits with 1 where anything is lost, paid twice, above the limit or the
rate, or followed again too late.
"""

import bisect
import contextlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
import httpx  # noqa: E402
from fault_plan import Plan, Truth  # noqa: E402
from free_ports import free_port  # noqa: E402
from gateway_process import gateway_process  # noqa: E402
from http_caller import outcome  # noqa: E402
from postgres_server import postgres_server  # noqa: E402
from takeovers import Follower, Kill, overlap_s, unfollowed  # noqa: E402
from team_workers import MODEL, Team  # noqa: E402

from darkroom_server.team.administration import administering  # noqa: E402
from darkroom_server.team.pace import Pace  # noqa: E402

_HEADERS = {"Accept": "application/json, text/event-stream"}
_PRICE_USD = 0.003  # of one image of the model
_SHARE_ALLOWED = 0.9
_PER_MINUTE = 720
_TAKEN_OVER_WITHIN_S = 2 * Pace().stale_s
# A create whose replica died before it was sent is called absent once one worker has missed it for two minutes, so
# not while they are killed; then it is sent again.
_TRIED_AFTER_S = 240.0
_ORPHAN_S = 3.0  # an id that is written down so late was not by the replica that has sent the create
_ENDED = {"home", "refused", "absent"}  # absent: sent again when it is asked for, if the limit allows that
_CLI = "import sys; from darkroom_server.cli import main; sys.exit(main())"


class Fleet:
    """The five processes, each started again where it was killed."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self.ports = [free_port() for _ in range(3)]
        self._kinds = [*self.ports, 0, 0]
        self._processes = [self._started(kind) for kind in self._kinds]
        self.kills: list[Kill] = []

    def _started(self, port: int) -> "subprocess.Popen[bytes]":
        environ = self._team.environ(self._team.postgres.app if port else self._team.postgres.worker)
        environ |= {"DARKROOM_OAUTH_ISSUER": "http://127.0.0.1:9/none", "HOME": str(self._team.folder)}
        words = ["serve", "--transport", "http", "--port", str(port)] if port else ["worker"]
        return subprocess.Popen([sys.executable, "-c", _CLI, *words], env=environ, stdout=subprocess.DEVNULL)

    def kill_one(self) -> None:
        number = random.randrange(5)
        self._processes[number].send_signal(signal.SIGKILL)
        self._processes[number].wait()
        self.kills.append(Kill(time.time(), is_worker=not self._kinds[number]))
        self._processes[number] = self._started(self._kinds[number])

    def end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


class Caller:
    """A host behind a balancer: each request goes to the next replica, and is made again until it is done."""

    def __init__(self, ports: list[int], token: str, seconds: float) -> None:
        self._until_s = time.monotonic() + seconds + _TRIED_AFTER_S
        self._addresses = [f"http://127.0.0.1:{port}/mcp" for port in ports]
        headers = _HEADERS | {"Authorization": f"Bearer {token}"}
        self._client = httpx.AsyncClient(headers=headers, timeout=60, limits=httpx.Limits(max_connections=400))
        self._next = 0
        self.ends: dict[str, int] = {}
        self.tries = 0
        self.late_s: list[float] = []

    async def until_ready(self, port: int) -> None:
        for _ in range(600):
            with contextlib.suppress(httpx.HTTPError):
                if (await self._client.get(f"http://127.0.0.1:{port}/ready")).status_code == 200:
                    return
            await anyio.sleep(0.2)
        raise TimeoutError(port)

    async def call(self, number: int) -> None:
        began_s = time.monotonic()
        arguments = {"prompt": f"fox {number}", "model": MODEL, "request_id": f"fox-{number}", "wait_seconds": 25}
        params = {"name": "generate_image", "arguments": arguments}
        body = {"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}
        said = ""
        while time.monotonic() < self._until_s:
            self._next += 1
            self.tries += 1
            try:
                answer = await self._client.post(self._addresses[self._next % 3], json=body)
                said = answer.text
            except httpx.HTTPError:
                said = ""
            end = "beyond the limit" if "limit for a day" in said else outcome(said)
            if end in ("succeeded", "beyond the limit"):
                self.late_s.append(time.monotonic() - began_s)
                self.ends[end] = self.ends.get(end, 0) + 1
                return
            await anyio.sleep(1)
        self.ends["given up"] = self.ends.get("given up", 0) + 1
        print(said[:600])


async def main(seconds: float, rate: float, every_s: float, job_s: float) -> int:
    with (
        postgres_server(is_durable=True) as postgres,
        gateway_process(Plan(run_s=job_s)) as gateway,
        tempfile.TemporaryDirectory() as folder,
    ):
        Path(folder).chmod(0o755)
        team = Team(postgres, gateway, Path(folder))
        team.found()
        team.set_rate(creates_per_minute=_PER_MINUTE)
        limit_usd = round(seconds * rate * _SHARE_ALLOWED * _PRICE_USD, 3)
        with administering(postgres.owner) as administration:
            token = administration.new_token("acme", "bench", None)
            administration.set_limit("acme", limit_usd)
        fleet, follower = Fleet(team), Follower(postgres.superuser)
        caller = Caller(fleet.ports, token, seconds)
        try:
            for port in fleet.ports:
                await caller.until_ready(port)
            await caller.call(0)
            await _under_fire(fleet, follower, caller, (seconds, rate, every_s))
            with anyio.move_on_after(90):
                while team.states().keys() - _ENDED:  # noqa: ASYNC110 - others do it
                    await anyio.sleep(0.5)
            return 0 if _tell(team, fleet, follower, caller, limit_usd) else 1
        finally:
            fleet.end()


async def _under_fire(fleet: Fleet, follower: Follower, caller: Caller, pace: tuple[float, float, float]) -> None:
    seconds, rate, every_s = pace
    began_s, is_over = time.monotonic(), False
    async with anyio.create_task_group() as sampling:
        sampling.start_soon(follower.run, lambda: is_over)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_kill, fleet, began_s + seconds, every_s)
            for number in range(1, round(seconds * rate)):
                await anyio.sleep(max(0.0, began_s + number / rate - time.monotonic()))
                tasks.start_soon(caller.call, number)
        is_over = True
    print(f"{seconds:.0f} s of {rate:g} calls a second, all answered after {time.monotonic() - began_s:.0f} s")


async def _kill(fleet: Fleet, until_s: float, every_s: float) -> None:
    while time.monotonic() < until_s:
        await anyio.sleep(every_s)
        await anyio.to_thread.run_sync(fleet.kill_one)


def _tell(team: Team, fleet: Fleet, follower: Follower, caller: Caller, limit_usd: float) -> bool:
    lost, twice = team.lost_and_twice()
    truth, rows = team.gateway.truth(), team.states()
    dead = [each.is_worker for each in fleet.kills]
    print(f"  {len(truth.predictions)} predictions, {caller.tries} calls, ends {caller.ends}, rows {rows}")
    print(f"  kills          {dead.count(False)} of replicas, {dead.count(True)} of workers")
    print(f"  gateway        {truth.processor_s:.1f} s of its processor")
    seen = dict(team.postgres.execute("SELECT prediction_id, ended_at FROM intents WHERE ended_at IS NOT NULL"))
    _tell_times("end -> seen", [seen[made.id] - made.ends_s for made in truth.predictions if made.id in seen])
    _tell_times("call -> answer", caller.late_s)
    spent_usd, most = len(truth.predictions) * _PRICE_USD, _most_in_a_minute(truth)
    spells = unfollowed(follower.samples, fleet.kills)
    watches = [end - begin for begin, end in spells]
    orphans = _orphans(team, truth, fleet.kills, spells)
    _tell_times("watch taken over", watches)
    _tell_times("create taken over", orphans)
    within = f"within {_TAKEN_OVER_WITHIN_S:g} s"
    return all(
        [
            _judged(not lost, f"lost {len(lost)}"),
            _judged(not twice and truth.creates == len(truth.predictions), f"paid twice {len(twice)}"),
            _judged(not rows.keys() - _ENDED and "given up" not in caller.ends, "every call came to an end"),
            _judged(spent_usd <= limit_usd + 1e-9, f"spent ${spent_usd:.3f} of ${limit_usd:.3f}"),
            _judged(most <= _PER_MINUTE, f"at most {most} creates in any minute, {_PER_MINUTE} allowed"),
            _judged(
                max(watches, default=0) <= _TAKEN_OVER_WITHIN_S, f"each watch of a killed worker taken over {within}"
            ),
            _judged(max(orphans, default=0) <= _TAKEN_OVER_WITHIN_S, f"each create of a killed replica found {within}"),
        ]
    )


def _orphans(team: Team, truth: Truth, kills: list[Kill], spells: list[tuple[float, float]]) -> list[float]:
    """Seconds from the last kill of a replica before its id was known, less those in which nobody could follow."""
    known = dict(team.postgres.execute("SELECT prediction_id, known_at FROM intents WHERE known_at IS NOT NULL"))
    found: list[float] = []
    for made in truth.predictions:
        at = known.get(made.id, float("inf"))
        before = [kill.at for kill in kills if not kill.is_worker and made.created_s - 1 <= kill.at < at]
        if at - made.created_s > _ORPHAN_S and before:
            found.append(at - before[0] - overlap_s(spells, before[0], at))
    return found


def _most_in_a_minute(truth: Truth) -> int:
    times = sorted(made.created_s for made in truth.predictions)
    return max(bisect.bisect_left(times, at + 60) - number for number, at in enumerate(times))


def _judged(is_met: bool, words: str) -> bool:
    print(f"  {'met' if is_met else 'MISSED':<14} {words}")
    return is_met


def _tell_times(name: str, seconds: list[float]) -> None:
    values = sorted(seconds)
    if values:
        at = [values[min(int(len(values) * share), len(values) - 1)] for share in (0.5, 0.95)]
        print(f"  {name:<18} p50 {at[0]:.2f} s, p95 {at[1]:.2f} s, longest {values[-1]:.2f} s ({len(values)})")


if __name__ == "__main__":
    given = [float(each) for each in sys.argv[1:]]
    sys.exit(anyio.run(partial(main, *(given + [300.0, 10.0, 5.0, 2.0][len(given) :]))))
