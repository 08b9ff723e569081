"""Looks at many predictions together: the list serves them, each end is read for itself, and nothing is lost by it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from journal_fixtures import HandClock, opened
from open_rooms import room_at
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway, gateway_at

from darkroom.gateways import Key, PredictionClient
from darkroom.generate_image import generate_image
from darkroom.predictions import Prediction
from darkroom.registry import ImageRequest
from darkroom.work.accounts import Account
from darkroom.work.looks import LOOKS, Looks
from darkroom.work.runtime import Runtime

pytestmark = pytest.mark.anyio
KEY = Key("a-key-0123456789")
MANY = 40
IDS = [f"p{number:025d}" for number in range(MANY)]
FEW = 10


class Fleet:
    """A gateway of `MANY` running predictions; those in `ended` have ended, those in `unlisted` are in no list."""

    def __init__(self) -> None:
        self.ended: set[str] = set()
        self.unlisted: set[str] = set()
        self.list_status = 200
        self.has_figures = False
        self.asked: list[str] = []

    def answer(self, request: RecordedRequest) -> Answer:
        name = request.path.partition("?")[0].removeprefix("/v1/predictions").strip("/")
        self.asked.append(name or "list")
        if name:
            return Answer(self._view(name))
        start = int(request.path.partition("cursor=")[2] or 0)
        shown = [self._view(each) for each in IDS[start : start + 10] if each not in self.unlisted]
        following = f"https://elsewhere.invalid/v1/predictions?cursor={start + 10}" if start + 10 < MANY else None
        return Answer({"results": shown, "next": following}, self.list_status)

    def _view(self, name: str) -> dict[str, Any]:
        has_ended = name in self.ended
        output = ["https://replicate.delivery/a.png"] if has_ended else None
        figures = {"completed_at": "2026-11-26T06:00:00Z", "metrics": {"predict_time": 2}} if self.has_figures else {}
        return {"id": name, "status": "succeeded" if has_ended else "processing", "output": output, **figures}


@asynccontextmanager
async def looks_at(fleet: Fleet, folder: Path, name: str = "replicate") -> AsyncGenerator[Looks]:
    """Time stands still for them, so that eleven looks are many."""
    clock = HandClock()

    async def sleep(seconds: float) -> None:
        await anyio.lowlevel.checkpoint()

    runtime = Runtime(clock=clock, monotonic=clock.monotonic, sleep=sleep)
    async with (
        ScriptedGateway(fleet.answer) as gateway,
        opened(folder, clock) as journal,
        PredictionClient(gateway_at(gateway.base_url, name), KEY, sleep=sleep) as client,
    ):
        yield Looks(Account(client, journal, KEY, "mine"), journal, runtime)


async def look_at_all(looks: Looks, ids: list[str]) -> dict[str, Prediction | None]:
    """All at once."""
    seen: dict[str, Prediction | None] = {}

    async def look(name: str) -> None:
        seen[name] = await looks.look(name, 1)

    async with anyio.create_task_group() as tasks:
        for name in ids:
            tasks.start_soon(look, name)
    return seen


async def test_many_looks_are_one_reading_of_the_list(tmp_path: Path) -> None:
    fleet = Fleet()
    async with looks_at(fleet, tmp_path) as looks:
        await look_at_all(looks, IDS[:FEW])
        assert sorted(fleet.asked) == IDS[:FEW], "a few are asked for one by one"
        fleet.asked.clear()
        seen = await look_at_all(looks, IDS)
    assert [found.status for name in IDS if (found := seen[name])] == ["processing"] * MANY
    assert fleet.asked == ["list"] * (MANY // 10)


async def test_an_end_is_read_from_the_prediction_itself(tmp_path: Path) -> None:
    fleet = Fleet()
    fleet.ended, fleet.unlisted = set(IDS[:2]), {IDS[5]}
    async with looks_at(fleet, tmp_path) as looks:
        await look_at_all(looks, IDS[:FEW])
        fleet.asked.clear()
        seen = await look_at_all(looks, IDS)
    ended = [name for name in IDS if (found := seen[name]) and found.output]
    assert ended == IDS[:2]
    assert sorted(each for each in fleet.asked if each != "list") == [*IDS[:2], IDS[5]]


async def test_a_success_that_the_list_shows_whole_is_not_looked_at_again(tmp_path: Path) -> None:
    fleet = Fleet()
    fleet.ended, fleet.has_figures = set(IDS[:2]), True
    async with looks_at(fleet, tmp_path) as looks:
        await look_at_all(looks, IDS[:FEW])
        fleet.asked.clear()
        seen = await look_at_all(looks, IDS)
    assert [name for name in IDS if (found := seen[name]) and found.output] == IDS[:2]
    assert fleet.asked == ["list"] * (MANY // 10)


@pytest.mark.parametrize("name", ["replicate", "custom"])
async def test_without_a_list_each_is_asked_for_within_the_rate(name: str, tmp_path: Path) -> None:
    fleet = Fleet()
    fleet.list_status = 403
    async with looks_at(fleet, tmp_path, name) as looks:
        seen = [await look_at_all(looks, IDS) for _ in range(16)]
    singles = [each for each in fleet.asked if each != "list"]
    assert len(singles) == sum(found is not None for each in seen for found in each.values())
    turns = LOOKS.burst + LOOKS.per_minute * 10 // 60  # a look that is further off is left out
    assert len(singles) == FEW + turns and len(set(singles)) == MANY


async def test_many_at_once_all_come_home(tmp_path: Path) -> None:
    outcomes: list[str] = []
    async with FaultGateway(Plan(run_s=2)) as gateway, room_at(gateway, tmp_path) as room:

        async def call(number: int) -> None:
            wish = ImageRequest(prompt=f"fox {number}", model="black-forest-labs/flux-schnell")
            outcomes.append((await generate_image(room, wish, wait_s=40)).outcome)

        async with anyio.create_task_group() as calls:
            for number in range(MANY):
                calls.start_soon(partial(call, number))
    assert outcomes == ["succeeded"] * MANY and len(list((tmp_path / "images").glob("*.png"))) == MANY
