"""Find models by words: which fit, and in which order."""

import tomllib
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from darkroom.registry.model import Model


@cache
def _known_words() -> tuple[frozenset[str], dict[str, tuple[str, ...]]]:
    """The words that are passed over, and those with other spellings in the models' texts."""
    words = tomllib.loads(Path(__file__).with_name("search_words.toml").read_text(encoding="utf-8"))
    return frozenset(words["filler"]), {said: tuple(row["meant"]) for row in words["synonyms"] for said in row["said"]}


def rank(models: Iterable[Model], query: str) -> list[Model]:
    """The models that fit at least one of the words, best first.

    The one meant by name leads; then those that fit most words, core models before others, found in the name before
    found in the description, and much used before little used.
    """
    filler, synonyms = _known_words()
    words = [word for word in dict.fromkeys(query.lower().replace(",", " ").split()) if word not in filler]
    wanted = query.strip().lower()
    spellings = [synonyms.get(word) or {word, word.replace("-", "_"), word.replace("_", " ")} for word in words]
    scored = [(model, _scores(model, spellings)) for model in models]
    fitting = [(_order(model, scores, wanted), model) for model, scores in scored if any(scores) or not words]
    return [model for _, model in sorted(fitting, key=lambda pair: pair[0])]


def _order(model: Model, scores: list[int], wanted: str) -> tuple[bool, int, bool, int, int, str]:
    is_meant = bool(wanted) and wanted in (model.name, model.name.partition("/")[2])
    missed = scores.count(0)
    return not is_meant, missed, model.tier != "core", -sum(scores), -model.provenance.run_count, model.name


def _scores(model: Model, words: Sequence[Iterable[str]]) -> list[int]:
    """For each word, given in its spellings, how well the model fits it."""
    name = model.name.lower()
    strong = f"{name} {model.title} {model.provider} {' '.join(model.tasks)}".lower()
    weak = f"{model.best_for} {model.notes}".lower()
    places = ((4, name), (3, strong), (1, weak))
    return [
        next((points for points, text in places if any(each in text for each in spellings)), 0) for spellings in words
    ]
