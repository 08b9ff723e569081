"""`python -m darkroom_server`, for an environment whose scripts are not at hand."""

import sys

from darkroom_server.cli import main

if __name__ == "__main__":
    sys.exit(main())
