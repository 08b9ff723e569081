"""What a reseller of the new-api family tells about a key: what it may spend, and what was taken for each call.

Both answers lie at the root of the host, outside of the predictions format. Pure functions, none of which raises.
Facts: the code and documents of new-api and its forks, checked 2026-11-25.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeGuard, cast

from darkroom.errors import GatewayError, GatewayUnreachable, RequestRefused
from darkroom.gateways.envelopes import http_date, plain_name
from darkroom.gateways.profiles import Gateway
from darkroom.gateways.replies import UNSERVED, Reply
from darkroom.gateways.words import quoted
from darkroom.predictions import mapping_in, text_in

USAGE_PATH = "/api/usage/token/"  # without its last slash it is a redirect
LOG_PATH = "/api/log/token"
_QUOTA_PER_USD = 500_000
_MOST_USD = 1_000_000.0
_MOST_ROWS = 2_000  # the newest come first
_LONGEST_ROW = 20_000
# Gateways cap the log, the lowest cap seen is 100 rows; a shorter one shows all that there is.
_FEWEST_CAPPED_ROWS = 100
_FIRST_SECOND, _LAST_SECOND = 946_684_800, 4_102_444_800  # of the years 2000 to 2100
_ROWS_BEGIN = re.compile(r'"data"\s*:\s*\[')
_NOT_FOUND = re.compile(r"not found|no such|invalid url|不存在|未找到", re.IGNORECASE)


class LogKind(StrEnum):
    """What a row of the log is about."""

    CONSUME = "consume"
    REFUND = "refund"
    OTHER = "other"


_KINDS = {2: LogKind.CONSUME, 6: LogKind.REFUND}


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenUsage:
    """What a key was given, has used and may still spend, in US dollars; `expires_at` in seconds since 1970, 0 never.

    `available_usd` can be negative. With `is_unlimited` only the account behind the key sets a limit.
    """

    granted_usd: float
    used_usd: float
    available_usd: float
    is_unlimited: bool
    expires_at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LogRow:
    """One row: `at` in seconds since 1970 by the gateway's clock; `request_id` is empty where the fork has none."""

    at: float
    kind: LogKind
    model: str
    usd: float
    request_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenLog:
    """The newest rows of a key, and the gateway's clock (seconds since 1970), None where it does not say.

    `is_whole`: no row was cut off or left out because it could not be read.
    """

    rows: tuple[LogRow, ...]
    server_time: float | None
    is_whole: bool

    def reaches_back_to(self, at: float) -> bool:
        """True where a row of that moment (the gateway's clock) would have been seen."""
        is_complete = self.is_whole and len(self.rows) < _FEWEST_CAPPED_ROWS
        return is_complete or any(row.at < at for row in self.rows)


def is_unserved(reply: Reply) -> bool:
    """Whether this gateway keeps no log for keys, as far as its answer tells."""
    if reply.status in UNSERVED:
        return True
    if not 200 <= reply.status < 300 or (reply.is_cut and reply.decoded is None):
        return False
    envelope = mapping_in(reply.decoded) or {}
    is_own = envelope.get("success") is False or envelope.get("code") is False
    return not is_own or bool(_NOT_FOUND.search(text_in(envelope.get("message"))))


def not_told(gateway: Gateway, reply: Reply) -> GatewayError | None:
    """The error for an answer with HTTP 200 that is a refusal in an envelope, or that broke off; None for others."""
    if reply.status >= 300:
        return None
    if reply.is_cut:
        return GatewayUnreachable(f"The answer of gateway '{gateway.name}' broke off.", gateway=gateway.name)
    said = quoted(text_in((mapping_in(reply.decoded) or {}).get("message")), 130) or "it does not say why"
    return RequestRefused(f"Gateway '{gateway.name}' does not tell what this key used: {said}.", gateway=gateway.name)


def token_usage(reply: Reply) -> TokenUsage | None:
    """None where the answer is no usage of a key."""
    data = mapping_in((mapping_in(reply.decoded) or {}).get("data"))
    if not 200 <= reply.status < 300 or data is None:
        return None
    granted, used, available = (_usd(data.get(f"total_{word}")) for word in ("granted", "used", "available"))
    is_unlimited = data.get("unlimited_quota") is True
    if available is None and not is_unlimited:
        return None
    expires_at = data.get("expires_at")
    return TokenUsage(
        granted_usd=(available or 0.0) + (used or 0.0) if granted is None else granted,
        used_usd=used or 0.0,
        available_usd=available or 0.0,
        is_unlimited=is_unlimited,
        expires_at=int(expires_at) if _is_moment(expires_at) else 0,
    )


def token_log(reply: Reply) -> TokenLog | None:
    """None where the answer is no log; of one that broke off, or is very long, the rows at its beginning."""
    if not 200 <= reply.status < 300:
        return None
    envelope = mapping_in(reply.decoded) or {}
    items = envelope.get("data")
    if items is None and envelope.get("success") is True:
        items = []  # an empty list of the language that they are written in
    if reply.decoded is None and (begin := _ROWS_BEGIN.search(text := reply.body.decode("utf-8", "replace"))):
        items = list(_first_rows(text, begin.end()))
    if not isinstance(items, list):
        return None
    given = cast("list[object]", items)
    rows = [row for item in given[:_MOST_ROWS] if (row := _row(item))]
    is_whole = reply.decoded is not None and len(rows) == len(given)
    now = http_date(reply.headers.get("date", ""))
    return TokenLog(rows=tuple(rows), server_time=now.timestamp() if now else None, is_whole=is_whole)


def _row(item: object) -> LogRow | None:
    row = mapping_in(item) or {}
    at, usd, kind = row.get("created_at"), _usd(row.get("quota", 0)), row.get("type")
    if not _is_moment(at) or usd is None or usd < 0:
        return None
    return LogRow(
        at=float(at),
        kind=_KINDS.get(kind, LogKind.OTHER) if isinstance(kind, int) else LogKind.OTHER,
        model=text_in(row.get("model_name"))[:200],
        usd=usd,
        request_id=plain_name(row.get("request_id")),
    )


def _first_rows(text: str, position: int) -> Iterator[object]:
    """The values of a list whose first begins at `position`, until one cannot be read."""
    decoder = json.JSONDecoder()
    for _ in range(_MOST_ROWS):
        rest = text[position : position + _LONGEST_ROW]
        begin = len(rest) - len(rest.lstrip(" \t\r\n,"))
        try:
            row, length = decoder.raw_decode(rest, begin)
        except (ValueError, RecursionError):
            return
        yield row
        position += length


def _usd(quota: object) -> float | None:
    """Quota units as US dollars; None for what is no number, or for more than anybody has."""
    if isinstance(quota, bool) or not isinstance(quota, int | float):
        return None
    return round(quota / _QUOTA_PER_USD, 9) if abs(quota) <= _MOST_USD * _QUOTA_PER_USD else None


def _is_moment(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and _FIRST_SECOND <= value <= _LAST_SECOND
