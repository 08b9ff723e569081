"""`darkroom-mcp tenant`: the tenants of a team's darkroom, their keys, tokens and limits. No key is ever shown."""

import math
from typing import TYPE_CHECKING, Annotated, Any

import anyio
import typer

from darkroom.errors import InvalidRequest
from darkroom.reports.amounts import usd
from darkroom.settings import Settings
from darkroom_server.cli.columns import show_columns
from darkroom_server.cli.hidden import read_hidden
from darkroom_server.cli.screen import note, show_json
from darkroom_server.cli.team_extra import owner_url, team_settings
from darkroom_server.cli.tenant_audit import audit

if TYPE_CHECKING:
    from darkroom.team_settings import TeamSettings
    from darkroom_server.team.administration import Person
    from darkroom_server.team.vault import Vault

_Name = Annotated[str, typer.Argument(help="The tenant.", metavar="NAME")]
_AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
_ForPerson = Annotated[
    tuple[str, str] | None,
    typer.Option(
        "--principal", metavar="ISSUER SUBJECT", help="For this person alone: issuer and subject of the log-in."
    ),
]
_HEADS = (
    "tenant",
    "zone",
    "a day",
    "today",
    "people",
    "machines",
    "gateway",
    "address",
    "a minute",
    "key set",
    "whose",
)


def tenant_commands() -> typer.Typer:
    """The commands as one group."""
    group = typer.Typer(help="Administer the tenants of a team's darkroom. Needs DARKROOM_MIGRATE_URL.")
    for command, name, example in (
        (add, "add", "acme --zone Europe/Berlin"),
        (list_tenants, "list", "--json"),
        (key, "key", "acme --gateway replicate --creates-per-minute 300 < key.txt"),
        (token, "token", "acme nightly-build --days 90"),
        (limit, "limit", "acme --usd-per-day 20"),
        (reseal, "reseal", ""),
        (audit, "audit", "acme --since 7d"),
        (forget, "forget", "https://login.example.com 8f14e45f-ea11"),
    ):
        group.command(name=name, epilog=f"Example: darkroom-mcp tenant {name} {example}".rstrip())(command)
    return group


def add(
    name: _Name,
    zone: Annotated[
        str, typer.Option(help="Where its spending day begins at midnight, such as Europe/Berlin.")
    ] = "UTC",
) -> None:
    """Add a tenant."""
    from darkroom_server.team.administration import administering

    with administering(owner_url()) as administration:
        administration.add(name, zone)
        count = len(administration.tenants())
    note(f"Tenant '{name}' is added. Next: darkroom-mcp tenant key {name} --gateway GATEWAY")
    if count > 1:
        note(
            f"There are {count} tenants now: set DARKROOM_TENANT_CLAIM for all replicas, or people who log in "
            "belong to none and are refused."
        )


def list_tenants(as_json: _AsJson = False) -> None:
    """List the tenants with their gateways and limits."""
    from darkroom_server.team.administration import administering

    with administering(owner_url()) as administration:
        tenants = administration.tenants()
    if as_json:
        show_json({"tenants": [_record(each) for each in tenants]})
    elif not tenants:
        note("There is no tenant. `darkroom-mcp tenant add NAME` adds one.")
    else:
        show_columns(_HEADS, [row for each in tenants for row in _cells(each)], flexible=("address", "whose"))
        for each in tenants:
            for own in each["limits"]:
                note(f"{each['name']}: {_usd(own['usd_per_day'])} a day for {own['subject']} of {own['issuer']}")


def key(
    name: _Name,
    gateway: Annotated[str, typer.Option("--gateway", help="The gateway, such as replicate.")],
    base_url: Annotated[str, typer.Option("--base-url", help="Its address, where that is not its own.")] = "",
    creates_per_minute: Annotated[
        int | None, typer.Option("--creates-per-minute", help="The most that may be sent with this key in a minute.")
    ] = None,
    principal: _ForPerson = None,
) -> None:
    """Keep a gateway key, and on a second line the secret of its webhooks, from stdin or typed without being shown.

    Of several gateways the one whose key was set last is used for new predictions.
    """
    from darkroom_server.team.administration import NewKey, administering

    vault = _vault()
    with administering(owner_url()) as administration:
        administration.check_tenant(name)
        key = read_hidden(f"Key for {gateway} (not shown): ")
        if not key:
            raise InvalidRequest(
                "No key came. Type it at the prompt, or give it as a line of stdin. Nothing was stored."
            )
        secret = read_hidden("Secret of its webhooks (not shown; Enter for none): ")
        new = NewKey(gateway=gateway, base_url=base_url, key=key, secret=secret, creates_per_minute=creates_per_minute)
        account = administration.set_key(name, new, vault, _person(principal))
    also = " and the secret of its webhooks are" if secret else " is"
    kept = f"The key of {gateway} for tenant '{name}'{also} sealed and kept, as account {account}."
    for line in (kept, *administration.notices):
        note(line)


def token(
    name: _Name,
    subject: Annotated[str, typer.Argument(help="A name for the machine.", metavar="SUBJECT")],
    days: Annotated[
        int | None, typer.Option(help="How many days it is valid; for ever where that is not said.")
    ] = None,
    is_revoked: Annotated[bool, typer.Option("--revoke", help="Take the tokens of this machine away instead.")] = False,
) -> None:
    """Print a new token for a machine, once: only its hash is kept."""
    from darkroom_server.team.administration import administering

    with administering(owner_url()) as administration:
        if is_revoked:
            count = administration.revoke_tokens(name, subject)
            note(f"{count} token{'s' if count > 1 else ''} of '{subject}' in tenant '{name}' can no longer be used.")
            return
        made = administration.new_token(name, subject, days)
    typer.echo(made)
    note("This is shown once and kept nowhere. The machine sends it as `Authorization: Bearer …`.")


def limit(
    name: _Name,
    usd_per_day: Annotated[str, typer.Option("--usd-per-day", help="US dollars a day, or none.", metavar="X")],
    principal: _ForPerson = None,
) -> None:
    """Set what a tenant may spend in a day, or one person in it; both limits hold."""
    from darkroom_server.team.administration import administering

    most_usd = _amount(usd_per_day)
    with administering(owner_url()) as administration:
        administration.set_limit(name, most_usd, _person(principal))
    whom = f"{principal[1]} of {principal[0]} in tenant '{name}'" if principal else f"Tenant '{name}'"
    of_day = "without limit" if most_usd is None else f"{usd(most_usd)} a day"
    for line in (f"{whom} may spend {of_day}, from the next create on.", *administration.notices):
        note(line)


def reseal() -> None:
    """Seal every kept key with the newest of DARKROOM_MASTER_KEYS, after a new one was put before the others."""
    from darkroom_server.team.administration import administering

    vault = _vault()
    with administering(owner_url()) as administration:
        count, all_count = administration.reseal(vault)
    note(
        f"{count} of {all_count} accounts were sealed anew; all are sealed with master key '{vault.newest}' now. Older "
        "ones can be taken out of DARKROOM_MASTER_KEYS once every replica and worker runs with the newest."
    )


def forget(
    issuer: Annotated[str, typer.Argument(help="The issuer of the person's log-in.", metavar="ISSUER")],
    subject: Annotated[str, typer.Argument(help="Their subject there.", metavar="SUBJECT")],
    is_agreed: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Forget a person: cancel what runs, delete their images, then all rows about them. It cannot be undone."""
    from darkroom_server.team.administration import Person, administering
    from darkroom_server.team.forgetting import Forgetting

    settings, vault = Settings.read(), _vault()
    with administering(owner_url()) as administration:
        places = (settings.output_location, str(settings.data_path / "team"))
        forgetting = Forgetting(administration, vault, places, Person(issuer, subject))
        found = forgetting.found()
        question = f"Forget {subject} of {issuer}: {found.words}?"
        if not is_agreed and not _agrees(question):
            raise InvalidRequest("Not confirmed. Nothing was forgotten.")
        note(anyio.run(forgetting.forget))


def _agrees(question: str) -> bool:
    import sys

    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        raise InvalidRequest(f"{question} There is no terminal to ask at. Repeat it with --yes to go ahead.")
    return typer.confirm(question, err=True)


def _team() -> "TeamSettings":
    """Raises: SettingsError where no database is named, or the extra is not installed."""
    team = team_settings()
    team.require("migrate_url")
    return team


def _vault() -> "Vault":
    keys = _team().master_keys.get_secret_value()
    from darkroom_server.team.vault import Vault

    return Vault.read(keys)


def _person(given: tuple[str, str] | None) -> "Person | None":
    from darkroom_server.team.administration import Person

    return Person(*given) if given else None


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


def _usd(amount: float | None) -> str:
    return "no limit" if amount is None else usd(amount)


def _record(tenant: dict[str, Any]) -> dict[str, Any]:
    keys: list[dict[str, Any]] = [
        {
            "id": each["id"],
            "gateway": each["gateway"],
            "base_url": each["base_url"] or None,
            "creates_per_minute": each["creates_per_minute"],
            "set_at": each["set_at"].isoformat(timespec="seconds"),
            "principal": {"issuer": each["issuer"], "subject": each["subject"]} if each["issuer"] else None,
        }
        for each in tenant["keys"]
    ]
    return {
        "name": tenant["name"],
        "zone": tenant["zone"],
        "usd_per_day": tenant["usd_per_day"],
        "today": {"settled_usd": tenant["today"].settled_usd, "reserved_usd": tenant["today"].reserved_usd},
        "added_at": tenant["added_at"].isoformat(timespec="seconds"),
        "people": tenant["people"],
        "tokens": tenant["tokens"],
        "keys": keys,
        "limits": [{name: each[name] for name in ("issuer", "subject", "usd_per_day")} for each in tenant["limits"]],
    }


def _cells(tenant: dict[str, Any]) -> list[tuple[str, ...]]:
    """One line for each key; the first also says what is the tenant's."""
    counts = (str(tenant["people"]), str(tenant["tokens"]))
    own = (tenant["name"], tenant["zone"], _usd(tenant["usd_per_day"]), _usd(tenant["today"].total_usd), *counts)
    keys: list[tuple[str, ...]] = [
        (
            each["gateway"],
            each["base_url"] or "its own",
            str(each["creates_per_minute"] or ""),
            each["set_at"].strftime("%Y-%m-%d"),
            each["subject"] or "the team's",
        )
        for each in tenant["keys"]
    ]
    first, *others = keys or [("none yet", "", "", "", "")]
    return [own + first, *(("",) * 6 + each for each in others)]
