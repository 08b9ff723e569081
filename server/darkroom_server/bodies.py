"""Bodies of requests, read to their end within bounds: of each one, of all of one person, and of all together."""

from collections.abc import AsyncIterable, Callable, Generator
from contextlib import contextmanager

_MIB = 2**20
AGAIN_S = 5

# Told of each part as it comes, in bytes. Raises: TooMuchAtOnce.
Take = Callable[[int], None]


class TooMuchAtOnce(Exception):
    """A person, or all people together, send more than is held at once: an HTTP status, and what to do in words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status
        self.words = words


async def whole_body(parts: AsyncIterable[bytes], most_bytes: int, take: Take = lambda _: None) -> bytes | None:
    """None where it is longer; the rest of it is not read then. Raises: TooMuchAtOnce."""
    body = bytearray()
    async for part in parts:
        take(len(part))
        body += part
        if len(body) > most_bytes:
            return None
    return bytes(body)


class HeldBodies:
    """How many bytes of bodies are held: `most_of_one` for each person at once, and `most_of_all` for all people."""

    def __init__(self, most_of_one: int = 64 * _MIB, most_of_all: int = 256 * _MIB) -> None:
        self._most_of_one = most_of_one
        self._most_of_all = most_of_all
        self._by_person: dict[str, int] = {}
        self._all = 0

    @contextmanager
    def by(self, person: str) -> Generator[Take]:
        """Counts what a request of this person holds, until the block ends."""
        own = 0

        def take(size: int) -> None:
            nonlocal own
            self._refuse_beyond(self._by_person.get(person, 0) + size, self._all + size)
            own += size
            self._count(person, size)

        try:
            yield take
        finally:
            self._count(person, -own)

    def _refuse_beyond(self, of_one: int, of_all: int) -> None:
        if of_one > self._most_of_one:
            words = f"You send more than {self._most_of_one // _MIB} MiB at once. Send fewer pictures at a time"
            raise TooMuchAtOnce(429, f"{words}, or try again in a moment. Nothing was kept of this one.")
        if of_all > self._most_of_all:
            words = "Too many pictures are on their way to this server at the moment. Nothing was kept of this one"
            raise TooMuchAtOnce(503, f"{words}. Try again in a moment.")

    def _count(self, person: str, size: int) -> None:
        self._all += size
        self._by_person[person] = self._by_person.get(person, 0) + size
        if not self._by_person[person]:
            del self._by_person[person]
