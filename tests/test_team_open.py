"""Many open predictions of one account: the list serves them together, and none is missed, however it ends."""

from collections.abc import Generator
from pathlib import Path

import pytest
from busy_gateway import BusyGateway, busy_gateway
from full_account import fill
from gateway_process import GatewayProcess
from postgres_server import PostgresServer
from team_workers import Team, seen

pytestmark = pytest.mark.anyio
FEW, MANY = 60, 120  # a page of the list holds 100
FAILS_EVERY = 50


@pytest.fixture
def gateway() -> Generator[BusyGateway]:
    with busy_gateway() as gateway:
        yield gateway


@pytest.fixture
def team(postgres: PostgresServer, gateway: BusyGateway, tmp_path: Path) -> Generator[Team]:
    team = Team(postgres, GatewayProcess(gateway.base_url), tmp_path)
    team.found()
    try:
        yield team
    finally:
        team.end()


async def filled(team: Team, gateway: BusyGateway, count: int, *, are_listed: bool = True) -> None:
    """Half have ended already, the others do so within a second."""
    spans = [(90.0 - number / 10, -1.0 if number % 2 else number / count) for number in range(count)]
    async with team.replica() as room_of:
        await fill(team.postgres, gateway, room_of, spans, are_listed=are_listed)


def have_ended(team: Team, count: int) -> bool:
    wanted = team.count("images WHERE state = 'wanted'")
    return team.count("intents WHERE ended_at IS NOT NULL") == count and not wanted


async def test_the_list_tells_of_many_together_and_only_what_failed_is_asked_for(
    team: Team, gateway: BusyGateway
) -> None:
    await filled(team, gateway, MANY)
    team.start("worker")
    await seen(lambda: have_ended(team, MANY))
    asked = gateway.asked()
    assert team.count("images WHERE state = 'stored'") == MANY - MANY // FAILS_EVERY
    assert team.count("intents WHERE status = 'failed'") == MANY // FAILS_EVERY
    assert asked.looks <= MANY / 4, "each success was seen in the list, whole"
    assert asked.creates == 1


async def test_what_the_list_leaves_out_is_asked_for_by_itself(team: Team, gateway: BusyGateway) -> None:
    await filled(team, gateway, FEW, are_listed=False)
    team.start("worker")
    await seen(lambda: have_ended(team, FEW))
    assert team.count("images WHERE state = 'stored'") == FEW - FEW // FAILS_EVERY
    assert gateway.asked().looks >= FEW
