"""From a request in our words to the input of one model: one step for each argument, then the inputs are put together.

`options` are mapped first and carry the model's own names. They override what a step adds by itself; where they differ
from what another argument asks for, the request is refused.
"""

from collections.abc import Callable

from pydantic import JsonValue

from darkroom.registry.checks import check_input
from darkroom.registry.mapping import arguments, suggestions
from darkroom.registry.mapping.argument_inputs import ArgumentInputs, Input, quoted, refusal
from darkroom.registry.mapping.options import fault_refusal, map_options
from darkroom.registry.model import Model, ModelRef
from darkroom.registry.request import ARGUMENTS, ImageRequest, MappedInput
from darkroom.uris import is_data_uri, scheme_of

_NOT_GIVEN = ImageRequest()
_UNMAPPABLE = [name for name in ARGUMENTS if name not in ("prompt", "model", "options")]


def map_request(model: Model, request: ImageRequest, draw_seed: Callable[[], int]) -> MappedInput:
    """The input that this model takes for this request. `draw_seed` gives 0..2**31-1 where the caller named no seed.

    Raises: InvalidInput where an argument or option does not fit; nothing was sent.
    """
    if not model.checked:
        return _map_unlisted(model, request)
    if model.required_secrets:
        words = (
            f"'{model.name}' wants your own {model.required_secrets[0]}, and darkroom takes no key from tool arguments."
        )
        raise refusal("model", f"{words} Use another model, such as {suggestions.WITHOUT_SECRET}.")
    options = map_options(model, request.options)
    mapped = [step(model, request, options.asked) for step in arguments.STEPS]
    mapped.append(arguments.map_seed(model, request, options.asked, draw_seed))
    input = _put_together(model, options, mapped)
    _refuse_faults(model, input)
    return MappedInput(
        input=input,
        file_fields=tuple(each.name for each in model.inputs if input.get(each.name) and model.holds_image(each)),
        mask_field=model.concepts.mask if input.get(model.concepts.mask) else "",
        invert_mask=bool(request.mask) and model.concepts.mask_polarity == "black_is_edited",
        notes=tuple(dict.fromkeys(note for each in (options, *mapped) for note in each.notes)),
        seed=arguments.sent_seed(model, input),
        image_count=arguments.image_count(model, input),
        implied=frozenset(input).difference(*(each.asked for each in (options, *mapped))),
    )


def _put_together(model: Model, options: ArgumentInputs, mapped: list[ArgumentInputs]) -> Input:
    merged = {name: value for each in mapped for name, value in each.implied.items()} | options.asked
    for each in mapped:
        for name, value in each.asked.items():
            if name in options.asked and options.asked[name] != value:
                words = f"{each.argument} and option {name} ({quoted(options.asked[name])}) contradict each other."
                raise refusal(each.argument, f"{words} Give one of the two.")
            merged[name] = value
    return {item.name: merged[item.name] for item in model.inputs if item.name in merged}


def _refuse_faults(model: Model, input: Input) -> None:
    """Checks over all inputs together."""
    seen = model.with_defaults(input)
    for name in input:
        for other, value in model.inputs_by_name[name].applies_when.items():
            if seen.get(other) != value:
                words = f"{name} of '{model.name}' only counts while {other} is {quoted(value)}. Set both, or none."
                raise refusal(name, words)
    ours = {model.concepts.prompt: "prompt", model.concepts.image: "images", model.concepts.mask: "mask"}
    for fault in check_input(model, input):
        if fault.kind == "required":
            argument = ours.get(fault.field)
            how = f"the argument {argument}" if argument else f"{fault.field}: give it in model_options"
            raise refusal(fault.field, f"'{model.name}' needs {how}.")
        item = model.inputs_by_name[fault.field.partition(".")[0]]
        raise fault_refusal(model, item, input[item.name], fault)


def unlisted_model(ref: ModelRef) -> Model:
    """A model known by its full name only: options are passed as given, and the notes say that nothing was checked."""
    return Model(name=ref.full_name, version=ref.version, inputs=(), checked=False)


def _map_unlisted(model: Model, request: ImageRequest) -> MappedInput:
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
