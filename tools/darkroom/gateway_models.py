"""Models that the gateway has and nobody curated: found by its own search, and described one by one."""

import datetime

from darkroom.darkroom import Darkroom
from darkroom.errors import DarkroomError, InvalidInput, UnknownModel
from darkroom.registry import ModelRef, unlisted_model
from darkroom.reports import Limits, ModelReport, refused_models
from darkroom.reports.live_models import found_report, live_report


async def search_gateway(darkroom: Darkroom, query: str, limit: int) -> ModelReport:
    """What the gateway's search finds for these words, which are sent to it. A DarkroomError becomes a report."""
    from darkroom.live_models.search import search

    gateway = darkroom.gateway
    try:
        if not gateway.has_models:
            raise InvalidInput(f"Gateway '{gateway.name}' does not tell which models it has.", field="source")
        if not query.strip():
            raise InvalidInput("The gateway's search needs words: give a query such as 'watercolour'.", field="query")
        found = await search(darkroom.client, query, frozenset(darkroom.registry.names()))
    except DarkroomError as error:
        return refused_models(error)
    rows = found[: max(limit, 0)]
    return found_report(rows, query, gateway, more=len(found) - len(rows))


async def describe_model(darkroom: Darkroom, name: str, limits: Limits) -> ModelReport:
    """A model that the registry does not have, as the gateway describes it. A DarkroomError becomes a report."""
    from darkroom.live_models import as_described

    try:
        model, notes = await as_described(darkroom.live, darkroom.registry, unlisted_model(ModelRef.parse(name)))
        if not model.is_live:
            raise UnknownModel(f"The registry has no model {name[:80]!r}. {' '.join(notes)}".strip())
    except DarkroomError as error:
        return refused_models(error)
    return live_report(model, darkroom.gateway, notes, today=datetime.date.today(), limits=limits)
