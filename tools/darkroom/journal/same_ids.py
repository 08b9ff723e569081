"""Ids that come again: two gateways may use the same, and one that starts anew may count from the beginning."""

from darkroom.journal import codec
from darkroom.journal.database import Session
from darkroom.journal.input_form import normal_form
from darkroom.journal.records import Intent
from darkroom.predictions import SAME_ID_AGAIN, id_at_gateway

_HOLDER = "SELECT * FROM intents WHERE prediction_id = ? AND key <> ?"


def own_id(session: Session, mine: Intent, id: str) -> str:
    """With a number behind it where another prediction has this id: of another gateway, or of one that counts anew."""
    if id_at_gateway(mine.prediction_id) == id:
        return mine.prediction_id
    name, number = id, 1
    while (row := session.execute(_HOLDER, (name, mine.key)).fetchone()) and _is_anothers(
        codec.intent_of(row, ()), mine
    ):
        number += 1
        name = f"{id}{SAME_ID_AGAIN}{number}"
    return name


def _is_anothers(holder: Intent, mine: Intent) -> bool:
    """Else it may be of this very create: looked up by its id, or given by reconciliation to an equal one."""
    if holder.origin != mine.origin or (holder.ended_at and mine.sent_at and holder.ended_at < mine.sent_at):
        return True
    if holder.is_adopted:
        return False
    held, own = normal_form(holder.input, holder.file_fields), normal_form(mine.input, mine.file_fields)
    return holder.model != mine.model or any(held[name] != own[name] for name in held.keys() & own.keys())
