"""Which part of an earlier request stays, and which gives way to what is given beside `like`. Nothing is looked up."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from pydantic import JsonValue

from darkroom.journal import Intent
from darkroom.registry import ARGUMENTS, ImageRequest, Model, ModelRegistry
from darkroom.registry.mapping.ratios import read_size
from darkroom.secrets_in_inputs import is_masked
from darkroom.uris import is_shortened, texts_in

# The arguments that change together, and the concepts of a model whose inputs they stand for.
_GROUPS: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = (
    (("prompt",), ("prompt",)),
    (("negative_prompt",), ("negative_prompt",)),
    (("images",), ("image",)),
    (("mask",), ("mask",)),
    (("aspect_ratio", "width", "height"), ("aspect_ratio", "width", "height", "match_input")),
    (("count",), ("count",)),
    (("seed",), ("seed",)),
    (("output_format",), ("output_format",)),
)
_NONE = ImageRequest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Merging:
    """One earlier request (`base`), what is `given`, and the `model` it is for (None: one that is not described).

    `seed` is the one that was really used, None where there was none. `has_own_count`: not all that was asked for is
    wanted, so that an option cannot say how many.
    """

    base: ImageRequest
    given: ImageRequest
    model: Model | None
    is_other_model: bool
    has_own_count: bool
    seed: int | None

    @classmethod
    def of(cls, registry: ModelRegistry, row: Intent, given: ImageRequest, *, count: int) -> "Merging":
        """`count`: how many images, 0 for as many as were asked for."""
        before = _model_name(registry, row)
        base = replace(ImageRequest.from_json(row.request), model=before, like="")
        old, new = registry.find(before), registry.find(given.model or before)
        is_same = not given.model or given.model == before or (new is not None and old == new)
        is_in_options = old is not None and old.concepts.seed in base.options
        seed = base.seed if row.seed is None or is_in_options else row.seed
        return cls(
            base=replace(base, count=count or base.count, seed=seed),
            given=replace(given, model="" if is_same else given.model),
            model=new,
            is_other_model=not is_same,
            has_own_count=count > 0,
            seed=row.seed,
        )

    def request(self) -> ImageRequest:
        """The whole request."""
        kept = {name: getattr(self.base, name) for name in self._kept_arguments()}
        given = {name: getattr(self.given, name) for name in self._given_arguments()}
        options = self._kept_options() | {
            name: value for name, value in self.given.options.items() if value is not None
        }
        whole = replace(_NONE, model=self.given.model or self.base.model, options=options, **{**kept, **given})
        return replace(whole, seed=self._seed(whole))

    def unchanged(self) -> ImageRequest:
        """The earlier request in the same form."""
        return self.base if self.is_other_model else replace(self, given=_NONE).request()

    def lost(self) -> Iterator[tuple[str, JsonValue]]:
        """What is taken over and was not kept: data URIs and secrets, by the argument and its value."""
        whole, given = self.request(), self._given_arguments()
        for name in ("prompt", "negative_prompt", "mask"):
            if name not in given and is_shortened(getattr(whole, name)):
                yield name, getattr(whole, name)
        if "images" not in given:
            yield from ((f"images[{n}]", each) for n, each in enumerate(whole.images) if is_shortened(each))
        for name, value in self._kept_options().items():
            if is_lost(value) or is_masked(name, value):
                yield f"model_options['{name}']", value

    def notes(self) -> Iterator[str]:
        """What another model cannot take over."""
        if left_out := [name for name in self.base.options if self._is_foreign(name)]:
            where = self.given.model
            yield f"'{where}' has no option {', '.join(map(repr, left_out[:5]))}, so it was left out."

    def given_texts(self) -> Iterator[str]:
        """Every image reference among what is given."""
        yield from (*self.given.images, self.given.mask)
        yield from texts_in(dict(self.given.options))

    def _given_arguments(self) -> list[str]:
        """The arguments that differ from their defaults; a count of 1 is given only where it says so."""
        names = [name for name in ARGUMENTS if name not in ("model", "options", "like")]
        given = [name for name in names if getattr(self.given, name) != getattr(_NONE, name)]
        return [*given, "count"] if self.given.has_count and "count" not in given else given

    def _kept_arguments(self) -> Iterator[str]:
        given = self._given_arguments()
        for names, concepts in _GROUPS:
            is_taken_away = any(self.given.options.get(name, "") is None for name in names)
            is_given = any(name in given for name in names) or self._held(concepts, self.given.options)
            if not is_taken_away and not is_given:
                yield from names

    def _kept_options(self) -> dict[str, JsonValue]:
        given = self._given_arguments()
        replaced = set(self.given.options)
        for names, concepts in _GROUPS:
            if any(name in given for name in names) or (self.has_own_count and names == ("count",)):
                replaced |= self._held(concepts, self.base.options)
        return {
            name: value
            for name, value in self.base.options.items()
            if name not in replaced and not self._is_foreign(name)
        }

    def _is_foreign(self, option: str) -> bool:
        is_known = self.model is None or option in self.model.inputs_by_name
        return self.is_other_model and option not in self.given.options and not is_known

    def _held(self, concepts: tuple[str, ...], options: Mapping[str, JsonValue]) -> set[str]:
        """Those of these options that say what one of these concepts is about; a size may be one of pixels or not."""
        held = self._inputs(concepts)
        if self.model and "width" in concepts:
            size = self.model.concepts.size
            held |= {size} if size in options and (options[size] is None or read_size(options[size])) else set()
            exact = self.model.concepts.custom_size_requires
            held |= {name for name in exact if options.get(name) == exact[name]}
        return held & options.keys()

    @property
    def _is_seedless(self) -> bool:
        """Whether another model is wanted, which takes no seed as far as that is known."""
        return self.is_other_model and not (self.model and self.model.concepts.seed)

    def _inputs(self, concepts: tuple[str, ...]) -> set[str]:
        """The inputs of the model; of one that is not described those with our own names."""
        if self.model is None:
            return set(concepts)
        return {getattr(self.model.concepts, concept) for concept in concepts} - {""}

    def _seed(self, whole: ImageRequest) -> int:
        """The seed that is given; else the one that was used, where the model takes one and no option holds it."""
        names = {"seed"} | self._inputs(("seed",))
        if "seed" in self._given_arguments():
            return whole.seed
        if names & (whole.options.keys() | self.given.options.keys()) or self._is_seedless:
            return _NONE.seed
        return whole.seed if self.seed is None else self.seed


def is_lost(value: JsonValue) -> bool:
    """True where a data URI in it was shortened when it was written down."""
    return any(is_shortened(text) for text in texts_in(value))


def _model_name(registry: ModelRegistry, row: Intent) -> str:
    """With its version where that is not the registry's own."""
    known = registry.find(row.model)
    is_own = not row.version or (known is not None and known.version == row.version)
    return row.model if is_own else f"{row.model}:{row.version}"
