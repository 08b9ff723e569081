"""The line of every answer about money: what was charged, how that is known, and what is left of the day's limit."""

from pydantic import JsonValue

from darkroom.charges import Basis, Charge, Verdict
from darkroom.journal import Left
from darkroom.reports.amounts import usd

_HOW = {
    Basis.BILLED: "by the gateway's own log",
    Basis.COMPUTED: "computed from the gateway's figures",
    Basis.ESTIMATED: "by the price list",
}


class DayLimit(Left):
    """What a limit leaves of its day, in words."""

    @property
    def name(self) -> str:
        return self.whose if self.whose and not self.whose.isupper() else "the user's limit"

    @property
    def words(self) -> str:
        taken = f" ({usd(self.reserved_usd)} for what is not settled is already taken off)" if self.reserved_usd else ""
        return f"{usd(self.left_usd)} of {usd(self.limit_usd)} is left today{taken}"


def charge_line(charge: Charge, day: DayLimit | None = None, *, is_sandbox: bool = False, free_call: str = "") -> str:
    """`Charged: about $0.003 (computed from the gateway's figures); $0.55 of $0.60 is left today.`

    `free_call` names a call that adds nothing to what it tells: `…about $0.003 in all (…); this look-up is free`.
    """
    said = "nothing (sandbox)" if is_sandbox else _words(charge, " in all" if free_call else "")
    free = f"; {free_call} is free" if free_call and charge.verdict is not Verdict.NO else ""
    return f"Charged: {said}{free}{f'; {day.words}' if day else ''}."


def charge_data(charge: Charge) -> dict[str, JsonValue]:
    """Verdict, US dollars (None where unknown) and basis."""
    return {"verdict": charge.verdict.value, "usd": charge.usd, "basis": charge.basis.value}


def _words(charge: Charge, in_all: str) -> str:
    doubt = f"; {charge.doubt.rstrip('.')}" if charge.doubt else ""
    possibly, in_part = ("", ", a part of it only possibly") if charge.is_partly_certain else ("possibly, ", "")
    no_bound = "(billed by run time, which has no bound"
    sum_usd = ("an unknown sum" if charge.usd is None else usd(charge.usd)) + in_all
    match charge.verdict:
        case Verdict.NO:
            return f"nothing ({charge.doubt.rstrip('.')})" if charge.doubt else "nothing"
        case Verdict.YES:
            about = "" if charge.basis is Basis.BILLED else "about "
            return f"{about}{sum_usd} ({_HOW.get(charge.basis, 'estimated')}{doubt})"
        case Verdict.AT_MOST:
            return f"at most {sum_usd} ({_HOW[Basis.ESTIMATED]}{doubt})"
        case Verdict.POSSIBLY if charge.usd is None:
            return f"possibly, and the price is unknown{doubt}"
        case Verdict.POSSIBLY if not charge.has_bound:
            return f"{possibly}usually less than {sum_usd}{in_part} {no_bound}{doubt})"
        case Verdict.POSSIBLY:
            return f"{possibly}at most {sum_usd}{in_part} ({_HOW[Basis.ESTIMATED]}{doubt})"
        case _ if charge.usd is None:
            return f"unknown ({charge.doubt.rstrip('.') or 'no price of this model is known'})"
        case _:
            return f"unknown so far, usually less than {sum_usd} {no_bound}{doubt})"
