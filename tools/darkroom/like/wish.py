"""A wish: a whole request, made of what is given and of the earlier prediction that `like` names."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput
from darkroom.images import ImageState, ReadImage, StoredImage
from darkroom.journal import Intent, IntentState
from darkroom.like.merging import Merging, is_lost
from darkroom.outputs.local_files import quotable
from darkroom.registry import ImageRequest
from darkroom.request_ids import numbered
from darkroom.uris import scheme_of, shorten_data_uri

_SHOWN = 80
_SHOWN_BY_ERRORS = 60
_SHOWN_PATHS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """A whole request, and what it took over from the earlier prediction that `source` names ("" from none).

    `known`: SHA-256 of each image that was read for that one, by its reference; `taken`: those of them that were taken
    over. `same`: why it would be the same image, unless an image given anew has other bytes.
    """

    request: ImageRequest
    notes: tuple[str, ...] = ()
    source: str = ""
    known: Mapping[str, str] = field(default_factory=dict[str, str])
    taken: frozenset[str] = frozenset()
    same: str = ""

    def refuse_other_images(self, read: Sequence[ReadImage]) -> None:
        """`read` are the images of this wish. Raises: InvalidInput where one that was taken over is another by now."""
        now = {shorten_data_uri(each.given): each.sha256 for each in read}
        if self.same and all(self.known.get(reference) == sha256 for reference, sha256 in now.items()):
            raise InvalidInput(self.same, field="like")
        for reference in self.taken:
            if now.get(reference, self.known[reference]) != self.known[reference]:
                raise InvalidInput(
                    f"'{reference[-_SHOWN:]}' has changed since '{self.source}' was made with it. Nothing was sent. "
                    "To use it as it is now, give images (or mask) again beside like.",
                    field="images",
                )

    def unreadable(self, error: InvalidInput) -> InvalidInput:
        """The refusal of an image, saying where it comes from if it was taken over."""
        if not any(reference[:_SHOWN_BY_ERRORS] in error.message for reference in self.taken):
            return error
        words = f"'{self.source}' was made with an image that cannot be used now. {error.message} Nothing was sent."
        return InvalidInput(f"{words} Give images (or mask) again beside like.", field=error.field)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Earlier:
    """The rows that are meant, all of one request or one of them; `number` is the one image of them, from 1, or 0."""

    name: str
    rows: tuple[Intent, ...]
    number: int = 0

    @property
    def row(self) -> Intent:
        return self.rows[0]


async def whole(darkroom: Darkroom, request: ImageRequest) -> Wish:
    """The request itself where it has no `like`. Raises: InvalidInput, JournalError."""
    if not (text := request.like.strip()):
        return Wish(request=replace(request, like=""))
    earlier = await _find(darkroom, text)
    merging = Merging.of(darkroom.registry, earlier.row, request, count=_count(earlier))
    wanted, unchanged = merging.request(), merging.unchanged()
    known = {each.given: each.sha256 for each in earlier.row.images_read}
    lost, same = next(merging.lost(), None), ""
    if wanted.to_json() == unchanged.to_json():
        same = await _same_image_words(darkroom, earlier)
        # What it was made with may be another image by now, which is seen once it is read.
        if same and not (request.images or request.mask) and (lost or not any(map(_is_file, known))):
            raise InvalidInput(same, field="like")
    if lost:
        raise _lost_refusal(earlier.name, *lost)
    given = {shorten_data_uri(text) for text in merging.given_texts()}
    taken = frozenset(known.keys() - given)
    notes = (*_notes(darkroom, earlier, wanted, unchanged), *merging.notes(), *_unverified(wanted, known, given))
    return Wish(request=wanted, notes=notes, source=earlier.name, known=known, taken=taken, same=same)


async def _find(darkroom: Darkroom, text: str) -> _Earlier:
    name = text.removeprefix("prediction:").strip()
    if name == "latest" or name.startswith("latest/"):
        raise _refusal("like='latest' could be another picture by the time of a retry. Give the id instead.")
    rows, number = await _rows(darkroom, name), 0
    if not rows and (found := numbered(name))[1]:
        rows, number = await _rows(darkroom, found[0]), found[1]
    if not rows:
        words = f"like '{text[:_SHOWN]}' is no prediction that was made here, and no request_id."
        raise _refusal(f"{words} Give the id from an answer; get_prediction(id='latest') shows the last one.")
    if not rows[0].request:
        raise _refusal(
            f"'{name[:_SHOWN]}' was not made through darkroom, so what was asked for is not known. Give model, prompt "
            "and the rest yourself, without like; its picture can be one of images."
        )
    if not number:
        return _Earlier(name=name, rows=rows)
    row, number = _part(rows, number, name)
    return _Earlier(name=name, rows=(row,), number=number)


async def _rows(darkroom: Darkroom, name: str) -> tuple[Intent, ...]:
    """All parts of a request by its request_id or the id of its first one; a later part alone by its own id."""
    row = await darkroom.journal.find(name)
    if row is None:
        return await darkroom.journal.by_request(name)
    parts = await darkroom.journal.by_request(row.request_id) if row.request_id else ()
    return parts if parts and parts[0].key == row.key else (row,)


def _part(rows: Sequence[Intent], number: int, name: str) -> tuple[Intent, int]:
    """The part that made image `number` (from 1), and its number there."""
    left = number
    for row in rows:
        count = max(row.image_count, len(row.images))
        if left <= count:
            return row, left
        left -= count
    raise _refusal(f"like '{name[:_SHOWN]}': there is no image {number}, only {number - left}.")


def _count(earlier: _Earlier) -> int:
    """How many images, where that is not as many as the whole request asked for (0)."""
    if earlier.number:
        return 1
    return earlier.row.image_count if len(earlier.rows) == 1 and earlier.row.part else 0


async def _same_image_words(darkroom: Darkroom, earlier: _Earlier) -> str:
    """Why the same image again is not paid for: it is here or on its way; empty where it failed or was lost."""
    rows, number = await darkroom.with_links(earlier.rows), earlier.number
    images = [image for row in rows for image in row.images if number in (0, image.index + 1)]
    is_open = any(darkroom.work.watched(row) is not None for row in rows if row.may_be_sent)
    where = next(_places(rows, images, is_open), "")
    if not where:
        return ""
    seed = rows[0].seed
    another = "any seed" if seed is None else f"another seed than {seed}"
    return (
        f"Nothing but like='{earlier.name}' was given, so it would be the same image again: {where}. Nothing was sent. "
        f"For another one give {another}, or whatever is to change."
    )


def _places(rows: Sequence[Intent], images: Sequence[StoredImage], is_open: bool) -> Iterator[str]:
    paths = [image.file.shown for image in images if image.file]
    if paths:
        more = len(paths) - _SHOWN_PATHS
        yield f"it is in {', '.join(paths[:_SHOWN_PATHS])}{f' and {more} more' if more > 0 else ''}"
    for row in rows:
        if row.state is IntentState.KNOWN and not row.has_ended:
            status = row.status.value if row.status else "running"
            yield f"it is still {status}; get_prediction with id '{row.handle}' waits for it"
        if row.state is not IntentState.KNOWN and (is_open or not row.may_be_sent):
            told = f"get_prediction with id '{row.handle}' shows what became of it"
            yield f"it is being sent or was never answered; {told}"
    if any(image.state in (ImageState.WANTED, ImageState.REFUSED) for image in images):
        yield f"it is not saved yet; get_prediction with id '{rows[0].handle}' fetches it"


def _notes(darkroom: Darkroom, earlier: _Earlier, wanted: ImageRequest, unchanged: ImageRequest) -> Iterator[str]:
    before, after = unchanged.to_json(), wanted.to_json()
    changed = ["model_options" if name == "options" else name for name in after if after[name] != before[name]]
    rest = f" but {', '.join(changed)}" if changed else ""
    kept = f"; seed {wanted.seed} was kept" if wanted.seed >= 0 and "seed" not in changed else ""
    yield f"all of '{earlier.name}' was taken over{rest}{kept}."
    if "prompt" in changed and before["prompt"] and after["prompt"] and "images" not in changed:
        old = " ".join(str(before["prompt"]).split())
        yield (
            f"the new prompt replaced the old one ('{quotable(old, _SHOWN)}'): give the whole prompt, or "
            f"images=['prediction:{earlier.row.prediction_id}'] to change the picture itself."
        )
    if earlier.row.origin != darkroom.gateway.origin:
        yield f"'{earlier.name}' was made through gateway '{earlier.row.gateway}'; this one goes to the one in use now."
    if earlier.number and earlier.row.image_count > 1 and wanted.seed == unchanged.seed:
        together = f"'{earlier.name}' is one of {earlier.row.image_count} drawn together from one seed"
        yield f"{together}, so alone it may come out differently; to change that very picture give it in images."


def _unverified(wanted: ImageRequest, known: Mapping[str, str], given: set[str]) -> Iterator[str]:
    """Files taken over from a request that was written down without their hashes."""
    for reference in (*wanted.images, wanted.mask):
        if reference and reference not in known and reference not in given and _is_file(reference):
            yield f"'{reference[-_SHOWN:]}' was used as it is now: what it was then was not noted."


def _is_file(reference: str) -> bool:
    return scheme_of(reference) in ("", "file")


def _lost_refusal(source: str, argument: str, value: JsonValue) -> InvalidInput:
    why = "was a data URI, whose content is not kept" if is_lost(value) else "is a secret and is not kept"
    again = argument.partition("[")[0] if not argument.startswith("model_options") else "it in model_options"
    leave = ", or null to leave it out" if argument.startswith("model_options") else ""
    return _refusal(f"{argument} of '{source}' {why}. Give {again} again beside like{leave}.")


def _refusal(words: str) -> InvalidInput:
    return InvalidInput(f"{words} Nothing was sent.", field="like")
