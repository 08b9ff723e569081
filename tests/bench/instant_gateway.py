"""A gateway on loopback that has every picture ready at once; a process of its own, so that it takes no time of ours.

Run: python tests/bench/instant_gateway.py; its first line is its address. Below /768x512 every picture has that size,
and is noise, the hardest to decode; below /soft-768x512 it is as smooth as what models make, a quarter of the bytes.
"""

import io
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import cache

import uvicorn
from PIL import Image, ImageFilter
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

_ID_LENGTH = 26
_SOFT = "soft-"
_STAMP = "2026-01-01T00:00:00.000000Z"


def create_gateway(address: str) -> Starlette:
    """Every create is answered with a finished prediction of as many outputs as asked, each another WebP."""
    numbers = iter(range(10**9))

    def prediction(name: str, size: str, count: int) -> dict[str, object]:
        return {
            "id": name,
            "model": "black-forest-labs/flux-schnell",
            "version": "hidden",
            "status": "succeeded",
            "output": [f"{address}/{size}/files/{name}-{index}.webp" for index in range(count)],
            "input": {},
            "error": None,
            "logs": "",
            "metrics": {"predict_time": 0.001},
            "created_at": _STAMP,
            "started_at": _STAMP,
            "completed_at": _STAMP,
        }

    async def create(request: Request) -> Response:
        count = int((await request.json()).get("input", {}).get("num_outputs", 1))
        name = f"{next(numbers):0{_ID_LENGTH - 1}d}{count}"
        return JSONResponse(prediction(name, request.path_params["size"], count), status_code=201)

    async def get(request: Request) -> Response:
        name = request.path_params["name"]
        return JSONResponse(prediction(name, request.path_params["size"], int(name[-1])))

    async def file(request: Request) -> Response:
        number = request.path_params["name"].rpartition("-")[2]
        return Response(_picture(request.path_params["size"], number), media_type="image/webp")

    routes = [
        Route("/v1/models/{owner}/{model}/predictions", create, methods=["POST"]),
        Route("/v1/predictions", create, methods=["POST"]),
        Route("/v1/predictions/{name}", get),
        Route("/files/{name}", file),
    ]
    return Starlette(routes=[Mount("/{size}", routes=routes)])


@cache
def _picture(size: str, number: str = "") -> bytes:
    """WebP bytes, RGB; each number has its own."""
    width, _, height = size.removeprefix(_SOFT).partition("x")
    is_soft = size.startswith(_SOFT)
    grains = [Image.effect_noise((int(width), int(height)), 90 if is_soft else 20) for _ in range(3)]
    if is_soft:
        grains = [
            each.filter(ImageFilter.GaussianBlur(radius)) for each, radius in zip(grains, (1.5, 3, 4), strict=True)
        ]
    buffer = io.BytesIO()
    Image.merge("RGB", grains).save(buffer, "WEBP", quality=80)
    return buffer.getvalue()


@contextmanager
def running() -> Generator[str]:
    """One in a process of its own; gives its address."""
    with subprocess.Popen([sys.executable, __file__], stdout=subprocess.PIPE, text=True) as gateway:
        assert gateway.stdout
        try:
            yield gateway.stdout.readline().strip()
        finally:
            gateway.terminate()


def main() -> None:
    # With its protocol named, asyncio switches Nagle's delay off on the sockets accepted from it: 40 ms a request.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        print(address, flush=True)
        config = uvicorn.Config(create_gateway(address), log_level="warning")
        uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
