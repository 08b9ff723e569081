"""`darkroom-mcp generate`: from a prompt to files."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import anyio
import typer
from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.dry_run import dry_run
from darkroom.errors import DarkroomError, SpendingRefused
from darkroom.generate_image import generate_image
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport, refusal_report
from darkroom.request_ids import checked_request_id, fresh_request_id
from darkroom.settings import Settings
from darkroom.uris import is_url, scheme_of
from darkroom_server.cli.agreement import agree
from darkroom_server.cli.balance import BALANCE_WITHIN_S
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import note, pick_up, progress_bar, show_report


def generate(
    prompt: Annotated[str, typer.Argument(help="What to draw.")] = "",
    model: Annotated[str, typer.Option(help="owner/name; see `darkroom-mcp models`.")] = "",
    image: Annotated[
        list[str] | None, typer.Option(help="Image to start from: file, URL, prediction:ID. Repeatable.")
    ] = None,
    mask: Annotated[str, typer.Option(help="Mask; white is edited.")] = "",
    aspect_ratio: Annotated[str, typer.Option(help="Such as 16:9.")] = "",
    width: Annotated[int, typer.Option(help="Pixels.")] = 0,
    height: Annotated[int, typer.Option(help="Pixels.")] = 0,
    count: Annotated[int | None, typer.Option(help="How many images.", show_default="1")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same image; -1 draws one.")] = -1,
    negative_prompt: Annotated[str, typer.Option(help="What to leave out.")] = "",
    output_format: Annotated[str, typer.Option("--format", help="auto, png, jpg, webp, svg.")] = "auto",
    option: Annotated[list[str] | None, typer.Option(help="Input of the model itself, name=value. Repeatable.")] = None,
    like: Annotated[
        str, typer.Option(help="Everything of an earlier prediction, ID or ID/n, but what is given beside it.")
    ] = "",
    request_id: Annotated[str, typer.Option(help="A name of your own: the same one never pays twice.")] = "",
    output_dir: Annotated[str, typer.Option(help="Folder, or s3://, gs://, az://.")] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait.", min=0, max=3600)] = 300,
    max_usd: Annotated[float, typer.Option(help="Refuse if it may cost more; 0: no limit.", min=0)] = 0,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing: show model, input and price.")] = False,
    is_agreed: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask about the cost.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Make images from a prompt and print where they were saved."""
    request = ImageRequest(
        prompt=prompt,
        model=model,
        images=tuple(_reference(each) for each in image or ()),
        mask=_reference(mask) if mask else "",
        aspect_ratio=aspect_ratio,
        width=width,
        height=height,
        count=1 if count is None else count,
        has_count=count is not None,
        seed=seed,
        negative_prompt=negative_prompt,
        output_format=output_format,
        options=dict(_option(each) for each in option or ()),
        like=like,
    )
    settings = _allowing(read_settings(), request, output_dir)
    name = checked_request_id(request_id) or fresh_request_id()

    async def work(darkroom: Darkroom) -> PredictionReport:
        if is_dry_run:
            return await dry_run(darkroom, request, request_id=request_id, max_usd=max_usd)
        if settings.confirm_usd is not None and not is_agreed:
            try:
                await agree(darkroom, request, settings.confirm_usd, request_id=request_id, max_usd=max_usd)
            except SpendingRefused as error:
                return refusal_report(error)
        try:
            with progress_bar() as on_progress:
                report = await generate_image(
                    darkroom, request, wait_s=wait, request_id=name, max_usd=max_usd, on_progress=on_progress
                )
            with suppress(DarkroomError):
                await darkroom.work.bills.look_once(BALANCE_WITHIN_S)  # for the next command; this process ends now
            return report
        except anyio.get_cancelled_exc_class():
            with anyio.move_on_after(1, shield=True):
                for intent in await darkroom.journal.by_request(name):
                    note(pick_up(intent.prediction_id or intent.key))
            raise

    raise typer.Exit(show_report(in_darkroom(settings, work), as_json=as_json))


def _reference(text: str) -> str:
    """A file that the person named becomes an absolute path; anything else stays."""
    is_no_path = is_url(text) or scheme_of(text) in ("data", "prediction")
    return text if is_no_path else str(Path(text).expanduser().absolute())


def _allowing(settings: Settings, request: ImageRequest, output_dir: str) -> Settings:
    """The settings with this output folder, and with leave to read the very folders of the files named."""
    changed: dict[str, object] = {}
    if output_dir:
        changed["output_dir"] = output_dir if is_url(output_dir) else str(Path(output_dir).expanduser().absolute())
    named = tuple(Path(each).parent for each in (*request.images, request.mask) if each and Path(each).is_absolute())
    if named:
        changed["input_dirs"] = (*settings.input_paths, *named)
    return settings.model_copy(update=changed)


def _option(text: str) -> tuple[str, JsonValue]:
    """`steps=4` -> ("steps", 4); a value that is not JSON is taken as text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not name=value.", param_hint="--option")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
