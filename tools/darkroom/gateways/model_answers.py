"""What a gateway answers when it is asked about a model, a version of one, or a deployment.

Facts: Replicate's reference and clients, checked 2026-11-25. Resellers answer a path that they do not serve with a web
page and HTTP 200, or with a 404 of another shape; from either nothing follows about the model. Pure functions.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import cast

from darkroom.gateways.replies import Reply
from darkroom.gateways.words import quoted
from darkroom.predictions import mapping_in, text_in

MOST_DESCRIPTION_BYTES = 4 * 1024 * 1024
MOST_SEARCH_BYTES = 8 * 1024 * 1024
_SUBJECT = re.compile(r"\b(model|version|deployment|release)s?\b", re.IGNORECASE)
_NOT_THERE = re.compile(
    r"not found|not exist|n't exist|not be found|\bno such\b|\bunknown\b|\bno (model|version|deployment)\b",
    re.IGNORECASE,
)
_UNSERVED = frozenset({301, 302, 303, 307, 308, 404, 405, 410, 501})
_EMPTY: Mapping[str, object] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelAnswer:
    """`body` is the object asked for, empty where none came; `words` say why none did.

    `is_missing`: the gateway says that there is no such model. `is_unserved`: it does not tell about models at all.
    """

    body: Mapping[str, object] = field(default_factory=lambda: _EMPTY)
    is_missing: bool = False
    is_unserved: bool = False
    words: str = ""


def model_answer(reply: Reply, member: str) -> ModelAnswer:
    """`member` is what an object of the kind asked for always has: latest_version, openapi_schema, current_release."""
    if reply.is_too_long:
        return ModelAnswer(words=f"its description has more than {MOST_DESCRIPTION_BYTES // 1024**2} MiB")
    body = mapping_in(reply.decoded)
    if 200 <= reply.status < 300:
        if body is not None and member in body:
            return ModelAnswer(body=body)
        if reply.is_cut:
            return ModelAnswer(words="its answer broke off")
        return ModelAnswer(is_unserved=True, words=f"it answered with {'other JSON' if body else 'no JSON'}")
    detail = text_in((body or {}).get("detail"))
    if reply.status == 404 and _SUBJECT.search(detail) and _NOT_THERE.search(detail):
        return ModelAnswer(is_missing=True, words=quoted(detail, 100))
    return ModelAnswer(is_unserved=reply.status in _UNSERVED, words=f"it answered with HTTP {reply.status}")


def models_in(reply: Reply) -> list[Mapping[str, object]] | None:
    """The model objects of a search or of a list of models; None where it is neither."""
    body = mapping_in(reply.decoded)
    if body is None or not 200 <= reply.status < 300:
        return None
    listed = body.get("models", body.get("results"))
    if not isinstance(listed, list):
        return None
    rows = (mapping_in(each) or {} for each in cast("list[object]", listed))
    return [mapping_in(row.get("model")) or row for row in rows]
