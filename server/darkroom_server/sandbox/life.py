"""A prediction: what is stored about it, and what follows from that and the clock.

    created_at --queue--> started_at --run--> ended_at --link lifetime--> removed_at
    starting              processing          succeeded | failed | canceled | aborted    (data removed)

Weather moves these moments or changes the end; a cancel or a deadline cuts the life short where it falls.
"""

import hashlib
from dataclasses import dataclass, replace

from pydantic import JsonValue

from darkroom.registry import Model
from darkroom_server.sandbox.output_spec import MIME_TYPES, format_of, image_count
from darkroom_server.sandbox.weather import CONDITIONS, Weather, weather_of

ODD_STATUS = "hibernating"  # a word that no document names
TIME_LIMIT_S = 1800.0
_LINK_LIFETIME_S = 3600.0
_BY_GRAVITY = ("nsfw", "oom", "interrupted", "director", "abort", "cancel", "stall")  # the first of them decides


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPrediction:
    """`created_at` and `canceled_at` are seconds since 1970. `version` is what the create named, "" for a model path.

    `cancel_after_s` is the deadline that the create asked for, 0 for none. `run_s` is the run time without weather.
    `output_px` (pixels of each output) and `input_megapixels` (of all input images, each rounded up) are counted only
    for models that are billed by them.
    """

    id: str
    model: str
    version: str
    input: dict[str, JsonValue]
    created_at: float
    run_s: float
    canceled_at: float | None = None
    cancel_after_s: float = 0.0
    output_px: int = 0
    input_megapixels: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A stored prediction with its model, the weather that its prompt asks for, and its life as it stands now.

    Times are seconds since 1970; `end` is the last status. In a life that was cut short, later times never come.
    """

    stored: StoredPrediction
    model: Model
    weather: Weather
    started_at: float
    ended_at: float
    removed_at: float = 0.0
    end: str
    error: str

    def status(self, now: float) -> str:
        if now >= self.ended_at:
            return self.end
        if now < self.started_at:
            return "starting"
        return ODD_STATUS if now < self.started_at + self.weather.seconds("unknown", 0.0) else "processing"

    def has_ended(self, now: float) -> bool:
        return now >= self.ended_at

    def share(self, now: float) -> float:
        """How much of the run is done, 0 to 1."""
        done = min(1.0, max(0.0, (now - self.started_at) / max(self.ended_at - self.started_at, 1e-6)))
        return min(0.6, done * 400) if self.stalls else done

    @property
    def stalls(self) -> bool:
        return self.error == CONDITIONS["stall"].error

    @property
    def is_good(self) -> bool:
        """Whether it ends with output."""
        return self.end == "succeeded" and "empty" not in self.weather

    @property
    def seed(self) -> int:
        """The seed that the input names, else one that follows from the id."""
        given = self.stored.input.get(self.model.concepts.seed)
        if isinstance(given, int) and not isinstance(given, bool):
            return given
        return int(repeatable_random(self.stored.id, "seed") * 100_000)

    @property
    def output_count(self) -> int:
        """How many images it ends with."""
        asked = image_count(self.model, self.stored.input)
        return max(1, asked - 1) if "partial" in self.weather else asked

    @property
    def output_names(self) -> list[str]:
        """File names of the outputs: `output.png` for models of one image, `out-0.png` on for the others."""
        ending = format_of(self.model, self.stored.input)
        if self.model.output.kind == "uri":
            return [f"output.{ending}"]
        return [f"out-{index}.{ending}" for index in range(self.output_count)]

    @property
    def mime_type(self) -> str:
        return MIME_TYPES[format_of(self.model, self.stored.input)]

    def shaped(self, uris: list[str]) -> str | list[str]:
        """One string or a list, as the model's schema says."""
        return uris[0] if self.model.output.kind == "uri" else uris


def foretold(stored: StoredPrediction, model: Model, *, speed: float) -> Prediction:
    """The prediction with its whole life as it stands now; a later cancel gives another one."""
    weather = weather_of(model, stored.input)
    queue = (0.01 + 0.05 * repeatable_random(stored.id, "queue")) / speed
    started = stored.created_at + weather.seconds("cold", queue)
    run = weather.seconds("unknown", 0.0) + weather.seconds("slow", stored.run_s)
    trouble = next((name for name in _BY_GRAVITY if name in weather), "")
    ended = started + {"abort": 0.0, "cancel": run / 2, "stall": TIME_LIMIT_S}.get(trouble, run)
    whole = Prediction(
        stored=stored,
        model=model,
        weather=weather,
        started_at=started,
        ended_at=ended,
        end=CONDITIONS[trouble].end if trouble else "succeeded",
        error=CONDITIONS[trouble].error if trouble else "",
    )
    if stored.cancel_after_s:
        whole = _cut(whole, stored.created_at + stored.cancel_after_s, "aborted")
    if stored.canceled_at is not None:
        whole = _cut(whole, stored.canceled_at, "canceled")
    return replace(whole, removed_at=whole.ended_at + weather.seconds("expired", _LINK_LIFETIME_S))


def _cut(whole: Prediction, moment: float, before_start: str) -> Prediction:
    """Stop at `moment`: canceled if it was running by then, `before_start` if it was not."""
    if moment >= whole.ended_at:
        return whole
    end = "canceled" if moment >= whole.started_at else before_start
    return replace(whole, ended_at=moment, end=end, error="", started_at=min(whole.started_at, moment))


def repeatable_random(identifier: str, purpose: str) -> float:
    """A number from 0 to 1, the same for the same prediction and purpose."""
    digest = hashlib.sha256(f"{identifier}|{purpose}".encode()).digest()
    return int.from_bytes(digest[:6], "big") / (1 << 48)


def usual_run_s(identifier: str, typical_s: float | None, speed: float) -> float:
    """Run time: 0.4 s for the fastest models to 1.5 s for the slowest, varied by up to 15 %, divided by `speed`."""
    typical = 5.0 if typical_s is None else typical_s
    return (0.4 + 0.9 * typical / (typical + 12.0)) * (0.85 + 0.3 * repeatable_random(identifier, "run")) / speed
