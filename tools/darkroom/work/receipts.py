"""The receipt of a prediction that has ended, for the journal: by the registry's prices and the gateway's figures."""

import logging

from darkroom.charges import UNKNOWN_COST, Basis, Receipt
from darkroom.gateways import Gateway
from darkroom.journal import Intent, ReceiptOf
from darkroom.predictions import Prediction
from darkroom.pricing import FREE_WHEN_FAILED, UNPRICED, Estimate, estimate, receipt
from darkroom.registry import ModelRegistry
from darkroom.reports.amounts import usd

log = logging.getLogger(__name__)

# Figures that make more of it than this, over the bound of the very same price list, are no figures.
_BELIEVED_UP_TO = 10


def receipts(registry: ModelRegistry, gateway: Gateway) -> ReceiptOf:
    """What the journal asks at an end. It never raises: a cost that cannot be computed is unknown."""

    def receipt_of(intent: Intent, prediction: Prediction) -> Receipt:
        if gateway.is_sandbox:
            return Receipt(usd=0.0, basis=Basis.NONE)
        try:
            found = receipt(registry.find(intent.model or prediction.model), intent.input, prediction)
        except Exception:
            log.exception("the cost of prediction %s could not be computed", prediction.id)
            return UNKNOWN_COST
        if found.doubt == FREE_WHEN_FAILED and gateway.name != "replicate":
            return Receipt(
                usd=None, basis=Basis.NONE, doubt=f"{gateway.title} does not say whether it bills failed runs"
            )
        return _believed(found, intent)

    return receipt_of


def price_of(registry: ModelRegistry, gateway: Gateway, prediction: Prediction) -> Estimate:
    """What a prediction may cost that was not ordered here, by its model and the input that the gateway shows."""
    model = registry.find(prediction.model)
    if model is None or gateway.is_sandbox:
        return UNPRICED
    try:
        return estimate(model, prediction.input)
    except Exception:
        log.exception("the price of prediction %s could not be computed", prediction.id)
        return UNPRICED


def _believed(found: Receipt, intent: Intent) -> Receipt:
    """A sum above the bound is said to be odd, and one far above it is not taken."""
    most_usd = intent.estimate_usd
    if found.usd is None or most_usd is None or not intent.has_bound or found.usd <= most_usd + 1e-9:
        return found
    words = f"the gateway's figures make it {usd(found.usd)}, more than the price list allows; look at the bill"
    is_far_off = found.usd > _BELIEVED_UP_TO * most_usd
    return Receipt(usd=None if is_far_off else found.usd, basis=Basis.NONE if is_far_off else found.basis, doubt=words)
