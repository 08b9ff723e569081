"""`darkroom-mcp` as it is, but over HTTP it waits two seconds for the rest of a request, which are eight otherwise.

Run: python tests/impatient_http.py WORDS...
"""

import sys

from darkroom_server import http
from darkroom_server.cli import main

if __name__ == "__main__":
    http._QUIET_S = 2.0  # pyright: ignore[reportPrivateUsage]  # a person has no reason to set it
    sys.exit(main())
