"""A gateway's own words about one model, or a person's short model file -> our Model, and what stays unsaid.

Nothing in it is trusted: an input that two concepts could claim, or whose meaning the text does not state, is left out
of the map and named with the reason. Rules and measured accuracy: tests/bench/live_schemas.py.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from darkroom.predictions import mapping_in, text_in
from darkroom.registry.concepts import Concepts
from darkroom.registry.live_schema.count_rules import find_count
from darkroom.registry.live_schema.examples import Makes, example_endings, example_s, what_it_makes
from darkroom.registry.live_schema.findings import Findings, rules
from darkroom.registry.live_schema.name_rules import find_numbers, find_prompts
from darkroom.registry.live_schema.picture_rules import find_pictures
from darkroom.registry.live_schema.roles import find_tasks
from darkroom.registry.live_schema.schema import (
    BadSchema,
    LiveInput,
    OutputKind,
    key_of,
    one_line,
    read_inputs,
    read_output,
    schemas_of,
)
from darkroom.registry.live_schema.shape_rules import find_shape
from darkroom.registry.model import Model, OutputShape, Provenance, Timing
from darkroom.registry.model_input import ModelInput

_VERSION = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[a-z0-9_-]+/[a-z0-9._-]+")
_UNNAMED = "unnamed/model"
_LONGEST_ABOUT = 600
_MOST_RUNS = 10**12
_LISTS: tuple[OutputKind, ...] = ("uri_list", "object_list", "unknown_list")
_DEPRECATED = re.compile(
    r"^\W*deprecated|\bdeprecated[.:]|no longer used|this (?:input|parameter|field) is (?:ignored|deprecated)",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """`model` can be mapped and checked like a curated one; it has no price.

    `makes` comes from its example. `notes` are what a caller should know. `date` (YYYY-MM-DD) is when it was said, and
    `is_old` that the gateway could not be asked again now. `version` has 64 hexadecimal digits, or is empty.
    `is_official` None: not said.
    """

    model: Model
    makes: Makes
    output: OutputKind
    notes: tuple[str, ...]
    date: str
    version: str
    is_official: bool | None
    is_old: bool = False


def describe(body: Mapping[str, object], *, name: str = "", today: str = "") -> Description:
    """From an object of `GET /v1/models/{owner}/{name}`; `name` (owner/name) where the object itself has none.

    `today` (YYYY-MM-DD) dates the facts. Raises: BadSchema where it cannot be described.
    """
    version = mapping_in(body.get("latest_version"))
    if version is None:
        raise BadSchema("it has no version")
    schemas = schemas_of(version.get("openapi_schema"))
    inputs, left_out = read_inputs(schemas)
    output = read_output(schemas)
    about = one_line(f"{text_in(body.get('name'))} {text_in(body.get('description'))}", _LONGEST_ABOUT)
    found = _find_concepts(inputs, output, about)
    makes = what_it_makes(example_endings(body), output)
    identifier = text_in(version.get("id"))
    odd_names = (f"{left_out} inputs with unusable names were left out",) if left_out else ()
    return Description(
        model=_model(name or _name(body), body, inputs, found, is_svg=makes == "svg", today=today),
        makes=makes,
        output=output,
        notes=(*odd_names, *found.notes),
        date=today,
        version=identifier if _VERSION.fullmatch(identifier) else "",
        is_official=is_official(body),
    )


def with_usual_concepts(model: Model) -> Model:
    """A model whose file has no [concepts], with what the rules find; what they leave open is in `unmapped`.

    A short file is trusted further than a stranger's schema: without an [output] table it may give several images, and
    text of a usual name, such as `image`, is a picture.
    """
    output = model.output.kind if "output" in model.model_fields_set else "unknown_list"
    found = _find_concepts(map(_of_file, model.inputs), output, f"{model.title} {model.best_for}")
    stated = {name: getattr(model, name) for name in model.model_fields_set}
    return Model.model_validate(
        {"unmapped": found.unmapped} | stated | {"concepts": Concepts.model_validate(found.concepts)}
    )


def run_count(body: Mapping[str, object]) -> int:
    """How often a model object says that it was run, 0 where it does not."""
    count = body.get("run_count")
    return count if isinstance(count, int) and 0 <= count < _MOST_RUNS else 0


def is_official(body: Mapping[str, object]) -> bool | None:
    """None where a model object does not say it."""
    said = body.get("is_official")
    return said if isinstance(said, bool) else None


def _find_concepts(inputs: Iterable[LiveInput], output: OutputKind, about: str) -> Findings:
    """Every rule in its order, over the inputs that still count; of two names that read alike the first one."""
    by_key: dict[str, LiveInput] = {}
    for each in inputs:
        if not (each.item.deprecated or _DEPRECATED.search(each.text)):
            by_key.setdefault(each.key, each)
    found = Findings(by_key=by_key, output=output, about=about)
    for step in (find_prompts, find_shape, find_count, find_numbers, find_pictures):
        step(found)
    return found


def _of_file(item: ModelInput) -> LiveInput:
    is_plain = item.type == "string" and not (item.enum or item.format)
    if is_plain and item.name in (*rules()["image"]["primary"], "mask"):
        return LiveInput(item.model_copy(update={"format": "uri"}), item.name, item.description)
    return LiveInput(item, key_of(item.name), item.description)


def _name(body: Mapping[str, object]) -> str:
    name = f"{text_in(body.get('owner'))}/{text_in(body.get('name'))}".lower()
    return name if _NAME.fullmatch(name) else _UNNAMED


def _model(
    name: str, body: Mapping[str, object], inputs: tuple[LiveInput, ...], found: Findings, *, is_svg: bool, today: str
) -> Model:
    format_input = found.of("output_format")
    ran_s = example_s(body)
    try:
        return Model(
            name=name,
            title=one_line(body.get("name"), 60) or name,
            provider=one_line(body.get("owner"), 60),
            tasks=find_tasks(found, is_svg=is_svg),
            best_for=one_line(body.get("description")),
            concepts=Concepts.model_validate(found.concepts),
            inputs=tuple(each.item for each in inputs),
            output=OutputShape(
                kind="uri_list" if found.output in _LISTS else "uri",
                svg=is_svg,
                formats=tuple(format_input.strings) if format_input else (),
            ),
            predict_s=(Timing(seconds=ran_s, source="its example"),) if ran_s else (),
            provenance=Provenance(confidence="live", date=today, run_count=run_count(body)),
            unmapped=found.unmapped,
        )
    except ValidationError as error:
        raise BadSchema("it cannot be read as a model") from error
