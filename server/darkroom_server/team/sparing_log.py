"""Warnings that anybody outside can bring about: the log must not grow with what strangers send."""

import logging
import time
from collections.abc import Callable

_EVERY_S = 60.0


class SparingLog:
    """Says a thing at once, then at most once a minute, with how often it was since."""

    def __init__(self, log: logging.Logger, clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._said_s: dict[str, float] = {}
        self._unsaid: dict[str, int] = {}

    def warning(self, words: str, *values: object) -> None:
        """As `logging.Logger.warning`."""
        now_s = self._clock()
        if now_s - self._said_s.get(words, float("-inf")) < _EVERY_S:
            self._unsaid[words] = self._unsaid.get(words, 0) + 1
            return
        self._said_s[words] = now_s
        count = self._unsaid.pop(words, 0)
        more = f" ({count} more like it since the last such line)" if count else ""
        self._log.warning(f"{words}%s", *values, more)
