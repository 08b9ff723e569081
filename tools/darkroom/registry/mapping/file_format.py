"""The file format of the result."""

from darkroom.registry.mapping import suggestions
from darkroom.registry.mapping.part import Input, Part, listed, quoted, refusal
from darkroom.registry.model import Model
from darkroom.registry.request import ImageRequest

_SPELLINGS = {"jpg": ("jpg", "jpeg"), "jpeg": ("jpeg", "jpg")}
FORMATS = ("auto", "png", "jpg", "webp", "svg")


def map_output_format(model: Model, request: ImageRequest, options: Input) -> Part:
    """The format in the model's spelling; the model's own, with a note, where it does not offer the one asked for.

    Raises:
        InvalidInput: no such format, or vectors from a model that draws pixels.
    """
    wanted = request.output_format.lower()
    if wanted in ("", "auto"):
        return Part()
    if wanted not in (*FORMATS, "jpeg"):
        raise refusal("output_format", f"output_format {quoted(wanted)} is not known. Allowed: {', '.join(FORMATS)}.")
    if model.output.svg or wanted == "svg":
        return _vector_part(model, wanted)
    item = model.inputs_by_name.get(model.concepts.output_format)
    if item is None:
        return Part(notes=(f"'{model.name}' takes no output_format; it gives a format of its own.",))
    if not item.enum:
        note = f"Which formats '{model.name}' takes is not known, so {wanted} was not checked."
        return Part(argument="output_format", asked={item.name: wanted}, notes=(note,))
    spelt = next((spelling for spelling in _SPELLINGS.get(wanted, (wanted,)) if spelling in item.enum), None)
    if spelt is None:
        note = f"'{model.name}' does not give {wanted} ({listed(item.enum)}), so its default {item.default} is used."
        return Part(notes=(note,))
    return Part(argument="output_format", asked={item.name: spelt})


def _vector_part(model: Model, wanted: str) -> Part:
    if not model.output.svg:
        words = f"'{model.name}' draws pixels, not vectors. Models that give svg: {suggestions.VECTOR}."
        raise refusal("output_format", words)
    return Part(notes=() if wanted == "svg" else (f"'{model.name}' draws vectors: it gives svg, not {wanted}.",))
