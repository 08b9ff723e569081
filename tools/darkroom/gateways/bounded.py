"""One exchange with a server that is no gateway, such as an authorization server: bounded in time and bytes, no key."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import anyio

if TYPE_CHECKING:
    from ssl import SSLContext

_HEADERS = {"Accept": "application/json"}


def exchange(
    address: str,
    form: Mapping[str, str] | None = None,
    *,
    trusted: "SSLContext",
    within_s: float,
    most_bytes: int,
    may_move: bool = False,
) -> tuple[int, bytes]:
    """The status and the first `most_bytes` of what answers a GET, or a POST of a form; redirects where it `may_move`.

    It blocks, for `within_s` at most however slowly the answer drips. Raises: OSError (TimeoutError is one).
    """
    import httpx

    async def ask() -> tuple[int, bytes]:
        content = b""
        with anyio.fail_after(within_s):
            async with (
                httpx.AsyncClient(verify=trusted, follow_redirects=may_move, timeout=None) as client,
                client.stream("POST" if form else "GET", address, data=form, headers=_HEADERS) as answer,
            ):
                async for part in answer.aiter_bytes():
                    content += part
                    if len(content) > most_bytes:
                        break
        return answer.status_code, content[:most_bytes]

    try:
        return anyio.run(ask)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise OSError(f"{type(error).__name__}: {error}") from error
