"""What `generate` does once its arguments are read: one call, or a batch of them, and what the person sees of it."""

import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import typer
from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.dry_run import dry_run, offer
from darkroom.errors import DarkroomError, InvalidRequest, SpendingRefused
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport, refusal_report
from darkroom.reports.amounts import counted, usd
from darkroom.settings import Settings
from darkroom_server.batches import batch
from darkroom_server.batches.lines import Line, batch_lines, single_line
from darkroom_server.batches.making import Made, make
from darkroom_server.batches.targets import Target
from darkroom_server.cli.balance import read_the_bill
from darkroom_server.cli.opened import in_darkroom
from darkroom_server.cli.pictures import draw, open_in_viewer
from darkroom_server.cli.screen import (
    agreed,
    batch_bar,
    lead_nowhere,
    left_behind,
    note,
    progress_bar,
    show_json,
    show_report,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The arguments of `generate`; `base` is the request without its prompt."""

    words: tuple[str, ...]
    base: ImageRequest
    target: Target
    request_id: str
    wait_s: float
    max_usd: float
    at_once: int
    is_dry_run: bool
    is_agreed: bool
    is_fresh: bool
    is_retried: bool
    is_opened: bool
    is_shown: bool
    is_quiet: bool
    as_json: bool


def generate_one(settings: Settings, wanted: Wanted) -> int:
    """One call; gives the exit code. Raises: DarkroomError."""
    line = single_line(wanted.words, wanted.base, wanted.request_id, wanted.max_usd)

    async def work(darkroom: Darkroom) -> PredictionReport | Made:
        if wanted.is_dry_run:
            return await dry_run(darkroom, line.request, request_id=wanted.request_id, max_usd=wanted.max_usd)
        try:
            await _refuse_taken(darkroom, wanted.target, [line])
            if settings.confirm_usd is not None and not wanted.is_agreed:
                id, most = wanted.request_id, wanted.max_usd
                if found := await offer(darkroom, line.request, request_id=id, max_usd=most):
                    images = f"{counted(found.image_count, 'image')} by {found.model.name}"
                    bound = batch.Bound(found.image_count, found.total.most_usd, found.total.is_bound)
                    await _agree(darkroom, images, bound, settings.confirm_usd)
        except DarkroomError as error:
            return refusal_report(error)
        made = await _made(darkroom, line, wanted)
        if wanted.is_shown:
            await draw(darkroom, made.report.intents)
        return made

    done = in_darkroom(_allowing(settings, [line], wanted.target), work)
    made = done if isinstance(done, Made) else Made(line=line, report=done)
    code = show_report(made.report, as_json=wanted.as_json, is_quiet=wanted.is_quiet, paths=made.paths)
    if made.problem:
        note(made.problem)
    if wanted.is_opened:
        open_in_viewer(made.saved)
    return code or made.code


async def _made(darkroom: Darkroom, line: Line, wanted: Wanted) -> Made:
    try:
        with progress_bar(is_quiet=wanted.is_quiet) as on_progress:
            made = await make(darkroom, line, wanted.target, wait_s=wanted.wait_s, on_progress=on_progress)
        await read_the_bill(darkroom)
        return made
    except anyio.get_cancelled_exc_class():
        with anyio.move_on_after(1, shield=True):
            for intent in await darkroom.journal.by_request(line.request_id):
                note(left_behind(intent))
        raise


def generate_batch(settings: Settings, wanted: Wanted) -> int:
    """Many calls; gives the exit code. Raises: DarkroomError."""
    if wanted.request_id:
        raise InvalidRequest("--request-id names one prompt. In a batch each has its own. Nothing was sent.")
    origin = settings.choice.gateway.origin
    lines = batch_lines(wanted.words, wanted.base, origin, is_fresh=wanted.is_fresh)
    return in_darkroom(_allowing(settings, lines, wanted.target), partial(_run_batch, settings, wanted, lines))


async def _run_batch(settings: Settings, wanted: Wanted, lines: Sequence[Line], darkroom: Darkroom) -> int:
    lines = [await batch.last_attempt(darkroom, each, is_retried=wanted.is_retried) for each in lines]
    plans = await batch.planned(darkroom, lines)
    bound = await batch.bound_of(darkroom, plans, wanted.max_usd)
    new = [each for each in plans if not each.is_there]
    if wanted.is_dry_run:
        _show_plans(plans, bound, wanted)
        return 0
    await _refuse_taken(darkroom, wanted.target, [each.line for each in new])
    if settings.confirm_usd is not None and not wanted.is_agreed and new:
        images = f"{counted(bound.image_count, 'image')} of {counted(len(new), 'prompt')}"
        await _agree(darkroom, images, bound, settings.confirm_usd)
    run = batch.Batch(planned=plans, made=[None] * len(plans))
    try:
        with batch_bar(len(plans), is_quiet=wanted.is_quiet) as advance:
            await batch.run(
                run, _maker(darkroom, wanted, advance), partial(_show_made, wanted, run), at_once=wanted.at_once
            )
    except anyio.get_cancelled_exc_class():
        done = f"{len(run.done)} of {len(plans)} prompts"
        note(f"Stopped after {done}. The same command again goes on; nothing is paid twice.")
        raise
    await read_the_bill(darkroom)
    if wanted.as_json:
        lines_data: list[JsonValue] = [
            {"line": each.line.name, "copies": list(each.paths), **each.report.data} for each in run.done
        ]
        show_json({"lines": lines_data, "totals": batch.totals(darkroom, run)})
    elif not wanted.is_quiet or batch.code_of(run):
        for sentence in filter(None, batch.summary(darkroom, run)):
            note(sentence)
    if wanted.is_shown:
        await draw(darkroom, [intent for each in run.done for intent in each.report.intents])
    if wanted.is_opened:
        open_in_viewer([path for each in run.done for path in each.saved])
    return batch.code_of(run)


def _maker(darkroom: Darkroom, wanted: Wanted, advance: Callable[[], None]) -> Callable[[Line], Awaitable[Made]]:
    async def one(line: Line) -> Made:
        try:
            return await make(darkroom, line, wanted.target, wait_s=wanted.wait_s, on_progress=None)
        finally:
            advance()

    return one


def _show_made(wanted: Wanted, run: batch.Batch, made: Made) -> None:
    """The paths of one line; what is wrong with it beside. Where nobody takes the paths, no more is begun."""
    if wanted.as_json:
        return
    if made.code:
        note(f"{made.line.name}: {made.problem or made.report.text.partition(chr(10))[0]}")
        for line in made.report.text.splitlines()[1:]:
            if line.startswith(("Reason:", "Prediction ")):
                note(f"  {line}")
    try:
        for path in made.saved:
            typer.echo(path)
    except OSError as error:
        run.stop = run.stop or f"its output cannot be written ({error.strerror})."
        lead_nowhere(sys.stdout)


def _show_plans(plans: Sequence[batch.Planned], bound: batch.Bound, wanted: Wanted) -> None:
    if wanted.as_json:
        told: list[JsonValue] = [{"line": each.line.name, **each.report.data} for each in plans]
        show_json({"lines": told, "price_usd": bound.usd, "has_bound": bound.is_bound})
        return
    for each in plans:
        usd = each.report.data["price_usd"]
        cost = "asked before" if each.is_there else "unknown" if usd is None else f"${usd:g}"
        typer.echo(f"{each.line.name}\t{each.report.data['model']}\t{cost}\t{each.line.request.prompt[:60]}")
    note(f"Dry run: nothing was sent. {counted(bound.image_count, 'image')} to make: {bound.words}.")


async def _refuse_taken(darkroom: Darkroom, target: Target, lines: Sequence[Line]) -> None:
    """Raises: InvalidRequest where a new line would be copied to a name that is taken."""
    if target.template:
        target.refuse_taken([each for each in lines if not await darkroom.journal.by_request(each.request_id)])


def _allowing(settings: Settings, lines: Sequence[Line], target: Target) -> Settings:
    """The settings with this output folder, and with leave to read the very folders of the files named."""
    changed: dict[str, object] = {"output_dir": target.folder} if target.folder else {}
    names = {each for line in lines for each in (*line.request.images, line.request.mask) if each}
    folders = dict.fromkeys(Path(each).parent for each in sorted(names) if Path(each).is_absolute())
    if folders:
        changed["input_dirs"] = (*settings.input_paths, *folders)
    return settings.model_copy(update=changed)


async def _agree(darkroom: Darkroom, images: str, bound: batch.Bound, threshold_usd: float) -> None:
    """Ask where the images may cost more than `threshold_usd`, or an unknown sum.

    Raises: SpendingRefused where the person says no, or cannot be asked.
    """
    if darkroom.gateway.is_sandbox or (bound.usd is not None and bound.usd <= threshold_usd):
        return
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise SpendingRefused(
            f"{images} would cost {bound.words}. Above {usd(threshold_usd)} (DARKROOM_CONFIRM_USD) that needs a yes, "
            "and there is no terminal to ask at. Nothing was sent. Repeat it with --yes to go ahead."
        )
    if not await agreed(f"Make {images} for {bound.words}?"):
        raise SpendingRefused("Not confirmed. Nothing was sent.")
