"""`darkroom-mcp history`: what was made, and what it cost."""

import time
from dataclasses import fields
from datetime import datetime
from typing import Annotated

import typer
from pydantic import JsonValue

from darkroom.charges import Charge, Verdict
from darkroom.darkroom import Darkroom
from darkroom.gateways import clean_words
from darkroom.journal import Intent, Spending, Totals, day_start
from darkroom.reports.amounts import counted, usd
from darkroom.reports.charge_words import charge_data
from darkroom_server.cli.balance import BALANCE_WITHIN_S, balance_words
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import show_json

_PROMPT_LENGTH = 48


def history(
    limit: Annotated[int, typer.Option(help="How many at most, newest first.", min=1, max=1000)] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List earlier predictions and sum up what they cost."""

    async def work(darkroom: Darkroom) -> tuple[tuple[Intent, ...], Totals, Spending, str]:
        journal = darkroom.journal
        await darkroom.work.bills.look_once(BALANCE_WITHIN_S)
        has_balance = await journal.has_token_log(darkroom.account.id) is not False
        balance = await balance_words(darkroom.client) if has_balance else ""
        today = await journal.spent_usd(day_start(time.time()))
        return await journal.history(limit), await journal.totals(), today, balance

    intents, totals, today, balance = in_darkroom(read_settings(), work)
    if as_json:
        show_json({"predictions": [_record(each) for each in intents], "totals": _sums(totals, today)})
        return
    for intent in intents:
        typer.echo(_line(intent))
    typer.echo(_sum_line(totals, today, balance))


def _line(intent: Intent) -> str:
    when = datetime.fromtimestamp(intent.intended_at).strftime("%Y-%m-%d %H:%M")
    short = clean_words(str(intent.request.get("prompt", "")), _PROMPT_LENGTH)
    cost = _cost_cell(intent.charge)
    name = intent.prediction_id or intent.key
    return f"{when}  {_status(intent):<10}  {cost:>8}  {len(intent.images)} img  {name}  {intent.model}  {short}"


def _record(intent: Intent) -> dict[str, JsonValue]:
    return {
        "id": intent.prediction_id,
        "key": intent.key,
        "request_id": intent.request_id,
        "gateway": intent.gateway,
        "model": intent.model,
        "status": _status(intent),
        "prompt": intent.request.get("prompt", ""),
        "seed": intent.seed,
        "price_usd": intent.estimate_usd,
        "cost_usd": intent.cost_usd,
        "cost_doubt": intent.cost_note,
        "charged": charge_data(intent.charge),
        "created_at": datetime.fromtimestamp(intent.intended_at).astimezone().isoformat(timespec="seconds"),
        "paths": [image.file.location for image in intent.images if image.file],
    }


def _status(intent: Intent) -> str:
    return intent.status.value if intent.status else intent.state.value


def _cost_cell(charge: Charge) -> str:
    """`$0.003` where it is known, `<$0.003` for a bound, `?$0.003` where nobody can tell, `-` for nothing."""
    if charge.verdict is Verdict.NO:
        return "-"
    sign = {Verdict.YES: "", Verdict.AT_MOST: "<"}.get(charge.verdict, "?")
    return f"{sign}{usd(charge.usd)}" if charge.usd is not None else "$?"


def _sums(totals: Totals, today: Spending) -> dict[str, JsonValue]:
    counts = {field.name: getattr(totals, field.name) for field in fields(totals) if field.name.endswith("_count")}
    return counts | {
        "settled_usd": totals.spending.settled_usd,
        "reserved_usd": totals.spending.reserved_usd,
        "unknown_price_count": totals.spending.unknown_count,
        "today_usd": today.total_usd,
    }


def _sum_line(totals: Totals, today: Spending, balance: str) -> str:
    remarks = (
        (totals.spending.unknown_count, "of unknown price"),
        (totals.unresolved_count, "possibly created, not settled yet"),
        (totals.expired_count, "images lost because their links died"),
    )
    parts = [
        f"{counted(totals.prediction_count, 'prediction')}, {counted(totals.stored_count, 'image')} saved",
        f"about {usd(totals.spending.total_usd)} in all, {usd(today.total_usd)} today",
        *(f"{count} {words}" for count, words in remarks if count),
        balance,
    ]
    return "; ".join(filter(None, parts)) + "."
