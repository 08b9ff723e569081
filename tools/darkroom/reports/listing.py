"""What get_prediction answers to "today", "recent", a date or words: a line for each, and the money by day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import unescape
from itertools import groupby

from pydantic import JsonValue

from darkroom.charges import NO_CHARGE, Basis, Charge, Verdict, total_charge
from darkroom.gateways import clean_words, quoted
from darkroom.journal import Intent, Listed, Money
from darkroom.reports.amounts import counted, local, usd
from darkroom.reports.charge_words import charge_data
from darkroom.reports.details import prompt_of
from darkroom.reports.prediction import Outcome, PredictionReport, bare_data
from darkroom.reports.prediction_data import AnswerFacts, PredictionView

_PROMPT_SHOWN = 60
_PROMPT_IN_DATA = 300
_REASON_SHOWN = 120
_NO_TAGS = {ord(mark): " " for mark in "<>!"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ListFacts:
    """What the words need beside the rows.

    `title` names the list, `empty` is the sentence where it has no row. `money` holds, for each day that is told, what
    its creates took (`account` is what to call that one); `answer` is as for any answer. `is_search`: the
    rows are what was found, so their own sum is told.
    """

    title: str
    empty: str
    answer: AnswerFacts
    today: date
    money: Mapping[date, Sequence[Money]]
    is_search: bool = False


def list_report(listed: Listed, facts: ListFacts) -> PredictionReport:
    """Newest first; a heading for each day with its money, then a line for each of its predictions."""
    views = [PredictionView.of(row, facts.answer) for row in listed.rows]
    more = listed.found - len(views)
    notes = [*facts.answer.notes, *([] if listed.is_whole else ["the oldest predictions were not searched."])]
    day = facts.answer.day
    lines = [
        _headline(views, listed.found, facts),
        *_day_lines(views, facts),
        f"… and {more} more: a higher limit shows them (100 at most)." if more else "",
        _together(views, more) if facts.is_search else "",
        *(_money_line(each, facts) for each in facts.money if each not in {_day(view.intent, facts) for view in views}),
        f"Of {day.name} {day.words}." if day else "",
        *(f"Note: {note}" for note in notes),
    ]
    charged = _sum_of(views)
    data = bare_data(Outcome.LISTED, "listed", charged)
    data |= {
        "predictions": [_row_data(view, facts) for view in views],
        "found": listed.found,
        "more": more,
        "days": [_day_data(each, facts) for each in facts.money],
        "left_today_usd": day.left_usd if day else None,
        "notes": [*notes],
    }
    return PredictionReport(outcome=Outcome.LISTED, text="\n".join(filter(None, lines)), data=data, charged=charged)


def _headline(views: Sequence[PredictionView], found: int, facts: ListFacts) -> str:
    if not views:
        return facts.empty
    offset = f"{local(views[0].intent.at, facts.answer.zone):%z}"
    which = f"{found}" if found == len(views) else f"{len(views)} of {found}"
    return f"{facts.title}: {which}, newest first; local time (UTC{offset[:3]}:{offset[3:5]})."


def _day_lines(views: Sequence[PredictionView], facts: ListFacts) -> list[str]:
    lines: list[str] = []
    for day, grouped in groupby(views, key=lambda view: _day(view.intent, facts)):
        of_day = list(grouped)
        lines.append(f"{_money_line(day, facts)}{_uncounted(of_day)}" if day in facts.money else f"{day}:")
        lines += [_line(view, facts) for view in of_day]
    return lines


def _uncounted(views: Sequence[PredictionView]) -> str:
    """Why the day's count is less than its lines."""
    foreign = sum(view.intent.is_adopted for view in views)
    unsent = sum(view.intent.may_be_sent and not view.intent.is_adopted for view in views)
    parts = [f"{unsent} refused or never created" if unsent else "", f"{foreign} not ordered here" if foreign else ""]
    told, verb = " and ".join(filter(None, parts)), "is" if unsent + foreign == 1 else "are"
    return f" ({told} {verb} not counted.)" if told else ""


def _word(view: PredictionView) -> str:
    """The state as the answer about this one alone begins."""
    if view.word == "succeeded" and view.missing_count:
        return f"partial ({view.made_count} of {view.intent.image_count})"
    if view.word == "succeeded" and view.intent.images and all(image.is_damaged for image in view.intent.images):
        return "damaged"
    return {"absent": "not created", "empty": "failed"}.get(view.word, view.word)


def _line(view: PredictionView, facts: ListFacts) -> str:
    """`14:02 succeeded, flux-schnell, about $0.003: "a vase" /pictures/a-vase.png, id p1`."""
    intent = view.intent
    paths = [image.file.shown for image in intent.images if image.file]
    more = f" (+{len(paths) - 1} more)" if len(paths) > 1 else ""
    model = clean_words(intent.model.rpartition("/")[2], 60) or "unknown model"
    lost = "" if paths or view.word != "succeeded" else " no file"
    saved = f" {paths[0]}{more}" if paths else lost
    moment = f"{local(intent.at, facts.answer.zone):%H:%M}"
    said = _said(prompt_of(intent))
    return f"{moment} {_word(view)}, {model}, {_cell(view.charge, intent)}: {said}{saved}, id {intent.handle}"


def _said(prompt: str) -> str:
    """The prompt in quotation marks; one of nothing but markup as the words in it."""
    bare = unescape(prompt[:_PROMPT_IN_DATA]).translate(_NO_TAGS)
    return quoted(prompt, _PROMPT_SHOWN) or quoted(bare, _PROMPT_SHOWN) or ("unreadable" if prompt else "no prompt")


def _cell(charge: Charge, intent: Intent) -> str:
    """The charge in a few words."""
    if intent.is_adopted:
        return "not ordered here"
    if charge.verdict is Verdict.NO:
        return "nothing"
    if charge.usd is None:
        return "price unknown"
    sum_usd = usd(charge.usd)
    match charge.verdict:
        case Verdict.YES:
            return sum_usd if charge.basis is Basis.BILLED else f"about {sum_usd}"
        case Verdict.AT_MOST:
            return f"at most {sum_usd}"
        case Verdict.POSSIBLY:
            return f"possibly {sum_usd}"
        case _:
            return f"usually under {sum_usd}"


def _together(views: Sequence[PredictionView], more: int) -> str:
    """The charge of what is listed, where that is several."""
    ordered = [view for view in views if not view.intent.is_adopted]
    if len(ordered) < 2:
        return ""
    parts = {view.charge.verdict for view in ordered} - {Verdict.NO}
    total = _sum_of(ordered)
    which = f"These {len(views)} together" if more else "All listed together"
    if not parts:
        return f"{which}: charged nothing."
    sum_usd = "an unknown sum" if total.usd is None else usd(total.usd)
    about = "" if total.usd is None else "about " if parts == {Verdict.YES} else "at most "
    return f"{which}: charged {about}{sum_usd}."


def _money_line(day: date, facts: ListFacts) -> str:
    """`2026-11-25 (today), whole day: 3 predictions, charged about $0.009 and at most $0.003 more for 1 …`"""
    shares = facts.money[day]
    name = f"{day} (today)" if day == facts.today else f"{day}"
    if not shares:
        return f"{name}: nothing was sent, nothing charged."
    sent = sum(share.creates for share in shares)
    line = f"{name}, whole day: {counted(sent, 'prediction')}, charged {money_words(shares)}"
    paid = [share for share in shares if share.known_usd or share.open_count or share.unknown_count]
    if len(paid) > 1:
        parts = [f"{share.account}: {money_words([share])}" for share in paid]
        line = f"{line} ({'; '.join(parts)})"
    return f"{line}."


def money_words(shares: Sequence[Money]) -> str:
    """`about $0.009 and at most $0.003 more for 1 whose cost is not settled`, `nothing`."""
    known = sum(share.known_usd for share in shares)
    at_most, usually = sum(share.at_most_usd for share in shares), sum(share.usually_usd for share in shares)
    still = sum(share.open_count for share in shares)
    words: list[str] = []
    if known or not (at_most or usually):
        words.append(f"about {usd(known)}" if known else "nothing")
    if at_most:
        words.append(f"at most {usd(at_most)}{' more' if known else ''}")
    if usually:
        words.append(f"usually less than {usd(usually)}{' more' if known or at_most else ''} (no bound)")
    said = " and ".join(words)
    said += f" for {still} whose cost is not settled" if still else ""
    unknown = sum(share.unknown_count for share in shares)
    return said + (f", and {unknown} of unknown price" if unknown else "")


def _sum_of(views: Sequence[PredictionView]) -> Charge:
    return total_charge([view.charge for view in views if not view.intent.is_adopted]) if views else NO_CHARGE


def _row_data(view: PredictionView, facts: ListFacts) -> dict[str, JsonValue]:
    intent = view.intent
    return {
        "id": intent.prediction_id,
        "key": intent.key,
        "request_id": intent.request_id,
        "status": view.word,
        "error": clean_words(intent.prediction.error, _REASON_SHOWN) if intent.prediction else "",
        "gateway": intent.gateway,
        "model": clean_words(intent.model, 200),
        "prompt": prompt_of(intent)[:_PROMPT_IN_DATA],
        "created_at": local(intent.at, facts.answer.zone).isoformat("T", "seconds"),
        "price_usd": intent.estimate_usd,
        "cost_usd": intent.cost_usd,
        "cost_basis": view.charge.basis.value,
        "charged": charge_data(view.charge),
        "is_adopted": intent.is_adopted,
        "paths": [image.file.shown for image in intent.images if image.file],
    }


def _day_data(day: date, facts: ListFacts) -> dict[str, JsonValue]:
    accounts: list[JsonValue] = [
        {
            "gateway": share.gateway,
            "account": share.account,
            "sent": share.creates,
            "known_usd": round(share.known_usd, 6),
            "at_most_usd": round(share.at_most_usd, 6),
            "usually_usd": round(share.usually_usd, 6),
            "open_count": share.open_count,
            "unknown_count": share.unknown_count,
        }
        for share in facts.money[day]
    ]
    return {"day": day.isoformat(), "accounts": accounts}


def _day(intent: Intent, facts: ListFacts) -> date:
    return local(intent.at, facts.answer.zone).date()
