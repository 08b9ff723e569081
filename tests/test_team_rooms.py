"""The rooms of a replica: one for each person, let go of after a long quiet, and opened anew by the next call."""

from pathlib import Path

import pytest
from fault_plan import Plan
from gateway_process import gateway_process
from postgres_server import PostgresServer
from team_rooms import ISSUER
from team_workers import MODEL, Team, seen

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.registry import ImageRequest, ModelRegistry
from darkroom.reports import PredictionReport
from darkroom.settings import Settings
from darkroom_server.team import rooms
from darkroom_server.team.opened import open_team

pytestmark = pytest.mark.anyio


async def test_a_room_is_let_go_of_and_what_was_begun_in_it_is_found_in_the_next(
    postgres: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rooms, "_LOOK_EVERY_S", 0.01)
    with gateway_process(Plan(run_s=60)) as gateway:
        team = Team(postgres, gateway, tmp_path)
        team.found()
        settings = Settings.read(team.environ(postgres.app))
        assert settings.team
        registry = ModelRegistry.load(settings.models_dir)
        async with open_team(settings, settings.team, lambda: registry) as opened:
            ada = await opened.directory.principal_of(ISSUER, "ada", {})

            async def make(darkroom: Darkroom) -> PredictionReport:
                return await generate_image(darkroom, ImageRequest(prompt="a fox", model=MODEL), wait_s=0)

            made = await (await opened.rooms.of(ada)).in_darkroom(20, make)
            assert made and opened.rooms.open_count == 1
            monkeypatch.setattr(rooms, "_QUIET_S", 0.0)
            await seen(lambda: opened.rooms.open_count == 0)
            monkeypatch.setattr(rooms, "_QUIET_S", 900.0)

            async def look(darkroom: Darkroom) -> PredictionReport:
                return await get_prediction(darkroom, made.id, wait_s=0)

            found = await (await opened.rooms.of(ada)).in_darkroom(20, look)
            assert found and found.id == made.id and opened.rooms.open_count == 1
        assert gateway.truth().creates == 1 and not gateway.truth().cancels
