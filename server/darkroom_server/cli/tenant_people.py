"""`darkroom-mcp tenant …` for single persons of a tenant: limits, administrators, forgetting."""

import math
import sys
from typing import TYPE_CHECKING, Annotated

import anyio
import typer

from darkroom.errors import InvalidRequest
from darkroom.reports.amounts import usd
from darkroom.settings import Settings
from darkroom_server.cli.screen import note
from darkroom_server.cli.team import owner, team_settings

if TYPE_CHECKING:
    from darkroom_server.team.administration import Person
    from darkroom_server.team.vault import Vault

Name = Annotated[str, typer.Argument(help="The tenant.", metavar="NAME")]
ForPerson = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--principal", metavar="ISSUER SUBJECT", help="For this person alone: issuer and subject of the log-in."
    ),
]
_Issuer = Annotated[str, typer.Argument(help="The issuer of the person's log-in.", metavar="ISSUER")]
_Subject = Annotated[str, typer.Argument(help="Their subject there.", metavar="SUBJECT")]

_IsAgreed = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def limit(
    name: Name,
    usd_per_day: Annotated[str, typer.Option("--usd-per-day", help="US dollars a day, or none.", metavar="X")],
    principal: ForPerson = None,
) -> None:
    """Set what a tenant may spend in a day, or one person in it; both limits hold."""
    most_usd = _amount(usd_per_day)
    with owner() as administration:
        administration.set_limit(name, most_usd, principal and person_of(principal))
        whom = f"{principal[1]} of {principal[0]} in tenant '{name}'" if principal else f"Tenant '{name}'"
        of_day = "without limit" if most_usd is None else f"{usd(most_usd)} a day"
        note(f"{whom} may spend {of_day}, from the next create on.")


def admin(
    name: Name,
    issuer: _Issuer,
    subject: _Subject,
    is_revoked: Annotated[bool, typer.Option("--revoke", help="Let them see it no longer.")] = False,
) -> None:
    """Let a person see the whole tenant on the page: spending by person, limits, what is open, the audit.

    They see no prompt and no picture of others, and change nothing.
    """
    with owner() as administration:
        administration.set_administrator(name, person_of((issuer, subject)), is_one=not is_revoked)
        says = "no longer sees" if is_revoked else "sees"
        note(f"{subject} of {issuer} {says} the whole tenant '{name}' on the page.")


def forget(issuer: _Issuer, subject: _Subject, is_agreed: _IsAgreed = False) -> None:
    """Forget a person: cancel what runs, delete their images, then all rows about them. It cannot be undone."""
    from darkroom_server.team.forgetting import Forgetting

    vault = vault_of()
    with owner() as administration:
        forgetting = Forgetting(administration, vault, _places(), person_of((issuer, subject)))
        _, found = forgetting.found()
        if not is_agreed:
            _ask(f"Forget {subject} of {issuer}: {found}?")
        note(anyio.run(forgetting.forget))


def remove(name: Name, is_agreed: _IsAgreed = False) -> None:
    """Remove a tenant with all that is its own: images, predictions, people, keys, tokens. It cannot be undone.

    A prediction that is open stops it. The audit alone keeps that it was removed.
    """
    from darkroom_server.team.removing import Removing

    with owner() as administration:
        removing = Removing(administration, _places(), name)
        found = removing.found()
        if not is_agreed:
            _ask(f"Remove tenant '{name}' with {found}?")
        note(anyio.run(removing.remove))


def _places() -> tuple[str, str]:
    """Where images lie, and on this computer what the database did not take."""
    settings = Settings.read()
    return settings.output_location, str(settings.data_path / "team")


def _ask(question: str) -> None:
    """Raises: InvalidRequest unless the answer is yes."""
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidRequest(f"{question} There is no terminal to ask at. Repeat it with --yes to go ahead.")
    if not typer.confirm(question, err=True):
        raise InvalidRequest("Not confirmed. Nothing was changed.")


def vault_of() -> "Vault":
    """Raises: SettingsError as `owner`, or where the keys cannot be used."""
    team = team_settings()
    team.require("migrate_url")
    from darkroom_server.team.vault import Vault

    return Vault.read(team.master_keys.get_secret_value())


def person_of(named: tuple[str, str]) -> "Person":
    from darkroom_server.team.administration import Person

    return Person(*named)


def _amount(text: str) -> float | None:
    if text.strip().lower() == "none":
        return None
    try:
        amount = float(text.strip().removeprefix("$"))
    except ValueError:
        amount = math.nan
    if not 0 <= amount < math.inf:
        raise InvalidRequest(f"--usd-per-day {text[:40]!r} is not possible. Allowed: US dollars, 0 or more, or none.")
    return amount


def usd_or_none(amount: float | None) -> str:
    return "no limit" if amount is None else usd(amount)
