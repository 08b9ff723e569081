"""Find models by words: which fit, and in which order."""

from collections.abc import Iterable, Sequence

from darkroom.registry.model import Model

# What people say -> what a model's own texts say instead.
_LETTERING = ("lettering", "typography", "text rendering", "text in", "logos")
_OTHER_WORDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("text", "texts", "letters", "lettering", "typography", "spelling", "font", "words"), _LETTERING),
    "poster": ("posters", *_LETTERING),
    "logo": ("logo", "svg"),
    "vector": ("vector", "svg"),
    **dict.fromkeys(("cutout", "cut-out", "rembg", "transparent", "transparency"), ("remove_background", "cut-out")),
    **dict.fromkeys(("enlarge", "upscaler", "upscaling"), ("upscale",)),
    **dict.fromkeys(("quick", "fast", "fastest"), ("fast", "quick", "sub-second")),
    **dict.fromkeys(("cheap", "cheapest"), ("cheap",)),
    **dict.fromkeys(("photorealistic", "realistic", "realism"), ("photo", "realis")),
    "editing": ("edit",),
    "inpainting": ("inpaint",),
    "outpainting": ("outpaint",),
    "bfl": ("black-forest-labs",),
    "text-to-image": ("text_to_image",),
}
_FILLER = frozenset(
    [
        "a",
        "an",
        "the",
        "for",
        "of",
        "to",
        "in",
        "on",
        "at",
        "by",
        "and",
        "or",
        "with",
        "good",
        "best",
        "model",
        "models",
        "image",
        "images",
        "photo",
        "photos",
        "picture",
        "pictures",
    ]
)


def rank(models: Iterable[Model], query: str) -> list[Model]:
    """The models that fit at least one of the words, best first.

    The one meant by name leads; then those that fit most words, core models before others, found in the name before
    found in the description, and much used before little used.
    """
    words = [word for word in dict.fromkeys(query.lower().replace(",", " ").split()) if word not in _FILLER]
    wanted = query.strip().lower()
    spellings = [_spellings(word) for word in words]
    scored = [(model, _scores(model, spellings)) for model in models]
    fitting = [(_order(model, scores, wanted), model) for model, scores in scored if any(scores) or not words]
    return [model for _, model in sorted(fitting, key=lambda pair: pair[0])]


def _order(model: Model, scores: list[int], wanted: str) -> tuple[bool, int, bool, int, int, str]:
    is_meant = bool(wanted) and wanted in (model.name, model.name.partition("/")[2])
    missed = scores.count(0)
    return not is_meant, missed, model.tier != "core", -sum(scores), -model.provenance.run_count, model.name


def _spellings(word: str) -> tuple[str, ...]:
    return _OTHER_WORDS.get(word) or tuple({word, word.replace("-", "_"), word.replace("_", " ")})


def _scores(model: Model, words: Sequence[Sequence[str]]) -> list[int]:
    """For each word, given in its spellings, how well the model fits it."""
    name = model.name.lower()
    strong = f"{name} {model.title} {model.provider} {' '.join(model.tasks)}".lower()
    weak = f"{model.best_for} {model.notes}".lower()
    return [_score(spellings, name, strong, weak) for spellings in words]


def _score(spellings: Sequence[str], name: str, strong: str, weak: str) -> int:
    if any(spelling in name for spelling in spellings):
        return 4
    if any(spelling in strong for spelling in spellings):
        return 3
    return 1 if any(spelling in weak for spelling in spellings) else 0
