"""The accounts whose keys have been here: a keyed hash of each key, and the gateway's own name of its account.

The hash is keyed by a random secret of this journal, so it says nothing about the key and is no use elsewhere.
"""

import hashlib
import hmac
import secrets

from darkroom.journal.database import Session

_MAKE_SECRET = "INSERT INTO meta (name, value) VALUES ('account_secret', ?) ON CONFLICT DO NOTHING"
_SECRET = "SELECT value FROM meta WHERE name = 'account_secret'"
_SEEN = "SELECT 1 FROM accounts WHERE account = ? AND seen_at >= ?"
_NEW = "INSERT INTO accounts (account, origin, seen_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
_HERE = "UPDATE accounts SET seen_at = ? WHERE account = ?"
_SAME = """SELECT other.account FROM accounts AS mine JOIN accounts AS other
    ON mine.origin = other.origin AND mine.name = other.name WHERE mine.account = ? AND mine.name <> ''"""
_AWAY = "SELECT account FROM accounts WHERE origin = ? AND seen_at < ?"


def here(session: Session, origin: str, key: str, now: float) -> str:
    """The account of this key ("" without a key), noted as being here now."""
    if not key:
        return ""
    session.execute(_MAKE_SECRET, (secrets.token_hex(32),))
    account = _account_of(session.execute(_SECRET).fetchone()["value"], origin, key)
    session.execute(_NEW, (account, origin, now))
    session.execute(_HERE, (now, account))
    return account


def known(session: Session, origin: str, key: str, since: float) -> str | None:
    """The account of this key ("" without a key) if it was noted as being here since then."""
    if not key:
        return ""
    if (secret := session.execute(_SECRET).fetchone()) is None:
        return None
    account = _account_of(secret["value"], origin, key)
    return account if session.execute(_SEEN, (account, since)).fetchone() else None


def _account_of(secret: str, origin: str, key: str) -> str:
    text = f"{origin}\n{key}".encode(errors="replace")
    return hmac.new(bytes.fromhex(secret), text, hashlib.sha256).hexdigest()[:32]


def note(session: Session, account: str, origin: str) -> None:
    """An account that has its name from elsewhere."""
    session.execute(_NEW, (account, origin, 0.0))


def name_of(session: Session, account: str) -> str:
    """The gateway's own name of the account, "" while nobody has asked."""
    row = session.execute("SELECT name FROM accounts WHERE account = ?", (account,)).fetchone()
    return row["name"] if row else ""


def name(session: Session, account: str, name: str) -> None:
    session.execute("UPDATE accounts SET name = ? WHERE account = ?", (name, account))


def remember_token_log(session: Session, account: str, has_one: bool) -> None:
    session.execute("UPDATE accounts SET has_token_log = ? WHERE account = ?", (int(has_one), account))


def has_token_log(session: Session, account: str) -> bool | None:
    """Whether the gateway keeps a log for this key; None where it was never asked."""
    row = session.execute("SELECT has_token_log FROM accounts WHERE account = ?", (account,)).fetchone()
    return None if row is None or row["has_token_log"] is None else bool(row["has_token_log"])


def same_as(session: Session, account: str) -> frozenset[str]:
    """This account under all the keys it has had here, and "", for rows that were written before accounts were."""
    rows = session.execute(_SAME, (account,)).fetchall()
    return frozenset({"", account, *(row["account"] for row in rows)})


def away(session: Session, origin: str, since: float) -> frozenset[str]:
    """Accounts of the gateway whose keys were not here since then."""
    return frozenset(row["account"] for row in session.execute(_AWAY, (origin, since)).fetchall())
