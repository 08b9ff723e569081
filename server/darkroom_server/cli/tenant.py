"""`darkroom-mcp tenant`: the tenants of a team's darkroom, their keys, tokens and limits. No key is ever shown."""

from typing import Annotated, Any

import typer

from darkroom.errors import InvalidRequest
from darkroom_server.cli.hidden import read_hidden
from darkroom_server.cli.moments import moment
from darkroom_server.cli.screen import note, show_columns, show_json
from darkroom_server.cli.team import owner
from darkroom_server.cli.tenant_people import (
    ForPerson,
    Name,
    admin,
    forget,
    limit,
    person_of,
    remove,
    usd_or_none,
    vault_of,
)

_AsJson = Annotated[bool, typer.Option("--json", help="Print it as JSON.")]
_HEADS = ("tenant", "zone", "a day", "today", "people", "machines")
_KEY_HEADS = ("gateway", "address", "a minute", "key set", "whose")
_ACT_HEADS = ("time", "who", "act", "which")


def tenant_commands() -> typer.Typer:
    """The commands as one group."""
    group = typer.Typer(help="Administer the tenants of a team's darkroom. Needs DARKROOM_MIGRATE_URL.")
    for command, name, example in (
        (add, "add", "acme --zone Europe/Berlin"),
        (list_tenants, "list", "--json"),
        (key, "key", "acme --gateway replicate --creates-per-minute 300 < key.txt"),
        (token, "token", "acme nightly-build --days 90"),
        (limit, "limit", "acme --usd-per-day 20"),
        (admin, "admin", "acme https://login.example.com 8f14e45f-ea11"),
        (reseal, "reseal", ""),
        (audit, "audit", "acme --since 7d"),
        (remove, "remove", "acme"),
        (forget, "forget", "https://login.example.com 8f14e45f-ea11"),
    ):
        group.command(name=name, epilog=f"Example: darkroom-mcp tenant {name} {example}".rstrip())(command)
    return group


def add(
    name: Name,
    zone: Annotated[
        str, typer.Option(help="Where its spending day begins at midnight, such as Europe/Berlin.")
    ] = "UTC",
) -> None:
    """Add a tenant."""
    with owner() as administration:
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
    with owner() as administration:
        tenants = administration.tenants()
    if as_json:
        show_json({"tenants": [_record(each) for each in tenants]})
    elif not tenants:
        note("There is no tenant. `darkroom-mcp tenant add NAME` adds one.")
    else:
        show_columns(
            _HEADS + _KEY_HEADS, [row for each in tenants for row in _cells(each)], flexible=("address", "whose")
        )
        for each in tenants:
            for own in each["limits"]:
                note(f"{each['name']}: {usd_or_none(own['usd_per_day'])} a day for {own['subject']} of {own['issuer']}")
            for person in each["administrators"]:
                note(f"{each['name']}: {person['subject']} of {person['issuer']} administers it on the page")


def key(
    name: Name,
    gateway: Annotated[str, typer.Option("--gateway", help="The gateway, such as replicate.")],
    base_url: Annotated[str, typer.Option("--base-url", help="Its address, where that is not its own.")] = "",
    creates_per_minute: Annotated[
        int | None, typer.Option("--creates-per-minute", help="The most that may be sent with this key in a minute.")
    ] = None,
    principal: ForPerson = None,
) -> None:
    """Keep a gateway key, and on a second line the secret of its webhooks, from stdin or typed without being shown.

    Of several gateways the one whose key was set last is used for new predictions.
    """
    from darkroom_server.team.new_key import NewKey

    vault = vault_of()
    with owner() as administration:
        administration.check_tenant(name)
        key = read_hidden(f"Key for {gateway} (not shown): ")
        if not key:
            raise InvalidRequest(
                "No key came. Type it at the prompt, or give it as a line of stdin. Nothing was stored."
            )
        secret = read_hidden("Secret of its webhooks (not shown; Enter for none): ")
        new = NewKey(gateway=gateway, base_url=base_url, key=key, secret=secret, creates_per_minute=creates_per_minute)
        account = administration.set_key(name, new, vault, principal and person_of(principal))
        also = " and the secret of its webhooks are" if secret else " is"
        note(f"The key of {gateway} for tenant '{name}'{also} sealed and kept, as account {account}.")


def token(
    name: Name,
    subject: Annotated[str, typer.Argument(help="A name for the machine.", metavar="SUBJECT")],
    days: Annotated[
        int | None, typer.Option(help="How many days it is valid; for ever where that is not said.")
    ] = None,
    is_revoked: Annotated[bool, typer.Option("--revoke", help="Take the tokens of this machine away instead.")] = False,
) -> None:
    """Print a new token for a machine, once: only its hash is kept."""
    with owner() as administration:
        if is_revoked:
            count = administration.revoke_tokens(name, subject)
            note(f"{count} token{'s' if count > 1 else ''} of '{subject}' in tenant '{name}' can no longer be used.")
            return
        made = administration.new_token(name, subject, days)
    typer.echo(made)
    note("This is shown once and kept nowhere. The machine sends it as `Authorization: Bearer …`.")


def reseal() -> None:
    """Seal every kept key with the newest of DARKROOM_MASTER_KEYS, after a new one was put before the others."""
    vault = vault_of()
    with owner() as administration:
        count, all_count = administration.reseal(vault)
    note(
        f"{count} of {all_count} accounts were sealed anew; all are sealed with master key '{vault.newest}' now. Older "
        "ones can be taken out of DARKROOM_MASTER_KEYS once every replica and worker runs with the newest."
    )


def audit(
    name: Name,
    since: Annotated[str, typer.Option(help="today, yesterday, a date, or a time ago such as 12h, 7d, 2w.")] = "7d",
    limit: Annotated[int, typer.Option("--limit", "-n", help="How many at most, newest first.", min=1)] = 1000,
    as_json: _AsJson = False,
) -> None:
    """List acts of administrators and creates that were sent, newest first. No prompt and no key is among them."""
    since_s = moment(since)
    with owner() as administration:
        acts = administration.acts(name, since_s, limit + 1)
    shown = acts[:limit]
    if as_json:
        show_json({"acts": [_act_record(each) for each in shown]})
    elif shown:
        show_columns(_ACT_HEADS, list(map(_act_cells, shown)), flexible=("who", "which"))
    else:
        note(f"Nothing was done in tenant '{name}' since then.")
    if len(acts) > limit:
        note(f"There are more: these are the newest {limit}. --limit shows more, --since fewer days.")


def _act_cells(act: dict[str, Any]) -> tuple[str, ...]:
    who = act["subject"] or act["who"] or "a person who was forgotten"
    return f"{act['at'].astimezone():%Y-%m-%d %H:%M:%S}", who, act["act"], act["whom"] or act["which"]


def _act_record(act: dict[str, Any]) -> dict[str, Any]:
    return {
        "at": act["at"].isoformat(timespec="milliseconds"),
        "who": {name: act[name] for name in ("issuer", "subject")} if act["issuer"] else act["who"] or None,
        "act": act["act"],
        "which": act["whom"] or act["which"] or None,
    }


def _record(tenant: dict[str, Any]) -> dict[str, Any]:
    today = tenant["today"]
    return tenant | {
        "added_at": tenant["added_at"].isoformat(timespec="seconds"),
        "today": {"settled_usd": today.settled_usd, "reserved_usd": today.reserved_usd},
        "keys": [each | {"set_at": each["set_at"].isoformat(timespec="seconds")} for each in tenant["keys"]],
    }


def _cells(tenant: dict[str, Any]) -> list[tuple[str, ...]]:
    """One line for each key; the first also says what is the tenant's."""
    amounts = map(usd_or_none, (tenant["usd_per_day"], tenant["today"].total_usd))
    own = (tenant["name"], tenant["zone"], *amounts, str(tenant["people"]), str(tenant["tokens"]))
    keys: list[tuple[str, ...]] = [
        (
            each["gateway"],
            each["base_url"] or "its own",
            str(each["creates_per_minute"] or ""),
            each["set_at"].strftime("%Y-%m-%d"),
            each["principal"]["subject"] if each["principal"] else "the team's",
        )
        for each in tenant["keys"]
    ]
    first, *others = keys or [("none yet", "", "", "", "")]
    return [own + first, *(("",) * 6 + each for each in others)]
