"""The rows of `images`: wanted, then stored or expired; what is stored stays stored."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from darkroom.images import ImageState, StoredFile, StoredImage
from darkroom.journal import codec
from darkroom.uris import shorten_data_uri

if TYPE_CHECKING:
    from sqlite3 import Connection, Row

# A link that died may be renewed by a later answer; then the image is wanted again.
_WANT = """INSERT INTO images (prediction_id, idx, url, state, expires_at) VALUES (?, ?, ?, 'wanted', ?)
    ON CONFLICT (prediction_id, idx) DO UPDATE
    SET url = excluded.url, expires_at = coalesce(excluded.expires_at, expires_at), state = 'wanted', problem = ''
    WHERE state = 'wanted' OR (state = 'expired' AND url <> excluded.url)"""
_STORED = """INSERT INTO images
    (prediction_id, idx, url, state, expires_at, location, mime_type, width_px, height_px, size_bytes, sha256)
    VALUES (?, ?, ?, 'stored', ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (prediction_id, idx) DO UPDATE
    SET url = excluded.url, state = 'stored', location = excluded.location, mime_type = excluded.mime_type,
        width_px = excluded.width_px, height_px = excluded.height_px, size_bytes = excluded.size_bytes,
        sha256 = excluded.sha256, problem = ''"""


def want(
    connection: "Connection", prediction_id: str, urls: Sequence[str], expires_at: datetime | None
) -> tuple[StoredImage, ...]:
    expiry = codec.seconds_of(expires_at)
    rows = [(prediction_id, index, codec.storable(url), expiry) for index, url in enumerate(urls)]
    connection.executemany(_WANT, rows)
    return of_prediction(connection, prediction_id)


def stored(connection: "Connection", image: StoredImage) -> None:
    if image.file is None:
        raise ValueError("a stored image has a file")
    url, expiry, file = shorten_data_uri(image.url), codec.seconds_of(image.expires_at), image.file
    place = (image.prediction_id, image.index, codec.storable(url), expiry, codec.storable(file.location))
    content = (file.mime_type, file.width_px, file.height_px, file.size_bytes, file.sha256)
    connection.execute(_STORED, (*place, *content))


def failed(connection: "Connection", prediction_id: str, index: int, state: ImageState, problem: str) -> None:
    """Say why it is not home; `state` is WANTED or EXPIRED. A dead data URI is shortened."""
    row = connection.execute(
        "SELECT url FROM images WHERE prediction_id = ? AND idx = ? AND state = 'wanted'", (prediction_id, index)
    ).fetchone()
    if row is not None:
        url = shorten_data_uri(row["url"]) if state is ImageState.EXPIRED else row["url"]
        connection.execute(
            "UPDATE images SET state = ?, problem = ?, url = ? WHERE prediction_id = ? AND idx = ?",
            (state.value, codec.storable(problem), url, prediction_id, index),
        )


def of_prediction(connection: "Connection", prediction_id: str) -> tuple[StoredImage, ...]:
    rows = connection.execute("SELECT * FROM images WHERE prediction_id = ? ORDER BY idx", (prediction_id,))
    return tuple(_image(row) for row in rows.fetchall())


def _image(row: "Row") -> StoredImage:
    is_stored = row["state"] == ImageState.STORED.value
    return StoredImage(
        prediction_id=row["prediction_id"],
        index=row["idx"],
        url=row["url"],
        state=ImageState(row["state"]),
        expires_at=codec.moment_of(row["expires_at"]),
        file=_file(row) if is_stored else None,
        problem=row["problem"],
    )


def _file(row: "Row") -> StoredFile:
    return StoredFile(
        location=row["location"],
        mime_type=row["mime_type"],
        width_px=row["width_px"],
        height_px=row["height_px"],
        size_bytes=row["size_bytes"],
        sha256=row["sha256"],
    )
