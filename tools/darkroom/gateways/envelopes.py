"""What an answer of a gateway says, in whichever of the known envelopes it comes; pure functions, none of which raises.

Seen in documentation and recordings, checked 2026-11-20: the bare prediction; `{"data": {...}}`; `{"code": 200,
"result": {"task_id": ...}}`; RFC 7807 `{"title", "detail", "status"}`; `{"error": {"message", "type", "code",
"param"}}` of new-api, one-api and CometAPI; task relays `{"code", "message", "data"}`; an error or page under HTTP 200.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from email.utils import parsedate_to_datetime

from darkroom.gateways.replies import MAX_REPLY_BYTES, Reply, fields_in_fragment, read_json
from darkroom.gateways.words import clean_words
from darkroom.predictions import (
    ID_PATTERN,
    RUNNING,
    Prediction,
    PredictionStatus,
    items_in,
    mapping_in,
    output_uris,
    parse_prediction,
    parse_time,
    text_in,
    usable_id,
)

_WRAPPERS = ("data", "result", "prediction")
# One of these makes a prediction; a `status` alone does not, for an error body may have one too.
_FIELDS = frozenset({"id", "task_id", "output", "input", "model", "logs", "metrics", "created_at"})
_RESETS_IN = re.compile(r"(?:~|\bin\s+(?:about\s+)?)(\d+(?:\.\d+)?)\s*s(?:ec(?:ond)?s?)?\b", re.IGNORECASE)
_BILLING = re.compile(r"replicate\.com|purchase credit", re.IGNORECASE)
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")
_HTTP_STATUS = re.compile(r"[1-5][0-9]{2}")
_FIELD_IN_WORDS = re.compile(r"^(\S{1,100}) is required|Additional property (\S{1,100}) is not allowed")
_FIELD = re.compile(r"\w[\w-]{0,99}", re.ASCII)
_MOST_FIELDS = 50
_PICTURE_LINK = re.compile(r"https?://[^/]+/\S+\.(?:webp|png|jpe?g|svg|gif|avif)(?:\?\S*)?", re.IGNORECASE)
_ADDRESS = re.compile(r"[^?#]*/predictions/([A-Za-z0-9_-]{1,64})/?(?:[?#].*)?")
_MADE = frozenset({*RUNNING, PredictionStatus.SUCCEEDED})
_SHORT_ID = 8  # characters below which a number may be anything, a code of an error above all
# The words of one-api and new-api for an address that they do not serve (their relay code, checked 2026-11-25).
_NO_SUCH_PATH = "Invalid URL ("
_TEXT_BEGINS = 100
_READ_AT_MOST = 20_000  # characters of a reason, and items of a list of reasons
_LONGEST_WAIT_S = 3600.0
TOO_LONG = f"Its answer is longer than {MAX_REPLY_BYTES // 2**20} MiB and was not read to its end."


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer that is not what was asked for.

    `reason` is in the gateway's words, cleaned; `upstream_status` what it says that its own gateway answered, else 0.
    `instead` names what came where JSON was expected ("a web page"), a sign of a wrong address; it is empty where the
    address has given JSON before. `is_missing`: the gateway itself, and no page, does not know what was asked for.
    `request_id` is its name of the call, `invalid_fields` the inputs that it names as wrong.
    """

    status: int
    code: str = ""
    reason: str = ""
    retry_after_s: float | None = None
    upstream_status: int = 0
    instead: str = ""
    is_page: bool = False
    is_missing: bool = False
    is_too_long: bool = False
    request_id: str = ""
    invalid_fields: tuple[str, ...] = ()


def prediction_in(decoded: object, known_id: str = "", origin: str = "") -> Prediction | None:
    """The prediction in a decoded body, bare or wrapped. Where an id was asked for, `known_id`, it has that id.

    None where there is none: an error, a list, an answer without an id.
    """
    for candidate in _candidates(decoded):
        identifier = known_id or usable_id(candidate.get("id")) or usable_id(candidate.get("task_id"))
        is_bare = "status" not in candidate and not (known_id or candidate.get("output"))
        is_error = "status" not in candidate and bool(candidate.get("error"))
        is_error = is_error or (is_bare and len(identifier) < _SHORT_ID)
        if not identifier or is_error or _FIELDS.isdisjoint(candidate):
            continue
        try:
            return parse_prediction({**candidate, "id": identifier}, origin)
        except ValueError:
            continue
    return _finished_image_list(decoded, known_id, origin)


def read_prediction(body: bytes) -> Prediction | None:
    """The prediction in bytes that the gateway has sent by itself; None where they are none."""
    return prediction_in(read_json(body))


def created_prediction(reply: Reply, name: str = "") -> Prediction | None:
    """The prediction that a create made; None where no id is certain.

    Whatever the status, what is said to run or to have succeeded was created, unless a refusal says why. The id
    may stand only in the address of the prediction. What has an output and no id at all gets the id `name`: it has
    ended, and is not asked for.
    """
    is_success = 200 <= reply.status < 300
    made = prediction_in(reply.decoded, origin=reply.origin)
    if made and not is_success and (made.status not in _MADE or (reply.status < 500 and _says_why(reply))):
        return None
    if made is None and (is_success or reply.status == 303):
        named = _id_in_address(reply)
        made = prediction_in(reply.decoded, named, reply.origin) if named else None
        made = made or (Prediction(id=named) if named else None)
    if made is None and is_success and reply.decoded is None:
        made = identified_prediction(reply.body)
    if made is None and is_success and name and not any("id" in each for each in _candidates(reply.decoded)):
        ended = prediction_in(reply.decoded, name, reply.origin)
        made = ended if ended and ended.status is PredictionStatus.SUCCEEDED and ended.output else None
    return made and replace(made, request_id=_request_id(reply))


def _id_in_address(reply: Reply) -> str:
    """The id at the end of `urls.get` or of `Location`, of which nothing else is used."""
    urls = [mapping_in(each.get("urls")) or {} for each in _candidates(reply.decoded)]
    addresses = (*(text_in(each.get("get")) for each in urls), reply.headers.get("location", ""))
    return next((found[1] for each in addresses if (found := _ADDRESS.fullmatch(each))), "")


def identified_prediction(body: bytes) -> Prediction | None:
    """A created prediction of which only the id can be read, as in a body that broke off after it."""
    identifier = fields_in_fragment(body).get("id", "")
    return Prediction(id=identifier) if ID_PATTERN.fullmatch(identifier) else None


def is_whole(prediction: Prediction, image_count: int) -> bool:
    """Whether it shows as many outputs as were asked for, each a link to a picture that is not cut off."""
    return 0 < image_count == len(prediction.output) and all(map(_PICTURE_LINK.fullmatch, prediction.output))


def ended(prediction: Prediction, took_s: float) -> Prediction:
    """The success that it is. A held answer brings no figures: its outputs are counted, and `took_s` is its time."""
    given, count = prediction.metrics, len(prediction.output)
    metrics = replace(
        given,
        total_s=given.total_s or took_s,
        image_count=count,
        counts={"image_output_count": float(count), **given.counts},
    )
    return replace(prediction, status=PredictionStatus.SUCCEEDED, metrics=metrics)


def seen_prediction(reply: Reply, known_id: str) -> Prediction | None:
    """The prediction in the answer to a look-up; of an answer that is too long only its end, where that is readable.

    So much output comes only at the end, where its status may stand behind it.
    """
    if found := prediction_in(reply.decoded, known_id, reply.origin):
        return found
    fields = fields_in_fragment(reply.body) if reply.is_too_long else {}
    status = PredictionStatus.parse(fields.get("status", "succeeded" if "output" in fields else None))
    return Prediction(id=known_id, status=status, error=TOO_LONG) if status.is_terminal else None


def read_refusal(reply: Reply, *, is_replicate: bool, has_given_json: bool) -> Refusal:
    """What a gateway says instead of a prediction.

    Replicate's billing advice is dropped where the account is another's. `has_given_json`: the address did so before.
    """
    body = mapping_in(reply.decoded) or {}
    error = mapping_in(body.get("error")) or {}
    upstream = text_in(error.get("param")) if error.get("code") == "bad_response_status_code" else ""
    raw = _reason(body, error)[:_READ_AT_MOST]
    if not raw and reply.decoded is None:
        raw = reply.body[:_READ_AT_MOST].decode("utf-8", "replace")
        raw = "" if "\0" in raw[:_TEXT_BEGINS] else raw  # an image, say
    without_billing = " ".join(sentence for sentence in _SENTENCE_END.split(raw) if not _BILLING.search(sentence))
    instead = _instead(reply, raw, has_given_json=has_given_json)
    return Refusal(
        status=reply.status,
        code=text_in(error.get("code")) or text_in(body.get("code")) or text_in(error.get("type")),
        reason=clean_words(raw if is_replicate else without_billing),
        retry_after_s=_retry_after(body, error, reply.headers, raw),
        upstream_status=int(upstream) if _HTTP_STATUS.fullmatch(upstream) else 0,
        instead=instead,
        is_page=reply.decoded is None and reply.body.lstrip().startswith(b"<"),
        is_missing=reply.status == 404 and not instead and (reply.decoded is not None or not reply.body.strip()),
        is_too_long=reply.is_too_long,
        request_id=_request_id(reply),
        invalid_fields=tuple(_invalid_fields(body)),
    )


def _invalid_fields(body: Mapping[str, object]) -> Iterator[str]:
    """Replicate names the input, or the whole and then the input in words (recorded answers, 2026-11-20).

    What is no name of an input is left out: answers repeat these.
    """
    for each in items_in(body.get("invalid_fields"))[:_MOST_FIELDS]:
        fault = mapping_in(each) or {}
        place, said = text_in(fault.get("field")), _FIELD_IN_WORDS.search(text_in(fault.get("description")))
        name = place.split(".")[1] if place.startswith("input.") else (said[1] or said[2]) if said else ""
        if _FIELD.fullmatch(name):
            yield name


def uploaded_address(reply: Reply) -> str | None:
    """Where an uploaded file can be read from; None where the body does not say."""
    urls = mapping_in((mapping_in(reply.decoded) or {}).get("urls")) or {}
    return next(iter(output_uris(urls.get("get"))), None)


def account_name(reply: Reply) -> str | None:
    """`user/ada`: at most 60 characters, the same each time, empty for no name; None where the body is no account."""
    body = mapping_in(reply.decoded)
    if body is None:
        return None
    return clean_words(f"{text_in(body.get('type'))}/{name}", 60) if (name := text_in(body.get("username"))) else ""


def plain_name(value: object) -> str:
    """A name that a gateway gives to a call, as it is; empty where it is none."""
    return value if isinstance(value, str) and _REQUEST_ID.fullmatch(value) else ""


def _request_id(reply: Reply) -> str:
    """one-api and new-api name each call (their middleware, checked 2026-11-25)."""
    return plain_name(reply.headers.get("x-oneapi-request-id", "").strip())


def _candidates(decoded: object) -> list[Mapping[str, object]]:
    """The objects that may be the prediction, those with a status first: an envelope can have an id of its own."""
    body = mapping_in(decoded) or {}
    inner = [mapping_in(body.get(name)) for name in _WRAPPERS]
    return sorted([body, *filter(None, inner)], key=lambda candidate: "status" not in candidate)


def _finished_image_list(decoded: object, known_id: str, origin: str) -> Prediction | None:
    """An OpenAI-like `{"data": [{"url": ...}]}` answer, which one gateway documents."""
    body = mapping_in(decoded) or {}
    output = () if body.get("error") else output_uris(items_in(body.get("data")), origin)
    return Prediction(id=known_id, status=PredictionStatus.SUCCEEDED, output=output) if known_id and output else None


def _instead(reply: Reply, raw: str, *, has_given_json: bool) -> str:
    if reply.status == 404 and raw.startswith(_NO_SUCH_PATH):
        return "'Invalid URL'"
    if reply.decoded is not None or has_given_json:
        return ""
    if 300 <= reply.status < 400:
        return "a redirect"
    return "a web page" if reply.body.lstrip().startswith(b"<") else ""


def _says_why(reply: Reply) -> bool:
    body = mapping_in(reply.decoded) or {}
    return bool(body.get("error") or _reason(body, {}))


def _reason(body: Mapping[str, object], error: Mapping[str, object]) -> str:
    items = [mapping_in(item) or {"msg": item} for item in items_in(body.get("detail"))[:_READ_AT_MOST]]
    told = (text_in(item.get("msg")) or text_in(item.get("description")) for item in items)
    detail = "; ".join(filter(None, told)) or body.get("detail")
    sources = (error.get("message"), body.get("error"), detail, body.get("title"), body.get("message"))
    return next((text for source in sources if (text := text_in(source))), "")


def _retry_after(
    body: Mapping[str, object], error: Mapping[str, object], headers: Mapping[str, str], reason: str
) -> float | None:
    """The gateway's own time, at most an hour: from the body, else the header (seconds or a date), else the words."""
    for value in (body.get("retry_after"), error.get("retry_after")):
        if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0:
            return float(min(value, _LONGEST_WAIT_S))
    header = headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d+(\.\d+)?", header):
        return min(float(header), _LONGEST_WAIT_S)
    until, now = http_date(header), http_date(headers.get("date", ""))
    if until and now:
        return min(max((until - now).total_seconds(), 0.0), _LONGEST_WAIT_S)
    found = _RESETS_IN.search(reason)
    return min(float(found[1]), _LONGEST_WAIT_S) if found else None


def http_date(text: str) -> datetime | None:
    """None for what is no date, and for one that cannot be computed with."""
    try:
        return parse_time(parsedate_to_datetime(text).isoformat())
    except (ValueError, TypeError, LookupError, ArithmeticError):
        return None
