"""The tools as the model sees them: names, arguments, descriptions, annotations.

A description is for the assistant: when to call, what it costs, what comes back, what next. Schemas stay flat (no unions,
references or nulls: several hosts refuse a whole server for one), so "not given" is an empty or negative value.
"""

from typing import Annotated, Any, Literal

from mcp.server import MCPServer
from mcp.server.elicitation import ElicitationResult
from mcp.server.mcpserver import Context, Resolve
from mcp.types import ToolAnnotations
from pydantic import Field, JsonValue, WithJsonSchema

from darkroom.registry.tasks import Task
from darkroom_server.calls import Calls
from darkroom_server.consent import Consent, CostQuestion
from darkroom_server.gallery import GALLERY_URI
from darkroom_server.output_schema import ModelResult, PredictionResult

SHOWN_IN_GALLERY = {"ui": {"resourceUri": GALLERY_URI}}

TaskOrAny = Literal["any", Task]
Options = Annotated[
    dict[str, JsonValue],
    Field(description="Inputs of the model itself under its own names; list_models(model=…) lists them"),
    WithJsonSchema({"type": "object"}),
]
WaitSeconds = Annotated[
    int, Field(ge=0, le=600, description="How long this call may wait; hosts end calls at about 60 s")
]


def add_tools(
    server: MCPServer[Any],
    calls: Calls,
    question: CostQuestion,
    *,
    default_wait_s: int,
    has_cancel: bool,
    is_structured: bool,
) -> None:
    """Register generate_image, get_prediction and list_models, and cancel_prediction where it is wanted.

    `is_structured`: with an output schema.
    """

    @server.tool(
        title="Generate an image",
        structured_output=is_structured,
        meta=SHOWN_IN_GALLERY,
        annotations=ToolAnnotations(
            read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True
        ),
    )
    async def generate_image(  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
        ctx: Context[Any, Any],
        consent: Annotated[ElicitationResult[Consent], Resolve(question.ask)],
        prompt: Annotated[str, Field(description="What to draw, or how to change the images given")] = "",
        model: Annotated[str, Field(description="owner/name from list_models; empty: a cheap one that can do it")] = "",
        images: Annotated[
            list[str], Field(description="Images to edit or use: path, https URL, data URI, or prediction:ID/n")
        ] = [],  # noqa: B006  # a schema default, never changed
        mask: Annotated[str, Field(description="White where the image is to change; given like images")] = "",
        aspect_ratio: Annotated[str, Field(description='Such as "16:9"')] = "",
        width: Annotated[int, Field(ge=0, description="Pixels; only with height")] = 0,
        height: Annotated[int, Field(ge=0)] = 0,
        count: Annotated[int, Field(ge=1, le=10, description="How many images; each costs")] = 1,
        seed: Annotated[int, Field(ge=-1, description="Same seed, same image; -1 draws one and reports it")] = -1,
        negative_prompt: str = "",
        output_format: Literal["auto", "png", "jpg", "webp", "svg"] = "auto",
        options: Options = {},  # noqa: B006  # a schema default, never changed
        wait_seconds: WaitSeconds = default_wait_s,
        request_id: Annotated[
            str, Field(max_length=64, description="Same value = same image: reuse it to retry, never pays twice")
        ] = "",
    ) -> PredictionResult:
        """Make or edit images. Each call costs the user money; bad input is refused before anything is spent.

        Returns status, saved files, links (they die after an hour), metrics, price, seed and small previews. If it is
        still processing when the wait ends, it goes on by itself: call get_prediction with the id, never this again.
        """
        if error := question.refusal(ctx, consent):
            return calls.refused(error)
        from darkroom.registry import ImageRequest

        request = ImageRequest(
            prompt=prompt,
            model=model,
            images=tuple(images),
            mask=mask,
            aspect_ratio=aspect_ratio,
            width=width,
            height=height,
            count=count,
            seed=seed,
            negative_prompt=negative_prompt,
            output_format=output_format,
            options=options,
        )
        return await calls.generate_image(ctx, request, wait_s=wait_seconds, request_id=request_id)

    @server.tool(
        title="Get a prediction",
        structured_output=is_structured,
        meta=SHOWN_IN_GALLERY,
        annotations=ToolAnnotations(
            read_only_hint=False,  # it saves images that are not home yet
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=True,
        ),
    )
    async def get_prediction(  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
        ctx: Context[Any, Any],
        id: Annotated[str, Field(description='The id, a request_id, or "latest"')],
        wait_seconds: WaitSeconds = 0,
    ) -> PredictionResult:
        """Find a prediction again, at no cost: one still processing, one of an earlier session, or one whose answer was lost.

        Returns the same as generate_image. Works after restarts and after the links have died (saved files answer).
        """
        return await calls.get_prediction(ctx, id, wait_s=wait_seconds)

    @server.tool(
        title="List image models",
        structured_output=is_structured,
        annotations=ToolAnnotations(
            read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False
        ),
    )
    async def list_models(  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
        query: Annotated[str, Field(description='Words such as "text in image", "cheap", "photo"')] = "",
        task: TaskOrAny = "any",
        model: Annotated[str, Field(description="One model: all its inputs, prices and an example call")] = "",
        limit: Annotated[int, Field(ge=1, le=100)] = 20,
    ) -> ModelResult:
        """Search the curated image models, at no cost: tasks, prices, speed; with model=, everything needed to call it.

        Call it before generate_image when the user wants a certain look, text in the image, an edit, an upscale, a
        cut-out or a vector file, or names a model.
        """
        return calls.list_models(query=query, task=task, model=model, limit=limit)

    if has_cancel:

        @server.tool(
            title="Cancel a prediction",
            structured_output=is_structured,
            annotations=ToolAnnotations(
                read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=True
            ),
        )
        async def cancel_prediction(  # pyright: ignore[reportUnusedFunction]  # registered by the decorator
            id: Annotated[str, Field(description='The id, a request_id, or "latest"')],
        ) -> PredictionResult:
            """Stop a prediction that the user no longer wants. Work done before the cancel may be billed.

            Returns the same as get_prediction. Some gateways cannot cancel; then the answer says so.
            """
            return await calls.cancel_prediction(id)
