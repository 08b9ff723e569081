"""The caller's own name for a wish: how one is drawn, and which ones can be found again."""

import re
import secrets

from darkroom.errors import InvalidInput

_LIST = re.compile(
    r"recent|today|yesterday|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}|find\s*[:\uff1a].*", re.IGNORECASE | re.DOTALL
)
_NUMBERED = re.compile(r"(.+)/([1-9][0-9]{0,2})", re.DOTALL)


def is_list(id: str) -> bool:
    """Whether it asks for a list of predictions: "recent", "today", "yesterday", a date, or "find: words"."""
    return _LIST.fullmatch(id.strip()) is not None


def is_latest(id: str) -> bool:
    """Whether it asks for the newest prediction."""
    return id.strip().removeprefix("prediction:").lower() == "latest"


def numbered(id: str) -> tuple[str, int]:
    """("p1", 3) of "p1/3" or "prediction:p1/3", the third picture of it; the number is 0 where there is none."""
    found = _NUMBERED.fullmatch(id.strip())
    return (found[1], int(found[2])) if found and not is_list(id) else (id, 0)


def fresh_request_id() -> str:
    """A new one, for a call that brought none."""
    return f"auto-{secrets.token_hex(6)}"


def checked_request_id(text: str) -> str:
    """The name without outer white space; empty where none was given.

    Raises: InvalidInput for one under which get_prediction would look for something else.
    """
    name = text.strip()
    if text and (not name or is_latest(name) or is_list(name) or name.startswith("prediction:")):
        raise InvalidInput(
            f"request_id {text[:40]!r} could not be found again: it must not be blank, a word for a list ('latest', "
            "'today', a date, 'find: …') or begin with 'prediction:'. Nothing was sent. Choose another name.",
            field="request_id",
        )
    return name
