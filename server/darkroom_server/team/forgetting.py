"""Forgetting a person: what runs is canceled, their images are deleted, then every row that says something of them.

What may be on its way or paid for is never deleted: a create that was sent and whose answer is not known yet stops it.
Their spending stays as sums without a name, so that the tenant's limit for the day holds on.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from darkroom.errors import DarkroomError, InvalidRequest, SettingsError
from darkroom.gateways import GatewayChoice, PredictionClient
from darkroom.journal.states import Event, guarded
from darkroom.outputs import open_target
from darkroom.reports.amounts import counted
from darkroom_server.team.administration import Administration, Person
from darkroom_server.team.tenants import MACHINES, SealedPlace, chosen, principal_hash
from darkroom_server.team.vault import Vault

Row = dict[str, Any]

_ENTER = """SELECT set_config('darkroom.tenant', %(tenant)s, true), set_config('darkroom.principal', %(hash)s, true),
    pg_advisory_xact_lock(hashtextextended(%(tenant)s, 7))"""
_COUNTS = """SELECT (SELECT count(*) FROM intents) AS predictions, (SELECT count(*) FROM images) AS images,
    (SELECT count(*) FROM principals WHERE tenant = %(tenant)s AND principal = %(hash)s) AS known"""
# A create in doubt for longer than that has no image any more, and can be settled by nobody.
_ON_THE_WAY = """SELECT count(*) AS count FROM intents WHERE state IN ('sent', 'unknown')
    AND sent_at > extract(epoch FROM clock_timestamp()) - 3600"""
_DROP = f"UPDATE intents SET reason = 'The person was forgotten.', {guarded(Event.DROP)}"
_RUNNING = (
    "SELECT key, prediction_id, account FROM intents WHERE state = 'known' AND ended_at IS NULL AND is_adopted = 0"
)
_KEYS = "SELECT * FROM gateway_accounts WHERE tenant = %(tenant)s AND principal IN ('', %(hash)s)"
_SUMS = """INSERT INTO forgotten_spending (tenant, spent_at, usd) SELECT tenant, coalesce(sent_at, intended_at),
    coalesce(cost_usd, CASE status WHEN 'aborted' THEN 0 ELSE estimate_usd END, 0) FROM intents
    WHERE is_adopted = 0 AND state IN ('sent', 'unknown', 'known')
    AND coalesce(sent_at, intended_at) > extract(epoch FROM clock_timestamp()) - 2 * 86400"""
# Every table that has rows of a principal, also those that came later; the sums that triggers keep go last.
_TABLES = """SELECT relname AS name FROM pg_class JOIN pg_attribute AS own ON own.attrelid = pg_class.oid
    JOIN pg_attribute AS whose ON whose.attrelid = pg_class.oid
    WHERE relkind IN ('r', 'p') AND relnamespace = current_schema()::regnamespace
    AND own.attname = 'principal' AND whose.attname = 'tenant' ORDER BY relname = 'tallies', relname"""
_OWN = "(SELECT id FROM gateway_accounts WHERE tenant = %(tenant)s AND principal = %(hash)s)"
# What is known of their own accounts: the gateway's name of one may be the person's.
_OWN_ACCOUNTS = (
    f"DELETE FROM accounts WHERE tenant = %(tenant)s AND account IN {_OWN}",
    f"DELETE FROM busy_accounts WHERE tenant = %(tenant)s AND account IN {_OWN}",
    f"DELETE FROM rates WHERE tenant = %(tenant)s AND EXISTS (SELECT 1 FROM {_OWN} AS own WHERE strpos(name, id) > 0)",
)
# A job brings home the images of several people.
_JOBS = (
    """UPDATE procrastinate_jobs SET args = jsonb_set(args, '{prediction_ids}', (
        SELECT coalesce(jsonb_agg(made.id), '[]') FROM jsonb_array_elements_text(args -> 'prediction_ids') AS made (id)
        WHERE made.id NOT IN (SELECT prediction_id FROM intents WHERE prediction_id IS NOT NULL)))
    WHERE status <> 'doing' AND args ->> 'tenant' = %(tenant)s AND args ? 'prediction_ids'""",
    f"""DELETE FROM procrastinate_jobs WHERE status <> 'doing'
    AND (args ->> 'account' IN {_OWN} OR args -> 'prediction_ids' = '[]')""",
)
_FORGET_ACT = """UPDATE audit SET who = CASE who WHEN %(hash)s THEN '' ELSE who END, which = ''
    WHERE tenant = %(tenant)s AND (who = %(hash)s OR which = %(hash)s)"""
_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What there is of a person, over all tenants."""

    tenants: tuple[str, ...]
    predictions: int
    images: int

    @property
    def words(self) -> str:
        said = f"{counted(self.predictions, 'prediction')} and {counted(self.images, 'image')}"
        return f"{said} in tenant {', '.join(self.tenants)}"


class Forgetting:
    """One person, in all tenants where they have been. `places`: folders and buckets with one of theirs below."""

    def __init__(self, administration: Administration, vault: Vault, places: Sequence[str], person: Person) -> None:
        self._administration = administration
        self._connection = administration.connection
        self._vault = vault
        self._places = [place.rstrip("/") for place in places]
        self._person = person
        self._hash = principal_hash(person.issuer, person.subject)

    def found(self) -> Found:
        """Raises: InvalidRequest where nobody of that name was ever here."""
        tenants, predictions, images = list[str](), 0, 0
        for each in self._administration.tenants():
            with self._as_person(each["name"]):
                (row,) = self._rows(_COUNTS, each["name"])
            if any(row.values()):
                tenants.append(each["name"])
                predictions, images = predictions + row["predictions"], images + row["images"]
        if not tenants:
            raise InvalidRequest(
                f"Nobody with subject {self._person.subject[:60]!r} of {self._person.issuer[:90]!r} was ever here, "
                "so nothing was changed. The subject is the `sub` of their log-in; of a machine it is tenant/name."
            )
        return Found(tenants=tuple(tenants), predictions=predictions, images=images)

    async def forget(self) -> str:
        """Do it, and say what was done.

        Raises: InvalidRequest where a create is on its way; OutputError where an image cannot be deleted.
        """
        found, canceled, going_on, files = self.found(), set[str](), set[str](), 0
        for tenant in found.tenants:
            for _ in range(_TRIES):
                running = self._stop_creates(tenant)
                asked = [row for row in running if row["prediction_id"] not in canceled | going_on]
                left = await self._cancel(tenant, asked)
                going_on |= left
                canceled |= {row["prediction_id"] for row in asked} - left
                files += await self._delete_images(tenant)
                if self._delete_rows(tenant, {row["key"] for row in running}):
                    files += await self._delete_images(tenant)  # what a worker has brought home meanwhile
                    break
            else:
                raise InvalidRequest(
                    "They go on making images, so not everything could be forgotten. Take their log-in away first, "
                    "then repeat the command."
                )
        said = f"Forgotten: {found.words}; {counted(files, 'file')} deleted, {len(canceled)} canceled."
        if going_on:
            said += f" The gateway could not be made to stop {', '.join(sorted(going_on))}: it may still be paid for."
        return said

    def _stop_creates(self, tenant: str) -> list[Row]:
        """Send nothing more of theirs; the predictions that run. Raises: InvalidRequest."""
        with self._as_person(tenant):
            if self._person.issuer == MACHINES:
                name = self._person.subject.removeprefix(f"{tenant}/")
                self._connection.execute("DELETE FROM tokens WHERE tenant = %s AND subject = %s", (tenant, name))
            if count := self._rows(_ON_THE_WAY, tenant)[0]["count"]:
                raise InvalidRequest(
                    f"{counted(count, 'create')} of theirs in tenant '{tenant}' may be on the way or paid for already. "
                    "Nothing was forgotten there. Repeat the command in a minute; one whose answer was lost is given "
                    "up after an hour."
                )
            self._connection.execute(_DROP.encode())
            return self._rows(_RUNNING, tenant)

    async def _delete_images(self, tenant: str) -> int:
        return sum([await open_target(f"{place}/{tenant}/{self._hash}").clear() for place in self._places])

    async def _cancel(self, tenant: str, running: Sequence[Row]) -> set[str]:
        """Ask the gateways to stop them; the ids of those that may go on."""
        going_on: set[str] = set()
        choices = {row["id"]: self._choice(row) for row in self._rows(_KEYS, tenant)} if running else {}
        for row in running:
            choice = choices.get(row["account"])
            if not (choice and await _is_canceled(choice, row["prediction_id"])):
                going_on.add(row["prediction_id"])
        return going_on

    def _choice(self, row: Row) -> GatewayChoice | None:
        place = SealedPlace(row["tenant"], row["id"])
        try:
            return chosen(row["gateway"], row["base_url"], self._vault.open(row["sealed_key"], place.of_key))
        except SettingsError:
            return None

    def _delete_rows(self, tenant: str, expected: set[str]) -> bool:
        """False, and nothing done, where something else has begun meanwhile."""
        with self._as_person(tenant):
            if self._rows(_ON_THE_WAY, tenant)[0]["count"]:
                return False
            if {row["key"] for row in self._rows(_RUNNING, tenant)} - expected:
                return False
            self._connection.execute(_SUMS.encode())
            for statement in (*_JOBS, *_OWN_ACCOUNTS):
                self._do(statement, tenant)
            for table in self._rows(_TABLES, tenant):
                name = sql.Identifier(table["name"])
                statement = sql.SQL("DELETE FROM {} WHERE tenant = %s AND principal = %s").format(name)
                self._connection.execute(statement, (tenant, self._hash))
            self._do(_FORGET_ACT, tenant)
            self._administration.note_forgotten(tenant)
        return True

    @contextmanager
    def _as_person(self, tenant: str) -> Generator[None]:
        """One transaction as this person, with the tenant's lock."""
        with self._connection.transaction():
            self._rows(_ENTER, tenant)
            yield

    def _do(self, statement: str, tenant: str) -> None:
        self._connection.execute(statement.encode(), {"tenant": tenant, "hash": self._hash})

    def _rows(self, statement: str, tenant: str) -> list[Row]:
        return self._connection.execute(statement.encode(), {"tenant": tenant, "hash": self._hash}).fetchall()


async def _is_canceled(choice: GatewayChoice, prediction_id: str) -> bool:
    try:
        async with PredictionClient(choice.gateway, choice.key) as client:
            after = await client.cancel(prediction_id)
    except DarkroomError:
        return False
    return after is not None and after.status.is_terminal
