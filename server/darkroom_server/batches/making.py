"""From one line to its images: the call, then staying until they are home, then where the person wants them."""

from collections.abc import Sequence
from dataclasses import dataclass

import anyio

from darkroom.darkroom import Darkroom, OnProgress
from darkroom.errors import OutputError
from darkroom.generate_image import generate_image
from darkroom.get_prediction import report_on
from darkroom.images import ImageState
from darkroom.journal import Intent
from darkroom.reports import PredictionReport, with_notes
from darkroom_server.batches.lines import Line
from darkroom_server.batches.outcomes import exit_code, saved_paths
from darkroom_server.batches.targets import Target

_LOOK_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What became of one line; `paths` are its images where the person wanted them, `problem` why not."""

    line: Line
    report: PredictionReport
    paths: tuple[str, ...] = ()
    problem: str = ""

    @property
    def code(self) -> int:
        """The exit code of this line alone."""
        return exit_code(self.report) or int(bool(self.problem))

    @property
    def saved(self) -> Sequence[str]:
        """Where the person finds its images."""
        return self.paths or saved_paths(self.report)


async def make(
    darkroom: Darkroom, line: Line, target: Target, *, wait_s: float, on_progress: OnProgress | None
) -> Made:
    """Make the images of one line and wait at most `wait_s` for their end and their files."""
    started_s = darkroom.options.monotonic()
    report = await generate_image(
        darkroom, line.request, wait_s=wait_s, request_id=line.request_id, max_usd=line.max_usd, on_progress=on_progress
    )
    if await until_home(darkroom, report.intents, started_s + wait_s):
        notes = [str(each) for each in report.data["notes"]] if isinstance(report.data["notes"], list) else []
        report = await report_on(darkroom, report.intents, [], started_s)
        now = report.data["notes"] if isinstance(report.data["notes"], list) else []
        report = with_notes(report, [each for each in notes if each not in now])
    try:
        return Made(line=line, report=report, paths=await target.place(darkroom, report, line.first_index))
    except OutputError as error:  # the images are safe where darkroom keeps them
        return Made(line=line, report=report, problem=error.message)


async def until_home(darkroom: Darkroom, intents: Sequence[Intent], until_s: float) -> bool:
    """Wait while an image of these is still being fetched, until `until_s` on the monotonic clock.

    True where that was worth it: something has changed. Raises: JournalError.
    """
    keys = [intent.key for intent in intents if _is_wanted(intent)]
    is_changed = False
    while keys and darkroom.options.monotonic() < until_s:
        await anyio.sleep(_LOOK_S)
        rows = [await darkroom.journal.find(key) for key in keys]
        still = [row.key for row in rows if row and _is_wanted(row)]
        is_changed = is_changed or len(still) < len(keys)
        keys = still
    return is_changed


def _is_wanted(intent: Intent) -> bool:
    return any(image.state is ImageState.WANTED for image in intent.images)
