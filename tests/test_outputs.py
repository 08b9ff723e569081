"""Bringing pictures home into a local folder."""

import hashlib
import json
import os
import resource
import time
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pictures import SVG, bomb, in_chunks, noise, picture

from darkroom.errors import OutputError, OutputExpired, SettingsError
from darkroom.outputs import BringHome, OutputStore, open_target
from darkroom.outputs.local import LocalTarget
from darkroom.outputs.naming import picture_stem

pytestmark = pytest.mark.anyio

JOB = BringHome(prediction_id="rrr4z55ocneqzikepnug6xezpe", index=0, prompt="A lighthouse at dawn")
NAME = "a-lighthouse-at-dawn-rrr4z55ocneq-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pictures" / "darkroom"


@pytest.fixture
def store(folder: Path) -> OutputStore:
    return OutputStore(open_target(str(folder)))


def make(folder: Path) -> None:
    folder.mkdir(parents=True)


def bytes_at(location: str) -> bytes:
    return Path(location).read_bytes()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


async def test_a_picture_comes_home_under_a_readable_name_with_its_facts(store: OutputStore, folder: Path) -> None:
    content = picture(size=(64, 48))
    file = await store.bring_home(JOB, in_chunks(content), {})
    assert file.location == str(folder / f"{NAME}.png")
    assert (file.mime_type, file.width_px, file.height_px, file.size_bytes) == ("image/png", 64, 48, len(content))
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert bytes_at(file.location) == content


async def test_the_sidecar_holds_what_the_caller_says_and_the_facts_of_the_file(
    store: OutputStore, folder: Path
) -> None:
    file = await store.bring_home(JOB, in_chunks(picture()), {"prompt": "Ein Löwe \ud800", "seed": 7})
    sidecar = json.loads((folder / f"{NAME}.json").read_text("utf-8"))
    assert (sidecar["prompt"], sidecar["seed"]) == ("Ein Löwe ?", 7)
    assert sidecar["file"]["name"] == f"{NAME}.png"
    assert sidecar["file"]["sha256"] == file.sha256


async def test_bringing_the_same_picture_home_twice_gives_one_file(store: OutputStore, folder: Path) -> None:
    first = await store.bring_home(JOB, in_chunks(picture()), {"price_usd": 1})
    second = await store.bring_home(JOB, in_chunks(picture()), {"price_usd": 2})
    assert first == second
    assert names_in(folder) == [f"{NAME}.json", f"{NAME}.png"]


async def test_many_at_once_bring_the_same_picture_home_as_one_file(folder: Path) -> None:
    content = noise()

    async def bring() -> None:
        await OutputStore(LocalTarget(folder)).bring_home(JOB, in_chunks(content), {})

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(bring)
    assert names_in(folder) == [f"{NAME}.json", f"{NAME}.png"]


async def test_another_picture_of_the_same_name_is_kept_beside_it(store: OutputStore, folder: Path) -> None:
    first = await store.bring_home(JOB, in_chunks(picture(color=(1, 2, 3))), {})
    second = await store.bring_home(JOB, in_chunks(picture(color=(9, 8, 7))), {})
    assert second.location == str(folder / f"{NAME}-{second.sha256[:8]}.png")
    assert bytes_at(first.location) == picture(color=(1, 2, 3))
    assert json.loads((folder / f"{NAME}-{second.sha256[:8]}.json").read_text())["file"]["sha256"] == second.sha256


async def test_a_sidecar_of_somebody_else_is_not_overwritten(store: OutputStore, folder: Path) -> None:
    make(folder)
    (folder / f"{NAME}.json").write_text("mine")
    await store.bring_home(JOB, in_chunks(picture()), {})
    file = await store.bring_home(JOB, in_chunks(picture()), {})
    assert (folder / f"{NAME}.json").read_text() == "mine"
    assert names_in(folder) == [f"{NAME}-{file.sha256[:8]}.json", f"{NAME}.json", f"{NAME}.png"]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"<!DOCTYPE html><html><body>Gone</body></html>", "a web page"),
        (b'{"detail": "expired"}', "JSON"),
        (b"PK\x03\x04rest", "a ZIP archive"),
        (b"", "nothing (0 bytes)"),
        (b"\x00\x01\x02\xff" * 9, "bytes of no known format"),
    ],
)
async def test_what_is_no_image_is_refused_with_what_came(
    store: OutputStore, folder: Path, content: bytes, words: str
) -> None:
    with pytest.raises(OutputError) as caught:
        await store.bring_home(JOB, in_chunks(content), {})
    assert words in caught.value.message
    assert len(caught.value.message) <= 300
    assert names_in(folder) == []


async def test_the_type_is_told_by_the_content_even_where_it_is_two_things(store: OutputStore) -> None:
    file = await store.bring_home(JOB, in_chunks(picture("GIF") + b"<html><script>alert(1)</script>"), {})
    assert file.mime_type == "image/gif"
    assert file.location.endswith(".gif")


async def test_an_svg_is_stored_with_the_size_of_its_view(store: OutputStore) -> None:
    file = await store.bring_home(JOB, in_chunks(SVG), {})
    assert (file.mime_type, file.width_px, file.height_px) == ("image/svg+xml", 120, 80)


async def test_a_picture_of_too_many_pixels_is_stored_all_the_same(store: OutputStore) -> None:
    file = await store.bring_home(JOB, in_chunks(bomb(16_000, 11_000)), {})
    assert (file.width_px, file.height_px) == (16_000, 11_000)


async def test_a_stream_beyond_the_limit_is_refused_and_leaves_nothing(folder: Path) -> None:
    with pytest.raises(OutputError, match="larger than 100,000 bytes"):
        await OutputStore(LocalTarget(folder), max_bytes=100_000).bring_home(JOB, in_chunks(noise()), {})
    assert names_in(folder) == []


async def test_a_stream_that_breaks_off_passes_its_error_on_and_leaves_nothing(
    store: OutputStore, folder: Path
) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield picture()[:50]
        raise OutputExpired("The link died.")

    with pytest.raises(OutputExpired):
        await store.bring_home(JOB, breaking(), {})
    assert names_in(folder) == []


async def test_a_cancelled_stream_leaves_nothing(store: OutputStore, folder: Path) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield picture()
        scope.cancel()
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await store.bring_home(JOB, stalling(), {})
    assert names_in(folder) == []


async def test_a_link_with_the_name_of_a_picture_is_neither_followed_nor_replaced(
    store: OutputStore, folder: Path, tmp_path: Path
) -> None:
    make(folder)
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (folder / f"{NAME}.png").symlink_to(victim)
    file = await store.bring_home(JOB, in_chunks(picture()), {})
    assert file.location == str(folder / f"{NAME}-{file.sha256[:8]}.png")
    assert victim.read_bytes() == b"untouched"


async def test_a_full_disk_is_told_in_words_and_leaves_nothing(store: OutputStore, folder: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    content = noise(size=(1200, 1200))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
    try:
        with pytest.raises(OutputError, match="No space left .* free space, then call get_prediction"):
            await store.bring_home(JOB, in_chunks(content), {})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert names_in(folder) == []
    assert (await store.bring_home(JOB, in_chunks(content), {})).size_bytes == len(content)


async def test_a_file_in_the_place_of_the_folder_is_told_with_the_variable(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    store = OutputStore(open_target(str(tmp_path / "taken" / "below")))
    with pytest.raises(OutputError, match="DARKROOM_OUTPUT_DIR"):
        await store.check()


async def test_a_folder_that_cannot_be_made_is_not_said_to_have_lost_the_image() -> None:
    store = OutputStore(open_target("/proc/darkroom"))  # where nobody can make a folder, not even root
    with pytest.raises(OutputError, match="'/proc/darkroom' cannot be used .*DARKROOM_OUTPUT_DIR"):
        await store.check()


async def test_a_check_makes_the_folder_and_leaves_nothing_in_it(store: OutputStore, folder: Path) -> None:
    await store.check()
    assert names_in(folder) == []


@pytest.mark.parametrize("has_reservation", [False, True])
async def test_a_file_system_without_hard_links_is_served_too(
    store: OutputStore, folder: Path, monkeypatch: pytest.MonkeyPatch, has_reservation: bool
) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    if has_reservation:
        make(folder)
        (folder / f"{NAME}.png").touch()
    await store.bring_home(JOB, in_chunks(picture()), {})
    file = await store.bring_home(JOB, in_chunks(picture()), {})
    assert bytes_at(file.location) == picture()
    other = await store.bring_home(JOB, in_chunks(picture(color=(0, 0, 0))), {})
    assert other.location != file.location
    assert len(names_in(folder)) == 4


async def test_only_old_leftovers_of_crashed_processes_are_swept(store: OutputStore, folder: Path) -> None:
    make(folder)
    for name in (".darkroom-old.part", ".darkroom-new.part", "old.part"):
        (folder / name).touch()
    two_days_ago = time.time() - 2 * 24 * 3600
    for name in (".darkroom-old.part", "old.part"):
        os.utime(folder / name, (two_days_ago, two_days_ago))
    await store.check()
    assert names_in(folder) == [".darkroom-new.part", "old.part"]


async def test_a_stored_picture_can_be_read_back(store: OutputStore) -> None:
    file = await store.bring_home(JOB, in_chunks(picture()), {})
    assert await store.read(file.location) == picture()
    with pytest.raises(OutputError, match="larger than 10 bytes"):
        await store.read(file.location, limit_bytes=10)


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "{folder}/../secret", "{folder}", "{folder}/..", "secret", "{folder}/a\0b"]
)
async def test_nothing_outside_the_folder_is_read(store: OutputStore, folder: Path, location: str) -> None:
    make(folder)
    (folder.parent / "secret").write_text("secret")
    with pytest.raises(OutputError, match="does not lie in the output folder"):
        await store.read(location.replace("{folder}", str(folder)))


async def test_links_fifos_folders_and_missing_files_are_not_read(store: OutputStore, folder: Path) -> None:
    make(folder)
    (folder / "link.png").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo.png")
    (folder / "folder.png").mkdir()
    for name in ("link.png", "fifo.png", "missing.png", "folder.png"):
        with anyio.fail_after(5), pytest.raises(OutputError):
            await store.read(str(folder / name))


def test_an_empty_setting_is_a_folder_in_the_pictures_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_PICTURES_DIR", str(tmp_path / "Bilder"))
    target = open_target("")
    assert isinstance(target, LocalTarget)
    assert target.root.name == "darkroom"
    assert not target.root.exists()


def test_a_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert open_target("~/out").place == str(tmp_path / "out")


@pytest.mark.parametrize("spec", ["ftp://host/dir", "file:///tmp/x", "http://bucket", "~nobody-of-this-name/x"])
def test_a_setting_that_is_no_folder_is_refused_by_name(spec: str) -> None:
    with pytest.raises(SettingsError, match="DARKROOM_OUTPUT_DIR"):
        open_target(spec)


@given(prompt=st.text(max_size=300), prediction_id=st.text(max_size=70), index=st.integers(0, 99))
def test_any_prompt_gives_a_short_safe_name_directly_in_the_folder(prompt: str, prediction_id: str, index: int) -> None:
    name = picture_stem(prompt, prediction_id, index) + ".png"
    target = LocalTarget(Path("/pictures"))
    assert target.name_at(target.location(name)) == name
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.")
    assert name[0].isalnum()
    assert len(name) <= 40 + 1 + 12 + 1 + 3 + 4


@pytest.mark.parametrize(
    ("prompt", "stem"),
    [
        ("Füße über Ähren", "fue-uber-ahren-12345678-1"),
        ("夜明けの灯台", "image-12345678-1"),
        ("CON", "con-12345678-1"),
        ("../../etc/passwd", "etc-passwd-12345678-1"),
        ("one two three four five six seven eight nine ten", "one-two-three-four-five-six-seven-eight-12345678-1"),
        ("x" * 60, "x" * 40 + "-12345678-1"),
    ],
)
def test_a_name_is_made_of_the_words_of_the_prompt(prompt: str, stem: str) -> None:
    assert picture_stem(prompt, "12345678", 0) == stem
