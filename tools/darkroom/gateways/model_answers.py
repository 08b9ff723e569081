"""What a gateway answers when it is asked about a model, a version of one, or a deployment.

Facts: Replicate's reference and clients, checked 2026-11-25. Resellers answer a path that they do not serve with a web
page and HTTP 200, or with a 404 of another shape; from either nothing follows about the model. Pure functions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from darkroom.gateways.replies import UNSERVED, Reply
from darkroom.gateways.words import quoted
from darkroom.predictions import items_in, mapping_in, text_in

MOST_DESCRIPTION_BYTES = 4 * 1024 * 1024
MOST_SEARCH_BYTES = 8 * 1024 * 1024
_SUBJECT = re.compile(r"\b(model|version|deployment|release)s?\b", re.IGNORECASE)
_NOT_THERE = re.compile(
    r"not found|not exist|n't exist|not be found|\bno such\b|\bunknown\b|\bno (model|version|deployment)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NotTold:
    """Nothing is known of a model; `words` say why.

    `is_missing`: the gateway says that there is none of that name. `is_unserved`: it does not tell about models at all.
    """

    words: str
    is_missing: bool = False
    is_unserved: bool = False


def model_object(reply: Reply, member: str) -> Mapping[str, object] | NotTold:
    """`member` is what an object of the kind asked for always has: latest_version, openapi_schema, current_release."""
    if reply.is_too_long:
        return NotTold(words=f"its description has more than {MOST_DESCRIPTION_BYTES // 1024**2} MiB")
    body = mapping_in(reply.decoded)
    if 200 <= reply.status < 300:
        if body is not None and member in body:
            return body
        if reply.is_cut:
            return NotTold(words="its answer broke off")
        return NotTold(is_unserved=True, words=f"it answered with {'other JSON' if body else 'no JSON'}")
    detail = text_in((body or {}).get("detail"))
    if reply.status == 404 and _SUBJECT.search(detail) and _NOT_THERE.search(detail):
        return NotTold(is_missing=True, words=quoted(detail, 100))
    return NotTold(is_unserved=reply.status in UNSERVED, words=f"it answered with HTTP {reply.status}")


def models_in(reply: Reply) -> list[Mapping[str, object]] | None:
    """The model objects of a search or of a list of models; None where it is neither."""
    body = mapping_in(reply.decoded)
    listed = body.get("models", body.get("results")) if body else None
    rows = [mapping_in(each) or {} for each in items_in(listed)]
    is_list = isinstance(listed, list) and 200 <= reply.status < 300
    return [mapping_in(row.get("model")) or row for row in rows] if is_list else None
