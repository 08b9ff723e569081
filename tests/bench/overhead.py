"""What a generate_image call adds to a raw create, get and download by httpx on an instant gateway, and `replicate`.

Run: python tests/bench/overhead.py [rounds]. Ours writes the journal, stores, checks and describes the files, and makes
the preview that an assistant is shown; the raw one keeps the bytes in memory, as does `replicate` 1.0.7. The three take
turns, and medians are printed, with the fastest in brackets: on a machine that others use, compare those. Pictures are
noise, and once more "soft", as models make them.
Aims, added to the raw one: 8 ms without previews; with them 30 ms for 768 x 512 px, 60 for 1024 x 1024, 120 for four.
"""

import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from statistics import median
from typing import cast

import anyio
import httpx
from instant_gateway import running
from replicate.client import Client

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.settings import Settings

_MODEL = "black-forest-labs/flux-schnell"
_KEY = "bench-key-0123456789"
_REST_S = 0.03  # what one has begun in the background costs the next one nothing
_SIZES = (("768x512", 1, False), ("768x512", 1, True), ("1024x1024", 1, True), ("1024x1024", 4, True))
_SHAPES = (*_SIZES, *((f"soft-{size}", count, True) for size, count, is_shown in _SIZES if is_shown))


class Contest:
    """The three at one gateway; each call makes `count` pictures of one size and takes care of them."""

    def __init__(self, address: str, room: Darkroom, http: httpx.AsyncClient, count: int, has_preview: bool) -> None:
        self._room = room
        self._http = http
        self._count = count
        self._has_preview = has_preview
        self._official = Client(api_token=_KEY, base_url=address)
        self._numbers = iter(range(10**9))

    async def ours(self) -> None:
        request = ImageRequest(prompt=f"picture {next(self._numbers)}", model=_MODEL, count=self._count)
        report = await generate_image(self._room, request, wait_s=30)
        images = [image.file for intent in report.intents for image in intent.images if image.file]
        assert len(images) == self._count, report.text
        if self._has_preview:
            shown = await self._room.preview(dict(enumerate(images, 1)), 768)
            assert shown.preview and not shown.problems, shown

    async def raw(self) -> None:
        body = {"input": {"prompt": f"picture {next(self._numbers)}", "num_outputs": self._count}}
        created = (await self._http.post(f"/v1/models/{_MODEL}/predictions", json=body)).json()
        done = (await self._http.get(f"/v1/predictions/{created['id']}")).json()

        async def download(url: str) -> None:
            assert (await self._http.get(url)).content

        async with anyio.create_task_group() as tasks:
            for url in done["output"]:
                tasks.start_soon(download, url)

    async def official(self) -> None:
        body = {"prompt": f"picture {next(self._numbers)}", "num_outputs": self._count}
        outputs = await self._official.async_run(_MODEL, input=body)
        for url in cast("list[str]", outputs):  # of http, as here, it gives addresses and no files
            assert (await self._http.get(url)).content


async def compare(address: str, folder: str, rounds: int) -> None:
    print(f"{'':<28}{'ours':>16}{'raw httpx':>16}{'replicate':>16}{'added':>16}   ms, median (fastest)")
    for size, count, has_preview in _SHAPES:
        environ = {
            "DARKROOM_GATEWAY": "custom",
            "DARKROOM_BASE_URL": f"{address}/{size}",
            "DARKROOM_API_KEY": _KEY,
            "DARKROOM_DATA_DIR": f"{folder}/data",
            "DARKROOM_OUTPUT_DIR": f"{folder}/images",
        }
        headers = {"Authorization": f"Bearer {_KEY}"}
        base = f"{address}/{size}"
        async with (
            Darkroom.open(replace(Settings.read(environ).options(), preview_px=768 * has_preview)) as room,
            httpx.AsyncClient(base_url=base, headers=headers) as http,
        ):
            contest = Contest(base, room, http, count, has_preview)
            ways = (contest.ours, contest.raw, contest.official)
            times = await _interleaved(ways, rounds)
        name = f"{count} of {size}{', shown' if has_preview else ''}"
        middle, least = [median(each) for each in times], [min(each) for each in times]
        columns = [*zip(middle, least, strict=True), (middle[0] - middle[1], least[0] - least[1])]
        print(f"{name:<28}", *(f"{f'{at:.1f} ({fastest:.1f})':>15}" for at, fastest in columns))


async def _interleaved(ways: tuple[Callable[[], Awaitable[None]], ...], rounds: int) -> list[list[float]]:
    """Milliseconds of each. The first round opens connections and imports."""
    times: list[list[float]] = [[] for _ in ways]
    for _ in range(rounds + 1):
        for way, taken in zip(ways, times, strict=True):
            await anyio.sleep(_REST_S)
            started = time.perf_counter()
            await way()
            taken.append((time.perf_counter() - started) * 1000)
    return [taken[1:] for taken in times]


def main(rounds: int) -> None:
    with running() as address, tempfile.TemporaryDirectory() as folder:
        anyio.run(compare, address, folder, rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
