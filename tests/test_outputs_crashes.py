"""A crash at any line of saving an image leaves the whole image or none, and the next start ends the work."""

import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import crashing_store
import pytest
import systems

from darkroom.outputs import OutputStore, open_target

# Longer than what is held in memory.
LARGE = crashing_store.png(9_000_000)


@systems.forks
def test_a_crash_at_any_line_leaves_a_whole_image_or_none_and_the_next_start_saves_it(tmp_path: Path) -> None:
    script = Path(crashing_store.__file__)
    paths = os.pathsep.join(path for path in sys.path if path)
    finished = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env={"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert finished.returncode == 0, finished.stderr
    result = json.loads(finished.stdout)
    assert result["wrong"] == []
    assert result["lines"] > 80 and result["ends"] > 6


@pytest.mark.anyio
@systems.posix_files
async def test_image_and_sidecar_get_their_names_when_they_are_on_the_disk_and_the_folder_is_synced_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    link, fsync = os.link, os.fsync

    def hear_link(source: str, name: str, **options: Any) -> None:
        seen.append(f"named {Path(name).suffix}")
        link(source, name, **options)

    def hear_fsync(descriptor: int) -> None:
        is_folder = os.path.isdir(f"/dev/fd/{descriptor}") or os.path.isdir(f"/proc/self/fd/{descriptor}")
        seen.append("folder" if is_folder else "file")
        fsync(descriptor)

    monkeypatch.setattr(os, "link", hear_link)
    monkeypatch.setattr(os, "fsync", hear_fsync)
    store = OutputStore(open_target(str(tmp_path)))
    saved = await store.save(crashing_store.IMAGE, crashing_store.chunks(), crashing_store.facts)
    assert saved.has_sidecar
    assert seen == ["file", "named .png", "file", "named .json", "folder"]


async def in_pieces(content: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(content), 1_000_000):
        yield content[start : start + 1_000_000]


@pytest.mark.anyio
async def test_a_large_image_goes_to_the_disk_in_pieces_and_is_not_held_for_a_preview(tmp_path: Path) -> None:
    told: list[bytes] = []
    store = OutputStore(open_target(str(tmp_path)))
    saved = await store.save(crashing_store.IMAGE, in_pieces(LARGE), dict, lambda content, sha256: told.append(content))
    assert saved.is_whole and saved.has_sidecar and Path(saved.file.location).read_bytes() == LARGE
    assert told == []
    await store.save(crashing_store.IMAGE, crashing_store.chunks(), dict, lambda content, sha256: told.append(content))
    assert told == [crashing_store.CONTENT]


@pytest.mark.anyio
async def test_a_large_image_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    async def stalling() -> AsyncIterator[bytes]:
        yield LARGE[:-1]
        scope.cancel()
        await anyio.sleep_forever()

    with anyio.CancelScope() as scope:
        await OutputStore(open_target(str(tmp_path))).save(crashing_store.IMAGE, stalling())
    assert list(tmp_path.iterdir()) == []
