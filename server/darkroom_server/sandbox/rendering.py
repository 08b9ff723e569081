"""From a plan to the bytes of its file, in the technique of the model and the size and format asked for."""

import io

from PIL import Image, ImageOps

from darkroom_server.sandbox import techniques
from darkroom_server.sandbox.output_spec import Format, format_of, size_of
from darkroom_server.sandbox.painter.caption import captioned
from darkroom_server.sandbox.painter.compose import compose
from darkroom_server.sandbox.painter.raster import rasterise
from darkroom_server.sandbox.painter.vector import to_svg
from darkroom_server.sandbox.techniques import ImagePlan, Technique

_ENCODINGS: dict[Format, tuple[str, dict[str, int]]] = {
    "png": ("PNG", {"compress_level": 4}),
    "jpg": ("JPEG", {}),
    "webp": ("WEBP", {"method": 1}),
}
_BY_TASK: dict[str, Technique] = {
    "remove_background": techniques.cut_out,
    "upscale": techniques.enlarge,
    "background_replace": techniques.replace_background,
}
_BY_ROLE: dict[str, Technique] = {
    "structure": techniques.structure,
    "variation": techniques.vary,
    "reference": techniques.refer,
    "style_or_composition_reference": techniques.refer,
    "face_reference": techniques.refer,
    "character_reference": techniques.refer,
}


def decoded(reference: str, content: bytes | None) -> Image.Image:
    """The image in these bytes; one painted after the reference if there are none or they cannot be read."""
    if content:
        try:
            opened = ImageOps.exif_transpose(Image.open(io.BytesIO(content)))
            return opened.convert("RGBA" if opened.has_transparency_data else "RGB")
        except (OSError, ValueError, Image.DecompressionBombError):
            pass
    return rasterise(compose(reference[-200:], 0, 0, 1.0), 768, 768)


def render(plan: ImagePlan) -> bytes:
    """The finished file. CPU work of 0.1 to 1 s: call it in a worker thread."""
    model, input = plan.prediction.model, plan.prediction.stored.input
    size = size_of(model, input, plan.images[0].size if plan.images else None)
    format = format_of(model, input)
    if format == "svg":
        return to_svg(plan.scene(size), *size, plan.caption).encode()
    technique = _technique(plan)
    image = technique(plan, size)
    image = image if technique is techniques.repaint else captioned(image, plan.caption)
    if format == "jpg" and image.mode == "RGBA":  # JPEG shows transparent pixels white
        image = Image.alpha_composite(Image.new("RGBA", image.size, (255, 255, 255)), image).convert("RGB")
    quality = plan.value(model.concepts.output_quality)
    name, options = _ENCODINGS[format]
    buffer = io.BytesIO()
    image.save(buffer, name, quality=min(100, max(1, quality)) if isinstance(quality, int) else 90, **options)
    return buffer.getvalue()


def _technique(plan: ImagePlan) -> Technique:
    model = plan.prediction.model
    if not plan.images:
        return ImagePlan.painted
    for task, technique in _BY_TASK.items():
        if task in model.tasks:
            return technique
    if "outpaint" in model.tasks and (plan.mask is None or plan.value("outpaint") not in (None, "None")):
        return techniques.expand
    return techniques.repaint if plan.mask else _BY_ROLE.get(model.concepts.image_role, techniques.edit)
