"""A model: its name, its facts, and what follows from them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from pydantic import Field, JsonValue, model_validator

from darkroom.errors import UnknownModel
from darkroom.model_tasks import Task
from darkroom.registry.concepts import Concepts
from darkroom.registry.model_input import Facts, ModelInput
from darkroom.registry.old_prices import OldPrice, table_of
from darkroom.registry.price import PriceTable

_REFERENCE = re.compile(r"(deployments/)?([A-Za-z0-9_-]{1,100})/([A-Za-z0-9._-]{1,100})(?::([A-Za-z0-9._-]{1,128}))?")
_BARE_VERSION = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """`owner/name`, or `owner/name:version` for one fixed version; `version` is empty where none was named.

    A deployment, `deployments/owner/name`, runs a version of a model on hardware of its own.
    """

    owner: str
    name: str
    version: str = ""
    is_deployment: bool = False

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """Read `[deployments/]owner/name[:version]`; lower case, as the registry and the format write it.

        Raises: UnknownModel where the text has another form.
        """
        if is_version(text):
            raise UnknownModel(
                f"'{text.strip()[:12]}…' is a version, and no gateway tells whose model that is. "
                "Write it as owner/name:version. Nothing was sent."
            )
        match = _REFERENCE.fullmatch(text.strip())
        if match and match[1] and match[4]:
            raise UnknownModel("A deployment has a version of its own: leave the ':version' out. Nothing was sent.")
        if match is None:
            raise UnknownModel(
                f"{text[:80]!r} is not a model name. Write it as owner/name, for example "
                "'black-forest-labs/flux-schnell'; list_models shows all. Nothing was sent."
            )
        deployment, owner, name, version = match.groups()
        return cls(owner=owner.lower(), name=name.lower(), version=version or "", is_deployment=deployment is not None)

    @property
    def full_name(self) -> str:
        return f"{'deployments/' if self.is_deployment else ''}{self.owner}/{self.name}"

    def __str__(self) -> str:
        return f"{self.full_name}:{self.version}" if self.version else self.full_name


def is_version(text: str) -> bool:
    """Whether it is the id of a version, without the name of its model."""
    return bool(_BARE_VERSION.fullmatch(text.strip()))


class OutputShape(Facts):
    """What a succeeded prediction holds: one URL or a list; `formats` in the order the model names them, if known."""

    kind: Literal["uri", "uri_list"] = "uri"
    svg: bool = False
    formats: tuple[str, ...] = ()


class Timing(Facts):
    """Seconds that one real prediction took, without its time in the queue."""

    seconds: float
    source: str = ""


class License(Facts):
    """Where the licence stands, and what is known about commercial use; empty where nobody says."""

    url: str = ""
    commercial_use: str = ""


class Provenance(Facts):
    """Where the facts come from and how far they can be trusted.

    `confidence` is about the inputs; "live" ones were read from the gateway on `date`. `schema_version_seen` only dates
    the schema of an official model; it is never sent.
    """

    confidence: Literal["verified-schema", "documented", "inferred", "user", "live"] = "user"
    date: str = ""
    schema_url: str = ""
    schema_version_seen: str = ""
    run_by_evidence: str = ""
    sources: tuple[str, ...] = ()
    unverified: tuple[str, ...] = ()
    run_count: int = 0
    run_count_as_of: str = ""


class Model(Facts):
    """One model of the registry; only `name` and `inputs` must be stated in its file.

    `run_by` "model" is created by its path, "version" by its version id. `gateways` are the profiles whose documents
    name it (absence means unknown). `checked` is False for a model nobody described: its options are passed as they
    are. `unmapped`: our word -> why it is not clear which input carries it. `prices` are those of an old file.
    """

    name: str = Field(pattern=r"^(deployments/)?[a-z0-9_-]+/[a-z0-9._-]+$")
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
    price: PriceTable | None = None
    prices: tuple[OldPrice, ...] = Field(default=(), exclude=True)
    predict_s: tuple[Timing, ...] = ()
    gateways: dict[str, str] = {}
    provenance: Provenance = Provenance.model_construct()
    checked: bool = True
    unmapped: dict[str, str] = {}

    @model_validator(mode="after")
    def _fill_in(self) -> "Model":
        """Fill in what a short file leaves out."""
        concepts = self.concepts
        by_concept = {"text_to_image": concepts.prompt, "inpaint": concepts.mask, "image_edit": concepts.image}
        missing = {
            "title": self.name.rpartition("/")[2],
            "provider": self.name.partition("/")[0],
            "run_by": "version" if self.version else "model",
            "tasks": tuple(task for task, name in by_concept.items() if name),
        }
        facts: dict[str, object] = {name: missing[name] for name in missing.keys() - self.model_fields_set}
        if self.prices and "price" not in self.model_fields_set:
            facts["price"] = table_of(self.prices, self.inputs_by_name)
        for field, value in facts.items():
            object.__setattr__(self, field, value)  # the only write into a frozen model, before anyone else has it
        return self

    @cached_property
    def inputs_by_name(self) -> dict[str, ModelInput]:
        return {item.name: item for item in self.inputs}

    @property
    def is_live(self) -> bool:
        """Whether the gateway's own schema describes it, and nobody has curated it."""
        return self.provenance.confidence == "live"

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
        if item is None:
            return 1
        offered = [value for value in item.enum if isinstance(value, int | float)]
        return max(int(item.max or max(offered, default=1)), 1)

    @property
    def edits(self) -> bool:
        return bool(self.concepts.image)

    @property
    def draws_from_text(self) -> bool:
        """Whether it makes an image out of words alone."""
        return "text_to_image" in self.tasks or "text_to_svg" in self.tasks

    @property
    def needs_image(self) -> bool:
        """Whether it can do nothing without an image."""
        item = self.inputs_by_name.get(self.concepts.image)
        return item is not None and (item.required or not (self.draws_from_text or self.is_live))

    @property
    def needs_prompt(self) -> bool:
        """Whether an empty prompt is refused, by the model or because it would draw its own example instead."""
        item = self.inputs_by_name.get(self.concepts.prompt)
        if item is not None and self.is_live:
            return item.required
        return item is not None and (item.required or self.draws_from_text or "inpaint" in self.tasks)

    @property
    def required_secrets(self) -> tuple[str, ...]:
        """Inputs that want the caller's own key elsewhere; such a model cannot be run from tool arguments."""
        return tuple(item.name for item in self.inputs if item.secret and item.required)

    def holds_image(self, item: ModelInput) -> bool:
        """Whether the value of this input of the model is an image reference or a list of them."""
        return item.is_file or item.name in (self.concepts.image, self.concepts.mask)

    def split_count(self, count: int) -> tuple[int, ...]:
        """How many images to ask of each prediction, so that all give `count`: (4, 4, 2) for 10 at 4 a time."""
        full, rest = divmod(count, self.max_count)
        return (self.max_count,) * full + ((rest,) if rest else ())

    def with_defaults(self, input: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
        """The input as the model sees it: its own defaults where nothing is sent."""
        return {item.name: item.default for item in self.inputs if item.default is not None} | dict(input)

    def at_version(self, version: str) -> "Model":
        """The same model, run by one fixed version."""
        return self if version == self.version else self.model_copy(update={"run_by": "version", "version": version})
