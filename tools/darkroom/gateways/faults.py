"""What the answer to a create means: refused, refused for load, or unknown; and why a prediction failed.

A create is sent again only where it certainly was not carried out, and called refused only where the status says so.

    the wire or the status                                    kind       error             sent again
    no byte of the request left (no connection, no name, TLS) unsent     GatewayUnreachable  yes
    429                                                       busy       GatewayBusy         yes
    400 401 402 403 404 405 413 422                           refused    by the next step    no
    a status and a code that the gateway's own documents      refused    RequestRefused      no
      pair as a refusal (`refusal_codes` in profiles.toml)
    2xx with a prediction                                     created
    everything else                                           unknown    CreateUnresolved    never

"Everything else" is every other status, with or without a time (stock Varnish answers 503 with `Retry-After` for a
create that was carried out, seen 2026-11-25), a 2xx that cannot be read, any fault of the wire once a byte has left.

It does not matter if the body is JSON, a page, empty or cut. A code or words under a refusal only say which refusal it
is: key, credit, content, model. One thing makes a refusal unknown: a reseller that passes it on, but says that its own
gateway answered with a status that is none.
"""

import re
from enum import StrEnum
from typing import Literal

from darkroom.gateways.envelopes import Refusal
from darkroom.gateways.profiles import Gateway

FailureKind = Literal["moderation", "transient", "too_large", "other"]


class Fault(StrEnum):
    """One value per different next step."""

    KEY = "key"
    CREDIT = "credit"
    REQUEST = "request"
    CONTENT = "content"
    MISSING = "missing"
    ADDRESS = "address"
    BUSY = "busy"
    UNKNOWN = "unknown"


_BY_STATUS = {
    400: Fault.REQUEST,
    401: Fault.KEY,
    402: Fault.CREDIT,
    403: Fault.KEY,
    404: Fault.MISSING,
    405: Fault.REQUEST,
    413: Fault.REQUEST,
    422: Fault.REQUEST,
    429: Fault.BUSY,
}
_AT_WRONG_ADDRESSES = frozenset({403, 404, 405})
_WITH_MODERATION = frozenset({400, 403, 422})
# Codes of new-api, one-api and CometAPI, read from their sources and documents, checked 2026-11-20.
_BY_CODE = {
    "insufficient_user_quota": Fault.CREDIT,
    "insufficient_quota": Fault.CREDIT,
    "pre_consume_token_quota_failed": Fault.CREDIT,
    "model_not_found": Fault.MISSING,
    "invalid_request": Fault.REQUEST,
    "channel:no_available_key": Fault.REQUEST,
    "get_channel_failed": Fault.REQUEST,
    "sensitive_words_detected": Fault.CONTENT,
    "content_policy_violation": Fault.CONTENT,
    "access_denied": Fault.KEY,
    "invalid_api_key": Fault.KEY,
}
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
        return Fault.REQUEST if is_documented else Fault.UNKNOWN
    by_code = _BY_CODE.get(refusal.code, fault)
    if fault is Fault.BUSY:
        return Fault.CREDIT if by_code is Fault.CREDIT else fault
    if refusal.instead and refusal.status in _AT_WRONG_ADDRESSES:
        return Fault.ADDRESS
    if by_code is fault and refusal.status in _WITH_MODERATION and _MODERATION.search(refusal.reason):
        return Fault.CONTENT
    return by_code


def failure_kind(error_text: str) -> FailureKind:
    """Why a prediction failed: "transient" ones are worth one more try with the same input, the others are not."""
    for kind, pattern in _FAILURES.items():
        if pattern.search(error_text):
            return kind
    return "other"
