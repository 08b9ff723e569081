"""Ready-made requests that a person picks in the host; each only words a task for the assistant."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

from mcp.server import MCPServer
from mcp.types import (
    Completion,
    CompletionArgument,
    CompletionContext,
    PromptReference,
    ResourceTemplateReference,
)
from pydantic import Field

if TYPE_CHECKING:
    from darkroom.registry import ModelRegistry

_MOST_COMPLETIONS = 100


def compare_models(
    subject: Annotated[str, Field(description="What to draw")],
    models: Annotated[str, Field(description="owner/name, several with commas; empty: three good ones")] = "",
    task: Annotated[str, Field(description="Kind of work the models are chosen for")] = "text_to_image",
) -> str:
    """The same prompt on several models, side by side."""
    chosen = models or (
        f'three of different makers that list_models(task="{task}") recommends for it, none above $0.05 an image'
    )
    return (
        f"Compare image models on this subject: {subject}\nModels: {chosen}.\nSay the total price first and wait for my "
        "yes. Then call generate_image once for each with the same prompt, aspect ratio and seed, and put price, seconds "
        "and saved path into a table."
    )


def edit_photo(
    photo: Annotated[str, Field(description="Path or https URL of the photo")],
    changes: Annotated[str, Field(description="What to change, one step after the other")],
) -> str:
    """One change at a time, each made on the result of the last."""
    return (
        f"Edit the photo {photo} in these steps: {changes}\nCall generate_image for one step at a time with images set to "
        "the photo first and to prediction:ID of the last result afterwards. Show me each result and wait for my word "
        "before the next step."
    )


def product_shot(
    product: Annotated[str, Field(description="What it is, or the path of a photo of it")],
    setting: Annotated[str, Field(description="Where it stands")] = "a plain studio with soft light",
) -> str:
    """A clean picture of a product for a shop."""
    return (
        f"Make a product shot of: {product}. Setting: {setting}. If that names a file, pass it in images and choose a model "
        "that keeps its shape; else choose a photographic one. Aspect ratio 4:5, one image, then offer variations."
    )


def poster(
    text: Annotated[str, Field(description="The words on the poster, exactly")],
    style: Annotated[str, Field(description="Look and mood")] = "bold and simple",
) -> str:
    """A poster whose words are spelled right."""
    return (
        f'Make a poster that says exactly "{text}", style: {style}. Find a model that is good at text with '
        'list_models(query="text in image"). Aspect ratio 2:3. Tell me to check the spelling in the saved file.'
    )


def icon(
    idea: Annotated[str, Field(description="What the icon shows")],
    colours: Annotated[str, Field(description="Such as: two flat colours")] = "two flat colours",
) -> str:
    """A vector icon."""
    return (
        f"Draw an icon as a vector file: {idea}; {colours}, simple shapes, no text. Call generate_image with output_format "
        '"svg" and aspect_ratio "1:1".'
    )


PROMPTS: dict[str, Callable[..., str]] = {
    "Compare models": compare_models,
    "Edit a photo step by step": edit_photo,
    "Product shot": product_shot,
    "Poster with text": poster,
    "Icon as SVG": icon,
}


def add_prompts(server: MCPServer[Any], registry: "Callable[[], ModelRegistry]") -> None:
    """Register the prompts, and completions for model names and tasks."""

    async def complete(
        ref: PromptReference | ResourceTemplateReference,
        argument: CompletionArgument,
        context: CompletionContext | None,
    ) -> Completion | None:
        given = dict(context.arguments or {}) if context else {}
        return _completion(_candidates(registry(), argument.name, given), argument.value)

    for title, prompt in PROMPTS.items():
        server.prompt(title=title)(prompt)
    server.completion()(complete)


def _candidates(models: "ModelRegistry", argument: str, given: dict[str, str]) -> tuple[str, ...]:
    """What may stand for an argument of a prompt or of `models://{owner}/{name}`."""
    from darkroom.model_tasks import TASKS

    names = models.names()
    match argument:
        case "models" | "model":
            return names
        case "owner":
            return tuple(dict.fromkeys(name.partition("/")[0] for name in names))
        case "name":
            owner = given.get("owner", "")
            return tuple(name.partition("/")[2] for name in names if not owner or name.startswith(f"{owner}/"))
        case "task":
            return TASKS
        case _:
            return ()


def _completion(candidates: tuple[str, ...], typed: str) -> Completion:
    """Those that contain what is typed after the last comma, the ones that begin with it first."""
    before, comma, last = typed.rpartition(",")
    word = last.strip().lower()
    fitting = [each for each in candidates if word in each.lower()]
    fitting.sort(key=lambda each: not each.lower().startswith(word))
    values = [f"{before}{comma} {each}".strip() for each in fitting]
    return Completion(values=values[:_MOST_COMPLETIONS], total=len(values), has_more=len(values) > _MOST_COMPLETIONS)
