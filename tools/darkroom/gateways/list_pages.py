"""Pages of a gateway's list of predictions; pure functions, none of which raises."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import cast

from darkroom.gateways.envelopes import http_date, prediction_in
from darkroom.gateways.replies import Reply
from darkroom.predictions import ID_PATTERN, RUNNING, Prediction, PredictionStatus, mapping_in, parse_time

_CURSOR = re.compile(r"[!-~]{1,2000}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListPage:
    """One page of predictions, newest first; an empty `next_cursor` is the end. `server_time` is the gateway's clock.

    `unreadable_count` items are left out because they could not be read. `is_broken_off` says that there is a next page
    whose address cannot be used, so that the list was not read to its end.
    """

    predictions: tuple[Prediction, ...]
    next_cursor: str
    server_time: datetime | None
    unreadable_count: int = 0
    is_broken_off: bool = False


def list_page(reply: Reply, *, is_brief: bool = False) -> ListPage | None:
    """One page of the list of predictions; None where the body is none.

    `is_brief`: of what still runs only id, status and time are read, which takes a tenth of the time.
    """
    body = mapping_in(reply.decoded) or {}
    results = body.get("results")
    if not isinstance(results, list):
        return None
    read_one = _running_or_whole if is_brief else prediction_in
    read = [read_one(item) for item in cast("list[object]", results)]
    following = body.get("next") or ""
    cursor = following.partition("?")[2].partition("#")[0] if isinstance(following, str) else ""
    is_usable = bool(_CURSOR.fullmatch(cursor))
    return ListPage(
        predictions=tuple(prediction for prediction in read if prediction),
        next_cursor=cursor if is_usable else "",
        server_time=http_date(reply.headers.get("date", "")),
        unreadable_count=read.count(None),
        is_broken_off=bool(following) and not is_usable,
    )


def _running_or_whole(item: object) -> Prediction | None:
    given = mapping_in(item) or {}
    identifier, status = given.get("id"), PredictionStatus.parse(given.get("status"))
    if status not in RUNNING or not isinstance(identifier, str) or not ID_PATTERN.fullmatch(identifier):
        return prediction_in(item)
    return Prediction(id=identifier, status=status, created_at=parse_time(given.get("created_at")))
