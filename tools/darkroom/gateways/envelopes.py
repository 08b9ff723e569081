"""What an answer of a gateway says, in whichever of the known envelopes it comes; pure functions over bytes.

Seen in documentation and recordings, checked 2026-11-20: the bare prediction; `{"data": {...}}`; `{"code": 200, "result":
{"task_id": ...}}`; RFC 7807 `{"title", "detail", "status"}`; `{"error": {"message", "type", "code", "param"}}` of new-api,
one-api and CometAPI; task relays `{"code", "message", "data"}`; an error body or an HTML page under HTTP 200.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, cast

from darkroom.gateways.words import clean_words
from darkroom.predictions import ID_PATTERN, Prediction, PredictionStatus, output_uris, parse_prediction

if TYPE_CHECKING:
    from darkroom.gateways.wire import Reply

_WRAPPERS = ("data", "result", "prediction")
_RESETS_IN = re.compile(r"(?:~|\bin\s+(?:about\s+)?)(\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?\b", re.IGNORECASE)
_BILLING = re.compile(r"replicate\.com|purchase credit", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')
_PAGE = re.compile(rb"\s*<(?:!doctype html|html|head|body)\b", re.IGNORECASE)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
_HTTP_STATUS = re.compile(r"[1-5][0-9]{2}")
_FRAGMENT_BYTES = 256 * 1024  # the id stands before the output wherever it was seen
_LONGEST_WAIT_S = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that is not what was asked for.

    `status` is what the body says where it differs from HTTP (a wrapped error under 200, an upstream status in `param`);
    `reason` the gateway's words, cleaned; `is_page` an HTML page, a sign of a wrong address.
    """

    http_status: int
    status: int
    code: str = ""
    reason: str = ""
    retry_after_s: float | None = None
    is_page: bool = False


def read_json(body: bytes) -> object:
    """The decoded body, None where it is not JSON. Of a key that comes twice the last one counts."""
    try:
        decoded: object = json.loads(body)
        return _whole_characters(decoded) if _SURROGATE.search(body) else decoded
    except (ValueError, RecursionError):
        return None


def prediction_in(decoded: object, known_id: str = "") -> Prediction | None:
    """The prediction in a decoded body, bare or wrapped; `known_id` is the id that was asked for, and then always its id.

    None where there is none: an error, a list, an answer without an id.
    """
    for candidate in _candidates(decoded):
        identifier = known_id or _text(candidate.get("id")) or _text(candidate.get("task_id"))
        is_prediction = "id" in candidate or "task_id" in candidate or isinstance(candidate.get("status"), str)
        if not identifier or not is_prediction:
            continue
        try:
            return parse_prediction({**candidate, "id": identifier})
        except (ValueError, RecursionError):  # nested without end
            continue
    return _finished_image_list(decoded, known_id)


def id_in_fragment(body: bytes) -> str:
    """The prediction's id in a JSON body that broke off; empty where it is not certain. Ids deeper down do not count."""
    depth = 0
    tokens = list(_TOKEN.finditer(body[:_FRAGMENT_BYTES].decode("utf-8", "replace")))
    for key, value in zip(tokens, tokens[1:], strict=False):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(key[0], 0)
        is_id = depth == 1 and key[0] == '"id"' and key.string[key.end() : value.start()].strip() == ":"
        if is_id and ID_PATTERN.fullmatch(value[0].strip('"')):
            return value[0].strip('"')
    return ""


def read_refusal(reply: "Reply", *, is_replicate: bool = False) -> Refusal:
    """What a gateway says instead of a prediction; Replicate's billing advice is dropped where the account is another's."""
    decoded = read_json(reply.body)
    body = _mapping(decoded) or {}
    error = _mapping(body.get("error")) or {}
    code = _text(error.get("code")) or _text(body.get("code")) or _text(error.get("type"))
    raw = _reason(body, error)
    is_page = decoded is None and bool(_PAGE.match(reply.body))
    if not raw and decoded is None:
        raw = reply.body[:5000].decode("utf-8", "replace")
    return Refusal(
        http_status=reply.status,
        status=_status(reply.status, body, error),
        code=code,
        reason=clean_words(raw if is_replicate else _without_billing(raw)),
        retry_after_s=_retry_after(body, error, reply.headers, raw),
        is_page=is_page,
    )


def uploaded_address(decoded: object) -> str:
    """Where an uploaded file can be read from; empty where the body does not say."""
    urls = _mapping((_mapping(decoded) or {}).get("urls")) or {}
    return _text(urls.get("get"))


def server_time(headers: Mapping[str, str]) -> datetime | None:
    """The gateway's own clock, from the Date header."""
    return _http_date(headers.get("date", ""))


def listed_predictions(decoded: object) -> tuple[Prediction, ...] | None:
    """The predictions of one list page, unreadable ones left out; None where the body is no list page."""
    results = (_mapping(decoded) or {}).get("results")
    if not isinstance(results, list):
        return None
    found = (prediction_in(item) for item in cast("list[object]", results))
    return tuple(prediction for prediction in found if prediction)


def next_query(decoded: object) -> str:
    """The query of a list's `next` address, which is all of it that is used; empty on the last page."""
    address = _text((_mapping(decoded) or {}).get("next"))
    return address.partition("?")[2].partition("#")[0]


def _whole_characters(value: object) -> object:
    """Half characters (`\\ud83d` alone) decode, but cannot be written to a file or a database."""
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_whole_characters(item) for item in cast("list[object]", value)]
    if (parts := _mapping(value)) is not None:
        return {_whole_characters(name): _whole_characters(part) for name, part in parts.items()}
    return value


def _candidates(decoded: object) -> Iterator[Mapping[str, object]]:
    if (body := _mapping(decoded)) is None:
        return
    yield body
    for name in _WRAPPERS:
        if (inner := _mapping(body.get(name))) is not None:
            yield inner


def _finished_image_list(decoded: object, known_id: str) -> Prediction | None:
    """An OpenAI-like `{"data": [{"url": ...}]}` answer to a look-up, which one gateway documents."""
    images = (_mapping(decoded) or {}).get("data")
    if not known_id or not isinstance(images, list) or not (output := output_uris(cast("object", images))):
        return None
    return Prediction(id=known_id, status=PredictionStatus.SUCCEEDED, output=output)


def _reason(body: Mapping[str, object], error: Mapping[str, object]) -> str:
    detail = body.get("detail")
    if isinstance(detail, list):
        items = [_mapping(item) or {"msg": item} for item in cast("list[object]", detail)]
        detail = "; ".join(text for item in items if (text := _text(item.get("msg")) or _text(item.get("description"))))
    sources = (error.get("message"), body.get("error"), detail, body.get("title"), body.get("message"))
    return next((text for source in sources if (text := _text(source))), "")


def _status(http_status: int, body: Mapping[str, object], error: Mapping[str, object]) -> int:
    """The body's own status where it carries an error one: an upstream's in `param`, or an error under HTTP 200."""
    if error.get("code") == "bad_response_status_code" and _HTTP_STATUS.fullmatch(_text(error.get("param"))):
        return int(_text(error.get("param")))
    if http_status >= 300:
        return http_status
    codes = (body.get("status"), body.get("code"), error.get("code"), error.get("status"))
    return next((code for code in codes if isinstance(code, int) and 400 <= code < 600), http_status)


def _retry_after(
    body: Mapping[str, object], error: Mapping[str, object], headers: Mapping[str, str], reason: str
) -> float | None:
    """The gateway's own time: in the body, else in the header (seconds or a date), else in the words."""
    for value in (body.get("retry_after"), error.get("retry_after")):
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(min(value, _LONGEST_WAIT_S))
    header = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", header):
        return min(float(header), _LONGEST_WAIT_S)
    until, now = _http_date(header), server_time(headers)
    if until and now:
        return min(max((until - now).total_seconds(), 0.0), _LONGEST_WAIT_S)
    found = _RESETS_IN.search(reason)
    return min(float(found[1]), _LONGEST_WAIT_S) if found else None


def _http_date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _without_billing(text: str) -> str:
    return " ".join(sentence for sentence in _SENTENCE_END.split(text) if not _BILLING.search(sentence))


def _mapping(value: object) -> Mapping[str, object] | None:
    return cast("Mapping[str, object]", value) if isinstance(value, Mapping) else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
