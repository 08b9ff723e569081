"""A request_id used again: never a way around a limit, never another image, never paid twice."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import anyio
import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import room_at
from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

pytestmark = pytest.mark.anyio

FOX = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")
DEAR = ImageRequest(prompt="a fox", model="black-forest-labs/flux-1.1-pro", count=3)  # $0.12


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


async def ask(room: Darkroom, request: ImageRequest, request_id: str = "fox") -> PredictionReport:
    return await generate_image(room, request, wait_s=20, request_id=request_id)


@pytest.mark.parametrize("bare", [True, False])
@pytest.mark.parametrize("limit", ["max_usd_per_call", "max_usd_per_day"])
async def test_a_repeat_that_would_send_something_meets_the_limits_of_today(
    gateway: FaultGateway, tmp_path: Path, limit: str, bare: bool
) -> None:
    gateway.plan = Plan(script=("402", "402", "402"), run_s=0)
    async with room_at(gateway, tmp_path) as room:
        await ask(room, DEAR)
    creates = gateway.truth.creates
    async with room_at(gateway, tmp_path, **{limit: 0.01}) as room:
        report = await ask(room, ImageRequest() if bare else DEAR)
    assert report.outcome == "invalid" and "Nothing was sent" in report.text
    assert gateway.truth.creates == creates


async def test_a_repeat_of_what_is_made_needs_no_room_under_a_limit(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await ask(room, DEAR)
    async with room_at(gateway, tmp_path, max_usd_per_call=0.01) as room:
        assert (await ask(room, DEAR)).outcome == "succeeded"


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"prompt": "a badger"}, "prompt 'a fox', not 'a badger'"),
        ({"count": 2}, "count 1, not 2"),
        ({"seed": 5}, "seed -1, not 5"),
        ({"aspect_ratio": "16:9"}, "aspect_ratio '', not '16:9'"),
        ({"options": {"go_fast": False}}, "model_options {}, not {'go_fast': False}"),
        ({"model": "black-forest-labs/flux-dev"}, "not 'black-forest-labs/flux-dev'"),
        ({"prompt": "a badger", "count": 4}, "(count differ as well)"),
    ],
)
async def test_a_request_id_used_with_other_arguments_is_refused_and_says_what_differs_and_what_it_stands_for(
    gateway: FaultGateway, tmp_path: Path, changes: dict[str, object], named: str
) -> None:
    async with room_at(gateway, tmp_path) as room:
        made = await ask(room, FOX)
        report = await ask(room, replace(FOX, **changes))
        again = await ask(room, FOX)
    assert report.outcome == "invalid" and named in report.text and str(made.data["id"]) in report.text
    assert again.outcome == "succeeded" and gateway.truth.creates == 1


async def test_a_repeat_may_leave_its_arguments_out(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await ask(room, replace(FOX, count=2, seed=5))
        report = await ask(room, ImageRequest())
    assert report.outcome == "succeeded" and gateway.truth.creates == 1


async def test_two_processes_with_one_request_id_and_two_wishes_pay_for_one(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    gateway.plan = Plan(script=("slow",), run_s=0)
    reports: list[PredictionReport] = []

    async def work(room: Darkroom, request: ImageRequest) -> None:
        reports.append(await ask(room, request))

    async with (
        room_at(gateway, tmp_path) as one,
        room_at(gateway, tmp_path) as two,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(work, one, replace(DEAR, count=1))
        tasks.start_soon(work, two, replace(DEAR, count=8, prompt="a badger"))
    assert sorted(str(report.outcome) for report in reports) == ["invalid", "succeeded"]
    assert len(set(gateway.truth.prompts)) == 1 and gateway.truth.creates in (1, 8)


async def test_a_secret_in_the_options_is_sent_and_never_written_down(gateway: FaultGateway, tmp_path: Path) -> None:
    secret = {"prompt": "a fox", "openai_api_key": "canary-key-0815"}
    async with room_at(gateway, tmp_path) as room:
        report = await ask(room, ImageRequest(model="somebody/unlisted", options=secret))
        again = await ask(room, ImageRequest(model="somebody/unlisted", options=secret))
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert all(b"canary-key-0815" not in file.read_bytes() for file in files)
    assert gateway.truth.predictions[0].input["openai_api_key"] == "canary-key-0815"
    assert report.outcome == again.outcome == "succeeded" and gateway.truth.creates == 1
    assert "canary" not in report.text + str(report.data)


async def test_a_secret_inside_an_option_is_sent_as_it_is(gateway: FaultGateway, tmp_path: Path) -> None:
    options: dict[str, JsonValue] = {"prompt": "[secret]", "login": {"hf_token": "canary-key-0815", "turbo": True}}
    async with room_at(gateway, tmp_path) as room:
        report = await ask(room, ImageRequest(model="somebody/unlisted", options=options))
        files = [file for file in tmp_path.rglob("*") if file.is_file()]
        assert all(b"canary-key-0815" not in file.read_bytes() for file in files)
    assert report.outcome == "succeeded"
    assert gateway.truth.predictions[0].input["login"] == options["login"]


async def test_a_repeat_that_lacks_its_secret_is_not_sent_without_it(gateway: FaultGateway, tmp_path: Path) -> None:
    gateway.plan = Plan(script=("402",), run_s=0)
    secret = {"prompt": "a fox", "openai_api_key": "canary-key-0815"}
    async with room_at(gateway, tmp_path) as room:
        await ask(room, ImageRequest(model="somebody/unlisted", options=secret))
        report = await ask(room, ImageRequest())
    assert "openai_api_key is a secret and is not kept" in report.text and gateway.truth.creates == 1


async def test_what_cannot_be_saved_is_not_paid_for(gateway: FaultGateway, tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    async with room_at(gateway, tmp_path, output_dir=str(tmp_path / "a file" / "images")) as room:
        report = await ask(room, FOX)
    assert "output folder" in report.text and gateway.truth.creates == 0
