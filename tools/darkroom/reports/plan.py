"""What a dry run answers: the model, the input as it would be sent, the price, and what is left of the limits."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from darkroom.charges import NO_CHARGE
from darkroom.gateways import Gateway
from darkroom.pricing import Estimate
from darkroom.reports.amounts import counted, usd
from darkroom.reports.charge_words import DayLimit, charge_line
from darkroom.reports.prediction import Outcome, PredictionReport, bare_data
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import shorten_data_uris


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a call would do. `inputs`: one for each prediction; `problem`: the limit that would refuse it, if any."""

    gateway: Gateway
    model: str
    why: str
    inputs: tuple[Mapping[str, JsonValue], ...]
    image_count: int
    estimate: Estimate
    problem: str = ""
    notes: tuple[str, ...] = ()
    day: DayLimit | None = None
    sandbox_hint: str = ""


def plan_report(plan: Plan) -> PredictionReport:
    """The plan in words and data; `is_error` where the call would be refused."""
    inputs = [_shown(each) for each in plan.inputs]
    which = f"the first of {len(inputs)} predictions" if len(inputs) > 1 else "the prediction"
    lines = [
        f"Dry run: nothing was sent. {counted(plan.image_count, 'image')} by {plan.model} ({plan.why}) "
        f"through gateway '{plan.gateway.name}'.",
        *(f"Input of {which}: {json.dumps(each, ensure_ascii=False)}" for each in inputs[:1]),
        f"Price: {'nothing (sandbox)' if plan.gateway.is_sandbox else estimate_words(plan.estimate)}.",
        f"The call would be refused: {plan.problem}" if plan.problem else "",
        *(f"Note: {note}" for note in plan.notes),
        charge_line(NO_CHARGE, plan.day, is_sandbox=plan.gateway.is_sandbox),
        plan.sandbox_hint,
    ]
    outcome = Outcome.INVALID if plan.problem else Outcome.PLANNED
    facts: dict[str, JsonValue] = {
        "gateway": {name: getattr(plan.gateway, name) for name in ("name", "title", "is_sandbox")},
        "model": plan.model,
        "why": plan.why,
        "inputs": [*inputs],
        "price_usd": plan.estimate.most_usd,
        "usual_usd": plan.estimate.usual_usd,
        "has_bound": plan.estimate.is_bound,
        "left_today_usd": plan.day.left_usd if plan.day else None,
        "notes": [*plan.notes, *([plan.problem] if plan.problem else [])],
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
