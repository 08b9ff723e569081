"""A passing fault is not an end: a 404, a success without output, an odd value, a fault of darkroom's own."""

import sqlite3
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest
from broken_journal import BrokenJournal
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import Ears, NoonClock, room_at
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway

from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.registry import ImageRequest
from darkroom.work.runtime import CrashPoint

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")
ID = "aprediction0000000000000"


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


async def hardly_sleep(seconds: float) -> None:
    """Pauses of the work that grow to 10 s."""
    await anyio.sleep(seconds / 50)


def images(folder: Path) -> list[Path]:
    return sorted((folder / "images").glob("*.png"))


async def test_one_404_long_after_the_create_is_no_end(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=600, looks_404=1)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        await generate_image(room, FOX, wait_s=0, request_id="fox")
    gateway.truth.predictions[0].ends_s = 0
    clock.move(900)
    gateway.truth.looks.clear()
    async with room_at(gateway, tmp_path, clock=clock, sleep=hardly_sleep) as room:
        assert (await get_prediction(room, "fox", wait_s=30)).outcome == "succeeded"
    assert len(gateway.truth.looks) >= 2 and len(images(tmp_path)) == 1


async def test_a_success_whose_output_appears_late_is_asked_again_until_it_does(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=0, hollow_looks=3)
    async with room_at(gateway, tmp_path) as room:
        first = await generate_image(room, FOX, wait_s=0, request_id="fox")
        assert first.outcome == "running", "nobody says that it made nothing"
        assert (await get_prediction(room, "fox", wait_s=30)).outcome == "succeeded"
    assert len(images(tmp_path)) == 1


async def test_a_success_that_never_has_an_output_ends_after_a_minute_of_asking(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=0, hollow_looks=10_000)
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock, sleep=hardly_sleep) as room:
        await generate_image(room, FOX, wait_s=0.5, request_id="fox")
        assert "shows no output yet" in (await get_prediction(room, "fox", wait_s=0.5)).text
        clock.move(120)
        report = await get_prediction(room, "fox", wait_s=30)
    assert report.outcome == "failed" and "gave no output" in report.text
    assert gateway.truth.creates == 1


ODD: list[tuple[str, dict[str, Any]]] = [
    ("a date that no calendar has", {"created_at": "9999-12-31T23:59:59Z"}),
    ("a date before all time", {"created_at": "0001-01-01T00:00:00+14:00"}),
    ("numbers beyond all bounds", {"metrics": {"predict_time": 1e308, "total_time": -1, "image_count": 10**30}}),
    ("an input nested without end", {"input": "deep"}),
    ("outputs at impossible ports", {"output": ["http://127.0.0.1:99999/a.png", "https://[::1", "http://a:-1/b.png"]}),
    ("outputs of no shape", {"output": {"a": [[[{"b": "https://\ud800.example/x"}]]], "c": 7}}),
    ("words of any kind", {"logs": "\ud800" * 10, "error": {"message": ["x"]}, "status": "succeeded", "model": 7}),
]


@pytest.mark.parametrize(("odd", "body"), ODD)
async def test_no_odd_value_of_the_gateway_ends_the_room(
    gateway: FaultGateway, tmp_path: Path, odd: str, body: dict[str, Any]
) -> None:
    """The next calls bring their images, in this process and in the next."""
    deep: Any = 1
    for _ in range(700):
        deep = [deep]
    changed = {name: {"prompt": deep} if value == "deep" else value for name, value in body.items()}
    for number in range(2):
        async with room_at(gateway, tmp_path) as room:
            gateway.odd = changed
            await generate_image(room, FOX, wait_s=1, request_id=f"odd {number}")
            gateway.odd = {}
            for turn in range(2):
                name = f"plain {number} {turn}"
                assert (await generate_image(room, FOX, wait_s=20, request_id=name)).outcome == "succeeded"


async def test_an_odd_value_while_a_doubt_is_open_does_not_stop_reconciliation(tmp_path: Path) -> None:
    """A list whose `next` holds control characters, or 70 kB, is read as far as it goes."""
    made: list[dict[str, Any]] = []

    def answer(request: RecordedRequest) -> Answer:
        if request.method == "POST":
            body = request.json()
            made.append({"id": f"{ID}{len(made)}", "status": "processing", "input": body["input"]})
            return Answer({"detail": "late"}, 500) if len(made) < 3 else Answer(made[-1], 201)
        if request.path.startswith("/v1/predictions?") or request.path == "/v1/predictions":
            bad = "https://x/v1/predictions?cursor=\x07\n" if len(made) < 2 else "https://x/?c=" + "y" * 70_000
            return Answer({"results": made[:1], "next": bad})
        found = next((each for each in made if request.path.endswith(each["id"])), None)
        return Answer({**found, "status": "canceled"}) if found else Answer({"detail": "no"}, 404)

    async with ScriptedGateway(answer) as server, room_at(server, tmp_path) as room:
        first = await generate_image(room, FOX, wait_s=5, request_id="one")
        second = await generate_image(room, FOX, wait_s=1, request_id="two")
        third = await generate_image(room, FOX, wait_s=5, request_id="three")
    assert [str(report.outcome) for report in (first, second, third)] == ["failed", "unresolved", "failed"]
    assert len(made) == 3


async def test_an_id_that_the_journal_could_not_take_is_taken_up_by_the_next_process(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    """On a gateway without a list nothing else would ever find it again."""
    broken, ears = BrokenJournal(tmp_path, "intents"), Ears()
    ears.at(CrashPoint.CREATED, broken.breaks)
    async with room_at(gateway, tmp_path, profile="custom", at_crash_point=ears) as room:
        report = await generate_image(room, FOX, wait_s=1, request_id="fox")
    made = gateway.truth.predictions[0].id
    assert report.outcome == "unresolved" and made in report.text
    broken.is_mended()
    async with room_at(gateway, tmp_path, profile="custom") as room:
        found = await get_prediction(room, "fox", wait_s=20)
        while found.outcome != "succeeded":
            found = await get_prediction(room, "fox", wait_s=20)
    assert found.data["id"] == made and len(images(tmp_path)) == 1
    assert list((tmp_path / "data").glob("paid-*")) == []


async def test_a_kept_id_is_offered_to_the_journal_until_it_is_taken(gateway: FaultGateway, tmp_path: Path) -> None:
    """The journal cannot be written when the next process opens it, and is mended while that runs."""
    broken, ears = BrokenJournal(tmp_path, "intents"), Ears()
    ears.at(CrashPoint.CREATED, broken.breaks)
    async with room_at(gateway, tmp_path, profile="custom", at_crash_point=ears) as room:
        await generate_image(room, FOX, wait_s=1, request_id="fox")
    async with room_at(gateway, tmp_path, profile="custom", lease_s=0.1) as room:
        assert (await get_prediction(room, "fox")).outcome == "unresolved"
        broken.is_mended()
        while (await get_prediction(room, "fox", wait_s=20)).outcome != "succeeded":  # noqa: ASYNC110 - as a host does
            await anyio.sleep(0.01)
    assert gateway.truth.creates == 1 and len(images(tmp_path)) == 1


async def test_a_journal_that_is_locked_while_a_create_is_answered_gets_the_id_once_it_is_free(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    locks: list[sqlite3.Connection] = []

    def lock(point: CrashPoint) -> None:
        if point is CrashPoint.CREATED:
            locks.append(sqlite3.connect(tmp_path / "data" / "journal.sqlite3", isolation_level=None))
            locks[0].execute("BEGIN IMMEDIATE")
        if point is CrashPoint.ID_KEPT and locks:
            locks.pop().close()

    async with room_at(gateway, tmp_path, profile="custom", at_crash_point=lock) as room:
        report = await generate_image(room, FOX, wait_s=20, request_id="fox")
    assert report.outcome == "succeeded" and gateway.truth.creates == 1
