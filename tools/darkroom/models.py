"""The image models for Python programs: found by words, or by name. Asks no gateway and costs nothing."""

from darkroom.list_models import sought_models
from darkroom.registry import Model, ModelRegistry, Sort
from darkroom.settings import Settings

__all__ = ["Model", "get", "search"]


def search(
    query: str = "", *, task: str = "any", sort: Sort = "best", max_usd: float = 0.0, limit: int = 8
) -> tuple[Model, ...]:
    """The models that can do what the words wish, in the order of `sort` ("best", "price" or "speed").

    Words such as "cheap" and "fast" sort too. Models that may charge more than `max_usd` US dollars for an image
    (0: no such wish) come last.

    >>> [model.name for model in darkroom.models.search("poster with text", limit=2)]
    ['ideogram-ai/ideogram-v3-turbo', 'ideogram-ai/ideogram-v3-quality']

    Raises: InvalidInput for a task or an order that does not exist.
    """
    models, _ = sought_models(_registry(), query=query, task=task, sort=sort, max_usd=max_usd)
    return models[: max(limit, 0)]


def get(name: str) -> Model:
    """The model of this name, "owner/name" or the bare name where only one has it: its inputs, prices and times.

    Raises: UnknownModel, naming the closest ones.
    """
    return _registry().get(name)


def _registry() -> ModelRegistry:
    """With the person's own models. A setting of the gateway that cannot be used does not matter here."""
    return ModelRegistry.load(Settings.read_or_problem().models_dir)
