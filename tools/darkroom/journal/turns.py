"""What one process does for all: it follows a prediction (a lease), or does something that may not be done often."""

from darkroom.journal.database import Session

# A lease that ends later than any that is given out was taken before the clock was set back.
_LEASE = """UPDATE intents SET lease_owner = ?, lease_until = ?
    WHERE key = ? AND (lease_owner IN ('', ?) OR lease_until <= ? OR lease_until > ?)"""
# So was a turn that lies further ahead than one may lie behind.
_TURN = """INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value
    WHERE CAST(meta.value AS REAL) <= ? OR CAST(meta.value AS REAL) > ?"""


def lease(session: Session, key: str, owner: str, lease_s: float, now: float) -> bool:
    values = (owner, now + lease_s, key, owner, now, now + 10 * max(lease_s, 1.0))
    return session.execute(_LEASE, values).rowcount == 1


def take(session: Session, name: str, every_s: float, now: float) -> bool:
    return session.execute(_TURN, (f"turn: {name}", repr(now), now - every_s, now + every_s)).rowcount == 1
