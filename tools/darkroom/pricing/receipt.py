"""What a prediction that has ended did cost, by what the gateway measured. A missing figure is unknown, never 0."""

from collections.abc import Mapping
from dataclasses import replace

from pydantic import JsonValue

from darkroom.charges import UNKNOWN_COST, Basis, Receipt
from darkroom.predictions import Metrics, Prediction, PredictionStatus
from darkroom.pricing.tiers import Group, billed_groups
from darkroom.registry import Model, Tier

# Replicate's help pages state it for official models; no bill of a failed run was seen (2026-11-25).
FREE_WHEN_FAILED = "Replicate states that a run without output is not billed; no bill was seen"
_TIME_WHEN_FAILED = "Replicate bills the time that it ran, also of a run that failed or was canceled"
_OPEN_WHEN_FAILED = "nobody states whether a run of this model without output is billed"
_NO_FIGURES = "the gateway's figures do not say what it cost"


def receipt(model: Model | None, input: Mapping[str, JsonValue], prediction: Prediction) -> Receipt:
    """By the tier that the metrics name, else the one that the inputs allow, the dearest of several."""
    if prediction.status is PredictionStatus.ABORTED:
        return Receipt(usd=0.0, basis=Basis.COMPUTED)
    if model is None or model.price is None:
        return UNKNOWN_COST
    metrics, has_failed = prediction.metrics, prediction.status is not PredictionStatus.SUCCEEDED
    groups = billed_groups(model, model.price, model.with_defaults(input or prediction.input), metrics.words)
    if prediction.output:
        metrics = _beside_a_picture(metrics)
    sums = [_sum(group, metrics, is_run=not has_failed) for group in groups]
    known = [usd for usd in sums if usd is not None]
    # As a held answer is, in which only the pictures are counted.
    is_without_figures = prediction.completed_at is None and not metrics.words
    if is_without_figures and (len(set(known)) > 1 or any(tier.after_only for tier in model.price.tiers)):
        return Receipt(usd=None, basis=Basis.NONE, doubt=_NO_FIGURES)
    if known and len(known) == len(sums) and not any(tier.is_typical for group in groups for tier in group):
        is_by_time = any(tier.is_by_time for group in groups for tier in group)
        doubt = _TIME_WHEN_FAILED if has_failed and is_by_time else ""
        return Receipt(usd=round(max(known), 6), basis=Basis.COMPUTED, doubt=doubt)
    if not has_failed or prediction.output:
        return Receipt(usd=None, basis=Basis.NONE, doubt=_NO_FIGURES)
    tiers = [tier for group in groups for tier in group]
    is_by_output = all(tier.has_bound and tier.metric != "run" for tier in tiers)
    if is_by_output and not any(_counted(tier, metrics, is_run=False) for tier in tiers):
        return Receipt(usd=0.0, basis=Basis.COMPUTED, doubt=FREE_WHEN_FAILED)
    return Receipt(usd=None, basis=Basis.NONE, doubt=_OPEN_WHEN_FAILED)


def _beside_a_picture(metrics: Metrics) -> Metrics:
    """Without figures that say that no picture came, or took no time; only inputs may be none."""
    counts = {name: count for name, count in metrics.counts.items() if count or name.startswith("image_input")}
    return replace(metrics, predict_s=metrics.predict_s or None, counts=counts)


def _sum(group: Group, metrics: Metrics, *, is_run: bool) -> float | None:
    counts = [_counted(tier, metrics, is_run=is_run) for tier in group]
    if None in counts:
        return None
    return sum(tier.usd * count for tier, count in zip(group, counts, strict=True) if count is not None)


def _counted(tier: Tier, metrics: Metrics, *, is_run: bool) -> float | None:
    if tier.is_by_time:
        return metrics.predict_s
    if tier.metric == "run":
        return 1 if is_run else None
    name = f"{tier.metric}_count" if tier.metric.endswith("megapixel") else tier.metric
    return metrics.counts.get(name)
