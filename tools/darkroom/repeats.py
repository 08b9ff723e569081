"""A request_id that was used before: the same wish again, or another one that must not hide behind it."""

from collections.abc import Sequence
from contextlib import suppress

from pydantic import JsonValue

from darkroom.darkroom import Darkroom
from darkroom.errors import InvalidInput, UnknownModel
from darkroom.journal import Intent
from darkroom.outputs.local_files import quotable
from darkroom.registry import ImageRequest, MappedInput
from darkroom.secrets_in_inputs import masked_secrets
from darkroom.uris import scheme_of

_LAST_OF_PATH = 80  # its end says more than its beginning
_SHOWN = 60
_NOT_GIVEN = ImageRequest().to_json()


def refuse_other_arguments(darkroom: Darkroom, request: ImageRequest, earlier: Sequence[Intent]) -> None:
    """A repeat without a prompt only names its request_id; whatever else it gives has to be what was given before.

    Raises: InvalidInput where that was another gateway or other arguments; it names what differs and the id.
    """
    first = earlier[0]
    name, made = first.request_id, first.handle
    if first.origin != darkroom.gateway.origin:
        raise InvalidInput(
            f"request_id '{name}' was used through gateway '{first.gateway}', not the one in use now. Nothing was "
            "sent. get_prediction with it shows what it made; for a new image use another request_id.",
            field="request_id",
        )
    if not (differing := _differing(darkroom, request, first)):
        return
    field, told = differing[0], ["model_options" if each == "options" else each for each in differing]
    before, now = _shown(first.request.get(field)), _shown(_as_noted(request)[field])
    also = f" ({', '.join(told[1:])} differ as well)" if len(told) > 1 else ""
    raise InvalidInput(
        f"request_id '{name}' stands for prediction '{made}' with {told[0]} {before}, not {now}{also}. Nothing was "
        "sent. Repeat it with the same arguments, or use another request_id for another image.",
        field="request_id",
    )


async def changed_files(darkroom: Darkroom, earlier: Sequence[Intent]) -> tuple[str, ...]:
    """A note on each file that was read for them and holds another image by now."""
    notes: list[str] = []
    for each in earlier[0].images_read:
        if scheme_of(each.given) not in ("", "file"):
            continue
        with suppress(InvalidInput):
            now = await darkroom.look_at(MappedInput(input={"images": each.given}, file_fields=("images",)))
            if any(image.sha256 != each.sha256 for image in now):
                words = f"'{quotable(each.given[-_LAST_OF_PATH:])}' has changed since; this is of what it was then."
                notes.append(f"{words} For its new content use another request_id.")
    return tuple(notes)


def _differing(darkroom: Darkroom, request: ImageRequest, first: Intent) -> list[str]:
    given = _as_noted(request)
    names = [name for name in given if name != "model" and (request.prompt or given[name] != _NOT_GIVEN[name])]
    differing = [name for name in names if name in first.request and given[name] != first.request[name]]
    return [*differing, *(["model"] if request.model and not _is_model(darkroom, request.model, first) else [])]


def _as_noted(request: ImageRequest) -> dict[str, JsonValue]:
    """The request as the journal holds it."""
    return masked_secrets(request.to_json())


def _is_model(darkroom: Darkroom, name: str, first: Intent) -> bool:
    try:
        return darkroom.registry.get(name).name == first.model
    except UnknownModel:
        return name.strip().lower().partition(":")[0] == first.model


def _shown(value: JsonValue) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
