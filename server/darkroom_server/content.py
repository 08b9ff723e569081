"""A report as MCP content: text for the assistant first, then one small picture, then links where they are wanted.

Answers carry no structured content unless asked: several hosts then drop the images or the text, or show both. They
carry no links to files either: of a `resource_link` some agent frameworks make an error, others an image that no model
takes. The paths stand in the text.
"""

import base64
import mimetypes
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from mcp.types import Annotations, CallToolResult, ContentBlock, ImageContent, ResourceLink, TextContent

from darkroom.errors import DarkroomError
from darkroom.images import ImageState, StoredImage
from darkroom.uris import is_url, scheme_of
from darkroom_server.strange_json import cleaned

if TYPE_CHECKING:
    from darkroom.outputs.preview import Preview
    from darkroom.reports import ModelReport, PredictionReport

# What the answers of a tool tell of.
About = Literal["prediction", "look-up", "models"]
REPORT_KEY = "darkroom/report"
# Of a picture that shows one image alone: its number in the report. A contact sheet has none.
NUMBER_KEY = "darkroom/n"
_ALWAYS_TOLD = frozenset({"path", "url", "error"})
# Codex does not show the images of a tool, but the ones that an answer names as Markdown with a whole path.
_SHOWS_MARKDOWN = re.compile(r"codex\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerShape:
    """How a host gets its answers; `client` is the name that it gives itself."""

    is_structured: bool = False
    has_links: bool = False
    client: str = ""


def prediction_result(
    report: "PredictionReport", preview: "Preview | None" = None, shape: AnswerShape | None = None
) -> CallToolResult:
    """The answer of generate_image and get_prediction; the whole report lies in `_meta`."""
    shape = shape or AnswerShape()
    images = [image for intent in report.intents for image in intent.images] if report.shows_images else []
    lines = [report.text, *(_markdown(images) if _SHOWS_MARKDOWN.match(shape.client) else ())]
    links = _links(images) if shape.has_links else []
    content: list[ContentBlock] = [_text("\n".join(lines)), *([_picture(preview)] if preview else ()), *links]
    data = cleaned(report.data)
    return CallToolResult(
        content=content,
        is_error=report.is_error,
        structured_content=data if shape.is_structured else None,
        _meta={REPORT_KEY: data if shape.is_structured else _terse(data)},
    )


def model_result(report: "ModelReport", *, is_structured: bool = False) -> CallToolResult:
    """The answer of list_models: text, which says it all."""
    return CallToolResult(
        content=[_text(report.text)],
        is_error=report.is_error,
        structured_content=cleaned(report.data) if is_structured else None,
    )


def refusal(error: DarkroomError, *, about: About = "prediction", is_structured: bool) -> CallToolResult:
    """A call that was not carried out, or a question that was not answered."""
    from darkroom.reports import look_up_refusal, refusal_report, refused_models

    if about == "models":
        return model_result(refused_models(error), is_structured=is_structured)
    report = look_up_refusal(error) if about == "look-up" else refusal_report(error)
    return prediction_result(report, shape=AnswerShape(is_structured=is_structured))


def _text(text: str) -> TextContent:
    return TextContent(text=cleaned(text), annotations=Annotations(audience=["assistant"], priority=1.0))


def _terse(data: dict[str, Any]) -> dict[str, Any]:
    """The report without what says nothing inside its parts: some frameworks hand `_meta` to the model as well."""
    parts = {name: [_told(part) for part in data[name]] for name in ("predictions", "images")}
    return data | parts | ({"request": _told(data["request"])} if "request" in data else {})


def _told(part: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in part.items() if name in _ALWAYS_TOLD or value not in (None, "", [], {})}


def _picture(preview: "Preview") -> ImageContent:
    return ImageContent(
        data=base64.b64encode(preview.data).decode(),
        mime_type=preview.mime_type,
        annotations=Annotations(audience=["user", "assistant"], priority=0.9),
        _meta={NUMBER_KEY: preview.numbers[0]} if len(preview.numbers) == 1 else None,
    )


def _markdown(images: Sequence[StoredImage]) -> list[str]:
    """A line for each image that lies on this computer; of a drawing its PNG."""
    paths = [image.file.raster_shown or image.file.shown for image in images if image.file]
    return [f"![]({_destination(path)})" for path in paths if not is_url(path)]


def _destination(path: str) -> str:
    """A path as Markdown takes it: in angle brackets where it has more than plain characters."""
    plain = Path(path).as_posix()
    return plain if re.fullmatch(r"[\w./:-]+", plain, re.ASCII) else "<" + re.sub(r"([<>\\])", r"\\\1", plain) + ">"


def _links(images: Sequence[StoredImage]) -> list[ResourceLink]:
    alive = [image for image in images if image.state is not ImageState.EXPIRED]
    return [_link(image) for image in alive if image.file or scheme_of(image.url) == "https"]


def _link(image: StoredImage) -> ResourceLink:
    """The saved file where there is one, else the gateway's own link."""
    for_user = Annotations(audience=["user"], priority=0.5)
    file = image.file
    if not file:
        kind = mimetypes.guess_type(image.url.partition("?")[0])[0]
        return ResourceLink(name=f"image {image.index + 1}", uri=image.url, mime_type=kind, annotations=for_user)
    location, is_path = file.shown, not is_url(file.shown)
    return ResourceLink(
        name=Path(file.location).name if is_path else file.location.rpartition("/")[2],
        uri=Path(location).as_uri() if is_path else location,
        mime_type=file.mime_type,
        size=file.size_bytes,
        annotations=for_user,
    )
