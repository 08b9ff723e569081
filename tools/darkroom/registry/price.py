"""What a model costs, as its page states it: tiers, in US dollars a unit of something that the gateway counts.

How Replicate bills by them: `darkroom.pricing`.
"""

import datetime
from typing import Annotated, Literal

from pydantic import Field, JsonValue, NonNegativeInt

from darkroom.registry.model_input import Facts

STALE_AFTER_DAYS = 180
MOST_USD = 1e6
_Figure = Annotated[float, Field(gt=0, le=1e6)]
Confidence = Literal["recorded", "documented", "second-hand", "user"]


class Tier(Facts):
    """One price. Tiers with the same `when` belong together and add up; those with an empty one always count.

    `metric` is what is counted: "run" (1), "second:<hardware>" (predict seconds), else a count of the prediction's
    metrics, such as image_output_count or image_output_megapixel (there: image_output_megapixel_count). `when`: values
    of the model's own inputs; `[]` and "any" ask whether an image input is empty. `criteria`: what the prediction's
    metrics say where it was billed by this tier. `after_only`: nothing but those metrics tells, so it bounds nothing.
    `is_typical`: a median of runs, no fixed price. `units`: pairs of (output megapixels up to, units counted).
    """

    metric: str = Field(pattern=r"^(run|second:[a-z0-9-]+|[a-z0-9_]+)$")
    usd: float = Field(ge=0, le=MOST_USD)
    when: dict[str, JsonValue] = {}
    criteria: dict[str, str] = {}
    after_only: bool = False
    is_typical: bool = False
    units: tuple[tuple[float, NonNegativeInt], ...] = ()

    @property
    def is_by_time(self) -> bool:
        return self.metric.startswith("second:")

    @property
    def has_bound(self) -> bool:
        """Whether the most that it can cost is known before the run."""
        return not (self.is_by_time or self.is_typical)


class PriceTable(Facts):
    """All tiers of a model, and what is needed to count their units before the run.

    Outputs are multiplied by the input `count_input` (where `count_when` holds). `output_mp_input` names the input
    whose value is a class of output megapixels ("2 MP" or "2"); `most_output_mp` and `most_input_mp` are the most
    megapixels of one image, for what cannot be known. `typical_s`: predict seconds of a usual run, for tiers by time.
    `confidence`: recorded from the page's own table, a dated reading of it, or a list that does not say how it was
    read. `doubt` is what is not certain.
    """

    tiers: tuple[Tier, ...] = Field(min_length=1)
    count_input: str = ""
    count_when: dict[str, JsonValue] = {}
    output_mp_input: str = ""
    most_output_mp: _Figure = 4
    most_input_mp: _Figure = 4  # larger ones are resized to 4 (lumenfall.ai on flux-2-pro at Replicate, 2026-11-25)
    typical_s: _Figure | None = None
    confidence: Confidence = "user"
    source: str = ""
    date: str = ""
    doubt: str = ""

    @property
    def has_bound(self) -> bool:
        return all(tier.has_bound for tier in self.tiers)

    def is_stale(self, today: datetime.date) -> bool:
        """Whether it was read more than 180 days ago, or nobody says when."""
        if self.confidence == "user" and not self.date:
            return False
        try:
            read_on = datetime.date.fromisoformat(f"{self.date}-01-01"[:10])  # of "2026-10" or "2026" the first day
        except ValueError:
            return True
        return (today - read_on).days > STALE_AFTER_DAYS
