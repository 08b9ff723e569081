"""Three replicas and two workers behind a balancer, one of the five killed every few seconds, while calls come in.

Run: python tests/bench/team_kills.py [SECONDS] [CALLS A SECOND] [SECONDS BETWEEN KILLS] [SECONDS OF THE JOB].
"""

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
from fault_gateway import Plan, gateway_process  # noqa: E402
from postgres_server import postgres_server  # noqa: E402
from team_server import free_port  # noqa: E402
from team_workers import MODEL, Team  # noqa: E402

from darkroom_server.team.administration import administering  # noqa: E402

_HEADERS = {"Accept": "application/json, text/event-stream"}
_CLI = "import sys; from darkroom_server.cli import main; sys.exit(main())"


class Fleet:
    """The five processes, each started again where it was killed."""

    def __init__(self, team: Team) -> None:
        self._team = team
        self.ports = [free_port() for _ in range(3)]
        self._kinds = [*self.ports, 0, 0]
        self._processes = [self._started(kind) for kind in self._kinds]
        self.kills: list[tuple[float, str]] = []

    def _started(self, port: int) -> "subprocess.Popen[bytes]":
        environ = self._team.environ(self._team.postgres.app if port else self._team.postgres.worker)
        environ |= {"DARKROOM_OAUTH_ISSUER": "http://127.0.0.1:9/none", "HOME": str(self._team.folder)}
        words = ["serve", "--transport", "http", "--port", str(port)] if port else ["worker"]
        return subprocess.Popen([sys.executable, "-c", _CLI, *words], env=environ, stdout=subprocess.DEVNULL)

    def kill_one(self) -> None:
        number = random.randrange(5)
        self._processes[number].send_signal(signal.SIGKILL)
        self._processes[number].wait()
        self._processes[number] = self._started(self._kinds[number])
        self.kills.append((time.time(), "replica" if self._kinds[number] else "worker"))

    def end(self) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.wait()


class Caller:
    """A host behind a balancer: each request goes to the next replica, and is made again until it is done."""

    def __init__(self, ports: list[int], token: str) -> None:
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
        for _ in range(60):
            self._next += 1
            self.tries += 1
            try:
                answer = await self._client.post(self._addresses[self._next % 3], json=body)
                said = answer.text
            except httpx.HTTPError:
                said = ""
            if '"outcome":"succeeded"' in said.replace('\\"', '"').replace(" ", ""):
                self.late_s.append(time.monotonic() - began_s)
                self.ends["succeeded"] = self.ends.get("succeeded", 0) + 1
                return
            await anyio.sleep(0.5)
        self.ends["given up"] = self.ends.get("given up", 0) + 1
        print(said[:600])


async def main(seconds: float, rate: float, every_s: float, job_s: float) -> None:
    plan = Plan(run_s=job_s)
    with postgres_server() as postgres, gateway_process(plan) as gateway, tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        team = Team(postgres, gateway, Path(folder))
        team.found()
        with administering(postgres.owner) as administration:
            token = administration.new_token("acme", "bench", None)
        fleet = Fleet(team)
        caller = Caller(fleet.ports, token)
        for port in fleet.ports:
            await caller.until_ready(port)
        await caller.call(0)
        began_s = time.monotonic()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(_kill, fleet, began_s + seconds, every_s)
            for number in range(1, round(seconds * rate)):
                await anyio.sleep(max(0.0, began_s + number / rate - time.monotonic()))
                tasks.start_soon(caller.call, number)
        took_s = time.monotonic() - began_s
        with anyio.move_on_after(60):
            while set(team.states()) != {"home"}:  # noqa: ASYNC110
                await anyio.sleep(0.5)
        _tell(team, fleet, caller, took_s)
        fleet.end()


async def _kill(fleet: Fleet, until_s: float, every_s: float) -> None:
    while time.monotonic() < until_s:
        await anyio.sleep(every_s)
        await anyio.to_thread.run_sync(fleet.kill_one)


def _tell(team: Team, fleet: Fleet, caller: Caller, took_s: float) -> None:
    lost, twice = team.lost_and_twice()
    truth = team.gateway.truth()
    seen = dict(team.postgres.execute("SELECT prediction_id, ended_at FROM intents WHERE ended_at IS NOT NULL"))
    lags = sorted(seen[made.id] - made.ends_s for made in truth.predictions if made.id in seen)
    late = sorted(caller.late_s)
    dead = [kind for _, kind in fleet.kills]
    print(f"{len(truth.predictions)} predictions in {took_s:.0f} s, {caller.tries} calls, ends {caller.ends}")
    print(f"  kills          {dead.count('replica')} of replicas, {dead.count('worker')} of workers")
    print(f"  lost {len(lost)}, twice {len(twice)}; rows: {team.states()}; creates on the wire {truth.creates}")
    print(f"  end -> seen    p50 {_at(lags, 0.5):.2f} s, p95 {_at(lags, 0.95):.2f} s, max {lags[-1]:.2f} s")
    print(f"  call -> answer p50 {_at(late, 0.5):.2f} s, p95 {_at(late, 0.95):.2f} s, max {late[-1]:.2f} s")


def _at(values: list[float], share: float) -> float:
    return values[min(int(len(values) * share), len(values) - 1)]


if __name__ == "__main__":
    given = [float(each) for each in sys.argv[1:]]
    anyio.run(partial(main, *(given + [60.0, 10.0, 5.0, 2.0][len(given) :])))
