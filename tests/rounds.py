"""How often the tests that draw by chance go round: quickly as usual, longer where somebody wants to search."""

import os

_TIMES = float(os.environ.get("TEST_ROUNDS", "1"))


def rounds(usual: int) -> int:
    """As many as usual, times what TEST_ROUNDS says."""
    return max(1, round(usual * _TIMES))
