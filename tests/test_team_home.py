"""Images of many ended predictions come home in one job: none holds up the others, and none is fetched twice."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from time import monotonic

import anyio.to_thread
import pytest
from busy_gateway import BusyGateway, busy_gateway
from full_account import fill
from gateway_process import GatewayProcess
from postgres_server import PostgresServer
from team_workers import Team, seen

from darkroom.darkroom import CALL_GRACE_S
from darkroom.get_prediction import get_prediction
from darkroom.work.wait import Waiting

pytestmark = pytest.mark.anyio
MANY = 8
JOBS = "procrastinate_jobs WHERE task_name = 'bring_home'"


@pytest.fixture
def gateway() -> Generator[BusyGateway]:
    with busy_gateway() as gateway:
        yield gateway


@pytest.fixture
async def team(postgres: PostgresServer, gateway: BusyGateway, tmp_path: Path) -> AsyncGenerator[Team]:
    """Its predictions have all ended, and nobody has seen it yet."""
    team = Team(postgres, GatewayProcess(gateway.base_url), tmp_path)
    team.found()
    try:
        async with team.replica() as room_of:
            await fill(postgres, gateway, room_of, [(90.0 - number, -1.0) for number in range(MANY)])
        yield team
    finally:
        team.end()


def file_of(number: int) -> str:
    return f"busy{number + 1:022d}.png"  # the first one that the gateway has made runs on


def stored(team: Team) -> int:
    return team.count("images WHERE state = 'stored'")


async def test_a_picture_that_fails_does_not_hold_up_the_others_and_is_tried_again(
    team: Team, gateway: BusyGateway
) -> None:
    gateway.spoil({file_of(2): 500})
    team.start("worker")
    await seen(lambda: team.count("images WHERE problem LIKE '%HTTP 500%'") == 1 and stored(team) == MANY - 1)
    assert team.count("images WHERE state = 'wanted'") == 1
    gateway.spoil({})
    await seen(lambda: stored(team) == MANY)
    assert team.count("images WHERE problem <> ''") == 0


async def test_a_worker_that_is_killed_within_a_job_costs_only_the_picture_it_was_at(
    team: Team, gateway: BusyGateway
) -> None:
    gateway.spoil({file_of(2): 0})
    worker = team.start("worker")
    await seen(lambda: stored(team) == MANY - 1 and gateway.asked().files == MANY)
    assert team.count(f"{JOBS} AND status = 'doing'") == 1
    async with team.replica() as room_of:
        room = await room_of("ada")
        room.waiting = Waiting(lambda: monotonic() + CALL_GRACE_S)  # its time is up as soon as it has asked
        await get_prediction(room, file_of(2).removesuffix(".png"), wait_s=0)
    assert team.count(JOBS) == 1, "a job has it already, so who asks again defers no other"
    team.kill(worker)
    gateway.spoil({})
    team.start("worker")
    await seen(lambda: stored(team) == MANY)
    assert gateway.asked().files == MANY + 1, "what was stored is not fetched again"


async def test_a_picture_whose_host_hangs_up_is_asked_for_again_when_the_database_was_away(
    team: Team, gateway: BusyGateway
) -> None:
    gateway.spoil({file_of(2): 0})
    team.start("worker")
    await seen(lambda: stored(team) == MANY - 1 and gateway.asked().files == MANY)
    await anyio.to_thread.run_sync(team.postgres.restart)
    gateway.spoil({})
    await seen(lambda: stored(team) == MANY)
    assert gateway.asked().files == MANY + 1
    await seen(lambda: not team.count(JOBS))  # it was broken off and begun anew, and ends once its images are stored
