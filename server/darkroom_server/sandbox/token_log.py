"""The log and the balance of a key as new-api keeps them, at the root of the host.

Each create is one row of what was consumed, also one whose answer was lost. What a run without output gets back is not
in the log of a key, only in its balance (new-api's code, checked 2026-11-25).
"""

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from darkroom_server.sandbox.billing import price_usd
from darkroom_server.sandbox.life import Prediction
from darkroom_server.sandbox.state import SandboxState

REQUEST_ID_HEADER = "x-oneapi-request-id"
_QUOTA_PER_USD = 500_000
_GRANTED = 10 * _QUOTA_PER_USD
_MOST_ROWS = 100
_ALL = 100_000
# What is the same in every answer and row.
_USAGE = {"object": "token_usage", "name": "sandbox", "unlimited_quota": False, "model_limits_enabled": False}
_OF_A_ROW = {"user_id": 1, "type": 2, "token_id": 1, "token_name": "sandbox", "group": "default", "channel": 0}
_EMPTY = {"prompt_tokens": 0, "completion_tokens": 0, "use_time": 0, "is_stream": False}


class TokenLogEndpoints:
    """Each method is one endpoint."""

    def __init__(self, state: SandboxState) -> None:
        self._state = state

    async def log(self, request: Request) -> Response:
        made = self._state.page(None, _MOST_ROWS)
        rows = [_row(prediction, number) for number, prediction in enumerate(made, start=1)]
        return JSONResponse({"success": True, "message": "", "data": rows})

    async def usage(self, request: Request) -> Response:
        now = self._state.now
        used = sum(_quota(each) for each in self._state.page(None, _ALL) if each.is_good or not each.has_ended(now))
        data: dict[str, Any] = {"total_granted": _GRANTED, "total_used": used, "total_available": _GRANTED - used}
        return JSONResponse(
            {"code": True, "message": "ok", "data": data | _USAGE | {"expires_at": 0, "model_limits": {}}}
        )

    async def usage_without_slash(self, request: Request) -> Response:
        return RedirectResponse(f"{request.url.path}/", 301)


def request_id(prediction: Prediction) -> str:
    """The gateway's own name of the create: its time, then letters of its own."""
    stored = prediction.stored
    moment = datetime.fromtimestamp(stored.created_at, UTC)
    return f"{moment:%Y%m%d%H%M%S%f}{hashlib.sha256(stored.id.encode()).hexdigest()[:8]}"


def _quota(prediction: Prediction) -> int:
    return round(price_usd(prediction) * _QUOTA_PER_USD)


def _row(prediction: Prediction, number: int) -> dict[str, Any]:
    return {
        **_OF_A_ROW,
        **_EMPTY,
        **dict.fromkeys(("content", "username", "ip"), ""),
        "id": number,
        "created_at": int(prediction.stored.created_at),
        "model_name": prediction.stored.model,
        "quota": _quota(prediction),
        "request_id": request_id(prediction),
        "other": json.dumps({"model_price": price_usd(prediction), "group_ratio": 1}),
    }
