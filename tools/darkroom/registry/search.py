"""Find models by words: which fit, and in which order."""

from collections.abc import Iterable

from darkroom.registry.model import Model

# What people say -> what a model's own texts say.
_SAME_WORDS = {
    "vector": "svg",
    "logo": "svg",
    "cutout": "remove_background",
    "rembg": "remove_background",
    "transparent": "remove_background",
    "enlarge": "upscale",
    "upscaler": "upscale",
    "upscaling": "upscale",
    "editing": "edit",
    "inpainting": "inpaint",
    "outpainting": "outpaint",
    "bfl": "black-forest-labs",
    "text-to-image": "text_to_image",
}
_FILLER = frozenset(
    {"a", "an", "the", "for", "of", "to", "and", "or", "with", "model", "models", "image", "images", "photo", "picture"}
)


def rank(models: Iterable[Model], query: str) -> list[Model]:
    """The models that fit at least one of the words, best first.

    The one meant by name leads; then those that fit most words, core models before others, found in the name before
    found in the description, and much used before little used.
    """
    words = [word for word in query.lower().replace(",", " ").split() if word not in _FILLER]
    wanted = query.strip().lower()
    scored = [(model, _scores(model, words)) for model in models]
    fitting = [(_order(model, scores, wanted), model) for model, scores in scored if any(scores) or not words]
    return [model for _, model in sorted(fitting, key=lambda pair: pair[0])]


def _order(model: Model, scores: list[int], wanted: str) -> tuple[bool, int, bool, int, int, str]:
    is_meant = bool(wanted) and wanted in (model.name, model.name.partition("/")[2])
    missed = scores.count(0)
    return not is_meant, missed, model.tier != "core", -sum(scores), -model.provenance.run_count, model.name


def _scores(model: Model, words: list[str]) -> list[int]:
    name = model.name.lower()
    strong = f"{name} {model.title} {model.provider} {' '.join(model.tasks)}".lower()
    weak = f"{model.best_for} {model.notes}".lower()
    return [_score(word, name, strong, weak) for word in words]


def _score(word: str, name: str, strong: str, weak: str) -> int:
    spellings = {word, word.replace("-", "_"), word.replace("_", " "), _SAME_WORDS.get(word, word)}
    if any(spelling in name for spelling in spellings):
        return 4
    if any(spelling in strong for spelling in spellings):
        return 3
    return 1 if any(spelling in weak for spelling in spellings) else 0
