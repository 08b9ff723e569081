"""What `--env` may say: names that darkroom reads, spelt as it reads them, and values that it can use."""

from collections.abc import Mapping

from darkroom.errors import InvalidRequest, SettingsError
from darkroom.gateways import load_gateways
from darkroom.settings import Settings, described, variable_of
from darkroom.settings_sources import PREFIX
from darkroom.spelling import closest

_OTHERS = ("SSL_CERT_FILE", "SSL_CERT_DIR", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")
_SECRET_ENDS = ("KEY", "TOKEN", "SECRET", "PASSWORD")
_FOR_ASSISTANTS = " Ask the user to mend it."
_ALIKE = 0.8
_STAND_IN = "to-be-looked-up-by-the-client"


def is_secret(name: str) -> bool:
    """Whether a variable of this name holds a key."""
    return name.upper().endswith(_SECRET_ENDS)


def check_name(name: str) -> None:
    """Raises: InvalidRequest for a name that is nearly one that darkroom reads; any other may be of use to somebody."""
    settings = [variable_of(field) for field in described()]
    keys = [variable for each in load_gateways().values() for variable in each.key_variables]
    known = [*settings, *keys, *_OTHERS]
    if name in known:
        return
    if name.upper().startswith(PREFIX):
        near = closest(name.upper(), settings, limit=1, cutoff=0.0)
        raise InvalidRequest(f"--env {name[:60]}: darkroom has no such setting. Did you mean {near[0]}?")
    if near := closest(name.upper(), known, limit=1, cutoff=_ALIKE):
        raise InvalidRequest(f"--env {name[:60]}: darkroom does not read it. Did you mean {near[0]}?")


def settled_gateway(home: str) -> str:
    """The gateway that the person's own file and stored keys choose; empty where they choose none."""
    settings = Settings.read_or_problem({"HOME": home, "USERPROFILE": home})
    return "" if settings.problem or settings.choice.gateway.is_sandbox else settings.choice.gateway.name


def check_values(given: Mapping[str, str], home: str) -> str:
    """Why calls would be refused until the client hands on what is missing; empty where nothing is.

    Raises: SettingsError where a value cannot be used, whatever else the client hands on.
    """
    around = {"HOME": home, "USERPROFILE": home, **given}
    completed = dict(around)
    if {"DARKROOM_GATEWAY", "DARKROOM_BASE_URL"} & given.keys():
        if not any(map(is_secret, given)):
            completed["DARKROOM_API_KEY"] = _STAND_IN
    elif "DARKROOM_API_KEY" in given:
        completed["DARKROOM_GATEWAY"] = "replicate"
    if problem := Settings.read_or_problem(completed).problem:
        raise SettingsError(f"{problem.message.removesuffix(_FOR_ASSISTANTS)} Nothing was written.")
    problem = Settings.read_or_problem(around).problem
    return problem.message if problem else ""
