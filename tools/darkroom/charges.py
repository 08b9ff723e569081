"""What a prediction cost, as far as anybody can say, and how that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Verdict(StrEnum):
    """Whether money was taken, most certain first. AT_MOST: the sum is a bound; POSSIBLY: nobody knows if any was."""

    NO = "no"
    YES = "yes"
    AT_MOST = "at_most"
    POSSIBLY = "possibly"
    UNKNOWN = "unknown"


class Basis(StrEnum):
    """How a sum is known, best first: the gateway's own log, its figures and the price list, or the price list."""

    BILLED = "billed"
    COMPUTED = "computed"
    ESTIMATED = "estimated"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """The cost of a prediction that has ended, in US dollars, None where it is not known; `doubt` is a sentence."""

    usd: float | None
    basis: Basis
    doubt: str = ""


UNKNOWN_COST = Receipt(usd=None, basis=Basis.NONE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What one prediction, or one answer, takes from the person's account, in US dollars; `doubt` is a sentence.

    `has_bound` False: `usd` is no bound, only seldom less than what is taken. `is_partly_certain`: a part
    was taken for certain, whatever the verdict.
    """

    verdict: Verdict
    usd: float | None = None
    basis: Basis = Basis.NONE
    doubt: str = ""
    has_bound: bool = True
    is_partly_certain: bool = False


NO_CHARGE = Charge(verdict=Verdict.NO, usd=0.0)


def total_charge(charges: Sequence[Charge]) -> Charge:
    """All of them together: the sum where every part is known, with the least certain verdict and basis."""
    paid = [charge for charge in charges if charge.verdict is not Verdict.NO or charge.doubt]
    if not paid:
        return NO_CHARGE
    sums = [charge.usd for charge in paid]
    return Charge(
        verdict=max((charge.verdict for charge in paid), key=list(Verdict).index),
        has_bound=all(charge.has_bound for charge in paid),
        is_partly_certain=any(charge.verdict in (Verdict.YES, Verdict.AT_MOST) for charge in paid),
        usd=None if None in sums else round(sum(usd for usd in sums if usd is not None), 6),
        basis=max((charge.basis for charge in paid), key=list(Basis).index),
        doubt=next((charge.doubt for charge in paid if charge.doubt), ""),
    )
