"""The Darkroom: what is open while the program runs. It owns every create and every follower.

A tool call only starts work here and waits for it; when the call is cancelled, times out or its client dies, the work
goes on. After a restart the unfinished predictions of earlier processes are taken up again, soonest to expire first.
"""

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING

import anyio
import anyio.abc

from darkroom.darkroom_options import DarkroomOptions
from darkroom.gateways import OutputFetcher, PredictionClient
from darkroom.images import ReadImage, StoredFile, StoredImage
from darkroom.journal import Intent, Limit, SpendingLimit, day_start
from darkroom.outputs.decoders import decoders
from darkroom.outputs.early_previews import EarlyPreviews
from darkroom.outputs.uploads import uploads_at
from darkroom.registry import MappedInput, ModelRegistry
from darkroom.reports import DayLimit, Limits
from darkroom.uris import host_of
from darkroom.work.accounts import Account
from darkroom.work.create import Budget
from darkroom.work.image_fetching import ImageFetching
from darkroom.work.receipts import receipts
from darkroom.work.reconcile import ReconcileRules
from darkroom.work.rules import WorkRules
from darkroom.work.runtime import Runtime
from darkroom.work.wait import OnProgress, Waiting
from darkroom.work.work import Work

if TYPE_CHECKING:
    from darkroom.live_models import Directory
    from darkroom.outputs import OutputStores
    from darkroom.outputs.inputs import InputResolver, Resolved
    from darkroom.outputs.preview import Previewed

__all__ = ["Budget", "Darkroom", "DarkroomOptions", "OnProgress"]

# Extra seconds to store images after the caller's budget is spent.
IMAGES_GRACE_S = 6.0
# A call ends at the latest so many seconds after the budget that it was given.
CALL_GRACE_S = 8.0
SANDBOX_HINT = "Made by the sandbox, not by a model. For real ones the user sets a key, such as REPLICATE_API_TOKEN."
SIMULATED_HINT = "This address is darkroom's own sandbox: no model ran; the pictures and the amounts are simulated."


class Darkroom:
    """Open with `Darkroom.open`; leaving it stops all waiting within two seconds and forgets nothing that was paid.

    `work` starts and follows predictions, `waiting` waits within a budget; `make_work` is called last.
    """

    def __init__(
        self,
        options: DarkroomOptions,
        registry: ModelRegistry,
        account: Account,
        stores: "OutputStores",
        fetcher: OutputFetcher,
        make_work: Callable[["Darkroom"], Work],
    ) -> None:
        self.options = options
        self.gateway = options.gateway
        self.registry = registry
        self.account = account
        self.client = account.client
        self.journal = account.journal
        self.stores = stores
        self.fetcher = fetcher
        self.uploads = uploads_at(options.uploads_place or str(options.data_dir / "uploads"), options.clock)
        self.waiting = Waiting(options.monotonic)
        self._said: set[str] = set()
        self._opened_at = options.clock() - options.monotonic()
        self.early_previews = EarlyPreviews()
        self.work = make_work(self)

    @classmethod
    @asynccontextmanager
    async def open(cls, options: DarkroomOptions) -> "AsyncGenerator[Darkroom]":
        """Open journal, client and output folder, and take up what earlier processes left unfinished.

        Raises: JournalError, SettingsError; nothing was sent then.
        """
        from darkroom.outputs import OutputStores

        async with _as_it_was_raised() as told, AsyncExitStack() as stack:
            registry = ModelRegistry.load(options.models_dir)
            receipt_of = receipts(registry, options.gateway)
            journal = await stack.enter_async_context(
                options.open_journal(options.data_dir / "journal.sqlite3", options.clock, receipt_of)
            )
            client = await stack.enter_async_context(
                PredictionClient(options.gateway, options.key, app=options.app, timeouts=options.timeouts)
            )
            fetcher = await stack.enter_async_context(OutputFetcher(options.gateway, app=options.app))
            account = await Account.open(client, journal, options.key)
            await stack.enter_async_context(decoders().kept())
            tasks = await stack.enter_async_context(anyio.create_task_group())
            stores = OutputStores(options.output_dir, spare=options.data_dir / "images")
            room = cls(options, registry, account, stores, fetcher, partial(_local_work, tasks))
            tasks.start_soon(room.work.take_up_unfinished)
            tasks.start_soon(anyio.to_thread.run_sync, room.uploads.sweep)
            try:
                yield room
            except Exception as error:
                told.append(error)
                raise
            finally:
                room.work.close()

    @cached_property
    def live(self) -> "Directory":
        """What the gateway itself says of its models."""
        from darkroom.live_models import Directory

        folder = self.options.data_dir / "live-models"
        return Directory(client=self.client, folder=folder, account=self.account.id, clock=self.options.clock)

    @property
    def sandbox_hint(self) -> str:
        """Said with every answer of the sandbox, also where it stands behind an address; empty for real gateways."""
        if self.gateway.is_sandbox:
            return SANDBOX_HINT
        return SIMULATED_HINT if self.client.is_simulated else ""

    def steady_clock(self, monotonic_s: float) -> float:
        """A moment of the monotonic clock in seconds since the epoch, as the wall clock stood when this was opened."""
        return self._opened_at + monotonic_s

    def day_limit(self) -> Limit | None:
        """The team's limits, else the person's for this day; None without, and in the sandbox, which is free."""
        if self.options.team_limit:
            return self.options.team_limit
        limit_usd = self.options.max_usd_per_day
        if limit_usd is None or self.gateway.is_sandbox:
            return None
        return SpendingLimit(
            limit_usd=limit_usd,
            since=day_start(self.options.clock()),
            allow_unknown_price=self.options.allow_unknown_price,
        )

    async def standing(self, keys: Sequence[str] = ()) -> tuple[dict[str, Intent], DayLimit | None]:
        """The rows of these as they stand, by key, and what is left of the person's limit for today, if there is one.

        Raises: JournalError.
        """
        limit = self.day_limit()
        rows, left = await self.journal.standing(keys, limit) if keys or limit else ({}, None)
        return rows, DayLimit(**asdict(left)) if left else None

    async def day(self) -> DayLimit | None:
        """What is left of the person's limit for today; None without one. Raises: JournalError."""
        return (await self.standing())[1]

    async def limits(self) -> Limits:
        """The person's spending limits as they stand. Raises: JournalError."""
        options = self.options
        if self.gateway.is_sandbox:
            return Limits()
        unknown = options.allow_unknown_price
        return Limits(call_usd=options.max_usd_per_call, day=await self.day(), allow_unknown_price=unknown)

    async def look_at(self, mapped: MappedInput) -> tuple[ReadImage, ...]:
        """The image references that can be read here; a URL is not fetched. Raises: InvalidInput."""
        return await self._resolver().look_at(mapped) if mapped.file_fields else ()

    def check_mask(self, mapped: MappedInput, sizes: Mapping[str, tuple[int, int]]) -> None:
        """`sizes`: pixels by reference. Raises: InvalidInput for a mask whose shape is not `mapped.mask_size`."""
        if mapped.mask_field:
            self._resolver().check_mask(mapped, sizes)

    async def try_images(self, mapped: MappedInput) -> tuple[str, ...]:
        """What `resolve` would note. Raises: InvalidInput for a reference that `resolve` would refuse."""
        return await self._resolver().try_out(mapped) if mapped.file_fields else ()

    async def resolve(self, mapped: MappedInput) -> "Resolved":
        """Put what the gateway accepts in place of image references.

        Raises: InvalidInput, GatewayError (an upload failed).
        """
        from darkroom.outputs.inputs import Resolved

        if not mapped.file_fields:
            return Resolved(input=mapped.input)
        return await self._resolver().resolve(mapped)

    async def add_picture(self, uri: str) -> tuple[str, str]:
        """Keep a picture of the person's, given as a data URI, for a day: its reference and its shape in words.

        Raises: InvalidInput where it is no image that can be sent; InvalidRequest, OutputError where it is not kept.
        """
        from darkroom.outputs.input_images import checked_picture

        image = await anyio.to_thread.run_sync(checked_picture, uri)
        id = await anyio.to_thread.run_sync(self.uploads.add, image.content)
        return f"upload:{id}", image.words

    async def preview(self, files: Mapping[int, StoredFile], longest_px: int) -> "Previewed":
        """One small picture of stored files for the chat, by their numbers in the answer, under the hosts' limit."""
        from darkroom.outputs.preview import preview_of

        return await preview_of(files, self.stores.read, early=self.early_previews.taken, longest_px=longest_px)

    async def with_links(self, rows: Sequence[Intent]) -> tuple[Intent, ...]:
        """With links to the images where the caller cannot reach their locations, as in a team; else as they are."""
        if (links := self.options.links) is None:
            return tuple(rows)
        return tuple([replace(row, images=await links.added(row.images, self.stores)) for row in rows])

    def say_once(self, words: str) -> None:
        """Have it said in the next answer, and never again while the Darkroom is open."""
        if words not in self._said:
            self._said.add(words)
            self.work.notices.append(words)

    def take_notices(self) -> tuple[str, ...]:
        """Sentences about the work that the person should hear once, in the next answer."""
        notices, self.work.notices[:] = tuple(self.work.notices), []
        return notices

    def _resolver(self) -> "InputResolver":
        from darkroom.gateways.guard import is_public_name
        from darkroom.outputs.inputs import InputResolver

        async def lookup(prediction_id: str, index: int) -> StoredImage | None:
            row = await self.journal.find(prediction_id)
            return next((image for image in row.images if image.index == index), None) if row else None

        async def fetch(url: str) -> bytes:
            async with self.fetcher.open(url) as chunks:
                return b"".join([chunk async for chunk in chunks])

        links, gateway = self.options.links, self.client.gateway
        return InputResolver(
            read=self.stores.read,
            lookup=lookup,
            uploaded=self.uploads.read,
            meant=links.meant if links else str,
            folders=self.options.input_dirs,
            upload=self.client.upload if gateway.has_files else None,
            fetch=fetch,
            allow_loopback_http=gateway.is_loopback,
            is_far=is_public_name(host_of(gateway.base_url)),
            keep_metadata=self.options.keep_metadata,
        )

    @property
    def runtime(self) -> Runtime:
        """The clocks of the options."""
        options = self.options
        return Runtime(
            clock=options.clock,
            monotonic=options.monotonic,
            sleep=options.sleep,
            at_crash_point=options.at_crash_point,
            on_create=self.early_previews.expect,
        )

    def work_rules(self) -> WorkRules:
        """What the work needs to know of the options and the models."""
        options = self.options
        return WorkRules(
            paid_ids_dir=options.data_dir,
            typical_s=self.registry.typical_s,
            day_limit=self.day_limit,
            on_ended=options.on_ended,
            reconcile=ReconcileRules(settle_s=options.settle_s, defaults=self.registry.defaults),
            lease_s=options.lease_s,
        )


@asynccontextmanager
async def _as_it_was_raised() -> AsyncGenerator[list[Exception]]:
    """The only error, where it is the one that was told, without the ExceptionGroup that a task group makes of it."""
    told: list[Exception] = []
    try:
        yield told
    except ExceptionGroup as group:
        if list(group.exceptions) == told:
            raise told[0] from None
        raise


def _local_work(tasks: anyio.abc.TaskGroup, room: Darkroom) -> Work:
    room.early_previews = EarlyPreviews(room.options.preview_px, tasks)
    fetching = ImageFetching(room.journal, room.stores, room.fetcher, room.runtime, room.early_previews, tasks)
    return Work(room.account, room.journal, fetching, tasks, room.runtime, room.work_rules())
