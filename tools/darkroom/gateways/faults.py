"""What the answer to a create means: refused, refused for load, or unknown; the error for it; why a prediction failed.

A create is sent again only where it certainly was not carried out, and called refused only where the status says so.

    the wire or the status                                    kind       error             sent again
    no byte of the request left (no connection, no name, TLS) unsent     GatewayUnreachable  yes
    429                                                       busy       GatewayBusy         yes
    400 401 402 403 404 405 413 422                           refused    by the next step    no
    a status and a code that the gateway's own documents      refused    RequestRefused      no
      pair as a refusal (`refusal_codes` in profiles.toml)
    2xx with a prediction, or the address of one; any status  created
      with a prediction that runs or has succeeded
    everything else                                           unknown    CreateUnresolved    never

"Everything else" is every other answer, with or without a time (stock Varnish answers 503 with `Retry-After` for a
create that was carried out, seen 2026-11-25), a 2xx that cannot be read, any fault of the wire once a byte has left.

It does not matter if the body is JSON, a page, empty or cut. A code or words under a refusal only say which refusal it
is: key, credit, content, model. One thing makes a refusal unknown: a reseller that passes it on, but says that its own
gateway answered with a status that is none. The codes and the sentences are data, in `faults.toml`.
"""

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from darkroom import errors
from darkroom.errors import CreateUnresolved, GatewayError, GatewayUnreachable, RequestRefused
from darkroom.gateways.envelopes import TOO_LONG, Refusal
from darkroom.gateways.keys import Key
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.words import clean_words, quoted

FailureKind = Literal["moderation", "transient", "too_large", "other"]
# One for each different next step.
Fault = Literal["key", "credit", "request", "content", "missing", "address", "busy", "unknown"]

_BY_STATUS: dict[int, Fault] = {
    **dict.fromkeys((400, 405, 413, 422), "request"),
    **dict.fromkeys((401, 403), "key"),
    402: "credit",
    404: "missing",
    429: "busy",
}
_AT_WRONG_ADDRESSES = frozenset({403, 404, 405})
_WITH_MODERATION = frozenset({400, 403, 422})
_MESSAGE_AT_MOST = 300
_QUOTED_AT_MOST = 130  # characters of the gateway's own words inside a message; `reason` holds all of them
_MODERATION = re.compile(
    r"\bE005\b|flagged as|sensitive (?:content|words?)|敏感|\bnsfw\b|moderation|content policy|safety system",
    re.IGNORECASE,
)
# In this order: moderated errors often say "please try again" too.
_FAILURES: dict[FailureKind, re.Pattern[str]] = {
    "moderation": _MODERATION,
    "too_large": re.compile(r"\bE1001\b|out of memory", re.IGNORECASE),
    "transient": re.compile(
        r"code: PA\b|interrupted|Director: unexpected error|\b(?:E004|E6716|E8765|E9243|E9828)\b", re.IGNORECASE
    ),
}


def classify(refusal: Refusal, gateway: Gateway) -> Fault:
    """What an answer without a prediction means for a create."""
    fault = _BY_STATUS.get(refusal.status)
    if fault is None or (refusal.upstream_status and refusal.upstream_status not in _BY_STATUS):
        is_documented = f"{refusal.status} {refusal.code}" in gateway.refusal_codes
        return "request" if is_documented else "unknown"
    by_code: Fault = _table()["codes"].get(refusal.code, fault)
    if fault == "busy":
        return "credit" if by_code == "credit" else fault
    if refusal.instead and refusal.status in _AT_WRONG_ADDRESSES:
        return "address"
    if by_code == fault and refusal.status in _WITH_MODERATION and _MODERATION.search(refusal.reason):
        return "content"
    return by_code


def create_refused(refusal: Refusal, gateway: Gateway, key: Key, model: str) -> GatewayError:
    """The error for an answer to a create; only CreateUnresolved leaves open whether something was started."""
    fault = classify(refusal, gateway)
    case: str = fault
    if fault == "unknown" and refusal.instead:
        case = "unknown_at_wrong_address"
    elif fault == "unknown" and refusal.is_page and refusal.status < 400:
        case = "unknown_page"
    return _error("create", case, refusal, gateway, key, model)


def look_up_refused(refusal: Refusal, gateway: Gateway, key: Key, subject: str) -> GatewayError:
    """The error for an answer to anything but a create."""
    if refusal.is_too_long:
        return _error("look_up", "too_long", refusal, gateway, key, subject)
    fault = classify(refusal, gateway)
    is_misread = refusal.status < 400 or fault == "address" or (refusal.status == 404 and not refusal.is_missing)
    return _error("look_up", "address" if is_misread else fault, refusal, gateway, key, subject)


def create_unanswered(gateway: Gateway, words: str, *, is_unsent: bool) -> GatewayError:
    if is_unsent:
        return look_up_unanswered(gateway, words, "Nothing was started. ")
    return CreateUnresolved(
        f"Possibly created and billed: the request went to gateway '{gateway.name}', but {words}. "
        "Do not start it again before that is settled.",
        gateway=gateway.name,
    )


def look_up_unanswered(gateway: Gateway, words: str, consequence: str = "") -> GatewayUnreachable:
    return GatewayUnreachable(
        f"Gateway '{gateway.name}' at {gateway.origin} cannot be reached ({words}). {consequence}Try again later.",
        gateway=gateway.name,
    )


def not_offered(gateway: Gateway, what: str) -> RequestRefused:
    """For what the profile does not promise; nothing was sent."""
    return RequestRefused(f"Gateway '{gateway.name}' {what}. Nothing was sent.", gateway=gateway.name)


def _error(
    occasion: Literal["create", "look_up"], case: str, refusal: Refusal, gateway: Gateway, key: Key, subject: str
) -> GatewayError:
    row = (_table()["both"] | _table()[occasion])[case]
    kind: type[GatewayError] = getattr(errors, row["error"])
    sentence: str = row["says"]
    fields = {
        "who": f"Gateway '{gateway.name}'",
        "status": refusal.status,
        "key": f"the key from {key.variable}" if key.variable else "the call, for which no key is set",
        "instead": refusal.instead or "something",
        "address": gateway.base_url[:80],
        "subject": clean_words(subject, 60),
        "too_long": TOO_LONG,
        "when": _when(refusal.retry_after_s),
    }
    room = _MESSAGE_AT_MOST - len(sentence.format(**fields, quote=': ""'))
    # The sentence brings its own full stop.
    said = "" if refusal.instead else quoted(refusal.reason.rstrip(". "), min(max(room, 0), _QUOTED_AT_MOST))
    message = sentence.format(**fields, quote=f": {said}" if said else "")
    error = kind(
        message, gateway=gateway.name, status=refusal.status, reason=refusal.reason, retry_after_s=refusal.retry_after_s
    )
    error.request_id, error.invalid_fields = refusal.request_id, refusal.invalid_fields
    return error


def _when(retry_after_s: float | None) -> str:
    if retry_after_s is None:
        return ""
    return " in a moment" if retry_after_s < 1 else f" in {retry_after_s:.0f} s"


@cache
def _table() -> dict[str, dict[str, Any]]:
    return tomllib.loads(files("darkroom.gateways").joinpath("faults.toml").read_text(encoding="utf-8"))


def failure_kind(error_text: str) -> FailureKind:
    """Why a prediction failed: "transient" ones are worth one more try with the same input, the others are not."""
    kinds: list[FailureKind] = [kind for kind, pattern in _FAILURES.items() if pattern.search(error_text)]
    return kinds[0] if kinds else "other"
