"""How soon workers notice things, as one value, so that tests can be quicker."""

from dataclasses import dataclass

from darkroom.work.reconcile import SETTLE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """All in seconds.

    `heartbeat_s`: between two signs of life of a worker; without one for `stale_s` its jobs are taken back. A create
    that is not answered for `answered_s` is looked for in the gateway's list, where it shows within `settle_s`.
    Where webhooks tell of ends, a prediction is looked at every `told_s`: one that is lost costs so long at most.
    """

    heartbeat_s: float = 5.0
    stale_s: float = 15.0
    answered_s: float = 15.0
    settle_s: float = SETTLE_S
    told_s: float = 30.0
