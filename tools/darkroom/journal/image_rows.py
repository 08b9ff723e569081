"""The rows of `images`: wanted, then stored, expired or refused; what is stored stays stored."""

from collections.abc import Sequence
from typing import Any

from darkroom.images import ImageState, StoredImage
from darkroom.journal import codec
from darkroom.journal.database import Session
from darkroom.journal.records import Intent, Look
from darkroom.predictions import Prediction
from darkroom.uris import shorten_data_uri

# A link that died or was refused may be renewed by a later answer; then the image is wanted again.
_RENEW = """UPDATE images SET url = ?, expires_at = ?, state = 'wanted', problem = ''
    WHERE prediction_id = ? AND idx = ? AND state <> 'stored' AND url <> ?"""
_WANT = """INSERT INTO images (prediction_id, idx, url, state, expires_at) VALUES (?, ?, ?, 'wanted', ?)
    ON CONFLICT DO NOTHING"""
_STORED = f"""UPDATE images SET state = 'stored', url = ?, problem = ?, {" = ?, ".join(codec.FILE_COLUMNS)} = ?
    WHERE prediction_id = ? AND idx = ?"""
_PROBLEM = "UPDATE images SET state = ?, problem = ?, url = ? WHERE prediction_id = ? AND idx = ? AND state = 'wanted'"
_URL = "SELECT url FROM images WHERE prediction_id = ? AND idx = ?"
_WANT_REFUSED = """UPDATE images SET state = 'wanted' WHERE prediction_id = ? AND state = 'refused'
    AND (expires_at IS NULL OR expires_at > ?)"""
_REFUSED = """WHERE state = 'refused' AND expires_at > ?
    AND EXISTS (SELECT 1 FROM intents WHERE intents.prediction_id = images.prediction_id AND origin = ?)"""
_WANT_ALL_REFUSED = f"UPDATE images SET state = 'wanted' {_REFUSED}"
_HAS_REFUSED = f"SELECT 1 FROM images {_REFUSED} LIMIT 1"
_AT_ONCE = 500  # values in one statement


def want(session: Session, wanted: Sequence[tuple[Intent, Prediction]], look: Look) -> None:
    """Write the outputs of predictions down, whose rows were so before.

    With the time at which their links die, by the gateway's clock where it gave one.
    """
    renewed, new = list[Sequence[Any]](), list[Sequence[Any]]()
    for before, prediction in wanted:
        born = codec.seconds_of(prediction.created_at)
        expires_at = (look.now if born is None else born) + look.link_lifetime_s
        there = {image.index for image in before.images}
        for index, url in enumerate(prediction.output):
            link = codec.storable(url)
            if index in there:
                renewed.append((link, expires_at, prediction.id, index, link))
            else:
                new.append((prediction.id, index, link, expires_at))
    session.executemany(_RENEW, renewed)
    session.executemany(_WANT, new)


def want_again(session: Session, prediction_id: str, now: float) -> bool:
    """Want what was refused and whose link may still live. True where there was any."""
    return session.execute(_WANT_REFUSED, (prediction_id, now)).rowcount > 0


def want_all_again(session: Session, origin: str, now: float) -> None:
    """The same for all predictions of a gateway: a setting may have changed."""
    session.execute(_WANT_ALL_REFUSED, (now, origin))


def has_refused(session: Session, origin: str, now: float) -> bool:
    """Whether there is anything for `want_all_again`."""
    return session.execute(_HAS_REFUSED, (now, origin)).fetchone() is not None


def stored(session: Session, image: StoredImage) -> None:
    """Raises: ValueError for an image without a file."""
    if image.file is None:
        raise ValueError("a stored image has a file")
    texts = (codec.storable(shorten_data_uri(image.url)), codec.storable(image.problem))
    session.execute(_STORED, (*texts, *codec.file_values(image.file), image.prediction_id, image.index))


def failed(session: Session, prediction_id: str, index: int, state: ImageState, problem: str) -> None:
    """Say why it is not stored; `state` is WANTED, EXPIRED or REFUSED. A data URI that is given up is shortened."""
    row = session.execute(_URL, (prediction_id, index)).fetchone()
    if row is not None:
        url = row["url"] if state is ImageState.WANTED else shorten_data_uri(row["url"])
        session.execute(_PROBLEM, (state.value, codec.storable(problem), url, prediction_id, index))


def of_predictions(session: Session, prediction_ids: Sequence[str]) -> dict[str, tuple[StoredImage, ...]]:
    """The images of many predictions, in order, by prediction id."""
    found: dict[str, tuple[StoredImage, ...]] = {}
    for start in range(0, len(prediction_ids), _AT_ONCE):
        some = prediction_ids[start : start + _AT_ONCE]
        names = ", ".join("?" * len(some))
        rows = session.execute(
            f"SELECT * FROM images WHERE prediction_id IN ({names}) ORDER BY prediction_id, idx", some
        )
        for row in rows.fetchall():
            found[row["prediction_id"]] = (*found.get(row["prediction_id"], ()), codec.image_of(row))
    return found
