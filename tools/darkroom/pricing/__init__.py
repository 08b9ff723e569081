"""What a prediction will cost, and what it did cost: the rules by which Replicate bills, as plain functions.

A tier is chosen by the inputs, and afterwards by what the prediction's metrics say; all prices of a tier add up. The
sources, dates and doubts of each rule: the `price` table of each model file; the rules themselves were read from
`billingConfig` of model pages and from measured runs (2026-05 to 2026-10).
"""

from darkroom.pricing.estimate import FREE as FREE
from darkroom.pricing.estimate import UNPRICED as UNPRICED
from darkroom.pricing.estimate import Estimate as Estimate
from darkroom.pricing.estimate import estimate as estimate
from darkroom.pricing.estimate import price_range as price_range
from darkroom.pricing.estimate import total_estimate as total_estimate
from darkroom.pricing.receipt import FREE_WHEN_FAILED as FREE_WHEN_FAILED
from darkroom.pricing.receipt import receipt as receipt
from darkroom.pricing.units import needs_sizes as needs_sizes
