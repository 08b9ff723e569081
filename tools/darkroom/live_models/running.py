"""A model that was named and is not curated, as its gateway describes it: checked, and run the way it must be run."""

from darkroom.errors import InvalidInput, UnknownModel
from darkroom.gateways import Gateway
from darkroom.gateways.model_answers import NotTold
from darkroom.live_models.directory import Directory
from darkroom.live_models.second_opinion import overlaid
from darkroom.registry import Model, ModelRef, ModelRegistry
from darkroom.registry.live_schema import Description

_SHOWN_DIGITS = 8
_SHOWN_NAME = 80


async def as_described(directory: Directory, registry: ModelRegistry, model: Model) -> tuple[Model, tuple[str, ...]]:
    """The model to map a request to, and what to say of it; the same one where the gateway cannot be asked.

    A curated model is asked for only where a version was named that is not its own.

    Raises: UnknownModel where the gateway has none of that name or version; InvalidInput for one that makes no images.
    """
    curated = registry.find(model.name)
    if not directory.can_ask or (curated is not None and curated.version == model.version):
        return model, ()
    ref = ModelRef.parse(f"{model.name}:{model.version}" if model.version else model.name)
    found = await directory.find(ref)
    gateway = directory.client.gateway
    if isinstance(found, NotTold):
        if found.is_missing:
            raise UnknownModel(_missing_words(gateway, ref, registry, is_curated=curated is not None))
        return model, (f"Gateway '{gateway.name}' could not be asked what '{ref}' takes: {found.words}.",)
    if found.makes == "other":
        words = f"'{ref.full_name}' makes no images: its example at gateway '{gateway.name}' is of another kind."
        raise InvalidInput(f"{words} Nothing was sent. list_models shows models that do.", field="model")
    if curated is not None:
        overlay = overlaid(curated, found.model)
        said = f"as gateway '{gateway.name}' described it on {found.date}"
        return overlay.at_version(ref.version), (f"Checked against version {ref.version[:_SHOWN_DIGITS]} {said}.",)
    return _live_model(found, ref), _notes(found, ref, gateway)


def _live_model(found: Description, ref: ModelRef) -> Model:
    """An official model has no versions of its own. Where nobody says which it is, the version is only kept."""
    if ref.version:
        return found.model.at_version(ref.version)
    if found.is_official is None:
        return found.model.model_copy(update={"version": found.version})
    return found.model if found.is_official else found.model.at_version(found.version)


def _notes(found: Description, ref: ModelRef, gateway: Gateway) -> tuple[str, ...]:
    version = ref.version or found.version
    which = f" (version {version[:_SHOWN_DIGITS]})" if version else ""
    old = ", and could not be asked again now" if found.is_old else ""
    price = "" if gateway.is_sandbox else " Its price is unknown."
    kind = "" if found.makes in ("image", "svg") else " No example shows that it makes images."
    head = (
        f"'{ref.full_name}' is not in the registry: gateway '{gateway.name}' described it on {found.date}{which}{old}."
    )
    return (f"{head}{price}{kind}", *(f"{note[:1].upper()}{note[1:]}." for note in found.notes))


def _missing_words(gateway: Gateway, ref: ModelRef, registry: ModelRegistry, *, is_curated: bool) -> str:
    name = ref.full_name[:_SHOWN_NAME]
    if ref.version:
        advice = "Official models have none: leave the version out." if is_curated else "Leave it out for the newest."
        version = ref.version[:_SHOWN_DIGITS]
        return f"Gateway '{gateway.name}' has no version '{version}…' of '{name}'. Nothing was sent. {advice}"
    near = registry.closest(ref.full_name.removeprefix("deployments/"))
    hint = f" Closest: {', '.join(map(repr, near))}." if near else ""
    kind = "deployment" if ref.is_deployment else "model"
    return f"Gateway '{gateway.name}' has no {kind} '{name}'. Nothing was sent.{hint} list_models finds others."
