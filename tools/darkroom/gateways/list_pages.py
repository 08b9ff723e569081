"""Pages of a gateway's list of predictions; pure functions, none of which raises."""

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass
from datetime import datetime

from darkroom.gateways.envelopes import http_date, prediction_in
from darkroom.gateways.replies import Reply
from darkroom.predictions import RUNNING, Prediction, PredictionStatus, items_in, mapping_in, parse_time

_CURSOR = re.compile(r"[!-~]{1,2000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of predictions, newest first; an empty `next_cursor` is the end. `server_time` is the gateway's clock.

    `unreadable_count` items are left out because they could not be read. `is_broken_off` says that there is a next page
    whose address cannot be used, so that the list was not read to its end. `oldest_at` is when the last item was made.
    """

    predictions: tuple[Prediction, ...]
    next_cursor: str
    server_time: datetime | None
    unreadable_count: int = 0
    is_broken_off: bool = False
    oldest_at: datetime | None = None


def list_page(reply: Reply, wanted: Container[str] | None = None) -> ListPage | None:
    """One page of the list of predictions; None where the body is none.

    With `wanted` only predictions of these ids are read, and of those that still run only id and status, which takes a
    small part of the time.
    """
    body = mapping_in(reply.decoded) or {}
    if not isinstance(body.get("results"), list):
        return None
    items = [mapping_in(item) or {} for item in items_in(body["results"])]
    if wanted is None:
        read = [prediction_in(item) for item in items]
    else:
        read = [_running_or_whole(item) for item in items if _may_be_of(wanted, item)]
    following = body.get("next") or ""
    cursor = following.partition("?")[2].partition("#")[0] if isinstance(following, str) else ""
    is_usable = bool(_CURSOR.fullmatch(cursor))
    return ListPage(
        predictions=tuple(prediction for prediction in read if prediction),
        next_cursor=cursor if is_usable else "",
        server_time=http_date(reply.headers.get("date", "")),
        unreadable_count=read.count(None),
        is_broken_off=bool(following) and not is_usable,
        oldest_at=parse_time(items[-1].get("created_at")) if items else None,
    )


def _running_or_whole(item: Mapping[str, object]) -> Prediction | None:
    identifier, status = item.get("id"), PredictionStatus.parse(item.get("status"))
    if status in RUNNING and isinstance(identifier, str):
        return Prediction(id=identifier, status=status)
    return prediction_in(item)


def _may_be_of(wanted: Container[str], item: Mapping[str, object]) -> bool:
    identifier = item.get("id")
    return not isinstance(identifier, str) or "status" not in item or identifier in wanted
