"""Workers follow what replicas have created, on a real PostgreSQL; whoever dies loses nothing and repeats nothing."""

import signal
from collections.abc import Generator
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import httpx
import psycopg
import pytest
from command_line import CommandLine
from fault_plan import Plan
from free_ports import free_port
from gateway_process import gateway_process
from postgres_server import PostgresServer
from team_workers import MODEL, PATIENT, Team, seen

from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.journal.postgres import open_postgres
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport
from darkroom_server.team.outbox import WORKERS, until_stale_s

pytestmark = pytest.mark.anyio


@pytest.fixture
def team(postgres: PostgresServer, tmp_path: Path) -> Generator[Team]:
    with gateway_process(Plan(run_s=0.3)) as gateway:
        team = Team(postgres, gateway, tmp_path)
        team.found()
        try:
            yield team
        finally:
            team.end()


def wish(prompt: str) -> ImageRequest:
    return ImageRequest(prompt=prompt, model=MODEL)


WATCHES = "procrastinate_jobs WHERE task_name = 'watch' AND status = 'doing'"
WAITING = "procrastinate_jobs WHERE task_name = 'watch' AND status = 'todo'"
SETTLED_SOON = "settle_s=0.8"  # for creates that are refused at once, so that none is on its way any more
UNTIL_TOLD = Plan(run_s=600.0)  # until the gateway ends all


async def test_a_worker_brings_home_what_a_replica_has_created(team: Team) -> None:
    team.start("worker")
    async with team.replica() as room_of:
        room = await room_of("ada")
        with anyio.fail_after(20):
            report = await generate_image(room, wish("a fox"), wait_s=15)
        assert report.outcome.value == "succeeded", report.text
        (image,) = report.intents[0].images
        assert image.file and Path(image.file.location).is_file()
        assert image.file.location.startswith(str(team.folder / "images" / "acme"))
        found = await get_prediction(room, report.id, wait_s=0)
        assert found.outcome.value == "succeeded"
    assert team.states() == {"home": 1} and team.lost_and_twice() == (set(), [])


async def test_a_killed_worker_loses_nothing_and_the_next_repeats_nothing(team: Team) -> None:
    team.gateway.follow(UNTIL_TOLD)
    first = team.start("worker")
    async with team.replica() as room_of:
        room = await room_of("ada")
        async with anyio.create_task_group() as tasks:
            for number in range(8):
                tasks.start_soon(partial(generate_image, room, wish(f"fox {number}"), wait_s=0))
        await seen(lambda: team.count(WATCHES) > 0)
        team.kill(first)
        team.start("worker")
        team.gateway.end_all()
        await team.all_home(8)
    assert team.lost_and_twice() == (set(), []) and team.gateway.truth().creates == 8
    assert team.count("images WHERE state = 'stored'") == 8


async def test_what_a_killed_worker_had_is_begun_anew_at_once_where_no_other_is_connected(team: Team) -> None:
    team.gateway.follow(Plan(run_s=60))
    team.start("worker", PATIENT)
    async with team.replica() as room_of:
        await generate_image(await room_of("ada"), wish("a fox"), wait_s=0)
    await seen(lambda: team.count(WATCHES) > 0)
    team.end()
    held = team.postgres.execute(f"SELECT id FROM {WATCHES}")
    with psycopg.connect(team.postgres.worker, application_name=WORKERS):
        team.start("worker", PATIENT)
        assert team.postgres.execute(f"SELECT id FROM {WATCHES}") == held, "it may be that of the one connected"
        team.end()
    await seen(lambda: not team.count(f"pg_stat_activity WHERE application_name = '{WORKERS}'"))
    team.start("worker", PATIENT)
    await seen(lambda: team.count(f"{WATCHES} AND id <> {held[0][0]}") == team.count(WATCHES) == 1)


async def test_the_queue_is_tended_again_as_soon_as_a_worker_may_be_gone(postgres: PostgresServer) -> None:
    async with open_postgres(postgres.worker, 1) as opened:

        async def left_s() -> float:
            return await opened.of_nobody.read(lambda session: until_stale_s(session, 60.0))

        assert await left_s() == 60
        for silent_s in (1000, 50, 0):
            heard = f"now() - interval '{silent_s} s'"
            postgres.execute(f"INSERT INTO procrastinate_workers (last_heartbeat) VALUES ({heard})")
        assert await left_s() <= 10


async def test_what_a_silent_worker_had_goes_on_beside_one_that_lives(team: Team) -> None:
    team.gateway.follow(UNTIL_TOLD)
    silent = team.start("worker")

    def watched_by() -> list[tuple[object, ...]]:
        return team.postgres.execute(f"SELECT id FROM {WATCHES}")

    async with team.replica() as room_of:
        await generate_image(await room_of("ada"), wish("a fox"), wait_s=0)
        await seen(lambda: len(watched_by()) == 1)
        before = watched_by()
        team.start("worker")
        silent.kill()
        silent.wait()
        with anyio.fail_after(30):
            await seen(lambda: bool(now := watched_by()) and now != before)


async def test_of_two_workers_one_watches_an_account(team: Team) -> None:
    team.gateway.follow(UNTIL_TOLD)
    team.start("worker")
    team.start("worker")
    most = [0]

    def count() -> int:
        most.append(team.count(WATCHES))
        return most[-1]

    async with team.replica() as room_of:
        room = await room_of("ada")
        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(partial(generate_image, room, wish(f"fox {number}"), wait_s=0))
        # Another watch is wanted, and both workers are free to begin it.
        await seen(lambda: count() == 1 and team.count(WAITING) == 1)
        team.gateway.end_all()
        await seen(lambda: count() >= 0 and team.states() == {"home": 6})
    assert max(most) == 1
    assert team.lost_and_twice() == (set(), [])


async def test_a_create_whose_replica_has_died_is_found_and_brought_home(team: Team) -> None:
    team.gateway.follow(Plan(run_s=0.2, script=("stall after",), stall_s=30))
    team.start("worker")
    replica = team.start("replica", "a fox")
    await seen(lambda: bool(team.gateway.truth().predictions))
    replica.kill()
    await team.all_home(1)
    assert team.lost_and_twice() == (set(), []) and team.gateway.truth().creates == 1


async def test_a_create_that_the_gateway_never_made_is_counted_as_lost(team: Team) -> None:
    team.metrics_port = free_port()
    team.gateway.follow(Plan(script=("504 before",)))
    team.start("worker", SETTLED_SOON)
    async with team.replica() as room_of:
        await generate_image(await room_of("ada"), wish("a fox"), wait_s=0)
        await seen(lambda: team.states() == {"absent": 1})
    told = await anyio.to_thread.run_sync(httpx.get, f"http://127.0.0.1:{team.metrics_port}/metrics")
    (line,) = [line for line in told.text.splitlines() if line.startswith("darkroom_creates_total{")]
    assert 'end="lost"' in line and line.endswith(" 1.0")


async def test_a_restart_of_the_database_takes_time_and_no_money(team: Team) -> None:
    team.gateway.follow(Plan(run_s=1.0))
    team.start("worker")
    reports: list[PredictionReport] = []
    async with team.replica() as room_of:
        room = await room_of("ada")

        async def call(number: int) -> None:
            reports.append(await generate_image(room, wish(f"fox {number}"), wait_s=20))

        async with anyio.create_task_group() as tasks:
            for number in range(6):
                tasks.start_soon(call, number)
            while not team.gateway.truth().predictions:  # noqa: ASYNC110 - the gateway is another process
                await anyio.sleep(0.02)
            await anyio.to_thread.run_sync(team.postgres.restart)
        # A call whose claim the restart broke off is refused, and says so.
        refused = [report for report in reports if "Nothing was sent." in report.text]
        await team.all_home(6 - len(refused), beside={"refused", "absent"})
    assert len(team.gateway.truth().predictions) == 6 - len(refused)
    assert team.lost_and_twice() == (set(), [])


async def test_an_image_that_was_refused_is_fetched_when_its_person_asks_again(team: Team) -> None:
    worker = team.start("worker")
    async with team.replica() as room_of:
        room = await room_of("ada")
        made = await generate_image(room, wish("a fox"), wait_s=15)
        await seen(team.is_at_rest)
        # As where its host was not among DARKROOM_OUTPUT_HOSTS then, and is now.
        team.postgres.execute("UPDATE images SET state = 'refused', problem = 'Not fetched.'")
        team.kill(worker)
        await get_prediction(room, made.id, wait_s=0)
        assert team.count("busy_accounts") == 1, "else it would be tried a few times only"
        team.start("worker")
        await team.all_home(1)
    assert team.count("images WHERE state = 'stored'") == 1


async def test_a_call_whose_turn_is_far_off_is_refused_and_nothing_is_sent(team: Team) -> None:
    team.set_rate(creates_per_minute=1)
    async with team.replica() as room_of:
        ada, bob = await room_of("ada"), await room_of("bob")
        await generate_image(ada, wish("a fox"), wait_s=1)
        refused = await generate_image(bob, wish("a hen"), wait_s=1)
    assert refused.outcome.value == "refused" and "Nothing was sent" in refused.text
    assert team.gateway.truth().creates == 1, "the rate is that of the account, whoever asks"
    assert team.count("intents WHERE state = 'refused'") == 1


async def test_a_foreign_id_is_not_looked_up_with_the_teams_key(team: Team) -> None:
    async with team.replica() as room_of:
        ada, bob = await room_of("ada"), await room_of("bob")
        mine = await generate_image(ada, wish("a fox"), wait_s=1)
        for id in (mine.id, "a" * 26):
            found = await get_prediction(bob, id, wait_s=0)
            assert found.outcome.value == "invalid" and "There is no prediction" in found.text
    assert team.gateway.truth().looks.count("a" * 26) == 0


def test_a_worker_ends_well_at_sigterm_and_says_what_it_needs(team: Team) -> None:
    worker = team.start("worker")
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0
    line = CommandLine(team.folder)
    refused = line.run("worker")
    assert refused.returncode == 2 and "DARKROOM_DATABASE_URL is not set" in " ".join(refused.stderr.split())
    told = line.run("worker", "--help")
    assert told.returncode == 0 and "Example:" in told.stdout


async def test_a_lost_create_is_called_absent_by_workers_of_which_none_lives_for_long(team: Team) -> None:
    team.gateway.follow(Plan(script=("504 before",)))
    async with team.replica() as room_of:
        await generate_image(await room_of("ada"), wish("a fox"), wait_s=0)
    lives_s: list[float] = []
    while team.states() != {"absent": 1}:
        assert len(lives_s) < 12, "what the workers before have looked for counts"
        begun_s, read = anyio.current_time(), team.gateway.truth().lists
        worker = team.start("worker", SETTLED_SOON)
        await seen(lambda read=read: team.gateway.truth().lists > read or team.states() == {"absent": 1})
        worker.send_signal(signal.SIGTERM)
        assert await anyio.to_thread.run_sync(worker.wait) == 0
        lives_s.append(anyio.current_time() - begun_s)
    assert len(lives_s) > 1, "what one worker alone has not seen for long is not believed"
