"""The gateways that the sandbox can play, read from profiles.toml."""

import tomllib
from functools import lru_cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict

Endpoint = Literal["cancel", "list", "files", "models", "account", "token_log"]


class SandboxProfile(BaseModel):
    """One row; the TOML file says what each field means."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    create_status: int
    version_refs: tuple[Literal["id", "name:id", "name"], ...]
    takes_model_key: bool
    honours_prefer: bool
    has: tuple[Endpoint, ...]
    missing: Literal["problem", "envelope", "page", "redirect"]
    errors: Literal["problem", "comet", "new_api"]
    remap: dict[int, int] = {}
    version_word: Literal["hidden", "dp"]
    own_urls: bool
    links: tuple[Literal["web", "stream"], ...] = ()
    omits: tuple[str, ...] = ()
    omits_at_create: tuple[str, ...] = ()
    source: str = ""


@lru_cache(maxsize=1)
def sandbox_profiles() -> dict[str, SandboxProfile]:
    """Every profile by name."""
    text = files("darkroom_server.sandbox").joinpath("profiles.toml").read_text(encoding="utf-8")
    return {name: SandboxProfile.model_validate(row) for name, row in tomllib.loads(text).items()}


def sandbox_profile(name: str) -> SandboxProfile:
    """Raises: ValueError for a name that no row has; it lists the names."""
    profiles = sandbox_profiles()
    if name not in profiles:
        raise ValueError(f"The sandbox has no profile {name!r}. It has: {', '.join(profiles)}.")
    return profiles[name]
