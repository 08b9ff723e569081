"""Ids that come again: two gateways may use the same, and one that starts anew may count from the beginning."""

from darkroom.journal.database import Session
from darkroom.journal.records import Intent
from darkroom.predictions import SAME_ID_AGAIN, id_at_gateway

# Unless it may be of this very create: looked up by its id, or given by reconciliation to an equal one.
_IS_ANOTHERS = """SELECT 1 AS found FROM intents AS holder JOIN intents AS mine ON mine.key = ?
    WHERE holder.prediction_id = ? AND holder.key <> mine.key AND (holder.origin <> mine.origin
    OR (holder.is_adopted = 0 AND (holder.model <> mine.model OR holder.input_shown <> mine.input_shown))
    OR holder.ended_at < mine.sent_at)"""


def own_id(session: Session, mine: Intent, id: str) -> str:
    """With a number behind it where another prediction has this id: of another gateway, or of one that counts anew."""
    if id_at_gateway(mine.prediction_id) == id:
        return mine.prediction_id
    name, number = id, 1
    while session.execute(_IS_ANOTHERS, (mine.key, name)).fetchone():
        number += 1
        name = f"{id}{SAME_ID_AGAIN}{number}"
    return name
