"""What list_models answers: a compact table, or everything one needs to call one model."""

import datetime
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from pydantic import JsonValue

from darkroom.errors import DarkroomError
from darkroom.registry import Model, ModelInput, example_call
from darkroom.reports.amounts import seconds
from darkroom.reports.prediction_data import said_by
from darkroom.reports.price_words import Limits, price_cell, price_data, price_words

_LONGEST_ENUM = 24
# Inputs that generate_image fills from its own arguments, and how those are shown.
_OURS = (
    "prompt",
    "negative_prompt",
    "image",
    "mask",
    "aspect_ratio",
    "width",
    "height",
    "count",
    "seed",
    "output_format",
)
_SHOWN = {
    "prompt": "prompt",
    "image": "images ({images})",
    "mask": "mask (white = edited)",
    "aspect_ratio": "aspect_ratio ({allowed})",
    "width": "width and height ({allowed})",
    "seed": "seed",
    "negative_prompt": "negative_prompt",
    "output_format": "output_format ({allowed})",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelReport:
    """`text` for the assistant, `data` for programs: `{"models": [...], "shown", "known", "problems"}`."""

    text: str
    data: dict[str, JsonValue]
    is_error: bool = False

    def with_problems(self, problems: Sequence[str]) -> "ModelReport":
        """The same report with more that the user should hear of."""
        earlier = cast("list[JsonValue]", self.data["problems"])
        text = "\n".join([self.text, *(f"Problem: {problem}" for problem in problems)])
        return replace(self, text=text, data={**self.data, "problems": [*earlier, *problems]})


def refused_models(error: DarkroomError) -> ModelReport:
    """Why list_models has nothing to show."""
    words = said_by(error)
    return ModelReport(text=words, data={"models": [], "problems": [words]}, is_error=True)


def table_report(
    models: Sequence[Model], *, known: int, sought: str, problems: Sequence[str], limits: Limits
) -> ModelReport:
    """One line a model: name, tasks, price, seconds, images at once, what it is best for; what a limit refuses."""
    lines = [f'No model fits {sought}; {known} are known. Try other words, or task "any".']
    if models:
        lines = [
            f"{len(models)} of {known} models{f' for {sought}' if sought else ''}, best first.",
            *_limit_lines(limits),
            "name | tasks | USD an image | seconds | images at once | best for",
            *(_row(model, limits) for model in models),
            f'Inputs and an example call of one: list_models(model="{models[0].name}").',
        ]
    rows: list[JsonValue] = [_row_data(model, limits) for model in models]
    data: dict[str, JsonValue] = {"models": rows, "shown": len(rows), "known": known, "problems": []}
    data |= {"left_today_usd": limits.day.left_usd if limits.day else None}
    return ModelReport(text="\n".join(lines), data=data).with_problems(problems)


def model_report(model: Model, *, today: datetime.date, limits: Limits) -> ModelReport:
    """Everything one needs to call it: our arguments, its own options with ranges, prices, an example."""
    example = example_call(model)
    call = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in example.items())
    whole = model.model_dump(mode="json", exclude={"provenance"}, exclude_defaults=True)
    sections = [
        f"{model.name}: {model.title} ({model.provider}). {model.best_for}".rstrip(),
        _facts_line(model, today),
        *_limit_lines(limits, [model]),
        _arguments_line(model),
        _options_section(model),
        f"Example: generate_image({call})",
        *_notes(model),
    ]
    return ModelReport(
        text="\n".join(section for section in sections if section),
        data={
            "models": [{**whole, **_row_data(model, limits), "example": example}],
            "shown": 1,
            "known": 1,
            "problems": [],
        },
    )


def _limit_lines(limits: Limits, models: Sequence[Model] = ()) -> list[str]:
    """What is left of the person's limits, and what that means for one model."""
    if not limits.words:
        return []
    refused = " With its defaults one image of it would be refused." if any(map(limits.refuse, models)) else ""
    return [f"The user's limits: {limits.words}.{refused}"]


def _row(model: Model, limits: Limits) -> str:
    typical = "?" if not model.typical_s else "<1" if model.typical_s < 1 else f"{model.typical_s:.0f}"
    price = price_cell(model) + (" (over the limit with its defaults)" if limits.refuse(model) else "")
    cells = (model.name, ", ".join(model.tasks), price, typical, str(model.max_count), model.best_for)
    return " | ".join(cells)


def _facts_line(model: Model, today: datetime.date) -> str:
    run = seconds(model.typical_s) if model.typical_s else "unknown"
    gives = f" Gives: {', '.join(model.output.formats)}." if model.output.formats else ""
    return (
        f"Tasks: {', '.join(model.tasks)}. Price: {price_words(model, today)}. Typical run: {run}. "
        f"Images at once: {model.max_count}.{gives}"
    )


def _arguments_line(model: Model) -> str:
    """Which of generate_image's own arguments this model takes, with what it allows."""
    words = [] if model.concepts.prompt else ["no prompt"]
    for concept, shown in _SHOWN.items():
        if name := getattr(model.concepts, concept):
            words.append(shown.format(images=_image_words(model), allowed=_allowed(model.inputs_by_name[name])))
    return f"Arguments: {', '.join(words)}."


def _image_words(model: Model) -> str:
    concepts = model.concepts
    most = f"up to {concepts.image_max}" if concepts.image_max else "several"
    number = "one" if concepts.image_arity == "single" else most
    need = "required" if model.needs_image else "optional"
    is_source = concepts.image_role in ("source", "inpaint_source")
    return f"{number}, {need}" + ("" if is_source else f", used as {concepts.image_role.replace('_', ' ')}")


def _options_section(model: Model) -> str:
    ours = {getattr(model.concepts, word) for word in _OURS}
    options = [item for item in model.inputs if item.name not in ours and not item.secret and not item.deprecated]
    if not options:
        return "Options: none."
    return "\n".join(["Options (pass them in `model_options`):", *map(_option_line, options)])


def _option_line(item: ModelInput) -> str:
    facts = [_allowed(item)]
    if item.required:
        facts.append("required")
    elif item.default is not None:
        facts.append(f"default {json.dumps(item.default)}")
    facts += [f"only with {name}={json.dumps(value)}" for name, value in item.applies_when.items()]
    return f"- {item.name}: {', '.join(fact for fact in facts if fact)}. {item.description}".rstrip()


def _allowed(item: ModelInput) -> str:
    if item.enum:
        shown = [str(value) for value in item.enum[:_LONGEST_ENUM]]
        more = len(item.enum) - len(shown)
        rest = [f"{more} more"] if more else [] if item.enum_complete else ["others possible"]
        return " | ".join([*shown, *rest])
    step = f" in steps of {item.multiple_of}" if item.multiple_of else ""
    if item.min is not None:
        return f"{item.type} {f'from {item.min}' if item.max is None else f'{item.min}..{item.max}'}{step}"
    if item.max is not None:
        return f"{item.type} up to {item.max}{step}"
    if item.is_file:
        return "image (path, URL or prediction)" if item.type == "string" else "list of images"
    return item.type + step


def _notes(model: Model) -> list[str]:
    licence = model.license.commercial_use or model.license.url
    version = f"Community model, run by version {model.version}; a gateway with a fixed table may refuse it."
    secrets = f"Needs someone's own key ({', '.join(model.required_secrets)}), so it cannot be run from here."
    lines = (
        (model.run_by == "version", version),
        (model.required_secrets, secrets),
        (model.deprecated, "Deprecated by its maker."),
        (model.gateways, f"Named by: {', '.join(model.gateways)}."),
        (model.notes, f"Note: {model.notes}"),
        (
            model.price and model.price.doubt,
            f"Price doubt: {model.price.doubt if model.price else ''}".rstrip(".") + ".",
        ),
        (model.unverified, f"Not verified: {'; '.join(model.unverified)}."),
        (licence, f"Licence: {licence}.".replace("..", ".")),
        (model.docs_url, f"Docs: {model.docs_url}"),
    )
    return [line for is_so, line in lines if is_so]


def _row_data(model: Model, limits: Limits) -> dict[str, JsonValue]:
    return {
        "name": model.name,
        "title": model.title,
        "tier": model.tier,
        "tasks": list(model.tasks),
        "best_for": model.best_for,
        **price_data(model, limits),
        "typical_s": model.typical_s,
        "max_count": model.max_count,
        "takes_images": model.edits,
    }
