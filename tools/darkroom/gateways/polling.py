"""When to look again: a pure rule over what is known of a model's time from create to end.

Simulated against fixed steps and exponential back-off, 2026-11-20: it looks three to five times less often than a fixed
half second at a lag of a second or two. Where the gateway can hold the create's answer to the end, no look is needed.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Self

# A create that breaks off while it is held is looked for in the list: only what ends soon is worth that.
_HELD_MODELS_END_WITHIN_S = 20.0
_LONGEST_HOLD_S = 60
_ANSWER_S = 1.0  # before the call's own end, so that what still runs then is told with its id
_STEPS = 13  # between the fastest and the slowest runs
_FEWEST_SAMPLES = 3
_SHORT_STEPS = 8  # steps of half a second while nothing at all is known
_LONGEST_STEP_S = 10.0
_SHORTEST_CANCEL_AFTER_S, _LONGEST_CANCEL_AFTER_S = 1800, 7200
# Of 108 recorded predictions the longest queued 1,029 s before it ran (timings, 2026-11-20).
_LONGEST_COLD_START_S = 1080


@dataclass(frozen=True, slots=True, kw_only=True)
class PollSchedule:
    """Quantiles in seconds from create to end; all None where nothing is known."""

    p5_s: float | None = None
    p90_s: float | None = None
    p95_s: float | None = None
    longest_s: float = 0.0
    """The slowest run that is known of."""

    @classmethod
    def learned(cls, samples: Sequence[float] = (), typical_s: float | None = None) -> Self:
        """From seconds measured on this gateway; with fewer than three from the registry's `typical_s`, else theirs."""
        if len(samples) >= _FEWEST_SAMPLES:
            cuts = statistics.quantiles(samples, n=20, method="inclusive")
            return cls(p5_s=cuts[0], p90_s=cuts[17], p95_s=cuts[18], longest_s=max(samples))
        if typical_s is None and not samples:
            return cls()
        typical_s = statistics.median(samples) if typical_s is None else typical_s
        # Spread of warm runs around their median in the recorded timings.
        return cls(p5_s=0.7 * typical_s, p90_s=1.6 * typical_s, p95_s=2 * typical_s, longest_s=3 * typical_s)

    def hold_s(self, left_s: float) -> int:
        """Seconds for which to ask the gateway to hold the create's answer, 0 for not at all.

        `left_s` is how long the caller still waits: a hold that is over before the fastest runs end only makes the id
        late.
        """
        if self.p5_s is None or self.p90_s is None or self.p90_s > _HELD_MODELS_END_WITHIN_S:
            return 0
        hold_s = int(min(left_s - _ANSWER_S, _LONGEST_HOLD_S))
        return hold_s if hold_s >= max(self.p5_s, 1.0) else 0

    @property
    def overdue_s(self) -> float:
        """Seconds after which a run is so late that its id should be known, whatever the gateway holds back."""
        return 2 * self.p95_s + _ANSWER_S if self.p95_s else _ANSWER_S

    def next_delay(self, elapsed_s: float, rng: Random) -> float:
        """Seconds until the next look, `elapsed_s` after the create; about ten at most, to see an early end."""
        jitter = rng.uniform(0.9, 1.1)
        if self.p5_s is None or self.p95_s is None:
            soon_s = 0.5 if elapsed_s < _SHORT_STEPS * 0.5 else 1.0
            return (soon_s if elapsed_s < 60 else min(0.12 * elapsed_s, _LONGEST_STEP_S)) * jitter
        step_s = min(max((self.p95_s - self.p5_s) / _STEPS, 0.3), 1.8)
        if elapsed_s < self.p5_s:
            return min(max(self.p5_s - elapsed_s, 0.3), _LONGEST_STEP_S)
        if elapsed_s > 1.5 * self.p95_s:
            step_s = min(max(0.12 * elapsed_s, step_s), _LONGEST_STEP_S)
        return step_s * jitter

    def cancel_after_s(self) -> int:
        """Seconds from the create after which the gateway itself should end the prediction, 1800 to 7200.

        It bounds what a forgotten prediction costs. Queue and cold start count, and what runs by then is billed and
        lost. Fast runs in the past say nothing about the next cold start, so it leaves room for the longest one.
        """
        wanted_s = _LONGEST_COLD_START_S + 4 * self.longest_s
        return round(min(max(wanted_s, _SHORTEST_CANCEL_AFTER_S), _LONGEST_CANCEL_AFTER_S))
