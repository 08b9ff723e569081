"""What one step of the mapping gives, and the form of its refusals."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import JsonValue

from darkroom.errors import InvalidInput
from darkroom.registry.model import Model

_MESSAGE_LIMIT = 300
_NOTHING_SENT = "Nothing was sent."
Input = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class ArgumentInputs:
    """Inputs that one argument of the caller leads to.

    `asked` says what the caller asked for, so the same input in `options` is a contradiction; `implied` is our own
    addition, which gives way to `options`.
    """

    argument: str = ""
    asked: Input = field(default_factory=Input)
    implied: Input = field(default_factory=Input)
    notes: tuple[str, ...] = ()


def refusal(argument: str, words: str) -> InvalidInput:
    """The error for an argument that does not fit, saying that nothing was sent."""
    room = _MESSAGE_LIMIT - len(_NOTHING_SENT) - 1
    words = words if len(words) <= room else words[: room - 1].rstrip() + "…"
    return InvalidInput(f"{words} {_NOTHING_SENT}", field=argument)


def refuse_unclear(model: Model, concept: str, argument: str) -> None:
    """Raises: InvalidInput where it is not clear which input of a live model carries an argument."""
    if why := model.unmapped.get(concept):
        words = f"It is not clear how '{model.name}' takes {argument}: {why[:110]}."
        raise refusal(argument, f"{words} Give it in model_options under the model's own name.")


def quoted(value: JsonValue, limit: int = 60) -> str:
    """A value as a person would quote it, cut at `limit` characters."""
    text = f"'{value}'" if isinstance(value, str) else repr(value)
    return text if len(text) <= limit else f"{text[: limit - 2]}…'"


def listed(values: Iterable[JsonValue], limit: int = 120) -> str:
    """Values separated by commas; where they are many, the first ones and how many there are."""
    texts = [str(value) for value in values]
    whole = ", ".join(texts)
    if len(whole) <= limit:
        return whole
    shown = whole[:limit].rpartition(", ")[0] or whole[:limit]
    return f"{shown}, … ({len(texts)} in all)"
