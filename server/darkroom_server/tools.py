"""The tools as the model sees them, plain functions in one table: names, arguments, descriptions, annotations.

A description is for the assistant: when to call, what it costs, what comes back, what next. Schemas stay flat (no
unions, references or nulls: several hosts refuse a whole server for one), so "not given" is an empty or negative value.
"""

import inspect
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Elicit, Resolve
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, ToolAnnotations
from pydantic import Field, JsonValue, WithJsonSchema

from darkroom.model_tasks import Task
from darkroom.settings import Settings
from darkroom_server import consent
from darkroom_server.app_tools import FOR_APPS_ONLY, add_picture
from darkroom_server.consent import Consent
from darkroom_server.content import About, refusal
from darkroom_server.gallery import GALLERY_URI
from darkroom_server.mcp_server import Refuse
from darkroom_server.model_calls import ModelCalls
from darkroom_server.output_schema import ModelResult, PredictionResult
from darkroom_server.rooms import Ctx, calls_of

if TYPE_CHECKING:
    from darkroom.registry import ImageRequest

TaskOrAny = Literal["any", Task]
ModelOptions = Annotated[
    dict[str, JsonValue],
    Field(description="Inputs of the model itself under its own names; list_models(model=…) lists them"),
    WithJsonSchema({"type": "object"}),
]
WaitSeconds = Annotated[
    int, Field(ge=0, le=600, description="How long this call may wait; over 50 only where the user has set more")
]
# The place of the view, as the specification has it and as hosts that came before it, or beside it, look for it.
IN_GALLERY = {
    "ui": {"resourceUri": GALLERY_URI},
    "ui/resourceUri": GALLERY_URI,
    "openai/outputTemplate": GALLERY_URI,
}
AS_SET = -1  # in place of a default that is a setting, or that differs from the same value given


async def image_request(**arguments: Any) -> "ImageRequest":
    """The arguments that describe an image, gathered; `_OF_THE_CALL` are the others."""
    from darkroom.registry import ImageRequest

    arguments["images"] = tuple(arguments["images"])
    arguments["options"] = arguments.pop("model_options")
    has_count = arguments["count"] != AS_SET
    arguments |= {"has_count": has_count, "count": arguments["count"] if has_count else 1}
    return ImageRequest(**arguments)


async def ask_about_cost(
    ctx: Ctx, request: Annotated[Any, Resolve(image_request)], request_id: str, max_usd: float, dry_run: bool
) -> Consent | Elicit[Consent]:
    """The person's consent, asked for only where DARKROOM_CONFIRM_USD wants it; the sandbox costs nothing."""
    calls = await calls_of(ctx)
    settings = calls.settings
    if dry_run or settings.confirm_usd is None or settings.problem or settings.choice.gateway.is_sandbox:
        return Consent(confirmed=True)
    return consent.ask(ctx, await calls.offer(request, request_id, max_usd), settings.confirm_usd)


async def generate_image(
    ctx: Ctx,
    request: Annotated[Any, Resolve(image_request)],
    answer: Annotated[ElicitationResult[Consent], Resolve(ask_about_cost)],
    prompt: Annotated[str, Field(description="What to draw, or how to change the images given")] = "",
    model: Annotated[str, Field(description="owner/name from list_models; empty: a cheap one that can do it")] = "",
    images: Annotated[
        list[str], Field(description="Images to edit or use: path, https URL, data URI, or prediction:ID/n")
    ] = [],  # noqa: B006  # a schema default, never changed
    mask: Annotated[str, Field(description="White where the image is to change; given like images")] = "",
    aspect_ratio: Annotated[str, Field(description='Such as "16:9"')] = "",
    width: Annotated[int, Field(ge=0, description="Pixels; only with height")] = 0,
    height: Annotated[int, Field(ge=0)] = 0,
    count: Annotated[int, Field(ge=1, le=10, description="How many images; each costs")] = AS_SET,
    seed: Annotated[
        int, Field(ge=-1, description="Same seed, same image (not all models have one); -1: a new one")
    ] = -1,
    negative_prompt: str = "",
    output_format: Literal["auto", "png", "jpg", "webp", "svg"] = "auto",
    model_options: ModelOptions = {},  # noqa: B006  # a schema default, never changed
    like: Annotated[
        str,
        Field(
            max_length=80,
            description="ID, ID/n or request_id: all as it was, same seed, but what is given here (a prompt: whole)",
        ),
    ] = "",
    wait_seconds: WaitSeconds = AS_SET,
    request_id: Annotated[
        str, Field(max_length=64, description="Same value = same image: reuse it to retry, never pays twice")
    ] = "",
    max_usd: Annotated[float, Field(ge=0, description="Refuse if it may cost more than this; 0: no limit")] = 0.0,
    dry_run: Annotated[bool, Field(description="Send nothing: show the model, input and price")] = False,
) -> PredictionResult:
    """Make or edit images. Each call costs the user money; bad input is refused before anything is spent.

    Returns status, saved files, links (they die after an hour), metrics, cost, seed and small previews. If it is
    still processing when the wait ends, it goes on by itself: call get_prediction with the id, never this again.
    """
    # The arguments that describe an image arrive in `request`.
    calls = await calls_of(ctx)
    if dry_run:
        return await calls.dry_run(request, request_id=request_id, max_usd=max_usd)
    consent.require(ctx, answer, calls.settings.confirm_usd)
    return await calls.generate_image(ctx, request, wait_s=wait_seconds, request_id=request_id, max_usd=max_usd)


# The SDK hands a resolver those arguments of the tool that its signature names.
_OF_THE_CALL = ("ctx", "request", "answer", "wait_seconds", "request_id", "max_usd", "dry_run")
_WISHES = [each for name, each in inspect.signature(generate_image).parameters.items() if name not in _OF_THE_CALL]
image_request.__dict__["__signature__"] = inspect.Signature(_WISHES)


async def get_prediction(
    ctx: Ctx,
    id: Annotated[
        str,
        Field(
            description='The id (ID/3: one image), a request_id or "latest"; for a list "recent", "today", '
            '"yesterday", a date (YYYY-MM-DD) or "find: red fox"'
        ),
    ],
    wait_seconds: WaitSeconds = 0,
    cancel: Annotated[bool, Field(description="Stop it; what is done by then may be billed")] = False,
    previews: Annotated[bool, Field(description="Show previews again")] = False,
    limit: Annotated[int, Field(ge=1, le=100, description="Of a list")] = 10,
) -> PredictionResult:
    """Find a prediction again, at no cost: one still processing, of an earlier session, or whose answer was lost.

    Returns the same as generate_image. Works after restarts and after the links have died (saved files answer). A
    list has a line for each prediction (time, status, charge, prompt, path, id) and what each day has cost.
    """
    calls = await calls_of(ctx)
    return await calls.get_prediction(ctx, id, wait_s=wait_seconds, cancel=cancel, previews=previews, limit=limit)


async def list_models(
    ctx: Ctx,
    query: Annotated[str, Field(description='The wish: "cheap poster with text", "Hintergrund entfernen"')] = "",
    task: TaskOrAny = "any",
    model: Annotated[str, Field(description="One model: its inputs, price, example call")] = "",
    sort: Literal["best", "price", "speed"] = "best",
    max_usd: Annotated[float, Field(ge=0, description="Dearer ones last; 0: any")] = 0.0,
    limit: Annotated[int, Field(ge=1, le=100)] = 8,
    source: Annotated[Literal["registry", "gateway"], Field(description="gateway: send it the query")] = "registry",
) -> ModelResult:
    """Find image models, at no cost: tasks, prices, speed; with model=, everything needed to call it.

    Call it before generate_image when the user wants a certain look, text in the image, an edit, an upscale, a
    cut-out or a vector file, or names a model.
    """
    models = ModelCalls(await calls_of(ctx))
    if source == "gateway" and not model:
        return await models.search_gateway(query, limit)
    return await models.list_models(query=query, task=task, model=model, sort=sort, max_usd=max_usd, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRow:
    """One tool; its refusals, like its answers, are `about` something.

    A tool `is_in_gallery` when the gallery shows its answers, and `is_of_gallery` when the gallery alone may call it.
    """

    function: Callable[..., Awaitable[CallToolResult]]
    title: str
    is_read_only: bool = False
    is_destructive: bool = False
    is_idempotent: bool = True
    is_open_world: bool = True
    is_in_gallery: bool = False
    is_of_gallery: bool = False
    about: About = "prediction"

    @property
    def name(self) -> str:
        return self.function.__name__

    def refusal(self, settings: Settings) -> Refuse:
        """How an error of this tool is answered."""
        return partial(refusal, about=self.about, is_structured=settings.structured_output)

    def tool(self, settings: Settings) -> Tool:
        """The tool for the SDK, with the defaults that the settings give."""
        return self._tool(settings.structured_output, settings.wait_seconds)

    @cache  # noqa: B019  # of the few rows below
    def _tool(self, is_structured: bool, wait_seconds: int) -> Tool:
        tool = Tool.from_function(
            self.function,
            title=self.title,
            description=_unwrapped(self.function.__doc__ or ""),
            structured_output=is_structured and not self.is_of_gallery,
            meta=IN_GALLERY if self.is_in_gallery else {"ui": FOR_APPS_ONLY} if self.is_of_gallery else None,
            annotations=ToolAnnotations(
                read_only_hint=self.is_read_only,
                destructive_hint=self.is_destructive,
                idempotent_hint=self.is_idempotent,
                open_world_hint=self.is_open_world,
            ),
        )
        tool.parameters.pop("title", None)
        defaults = {"wait_seconds": wait_seconds, "count": 1}
        for name, argument in tool.parameters["properties"].items():
            argument.pop("title", None)  # the SDK makes it out of the name
            if name in defaults and argument.get("default") == AS_SET:
                argument["default"] = defaults[name]
        return tool


def _unwrapped(docstring: str) -> str:
    """The text without the line breaks and the indentation of the source; paragraphs stay."""
    paragraphs = inspect.cleandoc(docstring).split("\n\n")
    return "\n\n".join(" ".join(each.split()) for each in paragraphs)


TOOLS = (
    ToolRow(function=generate_image, title="Generate an image", is_idempotent=False, is_in_gallery=True),
    # Not read-only: it saves images that are not saved yet. Destructive: it may cancel.
    ToolRow(
        function=get_prediction,
        title="Get a prediction",
        is_destructive=True,
        is_in_gallery=True,
        about="look-up",
    ),
    ToolRow(function=list_models, title="List image models", is_read_only=True, about="models"),
    ToolRow(function=add_picture, title="Add a picture", is_idempotent=False, is_open_world=False, is_of_gallery=True),
)
