"""What was made, when, and what it took: the lists of get_prediction, on a gateway that costs."""

import sqlite3
from collections.abc import AsyncGenerator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from fault_gateway import FaultGateway
from fault_plan import Plan
from journal_fixtures import HandClock, intended, new_intent, opened
from open_rooms import NoonClock, room_at

from darkroom.darkroom import Darkroom
from darkroom.gateways import Key
from darkroom.generate_image import generate_image
from darkroom.get_prediction import get_prediction
from darkroom.journal import Filter
from darkroom.registry import ImageRequest
from darkroom.reports import PredictionReport

pytestmark = pytest.mark.anyio

SCHNELL = "black-forest-labs/flux-schnell"  # $0.003 an image
DAY_S = 24 * 3600


@pytest.fixture
async def gateway() -> AsyncGenerator[FaultGateway]:
    async with FaultGateway(Plan(run_s=0)) as gateway:
        yield gateway


async def make(room: Darkroom, prompt: str, **changes: Any) -> PredictionReport:
    request = ImageRequest(prompt=prompt, model=SCHNELL)
    return await generate_image(room, request, wait_s=20, **changes)


async def said(room: Darkroom, id: str, **changes: Any) -> str:
    report = await get_prediction(room, id, **changes)
    assert not report.is_error, report.text
    return report.text


def listed(report: PredictionReport) -> list[dict[str, Any]]:
    assert report.outcome == "listed" and report.intents == ()
    return cast("list[dict[str, Any]]", report.data["predictions"])


async def test_an_empty_list_is_said_in_words(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        assert (await said(room, "recent")).startswith("There is no prediction yet.")
        assert (await said(room, "today")).startswith("No prediction was made today (")
        assert (await said(room, "2020-02-29")).startswith("No prediction was made on 2020-02-29.")
        assert (await said(room, "find: zebra")).startswith("No prompt has 'zebra'. A part of a word is enough")
    assert gateway.truth.looks == []


async def test_a_line_has_time_status_model_charge_prompt_path_and_id(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock) as room:
        made = await make(room, "a vase of tulips")
        moment = datetime.fromtimestamp(cast("float", made.intents[0].sent_at))
        report = await get_prediction(room, " TODAY ")
    [row] = listed(report)
    path = next((tmp_path / "images").glob("*.png"))
    money = 'at most $0.003: "a vase of tulips"'
    line = f"{moment:%H:%M} succeeded, flux-schnell, {money} {path}, id {made.data['id']}"
    assert line in report.text.splitlines()
    assert f"Predictions of today ({moment.date()}): 1, newest first; local time (UTC" in report.text
    assert row["paths"] == [str(path)] and row["prompt"] == "a vase of tulips"
    assert row["charged"] == {"verdict": "at_most", "usd": 0.003, "basis": "estimated"}
    assert row["request_id"] == made.data["request_id"]


async def test_what_is_said_once_outlives_a_list_that_fails(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await make(room, "a fox")
    async with room_at(gateway, tmp_path, key=Key("another-key-0123456789")) as room:
        await make(room, "a hare")
        room.say_once("The moon has set.")
        with closing(sqlite3.connect(tmp_path / "data" / "journal.sqlite3")) as other:
            other.execute("ALTER TABLE accounts RENAME TO away")  # which names the two keys
            failed = await get_prediction(room, "today")
            other.execute("ALTER TABLE away RENAME TO accounts")
        assert failed.is_error and "The moon has set." not in failed.text
        assert "The moon has set." in await said(room, "today")
        assert "The moon has set." not in await said(room, "today")


async def test_the_newest_come_first_and_the_rest_is_counted(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        for number in range(4):
            await make(room, f"fox number {number}")
        report = await get_prediction(room, "recent", limit=2)
    assert [row["prompt"] for row in listed(report)] == ["fox number 3", "fox number 2"]
    assert ": 2 of 4, newest first" in report.text and "… and 2 more" in report.text
    assert (report.data["found"], report.data["more"]) == (4, 2)
    assert "whole day: 4 predictions, charged at most $0.012 for 4 whose cost is not settled." in report.text


async def test_each_day_is_the_persons_own_and_has_its_money(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = NoonClock()
    async with room_at(gateway, tmp_path, clock=clock, max_usd_per_day=1.0) as room:
        await make(room, "a fox")
        await make(room, "a hare")
        clock.move(DAY_S)
        await make(room, "an owl")
        today = datetime.fromtimestamp(clock()).date()
        yesterday = today - timedelta(days=1)
        recent = await said(room, "recent")
        assert f"{today} (today), whole day: 1 prediction, charged at most $0.003" in recent
        assert f"{yesterday}, whole day: 2 predictions, charged at most $0.006" in recent
        assert "Of the user's limit $0.997 of $1.00 is left today" in recent
        for id in ("yesterday", f"{yesterday}"):
            report = await get_prediction(room, id)
            assert [row["prompt"] for row in listed(report)] == ["a hare", "a fox"]
            assert "$0.006" in report.text and "an owl" not in report.text
        assert "an owl" in await said(room, "today") and "a hare" not in await said(room, "today")


async def test_words_are_found_in_any_order_case_and_script(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        for prompt in ("A red FOX in snow", "die Straße im Café", "一只红狐狸", "fox only", "x" * 300_000 + " far"):
            await make(room, prompt)
        for words, prompts in {
            "find: fox RED": ["A red FOX in snow"],
            "find:fox": ["fox only", "A red FOX in snow"],
            "FIND: 'fox'": ["fox only", "A red FOX in snow"],
            "find: STRASSE CAFE\u0301": ["die Straße im Café"],
            "find：红狐": ["一只红狐狸"],
            "find: % _": [],
            "find: \\ud800 \0": [],
        }.items():
            assert [row["prompt"] for row in listed(await get_prediction(room, words))] == prompts, words
        long = await get_prediction(room, "find: xxx")
        assert len(long.text) < 600 and len(listed(long)[0]["prompt"]) <= 300
        both = await said(room, "find: fox")
        assert "All listed together: charged at most $0.006." in both


async def test_words_that_no_prompt_has_together_are_told_with_what_each_finds(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with room_at(gateway, tmp_path) as room:
        await make(room, "a red fox")
        await make(room, "a fox")
        assert "Every word must occur; 'fox' finds 2, 'red' finds 1." in await said(room, "find: fox red zebra")
        assert "Every word must occur, and none of them does." in await said(room, "find: gnu zebra")


async def test_odd_prompts_are_shown_safe_and_short(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await make(room, 'a "fox"\n\u202e<script>x</script> https://evil.example/x \ud800 id p9')
        report = await get_prediction(room, "recent")
    [line] = [line for line in report.text.splitlines() if "fox" in line]
    assert "https://" not in line and "\u202e" not in line and "<script" not in line and line.count('"') == 2
    report.text.encode()


@pytest.mark.parametrize(
    ("id", "limit", "words"),
    [
        ("2026-02-30", 10, "no day of the calendar"),
        ("0000-00-00", 10, "no day of the calendar"),
        ("find:", 10, "needs 1 to 20 words"),
        ("find: " + "x " * 30_000, 10, "needs 1 to 20 words"),
        ("find: \u201c\u201d", 10, "needs 1 to 20 words"),
        ("today", 0, "limit 0"),
        ("today", 101, "limit 101"),
        ("red fox", 10, "'find: words of the prompt'"),
    ],
)
async def test_what_names_no_list_is_refused_in_words(
    gateway: FaultGateway, tmp_path: Path, id: str, limit: int, words: str
) -> None:
    async with room_at(gateway, tmp_path) as room:
        report = await get_prediction(room, id, limit=limit)
    assert report.is_error and words in report.text and "Charged: " in report.text


async def test_a_time_that_no_calendar_has_ends_no_list(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path / "one") as room:
        made = await make(room, "a fox")
    for odd in ("9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z"):
        gateway.odd = {"created_at": odd}
        gateway.truth.predictions[0].odd = {"created_at": odd}
        async with room_at(gateway, tmp_path / odd[:4]) as room:
            await get_prediction(room, str(made.data["id"]))
            assert "not ordered here" in await said(room, "recent")


@pytest.mark.parametrize("id", ["0001-01-01", "9999-12-31", "9999-12-30", "1969-12-31"])
async def test_a_day_beyond_all_reach_is_an_empty_one(gateway: FaultGateway, tmp_path: Path, id: str) -> None:
    async with room_at(gateway, tmp_path) as room:
        assert (await said(room, id)).startswith(f"No prediction was made on {id}.")


async def test_failures_doubts_and_what_was_never_created_are_listed_as_such(
    gateway: FaultGateway, tmp_path: Path
) -> None:
    async with room_at(gateway, tmp_path, profile="custom") as room:
        gateway.plan = Plan(run_s=0, script=("402", "504 after"))
        await make(room, "no credit")
        await make(room, "lost answer")
        report = await get_prediction(room, "today")
    rows = {row["prompt"]: row for row in listed(report)}
    assert rows["no credit"]["status"] == "refused" and rows["no credit"]["charged"]["verdict"] == "no"
    assert rows["lost answer"]["status"] == "unresolved" and rows["lost answer"]["charged"]["verdict"] == "possibly"
    assert "1 prediction, charged at most $0.003 for 1 whose cost is not settled" in report.text
    assert "(1 refused or never created is not counted.)" in report.text


async def test_another_gateway_of_the_same_journal_is_named_in_the_money(gateway: FaultGateway, tmp_path: Path) -> None:
    clock = NoonClock()
    async with FaultGateway(Plan(run_s=0)) as other:
        async with room_at(gateway, tmp_path, clock=clock) as room:
            await make(room, "through one")
        async with room_at(other, tmp_path, clock=clock, profile="custom") as room:
            await make(room, "through another")
            report = await get_prediction(room, "today")
    assert [row["gateway"] for row in listed(report)] == ["custom", "replicate"]
    assert "(custom: at most $0.003 for 1 whose cost is not settled; replicate: at most $0.003" in report.text


async def test_a_name_that_means_a_list_is_refused_as_a_request_id(gateway: FaultGateway, tmp_path: Path) -> None:
    from darkroom.errors import InvalidInput
    from darkroom.request_ids import checked_request_id

    for name in ("today", "Recent", "2026-11-25", "find: x", "latest", "LATEST"):
        with pytest.raises(InvalidInput, match="could not be found again"):
            checked_request_id(name)
    assert checked_request_id("today-1") == "today-1"


async def test_a_long_journal_is_searched_in_pieces_and_counted_whole(tmp_path: Path) -> None:
    clock = HandClock()
    async with opened(tmp_path, clock) as journal:
        for number in range(1_201):
            clock.advance(1)
            await intended(journal, new_intent(number, prompt=f"{'red' if number % 400 == 0 else 'blue'} fox {number}"))
        found = await journal.lists.matching(Filter(words=("red",)), 2)
        assert [row.request["prompt"] for row in found.rows] == ["red fox 1200", "red fox 800"]
        assert (found.found, found.is_whole) == (4, True)
        first = await journal.lists.between(0.0, 1e18, 100)
        assert (len(first.rows), first.found) == (100, 1_201)


async def test_hidden_characters_in_a_search_are_not_repeated(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await make(room, "a\u202efox")
        for id in ("find: \x00", "find: \u202e", "find: zebra\x00\u202e", "find: a\u202efox"):
            text = await said(room, id)
            assert not {"\x00", "\u202e"} & set(text)


async def test_a_prompt_of_nothing_but_markup_is_listed_as_its_words(gateway: FaultGateway, tmp_path: Path) -> None:
    async with room_at(gateway, tmp_path) as room:
        await make(room, "</div><script>alert(1)</script>")
        await make(room, "&lt;b&gt;")
        text = await said(room, "recent")
    assert '"/div script alert(1) /script"' in text and '"b"' in text and "no prompt" not in text
