"""Saving images in a folder of this machine."""

import hashlib
import json
import os
import sys
import time
import unicodedata
from collections.abc import AsyncIterator
from pathlib import Path

import anyio
import pytest
import systems
from hypothesis import given
from hypothesis import strategies as st
from pictures import SVG, bomb, in_chunks, noise, picture

from darkroom.errors import OutputError, OutputExpired, SettingsError
from darkroom.images import MAX_IMAGE_BYTES, StoredFile
from darkroom.outputs import ImageName, OutputStore, OutputStores, Saved, open_target
from darkroom.outputs.local import LocalTarget
from darkroom.outputs.naming import MAX_NAME_BYTES
from darkroom.predictions import ID_PATTERN

pytestmark = pytest.mark.anyio

ID = "rrr4z55ocneqzikepnug6xezpe"
IMAGE = ImageName(prediction_id=ID, index=0, prompt="A lighthouse at dawn", model="black-forest-labs/flux-schnell")
NAME = f"a-lighthouse-at-dawn-flux-schnell-{ID}-1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pictures" / "darkroom"


@pytest.fixture
def store(folder: Path) -> OutputStore:
    return OutputStore(open_target(str(folder)))


async def saved(store: OutputStore, content: bytes, image: ImageName = IMAGE) -> StoredFile:
    """The whole image and its sidecar."""
    made = await store.save(image, in_chunks(content))
    assert made.is_whole
    await store.write_sidecar(made.file, {})
    return made.file


def file_at(location: str) -> StoredFile:
    return StoredFile(location=location, mime_type="image/png", width_px=1, height_px=1, size_bytes=1, sha256="")


def make(folder: Path) -> None:
    folder.mkdir(parents=True)


def bytes_at(location: str) -> bytes:
    return Path(location).read_bytes()


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


async def test_an_image_is_saved_under_a_readable_name_with_its_facts(store: OutputStore, folder: Path) -> None:
    content = picture(size=(64, 48))
    file = await saved(store, content)
    assert file.location == str(folder / f"{NAME}.png")
    assert (file.mime_type, file.width_px, file.height_px, file.size_bytes) == ("image/png", 64, 48, len(content))
    assert file.sha256 == hashlib.sha256(content).hexdigest()
    assert bytes_at(file.location) == content


async def test_the_sidecar_holds_what_the_caller_says_and_the_facts_of_the_file(
    store: OutputStore, folder: Path
) -> None:
    file = (await store.save(IMAGE, in_chunks(picture()))).file
    await store.write_sidecar(file, {"prompt": "Ein Löwe \ud800", "seed": 7})
    sidecar = json.loads((folder / f"{NAME}.json").read_text("utf-8"))
    assert (sidecar["prompt"], sidecar["seed"]) == ("Ein Löwe ?", 7)
    assert sidecar["file"]["name"] == f"{NAME}.png"
    assert sidecar["file"]["sha256"] == file.sha256


async def test_saving_the_same_image_twice_gives_one_file(store: OutputStore, folder: Path) -> None:
    first = await saved(store, picture())
    second = await saved(store, picture())
    assert first == second
    assert names_in(folder) == [f"{NAME}.json", f"{NAME}.png"]


async def test_many_at_once_save_the_same_image_as_one_file(folder: Path) -> None:
    content = noise()

    async def save() -> None:
        await saved(OutputStore(LocalTarget(folder)), content)

    async with anyio.create_task_group() as tasks:
        for _ in range(8):
            tasks.start_soon(save)
    assert names_in(folder) == [f"{NAME}.json", f"{NAME}.png"]


async def test_another_image_of_the_same_name_is_kept_beside_it(store: OutputStore, folder: Path) -> None:
    first = await saved(store, picture(color=(1, 2, 3)))
    second = await saved(store, picture(color=(9, 8, 7)))
    assert second.location == str(folder / f"{NAME}-{second.sha256[:8]}.png")
    assert bytes_at(first.location) == picture(color=(1, 2, 3))
    assert json.loads((folder / f"{NAME}-{second.sha256[:8]}.json").read_text())["file"]["sha256"] == second.sha256


async def test_a_sidecar_of_somebody_else_is_not_overwritten(store: OutputStore, folder: Path) -> None:
    make(folder)
    (folder / f"{NAME}.json").write_text("mine")
    await saved(store, picture())
    file = await saved(store, picture())
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
        await saved(store, content)
    assert words in caught.value.message
    assert len(caught.value.message) <= 300
    assert names_in(folder) == []


async def test_the_type_is_told_by_the_content_even_where_it_is_two_things(store: OutputStore) -> None:
    file = await saved(store, picture("GIF") + b"<html><script>alert(1)</script>")
    assert file.mime_type == "image/gif"
    assert file.location.endswith(".gif")


async def test_an_svg_is_stored_with_the_size_of_its_view(store: OutputStore) -> None:
    file = await saved(store, SVG)
    assert (file.mime_type, file.width_px, file.height_px) == ("image/svg+xml", 120, 80)


async def test_an_image_of_too_many_pixels_is_stored_all_the_same(store: OutputStore) -> None:
    file = await saved(store, bomb(16_000, 11_000))
    assert (file.width_px, file.height_px) == (16_000, 11_000)


async def test_what_cannot_become_an_image_is_refused_before_it_has_all_come(store: OutputStore) -> None:
    taken = 0

    async def endless(beginning: bytes) -> AsyncIterator[bytes]:
        nonlocal taken
        yield beginning
        while True:
            taken += 1
            yield b" " * 1000

    for beginning in (
        b"<!doctype html><title>Please wait</title>",
        b'{"detail": "expired"}',
        b"Not found",
        b"PK\x03\x04",
    ):
        with pytest.raises(OutputError) as caught:
            await store.save(IMAGE, endless(beginning))
        assert not caught.value.can_retry
    assert taken == 0
    with pytest.raises(OutputError, match="XML"):
        await store.save(IMAGE, endless(b"<rss>"))
    assert taken < 200


@pytest.mark.parametrize("beginning", [b"", b"\x89", b"RIFF", b"\0\0\0 ftyp", b"<?xml version='1.0'?><!-- an SVG "])
async def test_a_stream_that_ends_before_its_kind_can_be_told_is_worth_another_try(
    store: OutputStore, folder: Path, beginning: bytes
) -> None:
    with pytest.raises(OutputError) as caught:
        await store.save(IMAGE, in_chunks(beginning))
    assert caught.value.can_retry
    assert names_in(folder) == []


@pytest.mark.parametrize("content", [noise("PNG"), noise("JPEG"), noise("WEBP"), noise("AVIF"), picture("GIF"), SVG])
async def test_an_image_without_its_end_is_kept_until_more_of_it_comes(
    store: OutputStore, folder: Path, content: bytes
) -> None:
    for size in (len(content) // 2, len(content) - 3, len(content) // 3):
        made = await store.save(IMAGE, in_chunks(content[:size]))
        assert not made.is_whole
    kept = await store.found(IMAGE)
    assert kept and not kept.is_whole
    assert bytes_at(kept.file.location) == content[:-3], "the longest that came"
    assert names_in(folder) == [Path(kept.file.location).name]
    file = await saved(store, content)
    assert await store.found(IMAGE) == Saved(file, True)
    assert len(names_in(folder)) == 2
    assert await store.save(IMAGE, in_chunks(content[:-3])) == Saved(file, True), "a whole image is never replaced"


async def test_a_stream_that_breaks_off_passes_its_error_on_and_leaves_nothing(
    store: OutputStore, folder: Path
) -> None:
    async def breaking() -> AsyncIterator[bytes]:
        yield picture()[:50]
        raise OutputExpired("The link died.")

    with pytest.raises(OutputExpired):
        await store.save(IMAGE, breaking())
    assert names_in(folder) == []


async def test_a_cancelled_stream_leaves_nothing(store: OutputStore, folder: Path) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield picture()
        scope.cancel()
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await store.save(IMAGE, stalling())
    assert names_in(folder) == []


@systems.links
async def test_a_link_with_the_name_of_an_image_is_neither_followed_nor_replaced(
    store: OutputStore, folder: Path, tmp_path: Path
) -> None:
    make(folder)
    victim = tmp_path / "victim"
    victim.write_bytes(b"untouched")
    (folder / f"{NAME}.png").symlink_to(victim)
    file = await saved(store, picture())
    assert file.location == str(folder / f"{NAME}-{file.sha256[:8]}.png")
    assert victim.read_bytes() == b"untouched"


@systems.posix_files
async def test_a_full_disk_is_told_in_words_and_leaves_nothing(store: OutputStore, folder: Path) -> None:
    content = noise(size=(1200, 1200))
    with (
        systems.largest_file(2_000_000),
        pytest.raises(OutputError, match="No space is left .* free space there") as caught,
    ):
        await saved(store, content)
    assert caught.value.can_retry
    assert names_in(folder) == []
    assert (await saved(store, content)).size_bytes == len(content)


async def test_a_disk_without_room_for_what_is_expected_is_told_before(store: OutputStore, folder: Path) -> None:
    await store.check()
    with pytest.raises(OutputError, match="No space is left") as caught:
        await store.check(expected_bytes=2**60)
    assert caught.value.can_retry
    assert names_in(folder) == []


async def test_a_good_check_holds_for_a_moment_and_a_bad_one_does_not(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    store = OutputStore(open_target(str(tmp_path / "taken")))
    with pytest.raises(OutputError):
        await store.check()
    (tmp_path / "taken").unlink()
    await store.check()
    (tmp_path / "taken").rmdir()
    await store.check()
    assert not (tmp_path / "taken").exists(), "it was not asked again"


@systems.not_root
async def test_a_folder_that_may_not_be_written_is_told_before(store: OutputStore, folder: Path) -> None:
    make(folder)
    folder.chmod(0o500)
    with pytest.raises(OutputError, match="cannot be used"):
        await store.check()


async def test_a_folder_that_vanishes_is_made_again(store: OutputStore, folder: Path) -> None:
    await saved(store, picture())
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    assert bytes_at((await saved(store, picture())).location) == picture()


async def test_a_sidecar_is_for_its_owner_alone_and_an_image_for_everybody(store: OutputStore, folder: Path) -> None:
    before = os.umask(0)
    try:
        await saved(store, picture())
    finally:
        os.umask(before)
    assert (folder / f"{NAME}.png").stat().st_mode & 0o777 == 0o644
    assert (folder / f"{NAME}.json").stat().st_mode & 0o777 == 0o600


async def test_a_umask_is_kept(store: OutputStore, folder: Path) -> None:
    before = os.umask(0o077)
    try:
        await saved(store, picture())
    finally:
        os.umask(before)
    assert (folder / f"{NAME}.png").stat().st_mode & 0o777 == 0o600


async def test_a_file_in_the_place_of_the_folder_is_told_with_the_variable(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    store = OutputStore(open_target(str(tmp_path / "taken" / "below")))
    with pytest.raises(OutputError, match="DARKROOM_OUTPUT_DIR"):
        await store.check()


@systems.posix_names
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
    await saved(store, picture())
    file = await saved(store, picture())
    assert bytes_at(file.location) == picture()
    other = await saved(store, picture(color=(0, 0, 0)))
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


async def test_a_saved_image_can_be_read_back(store: OutputStore) -> None:
    assert await store.read(await saved(store, picture())) == picture()


async def test_a_file_that_no_image_is_as_large_as_is_not_read(store: OutputStore, folder: Path) -> None:
    make(folder)
    with (folder / "large.png").open("wb") as large:
        large.truncate(MAX_IMAGE_BYTES + 1)
    with pytest.raises(OutputError, match="larger than 64 MiB"):
        await store.read(file_at(str(folder / "large.png")))


@pytest.mark.parametrize(
    "location", ["/etc/passwd", "{folder}/../secret", "{folder}", "{folder}/..", "secret", "{folder}/a\0b"]
)
async def test_nothing_outside_the_folder_is_read(store: OutputStore, folder: Path, location: str) -> None:
    make(folder)
    (folder.parent / "secret").write_text("secret")
    with pytest.raises(OutputError, match="does not lie in the output folder"):
        await store.read(file_at(location.replace("{folder}", str(folder))))


@systems.posix_files
async def test_links_fifos_folders_and_missing_files_are_not_read(store: OutputStore, folder: Path) -> None:
    make(folder)
    (folder / "link.png").symlink_to("/etc/passwd")
    os.mkfifo(folder / "fifo.png")
    (folder / "folder.png").mkdir()
    for name in ("link.png", "fifo.png", "missing.png", "folder.png"):
        with anyio.fail_after(5), pytest.raises(OutputError):
            await store.read(file_at(str(folder / name)))


def test_an_empty_setting_is_a_folder_in_the_images_of_the_user(
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


@given(
    prompt=st.text(max_size=300),
    prediction_id=st.from_regex(ID_PATTERN, fullmatch=True),
    index=st.integers(0, 99),
    model=st.text(max_size=80),
    ending=st.sampled_from([".png", ".json", ".damaged.avif", "-0123456789abcdef.jpg"]),
)
def test_any_prompt_gives_a_short_safe_name_directly_in_the_folder(
    prompt: str, prediction_id: str, index: int, model: str, ending: str
) -> None:
    image = ImageName(prediction_id=prediction_id, index=index, prompt=prompt, model=model)
    name = image.with_ending(ending)
    target = LocalTarget(Path("/pictures"))
    assert target.name_at(target.location(name)) == name
    assert name.endswith(f"{prediction_id}-{index + 1}{ending}")
    assert len(name.encode()) <= MAX_NAME_BYTES
    assert name == unicodedata.normalize("NFC", name)
    assert name[0].isalnum()
    odd = {character for character in name if unicodedata.category(character)[0] not in "LNM"}
    assert odd <= set("-_.")


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("Füße über Ähren", "füße-über-ähren-"),
        ("夜明けの灯台", "夜明けの灯台-"),
        ("नमस्ते दुनिया", "नमस्ते-दुनिया-"),
        ("مرحبا بالعالم", "مرحبا-بالعالم-"),
        ("Cafe\u0301", "caf\u00e9-"),
        ("\u202eevil\u202c gnp.exe \u200b\u3164", "evil-gnp-exe-"),
        ("🦊", ""),
        ("", ""),
        ("CON", "con-"),
        ("../../etc/passwd", "etc-passwd-"),
        (
            "one two three four five six seven eight nine ten eleven twelve",
            "one-two-three-four-five-six-seven-eight-nine-ten-eleven-",
        ),
        ("x" * 90, "x" * 60 + "-"),
        ("夜" * 90, "夜" * 20 + "-"),
        ("a\u0323\u0308" * 90, "a\u0323\u0308" * 12 + "-"),
    ],
)
def test_a_name_is_made_of_the_words_of_the_prompt_in_any_script(prompt: str, words: str) -> None:
    image = ImageName(prediction_id="12345678", index=0, prompt=prompt, model="owner/flux-1.1-pro:5c7d5dc6")
    name = unicodedata.normalize("NFC", f"{words}flux-1.1-pro-12345678-1.png")
    assert image.with_ending(".png") == name


async def test_an_image_is_found_again_under_another_name_of_the_same_prediction(
    store: OutputStore, folder: Path
) -> None:
    adopted = ImageName(prediction_id=ID, index=0)
    first = await saved(store, picture())
    assert await saved(store, picture(), adopted) == first
    other = await saved(store, picture(color=(1, 2, 3)), adopted)
    assert Path(other.location).name == f"image-{ID}-1.png"
    assert await saved(store, picture(color=(1, 2, 3))) == other
    second = ImageName(prediction_id=ID, index=10)
    assert Path((await saved(store, picture(), second)).location).name == f"image-{ID}-11.png"
    assert len(names_in(folder)) == 6


async def test_every_place_is_opened_and_an_image_read_from_where_it_lies(tmp_path: Path) -> None:
    stores = OutputStores(str(tmp_path / "here"), tmp_path / "data" / "images")
    other = await saved(stores.at(str(tmp_path / "there")), picture())
    assert Path(other.location).parent == tmp_path / "there"
    assert await stores.read(other) == picture()
    assert stores.at("") is stores.default is stores.at(str(tmp_path / "here"))
    assert (await stores.usable(str(tmp_path / "there")))[0] is stores.at(str(tmp_path / "there"))


async def test_where_a_folder_cannot_be_made_again_the_data_folder_takes_the_image_and_that_is_said(
    tmp_path: Path,
) -> None:
    stores = OutputStores(str(tmp_path / "here"), tmp_path / "data" / "images")
    (tmp_path / "gone").write_text("a file")
    store, words = await stores.usable(str(tmp_path / "gone" / "below"))
    file = await saved(store, picture())
    assert Path(file.location).parent == tmp_path / "data" / "images"
    assert str(tmp_path / "data" / "images") in words and str(tmp_path / "gone") in words
    assert await stores.read(file) == picture()


async def test_a_bucket_that_cannot_be_used_is_left_only_at_the_last_chance(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    stores = OutputStores(str(tmp_path / "here"), tmp_path / "data" / "images")
    store, words = await stores.usable("s3://bucket/prefix", is_last_chance=True)
    assert store.place == str(tmp_path / "data" / "images") and "cloud" in words


@systems.posix_names
async def test_room_is_asked_for_at_the_last_chance(tmp_path: Path) -> None:
    stores = OutputStores("/proc/darkroom", tmp_path / "images")
    assert (await stores.usable("", is_last_chance=True))[0].place == str(tmp_path / "images")
