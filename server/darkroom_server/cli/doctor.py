"""`darkroom-mcp doctor`: which gateway, whose key, what answers, and what is missing."""

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import anyio
import typer

from darkroom.errors import GatewayError, GatewayUnreachable, JournalError, KeyRefused, SettingsError
from darkroom.gateways import GatewayProbe, PredictionClient, clean_words
from darkroom.journal import open_journal
from darkroom.registry import ModelRegistry
from darkroom.settings import Settings, described, variable_of
from darkroom.uris import is_url
from darkroom_server.cli.balance import balance_words
from darkroom_server.cli.team import check_database

_Finding = tuple[bool, str]  # whether it is fine, and what to say


def doctor() -> None:
    """Check the settings, the gateway and the folders. Costs nothing."""
    settings = Settings.read_or_problem()
    asks = (_about_settings, _about_team, _about_gateway, _about_journal, _about_images, _about_models, _about_limits)
    findings = [finding for about in asks for finding in about(settings)]
    for is_fine, words in findings:
        typer.echo(f"{'ok' if is_fine else '!!'}  {words}")
    raise typer.Exit(0 if all(is_fine for is_fine, _ in findings) else 1)


def _about_settings(settings: Settings) -> Iterator[_Finding]:
    """Each value that is set, and where; no key and no password."""
    sources = settings.sources
    if sources.path:
        is_there = sources.path.exists()
        yield True, f"Settings: the environment, then {sources.path}{'' if is_there else ', which is not there'}."
    for name, about in described().items():
        variable = variable_of(name)
        if name == "api_key" or variable not in sources.texts:
            continue
        value = clean_words(sources.texts[variable], 80)
        if name in ("proxy", "base_url"):
            gateway = None if settings.problem else settings.choice.gateway
            address = gateway and (gateway.base_url if name == "base_url" else gateway.route.proxy)
            value = str(getattr(address, "address", address)) if address else "set"
        where = sources.path if variable in sources.config else f"the environment ({variable})"
        yield True, f"  {name} = {value}, from {where}. Default: {about.default.replace('`', '')}."
    try:
        if settings.key_store.is_open_to_others():
            yield False, f"Keys: others can read {settings.key_store.path}. Run: chmod 600 '{settings.key_store.path}'"
        for name, place in settings.key_store.places().items():
            yield True, f"  A key for {name} is stored in {place}."
    except SettingsError as error:
        yield False, f"Keys: {error.message}"


def _about_team(settings: Settings) -> Iterator[_Finding]:
    """Whether this role can use the team's database."""
    if settings.team is None or settings.team.database_url is None:
        return
    try:
        role = check_database(settings.team)
        yield True, f"Team: the role {role} can use its database, whose tables are up to date."
    except (JournalError, SettingsError) as error:
        yield False, f"Team: {error.message}"
    yield True, "Team: its keys and limits are in `darkroom-mcp tenant list`; what follows is of your own darkroom."


def _next_step(error: GatewayError, name: str) -> str:
    """What the person should look at, which differs for a key, the network and certificates."""
    if isinstance(error, KeyRefused):
        return f"The network is fine and the gateway answers: look at the key. New one: darkroom-mcp key set {name}"
    if not isinstance(error, GatewayUnreachable):
        return "The gateway answers, but not as it should: look at its address."
    if "certificate" in error.message or "SSL_CERT_FILE" in error.message:
        return (
            "The network is fine, but who answers is not trusted; the key was not sent. Behind a company's inspection "
            "have its certificate installed in the system, or name its file in SSL_CERT_FILE."
        )
    return "Nobody answers, so the key was not tried: look at the network, or set DARKROOM_PROXY to the way out."


def _about_gateway(settings: Settings) -> Iterator[_Finding]:
    if settings.problem:
        yield False, f"Settings: {settings.problem.message}"
        return
    yield from ((True, f"Settings: {words}") for words in settings.gone)
    choice = settings.choice
    reason = choice.reason
    for variable in settings.sources.config:
        reason = reason.replace(variable, settings.sources.place_of(variable))
    yield True, f"Gateway: {choice.gateway.title} at {choice.gateway.base_url}. {reason}"
    yield True, f"Key: {choice.key.masked} from {choice.key.variable}." if choice.key else "Key: none needed."
    if (proxy := choice.gateway.route.proxy) and not choice.gateway.is_embedded:
        yield True, f"Proxy: {proxy.address} for the gateway and for images."
    try:
        probe, balance = anyio.run(_probe, settings)
    except SettingsError as error:
        yield False, f"Answer: {error.message}"
        return
    account = f", account {probe.account}" if probe.account else ""
    yield probe.is_key_accepted, f"Answer: {probe.words}{account}"
    if probe.error:
        yield False, f"  {_next_step(probe.error, choice.gateway.name)}"
    if balance:
        yield True, f"Key: {balance}."


async def _probe(settings: Settings) -> tuple[GatewayProbe, str]:
    choice = settings.choice
    async with PredictionClient(choice.gateway, choice.key, app=settings.embedded_sandbox()) as client:
        probe = await client.probe()
        return probe, await balance_words(client) if probe.is_key_accepted else ""


def _about_journal(settings: Settings) -> Iterator[_Finding]:
    try:
        warnings = anyio.run(_journal_warnings, settings.data_path / "journal.sqlite3")
    except JournalError as error:
        yield False, f"Journal: {error.message}"
        return
    yield True, f"Journal: {settings.data_path} can be written."
    yield from ((False, f"Journal: {warning}") for warning in warnings)


async def _journal_warnings(path: Path) -> tuple[str, ...]:
    async with open_journal(path) as journal:
        await journal.account("", "")  # opened for writing, which is what may fail, and nothing written
        return journal.warnings


def _about_images(settings: Settings) -> Iterator[_Finding]:
    location = settings.output_location
    if is_url(location):
        is_fine = importlib.util.find_spec("obstore") is not None
        words = "go to {}; not tried." if is_fine else "{} needs the extra 'cloud': install darkroom-mcp[cloud]."
        yield is_fine, f"Images: {words.format(location)}"
        return
    try:
        Path(location).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=location):
            yield True, f"Images: {location} can be written."
    except OSError as error:
        yield False, f"Images: {location} cannot be written ({error.strerror})."


def _about_models(settings: Settings) -> Iterator[_Finding]:
    registry = ModelRegistry.load(settings.models_dir)
    try:
        yield True, f"Models: {len(registry)} known."
        yield from ((False, f"Models: {problem}") for problem in registry.problems)
    except SettingsError as error:
        yield False, f"Models: {error.message}"


def _about_limits(settings: Settings) -> Iterator[_Finding]:
    limits = ((settings.max_usd_per_call, "a call"), (settings.max_usd_per_day, "a day"))
    words = [f"${limit:g} {span}" for limit, span in limits if limit is not None]
    yield True, f"Spending: at most {' and '.join(words)}." if words else "Spending: no limit is set."
