"""Windows and macOS from here: names, paths and encodings that only they know, and what must hold for a clone there."""

import json
import ntpath
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import systems
from command_line import CommandLine
from pictures import in_chunks, picture

from darkroom.errors import InvalidInput
from darkroom.file_systems import extended, is_device, trouble_on_windows
from darkroom.outputs import ImageName, OutputStore, local, local_files, open_target
from darkroom.outputs.naming import MAX_NAME_BYTES, file_words
from darkroom.uris import is_url, scheme_of

ROOT = Path(__file__).resolve().parent.parent
LONGEST_CHECKOUT = 160  # with a folder of a hundred characters before it Windows still opens it


@pytest.mark.parametrize(
    "name", ["con", "NUL", "Con.png", "aux.tar.gz", "com1", "LPT9.txt", "nul ", "com¹.png", "prn:x"]
)
def test_a_device_of_windows_is_known_by_its_name(name: str) -> None:
    assert is_device(name) and trouble_on_windows(f"C:\\Pictures\\{name}")


@pytest.mark.parametrize(
    "name", ["console", "null.png", "com", "com10", "auxiliary.con", "a con", "lpt.png", "fox.nul"]
)
def test_what_only_looks_like_a_device_is_none(name: str) -> None:
    assert not is_device(name) and not trouble_on_windows(f"C:\\Pictures\\{name}")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("C:\\Users\\ada\\fox.png", ""),
        ("\\\\server\\share\\fox {index}.png", ""),
        ("C:\\Users\\ada\\..\\fox.png", ""),
        ("C:\\Users\\ada\\fox.png:stream", "'fox.png:stream' holds"),
        ("C:\\what?\\fox.png", "'what?' holds"),
        ("C:\\fox.", "ends with a blank or a dot"),
        ("C:\\fox \\a.png", "ends with a blank or a dot"),
        ("C:/aux/fox.png", "'aux' is the name of a device"),
    ],
)
def test_a_name_that_windows_cannot_write_is_told_with_its_reason(path: str, said: str) -> None:
    told = trouble_on_windows(path)
    assert (said in told) if said else not told


@pytest.mark.parametrize("prompt", ["con", "NUL", "Aux.", "com1", "LPT9", "..", " . ", "con:", "a" * 400, "狐" * 200])
@pytest.mark.parametrize("model", ["acme/aux.1", "acme/con", "", "acme/fox."])
def test_no_prompt_and_no_model_gives_a_name_that_windows_has_for_itself(prompt: str, model: str) -> None:
    for prediction_id in ("con", "AUX", "p1"):
        name = ImageName(prediction_id=prediction_id, index=0, prompt=prompt, model=model).with_ending(".png")
        assert not trouble_on_windows(f"C:\\{name}")
        assert len(name.encode()) <= MAX_NAME_BYTES + len("image-")
    words = file_words(prompt) or "image"
    assert not trouble_on_windows(f"C:\\{words}.png") and not trouble_on_windows(f"C:\\{words}")


@pytest.mark.parametrize(
    ("path", "whole"),
    [
        ("C:\\Pictures\\fox.png", "\\\\?\\C:\\Pictures\\fox.png"),
        ("C:/Pictures/../fox.png", "\\\\?\\C:\\fox.png"),
        ("\\\\server\\share\\fox.png", "\\\\?\\UNC\\server\\share\\fox.png"),
        ("\\\\?\\C:\\fox.png", "\\\\?\\C:\\fox.png"),
    ],
)
def test_a_path_may_be_longer_than_windows_takes_by_itself(path: str, whole: str) -> None:
    assert extended(path, "nt") == whole and ntpath.isabs(whole)
    assert extended("/home/ada/../fox.png", "posix") == "/home/ada/../fox.png"


def test_a_drive_is_no_scheme_and_a_share_no_address() -> None:
    for path in ("C:\\fox.png", "c:/fox.png", "\\\\server\\share\\fox.png"):
        assert not is_url(path) and not scheme_of(path)
    assert is_url("file:///C:/Users/ada/fox.png")


def test_a_clone_has_no_two_files_that_differ_in_case_and_no_name_that_windows_refuses() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone")
    names = [name.decode() for name in listed.stdout.split(b"\0") if name]
    assert [name for name, times in Counter(map(str.lower, names)).items() if times > 1] == []
    assert [name for name in names if trouble_on_windows(name) or len(name) > LONGEST_CHECKOUT] == []


def test_a_prompt_that_is_a_device_gets_a_name_that_every_system_takes(tmp_path: Path) -> None:
    line = CommandLine(tmp_path)
    done = line.run("generate", "-", "-o", f"{tmp_path}{os.sep}{{prompt}}.png", stdin=b"con\nNUL\n")
    assert done.returncode == 0, done.stderr
    assert [Path(path).name for path in done.stdout.splitlines()] == ["image-con.png", "image-nul.png"]


@systems.posix_names
@pytest.mark.parametrize(
    ("image", "said"),
    [
        ("C:\\Users\\ada\\fox.png", "there is no such file"),
        ("file:///C:/Users/ada/fox.png", "drive letters"),
        ("\\\\server\\share\\fox.png", "there is no such file"),
        ("file://server/share/fox.png", "another machine"),
        ("~/no such fox.png", "there is no such file"),
    ],
)
def test_an_image_by_a_path_of_another_system_is_refused_in_words(tmp_path: Path, image: str, said: str) -> None:
    done = CommandLine(tmp_path).run("generate", "a fox", "--image", image)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr, done.stderr


def test_a_file_that_the_person_names_by_its_uri_is_read_like_one_named_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "a fox.png").write_bytes(picture(size=(512, 512)))
    uri = (tmp_path / "a fox.png").as_uri()
    done = CommandLine(tmp_path).run("generate", "at night", "--image", uri, "--dry-run")
    assert done.returncode == 0 and "Dry run" in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("encoding", ["cp1252", "cp437", "ascii"])
def test_json_is_json_in_any_encoding_of_the_terminal(tmp_path: Path, encoding: str) -> None:
    line = CommandLine(tmp_path)
    (tmp_path / "Füchse.txt").write_bytes("ein Fuchs in Łódź\n狐狸 für ü\n".encode())
    done = subprocess.run(
        line.command(("generate", "@Füchse.txt", "--dry-run", "--json")),
        env=line.environ | {"PYTHONIOENCODING": encoding},
        cwd=tmp_path,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        check=False,
    )
    lines = json.loads(done.stdout.decode(encoding))["lines"]
    assert [each["inputs"][0]["prompt"] for each in lines] == ["ein Fuchs in Łódź", "狐狸 für ü"]
    assert lines[0]["line"] == "Füchse.txt, line 1"


@pytest.fixture
def no_folder_fds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are opened by their whole paths, as on Windows."""
    for module in (local, local_files):
        monkeypatch.setattr(module, "HAS_FOLDER_FDS", False)


@pytest.mark.anyio
@pytest.mark.usefixtures("no_folder_fds")
async def test_images_are_saved_whole_and_none_is_overwritten_without_open_folders(tmp_path: Path) -> None:
    store = OutputStore(open_target(str(tmp_path / "pictures")))
    name = ImageName(prediction_id="p1", index=0, prompt="a fox", model="acme/paint")
    contents = [picture(color=(1, 2, 3)), picture(color=(9, 8, 7)), picture(color=(1, 2, 3))]
    files = [(await store.save(name, in_chunks(content))).file for content in contents]
    assert files[0] == files[2] and files[0].location != files[1].location
    assert [await store.read(file) for file in files] == contents
    assert sorted(path.suffix for path in (tmp_path / "pictures").iterdir()) == [".png", ".png"]


@systems.links
@pytest.mark.usefixtures("no_folder_fds")
def test_no_link_is_followed_without_open_folders(tmp_path: Path) -> None:
    allowed, secret = tmp_path / "allowed", tmp_path / "secret"
    allowed.mkdir()
    secret.mkdir()
    for folder in (allowed, secret):
        (folder / "fox.png").write_bytes(picture())
    (allowed / "link.png").symlink_to(secret / "fox.png")
    (allowed / "inner").symlink_to(secret)

    def read(path: Path) -> bytes:
        return local_files.read_local(str(path), (allowed,), field="images", label="images[0]", limit_bytes=2**20)

    assert read(allowed / "fox.png") == picture()
    for path in (allowed / "link.png", allowed / "inner" / "fox.png"):
        with pytest.raises(InvalidInput, match="links are not followed"):
            read(path)


def test_on_windows_nothing_stands_before_stdin_and_the_decoder_has_no_limits_to_set() -> None:
    script = (
        "import sys; from darkroom.decoder.program import limit_resources; sys.platform = 'win32'\n"
        "from darkroom_server.hangup import Hangup\n"
        "hangup = Hangup(); hangup.watch(); limit_resources()\n"
        "print(hangup.exit_code, hangup.has_begun.is_set(), 'resource' in sys.modules, sys.stdin.read())"
    )
    done = subprocess.run([sys.executable, "-c", script], input="heard", capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "False", "False", "heard"]
