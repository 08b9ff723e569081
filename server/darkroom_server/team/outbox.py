"""Jobs and news, written in the transaction of what they are about, so that neither is there without the other.

The statements are made for procrastinate's tables, so that a replica need not import it. Each runs inside a write of
the journal, under the tenant's lock: an account is found at rest only where no create wakes it at the same moment.
"""

import json
from collections.abc import Sequence

from darkroom.journal.database import Session

CHANNEL = "darkroom_seen"
CHANGED = "darkroom_changed"  # tenants, people, tokens or keys
WATCH, BRING_HOME = "watch", "bring_home"
WORKERS = "darkroom jobs"
"""What the connections of workers to their queue are called in the database."""

_WAIT = "UPDATE busy_accounts SET look_at = ? WHERE tenant = ? AND account = ?"
_AT_REST = "DELETE FROM busy_accounts WHERE tenant = ? AND account = ?"
# One that waits already is enough.
_DEFER = """INSERT INTO procrastinate_jobs (queue_name, task_name, lock, queueing_lock, args)
    VALUES (?, ?, ?, ?, ?::jsonb) ON CONFLICT (queueing_lock) WHERE status = 'todo' DO NOTHING"""
_WAKE = f"""WITH busy AS (INSERT INTO busy_accounts (tenant, account, look_at) VALUES (?, ?, ?)
    ON CONFLICT (tenant, account) DO UPDATE SET look_at = excluded.look_at) {_DEFER}"""
_TELL = "SELECT pg_notify(?, ?)"
_TRIED = """SELECT key FROM intents WHERE prediction_id IN ({}) AND NOT EXISTS (SELECT 1 FROM images
    WHERE images.prediction_id = intents.prediction_id AND state = 'wanted' AND problem = '')"""
_IN_HAND = """SELECT jsonb_array_elements_text(args -> 'prediction_ids') AS id FROM procrastinate_jobs
    WHERE task_name = ? AND status IN ('todo', 'doing') AND args ->> 'tenant' = ?"""
_IN_ONE_JOB = 10
_KEYS_IN_ONE_NOTE = 250  # one of PostgreSQL's holds 8,000 bytes
_STALLED = """SELECT jobs.id, jobs.task_name, jobs.args FROM procrastinate_jobs AS jobs
    LEFT JOIN procrastinate_workers AS workers ON workers.id = jobs.worker_id
    WHERE jobs.status = 'doing' AND coalesce(workers.last_heartbeat, '-infinity') < now() - make_interval(secs => ?)"""
_HEARD_OF = (
    "SELECT count(*) AS queues FROM procrastinate_workers WHERE last_heartbeat > now() - make_interval(secs => ?)"
)
_UNTIL_STALE = """SELECT extract(epoch FROM min(last_heartbeat) - now())::float8 + ? AS left_s
    FROM procrastinate_workers WHERE last_heartbeat >= now() - make_interval(secs => ?)"""
_IS_ANYBODY_HERE = "SELECT 1 FROM pg_stat_activity WHERE application_name = ? AND datname = current_database() LIMIT 1"
_FORGET = "SELECT procrastinate_finish_job_v1(?, 'failed', true)"
_DUE = """SELECT tenant, account FROM busy_accounts WHERE look_at <= ? AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs
    WHERE status IN ('todo', 'doing') AND lock = ? || tenant || ' ' || account)"""


def wake(session: Session, tenant: str, account: str, now: float) -> None:
    """Have the account watched from now on, by one worker at a time."""
    session.execute(_WAKE, (tenant, account, now, *_watch_values(tenant, account)))


def watch_job(session: Session, tenant: str, account: str) -> None:
    """Defer a job that watches the account, unless one waits already."""
    session.execute(_DEFER, _watch_values(tenant, account))


def _watch_values(tenant: str, account: str) -> tuple[str, ...]:
    name = f"{WATCH} {tenant} {account}"
    return (WATCH, WATCH, name, name, json.dumps({"tenant": tenant, "account": account}))


def look_later(session: Session, tenant: str, account: str, at: float) -> None:
    """Nothing but slow work is left: the account is woken again at that time."""
    session.execute(_WAIT, (at, tenant, account))


def at_rest(session: Session, tenant: str, account: str) -> None:
    """Nothing is left to do for the account."""
    session.execute(_AT_REST, (tenant, account))


def bring_home(session: Session, tenant: str, account: str, prediction_ids: Sequence[str]) -> None:
    """Defer jobs that store the images of predictions that have ended, some in each."""
    for start in range(0, len(prediction_ids), _IN_ONE_JOB):
        ids = prediction_ids[start : start + _IN_ONE_JOB]
        arguments = json.dumps({"tenant": tenant, "account": account, "prediction_ids": ids})
        session.execute(_DEFER, (BRING_HOME, BRING_HOME, None, None, arguments))


def in_hand(session: Session, tenant: str) -> set[str]:
    """The predictions whose images a job brings home, or will: no other may do so at the same time."""
    return {row["id"] for row in session.execute(_IN_HAND, (BRING_HOME, tenant)).fetchall()}


def tell(session: Session, keys: Sequence[str]) -> None:
    """Let the replicas know that there is news of these intents, once the transaction is committed."""
    for start in range(0, len(keys), _KEYS_IN_ONE_NOTE):
        session.execute(_TELL, (CHANNEL, " ".join(keys[start : start + _KEYS_IN_ONE_NOTE])))


def tell_if_tried(session: Session, prediction_ids: Sequence[str]) -> None:
    """Tell those of which each image was tried."""
    rows = session.execute(_TRIED.format(", ".join("?" * len(prediction_ids))), prediction_ids).fetchall()
    tell(session, [row["key"] for row in rows])


def queues(session: Session, within_s: float) -> int:
    """How many queues workers have served within so many seconds: each worker serves two."""
    return session.execute(_HEARD_OF, (within_s,)).fetchone()["queues"]


def take_back(session: Session, stale_s: float) -> int:
    """Queue the jobs of workers anew that have not been heard of for so long. Gives how many there were."""
    rows = session.execute(_STALLED, (stale_s,)).fetchall()
    for row in rows:
        session.execute(_FORGET, (row["id"],))
        place = row["args"]
        if row["task_name"] == WATCH:
            watch_job(session, place["tenant"], place["account"])
        else:
            bring_home(session, place["tenant"], place["account"], place["prediction_ids"])
    return len(rows)


def take_over(session: Session) -> int:
    """Queue all jobs anew where no worker is connected: a system closes what a killed one had open. Gives how many."""
    return 0 if session.execute(_IS_ANYBODY_HERE, (WORKERS,)).fetchone() else take_back(session, 0.0)


def until_stale_s(session: Session, stale_s: float) -> float:
    """How soon a worker will not have been heard of for so long, if it is not heard of again."""
    left_s = session.execute(_UNTIL_STALE, (stale_s, stale_s)).fetchone()["left_s"]
    return stale_s if left_s is None else left_s


def wake_the_due(session: Session, now: float) -> None:
    """Watch every account again that is busy, is due, and that nobody watches."""
    for row in session.execute(_DUE, (now, f"{WATCH} ")).fetchall():
        watch_job(session, row["tenant"], row["account"])
