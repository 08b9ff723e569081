"""What the journal takes and gives: frozen records. All times are seconds since the epoch, from the journal's clock."""

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import NamedTuple, Protocol

from pydantic import JsonValue

from darkroom.charges import NO_CHARGE, UNKNOWN_COST, Basis, Charge, Receipt, Verdict
from darkroom.images import ReadImage, StoredImage, WantedOutput
from darkroom.journal.database import Session
from darkroom.journal.states import DOUBTFUL, SENDABLE, IntentState
from darkroom.predictions import Prediction, PredictionStatus


@dataclass(frozen=True, slots=True, kw_only=True)
class NewIntent:
    """A create that we have decided on.

    `request_id` is the caller's own name for the wish ("" = none) and `part` counts the predictions that it takes, from
    0. `origin` is the gateway's "https://host[:port]", `account` the keyed hash of the key in use. `input` is what will
    be sent, whole; `file_fields` are its names that hold images, which gateways echo as other URLs. `request` is the
    wish in our words. `estimate_usd` is the most that it can cost, or where it has no bound two and a half times what
    it usually does. `output_place` is the folder or bucket in which its images belong, `conversation` who asked.
    `wish`, `caller` and `called_at` are those of the `Call`, "" and 0 where it brought a request_id.
    """

    request_id: str = ""
    part: int = 0
    gateway: str
    origin: str
    account: str = ""
    model: str
    version: str = ""
    input: Mapping[str, JsonValue]
    file_fields: tuple[str, ...] = ()
    request: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    seed: int | None = None
    image_count: int = 1
    estimate_usd: float | None = None
    has_bound: bool = True
    output_place: str = ""
    conversation: str = ""
    wish: str = ""
    caller: str = ""
    called_at: float = 0.0
    images_read: tuple[ReadImage, ...] = ()
    wanted: WantedOutput = field(default_factory=WantedOutput)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intent(NewIntent):
    """One create, written down, and what became of it.

    `key` is random, 26 characters, and sorts by time. `input` is whole while it may still be sent, afterwards its data
    URIs are shortened and its secrets masked. `tries` counts the claims, so it names the attempt. `prediction` is the
    last state seen, its logs cut to the last 4 kB, its outputs those of `images`. `reason` says why it was refused or
    is unknown, `possible` names predictions that may be it, `problem` is a fault that darkroom met while working on it.
    `cost_usd` is what it did cost, None while that is not known; `cost_note` says what is in doubt about it.
    `gateway_request_id` is the gateway's own name of the create, where it gave one.
    `is_adopted`: not decided on here, a prediction of the same account that was looked up by its id.
    `is_left`: the host gave the call up; `joined_at`: when a retry took it over last; `answered_at`: when the answer
    was delivered, or a person stopped it.
    """

    key: str
    input: dict[str, JsonValue]
    cost_usd: float | None
    cost_basis: Basis
    cost_note: str
    gateway_request_id: str
    state: IntentState
    prediction_id: str
    status: PredictionStatus | None
    prediction: Prediction | None
    reason: str
    possible: tuple[str, ...]
    problem: str
    intended_at: float
    sent_at: float | None
    known_at: float | None
    ended_at: float | None
    tries: int
    is_adopted: bool
    images: tuple[StoredImage, ...]
    is_left: bool = False
    joined_at: float | None = None
    answered_at: float | None = None

    @property
    def at(self) -> float:
        """When it was sent, or written down where it was not: at that time it stands in lists and sums."""
        return self.intended_at if self.sent_at is None else self.sent_at

    @property
    def handle(self) -> str:
        """What get_prediction takes: the prediction's id, or the key while there is none."""
        return self.prediction_id or self.key

    @property
    def has_ended(self) -> bool:
        """Whether its prediction was seen at its end."""
        return self.status is not None and self.status.is_terminal

    @property
    def may_be_sent(self) -> bool:
        """True while a claim would send it: it costs nothing so far."""
        return self.state in SENDABLE

    @property
    def charge(self) -> Charge:
        """What it takes from the person's account, as far as that is known now."""
        if self.cost_usd is not None:
            verdict = Verdict.YES if self.cost_usd else Verdict.NO
            return Charge(verdict=verdict, usd=self.cost_usd, basis=self.cost_basis, doubt=self.cost_note)
        if self.may_be_sent or self.estimate_usd == 0:
            return NO_CHARGE
        has_failed = self.has_ended and self.status is not PredictionStatus.SUCCEEDED
        verdict = Verdict.POSSIBLY if self.state in DOUBTFUL or has_failed else Verdict.AT_MOST
        if verdict is Verdict.AT_MOST and (self.estimate_usd is None or not self.has_bound):
            verdict = Verdict.UNKNOWN
        basis = Basis.NONE if self.estimate_usd is None else Basis.ESTIMATED
        is_running = self.state is IntentState.KNOWN and not self.has_ended
        doubt = self.cost_note or ("it still runs" if is_running else "")
        return Charge(verdict=verdict, usd=self.estimate_usd, basis=basis, doubt=doubt, has_bound=self.has_bound)


class Written(NamedTuple):
    """The parts of one request as they stand; who has written them down may send those that are `claimed`, once."""

    intents: tuple[Intent, ...]
    claimed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of generate_image that brought no request_id, as a retry is told by it.

    `wish` is a hash of its arguments as they were given, `id` its own random name. `begun_at` is on a clock that nobody
    can set while the process runs. `answered` are request_ids whose answers are on their way out of this process;
    `left` are the callers whose hosts have given them up, as this process knows at the moment it is asked.
    """

    id: str
    wish: str
    origin: str
    account: str
    begun_at: float
    answered: frozenset[str] = frozenset()
    left: Container[str] = frozenset[str]()


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """When and how a prediction was seen: its links live `link_lifetime_s` from its creation.

    `is_final`: a success without outputs is believed, because the gateway was asked again for long enough.
    """

    now: float
    link_lifetime_s: float = 3600.0
    is_final: bool = False
    receipt_of: "ReceiptOf" = lambda intent, prediction: UNKNOWN_COST


ReceiptOf = Callable[[Intent, Prediction], Receipt]
"""What a prediction that has ended did cost; it must not raise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spending:
    """US dollars: settled for ended predictions, reserved for those that run or may have been created.

    `unknown_count` counts the creates among them without a known price; they are in neither sum.
    """

    settled_usd: float
    reserved_usd: float
    unknown_count: int

    @property
    def total_usd(self) -> float:
        return self.settled_usd + self.reserved_usd


@dataclass(frozen=True, slots=True, kw_only=True)
class Left:
    """What a limit leaves of its day, in US dollars, less what open predictions reserve.

    `whose` says whose limit it is, or names the variable of the person's own.
    """

    limit_usd: float
    left_usd: float
    reserved_usd: float = 0.0
    whose: str = ""


class Limit(Protocol):
    """What a create must fit under: asked within the transaction that writes it down or claims it."""

    @property
    def is_set(self) -> bool:
        """Whether there is a limit of money at all, as far as is known."""
        ...

    def refuse_beyond(
        self, session: Session, estimate_usd: float | None, now: float, intent: Intent | None = None
    ) -> None:
        """Raise SpendingRefused unless one more create fits, or this intent, which is about to be claimed."""
        ...

    def left(self, session: Session, now: float) -> Left | None:
        """What is left; None without a limit of money."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums for `history`: predictions known, images stored, images whose link died first, and the money."""

    prediction_count: int
    stored_count: int
    expired_count: int
    unresolved_count: int
    spending: Spending


def day_start(now: float, zone: tzinfo | None = None) -> float:
    """Midnight at which the person's calendar day began; a spending day is that day, not 24 rolling hours.

    `zone` defaults to the computer's own time zone.
    """
    local = datetime.fromtimestamp(now, zone) if zone else datetime.fromtimestamp(now).astimezone()
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    return (midnight if zone else midnight.replace(tzinfo=None)).timestamp()
