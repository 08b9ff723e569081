"""A model: everything known about it, and the questions the rest of darkroom asks it."""

from collections.abc import Mapping
from functools import cached_property
from typing import Literal, cast

from pydantic import BaseModel, Field, JsonValue, model_validator

from darkroom.model_tasks import Task
from darkroom.registry.concepts import Concepts, usual_concepts
from darkroom.registry.model_input import FROZEN, ModelInput
from darkroom.registry.prices import Price, price_per_image


class OutputShape(BaseModel):
    """What a succeeded prediction holds: one URL or a list; `formats` in the order the model names them, if known."""

    model_config = FROZEN

    kind: Literal["uri", "uri_list"] = "uri"
    svg: bool = False
    formats: tuple[str, ...] = ()


class Timing(BaseModel):
    """Seconds that one real prediction took, without its time in the queue."""

    model_config = FROZEN

    seconds: float
    source: str = ""


class License(BaseModel):
    """Where the licence stands, and what is known about commercial use; empty where nobody says."""

    model_config = FROZEN

    url: str = ""
    commercial_use: str = ""


class Provenance(BaseModel):
    """Where the facts come from and how far they can be trusted.

    `confidence` is about the inputs. `schema_version_seen` only dates the schema of an official model; it is never sent.
    """

    model_config = FROZEN

    confidence: Literal["verified-schema", "documented", "inferred", "user"] = "user"
    schema_url: str = ""
    schema_version_seen: str = ""
    run_by_evidence: str = ""
    sources: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    run_count: int = 0
    run_count_as_of: str = ""


class Model(BaseModel):
    """One model of the registry; only `name` and `inputs` must be stated in its file.

    `run_by` "model" is created by its path, "version" by its version id. `gateways` are the profiles whose documents name
    it (absence means unknown). `checked` is False for a model nobody described: its options are passed as they are.
    """

    model_config = FROZEN

    name: str = Field(pattern=r"^[a-z0-9_-]+/[a-z0-9._-]+$")
    title: str = ""
    provider: str = ""
    tier: Literal["core", "extended"] = "extended"
    tasks: tuple[Task, ...] = ()
    best_for: str = ""
    notes: str = ""
    run_by: Literal["model", "version"] = "model"
    version: str = ""
    deprecated: bool = False
    docs_url: str = ""
    license: License = License.model_construct()
    concepts: Concepts = Concepts.model_construct()
    inputs: tuple[ModelInput, ...]
    output: OutputShape = OutputShape.model_construct()
    prices: tuple[Price, ...] = ()
    predict_s: tuple[Timing, ...] = ()
    gateways: dict[str, str] = {}
    provenance: Provenance = Provenance.model_construct()
    checked: bool = True

    @model_validator(mode="after")
    def _fill_in(self) -> "Model":
        """Work out what a short file leaves unsaid."""
        stated = self.model_fields_set
        unsaid: dict[str, object] = {}
        if "title" not in stated:
            unsaid["title"] = self.name.rpartition("/")[2]
        if "provider" not in stated:
            unsaid["provider"] = self.name.partition("/")[0]
        if "run_by" not in stated and self.version:
            unsaid["run_by"] = "version"
        if "concepts" not in stated:
            unsaid["concepts"] = usual_concepts(self.inputs)
        if "tasks" not in stated:
            unsaid["tasks"] = _usual_tasks(cast("Concepts", unsaid.get("concepts", self.concepts)))
        for field, value in unsaid.items():
            object.__setattr__(self, field, value)  # the only write into a frozen model, before anyone else has it
        return self

    @cached_property
    def inputs_by_name(self) -> dict[str, ModelInput]:
        """The inputs under their names."""
        return {item.name: item for item in self.inputs}

    @property
    def sources(self) -> tuple[str, ...]:
        """Where the facts come from."""
        return self.provenance.sources

    @property
    def confidence(self) -> str:
        """How well the inputs are known."""
        return self.provenance.confidence

    @property
    def unverified(self) -> tuple[str, ...]:
        """What to treat with care."""
        return self.provenance.unverified

    @property
    def schema_url(self) -> str:
        """Where the model's own schema can be read."""
        return self.provenance.schema_url

    @property
    def typical_s(self) -> float | None:
        """Median predict seconds of the predictions known, None where there are none."""
        seconds = sorted(timing.seconds for timing in self.predict_s)
        middle = seconds[(len(seconds) - 1) // 2 : len(seconds) // 2 + 1]
        return sum(middle) / len(middle) if middle else None

    @property
    def max_count(self) -> int:
        """How many images one prediction can give; 1 where the model has no input for it."""
        item = self.inputs_by_name.get(self.concepts.count)
        return int(item.max or 1) if item else 1

    @property
    def can_seed(self) -> bool:
        """Whether a result can be repeated with the same seed."""
        return bool(self.concepts.seed)

    @property
    def edits(self) -> bool:
        """Whether it takes images."""
        return bool(self.concepts.image)

    @property
    def draws_from_text(self) -> bool:
        """Whether it makes an image out of words alone."""
        return "text_to_image" in self.tasks or "text_to_svg" in self.tasks

    @property
    def needs_image(self) -> bool:
        """Whether it can do nothing without an image."""
        item = self.inputs_by_name.get(self.concepts.image)
        return item is not None and (item.required or not self.draws_from_text)

    @property
    def needs_prompt(self) -> bool:
        """Whether an empty prompt is refused, by the model or because it would draw its own example instead."""
        item = self.inputs_by_name.get(self.concepts.prompt)
        return item is not None and (item.required or self.draws_from_text or "inpaint" in self.tasks)

    @property
    def required_secrets(self) -> tuple[str, ...]:
        """Inputs that want the caller's own key elsewhere; such a model cannot be run from tool arguments."""
        return tuple(item.name for item in self.inputs if item.secret and item.required)

    def split_count(self, count: int) -> tuple[int, ...]:
        """How many images to ask of each prediction so that together they give `count`: (4, 4, 2) for 10 at 4 a time."""
        full, rest = divmod(count, self.max_count)
        return (self.max_count,) * full + ((rest,) if rest else ())

    def with_defaults(self, input: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The input as the model sees it: its own defaults where nothing is sent."""
        return {item.name: item.default for item in self.inputs if item.default is not None} | dict(input)

    def estimate_usd(self, input: Mapping[str, JsonValue], image_count: int) -> float | None:
        """US dollars for `image_count` images from this input; None where no price is known."""
        price = price_per_image(self.prices, self.with_defaults(input))
        return None if price is None else round(price * image_count, 6)

    def at_version(self, version: str) -> "Model":
        """The same model, run by one fixed version."""
        return self if version == self.version else self.model_copy(update={"run_by": "version", "version": version})


def _usual_tasks(concepts: Concepts) -> tuple[Task, ...]:
    tasks: list[Task] = ["text_to_image"] if concepts.prompt else []
    if concepts.mask:
        tasks.append("inpaint")
    if concepts.image:
        tasks.append("image_edit")
    return tuple(tasks)
