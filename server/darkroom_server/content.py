"""A report as MCP content: text for the assistant first, then small previews, then links to the originals.

Answers carry no structured content unless asked: several hosts then drop the images or the text, or show both.
"""

import base64
import mimetypes
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mcp.types import Annotations, CallToolResult, ContentBlock, ImageContent, ResourceLink, TextContent

from darkroom.errors import DarkroomError
from darkroom.images import ImageState, StoredImage
from darkroom.uris import is_url, scheme_of
from darkroom_server.strange_json import cleaned

if TYPE_CHECKING:
    from darkroom.outputs.preview import Preview
    from darkroom.reports import ModelReport, PredictionReport

REPORT_KEY = "darkroom/report"
NUMBER_KEY = "darkroom/n"


def prediction_result(
    report: "PredictionReport", previews: "Mapping[int, Preview] | None" = None, *, is_structured: bool = False
) -> CallToolResult:
    """The answer of generate_image and get_prediction; the whole report lies in `_meta`.

    `previews` by the image's number in the report, from 1.
    """
    images = [image for intent in report.intents for image in intent.images] if report.shows_images else []
    alive = [image for image in images if image.state is not ImageState.EXPIRED]
    links = [_link(image) for image in alive if image.file or scheme_of(image.url) == "https"]
    content: list[ContentBlock] = [_text(report.text), *_previews(previews or {}), *links]
    data = cleaned(report.data)
    return CallToolResult(
        content=content,
        is_error=report.is_error,
        structured_content=data if is_structured else None,
        _meta={REPORT_KEY: data},
    )


def model_result(report: "ModelReport", *, is_structured: bool = False) -> CallToolResult:
    """The answer of list_models: text, which says it all."""
    return CallToolResult(
        content=[_text(report.text)],
        is_error=report.is_error,
        structured_content=cleaned(report.data) if is_structured else None,
    )


def refusal(error: DarkroomError, *, is_structured: bool) -> CallToolResult:
    """A call that was not carried out, of any tool that reports on a prediction."""
    from darkroom.reports import refusal_report

    return prediction_result(refusal_report(error), is_structured=is_structured)


def look_up_refusal(error: DarkroomError, *, is_structured: bool) -> CallToolResult:
    """A question of get_prediction that was not answered."""
    from darkroom.reports import look_up_refusal

    return prediction_result(look_up_refusal(error), is_structured=is_structured)


def model_refusal(error: DarkroomError, *, is_structured: bool) -> CallToolResult:
    """A call of list_models that was not carried out."""
    from darkroom.reports import refused_models

    return model_result(refused_models(error), is_structured=is_structured)


def _text(text: str) -> TextContent:
    return TextContent(text=cleaned(text), annotations=Annotations(audience=["assistant"], priority=1.0))


def _previews(previews: "Mapping[int, Preview]") -> list[ImageContent]:
    return [
        ImageContent(
            data=base64.b64encode(preview.data).decode(),
            mime_type=preview.mime_type,
            annotations=Annotations(audience=["user", "assistant"], priority=0.9),
            _meta={NUMBER_KEY: number},
        )
        for number, preview in previews.items()
    ]


def _link(image: StoredImage) -> ResourceLink:
    """The saved file where there is one, else the gateway's own link."""
    for_user = Annotations(audience=["user"], priority=0.5)
    file = image.file
    if not file:
        kind = mimetypes.guess_type(image.url.partition("?")[0])[0]
        return ResourceLink(name=f"image {image.index + 1}", uri=image.url, mime_type=kind, annotations=for_user)
    is_path = not is_url(file.location)
    return ResourceLink(
        name=Path(file.location).name if is_path else file.location.rpartition("/")[2],
        uri=Path(file.location).as_uri() if is_path else file.location,
        mime_type=file.mime_type,
        size=file.size_bytes,
        annotations=for_user,
    )
