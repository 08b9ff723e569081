"""A picture that the person puts into the gallery: kept for a day, and used as an image like any other."""

import os
import re
import stat
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import anyio
import pytest
from apps_host import HasApps
from call_results import text
from http_process import HttpProcess
from mcp import Client
from mcp.types import CallToolResult
from pictures import noise, picture

from darkroom.errors import InvalidRequest, OutputError
from darkroom.outputs.uploads import LIFETIME_S, MOST_BYTES, MOST_PICTURES, FolderUploads
from darkroom.settings import Settings
from darkroom.uris import data_uri
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

EDITOR = "black-forest-labs/flux-kontext-dev"
Edit = Callable[[str], Awaitable[str]]


@pytest.fixture(params=["auto", "legacy"])
async def client(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncGenerator[Client]:
    variables = {"DARKROOM_DATA_DIR": str(tmp_path / "data"), "DARKROOM_OUTPUT_DIR": str(tmp_path / "out")}
    with anyio.fail_after(60):
        server = create_server(Settings.read(variables))
        async with Client(server, mode=request.param, extensions=[HasApps()]) as client:
            yield client


async def added(client: Client, content: bytes, mime_type: str = "image/png") -> str:
    """The reference of a picture that was just added."""
    result = await client.call_tool("add_picture", {"picture": data_uri(mime_type, content)})
    found = re.search(r"upload:[0-9a-f]{24}\b", text(result))
    assert found and not result.is_error, text(result)
    return found[0]


async def edit(client: Client, *images: str) -> CallToolResult:
    return await client.call_tool("generate_image", {"prompt": "make it red", "model": EDITOR, "images": list(images)})


async def test_an_added_picture_is_an_image_for_generate_image(client: Client, tmp_path: Path) -> None:
    reference = await added(client, picture(size=(320, 200)))
    result = await edit(client, reference)
    assert not result.is_error, text(result)
    assert "Succeeded" in text(result)
    [file] = (tmp_path / "data/uploads").iterdir()
    if stat.S_IMODE(file.stat().st_mode) != 0o666:  # Windows has no such modes
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


async def test_the_answer_says_what_to_call_it_and_how_large_it_is(client: Client) -> None:
    result = await client.call_tool("add_picture", {"picture": data_uri("image/png", picture(size=(320, 200)))})
    words = r"The person added a picture: upload:[0-9a-f]{24} \(320 x 200, \d+ kB\)\. generate_image takes it in images"
    assert re.match(words, text(result))


@pytest.mark.parametrize("reference", ["upload:", "upload:latest", "upload:../journal.sqlite3", "upload:" + "0" * 24])
async def test_an_unknown_picture_is_refused_and_nothing_is_sent(client: Client, reference: str) -> None:
    result = await edit(client, reference)
    assert result.is_error
    assert "no such picture is kept; one that is added lives for a day" in text(result)
    assert "Nothing was sent or spent" in text(result) or "not sent" in text(result).lower()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("/etc/passwd", "picture is not a data URI"),
        ("data:image/png;base64", "the data URI has no comma"),
        ("data:image/png;base64,", "is not an image that can be sent: it is"),
        ("data:image/png;base64,%%%", "picture cannot be used: "),
        (data_uri("image/png", b"<html>hello</html>"), "is not an image that can be sent: it is"),
        (data_uri("image/png", b"\x89PNG\r\n\x1a\n" + b"0" * 21 * 2**20), "larger than 20 MiB"),
    ],
)
async def test_what_is_no_image_is_refused(client: Client, tmp_path: Path, given: str, words: str) -> None:
    result = await client.call_tool("add_picture", {"picture": given})
    assert result.is_error
    assert words in text(result)
    assert not (tmp_path / "data/uploads").exists()


async def test_the_type_is_that_of_the_content(client: Client) -> None:
    reference = await added(client, picture("JPEG"), "image/png")
    assert not (await edit(client, reference)).is_error


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_picture_of_megabytes_is_added_over_http(tmp_path: Path, mode: str) -> None:
    with HttpProcess(tmp_path) as server, anyio.fail_after(60):
        async with Client(server.url, mode=mode, extensions=[HasApps()]) as client:
            reference = await added(client, noise(size=(1000, 800)))
            result = await edit(client, reference)
    assert not result.is_error, text(result)


# The folder


def kept(folder: Path) -> tuple[FolderUploads, list[float]]:
    now = [1_800_000_000.0]
    return FolderUploads(folder / "uploads", lambda: now[0]), now


def test_a_picture_lives_for_a_day_and_no_longer(tmp_path: Path) -> None:
    uploads, now = kept(tmp_path)
    id = uploads.add(b"one")
    now[0] += LIFETIME_S - 1
    assert uploads.read(id) == b"one"
    now[0] += 2
    assert uploads.read(id) is None
    assert list((tmp_path / "uploads").iterdir()) == []


def test_a_new_picture_sweeps_the_old_ones_and_what_a_crash_has_left(tmp_path: Path) -> None:
    uploads, now = kept(tmp_path)
    uploads.add(b"one")
    part = tmp_path / "uploads" / f"{'a' * 24}.part"
    part.write_bytes(b"half")
    now[0] += 40 * LIFETIME_S * 365
    id = uploads.add(b"two")
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == [id]


def test_files_that_are_not_ours_stay(tmp_path: Path) -> None:
    uploads, now = kept(tmp_path)
    uploads.add(b"one")
    (tmp_path / "uploads" / "notes.txt").write_text("mine")
    now[0] += 40 * LIFETIME_S * 365
    uploads.sweep()
    assert [path.name for path in (tmp_path / "uploads").iterdir()] == ["notes.txt"]


def test_the_number_of_pictures_of_a_day_is_bounded(tmp_path: Path) -> None:
    uploads, now = kept(tmp_path)
    for _ in range(MOST_PICTURES):
        uploads.add(b"one")
    with pytest.raises(InvalidRequest, match="100 pictures .* were added within a day"):
        uploads.add(b"one more")
    now[0] += LIFETIME_S + 1
    uploads.add(b"tomorrow")


def test_the_size_of_all_pictures_is_bounded(tmp_path: Path) -> None:
    uploads, now = kept(tmp_path)
    id = uploads.add(b"one")
    with open(tmp_path / "uploads" / id, "ab") as file:
        file.truncate(MOST_BYTES)
    os.utime(tmp_path / "uploads" / id, (now[0], now[0]))
    with pytest.raises(InvalidRequest, match="at most 100 and 500 MiB are kept. Nothing was added"):
        uploads.add(b"one more")


def test_a_folder_that_cannot_be_made_is_said_in_words(tmp_path: Path) -> None:
    (tmp_path / "uploads").write_text("a file")
    uploads, _ = kept(tmp_path)
    with pytest.raises(OutputError, match="The picture cannot be kept in .*Nothing was added"):
        uploads.add(b"one")


def test_pictures_that_are_added_at_once_are_counted_together(tmp_path: Path) -> None:
    uploads, content = FolderUploads(tmp_path, time.time), bytes(4_000_000)
    os.truncate(tmp_path / uploads.add(b"one"), MOST_BYTES - 4 * len(content))

    def add(_: int) -> bool:
        try:
            return bool(uploads.add(content))
        except InvalidRequest:
            return False

    with ThreadPoolExecutor(30) as threads:
        assert sum(threads.map(add, range(30))) == 4
