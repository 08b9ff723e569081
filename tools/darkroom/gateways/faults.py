"""What a fault means: certainly not sent, refused for good, or possibly executed; and why a prediction failed.

Measured on real sockets and read from the gateways' sources and documents, checked 2026-11-20:

    connect refused, DNS failure, connect time-out      not sent
    429; 503 that names a time                          refused for load, nothing started
    other 4xx but 408 and 409; 3xx; an HTML page        refused for good, nothing started
    408, 409, 5xx, 52x; any fault once bytes have left  ambiguous: may be executed and billed

A code that a reseller sets before it forwards anything wins over its status.
"""

import re
from enum import StrEnum
from typing import Literal

from darkroom.gateways.envelopes import Refusal

FailureKind = Literal["moderation", "transient", "too_large", "other"]


class Fault(StrEnum):
    """One value per different next step."""

    KEY = "key"
    CREDIT = "credit"
    REQUEST = "request"
    CONTENT = "content"
    MISSING = "missing"
    BUSY = "busy"
    PAGE = "page"
    AMBIGUOUS = "ambiguous"


# Codes of new-api, one-api and CometAPI that are set before anything is forwarded.
_BY_CODE = {
    "insufficient_user_quota": Fault.CREDIT,
    "insufficient_quota": Fault.CREDIT,
    "pre_consume_token_quota_failed": Fault.CREDIT,
    "model_not_found": Fault.REQUEST,
    "invalid_request": Fault.REQUEST,
    "channel:no_available_key": Fault.REQUEST,
    "get_channel_failed": Fault.REQUEST,
    "sensitive_words_detected": Fault.CONTENT,
    "content_policy_violation": Fault.CONTENT,
    "access_denied": Fault.KEY,
    "invalid_api_key": Fault.KEY,
    "token_concurrency_limit_reached": Fault.BUSY,
}
_BY_STATUS = {
    401: Fault.KEY,
    402: Fault.CREDIT,
    403: Fault.KEY,
    404: Fault.MISSING,
    408: Fault.AMBIGUOUS,
    409: Fault.AMBIGUOUS,
    429: Fault.BUSY,
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


def classify(refusal: Refusal) -> Fault:
    """What an answer without a prediction means for a create."""
    if (fault := _BY_CODE.get(refusal.code)) is not None:
        return fault
    if 300 <= refusal.status < 400 or (refusal.is_page and refusal.status < 500):
        return Fault.PAGE
    if refusal.status == 503 and refusal.retry_after_s is not None:
        return Fault.BUSY
    if 400 <= refusal.status < 500:
        if refusal.status in (400, 403, 422) and _MODERATION.search(refusal.reason):
            return Fault.CONTENT
        return _BY_STATUS.get(refusal.status, Fault.REQUEST)
    return Fault.AMBIGUOUS


def failure_kind(error_text: str) -> FailureKind:
    """Why a prediction failed: "transient" ones are worth one more try with the same input, the others are not."""
    for kind, pattern in _FAILURES.items():
        if pattern.search(error_text):
            return kind
    return "other"
