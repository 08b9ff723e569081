"""A model that the registry does not know: what the caller gives is passed on, and nothing is guessed."""

from pydantic import JsonValue

from darkroom.registry.mapping.argument_inputs import quoted, refusal
from darkroom.registry.model import Model, ModelRef
from darkroom.registry.request import ARGUMENTS, ImageRequest, MappedInput
from darkroom.uris import is_data_uri, scheme_of

_NOT_GIVEN = ImageRequest()
_UNMAPPABLE = [name for name in ARGUMENTS if name not in ("prompt", "model", "options")]


def unlisted_model(ref: ModelRef) -> Model:
    """A model known by its full name only: options are passed as given, and the notes say that nothing was checked."""
    return Model(name=ref.full_name, version=ref.version, inputs=(), checked=False)


def map_unlisted(model: Model, request: ImageRequest) -> MappedInput:
    """The options as they are, and the prompt as `prompt`, which nearly every model has.

    Raises: InvalidInput where another of our arguments was given; how this model calls it is not known.
    """
    for name in _UNMAPPABLE:
        if getattr(request, name) != getattr(_NOT_GIVEN, name):
            words = f"'{model.name}' is not in the registry, so what it calls {name} is not known."
            raise refusal(name, f"{words} Give it in model_options under the model's own name, and leave {name} out.")
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
    return isinstance(value, str) and (is_data_uri(value) or scheme_of(value) in ("prediction", "upload", "file"))
