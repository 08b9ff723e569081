"""The options of a sandbox."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from darkroom.registry import ModelRegistry

_ID_LETTERS = "0123456789abcdefghjkmnpqrstvwxyz"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def random_id() -> str:
    """26 lowercase base32 letters, as the format's ids have."""
    return "".join(secrets.choice(_ID_LETTERS) for _ in range(26))


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """`profile` names a row of profiles.toml; an empty `key` lets everybody in.

    `base_url` is where clients reach it: output, file and paging URLs are built on it.
    `store_path` is a SQLite file that lets predictions outlive the process; None keeps them in memory.
    With `has_drifted` some models have changed since they were curated (drift.toml).
    `speed` divides the run time (1 paints in 0.4 to 1.5 s); times that a prompt asks for by weather stay as they are.
    What is larger than `painted_px` is painted with as many pixels and enlarged.
    """

    profile: str = "replicate"
    key: str = ""
    base_url: str = "http://sandbox.darkroom.invalid"
    store_path: Path | None = None
    clock: Callable[[], float] = time.time
    new_id: Callable[[], str] = random_id
    speed: float = 1.0
    painted_px: int = 1_300_000
    registry: ModelRegistry | None = None
    has_drifted: bool = False

    @property
    def origin(self) -> str:
        return self.base_url.rstrip("/")

    @property
    def inlines(self) -> bool:
        """Whether a held create answers with data URIs, which the official clients turn into files.

        It does on plain-http loopback, where they would leave an http URL as a bare string.
        """
        parts = urlsplit(self.base_url)
        return parts.scheme == "http" and parts.hostname in _LOOPBACK
