"""A gateway on loopback that has every picture ready at once; a process of its own, so that it takes no time of ours.

Run: python tests/bench/instant_gateway.py; its first line is its address.
"""

import io
import socket

import uvicorn
from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

_ID_LENGTH = 26
_STAMP = "2026-01-01T00:00:00.000000Z"


def create_gateway(address: str) -> Starlette:
    """Every create is answered with a finished prediction whose output is the same PNG, 1024 x 1024 px."""
    numbers = iter(range(10**9))
    picture = _picture()

    def prediction(name: str) -> dict[str, object]:
        return {
            "id": name,
            "status": "succeeded",
            "output": [f"{address}/files/{name}.png"],
            "input": {},
            "error": None,
            "logs": "",
            "metrics": {"predict_time": 0.001},
            "created_at": _STAMP,
            "started_at": _STAMP,
            "completed_at": _STAMP,
        }

    async def create(request: Request) -> Response:
        await request.body()
        return JSONResponse(prediction(f"{next(numbers):0{_ID_LENGTH}d}"), status_code=201)

    async def get(request: Request) -> Response:
        return JSONResponse(prediction(request.path_params["name"]))

    async def file(request: Request) -> Response:
        return Response(picture, media_type="image/png")

    return Starlette(
        routes=[
            Route("/v1/models/{owner}/{model}/predictions", create, methods=["POST"]),
            Route("/v1/predictions", create, methods=["POST"]),
            Route("/v1/predictions/{name}", get),
            Route("/files/{name}", file),
        ]
    )


def _picture() -> bytes:
    buffer = io.BytesIO()
    Image.effect_noise((1024, 1024), 8).convert("RGB").save(buffer, "PNG")
    return buffer.getvalue()


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
