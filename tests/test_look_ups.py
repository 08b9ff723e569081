"""What became of a prediction: whose the latest is, what a look-up tells, and that it is no error of its own."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from pathlib import Path
from typing import Any, cast

import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from mcp import Client
from mcp.types import CallToolResult, ImageContent, TextContent
from open_rooms import room_at

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport
from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a red fox", model="black-forest-labs/flux-schnell")  # $0.003 an image


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


async def make(room: Darkroom, request: ImageRequest = FOX, **changes: Any) -> PredictionReport:
    return await generate_image(room, request, wait_s=changes.pop("wait_s", 20), **changes)


def part(report: PredictionReport) -> dict[str, Any]:
    [only] = cast("list[dict[str, Any]]", report.data["predictions"])
    return only


# The latest


async def test_the_latest_of_this_conversation_is_waited_for(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=1)
    async with room_at(gateway, tmp_path) as room:
        mine = await make(room, wait_s=0, conversation="mine")
        await make(room, wait_s=0, conversation="other")
        found = await get_prediction(room, "latest", wait_s=20, conversation="mine")
    assert found.text.startswith("Succeeded: 1 image") and found.data["id"] == mine.data["id"]


@pytest.mark.parametrize(
    ("conversation", "beginning"),
    [("other", "Not started in this conversation: "), ("", "The newest of all, perhaps not started in this ")],
)
async def test_the_latest_of_another_conversation_is_named_and_never_waited_for(
    gateway: FaultGateway, tmp_path: Path, conversation: str, beginning: str
) -> None:
    gateway.plan = Plan(run_s=60)
    async with room_at(gateway, tmp_path) as room:
        made = await make(room, wait_s=0, conversation="mine")
        looks = len(gateway.truth.looks)
        found = await get_prediction(room, "latest", wait_s=600, conversation=conversation)
        assert len(gateway.truth.looks) - looks <= 1, "only the watcher of the create looks"
    first = found.text.partition("\n")[0]
    assert first.startswith(beginning) and f"\"a red fox\" (id '{made.data['id']}')." in first
    assert "wait_seconds" not in found.text and not found.is_error


async def test_a_picture_of_another_conversation_is_not_shown(tmp_path: Path) -> None:
    settings = Settings.read({"DARKROOM_DATA_DIR": str(tmp_path / "data"), "DARKROOM_OUTPUT_DIR": str(tmp_path / "p")})
    async with Client(create_server(settings, conversation="one")) as client:
        assert shown(await client.call_tool("generate_image", {"prompt": "a fox"})) == 1
        assert shown(await client.call_tool("get_prediction", {"id": "latest", "previews": True})) == 1
    async with Client(create_server(settings, conversation="two")) as client:
        found = await client.call_tool("get_prediction", {"id": "latest"})
    assert shown(found) == 0 and not found.is_error
    assert isinstance(found.content[0], TextContent)
    assert "Next: if the user means this one, call get_prediction with id '" in found.content[0].text


def shown(result: CallToolResult) -> int:
    return sum(isinstance(block, ImageContent) for block in result.content)


# No error


async def test_a_look_up_that_worked_is_no_error_whatever_it_finds(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path, profile="custom") as room:
        gateway.plan = Plan(run_s=0, script=("422", "504 after"))
        refused = await make(room, request_id="refused")
        lost = await make(room, request_id="lost")
        assert refused.is_error and lost.is_error
        found = {name: await get_prediction(room, name) for name in ("refused", "lost")}
    assert {name: (each.outcome.value, each.is_error) for name, each in found.items()} == {
        "refused": ("refused", False),
        "lost": ("unresolved", False),
    }


async def test_an_unknown_id_and_an_unreadable_journal_are_errors_that_promise_nothing(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with room_at(gateway, tmp_path) as room:
        unknown = await get_prediction(room, "nosuchprediction0000")
        with closing(sqlite3.connect(tmp_path / "data" / "journal.sqlite3", isolation_level=None)) as connection:
            connection.execute("PRAGMA legacy_alter_table = ON")
            connection.execute("ALTER TABLE intents RENAME TO gone")
        broken = await get_prediction(room, "nosuchprediction0000")
        listed = await get_prediction(room, "today")
    assert unknown.is_error and unknown.text.endswith("(HTTP 404).\nCharged: nothing by this look-up.")
    for report in (broken, listed):
        assert report.is_error and "othing was" not in report.text and "Charged: nothing" not in report.text
        assert report.text.endswith("Charged: not known from here; asking is free.")


# What it tells


async def test_a_look_up_has_the_input_the_times_the_hashes_and_the_record(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with room_at(gateway, tmp_path) as room:
        made = await make(room, request_id="fox-1")
        found = await get_prediction(room, "fox-1")
    assert part(found)["input"]["prompt"] == "a red fox" and part(found)["input"]["seed"] == made.data["seed"]
    assert part(found)["gateway"] == "replicate" and part(found)["sent_at"] and part(found)["ended_at"]
    [image] = cast("list[dict[str, Any]]", found.data["images"])
    assert len(image["sha256"]) == 64 and Path(image["record"]).is_file()
    assert f"Record: {image['record']}" in found.text.splitlines() and "Record: " not in made.text
    assert "request_id fox-1." in made.text and "request_id fox-1." in found.text
    assert "Charged: at most $0.003 in all (by the price list; " in found.text
    assert "); this look-up is free." in found.text and "in all" not in made.text


async def test_a_secret_is_never_in_what_a_look_up_tells(gateway: FaultGateway, tmp_path: Path) -> None:
    request = ImageRequest(prompt="a fox", model="some/model", options={"openai_api_key": "sk-not-to-be-seen-anywhere"})
    async with room_at(gateway, tmp_path) as room:
        await make(room, request, request_id="secret")
        found = await get_prediction(room, "secret")
    assert "not-to-be-seen" not in f"{found.text}{found.data}"


async def test_a_repeat_does_not_read_like_a_new_charge(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        first, again = await make(room, request_id="fox"), await make(room, request_id="fox")
    assert "Charged: at most $0.003 (by the price list; " in first.text and "is free" not in first.text
    assert "Charged: at most $0.003 in all (by the price list; " in again.text and "this repeat is free." in again.text


async def test_an_automatic_request_id_is_in_the_answer_and_finds_it(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        made = await make(room)
        name = str(made.data["request_id"])
        assert name.startswith("auto-") and f"request_id {name}." in made.text
        assert (await get_prediction(room, name)).data["id"] == made.data["id"]


async def test_what_another_gateway_made_is_noted_as_old_only_while_it_may_change(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with room_at(gateway, tmp_path) as room:
        await make(room, request_id="done")
        gateway.plan = Plan(run_s=60)
        await make(room, request_id="running", wait_s=0)
    async with FaultGateway() as other, room_at(other, tmp_path, profile="custom") as room:
        done, running = await get_prediction(room, "done"), await get_prediction(room, "running")
    assert "this is what was noted then" not in done.text and "this is what was noted then" in running.text


async def test_a_running_prediction_that_was_not_ordered_here_has_an_estimate(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(run_s=60)
    async with room_at(gateway, tmp_path / "one") as room:
        made = await make(room, wait_s=0)
    async with room_at(gateway, tmp_path / "two") as room:
        found = await get_prediction(room, str(made.data["id"]))
        listed = await get_prediction(room, "recent")
    assert "Charged: at most $0.003 in all (by the price list; it still runs)" in found.text
    assert "not ordered here" in listed.text


async def test_the_next_step_names_a_wait_within_the_setting(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(run_s=60)
    for wait_s, words in ((25, "and wait_seconds 25."), (10, "and wait_seconds 10."), (0, "in some seconds.")):
        async with room_at(gateway, tmp_path / str(wait_s), wait_s=wait_s) as room:
            made = await make(room, wait_s=0)
        assert words in str(made.data["next"])
