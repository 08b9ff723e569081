"""The durable record of intents, predictions and images: nothing paid is paid twice or lost.

Theory of operation
===================

The gateways have no idempotency keys, so a create whose answer did not arrive may or may not have been executed and
billed. The journal makes the most of that which a client can do alone: at most one create for an intent while it is in
doubt, and no created prediction that stays unknown while the gateway's list can be asked.

An intent, one row, one planned prediction:

    intent ──claim──▶ sent ──mark_known──▶ known          has a prediction id, followed until it has ended
       ▲                │ ──mark_refused─▶ refused        certainly not executed; may be claimed again
       │                ▼
       │             unknown ──settle──▶ known
    intend              └──────settle──▶ absent           not executed; may be claimed again

1.  `claim` moves intent, refused or absent to sent by compare-and-set, in a commit that is synced to the disk before it
    returns. Who got True sends, once; nobody else does. A process that dies leaves `sent`, which reads like unknown.
2.  Sent and unknown are never sent again. `reconcile.match` compares them with the gateway's list, by input and time,
    and `settle` writes down what it found, all in one commit. Absent needs the settle time to have passed since the
    row was sent, so the create of a process that is still alive is not called absent under its feet; and `settle`
    names the attempt (`tries`), so a verdict on an old attempt does not touch a new one.
3.  A prediction id belongs to one row. A paid prediction is never dropped: `mark_known` is allowed from every state. If
    the row has another prediction by then (we slept, were called absent, and somebody sent again), the second gets a
    row of its own. If an equal intent has been given the prediction first, the two are interchangeable: that one keeps
    it, and this one stays unknown until its own is found.
4.  (request_id, part) is unique: the same wish gives the same row, with its first input and its first seed.
5.  `mark_refused` works only for the journal object that claimed: a late answer cannot free a row that another process
    has sent since.
6.  Seeing is monotonic: an end is not overwritten by an earlier state, nor outputs by their removal. At `succeeded` the
    outputs become wanted images in the same commit, so a crash right after it loses no picture:

        wanted ──▶ stored           stays so
           └─────▶ expired          its link died first; wanted again only with a new link

7.  A lease says who follows a prediction. Its token grows with each owner, so one who slept through its lease is told
    so by `renew`. Storing an image twice does no harm, so a lease saves work and guards nothing.
8.  Money is reserved in the transaction that writes the intent, counts while the create is open or in doubt, and is
    settled at the end. The spending day is the calendar day of the person's computer (`day_start`).

What remains: a gateway without a list, a list that lags longer than the settle time (ask `unresolved` for the absent
ones too), a process that is suspended between its claim and its send for longer than the settle time (compare the clock
once more before the first byte), and two computers that send equal inputs without a seed on one account.

The whole input is kept while it may still be sent; then its data URIs are shortened, as are those of outputs once their
file is stored. Times are seconds since the epoch, from the clock given to `open`.
"""

from darkroom.journal.protocol import Journal
from darkroom.journal.reconcile import Verdict, fingerprint, match
from darkroom.journal.records import (
    Intent,
    IntentState,
    NewIntent,
    Spending,
    SpendingLimit,
    Totals,
    day_start,
)
from darkroom.journal.sqlite import SqliteJournal

__all__ = [
    "Intent",
    "IntentState",
    "Journal",
    "NewIntent",
    "Spending",
    "SpendingLimit",
    "SqliteJournal",
    "Totals",
    "Verdict",
    "day_start",
    "fingerprint",
    "match",
]
