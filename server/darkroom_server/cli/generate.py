"""`darkroom-mcp generate`: from prompts to files."""

import json
from typing import Annotated

import typer
from pydantic import JsonValue

from darkroom.registry import ImageRequest
from darkroom_server.batches.batch import AT_ONCE
from darkroom_server.batches.lines import is_batch, reference
from darkroom_server.batches.targets import Target
from darkroom_server.cli.completing import model_names
from darkroom_server.cli.generating import Wanted, generate_batch, generate_one
from darkroom_server.cli.opened import read_settings


def generate(
    prompts: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PROMPT", help="What to draw; - reads prompts from stdin, @FILE from a file, one a line."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option("--model", "-m", help="owner/name; see `darkroom-mcp models`.", autocompletion=model_names)
    ] = "",
    image: Annotated[
        list[str] | None, typer.Option(help="Image to start from: file, URL, prediction:ID. Repeatable.")
    ] = None,
    mask: Annotated[str, typer.Option(help="Mask; white is edited.")] = "",
    aspect_ratio: Annotated[str, typer.Option(help="Such as 16:9.")] = "",
    width: Annotated[int, typer.Option(help="Pixels.")] = 0,
    height: Annotated[int, typer.Option(help="Pixels.")] = 0,
    count: Annotated[int | None, typer.Option("--count", "-n", help="How many images.", show_default="1")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same image; -1 picks a random one.")] = -1,
    negative_prompt: Annotated[str, typer.Option(help="What to leave out.")] = "",
    output_format: Annotated[str, typer.Option("--format", help="auto, png, jpg, webp, svg.")] = "auto",
    option: Annotated[list[str] | None, typer.Option(help="Input of the model itself, name=value. Repeatable.")] = None,
    like: Annotated[
        str, typer.Option(help="Everything of an earlier prediction, ID or ID/n, but what is given beside it.")
    ] = "",
    request_id: Annotated[str, typer.Option(help="A name of your own: the same one never pays twice.")] = "",
    output: Annotated[
        str,
        typer.Option(
            "--output",
            "-o",
            "--output-dir",
            help="Folder (also s3://, gs://, az://), file, or a name with {index}, {seed}, {model}, {id}, {prompt}.",
        ),
    ] = "",
    is_forced: Annotated[bool, typer.Option("--force", help="Overwrite what -o names.")] = False,
    wait: Annotated[float, typer.Option(help="Seconds to wait, for each prompt.", min=0, max=3600)] = 300,
    max_usd: Annotated[float, typer.Option(help="Refuse if all may cost more; 0: no limit.", min=0)] = 0,
    is_dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing: show model, input and price.")] = False,
    is_agreed: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask about the cost.")] = False,
    is_fresh: Annotated[bool, typer.Option("--fresh", help="Make all of a batch anew, and pay for it.")] = False,
    is_retried: Annotated[
        bool, typer.Option("--retry-failed", help="Make what failed of a batch anew, and pay for it.")
    ] = False,
    at_once: Annotated[int, typer.Option(help="Prompts of a batch at once.", min=1, max=32)] = AT_ONCE,
    is_opened: Annotated[bool, typer.Option("--open", help="Open the images in the system's viewer.")] = False,
    is_shown: Annotated[bool, typer.Option("--show", help="Draw the images in the terminal, where it can.")] = False,
    is_quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print paths and what went wrong, no more.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Make images from prompts and print where they were saved.

    Several prompts are a batch: the same command again goes on with what is missing, and pays nothing twice.
    """
    target = Target.parse(output, may_overwrite=is_forced)
    request = ImageRequest(
        model=model,
        images=tuple(map(reference, image or ())),
        mask=reference(mask),
        aspect_ratio=aspect_ratio,
        width=width,
        height=height,
        count=1 if count is None else count,
        has_count=count is not None,
        seed=seed,
        negative_prompt=negative_prompt,
        output_format=target.output_format or "auto" if output_format == "auto" else output_format,
        options=dict(_option(each) for each in option or ()),
        like=like,
    )
    wanted = Wanted(
        words=tuple(prompts or ()),
        base=request,
        target=target,
        request_id=request_id,
        wait_s=wait,
        max_usd=max_usd,
        at_once=at_once,
        is_dry_run=is_dry_run,
        is_agreed=is_agreed,
        is_fresh=is_fresh,
        is_retried=is_retried,
        is_opened=is_opened,
        is_shown=is_shown,
        is_quiet=is_quiet,
        as_json=as_json,
    )
    if not (prompts or request_id or request != ImageRequest()):
        raise typer.BadParameter("Give a prompt, - for prompts from stdin, or @FILE.", param_hint="PROMPT")
    if is_retried and not is_batch(wanted.words):
        raise typer.BadParameter("It goes with a batch. One prompt is simply repeated.", param_hint="--retry-failed")
    work = generate_batch if is_batch(wanted.words) else generate_one
    raise typer.Exit(work(read_settings(), wanted))


def _option(text: str) -> tuple[str, JsonValue]:
    """`steps=4` -> ("steps", 4); a value that is not JSON is taken as text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise typer.BadParameter(f"{text!r} is not name=value.", param_hint="--option")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
