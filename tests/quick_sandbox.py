"""The sandbox at a pace for tests: it paints coarsely in 0.04 to 0.15 s, and is the same otherwise.

Run: python tests/quick_sandbox.py KEY, as `darkroom-mcp sandbox` for clients with that key; it says its address.
"""

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from darkroom_server.sandbox import SandboxOptions, create_sandbox

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from darkroom.registry import ModelRegistry

QUICK = SandboxOptions(speed=10, painted_px=40_000)
EMBEDDED = "darkroom_server.sandbox.embedded"


def quick(store_path: Path, registry: "ModelRegistry") -> "Starlette":
    """In the place of `EMBEDDED`; times that a prompt asks for by weather stay as they are."""
    return create_sandbox(replace(QUICK, store_path=store_path, registry=registry))


def main(key: str) -> None:
    import uvicorn

    from darkroom_server.cli.serve import listening

    with listening("127.0.0.1", 0) as listener:
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        app = create_sandbox(replace(QUICK, key=key, base_url=address))
        print(address, flush=True)
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listener])


if __name__ == "__main__":
    main(sys.argv[1])
