"""A journal on either database with a clock that is moved by hand, and plain intents and predictions for it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

from postgres_server import PostgresServer
from pydantic import JsonValue

from darkroom.journal import Intent, IntentState, Journal, Limit, NewIntent, ReceiptOf, Verdict, open_journal
from darkroom.predictions import Prediction, PredictionStatus

GATEWAY = "sandbox"
ORIGIN = "http://sandbox.darkroom.invalid"
MODEL = "black-forest-labs/flux-schnell"
START = 1_790_000_000.0
Place = Path | PostgresServer


class HandClock:
    """Seconds since the epoch that pass only when told."""

    def __init__(self, now: float = START) -> None:
        self.now = now
        self._passed_s = 0.0

    def __call__(self) -> float:
        return self.now

    def monotonic(self) -> float:
        return self._passed_s

    def advance(self, seconds: float) -> None:
        self.now += seconds
        self._passed_s += seconds

    def set_by(self, seconds: float) -> None:
        """Somebody sets the clock."""
        self.now += seconds


@asynccontextmanager
async def opened(
    place: Place, clock: Callable[[], float], receipt_of: ReceiptOf | None = None, tenant: str = "acme"
) -> AsyncGenerator[Journal]:
    """In the file of a folder, or of a tenant in PostgreSQL."""
    if isinstance(place, Path):
        async with open_journal(place / "journal.sqlite3", clock, receipt_of) as journal:
            yield journal
    else:
        async with place.pool() as opened:
            yield Journal(opened.database(tenant, "alice"), clock, receipt_of)


def everything_written(place: Place) -> str:
    """All files of the folder, or all rows of all tables."""
    if isinstance(place, Path):
        return "".join(file.read_bytes().decode("latin-1") for file in place.iterdir() if file.is_file())
    return place.dump()


async def intended(journal: Journal, new: NewIntent, *, spending: Limit | None = None) -> Intent:
    """One part alone."""
    return (await journal.intend([new], spending=spending)).intents[0]


async def missed(journal: Journal, key: str, tries: int = 1) -> tuple[Intent, ...]:
    """The gateway's list does not show this attempt."""
    return await journal.settle([Verdict(key=key, tries=tries, state=IntentState.ABSENT)])


def adopting(origin: str = ORIGIN) -> NewIntent:
    """The place into which a foreign prediction is taken."""
    return NewIntent(gateway=GATEWAY, origin=origin, model="", input={})


def new_intent(
    seed: int | None = 7,
    *,
    request_id: str = "",
    part: int = 0,
    prompt: str = "a lighthouse",
    estimate_usd: float | None = 0.003,
    input: dict[str, JsonValue] | None = None,
    file_fields: tuple[str, ...] = (),
    origin: str = ORIGIN,
    account: str = "",
    conversation: str = "",
) -> NewIntent:
    """What darkroom would send for one image; without a seed if None."""
    seeded: dict[str, JsonValue] = {} if seed is None else {"seed": seed}
    return NewIntent(
        request_id=request_id,
        part=part,
        gateway=GATEWAY,
        origin=origin,
        account=account,
        conversation=conversation,
        model=MODEL,
        input={"prompt": prompt, **seeded, **(input or {})},
        file_fields=file_fields,
        request={"prompt": prompt},
        seed=seed,
        estimate_usd=estimate_usd,
    )


def prediction(
    identifier: str,
    status: PredictionStatus = PredictionStatus.STARTING,
    *,
    at: float = START,
    input: dict[str, JsonValue] | None = None,
    output: tuple[str, ...] = (),
    model: str = MODEL,
) -> Prediction:
    return Prediction(
        id=identifier,
        status=status,
        model=model,
        input=input if input is not None else {"prompt": "a lighthouse", "seed": 7},
        output=output,
        created_at=datetime.fromtimestamp(at, UTC),
    )
