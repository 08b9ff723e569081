"""What is said where `like` changes nothing: the same image again is not paid for, it is here or on its way."""

from collections.abc import Iterator, Sequence

from darkroom.images import ImageState, StoredImage
from darkroom.journal import Intent, IntentState

_SHOWN_PATHS = 2


def same_image_words(name: str, rows: Sequence[Intent], number: int, is_open: bool) -> str:
    """Empty where there is no such image and none is on its way: it failed, was never created, or was lost.

    `number` is one image of these rows, from 1, or 0 for all; `is_open`: one of them is on its way to the gateway.
    """
    images = [image for row in rows for image in row.images if number in (0, image.index + 1)]
    where = next(_places(rows, images, is_open), "")
    if not where:
        return ""
    seed = rows[0].seed
    another = "any seed" if seed is None else f"another seed than {seed}"
    return (
        f"Nothing but like='{name}' was given, so it would be the same image again: {where}. Nothing was sent. For "
        f"another one give {another}, or whatever is to change."
    )


def _places(rows: Sequence[Intent], images: Sequence[StoredImage], is_open: bool) -> Iterator[str]:
    paths = [image.file.shown for image in images if image.file]
    if paths:
        more = len(paths) - _SHOWN_PATHS
        yield f"it is in {', '.join(paths[:_SHOWN_PATHS])}{f' and {more} more' if more > 0 else ''}"
    for row in rows:
        handle = row.prediction_id or row.key
        if row.state is IntentState.KNOWN and not (row.status and row.status.is_terminal):
            status = row.status.value if row.status else "running"
            yield f"it is still {status}; get_prediction with id '{handle}' waits for it"
        if row.state is not IntentState.KNOWN and (is_open or not row.may_be_sent):
            yield f"it is being sent or was never answered; get_prediction with id '{handle}' shows what became of it"
    if any(image.state in (ImageState.WANTED, ImageState.REFUSED) for image in images):
        handle = rows[0].prediction_id or rows[0].key
        yield f"it is not saved yet; get_prediction with id '{handle}' fetches it"
