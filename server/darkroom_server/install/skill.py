"""The skill: a page that tells an assistant when to use which tool, put where its program looks for such pages."""

from pathlib import Path

from darkroom.errors import InvalidRequest
from darkroom_server.install.clients import Client, Machine

_NAME = "darkroom"


def skill_text() -> str:
    """The page. In an installed package it lies beside this module, in a checkout in `server/skill`."""
    packed = Path(__file__).with_name("SKILL.md")
    file = packed if packed.is_file() else Path(__file__).parents[2] / "skill" / "SKILL.md"
    return file.read_text(encoding="utf-8")


def skill_path(client: Client, machine: Machine, *, in_project: bool) -> Path:
    """Where `client` looks for it. Raises: InvalidRequest where the client has no place for skills."""
    if not client.skills:
        words = f"{client.title} has no folder for skills that is known here. --print shows the skill."
        raise InvalidRequest(words)
    return (machine.project if in_project else machine.home) / client.skills / _NAME / "SKILL.md"
