"""What a generate_image call adds to a raw create, get and download by httpx on an instant gateway. Aim: 15 ms.

Run: python tests/bench/overhead.py [rounds]. Ours writes the journal (three commits on the disk) and stores, checks and
describes the file; the raw one keeps the bytes in memory.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import anyio
import httpx

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.settings import Settings

_MODEL = "black-forest-labs/flux-schnell"
_KEY = "bench-key-0123456789"


async def compare(address: str, folder: str, rounds: int) -> None:
    settings = Settings.read(
        {
            "DARKROOM_GATEWAY": "custom",
            "DARKROOM_BASE_URL": address,
            "DARKROOM_API_KEY": _KEY,
            "DARKROOM_DATA_DIR": f"{folder}/data",
            "DARKROOM_OUTPUT_DIR": f"{folder}/images",
        }
    )
    ours: list[float] = []
    raw: list[float] = []
    headers = {"Authorization": f"Bearer {_KEY}"}
    async with Darkroom.open(settings.options()) as room, httpx.AsyncClient(base_url=address, headers=headers) as http:
        for number in range(rounds + 1):
            raw.append(await _raw_s(http, number))
            ours.append(await _ours_s(room, number))
    # The first round opens connections and imports.
    ours_ms, raw_ms = median(ours[1:]) * 1000, median(raw[1:]) * 1000
    print(f"generate_image  {ours_ms:6.1f} ms\nraw httpx       {raw_ms:6.1f} ms")
    print(f"added           {ours_ms - raw_ms:6.1f} ms, ratio {ours_ms / raw_ms:.2f}x")


async def _raw_s(http: httpx.AsyncClient, number: int) -> float:
    started = time.perf_counter()
    body = {"input": {"prompt": f"picture {number}"}}
    created = (await http.post(f"/v1/models/{_MODEL}/predictions", json=body)).json()
    done = (await http.get(f"/v1/predictions/{created['id']}")).json()
    picture = await http.get(done["output"][0])
    assert picture.content
    return time.perf_counter() - started


async def _ours_s(room: Darkroom, number: int) -> float:
    started = time.perf_counter()
    request = ImageRequest(prompt=f"picture {number}", model=_MODEL)
    report = await generate_image(room, request, wait_s=30)
    elapsed_s = time.perf_counter() - started
    assert report.outcome == "succeeded", report.text
    return elapsed_s


def main(rounds: int) -> None:
    command = [sys.executable, str(Path(__file__).with_name("instant_gateway.py"))]
    with (
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as gateway,
        tempfile.TemporaryDirectory() as folder,
    ):
        assert gateway.stdout
        address = gateway.stdout.readline().strip()
        try:
            anyio.run(compare, address, folder, rounds)
        finally:
            gateway.terminate()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100)
