"""list_models: the registry as the assistant reads it. Asks no gateway and costs nothing."""

import datetime

from darkroom.errors import InvalidRequest
from darkroom.registry import ModelRegistry
from darkroom.reports import Limits, ModelReport, model_report, refused_models, table_report

_LONGEST_SHOWN = 100


def list_models(
    registry: ModelRegistry,
    *,
    query: str = "",
    task: str = "any",
    model: str = "",
    limit: int = 20,
    limits: Limits | None = None,
) -> ModelReport:
    """The models that fit, best first; or, with `model`, everything about one. An unknown name or task is named.

    `limits` are the person's: what they would refuse is marked.
    """
    limits = limits or Limits()
    try:
        if model:
            return model_report(registry.get(model), today=datetime.date.today(), limits=limits)
        found = registry.search(query, task, limit)
    except InvalidRequest as error:
        return refused_models(error)
    words = (f'"{query[:_LONGEST_SHOWN]}"' if query else "", f"task {task}" if task != "any" else "")
    sought = " ".join(filter(None, words))
    return table_report(found, known=len(registry), sought=sought, problems=registry.problems, limits=limits)
