"""The prompt and the negative prompt."""

from darkroom.registry.mapping.part import Input, Part, refusal
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest


def map_prompt(model: Model, request: ImageRequest, options: Input) -> Part:
    """The prompt under the model's name for it; an empty one is refused where the model would draw its own example."""
    name = model.concepts.prompt
    prompt = request.prompt.strip()
    if prompt and not name:
        return Part(notes=(f"'{model.name}' takes no prompt, so it was not sent.",))
    if not prompt and model.needs_prompt and not str(options.get(name) or "").strip():
        raise refusal("prompt", f"prompt is empty, and '{model.name}' needs one: say what to draw or to change.")
    return Part(argument="prompt", asked={name: request.prompt} if prompt else {})


def map_negative_prompt(model: Model, request: ImageRequest, options: Input) -> Part:
    """The negative prompt where the model has one; it is never glued to the prompt."""
    if not request.negative_prompt:
        return Part()
    name = model.concepts.negative_prompt
    if not name:
        return Part(notes=(f"'{model.name}' has no negative prompt, so it was not sent: say it in the prompt.",))
    return Part(argument="negative_prompt", asked={name: request.negative_prompt})
