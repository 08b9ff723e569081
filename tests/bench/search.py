"""How many of the wishes in tests/queries.toml list_models serves: recall at 1, 3 and 8, and what it misses.

Run: python tests/bench/search.py
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from wishes import recall, wishes  # a file beside this folder


def main() -> None:
    asked = wishes()
    for depth in (1, 3, 8):
        print(f"recall@{depth}: {recall(asked, depth):.3f} of {len(asked)}")
    for wish in asked:
        if not wish.is_served(3):
            print(f"missed: {wish.query!r} gave {', '.join(wish.found[:3]) or 'nothing'}")


if __name__ == "__main__":
    main()
