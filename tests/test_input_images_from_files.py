"""Pictures named by path: only from allowed folders, never through a link, and only what really is a picture."""

import base64
import os
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import anyio
import pytest
import systems
from hypothesis import given
from hypothesis import strategies as st
from pictures import picture

from darkroom.errors import InvalidInput
from darkroom.images import StoredFile, StoredImage
from darkroom.outputs.inputs import InputResolver
from darkroom.outputs.local_files import read_local
from darkroom.registry import MappedInput

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("kept_decoders")]

CONTENT = picture(color=(11, 22, 33))
SECRET = picture(color=(99, 98, 97))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with allowed pictures and a secret one beside them."""
    home = tmp_path / "home"
    (home / "Pictures" / "2026").mkdir(parents=True)
    (home / "Pictures" / "a b.png").write_bytes(CONTENT)
    (home / "Pictures" / "2026" / "deep.png").write_bytes(CONTENT)
    (home / "secret").mkdir()
    (home / "secret" / "secret.png").write_bytes(SECRET)
    monkeypatch.setenv("HOME", str(home))
    return home


def read(reference: str, *folders: Path, limit_bytes: int = 2**20) -> bytes:
    return read_local(reference, folders, field="images", label="images[0]", limit_bytes=limit_bytes)


def refusal(reference: str, *folders: Path) -> str:
    with pytest.raises(InvalidInput) as caught:
        read(reference, *folders)
    assert len(caught.value.message) <= 300
    assert caught.value.message.isprintable()
    return caught.value.message


@pytest.mark.parametrize(
    "reference",
    [
        "{home}/Pictures/a b.png",
        "~/Pictures/a b.png",
        "{home}/Pictures/./a b.png",
        "file://{home}/Pictures/a%20b.png",
        "file://localhost{home}/Pictures/a%20b.png",
        "FILE:{home}/Pictures/a b.png",
        "{home}/Pictures/2026/deep.png",
    ],
)
def test_an_image_in_an_allowed_folder_is_read(home: Path, reference: str) -> None:
    assert read(reference.replace("{home}", str(home)), home / "Pictures") == CONTENT


@systems.links
def test_an_allowed_folder_may_itself_be_behind_a_link(home: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").symlink_to(home / "Pictures")
    assert read(str(tmp_path / "linked" / "a b.png"), tmp_path / "linked") == CONTENT
    assert read(str(home / "Pictures" / "a b.png"), tmp_path / "linked") == CONTENT


OUTSIDE = [
    "/etc/passwd",
    "/proc/self/environ",
    "/proc/self/root{home}/Pictures/a b.png",
    "{home}/secret/secret.png",
    "~/secret/secret.png",
    "{home}/Pictures/../secret/secret.png",
    "{home}/Pictures/2026/../../secret/secret.png",
    "file://{home}/Pictures/%2e%2e/secret/secret.png",
    "{home}/PicturesX/a.png",
    "/",
]


@pytest.mark.parametrize("reference", OUTSIDE)
def test_a_path_outside_is_refused_with_the_allowed_folders(home: Path, reference: str) -> None:
    message = refusal(reference.replace("{home}", str(home)), home / "Pictures")
    assert "files are only read from ~/Pictures" in message
    assert "copy" not in message  # nobody is to carry a secret into the folder
    assert "DARKROOM_INPUT_DIRS" in message


@pytest.mark.parametrize("reference", ["{home}/Pictures", "{home}/Pictures/", "~/Pictures", "{home}/Pictures/holiday"])
def test_a_folder_is_called_a_folder(home: Path, reference: str) -> None:
    (home / "Pictures" / "holiday").mkdir()
    message = refusal(reference.replace("{home}", str(home)), home / "Pictures")
    assert "this is a folder" in message and "only read from" not in message


def test_a_refusal_does_not_tell_if_a_file_outside_exists(home: Path) -> None:
    there = refusal(str(home / "secret" / "secret.png"), home / "Pictures")
    missing = refusal(str(home / "secret" / "nothere.png"), home / "Pictures")
    assert there.partition("': ")[2] == missing.partition("': ")[2]


@pytest.mark.parametrize(
    ("reference", "words"),
    [
        ("a.png", "give the whole path"),
        ("./a.png", "give the whole path"),
        ("~root/a.png", "give the whole path"),
        ("", "give the whole path"),
        ("{home}/Pictures/a\0.png", "NUL"),
        ("file://{home}/Pictures/a%00.png", "NUL"),
        ("file://server/share/a.png", "another machine"),
        ("\\\\server\\share\\a.png", "network shares"),
        ("//server/share/a.png", "network shares"),
        ("\\\\?\\C:\\a.png", "network shares"),
        ("C:\\Users\\a.png", "drive letters"),
        ("file:///C:/Users/a.png", "drive letters"),
        ("{home}/Pictures/\ud800.png", "cannot be opened"),
        ("{home}/Pictures/missing.png", "cannot be opened"),
        ("{home}/Pictures/a b.png/x", "cannot be opened"),
        ("{home}/Pictures/2026", "this is a folder"),
    ],
)
def test_odd_paths_are_refused_in_words(home: Path, reference: str, words: str) -> None:
    assert words in refusal(reference.replace("{home}", str(home)), home / "Pictures")


def test_without_allowed_folders_no_path_is_read(home: Path) -> None:
    assert "not read here" in refusal(str(home / "Pictures" / "a b.png"))


@systems.links
@pytest.mark.parametrize("target", ["../secret/secret.png", "/etc/passwd", "a b.png", "/proc/self/environ"])
def test_a_link_to_a_file_is_not_followed(home: Path, target: str) -> None:
    (home / "Pictures" / "link.png").symlink_to(target)
    assert "links are not followed" in refusal(str(home / "Pictures" / "link.png"), home / "Pictures")


@systems.links
def test_a_linked_folder_on_the_way_is_not_followed(home: Path) -> None:
    (home / "Pictures" / "sub").symlink_to(home / "secret")
    assert "links are not followed" in refusal(str(home / "Pictures" / "sub" / "secret.png"), home / "Pictures")


@systems.posix_files
def test_a_fifo_is_refused_at_once(home: Path) -> None:
    os.mkfifo(home / "Pictures" / "fifo.png")
    assert "not a regular file" in refusal(str(home / "Pictures" / "fifo.png"), home / "Pictures")


@systems.posix_files
def test_a_device_is_refused() -> None:
    assert "not a regular file" in refusal("/dev/zero", Path("/dev"))


def test_a_file_beyond_the_limit_is_refused(home: Path) -> None:
    (home / "Pictures" / "big.png").write_bytes(CONTENT + b"\0" * 2**20)
    assert "larger than 1 MiB" in refusal(str(home / "Pictures" / "big.png"), home / "Pictures")


def test_a_folder_that_is_swapped_for_a_link_meanwhile_never_leads_outside(home: Path) -> None:
    path, outcomes = home / "Pictures" / "2026" / "deep.png", set[bytes]()
    (home / "secret" / "deep.png").write_bytes(SECRET)
    with swapping(home / "Pictures" / "2026", home / "secret"):
        for _ in range(3000):
            try:
                outcomes.add(read(str(path), home / "Pictures"))
            except InvalidInput:
                outcomes.add(b"refused")
    assert SECRET not in outcomes
    assert outcomes <= {CONTENT, b"refused"}


@given(st.text(max_size=80))
def test_no_text_leads_outside(reference: str) -> None:
    try:
        read(reference, Path("/nonexistent-folder-of-this-test"))
    except InvalidInput:
        return
    raise AssertionError("something was read")


@pytest.mark.parametrize("name", ["passwd", "page.png"])
async def test_only_images_by_content_are_sent_from_an_allowed_folder(home: Path, name: str) -> None:
    contents = {"passwd": b"root:x:0:0:root\n", "page.png": b"<html>"}
    (home / "Pictures" / name).write_bytes(contents[name])
    with pytest.raises(InvalidInput, match="not an image that can be sent"):
        await resolve(str(home / "Pictures" / name), home / "Pictures")


async def test_an_image_from_a_file_is_sent_inside_the_request(home: Path) -> None:
    value = await resolve("~/Pictures/a b.png", home / "Pictures")
    assert base64.b64decode(value.removeprefix("data:image/png;base64,")) == CONTENT


async def resolve(reference: str, folder: Path) -> str:
    async def nothing(file: StoredFile) -> bytes:
        raise AssertionError(file)

    async def unknown(prediction_id: str, index: int) -> StoredImage | None:
        return None

    resolver = InputResolver(read=nothing, lookup=unknown, folders=(folder,))
    with anyio.fail_after(30):
        result = await resolver.resolve(MappedInput(input={"image": reference}, file_fields=("image",)))
    return str(result.input["image"])


@contextmanager
def swapping(folder: Path, other: Path) -> Generator[None]:
    """Exchange the folder for a link to another one and back, as fast as possible."""
    is_over = threading.Event()
    aside = folder.with_name("aside")

    def swap() -> None:
        while not is_over.is_set():
            folder.rename(aside)
            folder.symlink_to(other)
            folder.unlink()
            aside.rename(folder)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
