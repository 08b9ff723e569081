"""`darkroom-mcp gallery` as a process of its own, over a journal and a folder that are filled here."""

import hashlib
import json
import signal
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import anyio
import httpx
from http_process import ServingProcess
from journal_fixtures import MODEL, START, HandClock, new_intent, opened, prediction
from pictures import picture

from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.journal import Journal
from darkroom.predictions import PredictionStatus

DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class Made:
    """A picture that lies in the folder, and how it is said to have been made."""

    prompt: str = "a lighthouse at dawn"
    model: str = MODEL
    seed: int | None = 7
    days_ago: float = 0.0
    content: bytes = picture("PNG", size=(120, 80))
    mime_type: str = "image/png"
    cost_usd: float | None = 0.003


def fill(folder: Path, pictures: Iterable[Made], *, first: int = 0) -> list[Path]:
    """The files of these pictures in `images`, numbered from `first`; the journal in `data` knows them."""

    async def work() -> list[Path]:
        clock = HandClock()
        async with opened(folder / "data", clock) as journal:
            return [
                await _add(folder, journal, clock, number, made) for number, made in enumerate(pictures, start=first)
            ]

    (folder / "images").mkdir(parents=True, exist_ok=True)
    # In a thread of its own: Playwright keeps an event loop in this one.
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(anyio.run, work).result()


async def _add(folder: Path, journal: Journal, clock: HandClock, number: int, made: Made) -> Path:
    clock.now = START - made.days_ago * DAY_S - number
    new = replace(new_intent(made.seed, prompt=made.prompt, estimate_usd=0.003), model=made.model, gateway="replicate")
    [intent], _ = await journal.intend([new])
    await journal.claim(intent.key)
    output = ("https://files.invalid/1",)
    await journal.mark_known(
        intent.key, prediction(f"picture{number:05d}", PredictionStatus.SUCCEEDED, at=clock.now, output=output)
    )
    if made.cost_usd is not None:
        await journal.bill(intent.key, made.cost_usd)
    path = folder / "images" / f"picture-{number}.{made.mime_type.partition('/')[2].partition('+')[0]}"
    path.write_bytes(made.content)
    file = stored(path, made)
    state = ImageState.STORED
    await journal.image_stored(
        StoredImage(prediction_id=f"picture{number:05d}", index=0, url=output[0], state=state, file=file)
    )
    return path


def stored(path: Path, made: Made) -> StoredFile:
    return StoredFile(
        location=str(path),
        mime_type=made.mime_type,
        width_px=120,
        height_px=80,
        size_bytes=len(made.content),
        sha256=hashlib.sha256(made.content).hexdigest(),
    )


def stray(folder: Path, name: str, sidecar: Mapping[str, Any] | None = None, content: bytes | None = None) -> Path:
    """An image with a sidecar, which no journal knows."""
    content = picture("PNG", size=(60, 90)) if content is None else content
    path = folder / "images" / f"{name}.png"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    file = {"name": path.name, "mime_type": "image/png", "width_px": 60, "height_px": 90, "size_bytes": len(content)}
    told = {"prompt": f"the stray {name}", "model": MODEL, "seed": 3, "created_at": "2026-09-01T12:00:00+00:00"}
    sha256 = hashlib.sha256(content).hexdigest()
    path.with_suffix(".json").write_text(json.dumps({**told, "file": {**file, "sha256": sha256}, **(sidecar or {})}))
    return path


class PageProcess(ServingProcess):
    """Serves the page while the block runs; `url` is its secret address."""

    def __init__(self, folder: Path, *words: str, **variables: str) -> None:
        super().__init__(folder, "gallery", *words, **variables)

    def get(self, path: str, **headers: str) -> httpx.Response:
        """What the server answers to a path below the secret; `sec_fetch_site="cross-site"` gives a header."""
        return self.ask("GET", self.url + path, **headers)

    def ask(self, method: str, url: str, **headers: str) -> httpx.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.request(method, url, headers=named, timeout=30)

    def pictures(self) -> list[dict[str, Any]]:
        """Everything that the page is told of pictures, the newest first."""
        told = [*self.get("pictures?limit=1000").json()["pictures"], *self.get("strays").json()["pictures"]]
        return sorted(told, key=lambda each: -each["at"])

    def written(self, path: Path) -> str:
        """What a program that the server started has written there, once it has; bounded by a few thousand requests."""
        for _ in range(5_000):
            if path.is_file():
                return path.read_text(encoding="utf-8")
            self.get("version")
        raise AssertionError(f"{path} was never written")

    def interrupt(self) -> tuple[int, str]:
        """Ctrl-C: exit code and stderr once it has left."""
        self._process.send_signal(signal.SIGINT)
        return self.end()
