"""The stdio server on a gateway at a given address, as a program of its own.

Run: python tests/outside_server.py FOLDER BASE_URL PACE. With the pace "quick" everything that waits for minutes waits
for seconds; with "real" nothing is changed.
"""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

from darkroom.settings import Settings
from darkroom_server.stdio import serve_stdio

if TYPE_CHECKING:
    from darkroom.darkroom import DarkroomOptions

SETTLE_S = 1.5
LEASE_S = 1.0


class QuickSettings(Settings):
    """The settings of the product, at another pace."""

    def options(self) -> "DarkroomOptions":
        from darkroom.gateways import Timeouts

        options = super().options()
        return replace(
            options,
            gateway=replace(options.gateway, honours_prefer=False),
            timeouts=Timeouts(connect_s=0.4, write_s=0.4, read_s=0.4),
            settle_s=SETTLE_S,
            lease_s=LEASE_S,
        )


def main(folder: str, base_url: str, pace: str) -> int:
    environ = {
        "DARKROOM_GATEWAY": "replicate",
        "DARKROOM_BASE_URL": base_url,
        "DARKROOM_API_KEY": "outside-key-0123456789",
        "DARKROOM_DATA_DIR": f"{folder}/data",
        "DARKROOM_OUTPUT_DIR": f"{folder}/images",
    }
    return serve_stdio((QuickSettings if pace == "quick" else Settings).read(environ))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
