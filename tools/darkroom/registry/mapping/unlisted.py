"""A model that the registry does not know: what the caller gives is passed on, and nothing is guessed."""

from collections.abc import Mapping

from pydantic import JsonValue

from darkroom.registry.mapping.part import quoted, refusal
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest, MappedInput
from darkroom.uris import is_data_uri, scheme_of

# Our arguments beside prompt and options -> their value when they are not given.
_UNMAPPABLE: Mapping[str, object] = {
    "images": (),
    "mask": "",
    "aspect_ratio": "",
    "width": 0,
    "height": 0,
    "count": 1,
    "seed": -1,
    "negative_prompt": "",
    "output_format": "auto",
}


def map_unlisted(model: Model, request: ImageRequest) -> MappedInput:
    """The options as they are, and the prompt as `prompt`, which nearly every model has.

    Raises:
        InvalidInput: another of our arguments was given; how this model calls it is not known.
    """
    for argument, not_given in _UNMAPPABLE.items():
        if getattr(request, argument) != not_given:
            words = f"'{model.name}' is not in the registry, so what it calls {argument} is not known."
            raise refusal(argument, f"{words} Give it in options under the model's own name, and leave {argument} out.")
    input = dict(request.options)
    if request.prompt:
        if input.get("prompt", request.prompt) != request.prompt:
            words = f"prompt and option prompt ({quoted(input['prompt'])}) contradict each other. Give one of the two."
            raise refusal("prompt", words)
        input = {"prompt": request.prompt} | input
    note = f"'{model.name}' is not in the registry: its options were passed as given, and nothing was checked."
    return MappedInput(
        input=input,
        file_fields=tuple(name for name, value in input.items() if name != "prompt" and _is_file(value)),
        notes=(note,),
    )


def _is_file(value: JsonValue) -> bool:
    if isinstance(value, list):
        return bool(value) and all(isinstance(item, str) and _is_file(item) for item in value)
    return isinstance(value, str) and (is_data_uri(value) or scheme_of(value) in ("prediction", "file"))
