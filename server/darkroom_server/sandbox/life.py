"""The life of a prediction: where it stands at a moment, computed from what is stored about it.

    created_at --queue--> started_at --run--> ended_at --link lifetime--> removed_at
    starting              processing          succeeded | failed | canceled | aborted    (data removed)

Weather moves these moments or changes the end; a cancel or a deadline cuts the life short where it falls.
"""

from dataclasses import dataclass, replace

from darkroom_server.sandbox.stored_prediction import StoredPrediction, repeatable_random
from darkroom_server.sandbox.weather import Weather

ODD_STATUS = "hibernating"  # a word that no document names
TIME_LIMIT_S = 1800.0
# weather -> the words of prediction.error; the codes are those seen in public reports, the order is by gravity.
_ERRORS = {
    "nsfw": "The input or output was flagged as sensitive. Please try again with different inputs. (E005)",
    "oom": "CUDA out of memory. The sandbox pretends that this image did not fit on its card.",
    "interrupted": "Prediction interrupted; please retry (code: PA)",
    "director": "Director: unexpected error handling prediction (E9828)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """Times in seconds since 1970; `end` is the last status. In a life that was cut short, later times never come."""

    created_at: float
    started_at: float
    ended_at: float
    removed_at: float
    end: str
    error: str = ""
    odd_until: float = 0.0
    stalls: bool = False
    is_empty: bool = False

    def status(self, now: float) -> str:
        if now >= self.ended_at:
            return self.end
        if now < self.started_at:
            return "starting"
        return ODD_STATUS if now < self.odd_until else "processing"

    def has_ended(self, now: float) -> bool:
        return now >= self.ended_at

    def is_removed(self, now: float) -> bool:
        return now >= self.removed_at

    def share(self, now: float) -> float:
        """How much of the run is done, 0 to 1."""
        done = min(1.0, max(0.0, (now - self.started_at) / max(self.ended_at - self.started_at, 1e-6)))
        return min(0.6, done * 400) if self.stalls else done

    @property
    def was_started(self) -> bool:
        return self.started_at < self.ended_at


def life_of(stored: StoredPrediction, weather: Weather, *, speed: float, link_lifetime_s: float) -> Life:
    """The whole life as it stands now; a later cancel gives another one."""
    life = _forecast(stored, weather, speed)
    life = _cut(life, stored.created_at + stored.cancel_after_s, "aborted") if stored.cancel_after_s else life
    life = _cut(life, stored.canceled_at, "canceled") if stored.canceled_at is not None else life
    return replace(life, removed_at=life.ended_at + weather.seconds("expired", link_lifetime_s))


def _forecast(stored: StoredPrediction, weather: Weather, speed: float) -> Life:
    queue = (0.01 + 0.05 * repeatable_random(stored.id, "queue")) / speed
    started = stored.created_at + weather.seconds("cold", queue)
    odd = weather.seconds("unknown", 0.0)
    run = odd + weather.seconds("slow", stored.run_s)
    life = Life(
        created_at=stored.created_at,
        started_at=started,
        ended_at=started + run,
        removed_at=0.0,
        end="succeeded",
        odd_until=started + odd,
        is_empty="empty" in weather,
    )
    return _troubled(life, weather, run)


def _troubled(life: Life, weather: Weather, run: float) -> Life:
    """The same life with its trouble, if it has one."""
    for name, error in _ERRORS.items():
        if name in weather:
            return replace(life, end="failed", error=error)
    if "abort" in weather:
        return replace(life, end="aborted", ended_at=life.started_at)
    if "cancel" in weather:
        return replace(life, end="canceled", ended_at=life.started_at + run / 2)
    if "stall" in weather:
        timeout = "Prediction timed out: it ran longer than 30 minutes. (sandbox)"
        return replace(life, end="failed", error=timeout, stalls=True, ended_at=life.started_at + TIME_LIMIT_S)
    return life


def _cut(life: Life, moment: float, before_start: str) -> Life:
    """Stop at `moment`: canceled if it was running by then, `before_start` if it was not."""
    if moment >= life.ended_at:
        return life
    end = "canceled" if moment >= life.started_at else before_start
    return replace(life, ended_at=moment, end=end, error="", started_at=min(life.started_at, moment))
