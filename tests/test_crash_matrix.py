"""The process ends at every crash point, the gateway misbehaves: nothing is lost or paid twice."""

from pathlib import Path

import anyio
import pytest
import systems
from crash_run import ANYWHERE, CrashRun
from postgres_server import PostgresServer
from rounds import rounds

from darkroom.work.runtime import CrashPoint

pytestmark = pytest.mark.anyio


@systems.forks
async def test_no_create_is_lost_or_repeated_and_every_picture_comes_home_once(tmp_path: Path) -> None:
    requests, kills = rounds(60), len(CrashPoint) + rounds(5)
    with anyio.fail_after(rounds(900)):
        figures = await CrashRun(folder=tmp_path, requests=requests, kills=kills, more=2 * requests).run()
    print("", *figures.lines(), sep="\n")
    assert figures.kills.keys() == {*CrashPoint, ANYWHERE}
    assert figures.kills.total() == kills
    assert figures.intents >= requests and figures.held >= requests / 6
    assert (figures.lost, figures.duplicated, figures.open_intents) == (0, 0, 0)
    assert (figures.images_missing, figures.images_stored_twice, figures.images_wrong) == (0, 0, 0)


@systems.forks
async def test_nor_is_it_where_the_journal_is_in_a_database_that_crashes_too(
    tmp_path: Path, postgres: PostgresServer
) -> None:
    with anyio.fail_after(900):
        run = CrashRun(
            folder=tmp_path, requests=30, kills=len(CrashPoint) + 1, batch=3, postgres=postgres, restart_every_s=4
        )
        figures = await run.run()
    print("", *figures.lines(), sep="\n")
    assert figures.kills.total() >= 5 and figures.intents >= 30
    assert (figures.lost, figures.duplicated, figures.open_intents) == (0, 0, 0)
    assert (figures.images_missing, figures.images_stored_twice, figures.images_wrong) == (0, 0, 0)
