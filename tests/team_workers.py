"""A team on loopback: PostgreSQL, a gateway, workers and replicas as processes of their own.

As a program it is one of them: `python tests/team_workers.py worker|replica`, told by the variables of a worker. Words
behind `worker` make its pace another one than QUICK.
"""

import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import anyio
from forked_process import ForkedProcess
from gateway_process import GatewayProcess
from postgres_server import PostgresServer
from team_rooms import ISSUER, MASTER

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.journal.postgres import Postgres, open_postgres
from darkroom.outputs.links import Links
from darkroom.registry import ImageRequest, ModelRegistry
from darkroom.settings import Settings
from darkroom_server.team.administration import administering
from darkroom_server.team.clients import Clients
from darkroom_server.team.metrics import serve_metrics
from darkroom_server.team.new_key import NewKey
from darkroom_server.team.news import News
from darkroom_server.team.pace import Pace
from darkroom_server.team.replica import Replica
from darkroom_server.team.tenants import Directory
from darkroom_server.team.vault import Vault
from darkroom_server.team.worker import work
from darkroom_server.team.workers_seen import WorkersSeen

ROOT = Path(__file__).resolve().parent.parent
QUICK = Pace(heartbeat_s=0.5, stale_s=2.5, answered_s=0.5, settle_s=2.0, told_s=1.0)
PATIENT = "stale_s=600"  # which takes nothing back from a worker that may live
RoomOf = Callable[[str], Awaitable[Darkroom]]
MODEL = "black-forest-labs/flux-schnell"


async def seen(is_true: Callable[[], bool], every_s: float = 0.05) -> None:
    """Return when it is; each look at processes that work by themselves waits a moment."""
    for _ in range(1800):
        if is_true():
            return
        await anyio.sleep(every_s)
    raise AssertionError("it never came")


@dataclass
class Team:
    """A tenant `acme` whose key leads to the gateway; what it stores lies in `folder`."""

    postgres: PostgresServer
    gateway: GatewayProcess
    folder: Path
    secret: str = ""
    metrics_port: int = 0  # of its worker
    processes: list["subprocess.Popen[str]"] = field(default_factory=list["subprocess.Popen[str]"])

    def found(self, tenant: str = "acme") -> str:
        """Make the tenant; the id of its account."""
        with administering(self.postgres.owner) as administration:
            administration.add(tenant, "UTC")
            return administration.set_key(tenant, self._key(None), Vault.read(MASTER), None)

    def set_rate(self, creates_per_minute: int) -> None:
        with administering(self.postgres.owner) as administration:
            administration.set_key("acme", self._key(creates_per_minute), Vault.read(MASTER), None)

    def _key(self, creates_per_minute: int | None) -> NewKey:
        base_url, most = self.gateway.base_url, creates_per_minute
        return NewKey(gateway="replicate", base_url=base_url, key="k" * 20, secret=self.secret, creates_per_minute=most)

    def environ(self, url: str) -> dict[str, str]:
        paths = os.pathsep.join(str(ROOT / each) for each in ("tests", "tools", "server"))
        kept = {name: text for name, text in os.environ.items() if not name.startswith("DARKROOM_")}
        return (
            kept
            | {
                "PYTHONPATH": paths,
                "DARKROOM_DATABASE_URL": url,
                "DARKROOM_MASTER_KEYS": MASTER,
                "DARKROOM_DATA_DIR": str(self.folder / "data"),
                "DARKROOM_OUTPUT_DIR": str(self.folder / "images"),
                "DARKROOM_PUBLIC_URL": "http://127.0.0.1:9",
                "DARKROOM_WEBHOOKS": "on" if self.secret else "off",
            }
            | ({"DARKROOM_METRICS_PORT": str(self.metrics_port)} if self.metrics_port else {})
        )

    def start(self, kind: str, *words: str) -> "subprocess.Popen[str]":
        """A worker that is ready, `words` what is not QUICK in its pace, or a replica that has begun its creates."""
        url = self.postgres.worker if kind == "worker" else self.postgres.app
        environ = self.environ(url)
        process = ForkedProcess([__file__, kind, *words], env=environ, stdout=subprocess.PIPE, text=True)
        self.processes.append(process)
        assert process.stdout and process.stdout.readline(), f"the {kind} did not start"
        return process

    def kill(self, worker: "subprocess.Popen[str]") -> None:
        """It has been dead for so long that others take back what it had."""
        worker.kill()
        worker.wait()
        self.postgres.execute("UPDATE procrastinate_workers SET last_heartbeat = '-infinity'")

    def is_at_rest(self) -> bool:
        """Whether nothing is left to do. What is to be looked at again later is looked at now."""
        self.postgres.execute("UPDATE busy_accounts SET look_at = 0")
        return not self.count("busy_accounts")

    def count(self, statement: str) -> int:
        return int(self.postgres.execute(f"SELECT count(*) FROM {statement}")[0][0])

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
            if process.stdout:
                process.stdout.close()

    @asynccontextmanager
    async def replica(self) -> AsyncGenerator[RoomOf]:
        """In this process: gives the room of a person by their subject."""
        settings = Settings.read(self.environ(self.postgres.app))
        async with self.postgres.pool() as postgres, replica(settings, postgres) as room_of:
            yield room_of

    def states(self) -> dict[str, int]:
        """How many rows stand in which state, `home` for those whose images are all stored."""
        rows = self.postgres.execute(
            """SELECT CASE WHEN ended_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM images WHERE images.prediction_id
            = intents.prediction_id AND images.state = 'wanted') THEN 'home' ELSE state END AS stand, count(*)
            FROM intents GROUP BY 1"""
        )
        return {str(state): int(number) for state, number in rows}

    async def all_home(self, number: int, beside: Set[str] = frozenset()) -> None:
        """Return when so many are home, and no other is written down but in the states `beside`."""

        def is_so() -> bool:
            states = self.states()
            return states.get("home", 0) == number and states.keys() <= {"home", *beside}

        try:
            await seen(is_so)
        except AssertionError as error:
            raise AssertionError(f"{self.states()}, not {number} home") from error

    def lost_and_twice(self) -> tuple[set[str], list[str]]:
        """Predictions that the gateway has made and the journal does not know, and prompts that were paid twice."""
        truth = self.gateway.truth()
        known = {str(name) for (name,) in self.postgres.execute("SELECT prediction_id FROM intents")}
        prompts = truth.prompts
        return {made.id for made in truth.predictions} - known, [each for each in prompts if prompts.count(each) > 1]


@asynccontextmanager
async def replica(settings: Settings, postgres: Postgres) -> AsyncGenerator[RoomOf]:
    """The rooms of a replica, each opened once."""
    assert settings.team
    async with Clients() as clients, anyio.create_task_group() as tasks:
        news = News(_url(settings))
        directory = Directory(postgres, Vault.read(settings.team.master_keys.get_secret_value()))
        registry = ModelRegistry.load(settings.models_dir)
        links = Links(origin=settings.team.public_url, lifetime_s=900)
        shared = Replica(
            settings=settings,
            registry=registry,
            postgres=postgres,
            news=news,
            tasks=tasks,
            links=links,
            workers=WorkersSeen(postgres),
        )
        tasks.start_soon(news.listen)
        rooms: dict[str, Darkroom] = {}

        async def room_of(subject: str) -> Darkroom:
            if subject not in rooms:
                person = await directory.principal_of(ISSUER, subject, {})
                account = await directory.account_of(person)
                rooms[subject] = shared.room(person, account, await clients.of(account), None)
                tasks.start_soon(rooms[subject].work.take_up_unfinished)
            return rooms[subject]

        try:
            yield room_of
        finally:
            for room in rooms.values():
                room.work.close()
            tasks.cancel_scope.cancel()


def _url(settings: Settings) -> str:
    assert settings.team and settings.team.database_url
    return settings.team.database_url.get_secret_value()


async def _replica(prompts: list[str]) -> None:
    settings = Settings.read()
    async with open_postgres(_url(settings)) as postgres, replica(settings, postgres) as room_of:
        room = await room_of("ada")
        print("ready", flush=True)
        async with anyio.create_task_group() as tasks:
            for prompt in prompts:
                request = ImageRequest(prompt=prompt, model=MODEL)
                tasks.start_soon(partial(generate_image, room, request, wait_s=40, request_id=prompt))


def main() -> None:
    kind, *words = sys.argv[1:]
    if kind == "worker":
        settings = Settings.read()
        assert settings.team
        if settings.team.metrics_port:
            serve_metrics(settings.team.metrics_port, "127.0.0.1")
        paces = {name: float(seconds) for name, _, seconds in (word.partition("=") for word in words)}
        anyio.run(work, settings, settings.team, lambda: print("ready", flush=True), replace(QUICK, **paces))
    else:
        anyio.run(_replica, words)


if __name__ == "__main__":
    main()
