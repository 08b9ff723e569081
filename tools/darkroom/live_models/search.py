"""The gateway's own search: models that make images, as far as their examples show, without those of the registry."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from darkroom.errors import DarkroomError, GatewayError
from darkroom.gateways import PredictionClient
from darkroom.gateways.model_answers import MOST_SEARCH_BYTES, models_in
from darkroom.gateways.replies import Request
from darkroom.predictions import text_in
from darkroom.registry import ModelRef
from darkroom.registry.live_schema import is_official, one_line, run_count
from darkroom.registry.live_schema.examples import example_endings, what_it_makes

MOST_FOUND = 20
_WITHIN_S = 8.0
_LONGEST_QUERY = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundModel:
    """`text` is the author's, on one line; `is_official` None where nobody says."""

    name: str
    text: str
    run_count: int
    is_official: bool | None


async def search(client: PredictionClient, query: str, without: Collection[str]) -> tuple[FoundModel, ...]:
    """Most run first. The words leave this computer. Raises: GatewayError where the gateway cannot be searched."""
    words = one_line(query, _LONGEST_QUERY)
    path = f"/v1/search?{urlencode({'query': words, 'limit': MOST_FOUND})}"
    reply = await client.look(Request("GET", path, most_bytes=MOST_SEARCH_BYTES), within_s=_WITHIN_S)
    bodies = models_in(reply)
    if bodies is None:
        headers = {"Content-Type": "text/plain"}
        request = Request("QUERY", "/v1/models", body=words.encode(), headers=headers, most_bytes=MOST_SEARCH_BYTES)
        bodies = models_in(await client.look(request, within_s=_WITHIN_S))
    if bodies is None:
        gateway = client.gateway.name
        raise GatewayError(f"Gateway '{gateway}' cannot be searched for models (HTTP {reply.status}).", gateway=gateway)
    found = {each.name: each for each in _found(bodies) if each.name not in without}
    return tuple(sorted(found.values(), key=lambda each: (-each.run_count, each.name)))


def _found(bodies: list[Mapping[str, object]]) -> Iterator[FoundModel]:
    for body in bodies:
        if what_it_makes(example_endings(body), "unknown") not in ("image", "svg"):
            continue
        try:
            ref = ModelRef.parse(f"{text_in(body.get('owner'))}/{text_in(body.get('name'))}")
        except DarkroomError:
            continue
        yield FoundModel(
            name=ref.full_name,
            text=one_line(body.get("description")),
            run_count=run_count(body),
            is_official=is_official(body),
        )
