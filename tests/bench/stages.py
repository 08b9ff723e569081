"""Where the time goes: each step of the server's start, and of one call that is answered with a preview.

Run: python tests/bench/stages.py [rounds]. The start is counted in milliseconds of processor, in processes of their own
(the least of all rounds), ours beside a server of the SDK alone; the call in milliseconds on the clock, on an instant
gateway (median and the fastest), in the order in which its steps end.
"""

import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from statistics import median

import anyio
from instant_gateway import running

from darkroom.darkroom import Darkroom
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.settings import Settings

_MODEL = "black-forest-labs/flux-schnell"
_LATER = "later: tools, resources"
_STARTS = {
    "darkroom": (
        ("pydantic", "from pydantic import BaseModel; type('One', (BaseModel,), {})"),
        ("our settings", "from darkroom.settings import Settings; settings = Settings.read_or_problem()"),
        ("the SDK, without rich", "sys.modules['rich.console'] = None; import mcp.server"),
        ("our modules", "import darkroom_server.app, darkroom_server.stdio"),
        ("server, instructions", "server = darkroom_server.app.create_server(settings)"),
        (_LATER, "for asked in ('tools', 'resources', 'prompts'): server.fill(asked)"),
    ),
    "sdk alone": (
        ("pydantic", "from pydantic import BaseModel; type('One', (BaseModel,), {})"),
        ("the SDK", "from mcp.server import MCPServer; server = MCPServer('one', version='1')"),
        ("one tool", "async def echo(text: str) -> str: return text\nserver.tool()(echo)"),
    ),
}


def start_steps(rounds: int) -> None:
    for name, steps in _STARTS.items():
        lines = ["import gc, sys, time; gc.disable(); ends = [time.process_time()]"]
        for _, code in steps:
            lines += [code, "ends.append(time.process_time())"]
        lines.append("print(*(f'{(end - begin) * 1000:.2f}' for begin, end in zip(ends, ends[1:])))")
        command = [sys.executable, "-c", "\n".join(lines)]
        runs = [subprocess.run(command, capture_output=True, text=True, check=True).stdout for _ in range(rounds)]
        least = [min(map(float, each)) for each in zip(*(run.split() for run in runs), strict=True)]
        spent = dict(zip((step for step, _ in steps), least, strict=True))
        print(f"start of {name}: {sum(spent.values()) - spent.get(_LATER, 0.0):.0f} ms of processor")
        for step, taken in spent.items():
            print(f"  {step:<28}{taken:8.1f}")


class Stopwatch:
    """Hears the moments of each call; `laps` are milliseconds by moment, one for each call that passed it."""

    def __init__(self) -> None:
        self.laps: dict[str, list[float]] = {}
        self._last = 0.0

    def start(self) -> None:
        self._last = time.perf_counter()

    def lap(self, moment: str) -> None:
        now = time.perf_counter()
        self.laps.setdefault(moment, []).append((now - self._last) * 1000)
        self._last = now


async def call_steps(address: str, folder: str, rounds: int) -> None:
    settings = Settings.read(
        {
            "DARKROOM_GATEWAY": "custom",
            "DARKROOM_BASE_URL": f"{address}/1024x1024",
            "DARKROOM_API_KEY": "bench-key-0123456789",
            "DARKROOM_DATA_DIR": f"{folder}/data",
            "DARKROOM_OUTPUT_DIR": f"{folder}/images",
        }
    )
    watch = Stopwatch()
    options = replace(settings.options(), preview_px=768, at_crash_point=watch.lap)
    async with Darkroom.open(options) as room:
        for number in range(rounds + 1):
            watch.start()
            report = await generate_image(room, ImageRequest(prompt=f"picture {number}", model=_MODEL), wait_s=30)
            watch.lap("report")
            images = [image.file for intent in report.intents for image in intent.images if image.file]
            await room.preview(dict(enumerate(images, 1)), 768)
            watch.lap("preview")
    print("one call, 1 of 1024x1024, shown: ms, median (fastest)")
    for moment, taken in watch.laps.items():
        print(f"  until {moment:<42}{median(taken[1:]):8.1f} ({min(taken[1:]):.1f})")


def main(rounds: int) -> None:
    start_steps(rounds)
    with running() as address, tempfile.TemporaryDirectory() as folder:
        anyio.run(call_steps, address, folder, 3 * rounds)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
