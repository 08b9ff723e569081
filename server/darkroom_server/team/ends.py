"""Figures of what becomes of creates, counted by whichever process writes the end down, once it is committed.

Summed over all replicas and workers, each end is in them once.
"""

from functools import cache

from opentelemetry import metrics

from darkroom.journal import Intent
from darkroom_server import __version__

_BOUNDS_S = (0.1, 0.5, 1, 2, 5, 10, 30, 60, 120, 600, 3600)


class Ends:
    """`darkroom.creates` by `end`, and `darkroom.predictions.seen_after`, from the end at the gateway to its commit.

    An end is the prediction's status, or `refused` (not carried out, in the gateway's words or because no byte left),
    or `lost` (the answer was lost, and the gateway's list does not show the create).
    """

    def __init__(self) -> None:
        meter = metrics.get_meter("darkroom", __version__)
        self._creates = meter.create_counter("darkroom.creates", description="Creates that have come to an end")
        self._seen_after = meter.create_histogram(
            "darkroom.predictions.seen_after",
            unit="s",
            description="From the end of a prediction at the gateway until it was written down here",
            explicit_bucket_boundaries_advisory=_BOUNDS_S,
        )

    def refused(self) -> None:
        self._creates.add(1, {"end": "refused"})

    def lost(self) -> None:
        self._creates.add(1, {"end": "lost"})

    def ended(self, intent: Intent) -> None:
        """To be told once, when the end is new; what was only looked up here is no create of ours."""
        if intent.is_adopted or intent.status is None:
            return
        self._creates.add(1, {"end": intent.status.value})
        ended_at = intent.prediction.completed_at if intent.prediction else None
        if ended_at and intent.ended_at:
            self._seen_after.record(max(0.0, intent.ended_at - ended_at.timestamp()))  # clocks may differ


@cache
def ends() -> Ends:
    """Those of this process; they do nothing until `serve_metrics`."""
    return Ends()
