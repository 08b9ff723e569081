"""`darkroom-mcp history`: what was made, and what it cost."""

import csv
import sys
import time
from dataclasses import dataclass, fields
from typing import Annotated

import typer
from pydantic import JsonValue

from darkroom.charges import Charge, Verdict
from darkroom.darkroom import Darkroom
from darkroom.gateways import clean_words
from darkroom.journal import Filter, Intent, Listed, Spending, Totals, day_start
from darkroom.reports.amounts import counted, local, usd
from darkroom.reports.charge_words import charge_data
from darkroom.reports.details import prompt_of
from darkroom.reports.listing import money_words
from darkroom_server.cli.balance import BALANCE_WITHIN_S, balance_words
from darkroom_server.cli.completing import model_names
from darkroom_server.cli.moments import moment
from darkroom_server.cli.opened import in_darkroom, read_settings
from darkroom_server.cli.screen import show_columns, show_json

_PROMPT_LENGTH = 200
_STATUSES = {
    "running": ("starting", "processing"),
    "queued": ("intent",),
    "unresolved": ("sent", "unknown"),
    **{name: (name,) for name in ("succeeded", "failed", "canceled", "aborted", "refused", "absent")},
}
_HEADS = ("time", "status", "cost", "images", "model", "prompt", "path", "id")
_CSV_HEADS = ("created_at", "status", "gateway", "model", "prompt", "seed", "cost_usd", "price_usd", "id", "paths")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Told:
    """What there is to tell; `sums` of all times, `found` of what was asked for, where that is a part."""

    rows: tuple[Intent, ...]
    found: Listed | None
    totals: Totals
    today: Spending
    balance: str


def history(
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many at most, newest first.", min=1)] = 20,
    find: Annotated[str, typer.Option(help="Only prompts with all of these words.")] = "",
    model: Annotated[str, typer.Option("--model", "-m", help="Only this model.", autocompletion=model_names)] = "",
    since: Annotated[str, typer.Option(help="today, yesterday, a date, or a time ago such as 12h, 7d, 2w.")] = "",
    status: Annotated[str, typer.Option(help=f"Only {', '.join(_STATUSES)}.")] = "",
    as_csv: Annotated[bool, typer.Option("--csv", help="Print it as CSV.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print it as JSON.")] = False,
) -> None:
    """List earlier predictions and sum up what they cost."""
    wanted = Filter(
        since=moment(since) if since else Filter().since,
        model=model,
        statuses=_statuses(status),
        words=tuple(find.split()),
    )

    async def work(darkroom: Darkroom) -> _Told:
        journal = darkroom.journal
        await darkroom.work.look_for_bills(BALANCE_WITHIN_S)
        has_balance = await journal.has_token_log(darkroom.account.id) is not False
        balance = await balance_words(darkroom.client) if has_balance and not (as_csv or as_json) else ""
        today = await journal.spent_usd(day_start(time.time()))
        found = None if wanted.is_everything else await journal.lists.matching(wanted, limit)
        rows = found.rows if found else await journal.history(limit)
        return _Told(rows=rows, found=found, totals=await journal.totals(), today=today, balance=balance)

    told = in_darkroom(read_settings(), work)
    if as_json:
        show_json({"predictions": [_record(each) for each in told.rows], "totals": _sums(told)})
    elif as_csv:
        _print_csv(told.rows)
    else:
        show_columns(_HEADS, [_cells(each) for each in told.rows], flexible=("prompt", "path"))
        typer.echo(_sum_line(told))


def _statuses(word: str) -> tuple[str, ...]:
    """Raises: typer.BadParameter."""
    if word and word not in _STATUSES:
        known = ", ".join(_STATUSES)
        raise typer.BadParameter(f"{word[:40]!r} is no status. Allowed: {known}.", param_hint="--status")
    return _STATUSES[word] if word else ()


def _cells(intent: Intent) -> tuple[str, ...]:
    paths = _paths(intent)
    return (
        f"{local(intent.at):%Y-%m-%d %H:%M}",
        _status(intent),
        _cost_cell(intent.charge),
        str(len(intent.images)),
        intent.model.rpartition("/")[2],
        clean_words(prompt_of(intent), _PROMPT_LENGTH),
        paths[0] + (f" (+{len(paths) - 1})" if len(paths) > 1 else "") if paths else "",
        intent.handle,
    )


def _print_csv(rows: tuple[Intent, ...]) -> None:
    """As spreadsheets read it; a text that they would take for a formula gets an apostrophe in front."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(_CSV_HEADS)
    for each in rows:
        record = _record(each) | {"paths": "\n".join(_paths(each)), "id": each.handle}
        writer.writerow([_harmless(record[name]) for name in _CSV_HEADS])


def _harmless(value: JsonValue) -> JsonValue:
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def _record(intent: Intent) -> dict[str, JsonValue]:
    return {
        "id": intent.prediction_id,
        "key": intent.key,
        "request_id": intent.request_id,
        "gateway": intent.gateway,
        "model": intent.model,
        "status": _status(intent),
        "prompt": prompt_of(intent),
        "seed": intent.seed,
        "price_usd": intent.estimate_usd,
        "cost_usd": intent.cost_usd,
        "cost_doubt": intent.cost_note,
        "charged": charge_data(intent.charge),
        "created_at": local(intent.at).isoformat(timespec="seconds"),
        "paths": [*_paths(intent)],
    }


def _paths(intent: Intent) -> list[str]:
    return [image.file.location for image in intent.images if image.file]


def _status(intent: Intent) -> str:
    return intent.status.value if intent.status else intent.state.value


def _cost_cell(charge: Charge) -> str:
    """`$0.003` where it is known, `<$0.003` for a bound, `?$0.003` where nobody can tell, `-` for nothing."""
    if charge.verdict is Verdict.NO:
        return "-"
    sign = {Verdict.YES: "", Verdict.AT_MOST: "<"}.get(charge.verdict, "?")
    return f"{sign}{usd(charge.usd)}" if charge.usd is not None else "$?"


def _sums(told: _Told) -> dict[str, JsonValue]:
    totals = told.totals
    counts = {field.name: getattr(totals, field.name) for field in fields(totals) if field.name.endswith("_count")}
    return counts | {
        "found_count": told.found.found if told.found else None,
        "settled_usd": round(totals.spending.settled_usd, 6),
        "reserved_usd": round(totals.spending.reserved_usd, 6),
        "unknown_price_count": totals.spending.unknown_count,
        "today_usd": round(told.today.total_usd, 6),
    }


def _sum_line(told: _Told) -> str:
    if told.found:
        shown = f"{len(told.rows)} of {counted(told.found.found, 'prediction')} found"
        return f"{shown}; charged {money_words(told.found.money)}."
    totals = told.totals
    remarks = (
        (totals.spending.unknown_count, "of unknown price"),
        (totals.unresolved_count, "possibly created, not settled yet"),
        (totals.expired_count, "images lost because their links died"),
    )
    parts = [
        f"{counted(totals.prediction_count, 'prediction')}, {counted(totals.stored_count, 'image')} saved",
        f"about {usd(totals.spending.total_usd)} in all, {usd(told.today.total_usd)} today",
        *(f"{count} {words}" for count, words in remarks if count),
        told.balance,
    ]
    return "; ".join(filter(None, parts)) + "."
