"""Removing a tenant: its images, then every row of it in one commit. What may still be paid for stops it."""

from collections.abc import Sequence

from darkroom.errors import InvalidRequest
from darkroom.journal.database import EVERYONE
from darkroom.outputs import open_target
from darkroom.reports.amounts import counted
from darkroom.work.watch import GIVE_UP_AFTER_S
from darkroom_server.team.administration import Administration
from darkroom_server.team.forgetting import ON_THE_WAY, AsOwner

_COUNTS = """SELECT (SELECT count(*) FROM principals WHERE tenant = %(tenant)s) AS people,
    (SELECT count(*) FROM intents) AS predictions, (SELECT count(*) FROM images) AS images,
    (SELECT count(*) FROM gateway_accounts WHERE tenant = %(tenant)s) AS keys"""
# What is older was given up by whoever followed it.
_RUNNING = f"""SELECT count(*) AS count FROM intents WHERE state = 'known' AND ended_at IS NULL AND is_adopted = 0
    AND known_at > extract(epoch FROM clock_timestamp()) - {GIVE_UP_AFTER_S}"""
_JOBS = "DELETE FROM procrastinate_jobs WHERE status <> 'doing' AND args ->> 'tenant' = %(tenant)s"
_TENANT = "DELETE FROM tenants WHERE name = %(tenant)s"


class Removing(AsOwner):
    """One tenant. `places`: folders and buckets with one of its own below."""

    def __init__(self, administration: Administration, places: Sequence[str], tenant: str) -> None:
        super().__init__(administration, EVERYONE)
        self._places = [open_target(f"{place.rstrip('/')}/{tenant}") for place in places]
        self._tenant = tenant

    def found(self) -> str:
        """What there is of it, in words. Raises: InvalidRequest where it is not there, or something is open."""
        self.administration.check_tenant(self._tenant)
        with self.locked(self._tenant):
            self._refuse_open()
            (row,) = self.rows(_COUNTS, self._tenant)
        people = "1 person" if row["people"] == 1 else f"{row['people']} people"
        keys, made = counted(row["keys"], "gateway key"), counted(row["predictions"], "prediction")
        return f"{people}, {keys}, {made} and {counted(row['images'], 'image')}"

    async def remove(self) -> str:
        """Do it, and say what was done.

        Raises: InvalidRequest as `found`; OutputError where an image cannot be deleted: then all rows are still there.
        """
        found = self.found()
        with self.locked(self._tenant):
            self._refuse_open()
            self.do(_JOBS, self._tenant)
            self.delete_rows(self._tenant)
            self.do(_TENANT, self._tenant)
            self.administration.note_erased(self._tenant, "remove tenant")
            files = await self._delete_images()
        files += await self._delete_images()  # what a worker has brought home meanwhile
        return f"Removed: tenant '{self._tenant}' with {found}; {counted(files, 'file')} deleted."

    def _refuse_open(self) -> None:
        count = sum(self.rows(statement, self._tenant)[0]["count"] for statement in (_RUNNING, ON_THE_WAY))
        if count:
            raise InvalidRequest(
                f"{counted(count, 'prediction')} of tenant '{self._tenant}' may still be on the way or be paid for. "
                "Nothing was removed. Keep its people out, and repeat the command once they have ended; what is lost "
                f"is given up after {GIVE_UP_AFTER_S / 3600:.0f} hours."
            )

    async def _delete_images(self) -> int:
        return sum([await place.clear() for place in self._places])
