"""What the looks at one prediction have shown so far, what of it is believed, and when to look next."""

import random
from dataclasses import replace

from darkroom.gateways import PollSchedule
from darkroom.predictions import Prediction, PredictionStatus

# A gateway that calls a prediction succeeded and shows no output is asked again for so long.
_OUTPUT_APPEARS_WITHIN_S = 60.0
_OUTPUT_STAYS_S, _PART_OF_OUTPUT_STAYS_S = 60.0, 600.0
_SHORTEST_PAUSE_S, _LONGEST_PAUSE_S, _FEWEST_MISSES = 0.3, 10.0, 3


class Polling:
    """All times are on the monotonic clock."""

    def __init__(self, *, schedule: PollSchedule, started_s: float, settle_s: float) -> None:
        self._schedule = schedule
        self._started_s = started_s
        self._settle_s = settle_s
        self._misses: list[float] = []
        self._without_output_since_s: float | None = None
        self._looks_without_output = 0
        self._outputs, self._outputs_since_s = 0, 0.0
        self.is_output_overdue = False

    @property
    def is_without_output(self) -> bool:
        return self._without_output_since_s is not None and not self.is_output_overdue

    def saw(self, prediction: Prediction, now_s: float, image_count: int = 1) -> Prediction:
        """Note a look that found the prediction, and give it as it is believed.

        A status of the gateway's own, beside outputs that do not become more, is taken for a success after a while:
        their links would die.
        """
        self._misses.clear()
        if len(prediction.output) != self._outputs:
            self._outputs, self._outputs_since_s = len(prediction.output), now_s
        is_unknown = prediction.status is PredictionStatus.UNKNOWN
        stays_s = _OUTPUT_STAYS_S if self._outputs >= image_count else _PART_OF_OUTPUT_STAYS_S
        if is_unknown and self._outputs and now_s - self._outputs_since_s >= stays_s:
            return replace(prediction, status=PredictionStatus.SUCCEEDED)
        has_none = prediction.status is PredictionStatus.SUCCEEDED and not prediction.output
        if not has_none or prediction.is_data_removed:
            self._without_output_since_s = None
            return prediction
        self._looks_without_output += 1
        if self._without_output_since_s is None:
            self._without_output_since_s = now_s
        self.is_output_overdue = now_s - self._without_output_since_s >= _OUTPUT_APPEARS_WITHIN_S
        return prediction

    def missed(self, now_s: float) -> bool:
        """Note a look that found nothing; True once that is to be believed."""
        self._misses.append(now_s)
        return len(self._misses) >= _FEWEST_MISSES and now_s - self._misses[0] >= self._settle_s

    def pause_s(self, now_s: float, rng: random.Random) -> float:
        """Seconds until the next look; after a miss soon enough that it is believed once the gateway had its time."""
        if self._misses:
            return min(max(self._settle_s / (_FEWEST_MISSES - 1), _SHORTEST_PAUSE_S), _LONGEST_PAUSE_S)
        if self.is_without_output:
            return min(2.0 ** (self._looks_without_output - 1), _LONGEST_PAUSE_S)
        return self._schedule.next_delay(now_s - self._started_s, rng)
