"""Entry point that manifest.json names; also runs where only the dependencies are installed."""

import sys
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
for _source in (_ROOT / "tools", _ROOT / "server"):
    if str(_source) not in sys.path:
        sys.path.insert(0, str(_source))

from darkroom_server.cli import main  # noqa: E402

if __name__ == "__main__":
    raise SystemExit(main())
