"""What can go wrong between a host, the server and a gateway, as cases that are played from outside.

Each case gives a row: what the host got and after how many seconds, and what the gateway saw.
"""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio
from fault_plan import Plan
from forking_program import python_command
from gateway_process import GatewayProcess
from mcp import MCPError
from mcp.types import CallToolResult
from outside_hosts import Host, host, server_parameters, servers_gone, text

_CLIENT = str(Path(__file__).with_name("outside_client.py"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """`name` is the server's; the job takes `job_s`, a call waits `wait_s`, a gateway stalls for `stall_s`.

    A client's own time-out is `limit_s`. Where `ends_jobs`, they end as soon as a case needs them no longer.
    """

    name: str
    job_s: float
    wait_s: int
    limit_s: float
    stall_s: float
    settle_s: float
    ends_jobs: bool = False


QUICK = Pace(name="quick", job_s=60.0, wait_s=1, limit_s=0.5, stall_s=1.5, settle_s=1.5, ends_jobs=True)
REAL = Pace(name="real", job_s=75.0, wait_s=25, limit_s=37.5, stall_s=90.0, settle_s=120.0)


@dataclass(slots=True, kw_only=True)
class Row:
    """`answers` are the first words of each answer with the seconds that it took; counts are the gateway's."""

    answers: list[str] = field(default_factory=list[str])
    creates: int = 0
    predictions: int = 0
    cancels: int = 0
    pictures: int = 0

    def line(self, name: str) -> str:
        told = "cancel" if self.cancels else "nothing"
        cells = (name, "; ".join(self.answers), self.creates, self.predictions, told, self.pictures)
        return f"| {' | '.join(map(str, cells))} |"


HEADER = (
    "| case | what the host got, after s | creates on the wire | predictions made | told to cancel | pictures |\n"
    "|-|-|-|-|-|-|"
)


@dataclass(kw_only=True)
class Scene:
    """One case at play: a gateway, a folder, and the row that is filled in."""

    gateway: GatewayProcess
    folder: Path
    pace: Pace
    row: Row = field(default_factory=Row)

    def follow(self, *script: str, job_s: float | None = None, busy_s: float = 0.0) -> None:
        run_s = self.pace.job_s if job_s is None else job_s
        self.gateway.follow(Plan(script=script, run_s=run_s, stall_s=self.pace.stall_s, busy_s=busy_s))

    def end_jobs(self) -> None:
        if self.pace.ends_jobs:
            self.gateway.end_all()

    def host(self):
        return host(self.folder, self.gateway.base_url, self.pace.name)

    async def note(self, call: Awaitable[CallToolResult]) -> CallToolResult:
        started = time.monotonic()
        result = await call
        words = text(result).partition(":")[0].partition(" after")[0]
        self.row.answers.append(f"{words} {time.monotonic() - started:.1f}")
        return result

    async def until_home(self, host: Host) -> None:
        """Ask as the answer says, until the picture is there."""
        while True:
            result = await self.note(host.get(wait_s=self.pace.wait_s))
            if not text(result).startswith(("Still", "Made, but not saved yet")):
                return

    def counted(self) -> Row:
        truth = self.gateway.truth()
        self.row.creates, self.row.predictions = truth.creates, len(truth.predictions)
        self.row.cancels = len(truth.cancels)
        self.row.pictures = len(self.pictures())
        return self.row

    def pictures(self) -> list[Path]:
        return sorted((self.folder / "images").glob("*.png"))

    def made(self) -> str:
        """The id of the only prediction: what is the latest to another server is not this one's."""
        return self.gateway.truth().predictions[0].id

    async def picture_home(self) -> None:
        while not self.pictures():  # noqa: ASYNC110 - the file comes from another process
            await anyio.sleep(0.05)

    async def created(self) -> None:
        while not self.gateway.truth().predictions:  # noqa: ASYNC110 - the gateway is another process
            await anyio.sleep(0.02)


async def long_job(scene: Scene) -> None:
    scene.follow()
    async with scene.host() as host:
        await scene.note(host.generate(wait_s=scene.pace.wait_s))
        scene.end_jobs()
        await scene.until_home(host)


async def lost_answer(scene: Scene, fault: str) -> None:
    scene.follow(fault, job_s=0.5)
    async with scene.host() as host:
        await scene.note(host.generate(wait_s=scene.pace.wait_s))
        await scene.until_home(host)


async def not_created(scene: Scene) -> None:
    """Unresolved until the settle time has passed; then the host is told, and only its repeat is sent."""
    scene.follow("504 before", job_s=0.2)
    async with scene.host() as host:
        await scene.note(host.generate(wait_s=scene.pace.wait_s))
        while not text(await host.get()).startswith("Not created"):  # noqa: ASYNC110 - an assistant asks
            await anyio.sleep(scene.pace.settle_s / 10)
        assert scene.gateway.truth().creates == 1
        await scene.note(host.generate(wait_s=scene.pace.wait_s))
        await scene.until_home(host)


async def busy(scene: Scene) -> None:
    scene.follow("429", job_s=0.2, busy_s=1)
    async with scene.host() as host:
        await scene.note(host.generate(wait_s=scene.pace.wait_s))
        await scene.until_home(host)


async def cancelled_task(scene: Scene) -> None:
    """A framework's time-out cancels the task that calls, and the SDK's client says so; nobody has stopped it."""
    scene.follow()
    async with scene.host() as host:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(partial(host.generate, wait_s=30))
            await host.told_id()
            tasks.cancel_scope.cancel()
        scene.end_jobs()
        await scene.until_home(host)


async def timed_out_call(scene: Scene) -> None:
    """The SDK's client cancels a call when its own time is up; nobody has stopped the prediction.

    Where the machine is so busy that nothing was created by then, the next call has more time.
    """
    limit_s = scene.pace.limit_s / 2
    async with scene.host() as host:
        while not scene.gateway.truth().creates:
            limit_s *= 2
            scene.follow(job_s=max(scene.pace.job_s, 2 * limit_s))
            await _broken_call(host, scene.row, limit_s=limit_s)
        scene.end_jobs()
        await scene.until_home(host)


async def killed_host(scene: Scene) -> None:
    """Its server sees the end of stdin, leaves, and cancels nothing; the next one brings the picture home."""
    scene.follow()
    server = server_parameters(scene.folder, scene.gateway.base_url, scene.pace.name)
    assert server.env
    command = python_command(server.env, _CLIENT, str(scene.folder), server.command, *server.args)
    async with await anyio.open_process(command, env=server.env, stderr=None) as process:
        assert process.stdout
        heard = b""
        async for part in process.stdout:
            heard += part
            if b"processing" in heard:
                break
        process.kill()
    await servers_gone(scene.folder)
    async with scene.host() as host:
        scene.end_jobs()
        await scene.note(host.get(scene.made(), wait_s=scene.pace.wait_s))
        await scene.picture_home()


async def killed_server(scene: Scene) -> None:
    scene.follow()
    async with scene.host() as host, anyio.create_task_group() as tasks:
        tasks.start_soon(_broken_call, host, scene.row)
        await host.told_id()
        host.kill()
    await servers_gone(scene.folder)
    async with scene.host() as host:
        scene.end_jobs()
        await scene.note(host.get(scene.made(), wait_s=scene.pace.wait_s))
        await scene.picture_home()


async def _broken_call(host: Host, row: Row, limit_s: float | None = None) -> None:
    try:
        await host.generate(wait_s=30, limit_s=limit_s)
    except MCPError as error:
        row.answers.append(error.message)


async def two_servers(scene: Scene) -> None:
    """One journal, one request_id, at the same moment."""
    scene.follow("slow", job_s=0.5)
    async with scene.host() as one, scene.host() as two, anyio.create_task_group() as tasks:
        for each in (one, two):
            tasks.start_soon(scene.note, each.generate(wait_s=20))
    async with scene.host() as host:
        await scene.until_home(host)


async def stopped_server(scene: Scene) -> None:
    """Stopped for longer than its lease while another one does its work, and then going on as if nothing had been."""
    scene.follow()
    async with scene.host() as one, anyio.create_task_group() as tasks:
        tasks.start_soon(scene.note, one.generate(wait_s=30))
        await one.told_id()
        one.stop()
        try:
            async with scene.host():
                scene.end_jobs()
                await scene.picture_home()
        finally:
            one.go_on()


async def server_stopped_in_its_create(scene: Scene) -> None:
    """Another server finds the prediction in the list and brings it home before the first one hears of it."""
    scene.follow("stall after", job_s=0.2)
    async with scene.host() as one, anyio.create_task_group() as tasks:
        tasks.start_soon(scene.note, one.generate(wait_s=20))
        await scene.created()
        one.stop()
        try:
            async with scene.host() as two:
                await scene.note(two.get(wait_s=scene.pace.wait_s))
                await scene.picture_home()
        finally:
            one.go_on()


CASES: dict[str, Callable[[Scene], Awaitable[None]]] = {
    "a job longer than the wait": long_job,
    "500 after creating": partial(lost_answer, fault="500 after"),
    "504 after creating": partial(lost_answer, fault="504 after"),
    "504 without creating": not_created,
    "a stall after creating": partial(lost_answer, fault="stall after"),
    "reset after the request": partial(lost_answer, fault="reset after"),
    "429 with a time": busy,
    "the client's task is cancelled": cancelled_task,
    "the client's own time-out": timed_out_call,
    "the client is killed": killed_host,
    "the server is killed in its wait": killed_server,
    "two servers on one journal": two_servers,
    "a server stopped beyond its lease": stopped_server,
    "a server stopped in its create": server_stopped_in_its_create,
}


async def played(name: str, scene: Scene) -> Row:
    """The row of one case; no server is left over."""
    await CASES[name](scene)
    await servers_gone(scene.folder)
    return scene.counted()
