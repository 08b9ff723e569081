"""A replica of a team as `darkroom-mcp serve` runs it, but that it leaves sooner: new calls come for a moment more.

Run: python tests/quick_replica.py WORDS... PORT, as `serve` is told its port; the first line is the address.
"""

import sys
from pathlib import Path

from http_process import HttpProcess

from darkroom.settings import Settings
from darkroom_server.cli.serve import listening
from darkroom_server.http import serve_http
from darkroom_server.stdio import log_to_stderr

_HOST = "127.0.0.1"
_NOTICE_S = 2.0


class QuickReplica(HttpProcess):
    """Serves while the block runs; the last word is its port."""

    program = (str(Path(__file__)),)


def main(port: int) -> None:
    settings = Settings.read()
    log_to_stderr(settings.log_level)
    with listening(_HOST, port) as listener:
        address = f"http://{_HOST}:{listener.getsockname()[1]}/mcp"
        serve_http(
            settings,
            listener,
            allowed_hosts=[_HOST],
            on_ready=lambda: print(address, flush=True),
            notice_s=_NOTICE_S,
        )


if __name__ == "__main__":
    main(int(sys.argv[-1]))
