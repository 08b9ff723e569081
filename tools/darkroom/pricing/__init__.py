"""What a prediction will cost, and what it did cost: the rules by which Replicate bills, as plain functions.

A tier is chosen by the inputs, and afterwards by what the prediction's metrics say; all prices of a tier add up. The
sources, dates and doubts of each rule: the `price` table of each model file; the rules themselves were read from
`billingConfig` of model pages and from measured runs (2026-05 to 2026-10).
"""

from darkroom.pricing.estimate import FREE, UNPRICED, Estimate, estimate, price_range, total_estimate
from darkroom.pricing.receipt import FREE_WHEN_FAILED, receipt
from darkroom.pricing.units import Sizes, needs_sizes

__all__ = [
    "FREE",
    "FREE_WHEN_FAILED",
    "UNPRICED",
    "Estimate",
    "Sizes",
    "estimate",
    "needs_sizes",
    "price_range",
    "receipt",
    "total_estimate",
]
