"""A rolling deploy under load: three replicas behind Caddy and two workers are replaced one after the other by SIGTERM.

Run: python tests/bench/team_rolling.py [HOSTS] [SECONDS OF THE JOB] [FOLDER OF AN OLDER CHECKOUT].
All five begin with the older code where one is given, on tables of today. Exit code 1 if a host has seen a fault, or
anything was lost or paid twice.
"""

import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "tools"), str(ROOT / "server")]

import anyio  # noqa: E402
import httpx  # noqa: E402
import httpx2  # noqa: E402
from caddy_server import behind_caddy  # noqa: E402
from call_results import text  # noqa: E402
from fault_plan import Plan  # noqa: E402
from free_ports import free_port  # noqa: E402
from gateway_process import gateway_process  # noqa: E402
from http_process import DARKROOM  # noqa: E402
from mcp import Client  # noqa: E402
from mcp.client.streamable_http import streamable_http_client  # noqa: E402
from postgres_server import postgres_server  # noqa: E402
from team_workers import MODEL, Team  # noqa: E402

from darkroom_server.team.administration import administering  # noqa: E402


@dataclass(kw_only=True)
class Load:
    """Hosts of both eras that call one after another call, each through a client that is opened anew for each."""

    origin: str
    token: str
    answers: list[str] = field(default_factory=list[str])
    faults: list[str] = field(default_factory=list[str])
    late_s: list[float] = field(default_factory=list[float])
    is_over: bool = False

    async def host(self, number: int) -> None:
        mode, call = ("auto", "legacy")[number % 2], 0
        while not self.is_over:
            call += 1
            began_s = time.monotonic()
            try:
                said = await self._call(mode, f"fox {number} {call}")
                (self.answers if said.startswith("Succeeded") else self.faults).append(said)
            except BaseExceptionGroup as error:
                self.faults.append(repr(error.exceptions))
            except Exception as error:
                self.faults.append(repr(error))
            self.late_s.append(time.monotonic() - began_s)

    async def _call(self, mode: str, prompt: str) -> str:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with httpx2.AsyncClient(headers=headers, timeout=90) as http:
            transport = streamable_http_client(f"{self.origin}/mcp", http_client=http)
            async with Client(transport, mode=mode) as client:
                arguments = {"prompt": prompt, "model": MODEL, "request_id": prompt, "wait_seconds": 50}
                return text(await client.call_tool("generate_image", arguments))


class Fleet:
    """Replicas by their ports, and workers as 0."""

    def __init__(self, team: Team, origin: str, ports: list[int], code: Path) -> None:
        self._team = team
        self._origin = origin
        self.kinds = [*ports, 0, 0]
        self.processes = [self._started(kind, code) for kind in self.kinds]

    def _started(self, port: int, code: Path) -> "subprocess.Popen[bytes]":
        environ = self._team.environ(self._team.postgres.app if port else self._team.postgres.worker)
        environ |= {"DARKROOM_OAUTH_ISSUER": "http://127.0.0.1:9/none", "DARKROOM_PUBLIC_URL": self._origin}
        environ |= {"HOME": str(self._team.folder), "PYTHONPATH": os.pathsep.join(str(code / each) for each in _ROOTS)}
        words = ["serve", "--transport", "http", "--port", str(port)] if port else ["worker"]
        return subprocess.Popen([*DARKROOM, *words], env=environ, stdout=subprocess.DEVNULL, cwd=self._team.folder)

    async def replace(self, number: int) -> float:
        """By today's code; how long the old one took to leave, in seconds."""
        began_s = time.monotonic()
        self.processes[number].send_signal(signal.SIGTERM)
        code = await anyio.to_thread.run_sync(self.processes[number].wait)
        took_s = time.monotonic() - began_s
        assert code == 0, code
        self.processes[number] = self._started(self.kinds[number], ROOT)
        await self.ready(number)
        return took_s

    async def ready(self, number: int) -> None:
        async with httpx.AsyncClient() as http:
            for _ in range(600):
                try:
                    if not self.kinds[number] and self._team.count(_QUEUES) >= 4:
                        return
                    if (
                        self.kinds[number]
                        and (await http.get(f"http://127.0.0.1:{self.kinds[number]}/ready")).status_code == 200
                    ):
                        return
                except httpx.HTTPError:
                    pass
                await anyio.sleep(0.2)
        raise TimeoutError(number)

    def end(self) -> None:
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait()


_ROOTS = ("server", "tools")
_QUEUES = "procrastinate_workers WHERE last_heartbeat > now() - interval '10 seconds'"  # two for each worker


async def main(hosts: int, job_s: float, old: Path) -> int:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        postgres = stack.enter_context(postgres_server())
        team = Team(postgres, stack.enter_context(gateway_process(Plan(run_s=job_s))), folder)
        team.found()
        with administering(postgres.owner) as administration:
            token = administration.new_token("acme", "bench", None)
        front, *ports = (free_port() for _ in range(4))
        origin = stack.enter_context(behind_caddy(folder, front, ports))
        fleet = Fleet(team, origin, ports, old)
        stack.callback(fleet.end)
        for number in range(5):
            await fleet.ready(number)
        return await _deploy(team, fleet, Load(origin=origin, token=token), hosts)


async def _deploy(team: Team, fleet: Fleet, load: Load, hosts: int) -> int:
    left: list[float] = []
    began_s = time.monotonic()
    async with anyio.create_task_group() as tasks:
        for number in range(hosts):
            tasks.start_soon(load.host, number)
        await anyio.sleep(3)
        for number in (3, 4, 0, 1, 2):  # as the runbook says: workers first
            left.append(await fleet.replace(number))
            await anyio.sleep(1)
        load.is_over = True
    took_s = time.monotonic() - began_s
    with anyio.move_on_after(60):
        while set(team.states()) != {"home"}:  # noqa: ASYNC110
            await anyio.sleep(0.5)
    lost, twice = team.lost_and_twice()
    late = sorted(load.late_s)
    print(f"{len(late)} calls of {hosts} hosts in {took_s:.0f} s, 5 processes replaced; faults seen {len(load.faults)}")
    print(f"  lost {len(lost)}, twice {len(twice)}; rows {team.states()}")
    print(
        f"  to leave       workers {left[0]:.1f}, {left[1]:.1f} s; replicas {', '.join(f'{s:.1f}' for s in left[2:])} s"
    )
    print(f"  call -> answer p50 {late[len(late) // 2]:.2f} s, max {late[-1]:.2f} s")
    for each in load.faults[:5]:
        print(each[:600])
    return int(bool(load.faults or lost or twice))


if __name__ == "__main__":
    given = dict(enumerate(sys.argv[1:]))
    sys.exit(anyio.run(partial(main, int(given.get(0, 8)), float(given.get(1, 3.0)), Path(given.get(2, ROOT)))))
