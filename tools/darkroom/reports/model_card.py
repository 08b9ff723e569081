"""Everything that an assistant needs to call one model, and, apart from it, where that is known from."""

import datetime
import json
import re
from dataclasses import replace

from pydantic import JsonValue

from darkroom.registry import Model, ModelInput, example_call
from darkroom.reports.amounts import seconds
from darkroom.reports.models import ModelReport, limit_lines, row_data
from darkroom.reports.price_words import Limits, price_words, read_words

_LONGEST_ENUM = 24
# Inputs that generate_image fills from its own arguments, and how those are shown.
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
_OURS = (*_SHOWN, "height", "count")
_CAUTIONS = {"disable_safety_checker": "Leave it alone unless the user asks for it; many gateways forbid it."}

# Sentences about where a fact was read, not about what is paid or sent.
_ABOUT_SOURCES = re.compile(
    r"^(From an|No newer reading|The list does not say|Three lists agree|Conflict|Newest version id|Output kind from|"
    r"An? (older|early) version|Older version|not marked deprecated|The .* input is called|The \*_url names)"
)


def model_report(model: Model, *, today: datetime.date, limits: Limits) -> ModelReport:
    """Our arguments, its own options with ranges, price, speed, an example; `sources` say how far it is known."""
    example = example_call(model)
    call = ", ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in example.items())
    whole = model.model_dump(mode="json", exclude={"provenance"}, exclude_defaults=True)
    sections = [
        f"{model.name}: {model.title} ({model.provider}). {model.best_for}".rstrip(),
        _facts_line(model, today),
        *limit_lines(limits, [model]),
        _arguments_line(model),
        _options_section(model),
        _transparency_line(model),
        f"Example: generate_image({call})",
        *_notes(model),
    ]
    facts: dict[str, JsonValue] = {**whole, **row_data(model, limits), "example": example}
    facts["unverified"] = list(model.provenance.unverified)
    report = ModelReport(
        text="\n".join(section for section in sections if section),
        data={"models": [facts], "shown": 1, "known": 1, "problems": []},
    )
    return replace(report, sources=tuple(_sources(model)))


def _facts_line(model: Model, today: datetime.date) -> str:
    run = seconds(model.typical_s) if model.typical_s else "unknown"
    pace = f"Its example took {run}" if model.is_live and model.typical_s else f"Typical run: {run}"
    gives = f" Gives: {', '.join(model.output.formats)}." if model.output.formats else ""
    tasks = ", ".join(model.tasks) or "none that is known"
    return f"Tasks: {tasks}. Price: {price_words(model, today)}. {pace}. Images at once: {model.max_count}.{gives}"


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


def _transparency_line(model: Model) -> str:
    """What the model's own schema says of transparency; empty where it says nothing."""
    asked = next((item.name for item in model.inputs if "transparent" in (item.enum or ())), "")
    kept = next((item.name for item in model.inputs if item.name == "preserve_alpha" and not item.deprecated), "")
    if asked:
        return f'Transparent background: {asked}="transparent" in `model_options`, as PNG or WebP.'
    if kept:
        return f"Transparency of the image given is kept with {kept} in `model_options`."
    is_jpeg = bool(model.output.formats) and set(model.output.formats) <= {"jpg", "jpeg"}
    return "Never transparent: it gives JPEG only." if is_jpeg else ""


def _option_line(item: ModelInput) -> str:
    facts = [_allowed(item)]
    if item.required:
        facts.append("required")
    elif item.default is not None:
        facts.append(f"default {json.dumps(item.default)}")
    facts += [f"only with {name}={json.dumps(value)}" for name, value in item.applies_when.items()]
    line = f"- {item.name}: {', '.join(fact for fact in facts if fact)}. {item.description}".rstrip()
    return f"{line} {_CAUTIONS[item.name]}" if item.name in _CAUTIONS else line


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
    """What changes how it is called or what is paid."""
    version = f"Community model, run by version {model.version}; a gateway with a fixed table may refuse it."
    secrets = f"Needs someone's own key ({', '.join(model.required_secrets)}), so it cannot be run from here."
    note, doubt = _without_sources(model.notes), _without_sources(model.price.doubt if model.price else "")
    lines = (
        (model.run_by == "version", version),
        (model.required_secrets, secrets),
        (model.deprecated, "Deprecated by its maker."),
        (note, f"Note: {note}"),
        (doubt, f"Price doubt: {doubt.rstrip('.')}."),
    )
    unclear = [f"Unclear: {word}: {why}." for word, why in model.unmapped.items()]
    return [line for is_so, line in lines if is_so] + unclear


def _sources(model: Model) -> list[str]:
    """For a person who wants to check it: what is doubted, named by whom, licence and documents."""
    licence = model.license.commercial_use or model.license.url
    doubt = model.price.doubt if model.price else ""
    lines = (
        (model.price, f"Price read: {read_words(model)}."),
        (doubt, f"Price, all doubts: {doubt.rstrip('.')}."),
        (model.notes, f"All notes: {model.notes}"),
        (model.gateways, f"Named by: {', '.join(model.gateways)}."),
        (model.provenance.unverified, f"Not verified: {'; '.join(model.provenance.unverified)}."),
        (licence, f"Licence: {licence}.".replace("..", ".")),
        (model.docs_url, f"Docs: {model.docs_url}"),
    )
    return [line for is_so, line in lines if is_so]


def _without_sources(text: str) -> str:
    sentences = re.split(r"(?<=[.;]) +(?=[A-Z])", text)
    return " ".join(sentence for sentence in sentences if not _ABOUT_SOURCES.match(sentence))
