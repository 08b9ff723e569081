"""The caller's own name for a wish: how one is drawn, and which ones can be found again."""

import secrets

from darkroom.errors import InvalidInput


def fresh_request_id() -> str:
    """A new one, for a call that brought none."""
    return f"auto-{secrets.token_hex(6)}"


def checked_request_id(text: str) -> str:
    """The name without outer white space; empty where none was given.

    Raises: InvalidInput for one under which get_prediction would look for something else.
    """
    name = text.strip()
    if text and (not name or name == "latest" or name.startswith("prediction:")):
        raise InvalidInput(
            f"request_id {text[:40]!r} could not be found again: it must not be blank, 'latest' or begin with "
            "'prediction:'. Nothing was sent. Choose another name.",
            field="request_id",
        )
    return name
