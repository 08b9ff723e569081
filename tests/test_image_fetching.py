"""Saving the outputs of a prediction while their links live: what is tried again, what is final, what is kept."""

import base64
import errno
import json
import os
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import systems
from journal_fixtures import START, HandClock, intended, new_intent, opened, prediction
from pictures import SVG, noise, picture
from scripted_gateway import Answer, RecordedRequest, ScriptedGateway, gateway_at

from darkroom.gateways import Gateway, OutputFetcher
from darkroom.images import ImageState, StoredImage
from darkroom.journal import Intent, Journal, Look
from darkroom.outputs import OutputStores
from darkroom.outputs.early_previews import EarlyPreviews
from darkroom.predictions import PredictionStatus
from darkroom.work.image_fetching import ImageFetching
from darkroom.work.runtime import Runtime

pytestmark = pytest.mark.anyio

ID = "rrr4z55ocneqzikepnug6xezpe"
WHOLE = noise(size=(300, 300))
CUT = WHOLE[: len(WHOLE) // 2]
PAGE = b"<!doctype html><title>Sign in</title>"


class FileHost(ScriptedGateway):
    """Gives each path its answers in order, the last one again and again; `asked` holds the times (hand clock)."""

    def __init__(self, clock: HandClock) -> None:
        super().__init__(self._of_path)
        self._clock = clock
        self.asked: dict[str, list[float]] = {}
        self.files: dict[str, list[Answer | bytes]] = {}

    def _of_path(self, request: RecordedRequest) -> Answer:
        asked = self.asked.setdefault(request.path, [])
        asked.append(self._clock())
        answers = self.files.get(request.path, [Answer("", 404)])
        answer = answers[min(len(asked), len(answers)) - 1]
        return answer if isinstance(answer, Answer) else Answer(answer, headers={"content-type": "image/png"})


class World:
    """A journal with one finished prediction, a host of its files, and a clock that only sleeping moves."""

    def __init__(self, folder: Path, journal: Journal, host: FileHost, clock: HandClock) -> None:
        self.folder = folder
        self.journal = journal
        self.host = host
        self.clock = clock
        self.gateway = gateway_at(host.base_url, "custom")
        self.stores = OutputStores(str(folder / "images"), folder / "data" / "images")

    async def finished(self, *urls: str, **facts: Any) -> Intent:
        """The row of a prediction with these outputs; a path is one of the host's."""
        new = replace(new_intent(), **{"output_place": str(self.folder / "images"), **facts})
        intent = await intended(self.journal, new)
        await self.journal.claim(intent.key)
        output = tuple(self.host.base_url + url if url.startswith("/") else url for url in urls)
        made = prediction(ID, PredictionStatus.SUCCEEDED, at=self.clock(), output=output)
        return await self.journal.mark_known(intent.key, made, Look(now=self.clock()))

    async def fetch(self, intent: Intent, gateway: Gateway | None = None) -> tuple[StoredImage, ...]:
        """Every round, until nothing is open any more."""
        with anyio.fail_after(30):
            async with self.fetching(gateway) as fetching:
                row = await fetching.remaining_rounds(await fetching.first_round(intent))
        return row.images

    async def fetch_once(self, intent: Intent) -> tuple[StoredImage, ...]:
        with anyio.fail_after(30):
            async with self.fetching() as fetching:
                return (await fetching.first_round(intent)).images

    def fetching(self, gateway: Gateway | None = None) -> "_OpenFetching":
        return _OpenFetching(self, gateway or self.gateway)

    async def sleep(self, seconds: float) -> None:
        self.clock.advance(seconds)
        await anyio.lowlevel.checkpoint()

    def names(self, folder: str = "images") -> list[str]:
        return sorted(path.name for path in (self.folder / folder).iterdir())


class _OpenFetching:
    def __init__(self, world: World, gateway: Gateway) -> None:
        self._world = world
        self._gateway = gateway
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> ImageFetching:
        fetcher = await self._stack.enter_async_context(OutputFetcher(self._gateway))
        world = self._world
        runtime = Runtime(clock=world.clock, monotonic=world.clock, sleep=world.sleep)
        tasks = await self._stack.enter_async_context(anyio.create_task_group())
        return ImageFetching(world.journal, world.stores, fetcher, runtime, EarlyPreviews(0, tasks))

    async def __aexit__(self, *error: object) -> None:
        await self._stack.aclose()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World]:
    clock = HandClock()
    async with opened(tmp_path, clock) as journal, FileHost(clock) as host:
        yield World(tmp_path, journal, host, clock)


def content_of(image: StoredImage) -> bytes:
    assert image.file
    return Path(image.file.location).read_bytes()


# Whole, or called damaged


@pytest.mark.parametrize(
    "cut", [1, 33, len(WHOLE) // 2, len(WHOLE) - 1], ids=["one byte", "its header", "half", "all but one byte"]
)
async def test_a_cut_image_is_fetched_again_until_it_is_whole(world: World, cut: int) -> None:
    world.host.files["/a.png"] = [WHOLE[:cut], WHOLE[:cut], WHOLE]
    (image,) = await world.fetch(await world.finished("/a.png"))
    assert (image.state, image.problem) == (ImageState.STORED, "")
    assert content_of(image) == WHOLE
    assert len(world.names()) == 2, "nothing of the cut ones is left"


async def test_a_cut_image_is_not_called_stored_while_its_link_lives(world: World) -> None:
    world.host.files["/a.png"] = [CUT]
    (image,) = await world.fetch_once(await world.finished("/a.png"))
    assert image.state is ImageState.WANTED
    assert image.problem.startswith("The file is damaged")


async def test_a_cut_image_is_kept_and_called_damaged_when_no_whole_one_came(world: World) -> None:
    world.host.files["/a.png"] = [CUT]
    (image,) = await world.fetch(await world.finished("/a.png"))
    assert image.state is ImageState.STORED
    assert image.problem.startswith("The file is damaged")
    assert content_of(image) == CUT
    assert world.clock() > START + 3600
    assert len(world.host.asked["/a.png"]) < 100


async def test_the_longest_of_several_cut_images_is_kept_when_the_link_dies(world: World) -> None:
    world.host.files["/a.png"] = [CUT[:-500], CUT, CUT[:-900], Answer("", 404)]
    (image,) = await world.fetch(await world.finished("/a.png"))
    assert image.problem.startswith("The file is damaged") and content_of(image) == CUT
    assert image.file and json.loads(Path(image.file.location).with_suffix(".json").read_text())["file"]["sha256"]


async def test_what_was_kept_of_a_cut_image_is_found_by_a_later_process(world: World) -> None:
    world.host.files["/a.png"] = [CUT, Answer("", 410)]
    intent = await world.finished("/a.png")
    await world.fetch_once(intent)
    world.clock.advance(7200)
    (image,) = await world.fetch(await world.journal.find(ID) or intent)
    assert (image.state, content_of(image)) == (ImageState.STORED, CUT)


async def test_an_image_that_was_saved_and_not_noted_is_found_when_its_link_is_dead(world: World) -> None:
    world.host.files["/a.png"] = [WHOLE, Answer("", 404)]
    intent = await world.finished("/a.png")
    with closing(sqlite3.connect(world.folder / "journal.sqlite3", isolation_level=None)) as other:
        other.execute("CREATE TRIGGER broken BEFORE UPDATE ON images BEGIN SELECT RAISE(ABORT, 'disk full'); END")
        await world.fetch_once(intent)
        other.execute("DROP TRIGGER broken")
    world.clock.advance(7200)
    (image,) = await world.fetch(intent)
    assert (image.state, image.problem, content_of(image)) == (ImageState.STORED, "", WHOLE)


async def test_a_body_that_ends_with_the_connection_is_not_believed(world: World) -> None:
    closed = Answer(CUT, headers={"content-length": str(len(CUT)), "connection": "close"})
    short = Answer(WHOLE, headers={"content-length": "1000"})
    world.host.files["/a.png"] = [closed, short, WHOLE]
    (image,) = await world.fetch(await world.finished("/a.png"))
    assert content_of(image) == WHOLE


async def test_a_cut_data_uri_is_kept_and_called_damaged_at_once(world: World) -> None:
    uri = "data:image/png;base64," + base64.b64encode(CUT).decode()
    (image,) = await world.fetch_once(await world.finished(uri))
    assert image.state is ImageState.STORED and image.problem.startswith("The file is damaged")
    assert content_of(image) == CUT


# Dead links


@pytest.mark.parametrize("status", [404, 410, 403, 400, 500, 202])
async def test_a_passing_refusal_is_not_the_end_of_a_link(world: World, status: int) -> None:
    world.host.files["/a.png"] = [Answer("", status), WHOLE]
    (image,) = await world.fetch(await world.finished("/a.png"))
    assert image.state is ImageState.STORED


async def test_a_link_that_looks_dead_three_times_over_a_minute_is_dead(world: World) -> None:
    (image,) = await world.fetch(await world.finished("/gone.png"))
    assert image.state is ImageState.EXPIRED and "HTTP 404" in image.problem
    asked = world.host.asked["/gone.png"]
    assert len(asked) >= 3 and 60 <= asked[-1] - asked[0] < 300


async def test_only_looks_one_after_the_other_count(world: World) -> None:
    dead, busy = Answer("", 404), Answer("", 503)
    world.host.files["/a.png"] = [dead, dead, busy] * 6 + [WHOLE]
    (image,) = await world.fetch(await world.finished("/a.png"))
    assert image.state is ImageState.STORED


async def test_a_dead_link_of_another_day_is_asked_once(world: World) -> None:
    intent = await world.finished("/gone.png")
    world.clock.advance(2 * 3600)
    (image,) = await world.fetch(intent)
    assert image.state is ImageState.EXPIRED and len(world.host.asked["/gone.png"]) == 1


async def test_a_dead_link_is_told_also_where_the_folder_of_its_row_cannot_be_read(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    intent = await world.finished("/gone.png", output_place=str(tmp_path / "taken"))
    world.clock.advance(2 * 3600)
    (image,) = await world.fetch(intent)
    assert image.state is ImageState.EXPIRED


async def test_a_link_that_fails_otherwise_is_lost_with_its_lifetime(world: World) -> None:
    world.host.files["/a.png"] = [Answer("", 500)]
    (image,) = await world.fetch(await world.finished("/a.png"))
    assert image.state is ImageState.EXPIRED and "HTTP 500" in image.problem
    assert START + 3600 < world.clock() < START + 3600 + 150


# Refused for good


@pytest.mark.parametrize("content", [PAGE, b'{"detail": "no"}', b"Not here\n", b"PK\x03\x04" + bytes(100)])
async def test_what_is_no_image_ends_at_once_with_its_reason_and_touches_no_other(world: World, content: bytes) -> None:
    world.host.files = {"/page": [content], "/a.png": [WHOLE]}
    page, image = await world.fetch(await world.finished("/page", "/a.png"))
    assert (page.state, image.state) == (ImageState.REFUSED, ImageState.STORED)
    assert "not an image" in page.problem and page.url.endswith("/page")
    assert len(world.host.asked["/page"]) == 1 and world.clock() == START


@pytest.mark.parametrize(
    "url", ["https://127.0.0.1:1/x.png", "http://127.0.0.1:99999/x", "ftp://x/y", "https://" + "a" * 70_000]
)
async def test_an_address_that_no_image_has_ends_at_once(world: World, url: str) -> None:
    (image,) = await world.fetch(await world.finished(url))
    assert image.state is ImageState.REFUSED and image.problem and world.clock() == START


async def test_a_host_that_is_not_allowed_is_asked_when_the_setting_allows_it(world: World) -> None:
    async with FileHost(world.clock) as store:
        store.files["/a.png"] = [WHOLE]
        intent = await world.finished(store.base_url + "/a.png")
        (image,) = await world.fetch(intent)
        assert image.state is ImageState.REFUSED and f"127.0.0.1:{store.port}" in image.problem
        assert store.asked == {}
        assert await world.journal.want_again(ID)
        row = await world.journal.find(ID)
        assert row
        (image,) = await world.fetch(row, replace(world.gateway, local_stores=(f"127.0.0.1:{store.port}",)))
    assert image.state is ImageState.STORED


# Where it is kept


async def test_an_image_goes_to_the_folder_of_its_own_row(world: World, tmp_path: Path) -> None:
    world.host.files["/a.png"] = [WHOLE]
    (image,) = await world.fetch(await world.finished("/a.png", output_place=str(tmp_path / "client")))
    assert image.file and Path(image.file.location).parent == tmp_path / "client"
    assert not (tmp_path / "images").exists()
    assert await world.stores.read(image.file) == WHOLE


async def test_an_image_of_an_old_row_goes_to_the_folder_of_today(world: World) -> None:
    world.host.files["/a.png"] = [WHOLE]
    await world.fetch(await world.finished("/a.png", output_place=""))
    assert len(world.names()) == 2


async def test_an_image_whose_folder_cannot_be_used_lies_in_the_data_folder_and_that_is_said(
    world: World, tmp_path: Path
) -> None:
    (tmp_path / "taken").write_text("a file")
    world.host.files["/a.png"] = [WHOLE]
    (image,) = await world.fetch(await world.finished("/a.png", output_place=str(tmp_path / "taken")))
    assert image.state is ImageState.STORED and image.file
    assert Path(image.file.location).parent == tmp_path / "data" / "images"
    assert str(tmp_path / "taken") in image.problem and str(tmp_path / "data" / "images") in image.problem


@systems.posix_files
async def test_a_full_disk_leaves_the_image_wanted_with_its_reason_until_there_is_room(world: World) -> None:
    large = noise(size=(1200, 1200))
    world.host.files["/a.png"] = [large]
    intent = await world.finished("/a.png")
    with systems.largest_file(2_000_000):
        (image,) = await world.fetch_once(intent)
    assert image.state is ImageState.WANTED and "No space is left" in image.problem
    (image,) = await world.fetch(intent)
    assert (image.state, image.problem) == (ImageState.STORED, "")


async def test_a_row_that_was_adopted_by_its_id_does_not_save_the_image_twice(world: World) -> None:
    world.host.files["/a.png"] = [WHOLE]
    intent = await world.finished("/a.png")
    adopted = replace(intent, request={}, model="", prediction=None)
    await world.fetch_once(intent)
    await world.fetch_once(adopted)
    assert len(world.names()) == 2


async def test_the_name_of_an_image_holds_words_model_and_id(world: World) -> None:
    world.host.files["/a.svg"] = [SVG]
    intent = await world.finished("/a.svg", request={"prompt": "夜の灯台"})
    await world.fetch(intent)
    endings = ("-2048px.png", ".json", ".svg")
    assert world.names() == [f"夜の灯台-flux-schnell-{ID}-1{ending}" for ending in endings]


# The sidecar


async def test_a_secret_of_the_input_stands_in_no_sidecar(world: World) -> None:
    world.host.files["/a.png"] = [WHOLE]
    secret = {"openai_api_key": "sk-canary", "nested": {"hfToken": "canary"}}
    intent = replace(await world.finished("/a.png"), request={"options": secret}, input=secret)
    (image,) = await world.fetch_once(intent)
    assert image.file
    sidecar = Path(image.file.location).with_suffix(".json")
    assert "canary" not in sidecar.read_text()
    assert sidecar.stat().st_mode & 0o777 == 0o600


async def test_an_image_is_saved_whatever_is_wrong_with_its_sidecar(world: World) -> None:
    world.host.files["/a.png"] = [WHOLE]
    odd: Any = {"prompt": {1, 2}}
    (image,) = await world.fetch_once(replace(await world.finished("/a.png"), request=odd))
    assert image.state is ImageState.STORED and content_of(image) == WHOLE
    assert "sidecar is not written yet" in image.problem and "TypeError" in image.problem


class NoRoomForSidecars:
    """The disk as it is when an image has just filled it."""

    def __init__(self) -> None:
        self._link = os.link

    def __call__(self, source: str, name: str, **options: Any) -> None:
        if name.endswith(".json"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._link(source, name, **options)


async def test_no_sidecar_is_written_for_an_image_that_the_person_has_removed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.host.files["/a.png"] = [WHOLE]
    with monkeypatch.context() as disk:
        disk.setattr(os, "link", NoRoomForSidecars())
        (image,) = await world.fetch_once(await world.finished("/a.png"))
    assert image.file
    Path(image.file.location).unlink()
    async with world.fetching() as fetching:
        await fetching.write_missing_sidecars(await world.journal.history())
    assert world.names() == []


async def test_a_sidecar_that_did_not_fit_is_said_and_written_later(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.host.files["/a.png"] = [WHOLE]
    intent = await world.finished("/a.png")
    with monkeypatch.context() as disk:
        disk.setattr(os, "link", NoRoomForSidecars())
        (image,) = await world.fetch_once(intent)
    assert image.state is ImageState.STORED and "sidecar is not written yet" in image.problem
    assert len(world.names()) == 1
    async with world.fetching() as fetching:
        await fetching.write_missing_sidecars(await world.journal.history())
    row = await world.journal.find(ID)
    assert row and row.images[0].problem == "" and len(world.names()) == 2
    assert len(world.host.asked["/a.png"]) == 1, "the image itself is not fetched again"


# Fences


async def test_a_fault_of_our_own_at_one_image_is_noted_and_touches_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.host.files = {"/a.png": [WHOLE], "/b.gif": [picture("GIF")]}
    link = os.link

    def broken_for_png(source: str, name: str, **options: Any) -> None:
        if name.endswith(".png"):
            raise TypeError("odd")
        link(source, name, **options)

    intent = await world.finished("/a.png", "/b.gif")
    with monkeypatch.context() as system:
        system.setattr(os, "link", broken_for_png)
        first, second = await world.fetch_once(intent)
    assert (first.state, second.state) == (ImageState.WANTED, ImageState.STORED)
    assert "TypeError" in first.problem
    first, second = await world.fetch(intent)
    assert (first.state, first.problem) == (ImageState.STORED, "")


async def test_a_journal_that_fails_for_one_image_ends_neither_the_rounds_nor_the_others(
    world: World, tmp_path: Path
) -> None:
    world.host.files = {"/a.png": [WHOLE], "/b.gif": [picture("GIF")]}
    intent = await world.finished("/a.png", "/b.gif")
    with closing(sqlite3.connect(tmp_path / "journal.sqlite3", isolation_level=None)) as other:
        other.execute(
            "CREATE TRIGGER broken BEFORE UPDATE ON images WHEN new.idx = 0 BEGIN SELECT RAISE(ABORT, 'disk full'); END"
        )
        first, second = await world.fetch_once(intent)
        other.execute("DROP TRIGGER broken")
    assert (first.state, second.state) == (ImageState.WANTED, ImageState.STORED)
    first, second = await world.fetch(intent)
    assert first.state is ImageState.STORED and len(world.names()) == 4


async def test_no_date_of_a_gateway_ends_the_rounds(world: World) -> None:
    world.host.files["/a.png"] = [Answer("", 500), WHOLE]
    for at in (-62_135_596_800.0, 253_402_300_799.0):
        intent = await world.finished("/a.png")
        image = replace(intent.images[0], expires_at=prediction(ID, at=at).created_at)
        await world.fetch_once(replace(intent, images=(image,)))
