"""What one process does for all: it follows a prediction (a lease), or does something that may not be done often."""

from darkroom.journal.database import Session

# A lease that ends later than any that is given out was taken before the clock was set back.
_LEASE = """UPDATE intents SET lease_owner = ?, lease_until = ?
    WHERE key = ? AND (lease_owner IN ('', ?) OR lease_until <= ? OR lease_until > ?)"""
# So was a turn that lies further ahead than one may lie behind.
_TURN = """UPDATE meta SET value = ? WHERE name = ?
    AND (CAST(value AS DOUBLE PRECISION) <= ? OR CAST(value AS DOUBLE PRECISION) > ?)"""
_FIRST_TURN = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO NOTHING"


def lease(session: Session, key: str, owner: str, lease_s: float, now: float) -> bool:
    values = (owner, now + lease_s, key, owner, now, now + 10 * max(lease_s, 1.0))
    return session.execute(_LEASE, values).rowcount == 1


def take(session: Session, name: str, every_s: float, now: float) -> bool:
    turn, value = f"turn: {name}", repr(now)
    is_next = session.execute(_TURN, (value, turn, now - every_s, now + every_s)).rowcount == 1
    return is_next or session.execute(_FIRST_TURN, (turn, value)).rowcount == 1
