"""Outputs are asked for while the end of their prediction is written down, and nothing else about them changes."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest
from broken_journal import BrokenJournal
from fault_gateway import FaultGateway
from fault_plan import Plan
from open_rooms import Ears, room_at
from scripted_gateway import Answer, ScriptedGateway, gateway_at

from darkroom.errors import OutputError, OutputExpired
from darkroom.gateways import OutputFetcher
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.work.fetched_ahead import FetchedAhead
from darkroom.work.runtime import CrashPoint

pytestmark = pytest.mark.anyio

LARGE = bytes(range(256)) * 2**14  # 4 MB, more than is held


@asynccontextmanager
async def ahead_of(host: ScriptedGateway) -> AsyncGenerator[FetchedAhead]:
    async with OutputFetcher(gateway_at(host.base_url, "custom")) as fetcher, anyio.create_task_group() as tasks:
        with anyio.fail_after(20):
            yield FetchedAhead(fetcher, tasks)
        tasks.cancel_scope.cancel()


async def content(ahead: FetchedAhead, url: str) -> bytes:
    async with ahead.open(url) as chunks:
        return b"".join([chunk async for chunk in chunks])


async def test_what_was_asked_for_ahead_is_given_once() -> None:
    async with ScriptedGateway(Answer(b"one"), Answer(b"two")) as host, ahead_of(host) as ahead:
        ahead.begin([url := f"{host.base_url}/a.png"])
        await host.heard(1)
        assert [await content(ahead, url), await content(ahead, url)] == [b"one", b"two"]
        assert len(host.requests) == 2


async def test_an_output_of_any_size_comes_whole() -> None:
    async with ScriptedGateway(Answer(LARGE)) as host, ahead_of(host) as ahead:
        ahead.begin([url := f"{host.base_url}/a.png"])
        await host.heard(1)
        assert await content(ahead, url) == LARGE


async def test_what_failed_ahead_fails_where_it_is_opened_and_is_asked_for_anew_after_that() -> None:
    async with ScriptedGateway(Answer("", 404), Answer(b"late")) as host, ahead_of(host) as ahead:
        ahead.begin([url := f"{host.base_url}/a.png"])
        with pytest.raises(OutputExpired):
            await content(ahead, url)
        assert await content(ahead, url) == b"late"


async def test_one_that_broke_off_is_no_whole_output() -> None:
    cut = Answer(b"half", headers={"content-length": "8", "connection": "close"})
    async with ScriptedGateway(cut) as host, ahead_of(host) as ahead:
        ahead.begin([url := f"{host.base_url}/a.png"])
        with pytest.raises(OutputError, match="broke off"):
            await content(ahead, url)


async def test_who_stops_reading_leaves_no_connection_open() -> None:
    async with ScriptedGateway(Answer(LARGE)) as host, ahead_of(host) as ahead:
        ahead.begin([url := f"{host.base_url}/a.png"])
        async with ahead.open(url) as chunks:
            assert await anext(chunks)
        while host.open_connections:
            await anyio.lowlevel.checkpoint()


async def test_no_more_than_four_are_asked_for_and_no_data_uri() -> None:
    async with ScriptedGateway(Answer(b"one")) as host, ahead_of(host) as ahead:
        ahead.begin(["data:image/png;base64,AAAA", *(f"{host.base_url}/{number}.png" for number in range(9))])
        await host.heard(3)
        await anyio.wait_all_tasks_blocked()
        assert len(host.requests) == 3


class FileCounter(FaultGateway):
    """Knows which files it was asked for."""

    def __init__(self, plan: Plan) -> None:
        super().__init__(plan)
        self.files: list[str] = []

    def _file(self, path: str) -> Answer:
        self.files.append(path)
        return super()._file(path)


async def test_a_picture_is_on_its_way_before_the_end_of_its_prediction_is_written_down(tmp_path: Path) -> None:
    ears, journal = Ears(), BrokenJournal(tmp_path, "intents")
    ears.at(CrashPoint.CREATED, journal.breaks)
    request = ImageRequest(prompt="a fox", model="black-forest-labs/flux-schnell")
    async with FileCounter(Plan(run_s=0, born_done=1)) as gateway:
        async with room_at(gateway, tmp_path, at_crash_point=ears) as room, anyio.create_task_group() as calls:
            calls.start_soon(partial(generate_image, room, request, wait_s=20, request_id="fox"))
            with anyio.fail_after(20):
                while not gateway.files:
                    await anyio.lowlevel.checkpoint()
                assert not (await room.journal.by_request("fox"))[0].prediction_id
                journal.is_mended()
                while not list((tmp_path / "images").glob("*.png")):
                    await anyio.lowlevel.checkpoint()
        assert len(gateway.files) == 1
