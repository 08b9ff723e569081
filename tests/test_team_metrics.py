"""The figures of a team at /metrics, of a replica and of a worker: what became of creates, and what waits."""

import re
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import httpx
import psycopg
import pytest
from call_results import report
from free_ports import free_port
from issuer_server import Issuer, open_issuer
from mcp import Client
from postgres_server import PostgresServer
from team_server import Team, open_team
from team_workers import seen

pytestmark = pytest.mark.anyio
REPLICA, WORKER = free_port(), free_port()
_LOCK = "pg_advisory_xact_lock(hashtextextended(%s, 7))"


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with open_issuer() as issuer:
        yield issuer


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    worker = {"DARKROOM_METRICS_PORT": str(WORKER)}
    with open_team(
        *(running_postgres, issuer, tmp_path_factory.mktemp("team")),
        worker_settings=worker,
        DARKROOM_METRICS_PORT=str(REPLICA),
    ) as team:
        yield team


def page_of(port: int) -> str:
    return httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text


def told(*ports: int) -> dict[str, float]:
    """Each figure with the labels that matter, summed over these processes."""
    sums: dict[str, float] = {}
    for port in ports:
        for line in page_of(port).splitlines():
            if found := re.fullmatch(r"(darkroom_[a-z_]+)(?:\{(.*)\})? (\S+)", line):
                label = re.search(r'(?:end|le)="([^"]*)"', found[2] or "")
                name = f"{found[1]} {label[1]}" if label else found[1]
                sums[name] = sums.get(name, 0.0) + float(found[3])
    return sums


async def until(wanted: dict[str, float], *ports: int) -> dict[str, float]:
    figures: list[dict[str, float]] = []

    def is_told() -> bool:
        figures[:] = [told(*ports)]
        return wanted.items() <= figures[0].items()

    await seen(is_told, every_s=0.2)
    return figures[0]


async def running(client: Client) -> str:
    """The id of a prediction that goes on for long."""
    made = await client.call_tool("generate_image", {"prompt": "sandbox:slow=600 a mill", "wait_seconds": 0})
    return report(made)["id"]


async def test_every_end_is_counted_once_over_all_processes(team: Team) -> None:
    before = told(REPLICA, WORKER)

    def more(name: str, figures: dict[str, float]) -> float:
        return figures.get(name, 0.0) - before.get(name, 0.0)

    async with team.client("zebedee") as client:
        ends = ("", "", "sandbox:nsfw ", "sandbox:abort ", "sandbox:402 ")
        for prompt in [f"{end}mill {number}" for number, end in enumerate(ends)]:
            await client.call_tool("generate_image", {"prompt": prompt})
        id = await running(client)
        canceled, refused = (f"darkroom_creates_total {end}" for end in ("canceled", "refused"))
        figures = await until({refused: before.get(refused, 0.0) + 1}, REPLICA, WORKER)
        assert more("darkroom_creates_total succeeded", figures) == 2
        assert more("darkroom_creates_total failed", figures) == 1
        assert more("darkroom_creates_total aborted", figures) == 1
        assert more("darkroom_predictions_seen_after_seconds_bucket +Inf", figures) == 4
        await client.call_tool("get_prediction", {"id": id, "cancel": True})
        await until({canceled: before.get(canceled, 0.0) + 1}, REPLICA, WORKER)
        await client.call_tool("get_prediction", {"id": id})
    assert more(canceled, told(REPLICA, WORKER)) == 1


async def test_a_replica_tells_what_is_open_who_works_and_what_is_stalled_until_it_is_taken_back(team: Team) -> None:
    async with team.client("zebedee") as client:
        id = await running(client)
        with psycopg.connect(team.server.superuser) as tending:
            tending.execute(f"SELECT {_LOCK}", ("-",))  # so that the worker takes nothing back
            team.server.execute(
                """INSERT INTO procrastinate_jobs (queue_name, task_name, args, status) VALUES ('bring_home',
                'bring_home', '{"tenant": "acme", "account": "gone", "prediction_ids": []}', 'doing')"""
            )
            figures = await until({"darkroom_predictions_open": 1, "darkroom_jobs_stalled": 1}, REPLICA)
        assert figures["darkroom_workers"] == 2
        assert {"darkroom_creates_doubtful", "darkroom_jobs_waiting", "darkroom_accounts_overdue_seconds"} <= {*figures}
        await client.call_tool("get_prediction", {"id": id, "cancel": True})
        await until({"darkroom_predictions_open": 0, "darkroom_jobs_stalled": 0}, REPLICA)


async def test_the_figures_that_the_runbook_names_are_told_and_name_nobody(team: Team) -> None:
    page = (Path(__file__).parent.parent / "server/docs/teams-operations.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `(darkroom_[a-z_]+)`", page, re.MULTILINE)
    ended = told(REPLICA, WORKER).get("darkroom_creates_total succeeded", 0.0) + 1
    async with team.client("zebedee") as client:
        await client.call_tool("generate_image", {"prompt": "a mill"})
    await until({"darkroom_creates_total succeeded": ended}, REPLICA, WORKER)
    said = "".join([await anyio.to_thread.run_sync(page_of, port) for port in (REPLICA, WORKER)])
    assert len(named) == 9 and [name for name in named if f"# TYPE {name} " not in said] == []
    assert [word for word in ("zebedee", "acme", "mill", "issuer") if word in said] == []
