"""What a dry run answers: the model, the input as it would be sent, the price, and what is left of the limits."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from darkroom.charges import NO_CHARGE
from darkroom.gateways import Gateway
from darkroom.pricing import Estimate, total_estimate
from darkroom.registry import MappedInput, Model
from darkroom.reports.amounts import counted, usd
from darkroom.reports.charge_words import DayLimit, charge_line
from darkroom.reports.prediction import Outcome, PredictionReport, bare_data
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import shorten_data_uris


@dataclass(frozen=True, kw_only=True)
class Quote:
    """The model and why it was taken; an input and an estimate for each prediction; notes on choice and price.

    `closest` names what an unknown model may have meant.
    """

    model: Model
    why: str
    parts: tuple[MappedInput, ...]
    estimates: tuple[Estimate, ...]
    notes: tuple[str, ...] = ()
    price_notes: tuple[str, ...] = ()
    closest: str = ""

    @property
    def wanted(self) -> list[tuple[int, Estimate]]:
        """Images and price of each prediction."""
        return [(part.image_count, each) for part, each in zip(self.parts, self.estimates, strict=True)]

    @property
    def total(self) -> Estimate:
        return total_estimate(self.estimates)

    @property
    def image_count(self) -> int:
        return sum(part.image_count for part in self.parts)


def plan_report(
    quoted: Quote, gateway: Gateway, *, problem: str, notes: Sequence[str], day: DayLimit | None, sandbox_hint: str
) -> PredictionReport:
    """The plan in words and data; `problem` is the limit that would refuse the call, which makes it an error."""
    total, inputs = quoted.total, [_shown(part.input) for part in quoted.parts]
    which = f"the first of {len(inputs)} predictions" if len(inputs) > 1 else "the prediction"
    lines = [
        f"Dry run: nothing was sent. {counted(quoted.image_count, 'image')} by {quoted.model.name} ({quoted.why}) "
        f"through gateway '{gateway.name}'.",
        *(f"Input of {which}: {json.dumps(each, ensure_ascii=False)}" for each in inputs[:1]),
        f"Price: {'nothing (sandbox)' if gateway.is_sandbox else estimate_words(total)}.",
        f"The call would be refused: {problem}" if problem else "",
        *(f"Note: {note}" for note in notes),
        charge_line(NO_CHARGE, day, is_sandbox=gateway.is_sandbox),
        sandbox_hint,
    ]
    outcome = Outcome.INVALID if problem else Outcome.PLANNED
    facts: dict[str, JsonValue] = {
        "gateway": {name: getattr(gateway, name) for name in ("name", "title", "is_sandbox")},
        "model": quoted.model.name,
        "why": quoted.why,
        "inputs": [*inputs],
        "price_usd": total.most_usd,
        "usual_usd": total.usual_usd,
        "has_bound": total.is_bound,
        "left_today_usd": day.left_usd if day else None,
        "notes": [*notes, *([problem] if problem else [])],
    }
    data = bare_data(outcome, "planned", NO_CHARGE) | facts
    return PredictionReport(outcome=outcome, text="\n".join(line for line in lines if line), data=data)


def estimate_words(estimate: Estimate) -> str:
    """`at most $0.03`, `at most $0.09, usually about $0.03`, `usually about $0.003, no bound (…)`."""
    if estimate.most_usd is None or estimate.usual_usd is None:
        return "unknown"
    if not estimate.is_bound:
        counted_usd = usd(estimate.most_usd)
        return f"usually about {usd(estimate.usual_usd)}, no bound (billed by run time; limits count {counted_usd})"
    usual = "" if estimate.usual_usd == estimate.most_usd else f", usually about {usd(estimate.usual_usd)}"
    return f"at most {usd(estimate.most_usd)}{usual}"


def _shown(input: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Without secrets, data URIs shortened to type and size."""
    return masked_secrets({name: shorten_data_uris(value) for name, value in input.items()})
