"""A team's limits as its people meet them: in the answers of a real replica, set by the administrator's commands."""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from call_results import text
from postgres_server import PostgresServer
from team_rooms import Administrator, dump
from team_server import GATEWAY_KEY, MASTER, Team, open_issued_team

pytestmark = pytest.mark.anyio
WISH = {"prompt": "a lighthouse", "model": "black-forest-labs/flux-schnell"}  # $0.003 an image


@pytest.fixture(scope="module")
def team(running_postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    limits = {"DARKROOM_MAX_CREATES_PER_MINUTE": "20", "DARKROOM_MAX_OPEN": "4"}
    with open_issued_team(running_postgres, tmp_path_factory.mktemp("team"), **limits) as team:
        yield team


@pytest.fixture
def admin(team: Team, tmp_path: Path) -> Administrator:
    admin = Administrator(team.server, tmp_path)
    admin.settings["DARKROOM_MASTER_KEYS"] = MASTER
    return admin


async def test_a_machine_works_with_its_token_until_that_is_revoked(team: Team, admin: Administrator) -> None:
    token = admin.run("token", "acme", "nightly").out
    async with team.client(token=token) as machine:
        made = await machine.call_tool("generate_image", WISH)
        assert text(made).startswith("Succeeded"), text(made)
    admin.does("token", "acme", "nightly", "--revoke")
    with pytest.raises(BaseException):  # noqa: B017 - the client's own, whatever its group
        async with team.client(token=token) as machine:
            await machine.call_tool("generate_image", WISH)


async def test_the_tenants_limit_is_said_to_be_the_tenants(team: Team, admin: Administrator) -> None:
    async with team.client("ada") as ada:
        assert text(await ada.call_tool("generate_image", WISH)).startswith("Succeeded")
        admin.does("limit", "acme", "--usd-per-day", "0.007")
        dry = text(await ada.call_tool("generate_image", WISH | {"dry_run": True}))
        assert "of $0.007 is left today" in dry
        today = text(await ada.call_tool("get_prediction", {"id": "today"}))
        assert "Of the limit for a day of the whole tenant 'acme'" in today
        refused = await ada.call_tool("generate_image", WISH | {"count": 3})
        assert "the limit for a day of the whole tenant 'acme'" in text(refused), text(refused)
        assert "DARKROOM_MAX_USD_PER_DAY" not in text(refused)
        admin.does("limit", "acme", "--usd-per-day", "none")
        admin.does("limit", "acme", "--usd-per-day", "0.0005", "--principal", team.issuer.url, "ada")
        refused = await ada.call_tool("generate_image", WISH)
        assert "your own limit for a day in tenant 'acme'" in text(refused), text(refused)
        listed = text(await ada.call_tool("list_models", {"model": WISH["model"]}))
        assert "0.0005" in listed
    async with team.client("bob") as bob:
        assert text(await bob.call_tool("generate_image", WISH)).startswith("Succeeded")


async def test_a_day_is_that_of_the_tenants_zone(team: Team) -> None:
    team.server.execute("UPDATE tenants SET zone = 'Pacific/Kiritimati'")
    async with team.client("zoe") as zoe:
        before = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
        await zoe.call_tool("generate_image", WISH)
        today = text(await zoe.call_tool("get_prediction", {"id": "recent"}))
    assert today.startswith("Recent predictions: 1, newest first; local time (UTC+14:00)."), today
    after = datetime.now(ZoneInfo("Pacific/Kiritimati")).date()
    assert any(f"{day} (today), whole day: 1 prediction, charged" in today for day in (before, after)), today


async def test_too_many_at_once_are_refused_before_anything_is_sent(team: Team) -> None:
    many = {"prompt": "a lighthouse", "model": "black-forest-labs/flux-2-pro", "count": 5}
    async with team.client("eve") as eve:
        refused = await eve.call_tool("generate_image", many)
        assert "At most 4 predictions of one person may be open at once here (DARKROOM_MAX_OPEN)" in text(refused), (
            text(refused)
        )
        found = await eve.call_tool("get_prediction", {"id": "today"})
        assert "a lighthouse" not in text(found)


async def test_no_key_is_in_the_tables_or_was_said(team: Team, admin: Administrator) -> None:
    admin.does("list")
    everything = dump(team.server) + admin.said
    assert GATEWAY_KEY not in everything and MASTER.partition(":")[2] not in everything
