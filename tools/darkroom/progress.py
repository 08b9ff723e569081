"""How far a prediction is: percent out of its logs where they draw a bar, else its age against what is typical.

Of 106 recorded image logs two thirds draw tqdm bars; some draw several one after another, a few count without a total
(`4it [00:00`), and the last steps often never show. Hence the rules: the last bar counts, never backwards, never 100
before the end.
"""

import math
import re
from dataclasses import dataclass

from darkroom.predictions import Prediction, PredictionStatus

_BAR = re.compile(r"(\d{1,3})%\s*\|[^|\n]*\|\s*(\d{1,9})/(\d{1,9})(?!\d)")
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_TAIL_CHARACTERS = 20_000
_UNKNOWN_TYPICAL_S = 15.0
_COLD_AFTER_S = 8.0
_SHORTEST_COLD_S = 3.0
_MOST_WHILE_STARTING, _MOST_BY_AGE, _MOST_BEFORE_THE_END = 10.0, 95.0, 99.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """`percent` 0..99, never falling, 100 only for a success; `message` one short line for people."""

    percent: float
    message: str


def log_percent(logs: str) -> float | None:
    """0..100 of the last progress bar in the logs, None where there is none."""
    bars = _BAR.findall(_ANSI.sub("", logs[-_TAIL_CHARACTERS:]))
    if not bars:
        return None
    percent, done, total = (int(number) for number in bars[-1])
    return min(100.0, 100 * done / total if total else float(percent))


class ProgressTracker:
    """Follows one prediction; `typical_s` is what its model usually takes once it runs, None for unknown."""

    def __init__(self, typical_s: float | None) -> None:
        self._typical_s = typical_s or _UNKNOWN_TYPICAL_S
        cold_after_s = 2 * typical_s if typical_s else _COLD_AFTER_S
        self._cold_after_s = min(max(cold_after_s, _SHORTEST_COLD_S), _COLD_AFTER_S)
        self._runs_since_s: float | None = None
        self._percent = 0.0

    def update(self, prediction: Prediction, elapsed_s: float) -> Progress:
        """Where `prediction` is, `elapsed_s` seconds after its create."""
        if prediction.status.is_terminal:
            self._percent = 100.0 if prediction.status is PredictionStatus.SUCCEEDED else self._percent
            message = f"{prediction.status}, {elapsed_s:.0f} s"
        elif prediction.status is PredictionStatus.STARTING:
            self._percent = max(self._percent, _approach(_MOST_WHILE_STARTING, elapsed_s / 30))
            is_cold = elapsed_s > self._cold_after_s
            message = f"starting, cold start ({elapsed_s:.0f} s)" if is_cold else f"starting, {elapsed_s:.0f} s"
        else:
            self._percent = max(self._percent, self._percent_of_run(prediction.logs, elapsed_s))
            message = f"processing {self._percent:.0f} %, {elapsed_s:.0f} s"
        return Progress(percent=self._percent, message=message)

    def _percent_of_run(self, logs: str, elapsed_s: float) -> float:
        if self._runs_since_s is None:
            self._runs_since_s = elapsed_s
        if (drawn := log_percent(logs)) is not None:
            return min(drawn, _MOST_BEFORE_THE_END)
        # Three quarters of the way after the typical time, then ever slower.
        return _approach(_MOST_BY_AGE, 1.6 * (elapsed_s - self._runs_since_s) / self._typical_s)


def _approach(limit: float, share: float) -> float:
    return limit * (1 - math.exp(-max(share, 0.0)))
