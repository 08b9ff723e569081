"""Forgetting a person: what runs is canceled, their images are deleted, then every row that says something of them.

What may be on its way or paid for is never deleted: a create that was sent and whose answer is not known yet stops it.
Their spending stays as sums without a name, so that the tenant's limit for the day holds on.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import sql

from darkroom.errors import DarkroomError, InvalidRequest, SettingsError
from darkroom.gateways import GatewayChoice, PredictionClient
from darkroom.journal.database import EVERYONE
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
ON_THE_WAY = """SELECT count(*) AS count FROM intents WHERE state IN ('sent', 'unknown')
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
# Every table with rows of a tenant, also those that came later, and whether they are a principal's: what others refer
# to goes after them, the sums that triggers keep go last.
_TABLES = """SELECT table_name AS name, bool_or(column_name = 'principal') AS is_of_principals
    FROM information_schema.columns WHERE table_schema = current_schema() AND column_name IN ('tenant', 'principal')
    GROUP BY table_name HAVING bool_or(column_name = 'tenant')
    ORDER BY table_name = 'tallies', table_name = 'principals', table_name"""
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


class AsOwner:
    """Transactions as a principal of a tenant, or as everybody of it, on the connection of the owner."""

    def __init__(self, administration: Administration, principal: str) -> None:
        self.administration = administration
        self.principal = principal
        self._connection = administration.connection

    @contextmanager
    def locked(self, tenant: str) -> Generator[None]:
        """One transaction, with the tenant's lock."""
        with self._connection.transaction():
            self.rows(_ENTER, tenant)
            yield

    def do(self, statement: str, tenant: str) -> None:
        self._connection.execute(statement.encode(), {"tenant": tenant, "hash": self.principal})

    def rows(self, statement: str, tenant: str) -> list[Row]:
        return self._connection.execute(statement.encode(), {"tenant": tenant, "hash": self.principal}).fetchall()

    def delete_rows(self, tenant: str) -> None:
        """Those of the principal, or with everybody all of the tenant's, in every table."""
        where = "tenant = %(tenant)s AND %(hash)s IN ('*', principal)"
        for table in self.rows(_TABLES, tenant):
            statement = sql.SQL("DELETE FROM {} WHERE ").format(sql.Identifier(table["name"])).as_string()
            if table["is_of_principals"]:
                self.do(statement + where, tenant)
            elif self.principal == EVERYONE:
                self.do(f"{statement}tenant = %(tenant)s", tenant)


class Forgetting(AsOwner):
    """One person, in all tenants where they have been. `places`: folders and buckets with one of theirs below."""

    def __init__(self, administration: Administration, vault: Vault, places: Sequence[str], person: Person) -> None:
        super().__init__(administration, principal_hash(person.issuer, person.subject))
        self._vault = vault
        self._places = [place.rstrip("/") for place in places]
        self._person = person

    def found(self) -> tuple[list[str], str]:
        """The tenants where they have been, and what there is in words.

        Raises: InvalidRequest where nobody of that name was ever here.
        """
        tenants, predictions, images = list[str](), 0, 0
        for each in self.administration.tenants():
            with self.locked(each["name"]):
                (row,) = self.rows(_COUNTS, each["name"])
            if any(row.values()):
                tenants.append(each["name"])
                predictions, images = predictions + row["predictions"], images + row["images"]
        if not tenants:
            raise InvalidRequest(
                f"Nobody with subject {self._person.subject[:60]!r} of {self._person.issuer[:90]!r} was ever here, "
                "so nothing was changed. The subject is the `sub` of their log-in; of a machine it is tenant/name."
            )
        said = f"{counted(predictions, 'prediction')} and {counted(images, 'image')}"
        return tenants, f"{said} in tenant {', '.join(tenants)}"

    async def forget(self) -> str:
        """Do it, and say what was done.

        Raises: InvalidRequest where a create is on its way; OutputError where an image cannot be deleted.
        """
        tenants, found = self.found()
        canceled, going_on, files = set[str](), set[str](), 0
        for tenant in tenants:
            for _ in range(_TRIES):
                running = self._stop_creates(tenant)
                asked = [row for row in running if row["prediction_id"] not in canceled | going_on]
                left = await self._cancel(tenant, asked)
                going_on |= left
                canceled |= {row["prediction_id"] for row in asked} - left
                files += await self._delete_images(tenant)
                if self._delete_all(tenant, {row["key"] for row in running}):
                    files += await self._delete_images(tenant)  # what a worker has brought home meanwhile
                    break
            else:
                raise InvalidRequest(
                    "They go on making images, so not everything could be forgotten. Take their log-in away first, "
                    "then repeat the command."
                )
        said = f"Forgotten: {found}; {counted(files, 'file')} deleted, {len(canceled)} canceled."
        if going_on:
            said += f" The gateway could not be made to stop {', '.join(sorted(going_on))}: it may still be paid for."
        return said

    def _stop_creates(self, tenant: str) -> list[Row]:
        """Send nothing more of theirs; the predictions that run. Raises: InvalidRequest."""
        with self.locked(tenant):
            if self._person.issuer == MACHINES:
                name = self._person.subject.removeprefix(f"{tenant}/")
                self._connection.execute("DELETE FROM tokens WHERE tenant = %s AND subject = %s", (tenant, name))
            if count := self.rows(ON_THE_WAY, tenant)[0]["count"]:
                raise InvalidRequest(
                    f"{counted(count, 'create')} of theirs in tenant '{tenant}' may be on the way or paid for already. "
                    "Nothing was forgotten there. Repeat the command in a minute; one whose answer was lost is given "
                    "up after an hour."
                )
            self._connection.execute(_DROP.encode())
            return self.rows(_RUNNING, tenant)

    async def _delete_images(self, tenant: str) -> int:
        return sum([await open_target(f"{place}/{tenant}/{self.principal}").clear() for place in self._places])

    async def _cancel(self, tenant: str, running: Sequence[Row]) -> set[str]:
        """Ask the gateways to stop them; the ids of those that may go on."""
        going_on: set[str] = set()
        choices = {row["id"]: self._choice(row) for row in self.rows(_KEYS, tenant)} if running else {}
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

    def _delete_all(self, tenant: str, expected: set[str]) -> bool:
        """False, and nothing done, where something else has begun meanwhile."""
        with self.locked(tenant):
            if self.rows(ON_THE_WAY, tenant)[0]["count"]:
                return False
            if {row["key"] for row in self.rows(_RUNNING, tenant)} - expected:
                return False
            self._connection.execute(_SUMS.encode())
            for statement in (*_JOBS, *_OWN_ACCOUNTS):
                self.do(statement, tenant)
            self.delete_rows(tenant)
            self.do(_FORGET_ACT, tenant)
            self.administration.note_erased(tenant, "forget")
        return True


async def _is_canceled(choice: GatewayChoice, prediction_id: str) -> bool:
    try:
        async with PredictionClient(choice.gateway, choice.key) as client:
            after = await client.cancel(prediction_id)
    except DarkroomError:
        return False
    return after is not None and after.status.is_terminal
