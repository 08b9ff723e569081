"""Settles creates whose answer was lost, by looking for them in the gateway's own list.

Asked at start, after each ambiguous answer and then after 5, 30, 120 and 150 s, and on while the list cannot be read.
Where a gateway has no list nothing can be settled: the rows stay `unknown` and the person is told so.
"""

import logging
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import anyio

from darkroom.errors import GatewayError, JournalError
from darkroom.gateways import ListPage
from darkroom.journal import Intent, IntentState, Journal, Search, match
from darkroom.journal.reconcile import Defaults
from darkroom.predictions import Prediction
from darkroom.work.accounts import Account
from darkroom.work.runtime import CrashPoint, Runtime

log = logging.getLogger(__name__)

SETTLE_S = 120.0
# When to look, in settle times after the doubt arose: at once, after 5, 30, 120 and 150 s.
_LOOKS = (0.0, 1 / 24, 1 / 4, 1.0, 5 / 4)
_MARGIN_S = 120.0
# A computer's clock may have been set by so much since the create: further around it nothing may have been left unread.
_UNSURE_S = 600.0
_MOST_PAGES = 100
_READINGS = 3  # of a page with odd items
_PAST_ITEMS = 3  # so many items in a row that are older than the create show that a list was read past it
# A list may lag longer than the settle time: what was called absent is looked for for so long.
_ABSENT_S = 3600.0
_DEEP_EVERY_S = 120.0
_AGAIN_WITHIN = 1 / 24  # settle times: 5 s
_KNOWN_S = 2 * 24 * 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReconcileRules:
    """`settle_s`: how long a lost create may take to show in the list. `defaults` gives a model's input defaults."""

    settle_s: float = SETTLE_S
    defaults: Defaults = lambda model: {}


@dataclass(eq=False)
class Reconciler:
    """Asks the list and tells the journal; `on_found` hears of every intent that got its prediction back.

    What `is_awaited` is no doubt yet: its answer may come to this process at any moment.
    """

    _account: Account
    _journal: Journal
    _runtime: Runtime
    _rules: ReconcileRules
    _on_found: Callable[[Intent], None]
    _is_awaited: Callable[[Intent], bool] = lambda intent: False
    _one_at_a_time: anyio.Lock = field(default_factory=anyio.Lock, init=False)
    missed_since_s: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float], init=False)
    _read_past_s: dict[tuple[str, int], float] = field(default_factory=dict[tuple[str, int], float], init=False)
    _is_running: bool = field(default=False, init=False)
    _has_new_doubt: bool = field(default=False, init=False)
    _is_put_off: bool = field(default=False, init=False)
    _deep_at_s: float = field(init=False)

    def __post_init__(self) -> None:
        self._deep_at_s = self._runtime.monotonic()

    async def run(self) -> None:
        """Look for lost answers at the set times; a new doubt starts them anew. Returns when told to."""
        self._has_new_doubt = True
        if self._is_running:
            return
        self._is_running = True
        try:
            while self._has_new_doubt:
                self._has_new_doubt = False
                await self._until_settled()
        finally:
            self._is_running = False

    async def _until_settled(self) -> None:
        """Look at once and then at the set times, as long as anything is open; on while the list cannot be read."""
        slept = 0.0
        for look in _LOOKS:
            await self._runtime.sleep((look - slept) * self._rules.settle_s)
            slept = look
            if not await self.once():
                return
        while self._is_put_off:
            await self._runtime.sleep(self._rules.settle_s)
            await self.once()

    async def once(self, asked: Sequence[Intent] = ()) -> bool:
        """One look, far enough back for all that is in doubt and for what is `asked` about; False if nothing is open.

        What was called absent before is sought in what is read, and every two minutes as far back as that takes.
        A list or a journal that cannot be read changes nothing. What was missed in a list just now is looked for once
        more, but not for long: on a busy account that list may have a hundred pages.
        """
        if not self._account.client.gateway.has_list:
            return False
        is_known_absent = bool(asked) and all(map(self._is_absent_still, asked))
        with anyio.move_on_after(_AGAIN_WITHIN * self._rules.settle_s if is_known_absent else math.inf):
            return await self._once(asked)
        return False

    async def _once(self, asked: Sequence[Intent]) -> bool:
        async with self._one_at_a_time:
            self._is_put_off = True
            try:
                is_open = await self._look(asked)
                self._is_put_off = False
                return is_open
            except (GatewayError, JournalError) as error:
                log.warning("reconciliation put off: %s", error)
            except Exception:
                log.exception("reconciliation put off by a fault of darkroom's own")
            return True

    async def _look(self, asked: Sequence[Intent]) -> bool:
        origin, keys = self._account.origin, {each.key for each in asked}
        unresolved = await self._journal.unresolved(origin)
        doubtful = [each for each in unresolved if each.key in keys or not self._is_awaited(each)]
        absent = await self._journal.absent(origin, _ABSENT_S)
        if not (doubtful or absent):
            return False
        # Whose answer is awaited takes part: of equal ones each gets its own, and what is shown need not be asked for
        # once more.
        awaited = [each for each in unresolved if each not in doubtful]
        sought = (*doubtful, *absent)
        now_s = self._runtime.monotonic()
        is_deep = now_s - self._deep_at_s >= _DEEP_EVERY_S or not (doubtful or asked)
        self._deep_at_s = now_s if is_deep else self._deep_at_s
        await self._settle(sought, sought if is_deep else (*doubtful, *asked), awaited)
        return bool(await self._journal.unresolved(origin))

    async def _settle(self, sought: tuple[Intent, ...], reach: Sequence[Intent], awaited: Sequence[Intent]) -> None:
        """`reach` are those for whom the list is read far enough back; for what is `awaited` only a find counts."""
        # The list is as old as its first page; the pages after that may take their time.
        asked_s = self._runtime.monotonic()
        oldest_s = min(self._needed_s(intent, asked_s) for intent in reach)
        listed = await self._read_list(oldest_s)
        self._runtime.at_crash_point(CrashPoint.LISTED)
        rules = self._rules
        verdicts = match(
            (*sought, *awaited),
            listed.predictions,
            await self._journal.known_ids(self._account.origin, oldest_s - _KNOWN_S),
            search=Search(skew_s=listed.skew_s, settle_s=rules.settle_s, margin_s=_MARGIN_S, defaults=rules.defaults),
            may_be_absent=await self._missed_for_long(sought, listed, asked_s),
        )
        shown = [each for each in sought if listed.would_show(each, rules.settle_s)]
        lately = {attempt: at_s for attempt, at_s in self._read_past_s.items() if asked_s - at_s < _DEEP_EVERY_S}
        self._read_past_s = lately | {(each.key, each.tries): asked_s for each in shown}
        only_found = {each.key for each in awaited}
        verdicts = [each for each in verdicts if each.prediction or each.key not in only_found]
        settled = await self._journal.settle(verdicts, self._account.look(self._runtime.clock()))
        self._runtime.at_crash_point(CrashPoint.SETTLED)
        for intent in settled:
            if intent.state is IntentState.KNOWN:
                self._on_found(intent)

    def _is_absent_still(self, intent: Intent) -> bool:
        """Whether a list that would show what was called absent was read lately: on a long one that takes a while."""
        read_at_s = self._read_past_s.get((intent.key, intent.tries), -math.inf)
        is_fresh = self._runtime.monotonic() - read_at_s < _DEEP_EVERY_S
        return intent.state is IntentState.ABSENT and is_fresh

    def _needed_s(self, intent: Intent, asked_s: float) -> float:
        """How far back the list is needed: further for what could be called absent now than for what may be found."""
        since_s = self.missed_since_s.get((intent.key, intent.tries), math.inf)
        is_due = asked_s - since_s >= self._rules.settle_s
        return intent.at - (_UNSURE_S if is_due else _MARGIN_S)

    async def _missed_for_long(self, sought: tuple[Intent, ...], listed: "_Listed", asked_s: float) -> frozenset[str]:
        """Those of this account that no list has shown for the settle time, though it would have shown them."""
        long_missed: set[str] = set()
        seen_before, self.missed_since_s = self.missed_since_s, {}
        for intent in sought:
            attempt = (intent.key, intent.tries)
            since_s = self.missed_since_s[attempt] = seen_before.get(attempt, asked_s)
            is_long = (
                not self._is_awaited(intent) and attempt in seen_before and asked_s - since_s >= self._rules.settle_s
            )
            if is_long and listed.would_show(intent, self._rules.settle_s) and await self._account.owns(intent):
                long_missed.add(intent.key)
        return frozenset(long_missed)

    async def _read_list(self, oldest_s: float) -> "_Listed":
        """Newest first, back past that time, as far as the number of pages and their faults allow."""
        listed = _Listed()
        cursor, cursors = "", {""}
        for _ in range(_MOST_PAGES):
            try:
                page = await self._page(cursor)
            except GatewayError:
                if not cursor:
                    raise
                break  # what was read may show something all the same
            if not listed.predictions and page.server_time:
                now = datetime.fromtimestamp(self._runtime.clock(), UTC)
                listed.skew_s = (page.server_time - now).total_seconds()
            listed.add(page)
            cursor = page.next_cursor
            if not cursor or cursor in cursors or listed.read_back_to_s < oldest_s:
                break
            cursors.add(cursor)
        return listed

    async def _page(self, cursor: str) -> ListPage:
        """One page, asked for again where single items could not be read: any of them may be the one that is sought."""
        page = await self._account.client.list_page(cursor)
        for _ in range(_READINGS - 1):
            if not page.unreadable_count:
                break
            page = await self._account.client.list_page(cursor)
        return page


@dataclass(slots=True)
class _Listed:
    """What was read, all times by our clock; `skew_s` is the gateway's clock less ours.

    Everything newer than `read_back_to_s` was read, but for single items within the `gaps`.
    """

    predictions: list[Prediction] = field(default_factory=list[Prediction])
    skew_s: float = 0.0
    read_back_to_s: float = math.inf
    gaps: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def add(self, page: ListPage) -> None:
        """The next page. A list without times has to be read to its end; one odd time at the foot shows nothing."""
        newest_s = max(self._times(self.predictions)[-_PAST_ITEMS:], default=math.inf)
        self.predictions += page.predictions
        if page.unreadable_count:
            self.gaps.append((min(self._times(page.predictions), default=-math.inf), newest_s))
        last = self._times(self.predictions)[-_PAST_ITEMS:]
        if not page.next_cursor and not page.is_broken_off:
            self.read_back_to_s = -math.inf
        elif len(last) == _PAST_ITEMS:
            self.read_back_to_s = max(last)

    def would_show(self, intent: Intent, settle_s: float) -> bool:
        """True where a create of that time would have been seen: only then its absence means something."""
        first_s, last_s = intent.at - _UNSURE_S, intent.at + settle_s + _UNSURE_S
        is_read = self.read_back_to_s < first_s
        return is_read and all(to_s < first_s or last_s < from_s for from_s, to_s in self.gaps)

    def _times(self, predictions: Iterable[Prediction]) -> list[float]:
        return [found.created_at.timestamp() - self.skew_s for found in predictions if found.created_at]
