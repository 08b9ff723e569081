"""The durable record of intents, predictions and images: nothing paid is paid twice or lost.

Theory of operation
===================

The gateways have no idempotency keys, so a create whose answer did not arrive may or may not have been carried out and
billed. The journal makes the most of that which a client can do alone: at most one create for an intent while it is in
doubt, and no created prediction that stays unknown while the gateway's list can be asked.

An intent is one row, one planned prediction. `states.py` holds its states and transitions as a table, and says what
each state leaves open; every statement that changes a state is built from that table.

1.  A claim moves a row to `sent` by compare-and-set, in a commit that is on the disk before it returns: the one that
    writes the row down, where its turn has come by then. Who got it sends, once, or gives it back; nobody else sends. A
    process that dies leaves `sent`, which reads like `unknown`.
2.  `sent` and `unknown` are never sent again. `reconcile.match` compares them with the gateway's list and `settle`
    writes down what it found, all in one commit. `absent` needs a list that was read past the create, two looks, and
    the settle time on a clock that nobody can set; and only the account that sent it can miss it. `settle` names the
    attempt (`tries`), so a verdict on an old attempt does not touch a new one. A create whose answer the gateway
    holds (at most half the settle time) stays `sent` meanwhile; whoever wants its id early finds it in the same way.
3.  A prediction id belongs to one row. A paid prediction is never dropped: `mark_known` is allowed from every state. If
    the row has another prediction by then (we slept, it was called absent, and somebody sent again), the second gets a
    row of its own. If an equal intent has been given the prediction first, the two are interchangeable: that one keeps
    it, and this one gets what that one made, once its answer comes or the list shows it.
4.  (request_id, part) is unique: the same wish gives the same rows, with their first input and their first seed.
5.  `mark_refused` works only for the journal object that claimed: a late answer cannot free a row that another process
    has sent since.
6.  Seeing is monotonic: an end is not overwritten by an earlier state, nor outputs by their removal. At `succeeded` the
    outputs become wanted images with the time at which their links die, in the same commit, so a crash right after it
    loses no image. A success without outputs is no end until the gateway was asked again for a while.

        wanted ──▶ stored           stays so
          ├──────▶ expired          its link died first; wanted again only with a new link
          └──────▶ refused          a reason that time does not change; wanted again at request or with other settings

7.  A lease says who follows a prediction, on the wall clock; one that ends later than any that is given out was taken
    before a clock was set back and does not count. Following twice does no harm, so a lease only saves work.
8.  Money is reserved at its bound in the transaction that writes the intent, counts while the create is open or in
    doubt, and is settled by the receipt in the commit that writes the end down. What the gateway's own log says is
    never overwritten, and a create that it bills was carried out. The spending day is the calendar day of the person's
    computer (`day_start`).
9.  Each row names the account that made it by a keyed hash of the key. That a prediction is there, any key of its
    gateway may show; that it is not there, only its own account.

10. Creates, and looks where there are many, take turns of a rate that all processes of the account share (`rates.py`).
    A power cut may take a turn back, which only costs a refusal.
11. A call that brought no request_id carries a hash of its arguments as they were given. A retry of it (the same
    arguments, while its prediction runs or within two minutes of its end) takes the rows over and creates nothing, as
    long as the answer was never delivered. Delivered is marked after the answer was written, never before: a process
    that dies between the two leaves a delivered answer unmarked, and an equal wish within two minutes is then shown the
    same picture and told how to get another. The other order would pay twice for one wish whenever a process dies
    there. A create that was refused for load stands as an intent until its next try, so that it can be joined; and a
    call that its host gave up before it was written down takes no other over, and makes nothing beside its own retry.
    Calls are told apart by a clock that starts on the wall clock and then counts on the monotonic one, so that
    setting the clock makes no retry of two wishes, nor two wishes of a retry. Two that begin within two seconds are two
    wishes, unless the first was given up or its process has died. `answers.joinable` is the rule.

12. A team's journal is in PostgreSQL (`postgres.py`). There a row has a tenant and a principal, and a transaction sees
    the rows of one principal, or of all of the tenant where it acts for everyone: ids of predictions, accounts, turns
    and rates are the tenant's. An id that the answer to one principal's create names, and that reconciliation gave to
    another's equal create before, stays there, and the first is looked for again. Writes of a tenant come one after the
    other, as in a file.

What remains: a gateway without a list, a list that lags longer than the settle time (absent creates are looked for for
another hour), a process that is suspended between its claim and its send for longer than the settle time, and two
computers that send equal inputs without a seed on one account.

The whole input is kept while it may still be sent, without secrets, which are never written; then its data URIs are
shortened, as are those of outputs once their file is stored. Times are seconds since the epoch, from the clock given to
`open_journal`.
"""

from darkroom.journal.journal import Journal, open_journal
from darkroom.journal.listing import Filter, Listed, Money
from darkroom.journal.rates import Queued, Rate, Turn
from darkroom.journal.reconcile import Search, Verdict, match
from darkroom.journal.records import (
    Call,
    Intent,
    Left,
    Limit,
    Look,
    NewIntent,
    ReceiptOf,
    Spending,
    Totals,
    Written,
    day_start,
)
from darkroom.journal.spending_rows import SpendingLimit
from darkroom.journal.states import DOUBTFUL, IntentState

__all__ = [
    "DOUBTFUL",
    "Call",
    "Filter",
    "Intent",
    "IntentState",
    "Journal",
    "Left",
    "Limit",
    "Listed",
    "Look",
    "Money",
    "NewIntent",
    "Queued",
    "Rate",
    "ReceiptOf",
    "Search",
    "Spending",
    "SpendingLimit",
    "Totals",
    "Turn",
    "Verdict",
    "Written",
    "day_start",
    "match",
    "open_journal",
]
