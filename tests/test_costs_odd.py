"""Money in odd circumstances: sentences that must not contradict each other, and answers that must not promise."""

import datetime
import io
import json
import sqlite3
from pathlib import Path

import pytest
import rows
from fault_gateway import FaultGateway
from fault_plan import Plan
from mcp import Client
from open_rooms import room_at
from PIL import Image
from sandbox_server import sandbox_server
from test_costs import SCHNELL, client_of, creates, generate, run, settings_of, text_of

from darkroom.charges import Basis, Charge, Verdict, total_charge
from darkroom.generate_image import generate_image
from darkroom.journal import IntentState
from darkroom.predictions import PredictionStatus
from darkroom.registry import ImageRequest, ModelRegistry
from darkroom.reports import prediction_report
from darkroom.reports.amounts import usd
from darkroom.reports.charge_words import charge_line
from darkroom.reports.price_words import price_words
from darkroom.settings import Settings
from darkroom_server.app import create_server

pytestmark = pytest.mark.anyio

PAID = Charge(verdict=Verdict.YES, usd=0.003, basis=Basis.COMPUTED)
LOST = Charge(verdict=Verdict.POSSIBLY, usd=0.003, basis=Basis.ESTIMATED)
SANDBOX = {"DARKROOM_GATEWAY": "sandbox", "DARKROOM_BASE_URL": "", "DARKROOM_API_KEY": ""}
SDXL = "stability-ai/sdxl"


# Words


def test_a_small_sum_is_never_shown_as_nothing() -> None:
    assert [usd(value) for value in (0.0, 1e-9, 0.0000225, 0.00004)] == ["$0.00", "$0.000001", "$0.000023", "$0.00004"]


def test_a_price_of_more_than_180_days_is_called_stale() -> None:
    model = ModelRegistry.load().get(SCHNELL)
    assert "stale" in price_words(model, datetime.date(2028, 1, 1))
    assert "stale" not in price_words(model, datetime.date(2026, 11, 25))


def test_what_was_paid_for_certain_is_not_called_possible_beside_a_part_that_is() -> None:
    both = "Charged: at most $0.006, a part of it only possibly (by the price list)."
    assert charge_line(total_charge([PAID, LOST])) == both
    assert charge_line(total_charge([LOST, LOST])) == "Charged: possibly, at most $0.006 (by the price list)."


def test_a_canceled_run_is_not_called_billed_beside_a_charge_of_nothing() -> None:
    row = rows.intent(PredictionStatus.CANCELED, cost_usd=0.0, cost_basis=Basis.COMPUTED, cost_note="stated, not seen")
    text = prediction_report([row], rows.facts()).text
    assert "Charged: nothing (stated, not seen)." in text and "may be billed" not in text


def test_a_lost_create_of_a_model_without_bound_is_not_called_at_most() -> None:
    row = rows.unsent(IntentState.UNKNOWN, estimate_usd=0.0007, has_bound=False)
    answer = prediction_report([row], rows.facts())
    assert "Charged: possibly, usually less than $0.0007 (billed by run time, which has no bound)." in answer.text
    assert answer.data["charged"] == {"verdict": "possibly", "usd": 0.0007, "basis": "estimated"}


def test_a_lost_create_of_unknown_price_is_possibly_charged() -> None:
    answer = prediction_report([rows.unsent(IntentState.UNKNOWN, estimate_usd=None)], rows.facts())
    assert "Charged: possibly, and the price is unknown." in answer.text
    assert answer.data["charged"] == {"verdict": "possibly", "usd": None, "basis": "none"}


def test_a_part_that_is_still_to_be_sent_is_in_the_bound() -> None:
    waiting = rows.unsent(IntentState.INTENT, estimate_usd=0.003)
    answer = prediction_report([rows.intent(PredictionStatus.PROCESSING), waiting], rows.facts())
    assert answer.data["charged"] == {"verdict": "possibly", "usd": 0.006, "basis": "estimated"}
    left = prediction_report([waiting], rows.facts(idle=frozenset({waiting.key})))
    assert left.data["charged"] == {"verdict": "no", "usd": 0.0, "basis": "none"}


def test_the_sandbox_does_not_call_free_what_was_paid_elsewhere() -> None:
    paid = rows.intent(PredictionStatus.SUCCEEDED, cost_usd=0.003, cost_basis=Basis.COMPUTED)
    answer = prediction_report([paid], rows.facts("sandbox"))
    assert "Charged: about $0.003" in answer.text


async def test_a_paid_prediction_seen_from_the_sandbox_keeps_its_charge(tmp_path: Path) -> None:
    async with sandbox_server() as origin:
        await run(tmp_path, "generate", "a fox", **settings_of(tmp_path, origin))
    seen = await run(tmp_path, "show", "latest", DARKROOM_GATEWAY="sandbox")
    assert "Charged: about $0.003" in seen.stderr and "Made by the sandbox" not in seen.stderr
    async with Client(create_server(Settings.read({**settings_of(tmp_path, ""), **SANDBOX}))) as client:
        text = text_of(await client.call_tool("get_prediction", {"id": "latest"}))
    assert "Charged: about $0.003" in text and "nothing was paid" not in text


# Before paying


async def test_a_dry_run_of_a_used_request_id_is_about_what_is_left_to_send(tmp_path: Path) -> None:
    async with client_of(tmp_path, max_usd_per_day="0.004") as (client, _):
        await generate(client, request_id="wish")
        for arguments in ({}, {"prompt": "", "model": ""}, {"max_usd": 0.001}):
            text, report = await generate(client, request_id="wish", dry_run=True, **arguments)
            assert report["outcome"] == "planned" and report["price_usd"] == 0, text
            assert "nothing new would be started" in text


async def test_a_dry_run_of_what_was_never_created_keeps_its_seed_and_its_price(tmp_path: Path) -> None:
    refused = {"prompt": "sandbox:402 a lighthouse", "request_id": "wish"}
    async with client_of(tmp_path) as (client, _):
        _, made = await generate(client, **refused)
        text, planned = await generate(client, **refused, dry_run=True)
        assert planned["price_usd"] == 0.003 and planned["inputs"][0]["seed"] == made["seed"], text
        text, planned = await generate(client, **refused, dry_run=True, max_usd=0.001)
        assert planned["outcome"] == "invalid" and "max_usd is $0.001: not even one" in text


async def test_a_dry_run_refuses_an_image_that_the_call_would_refuse(tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    whole = io.BytesIO()
    Image.new("RGB", (64, 64), "teal").save(whole, "PNG")
    broken.write_bytes(whole.getvalue()[:60])
    edit = {"model": "black-forest-labs/flux-2-pro", "images": [str(broken)]}
    async with client_of(tmp_path, input_dirs=str(tmp_path)) as (client, _):
        told = [await generate(client, **edit, dry_run=is_dry) for is_dry in (True, False)]
    assert [report["outcome"] for _, report in told] == ["invalid"] * 2 and told[0][0] == told[1][0]


async def test_a_dry_run_says_whose_prices_these_are(tmp_path: Path) -> None:
    async with client_of(tmp_path, gateway="deerapi") as (client, _):
        text, _ = await generate(client, dry_run=True)
    assert "Note: prices are Replicate's list prices; gateway 'deerapi' may bill another sum." in text


async def test_a_model_of_unknown_seconds_is_not_taken_as_one_of_known_price(tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text(
        'name = "acme/painter"\n[[inputs]]\nname = "prompt"\n[price]\ntiers = [{ metric = "second:t4", usd = 0.1 }]\n'
    )
    own = {"models_dir": str(tmp_path), "default_model": "acme/painter", "max_usd_per_call": "0.1"}
    async with client_of(tmp_path, **own) as (client, _):
        text, report = await generate(client, model="")
    assert report["outcome"] == "succeeded" and report["model"] == SCHNELL, text


async def test_max_usd_alone_gives_no_advice_about_other_limits(tmp_path: Path) -> None:
    async with client_of(tmp_path, allow_unknown_price="true") as (client, _):
        text, _ = await generate(client, model="attic/ink-pro", max_usd=1)
    assert "leave max_usd out" in text and "DARKROOM_ALLOW_UNKNOWN_PRICE" not in text


async def test_a_dry_run_tells_what_a_limit_counts_for_a_model_without_bound(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        text, _ = await generate(client, model=SDXL, dry_run=True)
    assert "Price: usually about $0.0063, no bound (billed by run time; limits count $0.0158)." in text


async def test_as_many_images_as_are_said_to_fit_do_fit(tmp_path: Path) -> None:
    async with client_of(tmp_path) as (client, _):
        text, _ = await generate(client, model=SDXL, count=10, max_usd=0.0314)
        assert ": at most 4. " in text
        text, _ = await generate(client, model=SDXL, count=4, max_usd=0.0314)
        assert text.startswith("Succeeded")


# The command line


async def test_a_repeat_that_sends_nothing_needs_no_yes(tmp_path: Path) -> None:
    async with sandbox_server() as origin:
        environ = settings_of(tmp_path, origin, confirm_usd="0.001")
        await run(tmp_path, "generate", "a fox", "--request-id", "wish", "--yes", **environ)
        for words in (("a fox",), ()):
            done = await run(tmp_path, "generate", *words, "--request-id", "wish", **environ)
            assert done.returncode == 0 and done.stdout, done.stderr
        assert await creates(origin) == 1


@pytest.mark.parametrize(
    ("words", "kind", "advice"),
    [
        (("--model", SDXL), "spending_limit", "would cost usually less than $0.0158. Above $0.001"),
        ((), "spending_limit", "--yes"),
        (("--model", "nobody"), "unknown_model", "list_models"),
        (("--max-usd", "0.0001"), "spending_limit", "max_usd is $0.0001"),
    ],
)
async def test_a_refusal_before_the_question_is_a_report_too(
    tmp_path: Path, words: tuple[str, ...], kind: str, advice: str
) -> None:
    async with sandbox_server() as origin:
        environ = settings_of(tmp_path, origin, confirm_usd="0.001")
        done = await run(tmp_path, "generate", "a fox", "--json", *words, **environ)
    report = json.loads(done.stdout)
    assert report["charged"] == {"verdict": "no", "usd": 0.0, "basis": "none"} and done.returncode == 2
    assert report["error"]["kind"] == kind and advice in report["error"]["message"]


@pytest.mark.parametrize(
    ("figures", "charged", "left_usd"),
    [
        ({"image_output_count": 1000}, {"verdict": "at_most", "usd": 0.003, "basis": "estimated"}, 0.007),
        ({"image_output_count": 2}, {"verdict": "yes", "usd": 0.006, "basis": "computed"}, 0.004),
        ({"image_output_count": "one"}, {"verdict": "at_most", "usd": 0.003, "basis": "estimated"}, 0.007),
        ({"image_output_count": -1}, {"verdict": "at_most", "usd": 0.003, "basis": "estimated"}, 0.007),
    ],
)
async def test_absurd_figures_take_nothing_from_the_limit_and_larger_ones_are_said_to_be_odd(
    tmp_path: Path, figures: dict[str, object], charged: dict[str, object], left_usd: float
) -> None:
    async with FaultGateway() as gateway:
        gateway.plan, gateway.odd = Plan(run_s=0), {"metrics": figures}
        async with room_at(gateway, tmp_path, max_usd_per_day=0.01) as room:
            report = await generate_image(room, ImageRequest(prompt="a fox", model=SCHNELL), wait_s=20)
            limits = await room.limits()
    assert report.data["charged"] == charged
    assert limits.day and limits.day.left_usd == left_usd
    is_odd = figures["image_output_count"] in (2, 1000)
    assert ("more than the price list allows" in report.text) is is_odd


async def test_a_dry_run_beside_a_locked_journal_is_refused_and_names_no_prediction(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    lock = sqlite3.connect(tmp_path / "data" / "journal.sqlite3", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    async with client_of(tmp_path) as (client, origin):
        text, report = await generate(client, dry_run=True)
        assert await creates(origin) == 0
    lock.close()
    assert report["outcome"] in ("refused", "invalid")
    assert "Nothing" in text and "Charged: nothing." in text and "get_prediction" not in text
