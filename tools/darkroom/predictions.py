"""The prediction as the format gives it, read leniently: only `id` is certain, everything else may be missing or odd.

Whatever a gateway sends, a prediction holds only dates, numbers and texts that can be computed with and written down:
an odd value becomes None or empty, an endless one is cut.

Facts and their sources: Replicate's OpenAPI description and recorded answers of five gateways, checked 2026-11-20.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from itertools import islice
from typing import cast
from urllib.parse import quote

from pydantic import JsonValue

from darkroom.uris import is_data_uri, is_web_url

ID_PATTERN = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_LEVELS = 100  # of lists and objects inside each other
_MOST_OUTPUTS = 100
_MOST_IMAGES = 10_000
_GREATEST_FIGURE = 1e6
_LONGEST_URL, _LONGEST_ERROR, _LONGEST_LOGS, _LONGEST_WORD = 8_000, 5_000, 100_000, 64
_GREATEST_INTEGER = 2**63
_YEARS = range(2000, 2101)
_MOST_FIGURES = 40
_FIGURE_NAME = re.compile(r"[a-z][a-z0-9_]{0,63}")
_FIGURE_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,63}")
_OWN_FIELDS = frozenset({"predict_time", "total_time", "image_count"})
_FRACTION = re.compile(r"(\.\d{6})\d+")
_PLAIN_REST = re.compile(r"[A-Za-z0-9/:?#\[\]@!$&()*+,;=%._~-]*")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@+-]{0,199}")
_PATH_OF_PICTURE = re.compile(r"/(?!/)\S*\.(?:webp|png|jpe?g|svg|gif|avif)(?:\?\S*)?", re.IGNORECASE)
# PNG, JPEG, WebP and GIF begin so.
_IN_BASE64, _SHORTEST_BASE64 = ("iVBORw0KGgo", "/9j/", "UklGR", "R0lGOD"), 90
_BASE64 = re.compile(r"[A-Za-z0-9+/_\s-]++={0,2}\s*")
# Spellings seen at gateways that re-wrap the format.
_OTHER_SPELLINGS = {
    "cancelled": "canceled",
    **dict.fromkeys(("success", "completed", "complete", "finished", "done", "ready"), "succeeded"),
    **dict.fromkeys(("error", "failure", "errored", "rejected"), "failed"),
    **dict.fromkeys(("in_progress", "running", "generating", "rendering"), "processing"),
    **dict.fromkeys(("queued", "in_queue", "pending", "submitted", "created", "waiting"), "starting"),
}


class PredictionStatus(StrEnum):
    """The six statuses of the format, and UNKNOWN for any other word (which is polled on, never taken as an end)."""

    STARTING = "starting"
    PROCESSING = "processing"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELED = "canceled"
    ABORTED = "aborted"
    UNKNOWN = "unknown"

    @property
    def is_terminal(self) -> bool:
        return self in ("succeeded", "failed", "canceled", "aborted")

    @classmethod
    def parse(cls, word: object) -> "PredictionStatus":
        """Accept any case and the spellings of gateways that re-wrap the format."""
        text = word.strip().lower() if isinstance(word, str) and len(word) <= _LONGEST_WORD else ""
        text = _OTHER_SPELLINGS.get(text, text)
        return _STATUSES.get(text, cls.UNKNOWN)


_STATUSES = {status.value: status for status in PredictionStatus}
SAME_ID_AGAIN = "~"  # stands, with a number from 2, behind an id that the journal has from elsewhere
_ID_IN_JOURNAL = re.compile(rf"{ID_PATTERN.pattern}(?:{SAME_ID_AGAIN}[0-9]+)?")
RUNNING = frozenset({PredictionStatus.STARTING, PredictionStatus.PROCESSING})


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """Seconds and counts, each None where the gateway does not say.

    `counts` and `words` are its other figures by name, among them those by which official models are billed, such as
    image_output_count 1 or resolution_target "2K".
    """

    predict_s: float | None = None
    queue_s: float | None = None
    total_s: float | None = None
    image_count: int | None = None
    counts: Mapping[str, float] = field(default_factory=dict[str, float])
    words: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One run of a model. `output` is always a tuple of URIs, in the model's order, empty where there is none.

    `request_id` is the gateway's own name of the create, by which its log names it; only the answer to a create has it.
    """

    id: str
    status: PredictionStatus = PredictionStatus.STARTING
    model: str = ""
    version: str = ""
    input: dict[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    output: tuple[str, ...] = ()
    error: str = ""
    logs: str = ""
    metrics: Metrics = Metrics()
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    is_data_removed: bool = False
    request_id: str = ""


def parse_prediction(body: Mapping[str, object], origin: str = "") -> Prediction:
    """Read one prediction object; `origin` is where an output lies that is only a path.

    At most 100 outputs, each a data URI or a URL of at most 8,000 characters; the last 100,000 characters of the logs.

    Raises: ValueError where there is no usable `id`.
    """
    identifier = body.get("id")
    if not isinstance(identifier, str) or not _ID_IN_JOURNAL.fullmatch(identifier):
        raise ValueError("prediction without a usable id")
    created, started, completed = (parse_time(body.get(f"{word}_at")) for word in ("created", "started", "completed"))
    sent = plain_json(body.get("input"))
    output, error = output_uris(body.get("output"), origin), _error_text(body.get("error"))
    status = PredictionStatus.parse(body.get("status"))
    is_own_word = body.get("status") != status.value  # "done", say, which is said of either end
    if is_own_word and status is PredictionStatus.SUCCEEDED and error and not output:
        status = PredictionStatus.FAILED
    return Prediction(
        id=identifier,
        status=status,
        model=_name(body.get("model")),
        version=_name(body.get("version")),
        input=sent if isinstance(sent, dict) else {},
        output=output,
        error=error,
        logs=text_in(body.get("logs"))[-_LONGEST_LOGS:],
        metrics=_metrics(body.get("metrics"), created, started, completed),
        created_at=created,
        started_at=started,
        completed_at=completed,
        is_data_removed=body.get("data_removed") is True,
    )


def usable_id(value: object) -> str:
    """An id that can stand in addresses and names of files, empty where it is none; some gateways count."""
    text = str(value) if type(value) is int and value > 0 else value.strip() if isinstance(value, str) else ""
    return text if ID_PATTERN.fullmatch(text) else ""


def id_at_gateway(prediction_id: str) -> str:
    """The id that its gateway knows, of one in the journal: `p1` of `p1~2`."""
    return prediction_id.partition(SAME_ID_AGAIN)[0]


def plain_json(value: object, levels: int = MOST_LEVELS) -> JsonValue:
    """The value as JSON that can be written anywhere: below `levels` levels, and for odd numbers, it says null."""
    if isinstance(value, str):
        return text_in(value)
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, int):
        return value if abs(value) < _GREATEST_INTEGER else None
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if levels and (parts := mapping_in(value)) is not None:
        return {text_in(name): plain_json(part, levels - 1) for name, part in parts.items()}
    if levels and isinstance(value, list):
        return [plain_json(item, levels - 1) for item in cast("list[object]", value)]
    return None


def output_uris(output: object, origin: str = "") -> tuple[str, ...]:
    """The first hundred http(s) and data URIs in an output of any shape, in order, as one plain word each.

    A picture in bare base64 becomes a data URI; with an `origin` the path of a picture becomes its URL.
    """
    return tuple(islice(_uris(output, MOST_LEVELS, origin), _MOST_OUTPUTS))


def _uris(output: object, levels: int, origin: str) -> Iterator[str]:
    if isinstance(output, str):
        if is_data_uri(output) or (len(output) <= _LONGEST_URL and is_web_url(output)):
            yield _plain_uri(output)
        elif origin and len(output) <= _LONGEST_URL and _PATH_OF_PICTURE.fullmatch(output):
            yield _plain_uri(origin + output)
        elif output.startswith(_IN_BASE64) and len(output) > _SHORTEST_BASE64 and _BASE64.fullmatch(output):
            yield f"data:;base64,{output}"
    elif levels and isinstance(output, Mapping | list):
        parts = cast("Mapping[str, object] | list[object]", output)
        values = list(parts.values()) if isinstance(parts, Mapping) else parts
        if isinstance(parts, Mapping) and any(map(_is_uri, values)):
            # The rest says of the same picture where else it lies, or holds it once more.
            values = [value for value in values if not isinstance(value, str) or _is_uri(value)]
        for part in values:
            yield from _uris(part, levels - 1, origin)


def _is_uri(value: object) -> bool:
    return isinstance(value, str) and (is_data_uri(value) or is_web_url(value))


def _plain_uri(uri: str) -> str:
    """The URI as one word; blanks, quotation marks and hidden characters stand in it percent-encoded."""
    scheme, colon, rest = uri.strip().partition(":")
    is_plain = rest.isascii() if scheme.lower() == "data" else _PLAIN_REST.fullmatch(rest)
    return scheme.lower() + colon + (rest if is_plain else quote(rest, safe="/:?#[]@!$&()*+,;=%~", errors="replace"))


def parse_time(stamp: object) -> datetime | None:
    """RFC 3339 with 0 to 9 fractional digits to an aware datetime; None for what is unreadable or not of 2000..2100."""
    if not isinstance(stamp, str) or len(stamp) > _LONGEST_WORD:
        return None
    try:
        moment = datetime.fromisoformat(_FRACTION.sub(r"\1", stamp.strip()))
    except ValueError:
        return None
    if moment.year not in _YEARS:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _metrics(raw: object, created: datetime | None, started: datetime | None, completed: datetime | None) -> Metrics:
    """Take what the gateway measured; fill queue and total from the timestamps where they make sense."""
    given = mapping_in(raw) or {}
    count = given.get("image_count")
    named = ((name, value) for name, value in given.items() if _FIGURE_NAME.fullmatch(name) and name not in _OWN_FIELDS)
    figures = dict(islice(named, _MOST_FIGURES))
    counts = {name: _figure(value) for name, value in figures.items()}
    return Metrics(
        predict_s=_figure(given.get("predict_time")),
        queue_s=_seconds_between(created, started),
        total_s=_figure(given.get("total_time")) or _seconds_between(created, completed),
        image_count=count if type(count) is int and 0 <= count <= _MOST_IMAGES else None,
        counts={name: count for name, count in counts.items() if count is not None},
        words={name: word for name, word in figures.items() if isinstance(word, str) and _FIGURE_WORD.fullmatch(word)},
    )


def _seconds_between(earlier: datetime | None, later: datetime | None) -> float | None:
    """`started_at` can precede `created_at` by up to 0.8 s in recorded answers; that is no wait."""
    return _figure(max(0.0, (later - earlier).total_seconds())) if earlier and later else None


def _figure(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if 0 <= value < _GREATEST_FIGURE else None


def text_in(value: object) -> str:
    """A text that files and databases take: half a surrogate pair and NUL, which JSON can hold, are replaced."""
    if not isinstance(value, str):
        return ""
    text = value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")


def _name(value: object) -> str:
    """A valid model or version name, else empty: these names stand in answers, and a sentence has no place there."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else ""


def _error_text(error: object) -> str:
    parts = mapping_in(error)
    said = [parts.get(key) for key in ("message", "detail", "code")] if parts is not None else [error]
    return next((text.strip()[:_LONGEST_ERROR] for each in said if (text := text_in(each))), "")


def mapping_in(value: object) -> Mapping[str, object] | None:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None


def items_in(value: object) -> list[object]:
    """The list, empty where it is none."""
    return cast("list[object]", value) if isinstance(value, list) else []
