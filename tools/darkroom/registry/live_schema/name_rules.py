"""Which inputs carry the prompts, the seed, the file format and the numbers; nearly all by their exact names."""

import re

from darkroom.registry.live_schema.findings import Findings, only, rules
from darkroom.registry.live_schema.schema import LiveInput

_PROMPT = re.compile(r"prompt$|^prompt_")
_OTHER_PROMPT = re.compile(
    r"neg|^n_|^a_|source|target|mask|custom|latent|add|extra|style|suffix|prefix|system|prompts|strength|token|"
    r"generation|original"
)
_SAYS_PROMPT = re.compile(r"\bprompt\b|describ", re.IGNORECASE)
_SPLIT = re.compile(r"(new ?lines?|per line|one per|\|)[^.]{0,40}|multiple prompts", re.IGNORECASE)
_SPLIT_INTO = re.compile(r"prompts|per line|separat", re.IGNORECASE)
_STILL = frozenset({"png", "jpg", "jpeg", "webp", "svg", "avif", "tiff", "tif"})
_FREE_FORMAT = frozenset({"output_format", "format", "file_format", "image_format"})
_FACTOR = re.compile(
    r"(up)?scale(_?factor)?|upscal(e|ing)_?(factor|by|scale)?|outscale|rescaling_factor|enhance_?scale"
)
_OTHER_SCALE = re.compile(r"guidance|lora|control")
_ENLARGES = re.compile(r"up-?scal|rescal|upsampl|factor|times|enlarg|resolution|magnif", re.IGNORECASE)
_PLAIN_FACTOR = frozenset({"scale", "scale_factor", "upscale_factor"})
_LOWEST_SEED_LIMIT = 1


def find_prompts(found: Findings) -> None:
    for row in rules()["named"]:
        found.put_named(row)
    texts = [each for each in found.inputs if each.is_text]
    if "prompt" not in found.concepts:
        named = [each for each in texts if _PROMPT.search(each.key) and not _OTHER_PROMPT.search(each.key)]
        found.put_only("prompt", [each for each in named if each.item.required or _SAYS_PROMPT.search(each.text)])
    if "negative_prompt" not in found.concepts:
        negative = [each for each in texts if re.search(r"(^|_)neg", each.key) and "prompt" in each.key]
        found.put("negative_prompt", only([each for each in negative if "mask" not in each.key]))
    prompt = found.of("prompt")
    if prompt and _SPLIT.search(prompt.text) and _SPLIT_INTO.search(prompt.text):
        found.notes.append(
            f"{prompt.name} may be split at line breaks or '|': one call may then make and bill several images"
        )


def find_numbers(found: Findings) -> None:
    first, *rest = rules()["numbered"]
    found.put_named(first)
    _check_seed(found)
    _find_format(found)
    for row in rest:
        found.put_named(row)
        if row["concept"] == "guidance" and "guidance" not in found.concepts:
            _find_guidance(found)
    _find_factor(found)


def _check_seed(found: Findings) -> None:
    seed = found.of("seed")
    if seed and seed.item.max is not None and seed.item.max < _LOWEST_SEED_LIMIT:
        found.give_up("seed", f"{seed.name} takes no number above 0")
    elif seed is None and "seed" in found.by_key:
        found.unmapped["seed"] = "seed is not a whole number here"


def _find_format(found: Findings) -> None:
    formats = [each for each in found.inputs if each.item.type == "string" and not each.is_uri and _is_format(each)]
    named = [each for each in formats if each.key in rules()["output_format"]["named"]]
    found.put_only("output_format", named if only(named) else formats)


def _is_format(each: LiveInput) -> bool:
    if not each.item.enum:
        return each.key in _FREE_FORMAT and str(each.item.default).lower() in _STILL
    still = sum(str(value).lower().lstrip(".") in _STILL for value in each.item.enum)
    return still >= max(1, len(each.item.enum) / 2)


def _find_guidance(found: Findings) -> None:
    names = rules()["guidance"]["names"]
    could = [each for each in found.inputs if each.key in names and each.is_number and "guidance" in each.words]
    found.put("guidance", only(could))


def _find_factor(found: Findings) -> None:
    could = [
        each
        for each in found.inputs
        if each.name not in found.taken
        and _FACTOR.fullmatch(each.key)
        and (each.is_number or each.item.enum)
        and not _OTHER_SCALE.search(each.words)
        and (each.key != "scale" or _ENLARGES.search(f"{each.text} {found.about}"))
    ]
    found.put("upscale_factor", only([each for each in could if each.key in _PLAIN_FACTOR]) or only(could))
