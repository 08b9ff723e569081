"""Decoder processes are kept between pictures, and lose nothing but a picture that kills them."""

import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from subprocess import DEVNULL

import anyio
import pytest
import systems
from pictures import bomb, noise, opened, picture

import darkroom
from darkroom.decoder.frames import frame, lengths
from darkroom.outputs.decoder_process import DecoderEndedError, DecoderProcess
from darkroom.outputs.decoders import Decoders, decoders
from darkroom.outputs.decoding import Rendered, render_image

pytestmark = [pytest.mark.anyio, systems.processes_in_proc]

LOOK = {"operation": "look", "mime_type": "image/png", "max_pixels": 50_000_000}
SLOW = {"operation": "upright", "mime_type": "image/png", "max_pixels": 50_000_000}
# A process that decodes one picture, says which decoder it keeps, and then stays.
KEEPER = """
import anyio, sys
from darkroom.outputs.decoders import Decoders
async def main():
    pool = Decoders()
    async with pool.kept():
        await pool.ask({"operation": "look", "mime_type": "", "max_pixels": 1}, b"", 30)
        print(*(each._process.pid for each in pool._free), flush=True)
        await anyio.sleep_forever()
anyio.run(main)
"""
ASKED_ONCE = KEEPER.replace("await anyio.sleep_forever()", "pass")


@pytest.fixture(scope="module")
def kept_decoders() -> None:
    """None are kept here, except where a test does so."""


@pytest.fixture
async def pool() -> AsyncGenerator[Decoders]:
    pool = Decoders()
    with anyio.fail_after(60):
        async with pool.kept():
            yield pool


def children(pid: int) -> dict[int, list[str]]:
    """The processes that it has started and that live, with their command lines."""
    found: dict[int, list[str]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            command = (folder / "cmdline").read_text().split("\0")
        except (OSError, ValueError):
            continue
        if parent == str(pid) and state != "Z":
            found[int(folder.name)] = command
    return found


def decoder_pids() -> set[int]:
    """Of the decoders that this process keeps."""
    return {pid for pid, command in children(os.getpid()).items() if any("decoder" in part for part in command)}


async def the_pid() -> int:
    """The one decoder of ours, once there is one."""
    while len(found := decoder_pids()) != 1:
        await anyio.lowlevel.checkpoint()
    return found.pop()


async def waiting_copy(decoder: int) -> int:
    """The copy of it that will read the next request, once there is no other."""
    while True:
        with suppress(OSError, ValueError):
            (pid,) = children(decoder)
            if os.readlink(f"/proc/{pid}/fd/0") != os.devnull:
                return pid
        await anyio.lowlevel.checkpoint()


async def at_work(copy: int) -> None:
    """Wait until it has read its request, and can read no other."""
    while os.readlink(f"/proc/{copy}/fd/0") != os.devnull:
        await anyio.lowlevel.checkpoint()


async def end_of(pid: int) -> None:
    assert sys.platform == "linux"
    descriptor = os.pidfd_open(pid)
    await anyio.to_thread.run_sync(select.select, [descriptor], list[int](), list[int]())
    os.close(descriptor)


async def look(pool: Decoders) -> None:
    about, _ = await pool.ask(LOOK, picture("PNG"), 30)
    assert about["is_transparent"] is False


async def test_one_process_decodes_one_picture_after_the_other(pool: Decoders) -> None:
    await look(pool)
    first = await the_pid()
    await look(pool)
    assert decoder_pids() == {first}


async def test_after_so_many_pictures_another_process_goes_on() -> None:
    pool = Decoders(most_pictures=2)
    seen: list[set[int]] = []
    async with pool.kept():
        for _ in range(5):
            await look(pool)
            seen.append(decoder_pids())
    assert seen[1] == seen[3] == set()
    assert seen[0] != seen[2] != seen[4]
    assert all(len(seen[number]) == 1 for number in (0, 2, 4))


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one core has one process")
async def test_of_two_processes_the_one_is_asked_that_has_rested_for_longer() -> None:
    pool = Decoders(most_pictures=2)
    async with pool.kept():
        await pool.warm(2)
        await look(pool)
        await look(pool)
        assert len(decoder_pids()) == 2, "else one has had both pictures, and has ended"


async def test_an_idle_process_ends_by_itself_and_the_next_picture_gets_another() -> None:
    pool = Decoders(idle_s=0.05)
    with anyio.fail_after(30):
        async with pool.kept():
            await look(pool)
            while decoder_pids():
                await anyio.lowlevel.checkpoint()
            await look(pool)


async def test_an_end_in_the_moment_of_asking_is_no_fault_of_the_picture() -> None:
    process = await DecoderProcess.start(idle_s=0.05)
    await process.ask(LOOK, picture())
    with anyio.fail_after(30):
        while process.is_running:
            await anyio.lowlevel.checkpoint()
    with pytest.raises(DecoderEndedError) as ended:
        await process.ask(LOOK, picture())
    assert ended.value.was_idle
    await process.kill()


@pytest.mark.parametrize("who", ["the copy", "the process"])
async def test_what_dies_of_a_picture_refuses_it_and_the_next_one_works(pool: Decoders, who: str) -> None:
    await look(pool)
    kept = await the_pid()
    copy = await waiting_copy(kept)
    died: list[str] = []

    async def ask() -> None:
        try:
            await pool.ask(SLOW, bomb(7_000, 7_000), 30)
        except DecoderEndedError as error:
            died.append(str(error))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(ask)
        await at_work(copy)
        os.kill(copy if who == "the copy" else kept, signal.SIGKILL)
    # A copy whose process has died may bring its picture to an end.
    assert died == ["killed by a picture"] or who == "the process"
    await look(pool)
    assert await the_pid() != kept


async def test_a_cancel_in_the_middle_of_a_picture_leaves_no_process(pool: Decoders) -> None:
    await look(pool)
    copy = await waiting_copy(await the_pid())
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool.ask, SLOW, bomb(7_000, 7_000), 30)
        await at_work(copy)
        tasks.cancel_scope.cancel()
    with suppress(ProcessLookupError):  # it has ended already
        await end_of(copy)
    assert decoder_pids() == set()
    await look(pool)


async def test_two_at_once_each_get_their_own_answer(pool: Decoders) -> None:
    widths: list[int] = []

    async def ask(width: int) -> None:
        about, _ = await pool.ask(LOOK, picture("PNG", size=(width, 8)), 30)
        assert about["width_px"] == width
        widths.append(width)

    async with anyio.create_task_group() as tasks:
        for width in range(10, 22):
            tasks.start_soon(ask, width)
    assert sorted(widths) == list(range(10, 22))
    assert 1 <= len(decoder_pids()) <= (os.cpu_count() or 1)


async def test_one_is_ready_for_each_picture_that_comes_and_each_core(pool: Decoders) -> None:
    for count in (2, 99):
        await pool.warm(count)
        assert len(decoder_pids()) == min(count, 4, os.cpu_count() or 1)
        await look(pool)


async def test_leaving_ends_every_process() -> None:
    pool = Decoders()
    async with pool.kept():
        async with pool.kept():
            await pool.warm(1)
            await look(pool)
        assert len(decoder_pids()) == 1
    assert decoder_pids() == set()


async def test_nothing_is_kept_where_nobody_wants_that() -> None:
    assert isinstance(await render_image("look", picture()), Rendered)
    assert decoder_pids() == set()


def test_a_killed_server_leaves_no_decoder_behind() -> None:
    assert sys.platform == "linux"
    with subprocess.Popen([sys.executable, "-c", KEEPER], stdout=subprocess.PIPE, text=True) as keeper:
        assert keeper.stdout
        decoder = os.pidfd_open(int(keeper.stdout.readline()))
        keeper.kill()
    ended, _, _ = select.select([decoder], [], [], 30)
    os.close(decoder)
    assert ended


@pytest.mark.parametrize("flags", [[], ["-B"]])
def test_a_decoder_leaves_byte_code_for_the_next_where_python_writes_any(tmp_path: Path, flags: list[str]) -> None:
    copied = tmp_path / "darkroom"
    shutil.copytree(Path(darkroom.__file__).parent, copied, ignore=shutil.ignore_patterns("__pycache__"))
    environ = {**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": ""}
    command = [sys.executable, *flags, "-c", ASKED_ONCE]
    subprocess.run(command, env=environ, cwd=tmp_path, check=True, timeout=60)
    assert len([*copied.glob("decoder/__pycache__/raster.*.pyc")]) == (not flags)


async def test_the_process_has_no_key_and_its_copy_can_open_neither_a_file_nor_a_socket(
    pool: Decoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARKROOM_API_KEY", "canary")
    await look(pool)
    kept, limits = await the_pid(), ""
    copy = await waiting_copy(kept)
    environments: list[str] = []
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(pool.ask, SLOW, bomb(7_000, 7_000), 30)
        await at_work(copy)
        while "Max open files            0 " not in (limits := Path(f"/proc/{copy}/limits").read_text()):
            await anyio.lowlevel.checkpoint()
        environments = [Path(f"/proc/{pid}/environ").read_text() for pid in (kept, copy)]
        tasks.cancel_scope.cancel()
    assert [line.split()[-3:-1] for line in limits.splitlines() if "cpu time" in line] == [["20", "20"]]
    assert [line.split()[-3:-1] for line in limits.splitlines() if "Max file size" in line] == [["0", "0"]]
    assert [line.split()[-3:-1] for line in limits.splitlines() if "address space" in line] == [[str(2**30)] * 2]
    assert not any("canary" in text for text in environments)


async def test_an_answer_that_a_picture_left_behind_is_not_taken_for_the_next() -> None:
    forger = f"import sys; sys.stdin.buffer.read(16); sys.stdout.buffer.write({frame(bytes(8), {}, b'forged')!r})"
    process = DecoderProcess(await anyio.open_process([sys.executable, "-c", forger], stderr=DEVNULL))
    with pytest.raises(DecoderEndedError):
        await process.ask(LOOK, picture())
    await process.kill()


@pytest.mark.parametrize("head", [b"", b"short", b"\xff" * 16])
def test_a_head_that_announces_too_much_is_none(head: bytes) -> None:
    with pytest.raises(ValueError, match="cut off|too long"):
        lengths(head)


async def test_every_format_is_read_and_written_behind_the_fence() -> None:
    async with decoders().kept():
        for format_name in ("PNG", "JPEG", "WEBP", "GIF", "AVIF"):
            made = await render_image("small", noise(format_name), max_bytes=99_999, box=[40, 40])
            assert isinstance(made, Rendered), (format_name, made)
            assert max(opened(made.content).size) == 40
