"""darkroom for Python programs: an open room, in which images are made and found again.

The same work as behind the MCP tools, with their limits, and with errors where a program expects them.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from inspect import isawaitable
from typing import TYPE_CHECKING, TypedDict, Unpack

from anyio import to_thread
from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.dry_run import dry_run as planned
from darkroom.dry_run import needs_consent, offer, question
from darkroom.errors import DarkroomClosed, SpendingRefused
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.python_arguments import Picture, request_of, seconds_of, text_of, usd_of, whole_of
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport
from darkroom.reports.amounts import usd
from darkroom.reports.for_people import for_program
from darkroom.request_ids import checked_request_id, fresh_request_id
from darkroom.settings import Settings

if TYPE_CHECKING:
    from os import PathLike

    from darkroom.darkroom import OnProgress

WAIT_S = 300.0
Confirm = bool | Callable[[str], bool | Awaitable[bool]]
Tell = Callable[[float, str], Awaitable[None] | None]


class SettingArguments(TypedDict, total=False):
    """The settings that matter in Python, each by the name of its variable without `DARKROOM_`, in lower case."""

    gateway: str
    base_url: str
    api_key: str
    output_hosts: "str | Sequence[str]"
    proxy: str
    default_model: str
    output_dir: "str | PathLike[str]"
    input_dirs: "str | PathLike[str] | Sequence[str | PathLike[str]]"
    keep_metadata: bool
    data_dir: "str | PathLike[str]"
    models_dir: "str | PathLike[str]"
    max_usd_per_call: float | None
    max_usd_per_day: float | None
    allow_unknown_price: bool
    confirm_usd: float | None


class Room:
    """Makes images while it is open; several calls may run at once. `open` gives one."""

    def __init__(self, darkroom: Darkroom, settings: Settings) -> None:
        self._darkroom = darkroom
        self._settings = settings
        self._is_open = True

    async def generate(
        self,
        prompt: str = "",
        *,
        model: str = "",
        images: Picture | Sequence[Picture] = (),
        mask: Picture = "",
        aspect_ratio: str = "",
        width: int = 0,
        height: int = 0,
        count: int | None = None,
        seed: int | None = None,
        negative_prompt: str = "",
        output_format: str = "auto",
        model_options: Mapping[str, JsonValue] | None = None,
        like: str = "",
        wait_seconds: float | None = WAIT_S,
        request_id: str | None = "",
        max_usd: float | None = 0.0,
        dry_run: bool = False,
        confirm: Confirm = False,
        on_progress: Tell | None = None,
    ) -> PredictionReport:
        """Make or edit images, wait at most `wait_seconds` s for them, and report on what became of them.

        `model` is "owner/name" (empty: a cheap one that can do it), `images` what to edit, `mask` white where they are
        to change, `aspect_ratio` such as "16:9", `width` and `height` pixels, `count` how many images. `model_options`
        are inputs of the model under its own names. `like` takes everything of an earlier prediction ("ID" or "ID/n")
        and changes what is given beside it. Paths are read from the folders of DARKROOM_INPUT_DIRS; give bytes for
        anything else.

        Money: each image costs. Nothing is sent that may cost more than `max_usd` US dollars (0: no limit of its own)
        or than the person's limits. A `request_id` of your own is never paid twice, whatever happened in between.
        `dry_run` sends nothing and reports model, input and price. Where DARKROOM_CONFIRM_USD is set, a dearer call
        needs `confirm`: True, or a function that is given the question and answers it. It may block, or be async.

        `on_progress` is called with percent (0 to 100) and words; it may be async.

        A report always comes once anything was sent, also where the prediction has failed (`is_error`) or goes on
        after the wait (`outcome` "running": `get` finds it again).

        Raises: DarkroomError where nothing was made or paid, such as InvalidRequest, SpendingRefused, KeyRefused.
        """
        self._check_open()
        given: dict[str, object] = {
            "prompt": prompt,
            "model": model,
            "images": images,
            "mask": mask,
            "aspect_ratio": aspect_ratio,
            "width": width,
            "height": height,
            "count": count,
            "seed": seed,
            "negative_prompt": negative_prompt,
            "output_format": output_format,
            "model_options": model_options,
            "like": like,
        }
        request = request_of(given)
        wait_s, limit_usd = seconds_of("wait_seconds", wait_seconds, WAIT_S), usd_of("max_usd", max_usd)
        name = checked_request_id(text_of("request_id", request_id))
        if dry_run:
            return _made(await planned(self._darkroom, request, request_id=name, max_usd=limit_usd))
        await self._agree(request, name, limit_usd, confirm)
        report = await generate_image(
            self._darkroom,
            request,
            wait_s=wait_s,
            request_id=name or fresh_request_id(),
            max_usd=limit_usd,
            on_progress=_telling(on_progress) if on_progress else None,
        )
        return _made(report)

    async def get(self, id: str, *, wait_seconds: float = 0.0, limit: int = 10) -> PredictionReport:
        """Find a prediction again, at no cost, and wait at most `wait_seconds` s for its end.

        `id` is the id of a report, a request_id or "latest"; "recent", "today", "yesterday", a date (YYYY-MM-DD) and
        "find: red fox" give a list of at most `limit` predictions, as text.

        Raises: UnknownPrediction, InvalidInput, GatewayError, JournalError.
        """
        self._check_open()
        wait_s = seconds_of("wait_seconds", wait_seconds, 0.0)
        most = whole_of("limit", limit)
        return _made(await get_prediction(self._darkroom, text_of("id", id), wait_s=wait_s, limit=most))

    async def cancel(self, id: str) -> PredictionReport:
        """Ask the gateway to stop a prediction; what is done by then may be billed.

        Raises: as `get`.
        """
        self._check_open()
        return _made(await get_prediction(self._darkroom, text_of("id", id), cancel=True))

    def close(self) -> None:
        """Refuse further calls; `open` does this when it is left."""
        self._is_open = False

    def _check_open(self) -> None:
        if not self._is_open:
            raise DarkroomClosed("This room is closed. Nothing was sent. Open another with darkroom.open().")

    async def _agree(self, request: ImageRequest, request_id: str, max_usd: float, confirm: Confirm) -> None:
        """Raises: SpendingRefused where DARKROOM_CONFIRM_USD wants a yes and there is none."""
        threshold_usd = self._settings.confirm_usd
        if threshold_usd is None or self._darkroom.gateway.is_sandbox or confirm is True:
            return
        offered = await offer(self._darkroom, request, request_id=request_id, max_usd=max_usd)
        if offered is None or not needs_consent(offered, threshold_usd):
            return
        asked = question(offered)
        if not callable(confirm):
            raise SpendingRefused(
                f"{asked} Above {usd(threshold_usd)} (DARKROOM_CONFIRM_USD), or at an unknown price, that needs a yes. "
                "Nothing was sent. To go ahead pass confirm=True, or a function that asks the person."
            )
        answer = await to_thread.run_sync(confirm, asked)
        if (await answer if isawaitable(answer) else answer) is not True:
            raise SpendingRefused(f"{asked} Not confirmed. Nothing was sent.")


@asynccontextmanager
async def open(**settings: Unpack[SettingArguments]) -> AsyncGenerator[Room]:
    """An open room; one in a program is enough. Leaving it takes at most two seconds and loses nothing that was paid.

    Settings come from the arguments, else from the DARKROOM_ variables, else from config.toml. Without a gateway and a
    key it is the sandbox, which is free and offline.

    Raises: SettingsError, JournalError; nothing was sent then.
    """
    read = Settings.read(arguments=settings)
    async with Darkroom.open(read.options()) as darkroom:
        room = Room(darkroom, read)
        try:
            yield room
        finally:
            room.close()


def _made(report: PredictionReport) -> PredictionReport:
    """The report in words for people. Raises: DarkroomError where nothing was made and nothing was paid."""
    if problem := report.problem:
        problem.args = (for_program(problem.message), *problem.args[1:])
        raise problem
    told = report.data | {"next": for_program(str(report.data["next"]))}
    return replace(report, text=for_program(report.text), data=told)


def _telling(tell: Tell) -> "OnProgress":
    async def report(percent: float, message: str) -> None:
        if isawaitable(told := tell(percent, message)):
            await told

    return report
