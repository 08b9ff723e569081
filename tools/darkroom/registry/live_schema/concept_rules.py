"""Every rule in its order: the inputs of a model -> which of our words each carries.

For a gateway's schema, and for a person's model file that has no [concepts] table.
"""

import re
from collections.abc import Iterable

from darkroom.registry.concepts import Concepts
from darkroom.registry.live_schema.count_rules import find_count
from darkroom.registry.live_schema.findings import Findings, rules
from darkroom.registry.live_schema.live_input import LiveInput, key_of
from darkroom.registry.live_schema.number_rules import find_numbers
from darkroom.registry.live_schema.picture_rules import find_pictures
from darkroom.registry.live_schema.schema import OutputKind
from darkroom.registry.live_schema.shape_rules import find_shape
from darkroom.registry.live_schema.word_rules import find_prompts
from darkroom.registry.model import Model
from darkroom.registry.model_input import ModelInput

_DEPRECATED = re.compile(
    r"^\W*deprecated|\bdeprecated[.:]|no longer used|this (?:input|parameter|field) is (?:ignored|deprecated)",
    re.IGNORECASE,
)
_STEPS = (find_prompts, find_shape, find_count, find_numbers, find_pictures)


def find_concepts(inputs: Iterable[LiveInput], output: OutputKind, about: str) -> Findings:
    """`about`: name and description of the model."""
    found = Findings(by_key=_by_key(inputs), output=output, about=about)
    for step in _STEPS:
        step(found)
    return found


def with_usual_concepts(model: Model) -> Model:
    """A model whose file has no [concepts], with what the rules find; what they leave open is in `unmapped`.

    A short file is trusted further than a stranger's schema: without an [output] table it may give several images, and
    text of a usual name, such as `image`, is a picture.
    """
    output = model.output.kind if "output" in model.model_fields_set else "unknown_list"
    found = find_concepts(map(_of_file, model.inputs), output, f"{model.title} {model.best_for}")
    stated = {name: getattr(model, name) for name in model.model_fields_set}
    return Model.model_validate(
        {"unmapped": found.unmapped} | stated | {"concepts": Concepts.model_validate(found.concepts)}
    )


def _of_file(item: ModelInput) -> LiveInput:
    is_plain = item.type == "string" and not (item.enum or item.format)
    if is_plain and item.name in (*rules()["image"]["primary"], "mask"):
        return LiveInput(item.model_copy(update={"format": "uri"}), item.name, item.description)
    return LiveInput(item, key_of(item.name), item.description)


def _by_key(inputs: Iterable[LiveInput]) -> dict[str, LiveInput]:
    """Those that still count; of two names that read alike the first one."""
    found: dict[str, LiveInput] = {}
    for each in inputs:
        if not (each.item.deprecated or _DEPRECATED.search(each.text)):
            found.setdefault(each.key, each)
    return found
