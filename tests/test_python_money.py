"""`import darkroom` at a gateway that takes money: keys, limits, repeats and what the person wants to confirm."""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from sandbox_server import sandbox_server

import darkroom
from darkroom import errors
from darkroom.reports import Outcome
from darkroom_server.sandbox import SandboxOptions

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("empty_home")]

DEAR = "black-forest-labs/flux-1.1-pro"  # $0.04 an image
CHEAP = "black-forest-labs/flux-schnell"  # $0.003


@asynccontextmanager
async def paid_room(**settings: Any) -> AsyncGenerator[tuple[darkroom.Room, str]]:
    """A room at a gateway that takes money, and its address."""
    with anyio.fail_after(60):
        async with sandbox_server(SandboxOptions(key="r8_right", speed=10, painted_px=40_000)) as origin:
            given: Any = {"gateway": "replicate", "base_url": origin, "api_key": "r8_right", **settings}
            async with darkroom.open(**given) as opened:
                yield opened, origin


async def creates(origin: str) -> int:
    async with httpx.AsyncClient(headers={"Authorization": "Bearer r8_right"}) as http:
        return len((await http.get(f"{origin}/v1/predictions")).json()["results"])


async def test_a_wrong_key_is_raised_and_nothing_was_paid() -> None:
    async with paid_room(api_key="r8_wrong") as (opened, origin):
        with pytest.raises(errors.KeyRefused) as told:
            await opened.generate("a lighthouse", model=CHEAP)
        assert "r8_wrong" not in str(told.value)
        assert await creates(origin) == 0


async def test_a_request_id_is_paid_once_and_the_charge_is_a_number() -> None:
    async with paid_room() as (opened, origin):
        first = await opened.generate("a lighthouse", model=CHEAP, request_id="cover")
        again = await opened.generate("a lighthouse", model=CHEAP, request_id="cover")
        assert again.paths == first.paths and await creates(origin) == 1
        assert first.charged.usd == pytest.approx(0.003)


@pytest.mark.parametrize("number", [math.nan, math.inf])
async def test_a_number_that_json_does_not_have_is_refused_before_anything_is_written(number: float) -> None:
    async with paid_room(gateway="custom") as (opened, origin):
        with pytest.raises(errors.InvalidInput, match="Nothing was sent"):
            await opened.generate("a lighthouse", model="acme/kite", model_options={"scale": number})
        assert await creates(origin) == 0 and "acme" not in str(await opened.get("today"))


async def test_limits_are_held_for_the_call_and_for_the_day() -> None:
    async with paid_room(max_usd_per_day=0.004) as (opened, origin):
        with pytest.raises(errors.SpendingRefused):
            await opened.generate("a lighthouse", model=CHEAP, max_usd=0.002)
        assert (await opened.generate("a lighthouse", model=CHEAP)).paths
        with pytest.raises(errors.SpendingRefused):
            await opened.generate("another", model=CHEAP)
        assert await creates(origin) == 1


async def test_what_the_person_wants_to_confirm_needs_a_yes() -> None:
    asked: list[str] = []

    def answer(words: str) -> bool:
        asked.append(words)
        return len(asked) > 1

    async def refuse(words: str) -> bool:
        return False

    async with paid_room(confirm_usd=0.01) as (opened, origin):
        assert (await opened.generate("a lighthouse", model=CHEAP)).paths
        with pytest.raises(errors.SpendingRefused, match="confirm=True"):
            await opened.generate("a lighthouse", model=DEAR)
        with pytest.raises(errors.SpendingRefused, match="Not confirmed"):
            await opened.generate("a lighthouse", model=DEAR, confirm=answer)
        with pytest.raises(errors.SpendingRefused, match="Not confirmed"):
            await opened.generate("a lighthouse", model=DEAR, confirm=refuse)
        wordy: Any = str
        with pytest.raises(errors.SpendingRefused, match="Not confirmed"):
            await opened.generate("a lighthouse", model=DEAR, confirm=wordy)
        assert await creates(origin) == 1
        assert (await opened.generate("a lighthouse", model=DEAR, confirm=answer)).paths
        assert (await opened.generate("a lighthouse by day", model=DEAR, confirm=True)).paths
        assert await creates(origin) == 3
    assert asked == [f"Make 1 image with {DEAR} for at most $0.04?"] * 2


async def test_a_dry_run_sends_nothing_and_names_the_price() -> None:
    async with paid_room() as (opened, origin):
        report = await opened.generate("a lighthouse", dry_run=True)
        assert await creates(origin) == 0
    assert report.outcome is Outcome.PLANNED and "$0.003" in report.text
