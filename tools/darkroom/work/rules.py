"""What the work needs to know of the options and the models."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from darkroom.journal import Intent, Limit
from darkroom.work.create import WebhookOf
from darkroom.work.create_rate import Turns
from darkroom.work.leases import LEASE_S
from darkroom.work.reconcile import ReconcileRules


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkRules:
    """`typical_s` gives a model's usual run time, None where unknown; `paid_ids_dir` is the folder beside the journal.

    `settle_s`: how long a lost create may take to show in the gateway's list. `on_ended` hears of every prediction that
    has ended and whose images are stored or lost. `turns` bounds the creates of the account.
    """

    paid_ids_dir: Path
    typical_s: Callable[[str], float | None] = lambda model: None
    day_limit: Callable[[], Limit | None] = lambda: None
    on_ended: Callable[[Intent], None] = lambda intent: None
    reconcile: ReconcileRules = field(default_factory=ReconcileRules)
    lease_s: float = LEASE_S
    turns: Turns = field(default_factory=Turns)
    webhook_of: WebhookOf = lambda intent: ""
