"""Leases on intents: one follower at a time, and a token that fences out an owner who slept through its lease."""

from typing import TYPE_CHECKING

from darkroom.journal import codec

if TYPE_CHECKING:
    from sqlite3 import Connection

_TAKE = """UPDATE intents SET lease_owner = ?, lease_until = ?, lease_token = lease_token + 1
    WHERE (key = ? OR prediction_id = ?) AND (lease_owner IN ('', ?) OR lease_until <= ?)"""
_THIS = "(key = ? OR prediction_id = ?) AND lease_token = ? AND lease_owner <> ''"


def take(connection: "Connection", id_or_key: str, owner: str, now: float, lease_s: float) -> int | None:
    name, owner = codec.storable(id_or_key), codec.storable(owner)
    if connection.execute(_TAKE, (owner, now + lease_s, name, name, owner, now)).rowcount == 0:
        return None
    row = connection.execute("SELECT lease_token FROM intents WHERE key = ? OR prediction_id = ?", (name, name))
    return row.fetchone()[0]


def renew(connection: "Connection", id_or_key: str, token: int, now: float, lease_s: float) -> bool:
    name = codec.storable(id_or_key)
    renewed = connection.execute(
        f"UPDATE intents SET lease_until = ? WHERE {_THIS}", (now + lease_s, name, name, token)
    )
    return renewed.rowcount == 1


def release(connection: "Connection", id_or_key: str, token: int) -> None:
    name = codec.storable(id_or_key)
    connection.execute(f"UPDATE intents SET lease_owner = '', lease_until = 0 WHERE {_THIS}", (name, name, token))
