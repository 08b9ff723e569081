"""Find models by words: which can do what is wished, and in which order.

A wish is read in `wishes.py`. What decides first is whether a model can do it at all (its tasks, its name where one is
given), then whether it has what else must be (lettering, 4K), then how much of it the model's own texts say.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from darkroom.registry.model import Model
from darkroom.registry.wishes import NEW_IMAGE, Sort, Wish, plain, read_wish

_SAYS_SO = 3
_CAN = 1
_NAMED = 2
_CORE = 1
_LONGEST_PROMPT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A model among others. `misses`: tasks and names that it lacks, then what else must be; (0, 0) can do it all."""

    model: Model
    misses: tuple[int, int]
    score: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Models that can do at least one thing wished, best first.

    `sort` is the order that the words ask for; `is_understood` False: no word says anything about a model.
    """

    rows: tuple[Ranked, ...]
    sort: Sort
    is_understood: bool

    @property
    def able(self) -> int:
        """How many can do as much of it as the best one can."""
        fewest = min((row.misses for row in self.rows), default=(0, 0))
        return sum(row.misses == fewest for row in self.rows)


def rank(models: Iterable[Model], query: str, *, has_task: bool = False) -> Found:
    """The models that can do what the query wishes. `has_task`: they were chosen by a task already.

    The one meant by name leads; then those that can do most of it, and among equals core models, other makers and
    much used ones first. A wish that names no task is one for a new image.
    """
    texts = {model.name: _Text(model) for model in models}
    wish = read_wish(query, has_task=has_task)
    names = _names_in(wish, texts.values())
    if not names and not wish.tasks and query.strip() and not has_task:
        wish = replace(wish, tasks=(NEW_IMAGE,))
    rows = [row for text in texts.values() if (row := _ranked(text, wish, names))]
    is_understood = wish.is_understood or bool(names) or any(text.says_any(wish.rest) for text in texts.values())
    ordered = sorted(rows, key=lambda row: (row.misses, -row.score, -row.model.provenance.run_count, row.model.name))
    ordered = _makers_mixed(ordered) if query.strip() else ordered
    ordered.sort(key=lambda row: query.strip().lower() not in (row.model.name, row.model.name.partition("/")[2]))
    return Found(rows=tuple(ordered), sort=wish.sort, is_understood=is_understood)


def wanted_of(model: Model, words: str) -> tuple[tuple[str, ...], ...]:
    """What the words say must be, such as lettering, as far as this model has it: fragments, of each one is enough."""
    text = _Text(model)
    return tuple(each for each in read_wish(words[:_LONGEST_PROMPT], has_task=True).musts if text.has_any(each))


def prompt_wish(model: Model, prompt: str) -> Wish:
    """What the words of a prompt ask for, its musts only as far as this model lacks them."""
    wish, text = read_wish(prompt[:_LONGEST_PROMPT], has_task=True), _Text(model)
    return replace(wish, musts=tuple(each for each in wish.musts if not text.has_any(each)))


def has_all(model: Model, musts: Iterable[tuple[str, ...]]) -> bool:
    """Whether a model has one of each of these fragments."""
    text = _Text(model)
    return all(text.has_any(each) for each in musts)


class _Text:
    """What the registry says of a model, as words to look in."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.name = f" {plain(f'{model.name} {model.title} {model.provider}')} "
        values = [str(value) for item in model.inputs for value in item.enum or ()]
        has = (
            "negative prompt" if model.concepts.negative_prompt else "",
            "exact size" if model.concepts.width and model.concepts.height else "",
            "several at once" if model.max_count > 1 else "",
        )
        self.says = f" {plain(f'{model.title} {model.best_for}')} "
        self.has = f" {plain(' '.join([*values, *has]))} "

    def has_any(self, fragments: Iterable[str]) -> bool:
        """Whether it says or has one of these; each is the beginning of a word."""
        return any(f" {each}" in text for each in fragments for text in (self.says, self.has))

    def says_any(self, fragments: Iterable[str]) -> bool:
        return any(f" {each}" in self.says or f" {each} " in self.name for each in fragments)


def _names_in(wish: Wish, texts: Iterable[_Text]) -> tuple[str, ...]:
    """The words of the wish that are names of models or makers, without those that are everyday words as well."""
    names = [text.name for text in texts]
    return (*wish.names, *(word for word in wish.rest_names if any(f" {word} " in name for name in names)))


def _ranked(text: _Text, wish: Wish, names: tuple[str, ...]) -> Ranked | None:
    """None where it can do nothing of what is asked for."""
    model = text.model
    able = [each for each in wish.tasks if set(each) & set(model.tasks)]
    named = [each for each in names if f" {each} " in text.name]
    if (wish.tasks or names) and not able and not named:
        return None
    lacked = sum(not text.has_any(each) for each in wish.musts)
    score = sum(_SAYS_SO if each[0] in model.tasks else _CAN for each in able)
    score += _SAYS_SO * sum(any(f" {each}" in text.says for each in likes) for likes in wish.likes)
    score += _CAN * sum(any(f" {each} " in text.has for each in likes) for likes in wish.likes)
    score += sum(_NAMED if f" {each} " in text.name else f" {each}" in text.says for each in wish.rest)
    score += _CORE * (model.tier == "core")
    cannot_run = 2 * bool(model.required_secrets or model.deprecated)
    missed = len(wish.tasks) - len(able) + len(names) - len(named)
    return Ranked(model=model, misses=(missed + cannot_run, lacked), score=score)


def _makers_mixed(rows: list[Ranked]) -> list[Ranked]:
    """A further model of the same maker or family counts a little less, so that equals are not all of one maker."""
    seen: Counter[str] = Counter()
    places: dict[str, tuple[tuple[int, int], int]] = {}
    for row in rows:
        owner, _, bare = row.model.name.partition("/")
        kin = {owner, bare.partition("-")[0]}
        places[row.model.name] = (row.misses, max(seen[each] for each in kin) - row.score)
        seen.update(kin)
    return sorted(rows, key=lambda row: places[row.model.name])
