"""A gateway key that cannot slip into a log, a traceback or a report."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Key:
    """A secret and the variable that gave it; only `reveal` shows the secret. An empty key is False."""

    _secret: str = field(default="", repr=False)
    variable: str = ""

    def reveal(self) -> str:
        """The secret itself, for the Authorization header and for redaction only."""
        return self._secret

    @property
    def masked(self) -> str:
        """`r8_a…3f`: enough to tell two keys apart, empty for no key."""
        if len(self._secret) < 12:
            return "…" if self._secret else ""
        return f"{self._secret[:4]}…{self._secret[-2:]}"

    def __bool__(self) -> bool:
        return bool(self._secret)

    def __str__(self) -> str:
        return self.masked
