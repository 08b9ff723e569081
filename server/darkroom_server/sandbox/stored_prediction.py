"""What is stored about a prediction. Everything else about it is computed from this and the clock."""

import hashlib
from dataclasses import dataclass

from pydantic import JsonValue


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPrediction:
    """`created_at` and `canceled_at` are seconds since 1970. `version` is what the create named, "" for a model path.

    `cancel_after_s` is the deadline that the create asked for, 0 for none. `run_s` is the run time without weather.
    """

    id: str
    model: str
    version: str
    input: dict[str, JsonValue]
    created_at: float
    run_s: float
    canceled_at: float | None = None
    cancel_after_s: float = 0.0


def repeatable_random(identifier: str, purpose: str) -> float:
    """A number from 0 to 1, the same for the same prediction and purpose."""
    digest = hashlib.sha256(f"{identifier}|{purpose}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


def usual_run_s(identifier: str, typical_s: float | None, speed: float) -> float:
    """Run time: 0.4 s for the fastest models to 1.5 s for the slowest, varied by up to 15 %, divided by `speed`."""
    typical = 5.0 if typical_s is None else typical_s
    return (0.4 + 0.9 * typical / (typical + 12.0)) * (0.85 + 0.3 * repeatable_random(identifier, "run")) / speed
