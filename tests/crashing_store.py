"""A program that ends itself with `os._exit` between any two lines of saving an image, and starts again each time.

Of lines that leave the folder as it is, an end at the first tells all: whoever starts again knows the folder only.
Prints one JSON object: how many lines there are, at how many it was ended, and every way in which the folder was wrong.
"""

import hashlib
import json
import os
import shutil
import struct
import sys
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from types import FrameType
from typing import Any

import anyio
from pydantic import JsonValue

from darkroom.outputs import ImageName, OutputStore, incoming, local, store


def png(pixel_bytes: int) -> bytes:
    """One with all its blocks, which say nothing that could be decoded."""
    pixels = struct.pack(">I4s", pixel_bytes, b"IDAT") + (bytes(range(256)) * (pixel_bytes // 256 + 1))[:pixel_bytes]
    head = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x40\0\0\0\x30\x08\2\0\0\0\0\0\0\0"
    return head + pixels + b"\0\0\0\0" + b"\0\0\0\0IEND\xaeB`\x82"


CONTENT = png(5120)
IMAGE = ImageName(prediction_id="rrr4z55ocneqzikepnug6xezpe", index=0, prompt="crash", model="owner/model")
STEM = "crash-model-rrr4z55ocneqzikepnug6xezpe-1"
_TRACED = {incoming.__file__, local.__file__, store.__file__}
_CRASHED = 77


async def chunks() -> AsyncIterator[bytes]:
    for start in range(0, len(CONTENT), 4000):
        yield CONTENT[start : start + 4000]


def facts() -> dict[str, JsonValue]:
    return {"prompt": "crash"}


def save_image(folder: Path) -> None:
    async def save() -> None:
        target = OutputStore(local.LocalTarget(folder))
        made = await target.save(IMAGE, chunks(), facts)
        if not made.has_sidecar:
            await target.write_sidecar(made.file, facts())

    anyio.run(save)


def end_at_state(folder: Path, number: int) -> list[int]:
    """Let the process end where the folder is in its state of that number, from 1, whatever thread a line runs in.

    Gives the list in which lines are counted.
    """
    lines, left = [0], number
    state: list[tuple[str, int, bytes]] | None = None

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal state, left
        if frame.f_code.co_filename not in _TRACED:
            return None
        if event == "line":
            lines[0] += 1
            if (now := state_of(folder)) != state:
                state = now
                left -= 1
                if left == 0:
                    os._exit(_CRASHED)
        return trace

    threading.settrace(trace)
    sys.settrace(trace)
    return lines


def state_of(folder: Path) -> list[tuple[str, int, bytes]]:
    """All that an end would leave: each name, the file behind it, and what is in that."""
    if not folder.exists():
        return [("", 0, b"")]
    with os.scandir(folder) as found:
        return sorted((each.name, each.inode(), Path(each).read_bytes()) for each in found)


def in_child(folder: Path, crash_at: int, lines: Path) -> bool:
    """Save the image in a process of its own; whether that was ended. Else the number of its lines is in `lines`."""
    child = os.fork()
    if child == 0:
        seen = end_at_state(folder, crash_at)
        save_image(folder)
        lines.write_text(str(seen[0]))
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if status not in (0, _CRASHED):
        raise SystemExit(f"the child ended with {status}")
    return status == _CRASHED


def faults(folder: Path, *, is_finished: bool) -> list[str]:
    names = {path.name for path in folder.iterdir()} if folder.exists() else set[str]()
    named = {name for name in names if not name.startswith(".darkroom-")}
    wrong = [f"a stray file {name}" for name in named - {f"{STEM}.png", f"{STEM}.json"}]
    if f"{STEM}.png" in named and (folder / f"{STEM}.png").read_bytes() != CONTENT:
        wrong.append("an image that is not whole")
    if f"{STEM}.json" in named:
        sidecar = json.loads((folder / f"{STEM}.json").read_text())
        if sidecar["file"]["sha256"] != hashlib.sha256(CONTENT).hexdigest():
            wrong.append("a sidecar of another image")
    if is_finished and len(named) != 2:
        wrong.append(f"only {sorted(named)} after the second start")
    return wrong


def main(root: Path) -> None:
    anyio.run(anyio.sleep, 0)  # loads the event loop once, so that the children need not
    ends, wrong, lines = 0, list[str](), root / "lines"
    while True:
        folder = root / str(ends + 1)
        if not in_child(folder, ends + 1, lines):
            break
        ends += 1
        wrong += [f"end {ends}: {fault}" for fault in faults(folder, is_finished=False)]
        save_image(folder)
        wrong += [f"end {ends}: {fault}" for fault in faults(folder, is_finished=True)]
        shutil.rmtree(folder)
    print(json.dumps({"lines": int(lines.read_text()), "ends": ends, "wrong": wrong}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
