"""How a model is named: `owner/name`, or `owner/name:version` for one fixed version."""

import re
from dataclasses import dataclass

from darkroom.errors import UnknownModel

_REFERENCE = re.compile(r"([A-Za-z0-9_-]{1,100})/([A-Za-z0-9._-]{1,100})(?::([A-Za-z0-9._-]{1,128}))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRef:
    """A full name taken apart; `version` is empty where none was named."""

    owner: str
    name: str
    version: str = ""

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """Read `owner/name[:version]`; lower case, as the registry and the format write it.

        Raises:
            UnknownModel: the text has another form.
        """
        match = _REFERENCE.fullmatch(text.strip())
        if match is None:
            raise UnknownModel(
                f"{text[:80]!r} is not a model name. Write it as owner/name, for example "
                "'black-forest-labs/flux-schnell'; list_models shows all. Nothing was sent."
            )
        owner, name, version = match.groups()
        return cls(owner=owner.lower(), name=name.lower(), version=version or "")

    @property
    def full_name(self) -> str:
        """`owner/name`, without the version."""
        return f"{self.owner}/{self.name}"

    def __str__(self) -> str:
        return f"{self.full_name}:{self.version}" if self.version else self.full_name
