"""Which input carries the prompt and which the negative one."""

import re

from darkroom.registry.live_schema.findings import Findings, only, rules

_PROMPT = re.compile(r"prompt$|^prompt_")
_OTHER_PROMPT = re.compile(
    r"neg|^n_|^a_|source|target|mask|custom|latent|add|extra|style|suffix|prefix|system|prompts|strength|token|"
    r"generation|original"
)
_SAYS_PROMPT = re.compile(r"\bprompt\b|describ", re.IGNORECASE)
_SPLIT = re.compile(r"(new ?lines?|per line|one per|\|)[^.]{0,40}|multiple prompts", re.IGNORECASE)
_SPLIT_INTO = re.compile(r"prompts|per line|separat", re.IGNORECASE)


def find_prompts(found: Findings) -> None:
    for row in rules()["named"]:
        found.put_named(row)
    if "prompt" not in found.concepts:
        found.put_only(
            "prompt",
            [
                each
                for each in found.inputs
                if each.is_text
                and _PROMPT.search(each.key)
                and not _OTHER_PROMPT.search(each.key)
                and (each.item.required or _SAYS_PROMPT.search(each.text))
            ],
        )
    if "negative_prompt" not in found.concepts:
        negative = [
            each
            for each in found.inputs
            if each.is_text and re.search(r"(^|_)neg", each.key) and "prompt" in each.key and "mask" not in each.key
        ]
        found.put("negative_prompt", only(negative))
    prompt = found.of("prompt")
    if prompt and _SPLIT.search(prompt.text) and _SPLIT_INTO.search(prompt.text):
        found.notes.append(
            f"{prompt.name} may be split at line breaks or '|': one call may then make and bill several images"
        )
